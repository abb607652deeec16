"""What a calendar's source answered for one month, checked date by date. Pure.

The source is the user's own code, and may return or raise anything. A value that no document could hold, or that no
deadline could count from, makes its own date unknown and no other. It never repairs a value, and never guesses one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from itertools import islice
from typing import NamedTuple, get_args

from msgspec.structs import replace

from phasegate.base import keys
from phasegate.base.codec import offence
from phasegate.calendar.month import Day, DayState
from phasegate.errors import BadInput, words

TIME_MAX = 1e11
TEXT_MAX = 2_000
ANCHORS_MAX = 32
ANCHOR_NAME_MAX = 100
ITEMS_MAX = 10_000
REASON_MAX = 300


class CheckedAnswer(NamedTuple):
    """A source's answer for one month.

    ``days``: by date, those that can be used. ``refused``: date -> why its value cannot. ``error``: why the answer as a
    whole is incomplete, "" if it is not.
    """

    days: dict[str, Day]
    refused: dict[str, str]
    error: str

    @property
    def in_words(self) -> str:
        """Return what is wrong with it, "" if nothing is."""
        first = next(
            (f"{len(self.refused)} of its dates are refused: {on}: {why}" for on, why in self.refused.items()), ""
        )
        return "; ".join(filter(None, (self.error, first)))


def checked(ask: Callable[[], Iterable[object]], *, month: str) -> CheckedAnswer:
    """Ask a source about a month, and check each value that it yields.

    Dates of other months are ignored. A date with two different answers is refused. If the source raises, the dates
    that it yielded before are kept.
    """
    days: dict[str, Day] = {}
    refused: dict[str, str] = {}
    error = ""
    try:
        for number, item in enumerate(_bounded(ask()), start=1):
            on = _date_of(item)
            if on is None:
                error = error or f"item {number} of its answer names no date: {shown(item)}; yield CalendarDay"
            elif on[:7] == month and on not in refused:
                try:
                    day = checked_day(item)
                except Exception as e:  # noqa: BLE001  foreign objects may raise anything; that is this date's reason
                    refused[on] = words(e)[:REASON_MAX]
                else:
                    if days.setdefault(on, day) != day:
                        refused[on] = "its source gives it twice, with different values; yield each date once"
    except KeyboardInterrupt:
        raise
    except BaseException as e:  # noqa: BLE001  the user's function may raise anything, SystemExit too; it is reported
        error = words(e)
    return CheckedAnswer({on: day for on, day in days.items() if on not in refused}, refused, error)


def checked_day(item: object) -> Day:
    """Return a date's value, with its date in its one spelling.

    Raises BadInput naming the field.
    """
    if not isinstance(item, Day):
        raise BadInput(f"is a {type(item).__name__}; yield CalendarDay")
    # a struct's types are not checked when it is made
    on, state, reason, anchors = _fields(item)
    if not isinstance(on, str):
        raise BadInput(f"date is a {type(on).__name__}; write text such as 2026-02-03")
    if not isinstance(state, str) or state not in get_args(DayState):
        raise BadInput(f"state is {shown(state)}; it must be one of {', '.join(get_args(DayState))}")
    if not isinstance(reason, str) or offence(reason) or len(reason) > TEXT_MAX:
        raise BadInput(f"reason is {shown(reason)}; write text of at most {TEXT_MAX:,} characters")
    if not isinstance(anchors, Mapping) or len(anchors) > ANCHORS_MAX:
        raise BadInput(f"anchors is {shown(anchors)}; give at most {ANCHORS_MAX} times by name")
    times = {_anchor_name(name): _anchor_time(name, at) for name, at in anchors.items()}
    return replace(item, date=keys.parse_date(on), anchors=times)


def _fields(item: Day) -> tuple[object, object, object, object]:
    return item.date, item.state, item.reason, item.anchors


def _anchor_name(name: object) -> str:
    if not isinstance(name, str) or not 1 <= len(name) <= ANCHOR_NAME_MAX or offence(name):
        raise BadInput(f"the name of an anchor is {shown(name)}; write text of 1 to {ANCHOR_NAME_MAX} characters")
    return name


def _anchor_time(name: object, at: object) -> float:
    if isinstance(at, int | float) and not isinstance(at, bool) and 0 <= at <= TIME_MAX:
        return float(at)
    fix = "; these are milliseconds, divide by 1000" if isinstance(at, int | float) and 1e11 < at < 1e14 else ""
    fix = fix or ("; call timestamp()" if isinstance(at, date) else "")
    raise BadInput(f"anchor {name} is {shown(at)}, no time in epoch seconds{fix}")


def _bounded(items: Iterable[object]) -> Iterator[object]:
    """Yield at most ITEMS_MAX items: a source may go on for ever.

    Raises BadInput beyond that.
    """
    found = iter(items)
    yield from islice(found, ITEMS_MAX)
    for _ in found:
        raise BadInput(f"it gave more than {ITEMS_MAX:,} dates; yield those from first to last only")


def _date_of(item: object) -> str | None:
    """Return the date that an item names, whatever else is wrong with it."""
    try:
        named = item.get("date") if isinstance(item, Mapping) else getattr(item, "date", None)
    except Exception:  # noqa: BLE001  a foreign object names no date then, which is reported
        return None
    if isinstance(named, date):
        return named.isoformat()[:10]
    if not isinstance(named, str):
        return None
    try:
        return keys.parse_date(named)
    except BadInput:
        return named[:10] if keys.is_date(named[:10]) else None


def shown(value: object) -> str:
    """Return a value in a line: its own text if that is short, else its type."""
    try:
        text = ascii(value)
    except Exception:  # noqa: BLE001  a foreign object's repr may raise anything; its type says enough
        text = ""
    return text if text and len(text) <= 80 else f"a {type(value).__name__}"
