"""Hand-offs between the phases of a data pipeline.

They fire once per change, lose nothing, and record why they fired. Start with ``connect``; everything else follows from
what it returns.
"""

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
from phasegate.explain.phase_view import PhaseView
from phasegate.observe import CountingObserver
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
    "connect",
    "deduplicate",
    "load_plan",
    "parse_run",
    "read_plan",
]
