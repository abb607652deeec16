"""What each action on one document would do: a lease, message or incident."""

from typing import TYPE_CHECKING

from phasegate.actions.action import OperatorAction
from phasegate.actions.deed import Deed, DeedResult, done
from phasegate.alerts.notes import title
from phasegate.errors import NotFound

if TYPE_CHECKING:
    from phasegate.pipeline import Pipeline
    from phasegate.write.rescuer import RescueOutcome


def let_go(pipeline: "Pipeline", action: OperatorAction) -> Deed:
    """Take a lease from its holder, and report what it left."""
    key = action.get("--let-go") or ""
    held = next((one for one in pipeline.views.leases() if one.key == key), None)
    if held is None:
        raise NotFound(f"{key}: no such lease is held; see phasegate leases")

    def do() -> DeedResult:
        outcome = pipeline.rescuer.let_go(key)
        return done([f"{key}: {left_behind(outcome)}"])

    lines = (
        f"Token {held.token} ({held.purpose or 'no purpose given'}) loses the lease at once.",
        "If its holder still works, it finds out at its next heartbeat or report, and its result does not count.",
        "Until then the fence refuses what it commits, if the partition was written before.",
        "What it had committed and not reported is reported now.",
    )
    return Deed(f"Let go of {key}", lines, do)


def left_behind(outcome: "RescueOutcome", /) -> str:
    """Return in words what the warehouse had of a lease that was let go of."""
    if outcome == "nothing":
        return "let go; nothing was written there"
    if outcome == "not ours":
        return "let go; what is written there is of no run of this plan"
    if outcome == "duplicate":
        return "let go; what is written there was reported already"
    return f"let go; what is written there is reported: {outcome}"


def discard(pipeline: "Pipeline", action: OperatorAction) -> Deed:
    """Hide a message in quarantine."""
    key = action.get("--discard") or ""
    letter = next((one for one in pipeline.views.quarantined() if one.subject == key), None)
    if letter is None:
        raise NotFound(f"{key}: no such message in quarantine; see phasegate dead")

    def do() -> DeedResult:
        pipeline.runs.quarantine.discard(key)
        return done([f"{key}: hidden; it stays stored"])

    lines = (f"The message is hidden: {letter.reason}", "It stays stored, and is shown again if it arrives again.")
    return Deed(f"Discard {key}", lines, do)


def close(pipeline: "Pipeline", action: OperatorAction) -> Deed:
    """Close an incident that no evaluation will resolve."""
    named = action.what
    found = [one for key, one in pipeline.alerts.listed() if named and key.rpartition(":")[2].startswith(named)]
    if not found:
        raise NotFound(f"incident {named!r} is not open; see phasegate alerts")

    def do() -> DeedResult:
        closed = pipeline.alerts.close(named)
        failed = pipeline.alerts.send().failed
        unsent = [f"notifications to {name} are stored and retried: {error}" for name, error in failed.items()]
        return done([f"closed: {title(closed)}", *unsent], failed=bool(unsent))

    lines = (f"Closed: {title(found[0])}", "Channels that were notified of it are notified again.",
             "If an evaluation still finds it, it is opened again.")  # fmt: skip
    return Deed(f"Close {title(found[0])}", lines, do)
