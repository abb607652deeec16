"""What is known of the names and types in a text.

A type is known from a cast, a literal or a function, and from the columns of the tables that are given. What is not
known is None, and nothing is concluded from it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from sqlglot import exp

from phasegate.dialects.engines import TableTypes

Kind = Literal["int", "decimal", "double", "text", "bool", "date", "timestamp", "interval", "other"]
Names = dict[str, Kind | None]

_KINDS: Mapping[str, Kind] = {
    "BOOLEAN": "bool", "TINYINT": "int", "SMALLINT": "int", "INT": "int", "INTEGER": "int", "BIGINT": "int",
    "HUGEINT": "int", "INT128": "int", "FLOAT": "double", "DOUBLE": "double", "DECIMAL": "decimal",
    "VARCHAR": "text", "TEXT": "text", "DATE": "date", "TIMESTAMP": "timestamp", "TIMESTAMPNTZ": "timestamp",
}  # fmt: skip
_INTS = (exp.Count, exp.CountIf, exp.Length, exp.RowNumber, exp.Rank, exp.DenseRank, exp.DateDiff, exp.IntDiv,
         exp.Extract, exp.Year, exp.Month, exp.Day)  # fmt: skip
_TEXTS = (exp.Concat, exp.DPipe, exp.Lower, exp.Upper, exp.Trim, exp.Substring, exp.Replace)
_BOOLS = (exp.Predicate, exp.Not, exp.And, exp.Or, exp.Boolean, exp.LogicalAnd, exp.LogicalOr)
_ALWAYS: Sequence[tuple[tuple[type[exp.Expr], ...], Kind]] = (
    (_BOOLS, "bool"), (_INTS, "int"), (_TEXTS, "text"), ((exp.Div, exp.Avg), "double"),
    ((exp.Interval,), "interval"), ((exp.TimestampTrunc, exp.DateTrunc), "timestamp"),
)  # fmt: skip
_OF_FIRST = (exp.Min, exp.Max, exp.Sum, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.Nullif, exp.Abs,
             exp.Paren, exp.Neg, exp.Filter, exp.Window, exp.Alias, exp.Round, exp.Ceil, exp.Floor)  # fmt: skip
_NUMBERS: Sequence[Kind] = ("int", "decimal", "double")


SPELLED: Mapping[Kind | None, str] = {
    None: "", "int": "BIGINT", "decimal": "DECIMAL", "double": "DOUBLE", "text": "VARCHAR", "bool": "BOOLEAN",
    "date": "DATE", "timestamp": "TIMESTAMP", "interval": "INTERVAL", "other": "OTHER",
}  # fmt: skip
"""A type of each kind, as ``TableTypes`` has them; "" is not known."""


class Known:
    """The names and types of one text, by the SELECT they belong to."""

    def __init__(self, types: TableTypes) -> None:
        self._types = types
        self._outputs: dict[int, list[tuple[str, Kind | None]] | None] = {}
        self._sources: dict[int, dict[str, Names | None]] = {}
        self._rules: Sequence[tuple[tuple[type[exp.Expr], ...], Callable[..., Kind | None]]] = (
            ((exp.Column,), self._column),
            ((exp.Cast,), lambda node: _KINDS.get(node.to.this.name, "other")),
            ((exp.Literal,), _literal),
            (_OF_FIRST, lambda node: self.kind(node.this)),
            ((exp.Coalesce, exp.Least, exp.Greatest), lambda node: self._all(node.this, *node.expressions)),
            ((exp.Mul, exp.Mod), lambda node: self._all(node.this, node.expression)),
            ((exp.Add, exp.Sub), self._sum),
            ((exp.Case,), self._case),
        )

    def sources(self, select: exp.Select) -> dict[str, Names | None]:
        """Return the sources of a SELECT by alias; None for unknown columns."""
        if id(select) not in self._sources:
            joins = [join.this for join in select.args.get("joins") or []]
            first = select.args.get("from_")
            named = [*([first.this] if first is not None else []), *joins]
            self._sources[id(select)] = {source.alias_or_name: self._names(source, select) for source in named}
        return self._sources[id(select)]

    def outputs(self, query: exp.Expr) -> list[tuple[str, Kind | None]] | None:
        """Return the columns of a query in order; None if they are not known."""
        if isinstance(query, exp.Subquery | exp.Paren):
            return self.outputs(query.this)
        if isinstance(query, exp.SetOperation):
            return self.outputs(query.this)
        if not isinstance(query, exp.Select):
            return None
        if id(query) not in self._outputs:
            self._outputs[id(query)] = None  # a recursive WITH stays unknown
            self._outputs[id(query)] = self._projected(query)
        return self._outputs[id(query)]

    def kind(self, node: exp.Expr | None) -> Kind | None:
        """Return the type of an expression; None if it is not known."""
        for classes, kind in _ALWAYS:
            if isinstance(node, classes):
                return kind
        for classes, rule in self._rules:
            if isinstance(node, classes):
                return rule(node)
        return None

    def is_with(self, table: exp.Table) -> bool:
        """Return whether a table's name means a query of a WITH."""
        return not table.db and _with(table.name, table) is not None

    def _all(self, *nodes: exp.Expr) -> Kind | None:
        return _together([self.kind(node) for node in nodes])

    def _case(self, node: exp.Case) -> Kind | None:
        values = [*(one.args["true"] for one in node.args["ifs"]), node.args.get("default")]
        return _together([self.kind(one) for one in values if one is not None and not isinstance(one, exp.Null)])

    def _sum(self, node: exp.Add | exp.Sub) -> Kind | None:
        left, right = self.kind(node.this), self.kind(node.expression)
        if "interval" in (left, right):
            return "timestamp"
        if left == "date":
            return "int" if right == "date" else "date" if right == "int" else None
        return _together([left, right])

    def _column(self, column: exp.Column) -> Kind | None:
        select = column.find_ancestor(exp.Select)
        while select is not None:
            sources = self.sources(select)
            held = [s for alias, s in sources.items() if column.table in ("", alias)]
            if any(names is None for names in held):
                return None
            kinds = [names[column.name] for names in held if names and column.name in names]
            if kinds:
                return kinds[0]
            select = select.find_ancestor(exp.Select)
        return None

    def _names(self, source: exp.Expr, select: exp.Select) -> Names | None:
        """Return the columns of one source of a SELECT."""
        if isinstance(source, exp.Subquery):
            found = self.outputs(source.this)
        elif isinstance(source, exp.Table):
            query = None if source.db else _with(source.name, select)
            if query is None:
                known = self._types.get(".".join(filter(None, (source.db, source.name))))
                return {name: _kind_of(kind) for name, kind in known.items()} if known else None
            found = self.outputs(query.this)
            given = query.args["alias"].columns
            if found is not None and given:
                found = [(new.name, kind) for new, (_, kind) in zip(given, found, strict=False)]
        else:
            return None
        return None if found is None else dict(found)

    def _projected(self, select: exp.Select) -> list[tuple[str, Kind | None]] | None:
        found: list[tuple[str, Kind | None]] = []
        for one in select.expressions:
            if one.is_star:
                more = self.starred(one, select)
                if more is None:
                    return None
                found += more
            else:
                found.append((one.alias_or_name, self.kind(one)))
        return found

    def starred(self, star: exp.Expr, select: exp.Select) -> list[tuple[str, Kind | None]] | None:
        """Return the columns that a star stands for; None if not known."""
        table = star.table if isinstance(star, exp.Column) else ""
        inner = star.this if isinstance(star, exp.Column) else star
        dropped = {one.name for one in inner.args.get("except_") or []}
        merged = {name.name for join in select.args.get("joins") or [] for name in join.args.get("using") or []}
        found: list[tuple[str, Kind | None]] = []
        for alias, names in self.sources(select).items():
            if table in ("", alias):
                if names is None:
                    return None
                seen = {name for name, _ in found} & merged
                found += [(name, kind) for name, kind in names.items() if name not in dropped | seen]
        return found


