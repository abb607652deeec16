"""The order of versions: numbers, or moments in time.

A text is read as one of them, never compared as text: "10" is above "9", and half past is after the hour in each
spelling and zone. Moments with a zone are ordered as instants, so that both passes of a repeated hour stay apart. Pure.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from phasegate.errors import BadInput

ORDERED = frozenset({"number", "text", "naive time", "time with zone", "date", "time of day", "duration"})
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  subtracted from wall clocks, whose offset is subtracted too
_TYPES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    (Enum, "an enum"),
    ((int, float, Decimal), "number"),
    (str, "text"),
    (date, "date"),
    (timedelta, "duration"),
)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(
    r"(?P<day>\d{4}-?\d\d-?\d\d)[Tt ](?P<clock>\d\d(:?\d\d(:?\d\d)?)?)([.,](?P<fraction>\d+))?"
    r" ?(?P<zone>[Zz]|UTC|[+-]\d\d(:?\d\d(:?\d\d)?)?)?",
    re.ASCII,
)
_WANTED = 'a number, an ISO date or an ISO time; write it as 10, 2026-02-04 or "2026-02-04T06:00:00Z"'


@dataclass(frozen=True, slots=True, order=True)
class _Moment:
    """The time since 1970, exact to any number of decimal places."""

    whole: timedelta
    rest: Fraction


def kind_of(value: object) -> str:
    """Return what a value is, as the errors name it."""
    if isinstance(value, datetime):
        return "naive time" if value.utcoffset() is None else "time with zone"
    if isinstance(value, time):
        return "time of day" if value.tzinfo is None else "time of day with zone"
    return next((name for types, name in _TYPES if isinstance(value, types)), f"a {type(value).__name__}")


def repeated_without_zone(value: object) -> bool:
    """Return whether a time without zone is of the second pass of an hour.

    No order, and no equality, of such wall clocks is that of the instants.
    """
    return isinstance(value, datetime) and bool(value.fold) and value.utcoffset() is None


def as_key(value: object) -> object:
    """Return a value that is equal to another exactly if both are one key.

    Python compares the times of one zone by wall clock, and finds times of a repeated hour unequal to all others.
    """
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return _instant(value), "instant"
    return tuple(map(as_key, value)) if isinstance(value, tuple) else value


def ordered(values: Sequence[object], *, column: str) -> Sequence[object]:
    """Return the versions of a column as values whose order is theirs.

    All are of one kind. Raises BadInput, naming row, column and value, for a text that is no number or moment, and for
    one that is another kind than the first.
    """
    if not values:
        return values
    kind = kind_of(values[0])
    if kind == "time with zone":
        moments = [value for value in values if isinstance(value, datetime)]
        utc = all(moment.tzinfo is UTC for moment in moments)
        return moments if utc else [_instant(moment) for moment in moments]
    return _read(map(str, values), column=column) if kind == "text" else values


def _read(texts: Iterable[str], *, column: str) -> list[object]:
    found: list[object] = []
    first = first_text = ""
    for row, text in enumerate(texts, 1):
        read = _parsed(text)
        if read is None:
            raise BadInput(f"row {row}: version {column!r} is the text {text!r:.80}, which is not {_WANTED}")
        kind, value = read
        first, first_text = first or kind, first_text or text
        if kind != first:
            has = f"{text!r:.80} is a {kind}, {first_text!r:.80} in row 1 is a {first}"
            raise BadInput(f"row {row}: version {column!r}: {has}; make the column one kind")
        found.append(value)
    return found


def _parsed(text: str) -> tuple[str, object] | None:
    """Return the kind and the value of a text, None if it is neither."""
    if _NUMBER.fullmatch(text):
        return "number", Decimal(text)
    try:
        if _DATE.fullmatch(text):
            return "date", date.fromisoformat(text)
        if parts := _TIME.fullmatch(text):
            return _time(parts)
    except ValueError:
        return None
    return None


def _time(parts: re.Match[str]) -> tuple[str, object] | None:
    clock, zone, fraction = parts["clock"], parts["zone"] or "", parts["fraction"] or ""
    if fraction and len(clock.replace(":", "")) < len("HHMMSS"):
        return None  # a fraction of minutes or hours: ISO allows it, Python reads it as none
    offset = "+00:00" if zone.upper() in {"Z", "UTC"} else zone
    moment = datetime.fromisoformat(f"{parts['day']}T{clock}{offset}")
    rest = Fraction(int(fraction or 0), 10 ** len(fraction))
    if zone:
        return "time with zone", _Moment(_instant(moment), rest)
    return "time without zone", _Moment(moment - _EPOCH, rest)


def _instant(value: datetime) -> timedelta:
    """Return an instant's time since 1970 in UTC.

    It converts no date, so the last of all years in a western zone has an instant too.
    """
    offset = value.utcoffset()
    assert offset is not None, "only times with a zone are instants"
    return value.replace(tzinfo=None, fold=0) - _EPOCH - offset
