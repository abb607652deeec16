"""Finds what of a text another engine refuses, or computes otherwise.

sqlglot writes most of it without a word. Each finding has the line and what to write; what can be rewritten safely is
no finding, see ``rewrite``.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlglot import exp

from phasegate.dialects.allowed import refusal
from phasegate.dialects.engines import ENGINE_NAMES, Engine, TableTypes, Untranslated
from phasegate.dialects.kinds import Kind, Known
from phasegate.dialects.names import Problem, Problems, name_problems

TYPES = ("BOOLEAN", "SMALLINT", "INT", "BIGINT", "DOUBLE", "DECIMAL", "VARCHAR", "TEXT", "DATE", "TIMESTAMPNTZ")
DIGITS_MAX, DECIMALS_MAX = 38, 9
"""What BigQuery's NUMERIC holds: 29 digits before the point, 9 behind."""
UNITS = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")
TRUNCATED = ("YEAR", "QUARTER", "MONTH", "DAY", "HOUR")
PARTS = ("YEAR", "QUARTER", "MONTH", "DAY", "HOUR", "MINUTE")


class LintScope(NamedTuple):
    """What the rules know."""

    engine: Engine
    known: Known

    @property
    def name(self) -> str:
        """Return the engine's name for people."""
        return ENGINE_NAMES[self.engine]


def lint(tree: exp.Query, *, sql: str, engine: Engine, types: TableTypes) -> Sequence[Untranslated]:
    """Return what does not translate, in the order of the text ``sql``."""
    scope = LintScope(engine, Known(types))
    found: dict[Untranslated, None] = {}
    refused: set[int] = set()
    for node in tree.walk(prune=lambda one: id(one) in refused):
        wrong = refusal(node, engine=scope.name)
        if wrong is not None:  # then what is inside it is of no interest
            refused.add(id(node))
        more: list[Problem] = [wrong] if wrong is not None else []
        more += [one for kind, rule in RULES if isinstance(node, kind) for one in rule(node, scope)]
        found |= {Untranslated(_line(at[0] if at else node, sql), what, mend): None for what, mend, *at in more}
    return sorted(found)


def _line(node: exp.Expr, sql: str) -> int:
    """Return the line of a node: the first of what is in it, or around it.

    By the place in the text: sqlglot's own lines run away in a long text with comments.
    """
    own = [int(one.meta["start"]) for one in node.walk() if "start" in one.meta]
    if own:
        return sql.count("\n", 0, min(own)) + 1
    return 1 if node.parent is None else _line(node.parent, sql)


def _subtraction(node: exp.Sub, scope: LintScope) -> Problems:
    """Find a date less a date: days in DuckDB, an INTERVAL in BigQuery."""
    left, right = scope.known.kind(node.this), scope.known.kind(node.expression)
    days: Sequence[Kind] = ("date", "timestamp")
    if (
        scope.engine == "bigquery"
        and left != right
        and ((left in days and right not in ("int", "interval")) or (right in days and left is None))
    ):
        fix = "write date_diff('day', the earlier, the later), or cast both to DATE, or the number to INTEGER"
        yield "date - date is an INTERVAL in BigQuery", fix
    elif "timestamp" in (left, right) and "interval" not in (left, right):
        yield f"timestamp - timestamp is not the same in {scope.name}", "write date_diff('day', …) of two dates"


def _cast(node: exp.Cast, scope: LintScope) -> Problems:
    to, known = node.to, scope.known.kind(node.this)
    name = to.this.name
    if name not in TYPES:
        fix = "use BOOLEAN, SMALLINT, INTEGER, BIGINT, DOUBLE, DECIMAL(12, 3), VARCHAR, DATE or TIMESTAMP"
        yield f"{to.sql('duckdb')} is not a type of every engine", fix
    elif name == "DECIMAL":
        sizes = [int(one.name) for one in to.expressions]
        if len(sizes) != 2:
            yield "DECIMAL without digits is another type on each engine", "write DECIMAL(12, 3)"
        elif scope.engine == "bigquery" and (sizes[1] > DECIMALS_MAX or sizes[0] - sizes[1] > DIGITS_MAX - 9):
            yield f"{to.sql('duckdb')} is larger than BigQuery's NUMERIC", "write at most 29 digits and 9 decimals"
    if isinstance(node, exp.TryCast) and scope.engine == "postgresql":
        yield "TRY_CAST is not in PostgreSQL", "write CAST, behind a CASE that lets only good text through"
    if name in ("VARCHAR", "TEXT") and known in ("double", "decimal", "timestamp"):
        yield f"the text of a {known.upper()} is another in {scope.name}", "store the value itself"
    is_whole = isinstance(node.this, exp.Floor | exp.Ceil)
    if name in TYPES[1:4] and known == "double" and scope.engine == "bigquery" and not is_whole:
        yield "CAST of a DOUBLE to a whole number rounds halves otherwise in BigQuery", "write floor(x + 0.5)"


