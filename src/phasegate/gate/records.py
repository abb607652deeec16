"""The records in a phase's document.

Pure. They are members, requests, inputs, firings, windows, notices, outbox entries and decided commands. Each record is
a frozen struct. None of them decides anything, and none stores what can be derived from the others.
"""

from typing import Literal, NewType, get_args

import msgspec
from msgspec.structs import replace

from phasegate.base.fingerprint import counts_rows
from phasegate.base.receipt import EXECUTION, Stamp
from phasegate.errors import legible
from phasegate.plan.gate import Status

Claimant = Literal["calendar", "operator"]
Stale = Literal["unknown", "code_changed", "forced"]
"""Why a result does not count, from the weakest reason to the strongest; the strongest is stored.

``unknown``: a request was withdrawn unanswered and may still have been served, so the table may hold other content.
``code_changed``: other code was pinned since. ``forced``: an operator asked for a rebuild.
"""
Ordered = Literal["sequence", "time", "arrival"]
"""The kind of order of a report: two kinds cannot be compared.

``arrival``: the report gave none, and was the newest when it arrived.
"""
CommandName = Literal[
    "report", "begin", "pause", "void", "expect", "replan", "redrive", "mark stale", "rebuild", "end quiet"
]
"""A command on a phase's document, as ``why`` shows it."""
Names = NewType("Names", str)
"""The names of the steps and receivers that a command chose, separated by blanks."""
CommandOutcome = (
    Literal[
        "open", "looked", "void", "unknown run", "accepted", "confirmed", "duplicate", "older", "read again",
        "other order", "unknown member", "skipped", "parked", "noted", "failed", "dead", "begun", "already begun",
        "not fired", "acknowledged", "paused", "resumed", "replanned", "unknown result", "stale", "not quiet",
    ]
    | Names
)  # fmt: skip
"""What became of a command."""
TIME_MIN = 1e9
LISTED_MAX = 20
ERROR_MAX, ERRORS_MAX, ERROR_MIN = 2_000, 60_000, 100
TIES_MAX = 4


