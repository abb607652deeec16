"""Checks another system's completion documents and tables, without a plan.

Here the facts are read: documents from an iterator, tables from a reader, in one query for the columns and one for each
table with a date. interop.diagnosis judges them. Nothing is changed.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from phasegate.base.dates import shift
from phasegate.base.exported import Exported, Unread
from phasegate.base.findings import CheckResult
from phasegate.errors import PhasegateError
from phasegate.interop import diagnosis, diagnosis_tables
from phasegate.interop.diagnosis import Expected
from phasegate.interop.diagnosis_tables import DateCounts, Shape
from phasegate.interop.platform import Completed, read_completed
from phasegate.ports import Clock
from phasegate.warehouse import Reader

TABLES_MAX = 500
PAGE = 200
# Views hold what their tables hold, and a broken one would fail the whole snapshot.
_COLUMNS = """SELECT c.table_schema || '.' || c.table_name AS table_name, c.column_name, c.data_type
    FROM information_schema.columns c JOIN information_schema.tables t USING (table_catalog, table_schema, table_name)
    WHERE c.table_catalog = current_database() AND t.table_type = 'BASE TABLE'
    AND c.table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, c.ordinal_position"""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What was checked, what was assumed, and what was found.

    ``first``: "" if nothing has a date. ``left_out``: documents of dates outside the window.
    """

    first: str
    last: str
    documents: int
    left_out: int
    expected: tuple[Expected, ...]
    tables: tuple[str, ...]
    without_date: tuple[str, ...]
    outcomes: tuple[CheckResult, ...]


class Doctor:
    """Examines documents, tables, or both.

    ``source``: the URL of the documents, for the commands of findings. ``expect``: the processors to wait for; without
    them they are inferred.
    """

    def __init__(self, clock: Clock, *, source: str = "URL", expect: Sequence[str] = ()) -> None:
        self._clock, self._source, self._expect = clock, source, tuple(expect)

    def examine(
        self, found: Iterable[Exported | Unread] | None, reader: Reader | None, *, days: int, error: str = ""
    ) -> Diagnosis:
        """Return the diagnosis of the last ``days`` dates.

        They end with the newest document, else the newest row. ``error``: why the tables cannot be read. Raises
        whatever the documents' iterator raises.
        """
        now = self._clock.now()
        everything, unread = _read(found)
        shapes, without = ([], []) if reader is None else diagnosis_tables.shapes(_columns(reader))
        newest = _newest(everything, reader, shapes, today=datetime.fromtimestamp(now, UTC).date().isoformat())
        first = shift(newest, 1 - days) if newest else ""
        documents = [one for one in everything if not one.date or first <= one.date <= newest]
        expected = _expected(documents, expect=self._expect)
        outcomes: list[CheckResult] = []
        if found is not None:
            outcomes += diagnosis.diagnose(documents, unread, expected=expected, now=now)
        counted, failed = ({}, error) if reader is None else _count(reader, shapes, first=first, last=newest)
        if reader is not None:
            outcomes += diagnosis_tables.examine(shapes, counted, documents, expected=expected, now=now)
        if newest:
            outcomes.append(diagnosis_tables.absences(documents, counted, days=days))
        if failed or (reader is not None and not shapes):
            outcomes.append(CheckResult(check="tables", error=failed or "no table has a date", evaluated=len(shapes)))
        return Diagnosis(
            first=first,
            last=newest,
            documents=len(documents),
            left_out=len(everything) - len(documents),
            expected=tuple(expected.values()),
            tables=tuple(shape.table for shape in shapes),
            without_date=tuple(without),
            outcomes=tuple(self._addressed(outcome) for outcome in outcomes),
        )

    def _addressed(self, outcome: CheckResult) -> CheckResult:
        """Name the source in the commands of an outcome's findings."""
        file = self._source.removeprefix("file:///")
        commands = [f.command.replace("FILE", file).replace("URL", self._source) for f in outcome.findings]
        found = [replace(f, command=command) for f, command in zip(outcome.findings, commands, strict=True)]
        return replace(outcome, findings=tuple(found))


def _read(found: Iterable[Exported | Unread] | None) -> tuple[list[Completed], list[Unread]]:
    documents, unread = [], []
    for one in found or ():
        if isinstance(one, Unread):
            unread.append(one)
        else:
            documents.append(read_completed(one))
    return documents, unread


def _columns(reader: Reader) -> list[tuple[str, str, str]]:
    rows = reader.query(_COLUMNS, {})
    return [(str(row["table_name"]), str(row["column_name"]), str(row["data_type"])) for row in rows]


def _expected(documents: Sequence[Completed], *, expect: Sequence[str]) -> dict[tuple[str, str], Expected]:
    """Return the expected processors of every document.

    For a collection and mode with undated documents only there are none.
    """
    expected = diagnosis.infer([one for one in documents if one.date], expect=expect)
    undated = {(one.collection, one.mode) for one in documents} - expected.keys()
    empty = {at: Expected(collection=at[0], mode=at[1], documents=0, names=frozenset()) for at in undated}
    return expected | empty


def _newest(documents: Sequence[Completed], reader: Reader | None, shapes: Sequence[Shape], *, today: str) -> str:
    """Return the newest date of a document, else of a table; none in future."""
    found = [one.date for one in documents if one.date and one.date <= today]
    for shape in shapes[:TABLES_MAX] if reader is not None and not found else ():
        day = _text_of(shape.day)
        sql = f"SELECT max({day}) AS day FROM {_table(shape.table)} t WHERE {day} <= $today"  # noqa: S608  quoted
        assert reader is not None
        found += [str(row["day"]) for row in reader.query(sql, {"today": today}) if row["day"] is not None]
    return max(found, default="")


def _count(
    reader: Reader, shapes: Sequence[Shape], *, first: str, last: str
) -> tuple[dict[str, list[DateCounts]], str]:  # fmt: skip
    """Return the counts of each table by date, and why some are missing."""
    counted, failed = dict[str, list[DateCounts]](), list[str]()
    if len(shapes) > TABLES_MAX:
        failed.append(f"{len(shapes):,} tables, only the first {TABLES_MAX:,} were checked")
    for shape in shapes[:TABLES_MAX] if first else ():
        try:
            rows = reader.query(_counts_of(shape), {"first": first, "last": last})
        except PhasegateError as e:
            failed.append(f"{shape.table}: {e}; it and the tables after it were not checked")
            break  # a snapshot answers nothing after an error
        else:
            counted[shape.table] = [msgspec.convert(row, DateCounts) for row in rows]
    return counted, "; ".join(failed)


def _counts_of(shape: Shape) -> str:
    day = _text_of(shape.day)

    def different(columns: Sequence[str]) -> str:
        listed = ", ".join(f"t.{_quoted(name)}" for name in columns)
        return f"count(DISTINCT row({listed}))" if columns else "count(*)"

    return f"""SELECT {day} AS date, count(*) AS rows, {different(shape.content)} AS different,
        {different(shape.ids)} AS keys, {different(shape.identity)} AS identities
        FROM {_table(shape.table)} t WHERE {day} >= $first AND {day} <= $last GROUP BY 1 ORDER BY 1"""  # noqa: S608


def _text_of(column: str) -> str:
    return f"left(CAST(t.{_quoted(column)} AS VARCHAR), 10)"


def _table(name: str) -> str:
    return ".".join(map(_quoted, name.split(".", 1)))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
