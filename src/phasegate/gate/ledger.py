"""Windows over earlier dates: which dates, what they hold together, and the ledgers that say so. Pure.

A *ledger* holds what each date of a step holds, whatever the mode of the run that built it: one document per step and
month. A window's stamp is folded from the ledgers, and compared with the same fold over the warehouse's receipts.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping

import msgspec
from msgspec.structs import replace

from phasegate.base.codec import State
from phasegate.base.fingerprint import rows_of
from phasegate.base.receipt import ABSENT, Stamp


class Ledger(State, frozen=True):
    """What the dates of one month hold of one step. ``changes`` grows by one with every change.

    ``numbers``: which change brought what a date holds.
    """

    stamps: dict[str, Stamp] = {}
    changes: int = 0
    numbers: dict[str, int] = {}


def recorded(day: str, *, stamp: Stamp) -> Callable[[Ledger | None], tuple[Ledger, int]]:
    """Note what a date holds now; answer the number of the change that brought it, 0 when it is no news.

    An older write (a lower token) changes nothing. A read without a token replaces a read; a write replaces any read.
    """

    def decide(ledger: Ledger | None) -> tuple[Ledger, int]:
        ledger = ledger or Ledger()
        old = ledger.stamps.get(day)
        if old == stamp:  # told again after a crash: whoever waits for it must still hear
            return ledger, ledger.numbers.get(day, ledger.changes)
        if old is not None and old.token and stamp.token < old.token:
            return ledger, 0
        number = ledger.changes + 1
        numbers = {**ledger.numbers, day: number}
        return replace(ledger, stamps={**ledger.stamps, day: stamp}, changes=number, numbers=numbers), number

    return decide


def has_rows(stamp: Stamp) -> bool:
    """Tell whether a partition counts in a window: one without rows is as one that is absent."""
    if stamp == ABSENT:
        return False
    return not stamp.fingerprint.partition("-")[0].isdecimal() or rows_of(stamp.fingerprint) > 0


def fold(stamps: Mapping[str, Stamp]) -> Stamp:
    """Return one stamp for the contents of several dates. Dates without rows do not count.

    Its token is the sum of theirs, so that any write to any of them makes it grow.

    >>> fold({"2025-01-01": Stamp("0-705c7f7f6bcd1c8298551ada5ed8cd0a", 3)}) == fold({})
    True
    """
    there = {day: stamp for day, stamp in stamps.items() if has_rows(stamp)}
    digest = hashlib.sha256()
    for day in sorted(there):
        digest.update(f"{day}:{there[day].fingerprint};".encode())
    return Stamp(f"{len(there)}d-{digest.hexdigest()[:32]}", sum(stamp.token for stamp in there.values()))


def differing(one: Mapping[str, Stamp], other: Mapping[str, Stamp]) -> Iterable[str]:
    """Return the dates on which two readings of a window differ in content."""
    for day in sorted({*one, *other}):
        ours, theirs = one.get(day, ABSENT), other.get(day, ABSENT)
        if has_rows(ours) != has_rows(theirs) or (has_rows(ours) and ours.fingerprint != theirs.fingerprint):
            yield day


class WindowReading(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of a window's ledgers: what they hold, and how many changes each month's had seen."""

    stamps: dict[str, Stamp]
    orders: dict[str, int]
