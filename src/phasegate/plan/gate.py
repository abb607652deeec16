"""The rule of firing, which a run pins when it opens.

Pure.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec
from msgspec.structs import replace

from phasegate.base.dates import BACK_MAX, distance, local_date, shift
from phasegate.errors import BadInput

Ack = Literal["begin", "completion", "publish", "post"]


Status = Literal["success", "empty", "partial", "failed", "transient", "inputs_changed", "skipped"]


GOOD: tuple[Status, ...] = ("success", "empty")


SEASON = BACK_MAX + 1
"""The ``back`` of a window that reaches to the season's first date.

A plan has it; a run's gate has the days from that date. It is larger than these, so a bound holds for them too.
"""
SEASON_START = "season_start"
"""The anchor with which a calendar names the first date of a date's season: a time on it."""


class Need(msgspec.Struct, frozen=True, order=True):
    """A step that must be fresh first, and its phase.

    ``back`` 0: its result of the run's own date. Else its results of the ``back`` days before that date: a window.
    ``back`` SEASON: of the days from the season's first date; only in a plan.
    """

    phase: str
    step: str
    back: int = 0

    def __str__(self) -> str:
        back = "season" if self.back == SEASON else f"{self.back}d"
        return f"{self.phase}.{self.step}" + (f"@{back}" if self.back else "")


class Covers(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of another step's table that a step's table must have too.

    ``on``: the columns that tell them apart, of the same names in both tables. ``where``: SQL, which of the rows; ""
    for all. ``topic``: the topic of requests to compare the tables again, "" if a request to build the step does it.
    """

    need: Need
    on: tuple[str, ...]
    where: str = ""
    topic: str = ""

    @property
    def rule(self) -> str:
        """Return the rule in words: what a stored comparison was made by."""
        return f"{self.need} by {', '.join(self.on)}" + (f" where {self.where}" if self.where else "")


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """The gate's rules for one member.

    ``asks``: Phasegate sends requests for it, to ``topic``. ``code`` is the hash of what it ran when this was pinned.
    ``attested`` False: it reads past Phasegate, so what it was really built from is unknown.
    ``shared``: its results are propagated to runs of other modes or of later dates. ``covers``: what its table must
    have, or its result is ``partial``.
    """

    needs: tuple[Need, ...] = ()
    asks: bool = True
    topic: str = ""
    code: str = ""
    attested: bool = True
    shared: bool = False
    attempts_max: int = 5
    covers: Covers | None = None


class Receiver(msgspec.Struct, frozen=True):
    """A receiver of triggers: its topic, and how it acknowledges."""

    name: str
    topic: str
    ack: Ack


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """The rule of firing, pinned when the run opens.

    Only ``replan`` changes it. ``at_least``: how many of ``expect`` suffice (None: all). ``deadline``: epoch seconds,
    absolute. ``await_windows``: the gate waits for dates of a window that are expected and missing. ``hash`` is of the
    plan's part that made this gate; ``since``: when the process that pinned it began, which tells a newer plan from an
    older one.
    """

    members: dict[str, Spec]
    expect: tuple[str, ...]
    critical: tuple[str, ...] = ()
    at_least: int | None = None
    deadline: float | None = None
    accept: tuple[Status, ...] = GOOD
    receivers: tuple[Receiver, ...] = ()
    settle_s: float = 0.0
    settle_max_s: float = 0.0
    catch_up_max_s: float = 600.0
    await_windows: bool = True
    hash: str = ""
    since: float = 0.0

    def is_newer(self, step: str, *, code: str, since: float) -> bool:
        """Return whether a process that began later pinned other code of a step."""
        spec = self.members.get(step)
        return self.since > since and spec is not None and bool(spec.code and code) and spec.code != code


def dated(gate: Gate, *, date: str, timezone: str, anchors: Mapping[str, float] | None) -> Gate:
    """Return a gate with the days of its windows of a season.

    From the date of the anchor ``season_start``, in the pipeline's zone, to the day before the run's date; on the
    season's first date, that day alone. Raises BadInput if the calendar gives no such anchor, one after the date, or
    one more than BACK_MAX days before it.
    """
    if not any(need.back == SEASON for spec in gate.members.values() for need in spec.needs):
        return gate
    if anchors is None or SEASON_START not in anchors:
        known = ", ".join(sorted(anchors or ())) or "none"
        raise BadInput(f"{date}: the calendar gives no {SEASON_START} (it gives {known}); it must, because the plan "
                       'has a window with back = "season", or the plan must write a number of days')  # fmt: skip
    first = local_date(anchors[SEASON_START], timezone=timezone)
    if not 0 <= (back := distance(first, date)) <= BACK_MAX:
        raise BadInput(f"{date}: the calendar gives {first} as {SEASON_START}, and a window reaches at most {BACK_MAX} "
                       "days back from its date; correct the calendar's source")  # fmt: skip
    members = {
        name: replace(spec, needs=tuple(replace(n, back=max(1, back)) if n.back == SEASON else n for n in spec.needs))
        for name, spec in gate.members.items()
    }
    return replace(gate, members=members)


def season_start(needs: tuple[Need, ...], *, inputs: Iterable[str], date: str) -> str | None:
    """Return the first date of a step's windows of a season, None without one.

    ``inputs``: the names of what the run of the date reads, which have the days of each window.
    """
    windows = {str(need).partition("@")[0] for need in needs if need.back == SEASON}
    found = (name.partition("@") for name in inputs)
    days = [int(back.removesuffix("d")) for step, _, back in found if back and step in windows]
    return shift(date, -max(days)) if days else None
