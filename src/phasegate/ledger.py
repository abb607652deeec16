"""Ledgers: the stamp of each date of a step, one document per month.

Pure. A date's stamp is in the ledger whichever mode built it. The stamp of a window (a need of earlier dates) is folded
from the ledgers; a worker compares it with the same fold over the warehouse's receipts. A ledger never takes an older
write over a newer one.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping

import msgspec
from msgspec.structs import replace

from phasegate.base.codec import State
from phasegate.base.fingerprint import counts_rows
from phasegate.base.receipt import ABSENT, Stamp


class Ledger(State, frozen=True):
    """The stamps of one step for the dates of one month.

    ``changes`` grows by one with every change. ``numbers``: date -> the number of the change that set its stamp.
    """

    stamps: dict[str, Stamp] = {}
    changes: int = 0
    numbers: dict[str, int] = {}


def recorded(date: str, *, stamp: Stamp) -> Callable[[Ledger | None], tuple[Ledger, int]]:
    """Set the stamp of a date; answer the number of the change, 0 if outdated.

    An older write (a lower token) changes nothing. A stamp without a token (a read) replaces only another read; a write
    replaces any read. A newer write of the same content is stored, and is no change.
    """

    def decide(ledger: Ledger | None) -> tuple[Ledger, int]:
        ledger = ledger or Ledger()
        old = ledger.stamps.get(date)
        if old == stamp:  # recorded before a crash: later runs may not have been notified of it
            return ledger, ledger.numbers.get(date, ledger.changes)
        if old is not None and old.token and stamp.token < old.token:
            return ledger, 0
        if old is not None and old.fingerprint == stamp.fingerprint:
            return replace(ledger, stamps={**ledger.stamps, date: stamp}), ledger.numbers.get(date, ledger.changes)
        number = ledger.changes + 1
        numbers = {**ledger.numbers, date: number}
        return replace(ledger, stamps={**ledger.stamps, date: stamp}, changes=number, numbers=numbers), number

    return decide


def derived(results: Iterable[tuple[str, Stamp]], *, at: float) -> Ledger:
    """Return a ledger of the results that documents show: (date, stamp).

    The newest write of a date counts. The time takes the place of the number of changes: that is above any count, so a
    reading of the lost ledger is older than one of this.
    """
    stamps: dict[str, Stamp] = {}
    for date, stamp in results:
        if date not in stamps or stamp.token >= stamps[date].token:
            stamps[date] = stamp
    return Ledger(stamps=stamps, changes=int(at))


def has_rows(stamp: Stamp) -> bool:
    """Return whether a stamp stands for a partition with rows.

    In a window an empty partition counts as an absent one.
    """
    return stamp != ABSENT and counts_rows(stamp.fingerprint) != 0


def fold(stamps: Mapping[str, Stamp]) -> Stamp:
    """Return one stamp for the contents of several dates.

    Dates without rows are ignored. The token is the sum of the dates' tokens, so it grows with every write to one.

    >>> fold({"2025-01-01": Stamp("0-705c7f7f6bcd1c8298551ada5ed8cd0a", 3)}) == fold({})
    True
    """
    filled = {date: stamp for date, stamp in stamps.items() if has_rows(stamp)}
    digest = hashlib.sha256()
    for date in sorted(filled):
        digest.update(f"{date}:{filled[date].fingerprint};".encode())
    return Stamp(f"{len(filled)}d-{digest.hexdigest()[:32]}", sum(stamp.token for stamp in filled.values()))


def differing(one: Mapping[str, Stamp], other: Mapping[str, Stamp]) -> Iterable[str]:
    """Yield the dates on which two readings of a window differ in content."""
    for date in sorted({*one, *other}):
        ours, theirs = one.get(date, ABSENT), other.get(date, ABSENT)
        if has_rows(ours) != has_rows(theirs) or (has_rows(ours) and ours.fingerprint != theirs.fingerprint):
            yield date


class WindowReading(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of a window's ledgers.

    ``stamps``: date -> stamp. ``orders``: month -> the number of changes that its ledger had.
    """

    stamps: dict[str, Stamp]
    orders: dict[str, int]
