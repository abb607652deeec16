"""From an action to what it would do, and to the record of doing it."""

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from phasegate.actions import on_documents, on_runs, on_spans
from phasegate.actions.action import ActionVerb, OperatorAction
from phasegate.actions.deed import Deed, DeedResult
from phasegate.audit import AuditLog, Via
from phasegate.errors import PhasegateError, words
from phasegate.work.pool import Stop

if TYPE_CHECKING:
    from phasegate.pipeline import Pipeline

_Prepare = Callable[["Pipeline", OperatorAction], Deed]
_PREPARED: Mapping[ActionVerb, _Prepare] = {
    "rerun": on_runs.rerun,
    "redrive": on_runs.redrive,
    "pause": on_runs.pause,
    "resume": on_runs.resume,
    "cancel": on_runs.cancel,
    "restore": on_runs.restore,
    "replan": on_runs.replan,
    "let go": on_documents.let_go,
    "discard": on_documents.discard,
    "close": on_documents.close,
}
_WORKING: Mapping[ActionVerb, Callable[["Pipeline", OperatorAction, Stop], Deed]] = {
    "fix": on_spans.fix,
    "rebuild": on_spans.rebuild,
    "sweep": on_spans.work,
    "work": on_spans.work,
}


def prepare(pipeline: "Pipeline", action: OperatorAction, *, stop: Stop) -> Deed:
    """Return what an action would do now; it changes nothing.

    ``stop``: ends the work that the action waits for. Raises BadInput, NotFound.
    """
    if action.verb in _WORKING:
        return _WORKING[action.verb](pipeline, action, stop)
    return _PREPARED[action.verb](pipeline, action)


def carry_out(pipeline: "Pipeline", action: OperatorAction, deed: Deed, *, by: str, via: Via) -> tuple[str, DeedResult]:
    """Do it and record who did; return the key of the record, and the result.

    An error in the midst of it is a result that failed: what came before it is done.
    """
    log = AuditLog(pipeline.plan.pipeline, pipeline.ports)
    with log.acting(str(action), by=by, via=via, about=deed.about) as act:
        try:
            result = deed.do()
        except PhasegateError as e:  # what came before it is done, so this is no refusal
            result = DeedResult((words(e),), failed=True)
        act.outcome, act.failed = "; ".join(result.lines), result.failed
    return act.key, result


def mark_of(deed: Deed, /) -> str:
    """Return a mark of what an action would do: another mark, another effect."""
    return hashlib.sha256("\n".join((deed.title, *deed.lines)).encode()).hexdigest()[:24]