def _with(name: str, inside: exp.Expr) -> exp.CTE | None:
    """Return the WITH query that a name means inside a part of a text."""
    node: exp.Expr | None = inside
    while node is not None:
        within = node.args.get("with_")
        for query in within.expressions if within is not None else []:
            if query.alias == name and not _is_inside(inside, query):
                return query  # type: ignore[no-any-return]  # sqlglot's expressions are untyped
        node = node.parent
    return None


def _is_inside(node: exp.Expr, query: exp.CTE) -> bool:
    above: exp.Expr | None = node
    while above is not None and above is not query:
        above = above.parent
    return above is query


def _literal(node: exp.Literal) -> Kind:
    if node.is_string:
        return "text"
    return "double" if "e" in node.name.lower() else "decimal" if "." in node.name else "int"


def _kind_of(sql_type: str) -> Kind | None:
    return _KINDS.get(sql_type.partition("(")[0].strip().upper(), "other") if sql_type else None


def _together(kinds: Sequence[Kind | None]) -> Kind | None:
    """Return the type of values of several types in one column."""
    if len(set(kinds)) == 1:
        return kinds[0]
    if all(kind in _NUMBERS for kind in kinds):
        return max(kinds, key=lambda kind: _NUMBERS.index(kind or "int"))
    return None
