"""The NBA platform's completion documents. Pure.

There is one document per date, with one entry per processor. Its own fields begin with ``_``: ``_completed_count``,
``_triggered``, ``_triggered_at``, ``_mode``. An entry holds ``completed_at``, ``status`` and a number of rows, under
names that changed over time. Reading is lenient, since another system writes them: what cannot be read is left empty.
interop.diagnosis judges them.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal, cast

import msgspec

from phasegate.base.exported import Exported, is_entry, kind_of
from phasegate.base.platform import COUNT, GAME_DATE, MODE, TRIGGERED, TRIGGERED_AT, one_name

INSIDE = ("processors", "entries", "completions")
ROWS = ("rows", "record_count", "row_count", "records", "rows_processed", "rows_written")
GOOD = frozenset({"success", "succeeded", "ok", "complete", "completed", "done", "empty", "no_data"})
BAD = frozenset({"failed", "failure", "error", "partial", "skipped"})
# Fields about the document. The platform counts every field without a _ as an entry, and so do we but for these.
ABOUT = frozenset({
    "comment", "config", "created", "date", "day", "description", "environment", "id", "last_updated", "metadata",
    "mode", "name", "note", "notes", "path", "phase", "pipeline", "project", "reason", "run", "schema", "season",
    "source", "stats", "summary", "timestamp", "timezone", "total", "trigger_source", "updated", "version",
})  # fmt: skip
ABOUT_ENDS = ("_at", "_count", "_date", "_id", "_mode", "_version")
UNREADABLE = "unreadable"

Form = Literal[
    "none", "ISO with zone", "ISO without zone", "seconds and nanoseconds", "epoch seconds", "epoch milliseconds",
    "as the console shows it", "client datetime", "client datetime without zone", "unresolved server timestamp",
    "unreadable",
]  # fmt: skip
BAD_FORMS: tuple[Form, ...] = (
    "ISO without zone", "client datetime without zone", "unresolved server timestamp", "unreadable",
)  # fmt: skip
_DATE = re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?!\d)")
_CONSOLE = re.compile(r"(\w+ \d{1,2}, \d{4}) at (\d{1,2}:\d{2}:\d{2}(?:\.\d+)? [AP]M) UTC([+-]\d{1,2})?(?::(\d{2}))?")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip


class ForeignTime(msgspec.Struct, frozen=True):
    """A time in epoch seconds, None if it names no moment, and its form."""

    at: float | None
    form: Form


class ProcessorEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The entry of one processor.

    ``spelled``: its name as in the document. ``name``: normalized by ``one_name``. ``instead``: what it is instead of a
    map with a report, else "".
    """

    spelled: str
    name: str
    status: str
    rows: int | None
    completed: ForeignTime
    mode: str = ""
    execution_id: str = ""
    instead: str = ""

    @property
    def good(self) -> bool:
        """Return whether the status is a success."""
        return self.status in GOOD


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """One completion document.

    ``count``: its ``_completed_count``, not its number of entries. ``date``: "" if it names none.
    """

    place: str
    collection: str
    id: str
    date: str
    mode: str
    reports: tuple[ProcessorEntry, ...]
    count: int | None
    triggered: bool
    triggered_at: ForeignTime

    @property
    def subject(self) -> str:
        """Return the document's name for people."""
        return f"{self.collection}/{self.id}" if self.collection else self.id

    @property
    def names(self) -> frozenset[str]:
        """Return the processors that have an entry."""
        return frozenset(report.name for report in self.reports)

    @property
    def last_at(self) -> float | None:
        """Return the newest readable time in the document."""
        times = [report.completed.at for report in self.reports] + [self.triggered_at.at]
        return max((at for at in times if at is not None), default=None)


def read_completed(exported: Exported, /) -> Completed:
    """Return a document as read, leaving empty what is missing or unreadable."""
    body = exported.body
    mode = body.get(MODE) or body.get("mode")
    count = body.get(COUNT)
    dated = _DATE.search(exported.id) or _DATE.search(str(body.get(GAME_DATE, "")))
    day = _real(dated[1]) if dated else ""
    return Completed(
        place=exported.place,
        collection=exported.collection,
        id=exported.id or exported.place,
        date=day,
        mode=mode if isinstance(mode, str) else _mode_in(exported.id),
        reports=tuple(sorted(_reports(body), key=lambda report: (report.name, report.spelled))),
        count=count if isinstance(count, int) and not isinstance(count, bool) else None,
        triggered=body.get(TRIGGERED) in (True, "true", "True", 1),
        triggered_at=read_moment(body.get(TRIGGERED_AT)),
    )


def _reports(body: Mapping[str, object]) -> Iterator[ProcessorEntry]:
    # Only in a document of completions is a field without a report an entry.
    is_completion = any(name in body for name in (COUNT, TRIGGERED, TRIGGERED_AT)) or any(
        map(_is_report, body.values())
    )
    for field, value in body.items():
        if field.startswith("_"):
            continue
        if field in INSIDE and isinstance(value, dict) and value and not _is_report(value):
            yield from (_entry(name, inner) for name, inner in value.items())
        elif field in INSIDE and isinstance(value, list) and value and all(isinstance(one, str) for one in value):
            yield from (_odd(name, None, instead="a name in a list") for name in value)
        elif _is_report(value) or (is_completion and not _is_about(field, value)):
            yield _entry(field, value)


def _is_report(value: object) -> bool:
    return isinstance(value, dict) and (is_entry(value) or "timestamp" in value or any(name in value for name in ROWS))


