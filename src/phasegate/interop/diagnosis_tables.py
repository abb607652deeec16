"""Checks of another system's tables, by columns and counts per date. Pure.

Keys are not declared, so they are inferred: the date with every column that names something (``…_id``, ``…_lookup``,
``…_abbr``), used as a key only if it distinguishes most rows. Findings say that it is inferred. No row is read: only
counts are.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from phasegate.base.findings import CheckResult, Finding
from phasegate.base.wording import count, have, listed
from phasegate.interop.diagnosis import IMPORT, PLAN, SHOWN_MAX, UNDER_WAY_S, Expectations, next_phase, quiet_dates
from phasegate.interop.platform import Completed, ProcessorEntry

DATES = ("game_date", "analysis_date", "cache_date", "run_date", "as_of_date", "date", "day")
NAMING = ("_id", "_lookup", "_abbr", "_tricode")
OF_A_RUN = frozenset({"execution_id", "run_id", "write_id", "correlation_id", "trigger_id", "batch_id", "load_id"})
# Columns that distinguish a smaller share of the rows than this are no key, even with duplicates.
KEY_SHARE_MIN = 0.75
IDENTITY_SHARE_MIN = 0.95
OWN_SCHEMAS = frozenset({"phasegate", "information_schema", "pg_catalog"})


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A table with a date column.

    ``ids``: columns that name something. ``content``: all columns but those that only trace a load.
    """

    table: str
    day: str
    ids: tuple[str, ...]
    content: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the table's name without its schema, as processors have it."""
        return self.table.rpartition(".")[2].lower()

    @property
    def identity(self) -> tuple[str, ...]:
        """Return the columns that name the thing itself, if ``ids`` has others."""
        lookups = tuple(name for name in self.ids if name.endswith("_lookup"))
        return lookups if lookups and len(lookups) < len(self.ids) else ()


class DateCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of one date: rows, and distinct contents, ids and identities.

    ``keys`` and ``identities`` equal ``rows`` if the table has no such columns.
    """

    date: str
    rows: int
    different: int
    keys: int
    identities: int


Counted = Mapping[str, Sequence[DateCounts]]


def shapes(columns: Iterable[tuple[str, str, str]], /) -> tuple[list[Shape], list[str]]:
    """Return the tables with a date, and the names of those without.

    ``columns``: (table, column, type).
    """
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind in columns:
        if table.partition(".")[0] not in OWN_SCHEMAS:
            tables.setdefault(table, {})[column] = kind.upper()
    found, without = [], []
    for table, types in sorted(tables.items()):
        day = _day(types)
        if day is None:
            without.append(table)
            continue
        named = {name: name.lower() for name in types if name != day and not name.startswith("_")}
        ids = tuple(sorted(n for n, low in named.items() if low.endswith(NAMING) and low not in OF_A_RUN))
        content = tuple(
            sorted(n for n, low in named.items() if low not in OF_A_RUN and not _is_load_time(low, types[n]))
        )
        found.append(Shape(table=table, day=day, ids=ids, content=(day, *content)))
    return found, without


def _day(types: Mapping[str, str]) -> str | None:
    by_name = {name.lower(): name for name in types}
    for wanted in DATES:
        if wanted in by_name and types[by_name[wanted]].startswith(("DATE", "TIMESTAMP", "VARCHAR", "STRING", "TEXT")):
            return by_name[wanted]
    typed = [name for name, kind in types.items() if kind == "DATE"]
    return typed[0] if len(typed) == 1 else None


def _is_load_time(name: str, kind: str) -> bool:
    return name.endswith("_at") and kind.startswith(("TIMESTAMP", "DATETIME"))


def examine(
    tables: Sequence[Shape], counted: Counted, documents: Sequence[Completed], *, expected: Expectations, now: float
) -> list[CheckResult]:
    """Return the outcome of each check; ``counted``: table -> its dates."""
    evaluated = sum(len(days) for days in counted.values())
    twice = [f for shape in tables for f in _duplicates(shape, counted.get(shape.table, ()))]
    outcomes = [CheckResult(check="duplicates", findings=tuple(twice), evaluated=evaluated,
                        error="" if evaluated else "no table has a row of these dates")]  # fmt: skip
    if not documents:
        return outcomes
    claims, names = _claims(documents), {name for group in expected.values() for name in group.names}
    own = [shape for shape in tables if shape.name in names]
    unnamed = "" if own else "no table is named like a processor, so nothing could be compared"
    differ = [f for shape in own for f in _against(shape, counted.get(shape.table, ()), claims, now=now)]
    bare = _unreported(own, counted, documents, expected=expected)
    dates = sum(len(counted.get(shape.table, ())) for shape in own)
    compared = sum(name in {shape.name for shape in own} for name, _ in claims)
    return [
        *outcomes,
        CheckResult(check="rows and reports", findings=tuple(differ), evaluated=compared, error=unnamed),
        CheckResult(check="rows without a report", findings=tuple(bare), evaluated=dates, error=unnamed),
    ]


def _duplicates(shape: Shape, days: Sequence[DateCounts]) -> list[Finding]:
    rows = sum(day.rows for day in days)
    is_key = bool(shape.ids) and sum(day.keys for day in days) >= KEY_SHARE_MIN * rows
    has_identity = bool(shape.identity) and sum(day.identities for day in days) >= IDENTITY_SHARE_MIN * rows
    key = ", ".join((shape.day, *shape.ids))
    found = []
    for day in days:
        extra = day.rows - day.keys if is_key else 0
        copies = day.rows - day.different
        subject = f"{shape.table}/{day.date}"
        counts = {
            "rows": str(day.rows),
            "key": key if is_key else "",
            "different keys": str(day.keys if is_key else ""),
        }
        if extra or copies:
            text = f"{max(extra, copies)} of {day.rows} rows are duplicates: {_kinds(extra, copies, key=key)}"
            found.append(_finding("PG010", subject, text, **counts, copies=str(copies)))
        twice = day.keys - day.identities
        if has_identity and is_key and twice > 0:
            names = ", ".join((shape.day, *shape.identity))
            text = (
                f"{count(twice, 'key')} of ({key}) {have(twice)} the ({names}) of another key: one thing under two keys"
            )
            found.append(_finding("PG011", subject, text, **counts))
    return found


def _kinds(extra: int, copies: int, *, key: str) -> str:
    parts = [f"{extra} repeat a key ({key}: inferred, since it distinguishes the other rows)"] if extra else []
    parts += [f"{copies} are equal in every column but load times"] if copies else []
    return "; ".join(parts)


def _claims(documents: Sequence[Completed]) -> dict[tuple[str, str], tuple[Completed, ProcessorEntry]]:
    """Return the newest good report of each processor and date."""
    found: dict[tuple[str, str], tuple[Completed, ProcessorEntry]] = {}
    for one in documents:
        for report in one.reports:
            before = found.get((report.name, one.date))
            if report.good and (before is None or (report.completed.at or 0) >= (before[1].completed.at or 0)):
                found[report.name, one.date] = one, report
    return found


def _against(
    shape: Shape,
    days: Sequence[DateCounts],
    claims: Mapping[tuple[str, str], tuple[Completed, ProcessorEntry]],
    *,
    now: float,
) -> list[Finding]:
    """Compare the rows of a processor's table with its reports."""
    held = {day.date: day.rows for day in days}
    found = []
    for (name, date), (one, report) in sorted(claims.items()):
        if name != shape.name or (one.last_at is not None and now - one.last_at < UNDER_WAY_S):
            continue
        rows = held.get(date, 0)
        if report.rows is not None and report.rows != rows:
            text = f"{one.subject} reports {count(report.rows, 'row')}, the table holds {rows}"
        elif report.rows is None and not rows and report.status not in ("empty", "no_data"):
            text = f"{one.subject} reports {report.status}, the table holds no row"
        else:
            continue
        found.append(_finding("PG006", f"{shape.table}/{date}", text, reported=str(report.rows), rows=str(rows)))
    return found


