"""The SQL that reads guarded tables, in a subset that every engine has.

It follows from tables and columns alone; nothing is executed. How an engine spells names, cells and digests comes from
its dialect. Values are bound, names are quoted. The alias ``t`` is the guarded table.
"""

from collections.abc import Iterable, Sequence

from phasegate.base.fingerprint import PIECES
from phasegate.base.table import KEYS_MAX, Dependency, Table
from phasegate.warehouses.sql.cells import family
from phasegate.warehouses.sql.dialect import Dialect, Types


class RowSql:
    """The statements that read guarded tables, in one dialect.

    ``once``: ends a SELECT of digests so that each is computed once, though its parts are summed one by one.
    """

    once = ""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect, self._quoted = dialect, dialect.quoted
        self._sums = ", ".join(f"sum({dialect.piece('h', number)})" for number in range(PIECES))

    def count(self, table: Table, types: Types, /, *, partition: bool) -> str:
        """Return the SELECT of the number of rows."""
        return f"SELECT count(*) FROM {self._named(table)} t{self._where(table, types, partition=partition)}"

    def rows(self, table: Table, types: Types, /, *, limit: int, offset: int) -> str:
        """Return the SELECT of rows of a partition, in the order of the key."""
        return f"""SELECT {self._listed(types, "t")} FROM {self._named(table)} t WHERE {self.inside(table, types)}
            ORDER BY {self._listed(table.key, "t")} LIMIT {limit} OFFSET {offset}"""

    def fingerprint(self, table: Table, types: Types, /, *, partition: bool) -> str:
        """Return the SELECT of count and eight sums."""
        return f"""SELECT count(*), {self._sums} FROM (SELECT {self.dialect.row_hash(table, types, alias="t")} AS h
            FROM {self._named(table)} t{self._where(table, types, partition=partition)}{self.once}) q"""

    def fingerprints(self, table: Table, types: Types, /, *, dates: bool) -> str:
        """Return the SELECT of partition, count and eight sums of each partition.

        Of those between ``$first`` and ``$last``.

        ``dates``: both are ISO dates.
        """
        spelled, where = self._between(table, types, dates=dates)
        digest = self.dialect.row_hash(table, types, alias="t")
        return f"""SELECT part, count(*), {self._sums} FROM (SELECT {spelled} AS part, {digest} AS h
            FROM {self._named(table)} t WHERE {where}{self.once}) q GROUP BY part"""

    def repeats(self, table: Table, types: Types, /, *, key: Iterable[str], dates: bool) -> str:
        """Return the SELECT of the partitions that have more rows than keys.

        With rows, keys and contents of each.

        The contents are compared in these partitions only: that of all rows would cost what a fingerprint does.
        """
        spelled, where = self._between(table, types, dates=dates)
        keys = self.dialect.as_one(f"t.{self._quoted(column)}" for column in key)
        content = self.dialect.as_one(f"t.{self._quoted(column)}" for column in table.fingerprinted(tuple(types)))
        name = self._named(table)
        return f"""SELECT p.part, p.n, p.k, count(DISTINCT {content}) FROM (
                SELECT part, n, k FROM (SELECT {spelled} AS part, count(*) AS n, count(DISTINCT {keys}) AS k
                    FROM {name} t WHERE {where} GROUP BY {spelled}) q WHERE n > k) p
            JOIN {name} t ON {spelled} = p.part WHERE {where} GROUP BY p.part, p.n, p.k"""

    def uncovered(
        self, table: tuple[Table, Types], by: tuple[Table, Types], /, *, on: Sequence[str], where: str, dates: bool
    ) -> str:
        """Return the SELECT of the keys that ``by`` lacks.

        The first KEYS_MAX of each partition. With partition, the number of all of them, and the columns of the key as
        texts. ``by`` without types is a missing table.
        """
        keys = ", ".join(f"k{number}" for number in range(len(on)))
        lacking = f"SELECT m.part, {keys} FROM ({self._keys(*table, on=on, where=where, dates=dates)}) m"
        if by[1]:
            same = " AND ".join(f"m.k{number} = o.k{number}" for number in range(len(on)))
            others = self._keys(*by, on=on, where="", dates=dates)
            lacking += f" WHERE NOT EXISTS (SELECT 1 FROM ({others}) o WHERE o.part = m.part AND {same})"
        return f"""SELECT part, n, {keys} FROM (SELECT part, {keys}, count(*) OVER (PARTITION BY part) AS n,
                row_number() OVER (PARTITION BY part ORDER BY {keys}) AS place FROM ({lacking}) l) p
            WHERE place <= {KEYS_MAX} ORDER BY part, place"""

    def _keys(self, table: Table, types: Types, /, *, on: Iterable[str], where: str, dates: bool) -> str:
        """Return the SELECT of partition and key, once each."""
        spelled, between = self._between(table, types, dates=dates)
        cells = (f"coalesce({self._text(table, types, column)}, 'NULL') AS k{n}" for n, column in enumerate(on))
        chosen = f" AND (\n{where}\n)" if where else ""
        return f"""SELECT DISTINCT {spelled} AS part, {", ".join(cells)} FROM {self._named(table)} t
            WHERE {between}{chosen}"""

    def disagreements(self, table: Table, types: Types, /, *, dependency: Dependency, dates: bool) -> str:
        """Return the SELECT of the keys of a dependency with several values.

        Those with a row in a partition between ``$first`` and ``$last``: over all partitions, the texts of partition,
        value and key, once each.
        """
        _, where = self._between(table, types, dates=dates)
        columns, name = dependency.columns, self._named(table)
        keys = ", ".join(f"t.{self._quoted(column)}" for column in columns)
        given = " AND ".join(f"t.{self._quoted(column)} IS NOT NULL" for column in columns)
        texts = self._texts(table, types, (table.partition, dependency.determined, *columns))
        return f"""SELECT DISTINCT {texts} FROM {name} t JOIN (
                SELECT {keys} FROM {name} t JOIN (SELECT DISTINCT {keys} FROM {name} t WHERE {where} AND {given}) k
                ON {self._same(columns, "k", "t")} GROUP BY {keys}
                HAVING count(DISTINCT t.{self._quoted(dependency.determined)}) > 1) b
            ON {self._same(columns, "b", "t")}"""

    def sums(self, table: Table, types: Types, /, *, column: str, by: Iterable[str], dates: bool) -> str:
        """Return the SELECT of a column's sums.

        With the texts of partition and ``by``. For the partitions between ``$first`` and ``$last``.
        """
        _, where = self._between(table, types, dates=dates)
        cell, groups = f"t.{self._quoted(column)}", (table.partition, *by)
        texts = self._texts(table, types, groups)
        raw = ", ".join(f"t.{self._quoted(one)}" for one in groups)
        return f"""SELECT sum({cell}) AS total, {texts} FROM {self._named(table)} t
            WHERE {where} AND {cell} IS NOT NULL GROUP BY {raw}"""

    def inside(self, table: Table, types: Types, /, *, alias: str = "t") -> str:
        """Return the condition that a row is in the partition ``$partition``.

        It compares the text of the partition column.
        """
        cell, sql_type = f"{alias}.{self._quoted(table.partition)}", types[table.partition]
        spelled = f"{self._text(table, types, table.partition, alias=alias)} = $partition"
        if family(sql_type) in {"date", "int", "timestamp"}:
            # The typed comparison lets an engine skip rows; the text decides.
            return f"({cell} = {self.dialect.try_cast('$partition', sql_type)} AND {spelled})"
        return f"({spelled})"

    def _where(self, table: Table, types: Types, *, partition: bool) -> str:
        return f" WHERE {self.inside(table, types)}" if partition else ""

    def _between(self, table: Table, types: Types, *, dates: bool) -> tuple[str, str]:
        """Return the partition column's text and a condition on it.

        The condition: it is between ``$first`` and ``$last``.
        """
        cell, sql_type = f"t.{self._quoted(table.partition)}", types[table.partition]
        spelled = self._text(table, types, table.partition)
        where = f"{spelled} BETWEEN $first AND $last"
        if dates and family(sql_type) == "date":
            # Dates of four-digit years are ordered as their texts are; comparing them first leaves fewer to spell.
            typed = f"{cell} BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)"
            where = f"({typed} OR {cell} NOT BETWEEN DATE '0001-01-01' AND DATE '9999-12-31') AND {where}"
        return spelled, where

    def _text(self, table: Table, types: Types, column: str, *, alias: str = "t") -> str:
        """Return the SQL of a cell's canonical text."""
        return self.dialect.text(f"{alias}.{self._quoted(column)}", types[column], scale=table.scale(column))

    def _texts(self, table: Table, types: Types, columns: Iterable[str]) -> str:
        """Return the canonical texts of columns, named c0, c1, and so on."""
        return ", ".join(f"{self._text(table, types, column)} AS c{n}" for n, column in enumerate(columns))

    def _same(self, columns: Iterable[str], one: str, other: str) -> str:
        return " AND ".join(f"{one}.{self._quoted(c)} = {other}.{self._quoted(c)}" for c in columns)

    def _named(self, table: Table) -> str:
        """Return the quoted full name of a table."""
        return self.dialect.reference(table.name)

    def _listed(self, columns: Iterable[str], alias: str = "") -> str:
        """Return names in quotes, with commas between."""
        return ", ".join((f"{alias}." if alias else "") + self._quoted(column) for column in columns)
