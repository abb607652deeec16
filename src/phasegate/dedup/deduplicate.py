"""One row per key, for lists of dicts, Polars frames and Arrow tables.

The result has the newest version of each key, and reports what was removed. It never guesses: where keys or versions
cannot be compared it raises an error that names them, instead of keeping some row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from phasegate.dedup.choose import SAMPLE_MAX, Chosen, but_for, choose, content, refused_kind, refused_nan, refused_null
from phasegate.dedup.versions import ordered
from phasegate.errors import BadInput

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")
R = TypeVar("R", bound=Mapping[str, Any])


@dataclass(frozen=True, slots=True)
class Deduplicated(Generic[T]):
    """The remaining rows, in the type that was given, and what was removed.

    ``removed``: rows removed. ``keys``: the first of the keys that had several rows, at most SAMPLE_MAX.
    ``kept``: the rule, ``newest`` version or, without a version column, ``last`` row.
    ``ties``: keys whose rows differ and that no version decides: check these.
    """

    records: T
    removed: int
    keys: tuple[tuple[object, ...], ...]
    kept: Literal["newest", "last"]
    ties: int


@overload
def deduplicate(
    records: "pl.DataFrame", key: str | Sequence[str], version: str | None = None
) -> "Deduplicated[pl.DataFrame]": ...


@overload
def deduplicate(
    records: Iterable[R], key: str | Sequence[str], version: str | None = None
) -> Deduplicated[list[R]]: ...


@overload
def deduplicate(records: Any, key: str | Sequence[str], version: str | None = None) -> Deduplicated[Any]: ...


def deduplicate(records: Any, key: str | Sequence[str], version: str | None = None) -> Deduplicated[Any]:
    """Keep one row per key: the newest version, else the last row.

    A version is a number or a moment; a text is read as one of them, and moments with a zone are compared as instants.
    The rows are in order of each key's first appearance. Takes an iterable of dicts, a ``polars.DataFrame`` or a
    ``pyarrow.Table`` and returns the same type; dicts are the same objects, not copies. With a version the answer does
    not depend on the order of the rows: where two of one version differ, the content decides. Equal rows count as one
    row, whatever the rule.

    Raises BadInput, naming row (the first is 1) and column: a missing column; null or NaN in key or version;
    types that do not compare, such as times with and without zone; a version's text that is no number, date or time.

    >>> rows = [{"who": "a", "pts": 20, "at": 1}, {"who": "b", "pts": 9, "at": 1}, {"who": "a", "pts": 22, "at": 2}]
    >>> done = deduplicate(rows, key=["who"], version="at")
    >>> [(row["who"], row["pts"]) for row in done.records], done.removed, done.keys
    ([('a', 22), ('b', 9)], 1, (('a',),))
    """
    names = (key,) if isinstance(key, str) else tuple(key)
    if not names or len(set(names)) < len(names) or version in names:
        raise BadInput(f"key {list(names)}, version {version!r}: name at least one key column, and each column once")
    kept: Literal["newest", "last"] = "last" if version is None else "newest"
    if _is(records, "polars.DataFrame"):
        chosen = _choose_in_frame(records, names, version=version)
        left = records if len(chosen.rows) == records.height else records[chosen.rows]
        return Deduplicated(left, records.height - len(chosen.rows), chosen.keys, kept, chosen.ties)
    if _is(records, "pyarrow.Table"):
        chosen = _choose_in_frame(_frame_of(records), names, version=version)
        left = records if len(chosen.rows) == records.num_rows else records.take(list(chosen.rows))
        return Deduplicated(left, records.num_rows - len(chosen.rows), chosen.keys, kept, chosen.ties)
    rows = _rows(records)
    chosen = choose(rows, key=names, version=version)
    return Deduplicated([rows[n] for n in chosen.rows], len(rows) - len(chosen.rows), chosen.keys, kept, chosen.ties)


def _is(records: object, name: str) -> bool:
    """Return whether a value has a vendor's type, without importing it."""
    package, _, last = name.partition(".")
    return any(c.__name__ == last and c.__module__.partition(".")[0] == package for c in type(records).__mro__)


def _rows(records: object) -> list[Mapping[str, Any]]:
    given = f"{type(records).__module__.partition('.')[0]}.{type(records).__name__}"
    fixes = {"polars.LazyFrame": "collect() it first", "pandas.DataFrame": "use polars.from_pandas(...)"}
    if given in fixes or isinstance(records, str | bytes | Mapping) or not isinstance(records, Iterable):
        fix = fixes.get(given, "give a list of dicts, a Polars DataFrame or an Arrow Table")
        raise BadInput(f"cannot deduplicate a {given.removeprefix('builtins.')}: {fix}")
    return list(records)


def _polars() -> Any:
    """Import Polars.

    It is optional and takes 0.2 s: only frames and tables need it.
    """
    try:
        import polars as pl
    except ImportError as error:
        text = "Arrow tables and Polars frames are deduplicated by Polars: pip install 'phasegate[polars]'"
        raise BadInput(text) from error
    return pl


def _frame_of(table: Any) -> "pl.DataFrame":
    pl = _polars()
    try:
        return pl.from_arrow(table)  # type: ignore[no-any-return]
    # The pinned Polars raises the first and the third; the others are for other releases.
    except (pl.exceptions.PolarsError, NotImplementedError, TypeError, ValueError) as error:
        raise BadInput(f"Polars cannot read this Arrow table: {error}; cast or drop the column it names") from error


