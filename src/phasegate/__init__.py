"""Hand-offs between the phases of a data pipeline.

They fire once per change, lose nothing, and record why they fired. Start with ``connect``; everything else follows from
what it returns. A name is imported when it is first used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phasegate.answers.pushed import take_pushed
    from phasegate.answers.refusals import answer_of
    from phasegate.base.keys import parse_run
    from phasegate.base.receipt import Receipt
    from phasegate.calendar.month import Day as CalendarDay
    from phasegate.dedup.deduplicate import Deduplicated, deduplicate
    from phasegate.errors import (
        BadInput,
        Busy,
        Contended,
        Fenced,
        ForeignStore,
        InputsChanged,
        LeaseLost,
        NotFound,
        Partial,
        PhasegateError,
        Transient,
        Unavailable,
    )
    from phasegate.errors import InputsChanged as Moved
    from phasegate.explain.phase_view import PhaseView
    from phasegate.observe.counting import CountingObserver
    from phasegate.pipeline import Pipeline
    from phasegate.plan.load import load_plan
    from phasegate.plan.model import Plan
    from phasegate.system import SkippingClock, SystemClock
    from phasegate.wiring import connect, read_plan
    from phasegate.work.external import StepRun
    from phasegate.write.reading import Reading

__version__ = "0.1.0"

__all__ = [
    "BadInput",
    "Busy",
    "CalendarDay",
    "Contended",
    "CountingObserver",
    "Deduplicated",
    "Fenced",
    "ForeignStore",
    "InputsChanged",
    "LeaseLost",
    "Moved",
    "NotFound",
    "Partial",
    "PhaseView",
    "PhasegateError",
    "Pipeline",
    "Plan",
    "Reading",
    "Receipt",
    "SkippingClock",
    "StepRun",
    "SystemClock",
    "Transient",
    "Unavailable",
    "__version__",
    "answer_of",
    "connect",
    "deduplicate",
    "load_plan",
    "parse_run",
    "read_plan",
    "take_pushed",
]

# Where each name is: a module, and the name that it has there if that is another.
_HOMES = {
    "BadInput": "errors",
    "Busy": "errors",
    "CalendarDay": "calendar.month:Day",
    "Contended": "errors",
    "CountingObserver": "observe.counting",
    "Deduplicated": "dedup.deduplicate",
    "Fenced": "errors",
    "ForeignStore": "errors",
    "InputsChanged": "errors",
    "LeaseLost": "errors",
    "Moved": "errors:InputsChanged",
    "NotFound": "errors",
    "Partial": "errors",
    "PhaseView": "explain.phase_view",
    "PhasegateError": "errors",
    "Pipeline": "pipeline",
    "Plan": "plan.model",
    "Reading": "write.reading",
    "Receipt": "base.receipt",
    "SkippingClock": "system",
    "StepRun": "work.external",
    "SystemClock": "system",
    "Transient": "errors",
    "Unavailable": "errors",
    "answer_of": "answers.refusals",
    "connect": "wiring",
    "deduplicate": "dedup.deduplicate",
    "load_plan": "plan.load",
    "parse_run": "base.keys",
    "read_plan": "wiring",
    "take_pushed": "answers.pushed",
}

if not TYPE_CHECKING:  # a type checker that saw it would take any name for one of these

    def __getattr__(name: str) -> object:
        """Import a public name when it is first asked for."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        module, _, other = _HOMES[name].partition(":")
        value = getattr(import_module(f"{__name__}.{module}"), other or name)
        globals()[name] = value  # from now on it is found without this function
        return value

    def __dir__() -> list[str]:
        """Return the names that are there, imported yet or not."""
        return sorted({*globals(), *__all__})
