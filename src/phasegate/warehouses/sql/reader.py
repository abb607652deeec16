"""One snapshot of a SQL warehouse: the reading verbs, for any engine."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from phasegate.base import fingerprint as prints
from phasegate.base.receipt import Fence, Part, Receipt, Stamp
from phasegate.base.table import TOKEN_COLUMN, Dependency, Difference, Disagreement, Repeats, Table, Uncovered
from phasegate.code.translated import Translator
from phasegate.warehouse import InputRead, Params
from phasegate.warehouses.sql import commits
from phasegate.warehouses.sql import own_tables as own
from phasegate.warehouses.sql.cells import check_named, check_texts, in_utc, stored
from phasegate.warehouses.sql.own_tables import OwnSql
from phasegate.warehouses.sql.session import ReadingSession
from phasegate.warehouses.sql.shapes import difference
from phasegate.warehouses.sql.writes import WriteSql


class SqlReader:
    """The verbs of a Reader over a session."""

    def __init__(
        self, session: ReadingSession, *, sql: WriteSql, own_sql: OwnSql, translator: Translator | None = None
    ) -> None:
        self.session, self.sql, self.own, self._translator = session, sql, own_sql, translator

    def query(self, sql: str, params: Params, /) -> list[dict[str, object]]:
        """Return the rows of a SELECT as dicts; zoned timestamps are in UTC.

        Raises BadInput for anything but one SELECT.
        """
        what = f"query {' '.join(sql.split())[:60]!r}"
        sql = sql if self._translator is None else self._translator.query(sql, what=what)
        text, bound = self.session.select(sql, params, what=what, why=": queries only read, and steps write tables")
        return self.session.query(text, bound, what=what)

    def stamps(self, reads: Sequence[InputRead], /) -> list[dict[str, Stamp]]:
        """Return the stamps that a write compares, by partition, for each read."""
        return commits.stamps(self, reads)

    def receipts(self, parts: Iterable[Part], /) -> dict[Part, Receipt]:
        """Return the newest receipt of each partition that has one.

        That is the one with the highest token.
        """
        chosen = list(parts)
        if not chosen or not self.session.has(own.RECEIPTS):
            return {}
        tables, partitions = (sorted(set(names)) for names in zip(*chosen, strict=True))
        bound = {f"table{n}": name for n, name in enumerate(tables)}
        bound |= {f"partition{n}": name for n, name in enumerate(partitions)}
        statement = self.own.receipts_of(tables=len(tables), partitions=len(partitions))
        wanted = set(chosen)
        newest: dict[Part, tuple[tuple[int, int], list[Any]]] = {}
        for *row, changes in self.session.run(self._of_receipts(statement), bound, what="receipts"):
            part, order = Part(row[1], row[2]), (row[5], changes)
            if part in wanted and (part not in newest or order > newest[part][0]):
                newest[part] = order, row
        return {part: _receipt(row) for part, (_, row) in newest.items()}

    def receipts_between(self, table: str, /, *, first: str, last: str) -> dict[str, Receipt]:
        """Return the newest receipt of each partition in a range.

        The range is ``first <= partition <= last``; the result is by partition.
        """
        if not self.session.has(own.RECEIPTS):
            return {}
        bound = {"table": table, "first": first, "last": last}
        rows = self.session.run(self._of_receipts(self.own.receipts_between()), bound, what=f"receipts of {table}")
        return {row[2]: _receipt(row) for row in rows}

    def stamps_between(self, table: str, /, *, first: str, last: str) -> dict[str, Stamp]:
        """Return the stamp of the newest receipt of each partition in a range.

        The range is ``first <= partition <= last``; the result is by partition.
        """
        if not self.session.has(own.RECEIPTS):
            return {}
        bound = {"table": table, "first": first, "last": last}
        rows = self.session.run(self.own.stamps_between(), bound, what=f"receipts of {table}")
        return {str(partition): Stamp(fingerprint, int(token)) for partition, fingerprint, token in rows}

    def find_write(self, write_id: str, /) -> Receipt | None:
        """Return the receipt of a write."""
        if not self.session.has(own.RECEIPTS):
            return None
        rows = self.session.run(self._of_receipts(self.own.find_write()), {"write_id": write_id}, what="receipts")
        return _receipt(rows[0]) if rows else None

    def fingerprint(self, table: Table, /, *, partition: str | None) -> str:
        """Return the fingerprint of a partition's rows now.

        ``partition`` None: of the whole table.
        """
        types = self.types_of(table)
        if not types:
            return prints.EMPTY
        check_texts(table, types)
        statement = self.sql.fingerprint(table, types, partition=partition is not None)
        ((count, *sums),) = self.session.run(statement, _part(partition), what=f"fingerprint of {table.name}")
        return prints.fold(int(count), [int(one or 0) for one in sums])

    def fingerprints(self, table: Table, /, *, first: str, last: str) -> dict[str, str]:
        """Return the fingerprints of the partitions with rows in a range.

        The range is ``first <= partition <= last``; the result is by partition.
        """
        types = self.types_of(table)
        if not types:
            return {}
        check_texts(table, types)
        bound = {"first": first, "last": last}
        statement = self.sql.fingerprints(table, types, dates=_is_date(first) and _is_date(last))
        rows = self.session.run(statement, bound, what=f"fingerprints of {table.name}")
        return {str(text): prints.fold(int(count), [int(one) for one in sums]) for text, count, *sums in rows}

    def repeats(
        self, table: Table, /, *, first: str, last: str, key: Sequence[str] | None = None
    ) -> dict[str, Repeats]:
        """Return the partitions in a range that have more rows than keys.

        The range is ``first <= partition <= last``.
        """
        types = self.types_of(table)
        if not types:
            return {}
        statement = self.sql.repeats(table, types, key=key or table.key, dates=_is_date(first) and _is_date(last))
        rows = self.session.run(statement, {"first": first, "last": last}, what=f"repeated keys of {table.name}")
        return {str(text): Repeats(rows=n, keys=keys, contents=contents) for text, n, keys, contents in rows}

    def disagreements(self, table: Table, dependency: Dependency, /, *, first: str, last: str) -> list[Disagreement]:
        """Return the keys of a dependency with several values, sorted.

        Those with a row in ``first <= partition <= last``.
        """
        types = self.types_of(table)
        if not types:
            return []
        check_named(table, (*dependency.columns, dependency.determined), known=types)
        dates = _is_date(first) and _is_date(last)
        statement = self.sql.disagreements(table, types, dependency=dependency, dates=dates)
        rows = self.session.run(statement, {"first": first, "last": last}, what=f"identities of {table.name}")
        return disagreeing(rows)

    def sums(
        self, table: Table, /, *, column: str, by: Sequence[str], first: str, last: str
    ) -> dict[tuple[str, ...], Decimal]:
        """Return the sums of a column by partition and ``by``.

        The range is ``first <= partition <= last``.
        """
        types = self.types_of(table)
        if not types:
            return {}
        check_named(table, (column, *by), known=types)
        statement = self.sql.sums(table, types, column=column, by=by, dates=_is_date(first) and _is_date(last))
        rows = self.session.run(statement, {"first": first, "last": last}, what=f"sums of {table.name}")
        return {tuple(key): Decimal(str(prints.text(total, scale=table.scale(column)))) for total, *key in rows}

    def uncovered(
        self, table: Table, /, *, by: Table, on: Sequence[str], where: str, first: str, last: str
    ) -> dict[str, Uncovered]:
        """Return the keys in ``table`` that ``by`` lacks, by partition.

        The range is ``first <= partition <= last``.
        """
        types, theirs = self.types_of(table), self.types_of(by)
        if not types:
            return {}
        for one, known in ((table, types), (by, theirs or types)):
            check_named(one, on, known=known)
        where = where if self._translator is None else self._translator.condition(where, table=table.name)
        statement = self.sql.uncovered(
            (table, types), (by, theirs), on=on, where=where, dates=_is_date(first) and _is_date(last)
        )
        rows = self.session.run(
            statement, {"first": first, "last": last}, what=f"rows of {table.name} missing in {by.name}"
        )
        found: dict[str, Uncovered] = {}
        for partition, count, *key in rows:
            before = found[partition].keys if partition in found else ()
            found[partition] = Uncovered(count=int(count), keys=(*before, "/".join(key)))
        return found

    def fences(self, *, first: str, last: str) -> dict[Part, Fence]:
        """Return the fence rows with ``first <= partition <= last``."""
        bound = {"first": first, "last": last}
        rows = self.session.run(self.own.fences(), bound, what="fences") if self.session.has(own.FENCE) else []
        return {Part(table, partition): Fence(*fence) for table, partition, *fence in rows}

    def count(self, table: Table, /, *, partition: str | None) -> int:
        """Return the number of rows of a partition; 0 for a missing table.

        ``partition`` None: of the whole table.
        """
        types = self.types_of(table)
        if not types:
            return 0
        statement = self.sql.count(table, types, partition=partition is not None)
        return int(self.session.run(statement, _part(partition), what=f"count of {table.name}")[0][0])

    def rows(self, table: Table, /, *, partition: str, limit: int, offset: int = 0) -> list[dict[str, object]]:
        """Return rows of a partition, by key, as a staging takes them.

        Without lineage; timestamps have the zone UTC.
        """
        types = self.types_of(table)
        if not types:
            return []
        statement = self.sql.rows(table, types, limit=limit, offset=offset)
        found = self.session.query(statement, _part(partition), what=f"rows of {table.name}")
        return [{name: in_utc(cell) for name, cell in row.items()} for row in found]

    def compare(self, table: Table, columns: Mapping[str, str], /) -> Difference:
        """Return how the stored table differs from these columns and its key."""
        rows = []
        if self.session.has(own.KEYS):
            rows = self.session.run(self.own.read_key(), {"table": table.name}, what=f"key of {table.name}")
        return difference(table, stored=self.types_of(table), wanted=columns, key=rows[0][0] if rows else None)

    def types_of(self, table: Table) -> dict[str, str]:
        """Return the stored columns of a table and their types.

        Empty for a missing table.
        """
        found = self.session.columns(table.name)
        return {name: found[name] for name in stored(found, table=table)}

    def has_own_tables(self) -> bool:
        """Return whether our own tables are there, as this version needs them."""
        return all(own.is_whole(name, self.session.columns(name)) for name in own.NAMES)

    def is_prepared(self, part: Part, /) -> bool:
        """Return whether a partition can be written.

        It needs the system tables, the table with its lineage column, and the fence row.
        """
        if not self.has_own_tables() or TOKEN_COLUMN not in self.session.columns(part.table):
            return False
        return bool(self.session.run(self.own.read_fence(), _here(part), what="fence"))

    def _of_receipts(self, sql: str) -> str:
        return sql if own.is_whole(own.RECEIPTS, self.session.columns(own.RECEIPTS)) else self.own.of_older(sql)

    def interrupt(self) -> None:
        """Stop a running statement, from any thread.

        Every later verb and the commit raise Unavailable.
        """
        self.session.interrupt()


def disagreeing(rows: Iterable[Sequence[Any]], /) -> list[Disagreement]:
    """Return the keys of rows of partition, value and key, sorted."""
    values: dict[tuple[str, ...], set[str]] = {}
    partitions: dict[tuple[str, ...], set[str]] = {}
    for partition, value, *key in rows:
        values.setdefault(tuple(key), set()).update(() if value is None else [value])
        partitions.setdefault(tuple(key), set()).update(() if partition is None else [partition])
    return [
        Disagreement(key=key, values=tuple(sorted(values[key])), partitions=tuple(sorted(held)))
        for key, held in sorted(partitions.items())
    ]


def _here(part: Part) -> dict[str, object]:
    return {"table": part.table, "partition": part.partition}


def _part(partition: str | None) -> dict[str, object]:
    return {} if partition is None else {"partition": partition}


def _is_date(text: str) -> bool:
    with suppress(ValueError):
        return date.fromisoformat(text).isoformat() == text
    return False


def _receipt(row: Sequence[Any]) -> Receipt:
    fields = dict(zip(own.RECEIPT_FIELDS, row, strict=True))
    fields["built_from"] = json.loads(fields["built_from"])
    return msgspec.convert(fields, Receipt)