def _round(node: exp.Round, scope: LintScope) -> Problems:
    if scope.known.kind(node.this) not in ("decimal", "int"):
        fix = "leave the rounding to the plan's scales, or write round(CAST(x AS DECIMAL(18, 6)), 2)"
        yield f"round() of a DOUBLE rounds halves otherwise in {scope.name}, or is refused", fix


def _star(node: exp.Star, scope: LintScope) -> Problems:
    for key, word in (("except_", "EXCLUDE"), ("replace", "REPLACE"), ("rename", "RENAME")):
        if node.args.get(key) and (scope.engine == "postgresql" or key == "rename"):
            yield f"* {word} is not in {scope.name}", "list the columns"


def _group(node: exp.Group, scope: LintScope) -> Problems:
    if node.args.get("all"):
        yield f"GROUP BY ALL is not in {scope.name}", "name the columns"
    if any(node.args.get(key) for key in ("cube", "rollup", "grouping_sets")):
        yield f"grouping sets are not the same in {scope.name}", "write a UNION ALL of plain groups"


def _join(node: exp.Join, _: LintScope) -> Problems:
    if node.args.get("kind") in ("SEMI", "ANTI"):
        yield f"{node.args['kind']} JOIN is DuckDB's alone", "write WHERE EXISTS (…), or NOT EXISTS"
    if node.args.get("method"):
        word = str(node.args["method"])
        yield f"{word} JOIN is not the same on each engine", "write JOIN … ON"


def _select(node: exp.Select, scope: LintScope) -> Problems:
    distinct = node.args.get("distinct")
    if distinct is not None and distinct.args.get("on"):
        yield (
            "DISTINCT ON takes a row by chance, or is refused",
            "number the rows with row_number(), and take the first",
        )
    if scope.engine == "postgresql" and node.args.get("qualify") and any(one.is_star for one in node.expressions):
        yield "QUALIFY after * would add a column in PostgreSQL", "list the columns"


def _set_operation(node: exp.SetOperation, scope: LintScope) -> Problems:
    if node.args.get("by_name"):
        yield f"BY NAME is not in {scope.name}", "list the columns in one order"
    if not isinstance(node, exp.Union) and node.args.get("distinct") is False:
        yield f"{node.key.upper()} ALL is not in BigQuery", f"write {node.key.upper()}"


def _interval(node: exp.Interval, scope: LintScope) -> Problems:
    unit = node.args.get("unit")
    if unit is None or unit.name.upper().removesuffix("S") not in UNITS:
        yield f"this INTERVAL is not the same in {scope.name}", "write a whole number and YEAR, MONTH, DAY or HOUR"
    elif not isinstance(node.this, exp.Literal) or not node.this.name.lstrip("-").isdigit():
        yield f"an INTERVAL of a computed length is not the same in {scope.name}", "add a whole number of days: d + n"


def _like(node: exp.Like | exp.ILike, _: LintScope) -> Problems:
    if any("\\" in one.name for one in node.expression.find_all(exp.Literal)):
        yield (
            "a backslash in LIKE is DuckDB's plain character, and escapes elsewhere",
            "write replace() or starts_with()",
        )
    if isinstance(node.parent, exp.Escape):
        yield "LIKE … ESCAPE is not in BigQuery", "write replace() or starts_with()"


def _date_diff(node: exp.DateDiff, scope: LintScope) -> Problems:
    unit = node.args.get("unit")
    if unit is not None and unit.name.upper() != "DAY":
        fix = "write date_diff('day', …), or extract() the parts"
        yield f"date_diff('{unit.name.lower()}') is not the same in {scope.name}", fix


