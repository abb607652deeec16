"""The SQL that stages and writes rows, in a subset that every engine has.

As in ``rows``; the alias ``s`` is a staging table. Its rows are numbered, so no engine's own row id is needed.
"""

from collections.abc import Iterable, Mapping

from phasegate.base.table import LINEAGE_PREFIX, TOKEN_COLUMN, Difference, Table
from phasegate.warehouses.sql.cells import family
from phasegate.warehouses.sql.dialect import Types
from phasegate.warehouses.sql.rows import RowSql

# Of a staging table: the SHA-256 of each row's content, and its number.
DIGEST, ROW = f"{LINEAGE_PREFIX}digest", f"{LINEAGE_PREFIX}row"


def count_if(condition: str, /) -> str:
    """Return the SQL of the number of rows for which a condition is true."""
    return f"coalesce(sum(CASE WHEN {condition} THEN 1 ELSE 0 END), 0)"


class WriteSql(RowSql):
    """The statements that write guarded tables, in one dialect."""

    def create_schema(self, table: Table, /) -> str:
        """Return the CREATE of a table's schema, if it is absent."""
        return f"CREATE SCHEMA IF NOT EXISTS {self._named(table).rpartition('.')[0]}"

    def create(self, table: Table, types: Types, /) -> str:
        """Return the CREATE of a table."""
        columns = ", ".join(f"{self._quoted(column)} {self._type(kind)}" for column, kind in types.items())
        return f"CREATE TABLE {self._named(table)} ({columns}, {TOKEN_COLUMN} {self.dialect.type_of('BIGINT')})"

    def add_lineage(self, table: Table, /) -> str:
        """Return the ALTER that gives a table its lineage column."""
        number = self.dialect.type_of("BIGINT")
        return f"ALTER TABLE {self._named(table)} ADD COLUMN IF NOT EXISTS {TOKEN_COLUMN} {number}"

    def reshape(self, table: Table, change: Difference, /) -> list[str]:
        """Return the ALTERs that give a table the columns of its plan."""
        types = {name: self._type(new) for name, (_, new) in (*change.widened.items(), *change.retyped.items())}
        alters = [f"ADD COLUMN {self._quoted(name)} {self._type(kind)}" for name, kind in change.added.items()]
        alters += [
            f"ALTER COLUMN {self._quoted(name)} SET DATA TYPE {new} USING CAST({self._quoted(name)} AS {new})"
            for name, new in types.items()
        ]
        alters += [f"DROP COLUMN {self._quoted(name)}" for name in change.removed]
        return [f"ALTER TABLE {self._named(table)} {alter}" for alter in alters]

    def from_query(self, table: Table, types: Types, /, *, yielded: Types) -> dict[str, str]:
        """Return, by name, the SQL of a SELECT's columns in the table's types.

        The SELECT has the alias ``q``.
        """
        cells = {column: self._as(f"q.{self._quoted(column)}", types[column], yields=yielded[column])
                 for column in types}  # fmt: skip
        if table.tombstone:
            given = f"q.{self._quoted(table.tombstone)}" if table.tombstone in yielded else "NULL"
            cells[table.tombstone] = f"CAST({given} AS {self.dialect.type_of('BOOLEAN')})"
        return cells

    def _as(self, cell: str, sql_type: str, *, yields: str) -> str:
        return cell if yields == sql_type else f"CAST({cell} AS {self._type(sql_type)})"

    def _type(self, sql_type: str) -> str:
        return self.dialect.type_of(sql_type)

    def staged(self, table: Table, source: str, types: Types, /, *, cells: Mapping[str, str]) -> str:
        """Return the SELECT of rows as they are written.

        Floats are rounded, and each row has the digest of its content and a number. A float is rounded by reading its
        canonical text back, which is correct where ROUND is not. ``source`` has the alias ``q``; ``cells`` are the
        columns in the table's types, and its tombstone, as SQL of it.
        """
        inner, outer, read = dict(cells), {column: f"s.{self._quoted(column)}" for column in cells}, dict(types)
        for column in self.floats(types):
            kind = self._type(types[column])
            inner[column] = self.dialect.text(cells[column], types[column], scale=table.scale(column))
            if types[column] == "DOUBLE":  # its text is that of the value that is read back: it is computed once
                outer[column], read[column] = f"CAST({outer[column]} AS {kind})", "VARCHAR"
            else:
                inner[column] = f"CAST({inner[column]} AS {kind})"
        texts = ", ".join(f"{cell} AS {self._quoted(column)}" for column, cell in inner.items())
        rows = ", ".join(f"{cell} AS {self._quoted(column)}" for column, cell in outer.items())
        # Numbered inside: an engine that merged the two SELECTs would compute a text for each use of it.
        return f"""SELECT {rows}, {self.dialect.row_hash(table, read, alias="s")} AS {DIGEST}, s.{ROW}
            FROM (SELECT {texts}, row_number() OVER () AS {ROW} FROM {source} q) s"""

    @staticmethod
    def floats(types: Types, /) -> list[str]:
        """Return the float columns."""
        return [column for column in types if family(types[column]) == "float"]

    def inspect(self, table: Table, stage: str, types: Types, /) -> str:
        """Return the SELECT of Staged's counts, in the order of its fields.

        Its last column is the number of distinct keys, or fewer.
        """
        nulls = " OR ".join(f"s.{self._quoted(column)} IS NULL" for column in table.key)
        finite = [count_if(self.dialect.is_not_finite(f"s.{self._quoted(c)}")) for c in self.floats(types)]
        future, missing = "0", "0"
        if table.version:
            cell = f"s.{self._quoted(table.version)}"
            future, missing = count_if(f"{cell} > $version_max"), count_if(f"{cell} IS NULL")
        # Of the rows of one partition its column need not be compared; of others this counts too few, never too many.
        compared = [column for column in table.key if column != table.partition] or [table.key[0]]
        rest = [f"s.{self._quoted(column)}" for column in compared]
        keys = rest[0] if len(rest) == 1 else self.dialect.as_one(rest)
        # coalesce: a NULL partition is outside too.
        outside = count_if(f"NOT coalesce({self.inside(table, types, alias='s')}, false)")
        found = (
            "count(*)",
            outside,
            count_if(nulls),
            future,
            missing,
            " + ".join(finite) or "0",
            f"count(DISTINCT {keys})",
        )
        return f"SELECT {', '.join(f'{one} AS c{n}' for n, one in enumerate(found))} FROM {stage} s"

    def staged_fingerprint(self, stage: str, /) -> str:
        """Return the SELECT of count and eight sums of the staged rows."""
        return f"SELECT count(*), {self._sums} FROM (SELECT {DIGEST} AS h FROM {stage}) q"

    def deduplicate(self, table: Table, stage: str, /) -> str:
        """Return the DELETE of all but one row per key.

        The newest version stays; then a deletion wins; then the content's digest decides.
        """
        order = [*self._newest_first(table), f"{DIGEST} DESC", ROW]
        return f"""DELETE FROM {stage} WHERE {ROW} IN (SELECT {ROW} FROM (SELECT {ROW}, row_number() OVER (
            PARTITION BY {self._listed(table.key)} ORDER BY {", ".join(order)}) AS place FROM {stage}) q
            WHERE place > 1)"""

    def undecided(self, table: Table, stage: str, /) -> str:
        """Return the SELECT of how many keys have several newest contents.

        Of deletions it does not matter which is taken.
        """
        order = ", ".join(self._newest_first(table))
        gone = f"coalesce({self._quoted(table.tombstone)}, false)" if table.tombstone else "false"
        keys = self._listed(table.key)
        place = f"rank() OVER (PARTITION BY {keys} ORDER BY {order})" if order else "1"
        return f"""SELECT count(*) FROM (SELECT {keys} FROM (SELECT {keys}, {DIGEST} AS digest_, {gone} AS gone_,
            {place} AS place_ FROM {stage}) r WHERE place_ = 1 AND NOT gone_ GROUP BY {keys}
            HAVING count(DISTINCT digest_) > 1) q"""

    def _newest_first(self, table: Table) -> list[str]:
        """Return the order of a key's rows: by version, then deletions."""
        order = [f"{self._quoted(table.version)} DESC NULLS LAST"] if table.version else []
        return order + ([f"coalesce({self._quoted(table.tombstone)}, false) DESC"] if table.tombstone else [])

    def drop_tombstones(self, table: Table, stage: str, /) -> str:
        """Return the DELETE of the staged deletions."""
        return f"DELETE FROM {stage} WHERE coalesce({self._quoted(table.tombstone or '')}, false)"

    def plan(self, table: Table, stage: str, types: Types, /, *, merge: bool) -> str:
        """Return the SELECT of each staged row's action.

        With the number of stored rows of its key.

        ``touch``: equal content, but version, volatile cells or doubled rows differ: written, counted as unchanged.
        """
        whole = bool(table.replaces) and merge
        older, join = ("older.old_ IS NOT NULL", self._join_older(table, stage, types)) if whole else ("1 = 0", "")
        tomb = f"coalesce(s.{self._quoted(table.tombstone)}, false)" if table.tombstone and merge else "1 = 0"
        content = table.fingerprinted(tuple(types))
        rest = [column for column in types if column not in content]
        return f"""SELECT r, hits, CASE
                WHEN older = 1 OR (hits > 0 AND newer = 0) THEN 'refuse'
                WHEN tomb = 1 AND hits > 0 THEN 'delete' WHEN tomb = 1 THEN 'none' WHEN hits = 0 THEN 'insert'
                WHEN hits = 1 AND same = 1 AND rest = 1 THEN 'keep' WHEN same = 1 THEN 'touch' ELSE 'update'
                END AS action
            FROM (SELECT s.{ROW} AS r, max({_flag(tomb)}) AS tomb, max({_flag(older)}) AS older,
                count(t.hit_) AS hits, min({_flag(self._newer(table, merge=merge))}) AS newer,
                min({_flag(self._equal(content))}) AS same, min({_flag(self._equal(rest))}) AS rest
                FROM {stage} s LEFT JOIN (SELECT t.*, 1 AS hit_ FROM {self._named(table)} t
                    WHERE {self.inside(table, types)}) t ON {self._same(table.key, "s", "t")} {join}
                GROUP BY s.{ROW}) p"""

    def _newer(self, table: Table, *, merge: bool) -> str:
        """Return the condition that a staged row may replace a stored one."""
        if not merge:
            return "1 = 1"
        newer = f"$token >= coalesce(t.{TOKEN_COLUMN}, 0)"
        if not table.version:
            return newer
        ours, theirs = f"s.{self._quoted(table.version)}", f"t.{self._quoted(table.version)}"
        return f"""(({ours} IS NOT NULL AND {theirs} IS NULL) OR {ours} > {theirs}
            OR ({ours} IS NOT DISTINCT FROM {theirs} AND {newer}))"""

    def _join_older(self, table: Table, stage: str, types: Types) -> str:
        """Return the JOIN of the staged groups that are older than what is stored.

        Such a group is refused whole: its rows that are not stored were deleted since.
        """
        assert table.version is not None
        groups, version = self._listed(table.replaces), self._quoted(table.version)
        return f"""LEFT JOIN (SELECT DISTINCT {self._listed(table.replaces, "g")}, 1 AS old_
            FROM (SELECT {groups}, max({version}) AS newest_ FROM {stage} GROUP BY {groups}) g
            JOIN {self._named(table)} o ON {self._same(table.replaces, "o", "g")}
            WHERE {self.inside(table, types, alias="o")} AND (o.{version} > g.newest_
                OR (o.{version} = g.newest_ AND coalesce(o.{TOKEN_COLUMN}, 0) > $token))
            ) older ON {self._same(table.replaces, "older", "s")}"""

    def _equal(self, columns: Iterable[str]) -> str:
        return " AND ".join(f"s.{self._quoted(c)} IS NOT DISTINCT FROM t.{self._quoted(c)}" for c in columns) or "1 = 1"

    def delete_partition(self, table: Table, types: Types, /) -> str:
        """Return the DELETE of a whole partition."""
        return f"DELETE FROM {self._named(table)} AS t WHERE {self.inside(table, types)}"

    def delete_planned(self, table: Table, stage: str, types: Types, /, *, plan: str) -> str:
        """Return the DELETE of the rows that the plan deletes or writes over."""
        return f"""DELETE FROM {self._named(table)} AS t WHERE {self.inside(table, types)} AND EXISTS (
            SELECT 1 FROM {stage} s JOIN {plan} p ON s.{ROW} = p.r
            WHERE p.action IN ('delete', 'touch', 'update') AND {self._same(table.key, "s", "t")})"""

    def delete_lacking(self, table: Table, stage: str, types: Types, /, *, plan: str) -> str:
        """Return the DELETE of the rows that the staged groups lack.

        Of the groups in ``replaces`` that the plan does not refuse.
        """
        return f"""DELETE FROM {self._named(table)} AS t WHERE {self.inside(table, types)}
            AND EXISTS (SELECT 1 FROM {stage} s JOIN {plan} p ON s.{ROW} = p.r
                WHERE p.action <> 'refuse' AND {self._same(table.replaces, "s", "t")})
            AND NOT EXISTS (SELECT 1 FROM {stage} s WHERE {self._same(table.key, "s", "t")})"""

    def insert(self, table: Table, stage: str, types: Types, /, *, plan: str | None) -> str:
        """Return the INSERT of the staged rows.

        Those that the plan writes; without one, all that are not deletions.
        """
        chosen = ""
        if plan is not None:
            chosen = f" JOIN {plan} p ON s.{ROW} = p.r WHERE p.action IN ('insert', 'touch', 'update')"
        elif table.tombstone:
            chosen = f" WHERE NOT coalesce(s.{self._quoted(table.tombstone)}, false)"
        token = f"CAST($token AS {self.dialect.type_of('BIGINT')})"
        return f"""INSERT INTO {self._named(table)} ({self._listed(types)}, {TOKEN_COLUMN})
            SELECT {self._listed(types, "s")}, {token} FROM {stage} s{chosen}"""


def _flag(condition: str) -> str:
    return f"CASE WHEN {condition} THEN 1 ELSE 0 END"


def tally(plan: str, /) -> str:
    """Return the SELECT of (action, staged rows, stored rows) over a plan.

    ``plan``: its table, or its SELECT in parentheses.
    """
    return f"SELECT action, count(*), coalesce(sum(hits), 0) FROM {plan} p GROUP BY action"
