"""deduplicate(): lists, Polars frames and Arrow tables answer alike, whatever the order of the rows."""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasegate.dedup.choose import SAMPLE_MAX, content
from phasegate.dedup.deduplicate import Deduplicated, deduplicate

Row = dict[str, Any]
SCHEMA: dict[str, Any] = {
    "day": pl.Date,
    "who": pl.String,
    "at": pl.Int64,
    "pts": pl.Float64,
    "note": pl.String,
    "more": pl.List(pl.Int64),
}
AT = datetime(2026, 2, 3, 20, 0, tzinfo=UTC)

rows = st.lists(
    st.fixed_dictionaries(
        {
            "day": st.sampled_from([date(2026, 2, 3), date(2026, 2, 4)]),
            "who": st.sampled_from(["a", "b", "é"]),
            "at": st.integers(-1, 1),
            "pts": st.sampled_from([None, 0.0, -0.0, 1.5, 1e300, float("inf")]),
            "note": st.sampled_from([None, "", "x", "\u2028", "\U0001f600"]),
            "more": st.sampled_from([None, [], [1], [1, None]]),
        }
    ),
    max_size=12,
)


def frame(some: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(some, schema=SCHEMA)


def by_list(some: list[Row], version: str | None) -> Deduplicated[list[Row]]:
    return deduplicate(some, ["day", "who"], version)


def by_polars(some: list[Row], version: str | None) -> Deduplicated[list[Row]]:
    done = deduplicate(frame(some), ["day", "who"], version)
    assert isinstance(done.records, pl.DataFrame)
    assert done.records.schema == frame(some).schema
    return Deduplicated(done.records.to_dicts(), done.removed, done.keys, done.kept, done.ties)


def by_arrow(some: list[Row], version: str | None) -> Deduplicated[list[Row]]:
    given_table = frame(some).to_arrow().replace_schema_metadata({"made": "by hand"})
    done = deduplicate(given_table, ["day", "who"], version)
    assert isinstance(done.records, pa.Table)
    assert done.records.schema.equals(given_table.schema, check_metadata=True)
    return Deduplicated(done.records.to_pylist(), done.removed, done.keys, done.kept, done.ties)


@given(rows, st.sampled_from(["at", None]))
def test_lists_frames_and_tables_answer_alike(some: list[Row], version: str | None) -> None:
    by_rows = by_list(some, version)
    assert by_polars(some, version) == by_rows
    assert by_arrow(some, version) == by_rows


@given(rows, st.sampled_from(["at", None]))
def test_what_is_left_has_each_key_once_and_doing_it_again_changes_nothing(
    some: list[Row], version: str | None
) -> None:
    done = by_list(some, version)
    keys = [(row["day"], row["who"]) for row in done.records]
    assert keys == list(dict.fromkeys((row["day"], row["who"]) for row in some)), "in order of first appearance"
    assert len(done.records) + done.removed == len(some)
    again = by_list(done.records, version)
    assert (again.records, again.removed, again.keys, again.ties) == (done.records, 0, (), 0)


@given(rows, st.randoms(use_true_random=False))
def test_with_a_version_the_order_of_the_rows_does_not_matter(some: list[Row], rng: random.Random) -> None:
    other = rng.sample(some, len(some))

    def left(done: Deduplicated[list[Row]]) -> tuple[dict[tuple[object, ...], Row], int, int]:
        return {(row["day"], row["who"]): row for row in done.records}, done.removed, done.ties

    assert left(by_list(other, "at")) == left(by_list(some, "at"))
    assert left(by_polars(other, "at")) == left(by_list(some, "at"))


@given(rows)
def test_the_newest_version_wins_and_without_one_the_last_row(some: list[Row]) -> None:
    for row in by_list(some, "at").records:
        assert row["at"] == max(one["at"] for one in some if (one["day"], one["who"]) == (row["day"], row["who"]))
    last = {(one["day"], one["who"]): one for one in some}
    assert by_list(some, None).records == list(last.values())


def test_the_night_of_3_february_has_72_duplicates_beside_348_rows() -> None:
    night: list[Row] = [
        {"game_date": date(2026, 2, 3), "player_lookup": f"player{n}", "points": n % 40} for n in range(348)
    ]
    done = deduplicate(night + [dict(row) for row in night[:72]], key=["game_date", "player_lookup"])
    assert (len(done.records), done.removed, done.ties) == (348, 72, 0)
    assert done.keys == tuple((date(2026, 2, 3), f"player{n}") for n in range(SAMPLE_MAX))
    assert done.records == night


def test_ties_are_counted_only_where_no_version_tells_which_row_is_newer() -> None:
    def ties(version: str | None, *some: tuple[int, str]) -> int:
        found = {
            deduplicate(shape([{"k": 1, "at": at, "x": x} for at, x in some]), ["k"], version).ties
            for shape in (list, pl.DataFrame)
        }
        assert len(found) == 1
        return found.pop()

    assert ties("at", (1, "a"), (2, "b")) == 0, "the newer one is known"
    assert ties("at", (1, "a"), (1, "b"), (2, "c")) == 0, "what lost does not matter"
    assert ties("at", (1, "a"), (1, "a")) == 0, "equal rows are one row"
    assert ties("at", (1, "a"), (2, "b"), (2, "c")) == 1
    assert ties(None, (1, "a"), (1, "a")) == 0
    assert ties(None, (1, "a"), (2, "b")) == 1


def test_the_report_says_which_rule_was_used() -> None:
    assert deduplicate([{"k": 1}], ["k"]).kept == "last"
    assert deduplicate([{"k": 1, "v": 1}], ["k"], version="v").kept == "newest"


def test_dicts_are_handed_back_themselves_and_nothing_given_is_changed() -> None:
    some: list[Row] = [{"k": 2, "v": 1}, {"k": 1, "v": 1}, {"k": 2, "v": 3}]
    before = [dict(row) for row in some]
    done = deduplicate(iter(some), "k", "v")
    assert done.records[0] is some[2]
    assert done.records[1] is some[1]
    assert some == before


def test_a_frame_without_duplicates_is_handed_back_itself() -> None:
    one = pl.DataFrame({"k": [2, 1], "v": [1, 1]})
    assert deduplicate(one, "k", "v").records is one
    table = one.to_arrow()
    assert deduplicate(table, "k", "v").records is table


@pytest.mark.parametrize("shape", [list, pl.DataFrame, lambda some: pl.DataFrame(some).to_arrow()])
def test_no_rows_are_no_duplicates(shape: Callable[[list[Row]], Any]) -> None:
    done = deduplicate(shape([]), ["k"], "v")
    assert (len(done.records), done.removed, done.keys) == (0, 0, ())


@pytest.mark.parametrize(
    "versions",
    [
        (1, 2**63),
        (1, 1.5),
        (Decimal("1.10"), Decimal("1.2")),
        ("2026-02-03", "2026-02-04"),
        (AT.replace(tzinfo=None), AT.replace(tzinfo=None) + timedelta(microseconds=1)),
        (AT, AT.astimezone(timezone(timedelta(hours=-5))) + timedelta(seconds=1)),
        (date(2026, 2, 3), date(2026, 2, 4)),
        (time(1), time(2)),
        (timedelta(1), timedelta(2)),
        (float("-inf"), float("inf")),
    ],
    ids=lambda pair: type(pair[0]).__name__,
)
def test_versions_may_be_numbers_text_dates_and_times(versions: tuple[Any, Any]) -> None:
    old, new = ({"k": 1, "v": v} for v in versions)
    for some in ([old, new], [new, old]):
        assert deduplicate(some, "k", "v").records == [new]


def test_nanoseconds_decide_where_python_cannot_see_them() -> None:
    stamps = pl.Series([1, 2, 2], dtype=pl.Int64).cast(pl.Datetime("ns"))
    frame = pl.DataFrame({"k": [1, 1, 1], "v": stamps, "x": pl.Series([0, 5, 6]).cast(pl.Datetime("ns"))})
    kept = deduplicate(frame, "k", "v")
    turned = deduplicate(frame.reverse(), "k", "v")
    assert kept.records["x"].to_physical().to_list() == turned.records["x"].to_physical().to_list() == [6]
    assert kept.ties == turned.ties == 1


COLUMN_NAMES = ["row", "first", "v", "k0", "winner", "literal"]


def test_no_column_name_is_reserved() -> None:
    some: list[Row] = [{name: n for n, name in enumerate(COLUMN_NAMES)} | {"row": 1, "first": x} for x in (5, 9, 7)]
    for shape in (list, pl.DataFrame):
        done = deduplicate(shape(some), "row", "winner")
        left = done.records if isinstance(done.records, list) else done.records.to_dicts()
        assert (left, done.ties) == ([some[1]], 1)


class Team(Enum):
    LAL = "Lakers"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (1, "1", False),
        (Decimal("1.50"), 1.5, True),
        (Decimal(100), 100, True),
        (0.0, -0.0, True),
        (float("nan"), float("nan"), True),
        (Decimal("NaN"), float("nan"), True),
        (AT, AT.astimezone(timezone(timedelta(hours=9))), True),
        (AT, AT.replace(tzinfo=None), False),
        (AT.date(), AT.replace(tzinfo=None), False),
        (time(1), timedelta(hours=1), False),
        ({"b": 1, "a": None}, {"b": 1}, True),
        ([1, None], [1], False),
        ((1, 2), [1, 2], True),
        (b"\x00", b"\x01", False),
        (UUID(int=1), UUID(int=1), True),
        (Team.LAL, "Lakers", True),
        ('","', ["", ""], False),
    ],
)
def test_content_is_equal_exactly_if_rows_say_the_same(one: object, other: object, same: bool) -> None:
    assert (content({"x": one}) == content({"x": other})) is same
