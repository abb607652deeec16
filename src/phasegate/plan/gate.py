"""The rule of firing, which a run pins when it opens.

Pure.
"""

from typing import Literal

import msgspec

Ack = Literal["begin", "completion", "publish"]


Status = Literal["success", "empty", "partial", "failed", "transient", "inputs_changed", "skipped"]


GOOD: tuple[Status, ...] = ("success", "empty")


class Need(msgspec.Struct, frozen=True, order=True):
    """A step that must be fresh first, and its phase.

    ``back`` 0: its result of the run's own date. Else its results of the ``back`` days before that date: a window.
    """

    phase: str
    step: str
    back: int = 0

    def __str__(self) -> str:
        return f"{self.phase}.{self.step}" + (f"@{self.back}d" if self.back else "")


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
    plan's part that made this gate.
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
