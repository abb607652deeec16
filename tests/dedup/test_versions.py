"""Versions are numbers or moments: in each shape the newer one is kept, or the text is refused by name."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasegate.dedup.deduplicate import Deduplicated, deduplicate
from phasegate.errors import BadInput

Row = dict[str, Any]
pd: Any = pytest.importorskip("pandas")
NY = ZoneInfo("America/New_York")
TEXT: dict[str, Any] = {"k": pl.Int64, "v": pl.String, "x": pl.Int64}
SHAPES: list[Callable[[list[Row]], Any]] = [
    list,
    lambda some: pl.DataFrame(some, schema=TEXT),
    lambda some: pl.DataFrame(some, schema=TEXT).to_arrow(),
    lambda some: pl.from_pandas(pd.DataFrame(some, columns=list(TEXT)).astype({"k": "int64", "x": "int64"})),
]


def plain(done: Deduplicated[Any]) -> tuple[list[Row], int, tuple[tuple[object, ...], ...], int]:
    left = done.records
    rows = left.to_pylist() if isinstance(left, pa.Table) else left.to_dicts() if hasattr(left, "to_dicts") else left
    return rows, done.removed, done.keys, done.ties


def answer(shape: Callable[[list[Row]], Any], some: list[Row]) -> object:
    try:
        return plain(deduplicate(shape(some), "k", "v"))
    except BadInput as refused:
        return str(refused)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("9", "10"),
        ("-10", "-9"),
        ("1.10", "1.9"),
        ("007", "8"),
        ("9e2", "1e3"),
        ("20260204", "20260205"),
        ("9007199254740992", "9007199254740993"),
        ("2026-02-03", "2026-02-04"),
        ("2026-02-04T06:00:00Z", "2026-02-04T06:00:00.5Z"),
        ("2026-02-04T06:00:00.123456788Z", "2026-02-04T06:00:00.123456789Z"),
        ("2026-02-04T06:00:00.10Z", "2026-02-04T06:00:00.9Z"),
        ("2026-02-04T06:00:00+00:00", "2026-02-04T01:30:00-05:00"),
        ("2026-11-01T01:45:00-04:00", "2026-11-01T01:15:00-05:00"),
        ("2026-02-04T06:00:00Z", "2026-02-04 06:00:01 UTC"),
        ("20260204T060000Z", "2026-02-04t06:00:01z"),
        ("2026-02-04T06:00", "2026-02-04T06:00:00.001"),
        ("2026-02-04T06:00Z", "9999-12-31T23:59:59-05:00"),
        ("0001-01-01T00:00:00+05:00", "2026-02-04T06:00Z"),
    ],
)
def test_a_text_is_as_new_as_the_number_or_moment_it_says(
    shape: Callable[[list[Row]], Any], old: str, new: str
) -> None:
    rows = [{"k": 1, "v": old, "x": 1}, {"k": 1, "v": new, "x": 2}]
    for some in (rows, rows[::-1]):
        assert plain(deduplicate(shape(some), "k", "v")) == ([rows[1]], 1, ((1,),), 0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10", "10.0"),
        ("2026-02-04T06:00:00Z", "2026-02-04T01:00:00.000-05:00"),
        ("2026-02-04T06:00:00", "2026-02-04 06:00"),
    ],
)
def test_equal_versions_of_different_content_are_counted_however_they_are_spelled(
    shape: Callable[[list[Row]], Any], one: str, other: str
) -> None:
    for content, ties in ((2, 1), (1, 0)):
        done = deduplicate(shape([{"k": 1, "v": one, "x": 1}, {"k": 1, "v": other, "x": content}]), "k", "v")
        assert (done.removed, done.ties) == (1, ties)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "text",
    [
        *("", " 9", "9 ", "v2", "1,5", "nan", "inf", "٩", "4 Feb 2026", "02/04/2026", "2026-02-30", "06:00:00"),
        *("2026-02-04T25:00:00Z", "2026-02-04T06:00:00+99:00", "2026-02-04T06.5Z", "2026-02-04T06:00Z[UTC]"),
    ],
)
def test_a_text_that_is_neither_is_refused_with_row_column_value_and_fix(
    shape: Callable[[list[Row]], Any], text: str
) -> None:
    with pytest.raises(BadInput) as refused:
        deduplicate(shape([{"k": 1, "v": text, "x": 0}]), "k", "v")
    assert str(refused.value) == (
        f"row 1: version 'v' is the text {text!r}, which is not a number, an ISO date or an ISO time; "
        'write it as 10, 2026-02-04 or "2026-02-04T06:00:00Z"'
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("first", "other", "has"),
    [
        ("2026-02-04T06:00:00Z", "9", "'9' is a number, '2026-02-04T06:00:00Z' in row 1 is a time with zone"),
        (
            "2026-02-04",
            "2026-02-04T06:00",
            "'2026-02-04T06:00' is a time without zone, '2026-02-04' in row 1 is a date",
        ),
    ],
)
def test_texts_of_two_kinds_are_refused(shape: Callable[[list[Row]], Any], first: str, other: str, has: str) -> None:
    with pytest.raises(BadInput) as refused:
        deduplicate(shape([{"k": 1, "v": first, "x": 0}, {"k": 2, "v": other, "x": 0}]), "k", "v")
    assert str(refused.value) == f"row 2: version 'v': {has}; make the column one kind"


offsets = st.sampled_from(["Z", "+00:00", "-05:00", "+05:30"])
times = st.builds(
    lambda hour, second, fraction, offset: f"2026-02-04T{hour:02}:00:{second:02}{fraction}{offset}",
    st.sampled_from([0, 1, 5, 6]),
    st.sampled_from([0, 9, 10]),
    st.sampled_from(["", ".5", ".05", ".4999999999"]),
    offsets,
)
numbers = st.sampled_from(["9", "10", "010", "-1", "1e1", "9.5", "0.0", "-0"])


@given(
    st.one_of(
        *(
            st.lists(st.fixed_dictionaries({"k": st.integers(0, 1), "v": texts, "x": st.integers(0, 1)}), max_size=6)
            for texts in (times, numbers, st.one_of(times, numbers, st.just("soon")))
        )
    )
)
def test_lists_polars_arrow_and_pandas_agree_on_versions_of_text(some: list[Row]) -> None:
    answers = [answer(shape, some) for shape in SHAPES]
    assert answers[1:] == answers[:1] * 3


moments = st.builds(
    lambda minutes, micros: datetime(2026, 11, 1, 4, 30, tzinfo=UTC) + timedelta(minutes=minutes, microseconds=micros),
    st.integers(0, 8).map(lambda quarter: 15 * quarter),
    st.integers(0, 1),
)


@given(st.lists(st.tuples(moments, moments, st.integers(0, 1)), max_size=8))
def test_the_repeated_hour_has_the_order_and_the_keys_of_its_instants(
    some: list[tuple[datetime, datetime, int]],
) -> None:
    rows = [{"k": k, "v": v, "x": x} for k, v, x in some]
    local = [{"k": k.astimezone(NY), "v": v.astimezone(NY), "x": x} for k, v, x in some]
    schema: dict[str, Any] = {
        "k": pl.Datetime("us", "America/New_York"),
        "v": pl.Datetime("us", "America/New_York"),
        "x": pl.Int64,
    }
    frame = pl.DataFrame(rows, schema=schema)
    expected = plain(deduplicate(rows, "k", "v"))
    for shape in (local, frame, frame.to_arrow()):
        left, removed, keys, ties = plain(deduplicate(shape, "k", "v"))
        assert [{name: at_utc(value) for name, value in row.items()} for row in left] == expected[0]
        assert (removed, ties) == (expected[1], expected[3])
        assert [tuple(map(at_utc, key)) for key in keys] == list(expected[2])


def at_utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def test_one_instant_in_two_zones_is_one_key_in_the_repeated_hour_too() -> None:
    one = datetime(2026, 11, 1, 1, 30, tzinfo=NY, fold=1)
    assert deduplicate([{"at": one}, {"at": one.astimezone(timezone(timedelta(hours=9)))}], "at").removed == 1
    assert deduplicate([{"at": one.replace(fold=0)}, {"at": one}], "at").removed == 0


def test_rows_that_differ_in_the_pass_of_the_repeated_hour_alone_are_a_tie() -> None:
    rows = [{"k": 1, "at": [datetime(2026, 11, 1, 1, 30, tzinfo=NY, fold=fold)]} for fold in (0, 1)]
    assert deduplicate(rows, "k").ties == 1


def test_a_pandas_time_decides_by_its_nanoseconds() -> None:
    old, new = (pd.Timestamp(f"2026-11-01T01:30:00.00000000{n}-05:00").tz_convert(NY) for n in (1, 2))
    assert deduplicate([{"k": 1, "v": new}, {"k": 1, "v": old}], "k", "v").records == [{"k": 1, "v": new}]


@pytest.mark.parametrize("role", ["key", "version"])
def test_a_time_of_the_repeated_hour_without_its_zone_is_refused(role: str) -> None:
    late = datetime(2026, 11, 1, 1, 30, fold=1)  # noqa: DTZ001  that is the point
    row = {"k": late, "v": 1} if role == "key" else {"k": 1, "v": late}
    with pytest.raises(BadInput, match=rf"^row 1: {role} '[kv]' is 2026-11-01 01:30:00, .* give its zone$"):
        deduplicate([row], "k", "v")


def test_the_last_moment_of_all_in_a_western_zone_is_a_version_a_key_and_a_value() -> None:
    end = datetime(9999, 12, 31, 23, 59, tzinfo=NY)
    rows = [{"k": end, "v": end, "x": end}, {"k": end, "v": end, "x": end - timedelta(days=1)}]
    assert deduplicate(rows, "k", "v").ties == 1
    assert deduplicate([{"k": 1, "v": date(2026, 2, 3)}, {"k": 1, "v": date(2026, 2, 4)}], "k", "v").ties == 0