def _is_about(field: str, value: object) -> bool:
    """Return whether a field is about the document and no entry."""
    name = one_name(field)
    if field.lower().endswith("processor"):
        return False
    return name in ABOUT or name.endswith(ABOUT_ENDS) or (isinstance(value, dict) and read_moment(value).at is not None)


def _entry(spelled: str, value: object) -> ProcessorEntry:
    if _is_report(value):
        return _report(spelled, cast("dict[str, object]", value))
    return _odd(spelled, value, instead="a map without a report" if isinstance(value, dict) else kind_of(value))


def _odd(spelled: str, value: object, *, instead: str) -> ProcessorEntry:
    """Return an entry that is no map: what a status or a time says counts."""
    completed, word = read_moment(value), value.strip().lower() if isinstance(value, str) else ""
    if completed.form == UNREADABLE:
        completed = ForeignTime(None, "none")
    known = word in GOOD or word in BAD
    status = word if known else "success" if value is True or completed.form != "none" else UNREADABLE
    return ProcessorEntry(
        spelled=spelled, name=one_name(spelled), status=status, rows=None, completed=completed, instead=instead
    )


def _report(spelled: str, body: Mapping[str, object]) -> ProcessorEntry:
    mode, status = body.get("mode", ""), body.get("status", "")
    rows = next((body[name] for name in ROWS if _is_count(body.get(name))), None)
    execution = body.get("execution_id") or body.get("correlation_id") or ""
    return ProcessorEntry(
        spelled=spelled,
        name=one_name(spelled),
        status=str(status).lower() if status else "success",
        rows=cast("int | None", rows),
        completed=read_moment(body.get("completed_at", body.get("timestamp"))),
        mode=mode if isinstance(mode, str) else "",
        execution_id=str(execution),
    )


def read_moment(value: object, /) -> ForeignTime:
    """Read a time in any form that exports have.

    A time without a zone names no moment; the machine's zone is not used.

    >>> read_moment({"_seconds": 1770185520, "_nanoseconds": 0})
    ForeignTime(at=1770185520.0, form='seconds and nanoseconds')
    >>> read_moment("2026-02-04T06:12:00").at is None
    True
    """
    match value:
        case None | "":
            found = ForeignTime(None, "none")
        case int() | float() if not isinstance(value, bool):
            found = _of_number(float(value))
        case str():
            found = _of_text(value)
        case dict():
            found = _of_parts(value)
        case datetime():
            zoned = value.tzinfo is not None
            found = ForeignTime(value.timestamp() if zoned else None,
                                "client datetime" if zoned else "client datetime without zone")  # fmt: skip
        case _:
            found = ForeignTime(None, "unreadable")
    return found


def _of_parts(value: Mapping[str, object]) -> ForeignTime:
    whole = next((value[key] for key in ("_seconds", "seconds") if key in value), None)
    part = next((value[key] for key in ("_nanoseconds", "nanoseconds", "nanos") if key in value), 0)
    try:
        return ForeignTime(float(cast("str", whole)) + float(cast("str", part)) / 1e9, "seconds and nanoseconds")
    except (TypeError, ValueError):
        return ForeignTime(None, "unreadable")


def _of_number(value: float) -> ForeignTime:
    if 1e8 <= value < 1e11:
        return ForeignTime(value, "epoch seconds")
    return ForeignTime(value / 1000, "epoch milliseconds") if 1e11 <= value < 1e14 else ForeignTime(None, "unreadable")


def _of_text(value: str) -> ForeignTime:
    text = " ".join(value.split())  # the console writes narrow blanks
    if "SERVER_TIMESTAMP" in text or "Sentinel" in text:
        return ForeignTime(None, "unresolved server timestamp")
    if found := _CONSOLE.fullmatch(text):
        return _of_console(found)
    # Firestore's nanoseconds, cut to microseconds
    trimmed = re.sub(r"(\.\d{6})\d+", r"\1", text.removesuffix(" UTC") + ("Z" if text.endswith(" UTC") else ""))
    try:
        moment = datetime.fromisoformat(trimmed)
    except ValueError:
        return ForeignTime(None, "unreadable")
    if moment.tzinfo is None:
        return ForeignTime(None, "ISO without zone")
    return ForeignTime(moment.timestamp(), "ISO with zone")


def _of_console(found: re.Match[str]) -> ForeignTime:
    try:
        month, day, year = found[1].replace(",", "").split()
        number = _MONTHS.index(month) + 1
        hours, minutes = int(found[3] or 0), int(found[4] or 0)
        zone = timezone(timedelta(hours=hours, minutes=minutes if hours >= 0 else -minutes))
        clock = datetime.strptime(found[2].partition(".")[0].split()[0], "%H:%M:%S").time()  # noqa: DTZ007  zoned below
        afternoon = found[2].endswith("PM")
        moment = datetime.combine(date(int(year), number, int(day)), clock, tzinfo=zone)
        moment += timedelta(hours=12 * afternoon - 12 * (clock.hour == 12))
    except ValueError:
        return ForeignTime(None, "unreadable")
    return ForeignTime(moment.astimezone(UTC).timestamp(), "as the console shows it")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _real(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return ""


def _mode_in(name: str) -> str:
    """Return the mode that an id such as ``2026-02-03_overnight`` ends in."""
    found = re.search(r"\d{4}-\d{2}-\d{2}[._-]([a-z][a-z0-9_]*)$", name)
    return found[1] if found else ""