def cut_error(error: str, /, *, members: int) -> str:
    """Return an error, cut so that those of all members fit their document."""
    return legible(error)[: max(ERROR_MIN, min(ERROR_MAX, ERRORS_MAX // max(members, 1)))]


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the run takes place: ``void`` is the reason if it does not.

    ``order`` is the order of the calendar's change, and 0 for an operator's claim.
    """

    void: str | None = None
    order: float = 0.0


class Lacks(msgspec.Struct, frozen=True, kw_only=True):
    """What a result lacks of the rows that it must cover.

    ``missing``: the first KEYS_MAX keys; ``count``: how many there are, 0 for none. ``against``: the fingerprint of the
    table that was compared, by the plan's ``rule``; both are "" if the reporter itself named what is missing.
    """

    missing: tuple[str, ...] = ()
    count: int = 0
    against: str = ""
    rule: str = ""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The newest accepted outcome of a member.

    ``attested``: ``built_from`` comes from a receipt or an echoed trigger. ``sequence`` and ``counted`` are the order
    and the number of rows as reported, for a result whose receipt or fingerprint does not give them. ``ordered``: the
    kind of its order; None for a result that a table gives, and for one of an older version. ``ties``: the fingerprints
    that were accepted before with the same order, and do not count as newer again. ``lacks``: what it must cover and
    does not; None: not compared. ``origin``: the earlier date whose change led to this content, the oldest of several;
    "": its own.
    """

    stamp: Stamp
    built_from: dict[str, Stamp]
    at: float
    sequence: float = 0.0
    ordered: Ordered | None = None
    ties: tuple[str, ...] = ()
    counted: int | None = None
    attested: bool = True
    write_id: str = ""
    code: str = ""
    request: str = ""
    lacks: Lacks | None = None
    origin: str = ""

    @property
    def order(self) -> float:
        """Return the token of the write, else the reported sequence."""
        return float(self.stamp.token) if self.write_id else self.sequence

    @property
    def of_table(self) -> bool:
        """Return whether the content of a table gave it, and so its order."""
        return bool(self.write_id) or not self.stamp.fingerprint.startswith(EXECUTION)

    @property
    def rows(self) -> int | None:
        """Return the number of rows, None if it is unknown."""
        counted = counts_rows(self.stamp.fingerprint)
        return self.counted if counted is None else counted

    @property
    def status(self) -> Status:
        """Return ``partial`` for a result that lacks rows.

        Else ``empty`` for one without rows, else ``success``.
        """
        if self.lacks is not None and self.lacks.count:
            return "partial"
        return "empty" if self.counted == 0 or self.stamp.fingerprint.startswith("0-") else "success"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """The newest attempt to build a member, successful or not.

    ``count``: failures of the standing request so far.
    """

    status: Status
    at: float
    error: str = ""
    count: int = 0
    order: float = 0.0
    ordered: Ordered | None = None


def is_other_kind(old: Result | Attempt, /, *, order: float, ordered: Ordered | None) -> bool:
    """Return whether an order cannot be compared with an older one.

    An order of an older version tells its kind by its size alone.
    """
    if ordered is None or "arrival" in (ordered, old.ordered):
        return False
    if old.ordered is None:
        return old.order > 0 and (old.order >= TIME_MIN) != (order >= TIME_MIN)
    return old.ordered != ordered


def is_after(old: Result | Attempt, /, *, order: float, ordered: Ordered | None) -> bool:
    """Return whether an order is newer, of the same kind or taken as such.

    A sequence is newer than an arrival, which has no number.
    """
    if ordered == "arrival" or (old.ordered == "arrival" and ordered == "sequence"):
        return True
    return order > old.order or is_other_kind(old, order=order, ordered=ordered)


def made_up_order(old: Result | None, /, *, now: float) -> tuple[float, Ordered | None]:
    """Return the order of a report that gives none.

    It is of the kind of the accepted order. No number is taken from the reporter: its next one is newer.
    """
    if old is None or old.of_table or old.ordered == "arrival":
        return now, "arrival"
    is_time = old.ordered == "time" or (old.ordered is None and old.order >= TIME_MIN)
    return max(now, old.order) if is_time else old.order, old.ordered


def ties_of(old: Result | None, stamp: Stamp, /, *, order: float) -> tuple[str, ...]:
    """Return the other fingerprints that were accepted with this order."""
    if old is None or old.of_table or old.order != order:
        return ()
    known = (*old.ties, old.stamp.fingerprint)
    return tuple(dict.fromkeys(one for one in known if one != stamp.fingerprint))[-TIES_MAX:]


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A step within the phase: its newest result and its newest attempt.

    They are separate: a failed attempt never removes a result. ``stale``: why the result does not count until a later
    request is answered; None: it counts. ``delivered_at``: when a result with rows was first accepted. ``old_code``:
    the code that ``replan`` replaced last; a worker that still has it may report late, and its result does not count.
    """

    result: Result | None = None
    attempt: Attempt | None = None
    stale: Stale | None = None
    delivered_at: float | None = None
    old_code: str = ""

    def made_stale(self, why: Stale, /) -> "Member":
        """Return the member as stale for the stronger of this reason and its own."""
        reasons = get_args(Stale)
        if self.stale is not None and reasons.index(self.stale) >= reasons.index(why):
            return self
        return replace(self, stale=why)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request to build a step from exactly these inputs, under a unique id.

    ``open``: sent again until answered. ``parked`` (for the ``reason``): waits for other inputs, and is sent at the
    longest interval of the back-off. ``dead``: not sent until its inputs change or an operator redrives it.
    ``allow_shrink``: the partition may lose more rows than ``shrink_max``. ``topic``: where it is sent, "" for the
    member's own topic.
    """

    id: str
    inputs: dict[str, Stamp]
    state: Literal["open", "parked", "dead"]
    opened_at: float
    due: float
    sends: int = 0
    reason: str = ""
    allow_shrink: bool = False
    topic: str = ""


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """The upstream generation that this phase builds on.

    ``stamps``: the stamps that its trigger carried.
    """

    generation: int
    stamps: dict[str, Stamp]
    begun_at: float
    begun_by: str
    missing: tuple[str, ...] = ()


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """One decision to hand on the phase's results.

    ``stamps``: what it carries; only the last firing keeps them. ``at``: the latest time at which the document was
    handled by then, so never before a deadline that the firing waited for. ``missing``: expected members that were
    absent, stale or not accepted. ``changes``: the first LISTED_MAX members that the firing before it did not carry, or
    not with this content, in words.
    """

    generation: int
    stamps: dict[str, Stamp]
    at: float
    by: str
    missing: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    def as_older(self) -> "Firing":
        """Return it without what only the last firing needs."""
        more = len(self.missing) - LISTED_MAX
        listed = (*self.missing[:LISTED_MAX], f"and {more} more") if more > 0 else self.missing
        return replace(self, stamps={}, missing=listed)


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a window of earlier dates.

    ``stamp``: the contents of its dates, folded into one (ledger). ``orders``: for each month, how many changes
    its ledger had when it was read; an older reading changes nothing. ``awaited``: missing dates that the calendar
    expects, and until when to wait for each. ``drifted``: dates that changed since, too far back to be rebuilt
    automatically; ``drift_order``: the order of a reading that shows it.
    """

    stamp: Stamp
    awaited: dict[str, float] = {}
    drifted: tuple[str, ...] = ()
    drift_order: int = 0
    orders: dict[str, int] = {}

    @property
    def order(self) -> int:
        """Return the number of ledger changes that the reading includes."""
        return sum(self.orders.values())


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A result that is not yet propagated to other runs.

    ``relayed``: the sibling runs have it; later runs are still to be notified, once this run's build has ended.
    ``sends``: how often sibling runs were sent a message; ``at``: when they are sent the next one.
    """

    order: float
    at: float
    relayed: bool = False
    sends: int = 0


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One trigger for one receiver in the outbox.

    ``held``: it fired while the run was quiet, and is sent only by ``redrive``.
    """

    generation: int
    receiver: str
    state: Literal["unsent", "sent", "acked", "dead", "superseded", "held"]
    due: float
    sends: int = 0
    at: float = 0.0

    @property
    def waiting(self) -> bool:
        """Return whether it must still be sent or acknowledged."""
        return self.state in ("unsent", "sent")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A command that was decided on this document.

    It is shown by ``why``, and gives the same answer when the same attempt is decided again.
    """

    attempt: str
    what: str
    subject: str
    at: float
    outcome: str
    generation: int = 0


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What a build did to a document: since when, the last time, and what."""

    since: float
    at: float
    what: str
