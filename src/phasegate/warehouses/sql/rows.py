"""The SQL that an adapter runs on guarded tables.

It follows from tables and columns alone; nothing is executed. How an engine spells names, cells and digests comes from
its dialect; the rest is DuckDB's so far.
Values are bound, names are quoted. The alias ``s`` is a staging table, ``t`` the guarded one.
"""

from collections.abc import Iterable, Mapping

from phasegate.base.fingerprint import PIECES
from phasegate.base.table import KEYS_MAX, LINEAGE_PREFIX, TOKEN_COLUMN, Dependency, Difference, Table
from phasegate.warehouses.sql.cells import family
from phasegate.warehouses.sql.dialect import Dialect, Types, doubles

# Of a staging table: the SHA-256 of each row's content.
DIGEST = f"{LINEAGE_PREFIX}digest"


class RowSql:
    """The statements on guarded tables, in one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect, self._quoted, self._inside = dialect, dialect.quoted, dialect.inside
        self._sums = ", ".join(f"sum({dialect.piece('h', number)})" for number in range(PIECES))

    def fingerprint(self, table: Table, types: Types, /, *, partition: bool) -> str:
        """Return the SELECT of count and eight sums.

        sum() over integers is a HUGEINT: it holds 2^63 rows' worth.
        """
        where = f"WHERE {self._inside(table, types)}" if partition else ""
        return f"""WITH rows_ AS (SELECT {self._dialect.digest(table, types, alias="t")} AS h
            FROM {self._named(table)} t {where}) SELECT count(*), {self._sums} FROM rows_"""

    def fingerprints(self, table: Table, types: Types, /, *, dates: bool) -> str:
        """Return the SELECT of partition, count and eight sums of each partition.

        Of those between ``$first`` and ``$last``.

        ``dates``: both are ISO dates.
        """
        spelled, where = self._between(table, types, dates=dates)
        return f"""WITH rows_ AS (SELECT {spelled} AS part, {self._dialect.digest(table, types, alias="t")} AS h
            FROM {self._named(table)} t WHERE {where})
            SELECT part, count(*), {self._sums} FROM rows_ GROUP BY part"""

    def repeats(self, table: Table, types: Types, /, *, key: Iterable[str], dates: bool) -> str:
        """Return the SELECT of the partitions that have more rows than keys.

        With rows, keys and contents of each.

        The contents are compared in these partitions only: that of all rows would cost what a fingerprint does.
        """
        spelled, where = self._between(table, types, dates=dates)
        keys = ", ".join(f"t.{self._quoted(column)}" for column in key)
        content = ", ".join(f"t.{self._quoted(column)}" for column in table.fingerprinted(tuple(types)))
        return f"""WITH parts AS (SELECT {spelled} AS part, count(*) AS n, count(DISTINCT row({keys})) AS keys_
            FROM {self._named(table)} t WHERE {where} GROUP BY part HAVING n > keys_)
            SELECT p.part, p.n, p.keys_, count(DISTINCT row({content})) FROM parts p JOIN {self._named(table)} t
            ON {spelled} = p.part WHERE {where} GROUP BY ALL"""

    def uncovered(
        self, table: tuple[Table, Types], by: tuple[Table, Types], /, *, on: Iterable[str], where: str, dates: bool
    ) -> str:
        """Return the SELECT of the partitions with keys that ``by`` lacks.

        With the number of these keys of ``table``, and the first KEYS_MAX. ``by`` without types is a missing table.
        """
        lacking = self._keys(*table, on=on, where=where, dates=dates)
        if by[1]:
            lacking = f"{lacking} EXCEPT {self._keys(*by, on=on, where='', dates=dates)}"
        return f"""SELECT part, count(*), list(array_to_string(key, '/') ORDER BY key)[1:{KEYS_MAX}]
            FROM ({lacking}) GROUP BY part"""

    def _keys(self, table: Table, types: Types, /, *, on: Iterable[str], where: str, dates: bool) -> str:
        """Return the SELECT of partition and key, once each."""
        spelled, between = self._between(table, types, dates=dates)
        cells = [self._dialect.text(f"t.{self._quoted(c)}", types[c], scale=table.scale(c)) for c in on]
        key = ", ".join(f"coalesce({cell}, 'NULL')" for cell in cells)
        chosen = f" AND (\n{where}\n)" if where else ""
        return f"SELECT DISTINCT {spelled} AS part, [{key}] AS key FROM {self._named(table)} t WHERE {between}{chosen}"

    def _between(self, table: Table, types: Types, *, dates: bool) -> tuple[str, str]:
        """Return the partition column's text and a condition on it.

        The condition: it is between ``$first`` and ``$last``.
        """
        cell, sql_type = f"t.{self._quoted(table.partition)}", types[table.partition]
        spelled = self._dialect.text(cell, sql_type, scale=table.scale(table.partition))
        where = f"{spelled} BETWEEN $first AND $last"
        if dates and family(sql_type) == "date":
            # Dates of four-digit years are ordered as their texts are; comparing them first leaves fewer to spell.
            typed = f"{cell} BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)"
            where = f"({typed} OR {cell} NOT BETWEEN DATE '0001-01-01' AND DATE '9999-12-31') AND {where}"
        return spelled, where

    def create_from_columns(self, table: Table, types: Types, /) -> str:
        """Return the CREATE of a table with declared columns."""
        columns = ", ".join(f"{self._quoted(column)} {sql_type}" for column, sql_type in types.items())
        return f"CREATE TABLE {self._named(table)} ({columns}, {TOKEN_COLUMN} BIGINT)"

    def create_from_query(self, table: Table, sql: str, columns: Iterable[str], /) -> str:
        """Return the CREATE of an empty table in the shape of a SELECT."""
        return f"""CREATE TABLE {self._named(table)} AS
            SELECT {self._listed(columns)}, CAST(NULL AS BIGINT) AS {TOKEN_COLUMN} FROM (\n{sql}\n) LIMIT 0"""

    def add_lineage(self, table: Table, /) -> str:
        """Return the ALTER that gives a table its lineage column."""
        return f"ALTER TABLE {self._named(table)} ADD COLUMN IF NOT EXISTS {TOKEN_COLUMN} BIGINT"

    def reshape(self, table: Table, change: Difference, /) -> list[str]:
        """Return the ALTERs that give a table the columns of its plan."""
        types = {name: new for name, (_, new) in (*change.widened.items(), *change.retyped.items())}
        alters = [f"ADD COLUMN {self._quoted(name)} {sql_type}" for name, sql_type in change.added.items()]
        alters += [f"ALTER COLUMN {self._quoted(name)} SET DATA TYPE {new}" for name, new in types.items()]
        alters += [f"DROP COLUMN {self._quoted(name)}" for name in change.removed]
        return [f"ALTER TABLE {self._named(table)} {alter}" for alter in alters]

    def staged(self, table: Table, source: str, types: Types, /, *, cells: Mapping[str, str]) -> str:
        """Return the SELECT of rows as they are written.

        Floats are rounded, and each row has the digest of its content.

        A float is rounded by reading its canonical text back, which is correct where ROUND is not. ``source`` has the
        alias ``q``; ``cells`` are the columns in the table's types, and its tombstone, as SQL of it.
        """
        by_scale = doubles(table, types)
        texts = {scale: f"{LINEAGE_PREFIX}texts{scale}" for scale in by_scale}
        # Each level names only what the next one needs: to bind 40 columns once more takes 0.5 ms (measured).
        plain = {column: cell for column, cell in cells.items() if types.get(column) != "DOUBLE"}
        for column in _floats(plain.keys() & types.keys(), types):
            spelled = self._dialect.text(plain[column], types[column], scale=table.scale(column))
            plain[column] = f"CAST(CAST({spelled} AS DOUBLE) AS {types[column]})"
        inner = [f"{cell} AS {self._quoted(column)}" for column, cell in plain.items()]
        for scale, columns in by_scale.items():
            inner.append(
                f"{self._dialect.double_texts([cells[column] for column in columns], scale=scale)} AS {texts[scale]}"
            )
        rows = f"SELECT {', '.join(inner)} FROM {source} q"
        outer = {column: f"s.{self._quoted(column)}" for column in cells}
        if texts:
            kept = [f"s.{self._quoted(column)}" for column in plain] + [f"s.{name}" for name in texts.values()]
            read = [f"CAST(s.{name} AS DOUBLE[]) AS {name}_read" for name in texts.values()]
            rows = f"SELECT {', '.join(kept + read)} FROM (\n{rows}\n) s"
        for scale, columns in by_scale.items():
            outer |= {column: f"s.{texts[scale]}_read[{n}]" for n, column in enumerate(columns, start=1)}
        listed_cells = ", ".join(f"{cell} AS {self._quoted(column)}" for column, cell in outer.items())
        row_digest = self._dialect.digest(
            table, types, alias="s", floats={scale: f"s.{name}" for scale, name in texts.items()}
        )
        return f"SELECT {listed_cells}, {row_digest} AS {DIGEST} FROM (\n{rows}\n) s"

    def from_query(self, table: Table, types: Types, /, *, yielded: Types) -> dict[str, str]:
        """Return, by name, the SQL of a SELECT's columns in the table's types.

        The SELECT has the alias ``q``.
        """
        cells = {column: _as(f"q.{self._quoted(column)}", types[column], yields=yielded[column]) for column in types}
        if table.tombstone:
            given = f"q.{self._quoted(table.tombstone)}" if table.tombstone in yielded else "NULL"
            cells[table.tombstone] = f"CAST({given} AS BOOLEAN)"
        return cells

    def from_lists(self, types: Types, /) -> str:
        """Return the SELECT of one list of texts per column.

        The lists are ``$c0``, ``$c1``, …; the cells have the table's types.
        """
        cells = []
        for number, (column, sql_type) in enumerate(types.items()):
            cell = f"unnest($c{number}::VARCHAR[])"
            cell = f"unhex({cell})" if family(sql_type) == "bytes" else cell
            cells.append(f"CAST({cell} AS {sql_type}) AS {self._quoted(column)}")
        return f"SELECT {', '.join(cells)}"

    def inspect(self, table: Table, stage: str, types: Types, /) -> str:
        """Return the SELECT of Staged's counts, in the order of its fields.

        Its last column is the number of distinct keys, or fewer.
        """
        nulls = " OR ".join(f"s.{self._quoted(column)} IS NULL" for column in table.key)
        floats = ", ".join(f"s.{self._quoted(column)}" for column in _floats(types, types))
        finite = f"coalesce(sum(len(list_filter([{floats}], lambda x: NOT isfinite(x)))), 0)" if floats else "0"
        future, missing = "0", "0"
        if table.version:
            cell = f"s.{self._quoted(table.version)}"
            timed = family(types[table.version]) in {"timestamp", "date"}
            seconds = f"epoch({cell})" if timed else f"CAST({cell} AS DOUBLE)"
            future = f"count(*) FILTER ({seconds} > $version_max)"
            missing = f"count(*) FILTER ({cell} IS NULL)"
        # Of the rows of one partition its column need not be compared; of others this counts too few, never too many.
        compared = [column for column in table.key if column != table.partition] or [table.key[0]]
        rest = [f"s.{self._quoted(column)}" for column in compared]
        keys = rest[0] if len(rest) == 1 else f"row({', '.join(rest)})"
        # coalesce: a NULL partition is outside too.
        return f"""SELECT count(*), count(*) FILTER (NOT coalesce({self._inside(table, types, alias="s")}, false)),
            count(*) FILTER ({nulls}), {future}, {missing}, {finite},
            (SELECT count(*) FROM {self._named(table)} t WHERE {self._inside(table, types)}),
            count(DISTINCT {keys}) FROM {stage} s"""

    def undecided(self, table: Table, stage: str, /) -> str:
        """Return the SELECT of how many keys have several newest contents.

        Of deletions it does not matter which is taken.
        """
        order = ", ".join(self._newest_first(table)) or "true"
        gone = f"coalesce(s.{self._quoted(table.tombstone)}, false)" if table.tombstone else "false"
        keys = self._listed(table.key)
        return f"""SELECT count(*) FROM (SELECT {keys} FROM (SELECT {keys}, s.{DIGEST} AS digest_, {gone} AS gone_,
            rank() OVER (PARTITION BY {keys} ORDER BY {order}) AS place_ FROM {stage} s)
            WHERE place_ = 1 AND NOT gone_ GROUP BY {keys} HAVING count(DISTINCT digest_) > 1)"""

    def _newest_first(self, table: Table) -> list[str]:
        """Return the order of a key's rows: by version, then deletions."""
        order = [f"s.{self._quoted(table.version)} DESC NULLS LAST"] if table.version else []
        return order + ([f"coalesce(s.{self._quoted(table.tombstone)}, false) DESC"] if table.tombstone else [])

    def deduplicate(self, table: Table, stage: str, /) -> str:
        """Return the DELETE of all but one row per key.

        The newest version stays; then a deletion wins; then the content's digest decides.
        """
        order = [*self._newest_first(table), f"s.{DIGEST} DESC", "s.rowid"]
        return f"""DELETE FROM {stage} WHERE rowid IN (SELECT r FROM (SELECT s.rowid AS r, row_number() OVER (
            PARTITION BY {self._listed(table.key)} ORDER BY {", ".join(order)}) AS place FROM {stage} s)
            WHERE place > 1)"""

    def plan(self, table: Table, stage: str, types: Types, /, *, merge: bool) -> str:
        """Return the SELECT of each staged row's action.

        With the number of stored rows of its key.

        ``touch``: equal content, but version, volatile cells or doubled rows differ: written, counted as unchanged.
        """
        newer = "true"
        if merge:
            newer = f"$token >= coalesce(t.{TOKEN_COLUMN}, 0)"
            if table.version:
                ours, theirs = f"s.{self._quoted(table.version)}", f"t.{self._quoted(table.version)}"
                newer = (
                    f"(({ours} IS NOT NULL AND {theirs} IS NULL) OR {ours} > {theirs} "
                    f"OR ({ours} IS NOT DISTINCT FROM {theirs} AND {newer}))"
                )
        whole = bool(table.replaces) and merge
        older, join = ("older.old_ IS NOT NULL", self._join_older(table, stage, types)) if whole else ("false", "")
        tomb = f"coalesce(s.{self._quoted(table.tombstone)}, false)" if table.tombstone and merge else "false"
        content = table.fingerprinted(tuple(types))
        rest = [column for column in types if column not in content]
        return f"""SELECT r, hits, CASE
                WHEN older OR (hits > 0 AND NOT newer) THEN 'refuse'
                WHEN tomb AND hits > 0 THEN 'delete' WHEN tomb THEN 'none' WHEN hits = 0 THEN 'insert'
                WHEN hits = 1 AND same AND rest THEN 'keep' WHEN same THEN 'touch' ELSE 'update' END AS action
            FROM (SELECT s.rowid AS r, {tomb} AS tomb, {older} AS older, count(t.hit_) AS hits,
                bool_and(coalesce({newer}, false)) AS newer, bool_and({self._equal(content)}) AS same,
                bool_and({self._equal(rest)}) AS rest
                FROM {stage} s LEFT JOIN (SELECT *, 1 AS hit_ FROM {self._named(table)} t
                    WHERE {self._inside(table, types)}) t ON {self._same_key(table)} {join} GROUP BY ALL)"""

    def _join_older(self, table: Table, stage: str, types: Types) -> str:
        """Return the JOIN of the staged groups that are older than what is stored.

        Such a group is refused whole: its rows that are not stored were deleted since.
        """
        assert table.version is not None
        groups, version = self._listed(table.replaces), self._quoted(table.version)
        return f"""LEFT JOIN (SELECT DISTINCT {self._listed_of("g", table.replaces)}, 1 AS old_
            FROM (SELECT {groups}, max({version}) AS newest_ FROM {stage} GROUP BY {groups}) g
            JOIN {self._named(table)} o ON {self._same(table.replaces, "o", "g")}
            WHERE {self._inside(table, types, alias="o")} AND (o.{version} > g.newest_
                OR (o.{version} = g.newest_ AND coalesce(o.{TOKEN_COLUMN}, 0) > $token))
            ) older ON {self._same(table.replaces, "older", "s")}"""

    def _same(self, columns: Iterable[str], one: str, other: str) -> str:
        return " AND ".join(f"{one}.{self._quoted(c)} = {other}.{self._quoted(c)}" for c in columns)

    def _equal(self, columns: Iterable[str]) -> str:
        return " AND ".join(f"s.{self._quoted(c)} IS NOT DISTINCT FROM t.{self._quoted(c)}" for c in columns) or "true"

    def _same_key(self, table: Table) -> str:
        return " AND ".join(f"s.{self._quoted(column)} = t.{self._quoted(column)}" for column in table.key)

    def delete_partition(self, table: Table, types: Types, /) -> str:
        """Return the DELETE of a whole partition."""
        return f"DELETE FROM {self._named(table)} AS t WHERE {self._inside(table, types)}"

    def delete_planned(self, table: Table, stage: str, types: Types, /) -> str:
        """Return the DELETE of the rows that the plan deletes or writes over."""
        return f"""DELETE FROM {self._named(table)} AS t USING (SELECT s.* FROM {stage} s
            JOIN {stage}_plan p ON s.rowid = p.r WHERE p.action IN ('delete', 'touch', 'update')) s
            WHERE {self._inside(table, types)} AND {self._same_key(table)}"""

    def delete_lacking(self, table: Table, stage: str, types: Types, /) -> str:
        """Return the DELETE of the rows that the staged groups lack.

        Of the groups in ``replaces`` that the plan does not refuse.
        """
        return f"""DELETE FROM {self._named(table)} AS t WHERE {self._inside(table, types)}
            AND EXISTS (SELECT 1 FROM {stage} s JOIN {stage}_plan p ON s.rowid = p.r
                WHERE p.action <> 'refuse' AND {self._same(table.replaces, "s", "t")})
            AND NOT EXISTS (SELECT 1 FROM {stage} s WHERE {self._same_key(table)})"""

    def disagreements(self, table: Table, types: Types, /, *, dependency: Dependency, dates: bool) -> str:
        """Return the SELECT of the keys of a dependency with several values.

        Those with a row in a partition between ``$first`` and ``$last``: their texts, values and partitions, over all
        partitions.
        """
        _, where = self._between(table, types, dates=dates)
        keys, value = self._listed(dependency.columns), self._quoted(dependency.determined)
        given = " AND ".join(f"t.{self._quoted(column)} IS NOT NULL" for column in dependency.columns)

        def text(column: str) -> str:
            return self._dialect.text(f"t.{self._quoted(column)}", types[column], scale=table.scale(column))

        key = ", ".join(f"any_value({text(column)})" for column in dependency.columns)
        spelled = f"list(DISTINCT {text(dependency.determined)}) FILTER (t.{value} IS NOT NULL)"
        name = self._named(table)
        return f"""SELECT [{key}], list_sort({spelled}), list_sort(list(DISTINCT {text(table.partition)}))
            FROM {name} t JOIN (SELECT DISTINCT {keys} FROM {name} t WHERE {where} AND {given}) k
            ON {self._same(dependency.columns, "k", "t")} GROUP BY {self._listed_of("t", dependency.columns)}
            HAVING count(DISTINCT t.{value}) > 1"""

    def sums(self, table: Table, types: Types, /, *, column: str, by: Iterable[str], dates: bool) -> str:
        """Return the SELECT of a column's sums by partition and ``by``.

        For the partitions between ``$first`` and ``$last``.
        """
        spelled, where = self._between(table, types, dates=dates)
        texts = [self._dialect.text(f"t.{self._quoted(one)}", types[one], scale=table.scale(one)) for one in by]
        cell = f"t.{self._quoted(column)}"
        return f"""SELECT [{", ".join([spelled, *texts])}], sum({cell}) FROM {self._named(table)} t
            WHERE {where} AND {cell} IS NOT NULL GROUP BY {self._listed_of("t", [table.partition, *by])}"""

    def insert(self, table: Table, stage: str, types: Types, /, *, planned: bool) -> str:
        """Return the INSERT of the staged rows.

        Those that the plan writes, or all that are not deletions.
        """
        chosen = ""
        if planned:
            chosen = f" JOIN {stage}_plan p ON s.rowid = p.r WHERE p.action IN ('insert', 'touch', 'update')"
        elif table.tombstone:
            chosen = f" WHERE NOT coalesce(s.{self._quoted(table.tombstone)}, false)"
        cells = ", ".join(f"s.{self._quoted(column)}" for column in types)
        return f"""INSERT INTO {self._named(table)} ({self._listed(types)}, {TOKEN_COLUMN})
            SELECT {cells}, CAST($token AS BIGINT) FROM {stage} s{chosen}"""

    def _named(self, table: Table) -> str:
        """Return the quoted full name of a table."""
        return self._dialect.reference(table.name)

    def _listed_of(self, alias: str, columns: Iterable[str]) -> str:
        """Return the names of an alias in quotes, with commas between."""
        return ", ".join(f"{alias}.{self._quoted(column)}" for column in columns)

    def _listed(self, columns: Iterable[str]) -> str:
        """Return names in quotes, with commas between."""
        return ", ".join(self._quoted(column) for column in columns)


def _as(cell: str, sql_type: str, *, yields: str) -> str:
    return cell if yields == sql_type else f"CAST({cell} AS {sql_type})"


def _floats(columns: Iterable[str], types: Types) -> list[str]:
    return [column for column in columns if family(types[column]) == "float"]


def digests(stage: str, /) -> str:
    """Return the SELECT of the staged rows' digests."""
    return f"SELECT {DIGEST} FROM {stage}"


def tally(plan: str, /) -> str:
    """Return the SELECT of (action, staged rows, stored rows) over a plan.

    ``plan``: its table, or its SELECT in parentheses.
    """
    return f"SELECT action, count(*), coalesce(sum(hits), 0) FROM {plan} GROUP BY action"
