"""The parts of SQL that mean the same on every engine.

And what to write for those that do not. A part that stands in neither list is refused: sqlglot passes what it does not
know, and says nothing.
"""

from collections.abc import Mapping

from sqlglot import exp

ALLOWED: tuple[type[exp.Expr], ...] = (
    # the shape of a query
    exp.Select, exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.Limit, exp.Offset,
    exp.Fetch, exp.Distinct, exp.Qualify, exp.With, exp.CTE, exp.Subquery, exp.Table, exp.TableAlias, exp.Values,
    exp.Tuple, exp.Union, exp.Except, exp.Intersect, exp.Star, exp.Alias, exp.Window, exp.WindowSpec, exp.Filter,
    # names and values
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Placeholder, exp.Parameter, exp.Var,
    exp.DataType, exp.DataTypeParam, exp.Cast, exp.TryCast, exp.Interval,
    # operators
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.Paren, exp.DPipe, exp.And, exp.Or, exp.Not,
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Between, exp.In,
    exp.Exists, exp.Like, exp.ILike, exp.Case, exp.If,
    # functions
    exp.Abs, exp.Coalesce, exp.Nullif, exp.Least, exp.Greatest, exp.Lower, exp.Upper, exp.Length, exp.Trim,
    exp.Replace, exp.Substring, exp.Concat, exp.StartsWith, exp.Round, exp.Ceil, exp.Floor, exp.DateDiff,
    exp.TimestampTrunc, exp.DateTrunc, exp.Extract, exp.Year, exp.Month, exp.Day,
    # aggregates and windows
    exp.Count, exp.CountIf, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.LogicalAnd, exp.LogicalOr, exp.RowNumber,
    exp.Rank, exp.DenseRank, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue,
)  # fmt: skip
"""The nodes of a tree that may stand in a text; ``lint`` looks at some more closely."""

_ROW = "number the rows with row_number(), and take the first"
_MIDDLE = "number the rows with row_number(), and take the avg() of the middle ones"
_ROWS = "keep such values as rows of a table of their own"
_ARROW = "a lambda or a -> is DuckDB's alone"
_OTHER = "write it with the functions that translate (docs/how-to/sql-that-runs-everywhere.md)"

REFUSED: Mapping[type[exp.Expr], tuple[str, str]] = {
    exp.Median: ("median() is not in {engine}", _MIDDLE),
    exp.PercentileCont: ("quantile_cont() is not an aggregate of {engine}", _MIDDLE),
    exp.PercentileDisc: ("quantile_disc() is not an aggregate of {engine}", _ROW),
    exp.Mode: ("mode() is not in {engine}", "count the values, and take the first by row_number()"),
    exp.AnyValue: ("any_value() and first() take a row by chance", "write min() or max()"),
    exp.First: ("any_value() and first() take a row by chance", "write min() or max()"),
    exp.ArgMax: ("arg_max() is not in {engine}", _ROW),
    exp.ArgMin: ("arg_min() is not in {engine}", _ROW),
    exp.ArrayAgg: ("a list is not the same in {engine}", _ROWS),
    exp.GroupConcat: ("string_agg() orders text by each engine's own rules", _ROWS),
    exp.Array: ("a list is not the same in {engine}", _ROWS),
    exp.Struct: ("a struct is not the same in {engine}", "give each field a column"),
    exp.Bracket: ("a subscript is not the same in {engine}", "write substring() for text, and no lists"),
    exp.Unnest: ("unnest() is not the same in {engine}", _ROWS),
    exp.Explode: ("unnest() is not the same in {engine}", _ROWS),
    exp.Lambda: (f"{_ARROW}: {{engine}} has none", _ROWS),
    exp.JSONExtract: (f"{_ARROW}: {{engine}} has none", _ROWS),
    exp.JSONExtractScalar: (f"{_ARROW}: {{engine}} has none", _ROWS),
    exp.Format: ("format() has other patterns in {engine}", "store the number, and let the reader format it"),
    exp.TimeToStr: ("strftime() has other patterns in {engine}", "write extract(), or cast the date to VARCHAR"),
    exp.StrToTime: ("strptime() has other patterns in {engine}", "write CAST(… AS DATE) or CAST(… AS TIMESTAMP)"),
    exp.ConcatWs: ("concat_ws() is not in BigQuery", "write concat(a, '-', b)"),
    exp.Columns: ("COLUMNS() is DuckDB's alone", "list the columns"),
    exp.TableSample: ("a sample is another on each engine", "choose rows by a condition"),
    exp.Pivot: ("PIVOT is not in {engine}", "write sum(CASE WHEN … THEN … END) for each column"),
    exp.Lateral: ("LATERAL is not the same in {engine}", "write a join with a subquery"),
    exp.RegexpLike: ("regular expressions differ between engines", "write LIKE"),
    exp.RegexpExtract: ("regular expressions differ between engines", "write LIKE and substring()"),
    exp.RegexpReplace: ("regular expressions differ between engines", "write replace()"),
    exp.Pow: ("power and ^ round differently in {engine}", "multiply"),
    exp.Stddev: ("a deviation sums in another order in {engine}", "write it with sum() and count()"),
    exp.StddevSamp: ("a deviation sums in another order in {engine}", "write it with sum() and count()"),
    exp.CurrentDate: ("the clock is another at each run", "write CAST($run_date AS DATE)"),
    exp.CurrentTimestamp: ("the clock is another at each run", "write CAST($run_date AS DATE)"),
    exp.Rand: ("random() gives other rows at each run", "choose rows by a condition"),
    exp.Contains: ("contains() ignores case in BigQuery", "write LIKE '%…%'"),
    exp.StrPosition: ("position() and instr() count differently in {engine}", "write LIKE"),
    exp.GenerateSeries: ("generate_series() is not the same in {engine}", _ROWS),
    exp.AtTimeZone: ("time zones differ between engines", "store times in UTC, as TIMESTAMP"),
    exp.DayOfWeek: ("days of the week count from another day in BigQuery", "count the days from a Monday"),
}  # fmt: skip


def refusal(node: exp.Expr, *, engine: str) -> tuple[str, str] | None:
    """Return what is wrong with a node and the mend; None if nothing is.

    ``engine``: its name for people.
    """
    if isinstance(node, exp.IgnoreNulls | exp.RespectNulls):
        inner = refusal(node.this, engine=engine)
        return inner or (f"IGNORE NULLS is not in {engine}", "filter the rows in a subquery before")
    if type(node) in REFUSED:
        what, mend = REFUSED[type(node)]
        return what.format(engine=engine), mend
    if isinstance(node, ALLOWED):
        return None
    if isinstance(node, exp.Func) and node.find(exp.Lambda) is not None:
        return refusal(exp.Lambda(), engine=engine)
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        called = f"{node.name.lower()}()"
    else:
        called = f"{node.sql_name().lower()}()" if isinstance(node, exp.Func) else node.key.upper()
    return f"{called} is not known to give the same on {engine}", _OTHER