def _choose_in_frame(frame: "pl.DataFrame", key: tuple[str, ...], *, version: str | None) -> Chosen:
    """Choose as ``choose`` does, by columns.

    Only rows between which the content must decide become Python values.
    """
    pl = _polars()
    if not frame.width:
        return Chosen(())
    for name in key:
        _check_column(frame, name, role="key")
    columns = {f"k{n}": pl.col(name) for n, name in enumerate(key)}
    if version is not None:
        _check_column(frame, version, role="version")
        columns["v"] = _version_in(frame, version)
    narrow = frame.select(**columns).with_row_index("row")
    # From here on the number of a key's first row represents the key.
    narrow = narrow.with_columns(first=pl.col("row").min().over([f"k{n}" for n in range(len(key))]))
    several = narrow.filter(pl.len().over("first") > 1)
    if several.is_empty():
        return Chosen(range(frame.height))
    if version is not None:
        several = several.filter(pl.col("v") == pl.col("v").max().over("first"))
    decided, ties = _decide(frame, several.filter(pl.len().over("first") > 1), version=version)
    kept = pl.col("row").max() if version is None else pl.col("row").min()
    winners = (
        narrow.select("first")
        .unique(maintain_order=True)
        .join(several.group_by("first").agg(winner=kept), on="first", how="left", maintain_order="left")
    )
    rows = winners.select(pl.coalesce("winner", "first")).to_series().to_list()
    if version is not None and decided:
        rows = [decided.get(first, row) for first, row in zip(winners["first"], rows, strict=True)]
    sample = winners.filter(pl.col("winner").is_not_null())["first"].head(SAMPLE_MAX)
    return Chosen(rows, tuple(frame.select(key)[sample].rows()), ties)


def _version_in(frame: "pl.DataFrame", version: str) -> Any:
    """Return the version column; texts as the ranks of what they say."""
    pl = _polars()
    if frame[version].dtype != pl.String:
        return pl.col(version)
    found: Sequence[Any] = ordered(frame[version].to_list(), column=version)
    ranks = {value: rank for rank, value in enumerate(sorted(set(found)))}
    return pl.Series([ranks[value] for value in found], dtype=pl.Int64)


def _decide(frame: "pl.DataFrame", level: "pl.DataFrame", *, version: str | None) -> tuple[dict[int, int], int]:
    """Decide by content between rows that no version orders.

    Return key -> row, and how many keys really differ.
    """
    pl = _polars()
    rivals = frame[level["row"]].with_columns(_below_microseconds(frame))
    names = rivals.columns
    first, row = _unused(names, "first"), _unused(names, "row")
    rivals = rivals.with_columns(level["first"].alias(first), level["row"].alias(row))
    if not any(dtype.is_nested() or dtype == pl.Object for dtype in rivals.dtypes):
        rivals = rivals.unique(subset=names, keep="first", maintain_order=True)
    rivals = rivals.filter(pl.len().over(first) > 1)
    best: dict[int, tuple[str, int]] = {}
    contents: dict[int, str] = {}
    spelled = version is not None and frame[version].dtype == pl.String
    differ: set[int] = set()
    for group, at, values in zip(rivals[first], rivals[row], rivals.select(names).iter_rows(named=True), strict=True):
        text = content(values)
        old, _ = best.setdefault(group, (text, at))
        mine = but_for(values, version) if spelled else text
        if mine != contents.setdefault(group, mine):
            differ.add(group)
        if text > old:
            best[group] = (text, at)
    return ({} if version is None else {group: at for group, (_, at) in best.items()}), len(differ)


def _below_microseconds(frame: "pl.DataFrame") -> list[Any]:
    """Return the nanoseconds that Python's times lack, as extra columns.

    Two rows may differ in nanoseconds alone.
    """
    pl = _polars()
    fine = [n for n, dtype in frame.schema.items() if getattr(dtype, "time_unit", None) == "ns"]
    return [(pl.col(n).to_physical() % 1000).alias(_unused(frame.columns, f"{n} ns")) for n in fine]


def _unused(names: Sequence[str], wanted: str) -> str:
    while wanted in names:
        wanted += "_"
    return wanted


def _check_column(frame: "pl.DataFrame", name: str, *, role: str) -> None:
    pl = _polars()
    if name not in frame.columns:
        raise BadInput(f"no column {name!r}; it has {', '.join(frame.columns)}")
    column = frame[name]
    if column.null_count():
        raise refused_null(1 + _first(column.is_null()), name, role=role)
    if column.dtype.is_float() and column.is_nan().any():
        raise refused_nan(1 + _first(column.is_nan()), name, role=role)
    versions = (pl.String, pl.Date, pl.Datetime, pl.Time, pl.Duration, pl.Null)
    ordered = column.dtype.is_numeric() or column.dtype.base_type() in versions
    whole = not column.dtype.is_nested() and column.dtype != pl.Object
    if not (ordered if role == "version" else whole):
        raise refused_kind(1, name, role=role, kind=str(column.dtype))


def _first(where: "pl.Series") -> int:
    found = where.arg_max()
    assert found is not None
    return found
