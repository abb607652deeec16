"""The scripts of a write: one stages, one is the whole transaction.

Each is one job. A script ends with one row: what it says, what it found, and, of a staging, counts.
"""

from collections.abc import Mapping, Sequence

from phasegate.base.table import Table
from phasegate.warehouse import EqualSums, Write
from phasegate.warehouses.bigquery.stamps import is_date
from phasegate.warehouses.bigquery.statements import EXPIRES_H, PLACE, BigQueryOwn, BigQuerySql
from phasegate.warehouses.sql.dialect import Types
from phasegate.warehouses.sql.writes import DIGEST

PLAN = "_pg_plan"
# The actions of a plan that a receipt counts as one.
_KINDS = {"inserted": "'insert'", "updated": "'update'", "unchanged": "'keep', 'touch', 'none'", "refused": "'refuse'"}
COUNTED = (*_KINDS, "deleted")
_COUNT = {name: f"v_counts[OFFSET({number})]" for number, name in enumerate(COUNTED)}
_DELETED, _TODO = _COUNT["deleted"], f"v_counts[OFFSET({len(COUNTED)})]"
_COUNT["deleted"] = f"{_DELETED} + v_lacking"


class WriteScripts:
    """The scripts of the writes of one table.

    ``types``: the columns of the table, and of others that its rules name.
    """

    def __init__(self, table: Table, types: Mapping[str, Types], *, sql: BigQuerySql, own: BigQueryOwn) -> None:
        self._table, self._types, self._all = table, types[table.name], types
        self._sql, self._own = sql, own

    def stage(self, stage: str, source: str, *, cells: Mapping[str, str], stamps: str) -> str:
        """Return the script that stages, rounds, hashes and counts rows.

        ``stage``: the new table, which expires by itself. It says ``torn`` if an input changed while the rows were
        read. The counts are those of ``WriteSql.inspect``, then duplicates, undecided, and the number of the shape.
        """
        rows = self._sql.deduplicated(self._table, self._sql.staged(self._table, source, self._types, cells=cells))
        expires = f"TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL {EXPIRES_H} HOUR)"
        return f"""DECLARE v_before STRING;
SET v_before = {stamps};
CREATE TABLE {stage} OPTIONS (expiration_timestamp = {expires}) AS {rows};
SELECT IF(v_before = {stamps}, 'staged', 'torn') AS said, v_before AS found, q.*,
    (SELECT count(*) FROM {stage} d WHERE {PLACE} > 1) AS duplicates,
    ({self._sql.undecided(self._table, stage)}) AS undecided, {self._own.shape()} AS shape
    FROM ({self._sql.inspect(self._table, stage, self._types)}) q;
"""

    def commit(self, write: Write, stage: str, *, stamps: str) -> str:
        """Return the script of the transaction.

        Where it is refused it says why and returns: BigQuery rolls back what a script has not committed at its end.
        """
        merge, tombstone = self._table.write == "merge", self._table.tombstone
        gone = f" AND NOT coalesce({self._sql.dialect.quoted(tombstone)}, false)" if tombstone else ""
        live = f"(SELECT * FROM {stage} WHERE {PLACE} = 1{'' if merge else gone})"
        dates = is_date(write.receipt.partition)
        counts = ", ".join(f"{_COUNT[one]} AS {one}" for one in COUNTED)
        return f"""DECLARE v_present, v_lacking INT64 DEFAULT 0;
DECLARE v_counts ARRAY<INT64>;
DECLARE v_now, v_broken, v_print STRING;
BEGIN TRANSACTION;
{self._own.change_fence(holders=len(write.holders))};
IF @@row_count <> 1 THEN
    SELECT 'fenced' AS said,
        max(TO_JSON_STRING(STRUCT(token AS token, store_id AS store_id, holder AS holder))) AS found
        FROM {self._own.fence} WHERE table_name = $table AND `partition` = $partition;
    RETURN;
END IF;
IF coalesce({self._own.shape()}, -1) <> $shape THEN
    SELECT 'reshaped' AS said, '' AS found;
    RETURN;
END IF;
{self._moved(stamps)}SET v_present = ({self._sql.count(self._table, self._types, partition=True)});
{self._merge(live) if merge else self._replace(live)}
{rules_of(write, types=self._all, sql=self._sql, dates=dates)}SET v_print = ({self._print(live, merge=merge)});
{self._receipt()};
COMMIT TRANSACTION;
SELECT 'written' AS said, TO_JSON_STRING(STRUCT(v_print AS fingerprint, {counts})) AS found;
"""

    def _moved(self, stamps: str) -> str:
        if stamps == "''":
            return ""
        return f"""SET v_now = {stamps};
IF v_now <> $seen THEN
    SELECT 'moved' AS said, v_now AS found;
    RETURN;
END IF;
"""

    def _tally(self, deleted: str, todo: str, source: str) -> str:
        """Return the SET of what is counted over a plan: COUNTED, then ``todo``."""
        counts = ", ".join(f"coalesce(sum(IF(action IN ({kinds}), 1, 0)), 0)" for kinds in _KINDS.values())
        return f"SET v_counts = (SELECT [{counts}, {deleted}, coalesce(sum({todo}), 0)] FROM {source} p);"

    def _replace(self, live: str) -> str:
        table, types, sql = self._table, self._types, self._sql
        tally = self._tally("v_present - coalesce(sum(IF(action = 'insert', 0, 1)), 0)", "IF(action = 'keep', 0, 1)",
                            f"({sql.plan(table, live, types, merge=False)})")  # fmt: skip
        return f"""IF SAFE_DIVIDE(v_present - $kept, v_present) > $shrink_max THEN
    SELECT 'shrunk' AS said, TO_JSON_STRING([$kept, v_present]) AS found;
    RETURN;
END IF;
{tally}
IF {_DELETED} + {_TODO} > 0 THEN
    IF v_present > 0 THEN
        {sql.delete_partition(table, types)};
    END IF;
    {sql.insert(table, live, types, plan=None)};
END IF;"""

    def _merge(self, live: str) -> str:
        table, types, sql = self._table, self._types, self._sql
        hits = "CASE action WHEN 'delete' THEN hits WHEN 'touch' THEN hits - 1 WHEN 'update' THEN hits - 1 ELSE 0 END"
        tally = self._tally(f"coalesce(sum({hits}), 0)", "IF(action IN ('delete', 'touch', 'update'), 1, 0)", PLAN)
        lacking = ""
        if table.replaces:
            lacking = f"""
IF v_present > 0 THEN
    {sql.delete_lacking(table, live, types, plan=PLAN)};
    SET v_lacking = @@row_count;
END IF;"""
        return f"""CREATE TEMP TABLE {PLAN} AS {sql.plan(table, live, types, merge=True)};
{tally}
IF {_TODO} > 0 THEN
    {sql.delete_planned(table, live, types, plan=PLAN)};
END IF;{lacking}
IF {_TODO} + {_COUNT["inserted"]} > 0 THEN
    {sql.insert(table, live, types, plan=PLAN)};
END IF;"""

    def _print(self, live: str, *, merge: bool) -> str:
        """Return the SELECT of the fingerprint of the partition's rows.

        Of a replaced partition it is that of the staged rows in it: their digests are known, and cost less to read.
        """
        if not merge:
            inside = self._sql.inside(self._table, self._types, alias="s")
            return f"SELECT {self._sql.fold()} FROM (SELECT {DIGEST} AS h FROM {live} s WHERE {inside}) q"
        digest = self._sql.dialect.row_hash(self._table, self._types, alias="t")
        named, inside = self._sql.dialect.reference(self._table.name), self._sql.inside(self._table, self._types)
        return f"SELECT {self._sql.fold()} FROM (SELECT {digest} AS h FROM {named} t WHERE {inside}) q"

    def _receipt(self) -> str:
        """Return the INSERT of the receipt, with what the script has counted."""
        statement = self._own.put_receipt().replace("$fingerprint,", "v_print,")
        for name in COUNTED:
            statement = statement.replace(f"${name},", f"{_COUNT[name]},")
        return statement.replace("$rows,", "CAST(SPLIT(v_print, '-')[OFFSET(0)] AS INT64),")