def _unreported(
    tables: Sequence[Shape], counted: Counted, documents: Sequence[Completed], *, expected: Expectations
) -> list[Finding]:
    """Find rows of dates without a document, or whose document has no entry."""
    found = []
    for collection in sorted({collection for collection, _ in expected}):
        mine = [one for one in documents if one.collection == collection]
        names = {n for (home, _), group in expected.items() if home == collection for n in group.names}
        own = [shape for shape in tables if shape.name in names]
        reported = {(report.name, one.date) for one in mine for report in one.reports}
        dated = {one.date for one in mine}
        bare: dict[str, list[str]] = {}
        for shape in own:
            for day in counted.get(shape.table, ()):
                if day.date not in dated:
                    bare.setdefault(day.date, []).append(f"{day.rows} in {shape.table}")
                elif (shape.name, day.date) not in reported:
                    home = collection or "the document"
                    text = f"holds {count(day.rows, 'row')}, and {home} of that date has no entry of it"
                    found.append(_finding("PG005", f"{shape.table}/{day.date}", text, rows=str(day.rows)))
        for date, held in sorted(bare.items()):
            text = f"there is no document, and there are rows: {', '.join(held)}"
            found.append(_finding("PG005", f"{collection}/{date}", text, rows=", ".join(held)))
    return found


def absences(documents: Sequence[Completed], counted: Counted, *, days: int) -> CheckResult:
    """Find dates without a document that other collections have.

    Dates with neither a document nor a row are found too.
    """
    dates = {one.date for one in documents if one.date}
    have: dict[str, set[str]] = {}
    for one in documents:
        have.setdefault(one.collection, set()).add(one.date)
    found = []
    for collection, mine in sorted(have.items()):
        # A missing document that waits for the phase before it is that phase's finding.
        waiting = {day for other, days in have.items() if next_phase(other, have) == collection for day in days}
        for day in sorted(dates - mine - waiting):
            if day < min(mine):
                continue
            others = ", ".join(sorted({one.collection for one in documents if one.date == day}))
            found.append(_finding("PG007", f"{collection}/{day}", f"there is no document, and {others} has one"))
    rows = {day.date for table in counted.values() for day in table}
    quiet = quiet_dates(dates or rows, busy=rows)
    if quiet:
        text = "no document and no row: only a calendar shows whether these dates had work or a scraper failed"
        shown = listed(quiet, most=SHOWN_MAX)
        found.append(Finding(code="PG017", subject=shown, text=text, cause="quiet dates", command=PLAN,
                             evidence={"dates": ", ".join(quiet)}))  # fmt: skip
    return CheckResult(check="dates", findings=tuple(found), evaluated=days)


def _finding(code: str, subject: str, text: str, **evidence: str) -> Finding:
    command = PLAN if code in ("PG010", "PG011") else IMPORT
    return Finding(code=code, subject=subject, text=text, command=command, cause=f"{code}:{subject}", evidence=evidence)
