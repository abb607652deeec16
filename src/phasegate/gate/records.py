"""What a phase's document consists of: members, requests, inputs, firings, windows, notices, triggers. Pure."""

from typing import Literal

import msgspec

from phasegate.base.receipt import Stamp
from phasegate.plan.gate import Ack, Status

VoidBy = Literal["calendar", "operator"]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The newest accepted outcome of a member.

    ``attested``: ``built_from`` comes from a receipt or an echo. ``outdated``: another code was pinned since.
    """

    status: Status
    stamp: Stamp
    order: float
    built_from: dict[str, Stamp]
    rows: int | None
    at: float
    attested: bool = True
    write_id: str = ""
    code: str = ""
    request: str = ""
    outdated: bool = False


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """The newest try of a member, whatever became of it."""

    status: Status
    at: float
    error: str = ""
    count: int = 0
    order: float = 0.0


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A step within the phase: its newest result and its newest attempt, apart.

    ``unsure``: a request of other inputs was withdrawn unanswered, and may have been served all the same; until a
    later request is answered nobody knows whether the table still holds the accepted result.
    ``anew``: it is to be built again even where a receipt of its inputs is there.
    ``delivered_at``: when a result with rows was first accepted; no later result changes it.
    """

    result: Result | None = None
    attempt: Attempt | None = None
    unsure: bool = False
    anew: bool = False
    delivered_at: float | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A step asked to be built of exactly these inputs, under an id that no other asking has.

    ``open`` is sent again until answered; ``parked`` waits for other inputs (and is tried at the ceiling of the
    back-off); ``dead`` waits for other inputs or ``redrive``. Only a reported failure counts in ``failures``.
    """

    id: str
    inputs: dict[str, Stamp]
    state: Literal["open", "parked", "dead"]
    opened_at: float
    due: float
    sends: int = 0
    failures: int = 0
    reason: str = ""
    forced: bool = False
    anew: bool = False


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """The upstream generation that this phase works on: the stamps that its trigger carried."""

    generation: int
    stamps: dict[str, Stamp]
    begun_at: float
    begun_by: str
    trigger: str = ""
    missing: tuple[str, ...] = ()


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """One decision to hand on. ``missing``: expected members that were absent, stale or not accepted."""

    generation: int
    stamps: dict[str, Stamp]
    at: float
    by: str
    missing: tuple[str, ...] = ()


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What a window over earlier dates holds: all of them folded into one stamp (gate.ledger).

    ``order`` grows with every change in the dates' ledgers; an older reading changes nothing. ``orders``: of each
    month, how many changes of its ledger the reading had seen. ``awaited``: dates that
    the calendar expects and that are not there yet, and until when each is waited for. ``drifted``: dates whose
    content changed since, too long ago to rebuild for by itself; ``drift_order`` the order of a reading that shows it.
    """

    stamp: Stamp
    order: int
    awaited: dict[str, float] = {}
    drifted: tuple[str, ...] = ()
    drift_order: int = 0
    orders: dict[str, int] = {}


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A result that other runs must still hear of. ``origin``: the date whose change led to it, the oldest if many.

    ``relayed``: its sister runs have heard; later runs hear when this one's build is over, of all its results at once.
    """

    order: float
    origin: str
    at: float
    relayed: bool = False


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One trigger for one receiver in the outbox. ``held``: a quiet backfill fired it, nobody is told by itself."""

    generation: int
    receiver: str
    topic: str
    ack: Ack
    state: Literal["unsent", "sent", "acked", "dead", "superseded", "held"]
    due: float
    sends: int = 0
    at: float = 0.0

    @property
    def waiting(self) -> bool:
        """Whether somebody must still send it, or hear of its arrival."""
        return self.state in ("unsent", "sent")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A command this document has heard: for ``why``, and for the same answer when it is decided again."""

    attempt: str
    what: str
    subject: str
    at: float
    outcome: str
    generation: int = 0
