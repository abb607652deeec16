"""Rewrites what DuckDB computes otherwise than another engine.

Only where the result is the same for every input that DuckDB does not refuse.
"""

from collections.abc import Callable
from functools import partial
from itertools import chain

from sqlglot import exp

from phasegate.dialects.engines import Engine, TableTypes
from phasegate.dialects.kinds import Known


def rewritten(tree: exp.Query, *, engine: Engine, types: TableTypes) -> exp.Query:
    """Return a copy that sqlglot can write for the engine."""
    copied = tree.copy()
    known = Known(types)
    # What the types decide comes first: they are of the tree as it was written.
    if engine == "bigquery":
        for difference in list(copied.find_all(exp.Sub)):
            if known.kind(difference.this) == known.kind(difference.expression) == "date":
                days = _days(later=difference.this, earlier=difference.expression, engine=engine)
                difference.replace(days)
    for number in list(copied.find_all(exp.Literal)):
        _literal(number, engine=engine)
    for kinds, change in chain(_SAME, _OWN[engine]):
        # Inner parts first: an outer one copies what is in it.
        for node in reversed(list(copied.find_all(*kinds))):
            new = change(node)
            if new is not node:
                node.replace(new)
    if engine == "postgresql":
        _name_subqueries(copied)
    return copied


def _name_subqueries(tree: exp.Expr) -> None:
    """Give each SELECT in a FROM a name, which PostgreSQL wants up to 15."""
    sources = [one for one in tree.find_all(exp.Subquery) if isinstance(one.parent, exp.From | exp.Join)]
    for number, source in enumerate((one for one in sources if not one.alias), 1):
        source.set("alias", exp.TableAlias(this=exp.to_identifier(f"unnamed_{number}")))


def _double(value: exp.Expr) -> exp.Expr:
    return exp.cast(value.copy(), "DOUBLE", dialect="duckdb")


def _literal(node: exp.Literal, *, engine: Engine) -> None:
    """Give 0.44 and 1e5 the types that they have in DuckDB."""
    if node.is_string or isinstance(node.parent, exp.Cast | exp.DataTypeParam | exp.Interval):
        return
    if "e" in node.name.lower():
        node.replace(_double(node))
    elif "." in node.name and engine == "bigquery":
        node.replace(exp.cast(exp.Literal.string(node.name), "DECIMAL", dialect="bigquery"))


def _filter(node: exp.Filter) -> exp.Expr:
    """Make ``f(x) FILTER (WHERE c)`` an ``f(CASE WHEN c THEN x END)``."""
    function: exp.Expr = node.this.copy()
    condition = node.expression.this
    value = function.this
    if isinstance(value, exp.Distinct):
        [inner] = value.expressions
        value.set("expressions", [exp.case().when(condition.copy(), inner.copy())])
    else:
        value = exp.Literal.number(1) if value is None or isinstance(value, exp.Star) else value
        function.set("this", exp.case().when(condition.copy(), value.copy()))
    return function


def _average(node: exp.Avg) -> exp.Expr:
    """Make ``avg(x)`` a DOUBLE of ``sum(x) / count(x)``.

    BigQuery's average of a NUMERIC has 9 decimals only, PostgreSQL's about 16 digits.
    """
    return exp.Paren(this=_quotient(exp.Sum(this=node.this.copy()), exp.Count(this=node.this.copy())))


def _average_over(node: exp.Window) -> exp.Expr:
    if not isinstance(node.this, exp.Avg):
        return node
    total, number = node.copy(), node.copy()
    total.set("this", exp.Sum(this=node.this.this.copy()))
    number.set("this", exp.Count(this=node.this.this.copy()))
    return exp.Paren(this=_quotient(total, number))


def _quotient(total: exp.Expr, number: exp.Expr) -> exp.Div:
    return exp.Div(this=_double(total), expression=exp.Nullif(this=number, expression=exp.Literal.number(0)))


def _division(node: exp.Div) -> exp.Expr:
    """Make ``a / b`` a DOUBLE, as in DuckDB, of whole numbers too."""
    value = node.this
    inner = value.this if isinstance(value, exp.Paren) else value
    is_double = isinstance(inner, exp.Cast) and inner.to.this.name == "DOUBLE"
    left = value if is_double else _double(inner)
    return exp.Div(this=left.copy(), expression=node.expression.copy(), typed=True, safe=False)


def _date_diff(node: exp.DateDiff, *, engine: Engine) -> exp.Expr:
    return _days(later=node.this, earlier=node.expression, engine=engine)


def _days(*, later: exp.Expr, earlier: exp.Expr, engine: Engine) -> exp.Expr:
    """Return the number of midnights between two dates or times."""
    last, first = (exp.cast(one.copy(), "DATE", dialect="duckdb") for one in (later, earlier))
    if engine == "bigquery":
        return exp.DateDiff(this=last, expression=first, unit=exp.Var(this="DAY"))
    return exp.Paren(this=exp.Sub(this=last, expression=first))


