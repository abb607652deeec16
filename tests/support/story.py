"""A phase's document told as a story: commands one after the other, each with a time of its own."""

from collections.abc import Callable

from phasegate.base.codec import Decision
from phasegate.base.receipt import Stamp
from phasegate.gate import decisions, outbox
from phasegate.gate.decisions import Answer, Report
from phasegate.gate.phase import Phase, fresh_members
from phasegate.gate.records import Input
from phasegate.plan.gate import Gate, Need, Receiver, Spec, Status

KEY = "phase:nba:analytics:2026-02-03.overnight"
RAW = Need("raw", "box")
NEXT = Receiver("precompute", "nba.precompute.begin", "begin")


def gate(**changes: object) -> Gate:
    """Return a gate over team (needs raw), player (needs raw and team) and lines (external, needs nothing)."""
    fields: dict[str, object] = {
        "members": {
            "team": Spec(needs=(RAW,), code="t1"),
            "player": Spec(needs=(RAW, Need("analytics", "team")), code="p1"),
            "lines": Spec(asks=False),
        },
        "expect": ("team", "player", "lines"),
        "receivers": (NEXT,),
        **changes,
    }
    return Gate(**fields)  # type: ignore[arg-type]


class Story:
    """Applies commands to one document; ``now`` is the time of the next one."""

    def __init__(self, pinned: Gate, *, now: float = 1_000.0) -> None:
        self.now, self.number = now, 0
        self.phase = Phase(gate=pinned, opened_at=now, looked_at=now)
        self.do(lambda a: decisions.look(key=KEY, now=now, attempt=a))

    def do(self, command: Callable[[str], Decision[Phase, Answer]]) -> str:
        """Apply a command under an attempt id of its own; return its outcome."""
        self.number += 1
        phase, answer = command(f"a{self.number}")(self.phase)
        assert phase is not None
        self.phase = phase
        return answer.outcome

    def begin(self, fingerprint: str, *, generation: int) -> str:
        given = Input(generation=generation, stamps={"box": Stamp(fingerprint)}, begun_at=0.0, begun_by="")
        return self.do(lambda a: decisions.begin("raw", given=given, key=KEY, now=self.now, attempt=a))

    def report(self, member: str, fingerprint: str, *, order: float, answers: bool = True, **more: object) -> str:
        """Report a result built of what the standing request asks for (or of nothing)."""
        request = self.phase.requests.get(member)
        fields: dict[str, object] = {
            "status": "success",
            "built_from": request.inputs if request is not None else {},
            "request": request.id if request is not None and answers else "",
            "code": self.phase.gate.members[member].code,
            **more,
        }
        said = Report(member=member, order=order, stamp=Stamp(fingerprint, int(order)), **fields)  # type: ignore[arg-type]
        return self.do(lambda a: decisions.report(said, key=KEY, now=self.now, attempt=a))

    def failure(self, member: str, status: Status, *, error: str = "it broke") -> str:
        said = Report(member=member, status=status, error=error, request=self.phase.requests[member].id)
        return self.do(lambda a: decisions.report(said, key=KEY, now=self.now, attempt=a))

    def look(self, now: float) -> None:
        self.now = now
        self.do(lambda a: decisions.look(key=KEY, now=now, attempt=a))

    def send(self) -> list[str]:
        """Send what is due; return the ids."""
        messages = outbox.outgoing(self.phase, key=KEY, now=self.now)
        phase, _ = outbox.sent(messages, key=KEY, now=self.now)(self.phase)
        assert phase is not None
        self.phase = phase
        return [m.id for m in messages]

    def build_all(self, version: str, *, order: float) -> None:
        """Answer every request until none stands."""
        self.report("lines", f"lines-{version}", order=order)
        for member in ("team", "player"):
            if member in self.phase.requests:
                self.report(member, f"{member}-{version}", order=order)

    @property
    def fresh(self) -> set[str]:
        return set(fresh_members(self.phase))

    @property
    def generation(self) -> int:
        return self.phase.generation
