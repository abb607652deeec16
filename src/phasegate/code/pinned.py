"""Gives each Python step of a plan its code."""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from phasegate.errors import BadInput
from phasegate.plan.model import Plan, Step, digest
from phasegate.plan.steps import code_of


def with_code(plan: Plan, functions: Mapping[str, Callable[..., object]]) -> Plan:
    """Return the plan with the code of its Python steps.

    A step that declares ``code`` has it already. Raises BadInput for a function whose source cannot be read.
    """
    steps = {name: _with_code(step, functions.get(step.python)) for name, step in plan.steps.items()}
    if steps == plan.steps:
        return plan
    plan = replace(plan, steps=steps, hash="")
    return replace(plan, hash=digest(plan))


def _with_code(step: Step, function: Callable[..., object] | None) -> Step:
    if step.kind != "python" or step.code or function is None:
        return step
    # what parses source takes 20 ms to import: only a plan with Python steps pays for it
    from phasegate.code.callables import NoSource, lines_of

    try:
        lines = lines_of(function, reference=step.python)
    except NoSource as e:
        fix = f'add code = "v1" to [step.{step.name}], and change it whenever the function changes'
        raise BadInput(f"step {step.name}: {e}, so a change of it would go unnoticed; {fix}") from None
    return replace(step, code=code_of(step.kind, lines, step.table))