def _trunc(node: exp.TimestampTrunc | exp.DateTrunc, scope: LintScope) -> Problems:
    unit = node.args["unit"].name.upper()
    if unit not in TRUNCATED:
        fix = f"write one of {', '.join(map(str.lower, TRUNCATED))}"
        yield f"date_trunc('{unit.lower()}') is not the same in {scope.name}", fix


def _extract(node: exp.Extract, scope: LintScope) -> Problems:
    part = node.this.name.upper()
    if part not in PARTS:
        fix = f"write one of {', '.join(map(str.lower, PARTS))}"
        yield f"extract({part.lower()}) is not the same in {scope.name}", fix


def _count(node: exp.Count, scope: LintScope) -> Problems:
    distinct = node.this
    if distinct is None:
        yield f"count() without an argument is not in {scope.name}", "write count(*)"
    if isinstance(distinct, exp.Distinct) and (len(distinct.expressions) > 1 or distinct.find(exp.Tuple)):
        yield f"count(DISTINCT a, b) is not in {scope.name}", "count the rows of a SELECT DISTINCT"


def _window(node: exp.Window, _: LintScope) -> Problems:
    spec = node.args.get("spec")
    if spec is not None and spec.args.get("kind") != "ROWS":
        yield "a frame of RANGE or GROUPS is not the same on each engine", "write ROWS BETWEEN …"


def _substring(node: exp.Substring, scope: LintScope) -> Problems:
    start = node.args.get("start")
    if not isinstance(start, exp.Literal) or not start.name.isdigit() or int(start.name) < 1:
        yield f"substring() from before the first character differs in {scope.name}", "begin at 1 or later"


def _with(node: exp.With, scope: LintScope) -> Problems:
    if node.args.get("recursive"):
        yield f"WITH RECURSIVE is not the same in {scope.name}", "write the steps out, or a table of them"


def _parameter(node: exp.Placeholder, _: LintScope) -> Problems:
    if not node.name.isidentifier():
        yield "a parameter without a name is not bound", "write $run_date or $season_start"


def _modulo(node: exp.Mod, scope: LintScope) -> Problems:
    if "double" in (scope.known.kind(node.this), scope.known.kind(node.expression)):
        yield f"% of a DOUBLE is not in {scope.name}", "cast both sides to DECIMAL or INTEGER"


def _whole(node: exp.IntDiv, scope: LintScope) -> Problems:
    if "double" in (scope.known.kind(node.this), scope.known.kind(node.expression)):
        yield f"// of a DOUBLE is not in {scope.name}", "write floor(a / b), or cast both sides to INTEGER"


def _table(node: exp.Table, scope: LintScope) -> Problems:
    if not node.db and isinstance(node.this, exp.Identifier) and not scope.known.is_with(node):
        yield "a table without its schema is another on each engine", "write schema.table"


def _column(node: exp.Column, scope: LintScope) -> Problems:
    if node.db:
        yield (
            f"a column with its schema is not the same in {scope.name}",
            "name the table with AS, and write alias.column",
        )


def _ordered(node: exp.Ordered, scope: LintScope) -> Problems:
    if isinstance(node.this, exp.Var):
        yield f"ORDER BY ALL is not in {scope.name}", "name the columns"


def _names(node: exp.Select, scope: LintScope) -> Problems:
    return name_problems(node, known=scope.known, engine=scope.engine)


RULES: Sequence[tuple[type[exp.Expr], Callable[..., Problems]]] = (
    (exp.Sub, _subtraction), (exp.Cast, _cast), (exp.Round, _round), (exp.Star, _star), (exp.Group, _group),
    (exp.Join, _join), (exp.Select, _select), (exp.SetOperation, _set_operation), (exp.Interval, _interval),
    (exp.Like, _like), (exp.ILike, _like), (exp.DateDiff, _date_diff), (exp.TimestampTrunc, _trunc),
    (exp.DateTrunc, _trunc), (exp.Extract, _extract), (exp.Count, _count), (exp.Window, _window),
    (exp.Substring, _substring), (exp.With, _with), (exp.Placeholder, _parameter), (exp.Mod, _modulo),
    (exp.IntDiv, _whole), (exp.Select, _names), (exp.Table, _table), (exp.Ordered, _ordered), (exp.Column, _column),
)  # fmt: skip