def _truncated(node: exp.TimestampTrunc | exp.DateTrunc, *, engine: Engine) -> exp.Expr:
    """Make ``date_trunc(…)`` a TIMESTAMP without time zone, as in DuckDB."""
    moment = exp.cast(node.this.copy(), "TIMESTAMP", dialect="duckdb")
    unit = exp.Var(this=node.args["unit"].name.upper())
    if engine == "bigquery":
        return exp.Anonymous(this="DATETIME_TRUNC", expressions=[moment, unit])
    return exp.Anonymous(this="DATE_TRUNC", expressions=[exp.Literal.string(unit.name.lower()), moment])


def _part(node: exp.Extract | exp.Year | exp.Month | exp.Day) -> exp.Expr:
    """Make ``extract(…)`` a BIGINT, as in DuckDB."""
    part, value = (node.this, node.expression) if isinstance(node, exp.Extract) else (exp.Var(this=node.key), node.this)
    unit = exp.Var(this=part.name.upper())
    return exp.cast(exp.Extract(this=unit, expression=value.copy()), "BIGINT", dialect="duckdb")


def _whole(node: exp.IntDiv) -> exp.Expr:
    return exp.cast(node.copy(), "BIGINT", dialect="duckdb")


def _decimal(node: exp.Cast) -> exp.Expr:
    """Make ``CAST(x AS DECIMAL(p, s))`` a NUMERIC, rounded to s digits."""
    if node.to.this.name != "DECIMAL" or len(node.to.expressions) != 2:
        return node
    places = node.to.expressions[1].this.copy()
    number = type(node)(this=node.this.copy(), to=exp.DataType.build("NUMERIC", dialect="bigquery"))
    return exp.Round(this=number, decimals=places)


def _interval(node: exp.Interval) -> exp.Expr:
    """Make ``INTERVAL '7 days'`` an ``INTERVAL 7 DAY``."""
    unit = exp.Var(this=node.args["unit"].name.upper().removesuffix("S"))
    return exp.Interval(this=exp.Literal.number(node.this.name), unit=unit)


def _order(node: exp.Order) -> exp.Expr:
    """Put missing values last in ``OVER (ORDER BY x)``, as in DuckDB.

    BigQuery takes NULLS LAST in some windows only.
    """
    if not isinstance(node.parent, exp.Window):
        return node
    keys: list[exp.Expr] = []
    for one in node.expressions:
        # without a word, BigQuery has them first where values ascend
        natural = not one.args.get("desc")
        if bool(one.args.get("nulls_first")) != natural:
            missing = exp.Is(this=exp.paren(one.this.copy()), expression=exp.Null())
            keys.append(exp.Ordered(this=missing, desc=not natural, nulls_first=natural))
        plain = one.copy()
        plain.set("nulls_first", natural)
        keys.append(plain)
    return exp.Order(expressions=keys)


def _qualified(node: exp.Select) -> exp.Expr:
    """Give a ``QUALIFY`` the ``WHERE`` that BigQuery wants beside it."""
    if node.args.get("qualify") and not any(node.args.get(key) for key in ("where", "group", "having")):
        node.where(exp.true(), copy=False)
    return node


def _extreme(node: exp.Least | exp.Greatest) -> exp.Expr:
    """Make ``least(a, b)`` ignore a NULL, as in DuckDB."""
    first: exp.Expr = node.this
    others = node.expressions
    for other in others:
        both = type(node)(this=first.copy(), expressions=[other.copy()], ignore_nulls=False)
        last = [one.copy() for one in (first, other)]
        first = exp.Coalesce(this=both, expressions=last)
    return first


_Change = tuple[tuple[type[exp.Expr], ...], Callable[..., exp.Expr]]
_PARTS = (exp.Extract, exp.Year, exp.Month, exp.Day)
_TRUNC = (exp.TimestampTrunc, exp.DateTrunc)
_SAME: tuple[_Change, ...] = (
    ((exp.Filter,), _filter), ((exp.Window,), _average_over), ((exp.Avg,), _average), ((exp.Div,), _division),
    ((exp.IntDiv,), _whole), (_PARTS, _part),
)  # fmt: skip
_OWN: dict[Engine, tuple[_Change, ...]] = {
    "duckdb": (),
    "postgresql": (
        ((exp.DateDiff,), partial(_date_diff, engine="postgresql")),
        (_TRUNC, partial(_truncated, engine="postgresql")),
    ),
    "bigquery": (
        ((exp.DateDiff,), partial(_date_diff, engine="bigquery")), (_TRUNC, partial(_truncated, engine="bigquery")),
        ((exp.Select,), _qualified), ((exp.Order,), _order), ((exp.Cast,), _decimal), ((exp.Interval,), _interval),
        ((exp.Least, exp.Greatest), _extreme),
    ),
}  # fmt: skip
