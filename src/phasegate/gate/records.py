"""What a phase's document consists of: members, requests, inputs, firings, windows, notices, triggers. Pure."""

from typing import Literal, get_args

import msgspec
from msgspec.structs import replace

from phasegate.base.fingerprint import counts_rows
from phasegate.base.receipt import Stamp
from phasegate.plan.gate import Status

Claimant = Literal["calendar", "operator"]
Stale = Literal["unknown", "code_changed", "forced"]
"""Why a result does not count, from the weakest reason to the strongest; the strongest is kept.

``unknown``: a request of other inputs was withdrawn unanswered and may have been served all the same, so the table may
hold something else. ``code_changed``: other code was pinned since. ``forced``: an operator asked for a rebuild.
"""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the run takes place: ``void`` is the reason why it does not, None if it does.

    ``order`` is that of the calendar's change, and 0 for an operator's.
    """

    void: str | None = None
    order: float = 0.0


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The newest accepted outcome of a member.

    ``attested``: ``built_from`` comes from a receipt or an echo. ``sequence`` and ``counted`` are what a reporter said
    of its order and its rows, where no receipt and no content say so.
    """

    stamp: Stamp
    built_from: dict[str, Stamp]
    at: float
    sequence: float = 0.0
    counted: int | None = None
    attested: bool = True
    write_id: str = ""
    code: str = ""
    request: str = ""

    @property
    def order(self) -> float:
        """Return what makes one result newer than another: the token of its write, else the reported sequence."""
        return float(self.stamp.token) if self.write_id else self.sequence

    @property
    def rows(self) -> int | None:
        """Return the number of rows, None where no one counted them."""
        counted = counts_rows(self.stamp.fingerprint)
        return self.counted if counted is None else counted

    @property
    def status(self) -> Status:
        """Return ``empty`` for a result without rows, else ``success``."""
        return "empty" if self.counted == 0 or self.stamp.fingerprint.startswith("0-") else "success"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """The newest try of a member, whatever its outcome. ``count``: failures of the standing request."""

    status: Status
    at: float
    error: str = ""
    count: int = 0
    order: float = 0.0


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A step within the phase: its newest result and its newest attempt, apart.

    ``stale``: why the result does not count until a later request is answered; None: it counts.
    ``delivered_at``: when a result with rows was first accepted; no later result changes it.
    """

    result: Result | None = None
    attempt: Attempt | None = None
    stale: Stale | None = None
    delivered_at: float | None = None

    def made_stale(self, why: Stale, /) -> "Member":
        """Return the member as stale for this reason, or for a stronger one that it has already."""
        reasons = get_args(Stale)
        if self.stale is not None and reasons.index(self.stale) >= reasons.index(why):
            return self
        return replace(self, stale=why)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A step asked to be built of exactly these inputs, under an id that no other request has.

    ``open`` is sent again until answered; ``parked`` (for the ``reason``) waits for other inputs, and is tried at the
    ceiling of the back-off; ``dead`` waits for other inputs or ``redrive``. ``allow_shrink``: the partition may lose
    more rows than ``shrink_max``.
    """

    id: str
    inputs: dict[str, Stamp]
    state: Literal["open", "parked", "dead"]
    opened_at: float
    due: float
    sends: int = 0
    reason: str = ""
    allow_shrink: bool = False


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """The upstream generation that this phase works on: the stamps that its trigger carried."""

    generation: int
    stamps: dict[str, Stamp]
    begun_at: float
    begun_by: str
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

    ``orders``: for each month, how many changes of its ledger the reading has seen; an older reading changes nothing.
    ``awaited``: dates that the calendar expects and that are missing, and until when each is waited for. ``drifted``:
    dates whose content changed since, too long ago to be rebuilt automatically; ``drift_order``: the order of a reading
    that shows it.
    """

    stamp: Stamp
    awaited: dict[str, float] = {}
    drifted: tuple[str, ...] = ()
    drift_order: int = 0
    orders: dict[str, int] = {}

    @property
    def order(self) -> int:
        """Return how new the reading is: the number of changes that it has seen."""
        return sum(self.orders.values())


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
