"""What deduplicate() refuses, each with its one line, and alike for lists, Polars frames and Arrow tables."""

import sys
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from phasegate.dedup.deduplicate import deduplicate
from phasegate.errors import BadInput

Row = dict[str, Any]
AT = datetime(2026, 2, 3, 20, 0, tzinfo=UTC)
REFUSED: dict[str, tuple[list[Row], str]] = {
    "null key": ([{"k": 1, "v": 1}, {"k": None, "v": 1}], "row 2: key 'k' is null; fill it in, or leave the row out"),
    "null version": (
        [{"k": 1, "v": 1}, {"k": 2, "v": None}],
        "row 2: version 'v' is null; fill it in, or leave the row out",
    ),
    "NaN version": (
        [{"k": 1, "v": 1.0}, {"k": 1, "v": float("nan")}],
        "row 2: version 'v' is NaN, which has no order; repair it where it was computed",
    ),
    "NaN key": (
        [{"k": float("nan"), "v": 1}],
        "row 1: key 'k' is NaN, which has no order; repair it where it was computed",
    ),
    "boolean version": ([{"k": 1, "v": True}], "row 1: version 'v' is {}; use numbers, text, dates or times"),
    "list as key": ([{"k": [1], "v": 1}], "row 1: key 'k' is {}; use values without lists or objects inside"),
    "bytes as version": ([{"k": 1, "v": b"x"}], "row 1: version 'v' is {}; use numbers, text, dates or times"),
}
KINDS = {
    "boolean version": ("true or false", "Boolean"),
    "list as key": ("a list", "List(Int64)"),
    "bytes as version": ("a bytes", "Binary"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_compared_is_refused_by_name_whatever_the_shape(case: str) -> None:
    some, text = REFUSED[case]
    shapes: list[tuple[Any, str]] = [
        (some, KINDS.get(case, ("",))[0]),
        (pl.DataFrame(some, strict=False), KINDS.get(case, ("", ""))[-1]),
        (pl.DataFrame(some, strict=False).to_arrow(), KINDS.get(case, ("", ""))[-1]),
    ]
    for shape, kind in shapes:
        with pytest.raises(BadInput) as refused:
            deduplicate(shape, ["k"], "v")
        assert str(refused.value) == text.format(kind)


@pytest.mark.parametrize(
    ("some", "text"),
    [
        (
            [{"k": 1, "v": AT}, {"k": 1, "v": AT.replace(tzinfo=None)}],
            "row 2: version 'v' is naive time here, time with zone in row 1; make the column one type",
        ),
        (
            [{"k": AT.replace(tzinfo=None), "v": 1}, {"k": AT, "v": 1}],
            "row 2: key 'k' is time with zone here, naive time in row 1; make the column one type",
        ),
        (
            [{"k": "1", "v": 1}, {"k": "2", "v": 1}, {"k": 1, "v": 1}],
            "row 3: key 'k' is number here, text in row 1; make the column one type",
        ),
        (
            [{"k": True, "v": 1}, {"k": 1, "v": 1}],
            "row 2: key 'k' is number here, true or false in row 1; make the column one type",
        ),
        (
            [{"k": 1, "v": AT}, {"k": 1, "v": AT.date()}],
            "row 2: version 'v' is date here, time with zone in row 1; make the column one type",
        ),
        ([{"k": 1, "v": 1}, {"v": 1, "x": 2}], "row 2: no column 'k'; it has v, x"),
        ([{"k": 1, "v": 1}, {}], "row 2: no column 'k'; it has none"),
        ([{"k": 1, "v": 1}, [1, 2]], "row 2: a list is not a row; give mappings from column to value"),
        (
            [{"k": 1, "v": 1, "x": object()}, {"k": 1, "v": 1, "x": object()}],
            "two rows differ in a object, which has no order; give a version, or plain values",
        ),
        (pl.DataFrame({"a": [1]}), "no column 'k'; it has a"),
        (pl.DataFrame({"k": [1]}).lazy(), "cannot deduplicate a polars.LazyFrame: collect() it first"),
        (
            {"k": [1]},
            "cannot deduplicate a dict: give a list of dicts, a Polars DataFrame or an Arrow Table",
        ),
        ("k", "cannot deduplicate a str: give a list of dicts, a Polars DataFrame or an Arrow Table"),
        (7, "cannot deduplicate a int: give a list of dicts, a Polars DataFrame or an Arrow Table"),
    ],
)
def test_rows_that_do_not_fit_together_are_refused_by_name(some: Any, text: str) -> None:
    with pytest.raises(BadInput) as refused:
        deduplicate(some, ["k"], "v")
    assert str(refused.value) == text


@pytest.mark.parametrize("version", [pl.Categorical, pl.Enum(["a", "b"])])
def test_a_version_whose_order_is_not_that_of_its_text_is_refused(version: Any) -> None:
    frame = pl.DataFrame({"k": [1, 1], "v": pl.Series(["a", "b"], dtype=version)})
    with pytest.raises(BadInput, match=r"^row 1: version 'v' is (Categorical|Enum)"):
        deduplicate(frame, "k", "v")
    assert deduplicate(frame, "v").removed == 0, "as a key it is fine"


@pytest.mark.parametrize(("key", "version"), [([], None), (["k", "k"], None), (["k"], "k")])
def test_a_key_that_makes_no_sense_is_refused(key: list[str], version: str | None) -> None:
    with pytest.raises(BadInput, match=r"name at least one key column, and each column once$"):
        deduplicate([{"k": 1}], key, version)


def test_without_polars_frames_are_refused_with_the_mend_and_lists_work(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table({"k": [1, 1]})
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(BadInput) as refused:
        deduplicate(table, "k")
    assert str(refused.value) == (
        "Arrow tables and Polars frames are deduplicated by Polars: pip install 'phasegate[polars]'"
    )
    assert deduplicate([{"k": 1}, {"k": 1}], "k").removed == 1