def rules_of(write: Write, *, types: Mapping[str, Types], sql: BigQuerySql, dates: bool) -> str:
    """Return the statements that judge a write's rules, in order.

    ``types``: the columns of the tables that they name; a rule about a table that does not exist is left out.
    ``dates``: the partition is an ISO date.
    """
    own = types[write.table.name]
    found = []
    for number, rule in enumerate(write.determines):
        rows = sql.disagreements(write.table, own, dependency=rule, dates=dates)
        found.append(_broken("disagreeing", number, rows, columns=2 + len(rule.columns)))
    for number, total in enumerate(write.sums):
        if types.get(total.table.name):
            found.append(_unequal(number, total, write.table, types=types, sql=sql, dates=dates))
    return "".join(found)


def _broken(said: str, number: int, rows: str, *, columns: int) -> str:
    cells = ", ".join(f"c{n}" for n in range(columns))
    return f"""SET v_broken = (SELECT STRING_AGG(TO_JSON_STRING([{cells}]), ',') FROM ({rows}) d);
IF v_broken IS NOT NULL THEN
    SELECT '{said}' AS said, CONCAT('[{number},[', v_broken, ']]') AS found;
    RETURN;
END IF;
"""


def _unequal(
    number: int, rule: EqualSums, table: Table, *, types: Mapping[str, Types], sql: BigQuerySql, dates: bool
) -> str:
    """Return the statements that compare sums, as base.table.unequal does."""
    groups = range(1 + len(rule.by))
    ours, theirs = (
        _texts(one, column, rule.by, types=types[one.name], sql=sql, dates=dates)
        for one, column in ((table, rule.column), (rule.table, rule.other))
    )
    same = " AND ".join(f"a.c{n} IS NOT DISTINCT FROM b.c{n}" for n in groups)
    places = ", ".join(
        f"IF(STRPOS({one}.total, '.') > 0, LENGTH({one}.total) - STRPOS({one}.total, '.'), 0)" for one in "ab"
    )
    half = f"CAST(CONCAT('0.', REPEAT('0', LEAST({places})), '5') AS BIGNUMERIC)"
    differ = f"ABS(SAFE_CAST(a.total AS BIGNUMERIC) - SAFE_CAST(b.total AS BIGNUMERIC)) > {half}"
    rows = ", ".join(("total", *(f"c{n}" for n in groups)))
    listed = [
        f"coalesce((SELECT STRING_AGG(TO_JSON_STRING([{rows}]), ',') FROM ({one}) l), '')" for one in (ours, theirs)
    ]
    return f"""IF EXISTS (SELECT 1 FROM ({ours}) a JOIN ({theirs}) b ON a.c0 = b.c0 AND {same}
    WHERE coalesce({differ}, a.total <> b.total)) THEN
    SET v_broken = CONCAT('[{number},[', {listed[0]}, '],[', {listed[1]}, ']]');
    SELECT 'unequal' AS said, v_broken AS found;
    RETURN;
END IF;
"""


def _texts(table: Table, column: str, by: Sequence[str], *, types: Types, sql: BigQuerySql, dates: bool) -> str:
    sums = sql.sums(table, types, column=column, by=by, dates=dates)
    text = sql.dialect.text("s.total", types[column], scale=table.scale(column))
    cells = ", ".join(f"s.c{n}" for n in range(1 + len(by)))
    return f"SELECT {text} AS total, {cells} FROM ({sums}) s"
