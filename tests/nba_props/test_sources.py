"""What every source promises, asked of every kind of source."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from nba_props.own.checked import CheckedSource
from nba_props.own.csv_file import csv_source
from nba_props.raw import RawRow, check_rows
from nba_props.raw_tables import PROPS, SCHEDULE, SHOTS, check_table, in_order
from nba_props.sources import EASTERN, Source, eastern_date, every_date, season_of_date
from nba_props.sources.live import LiveSource
from nba_props.sources.recorded import RecordedSource
from nba_props.sources.synthetic import SyntheticSource
from tests.support import league_bodies as bodies
from tests.support.own_sources import write_csv_source

DAY = date(2025, 1, 10)
WEEK = (DAY - timedelta(days=3), DAY + timedelta(days=3))


def recorded(folder: Path) -> Source:
    named = {
        "log": bodies.gamelog(),
        "plan": bodies.league_schedule(bodies.planned()),
        "shots": bodies.shots(bodies.shot(1)),
    }
    for name, body in named.items():
        (folder / f"{name}.json").write_text(json.dumps(body))
    return RecordedSource(folder)


def live(_: Path) -> Source:
    answers = {
        "leaguegamelog": bodies.gamelog(),
        "scheduleleaguev2": bodies.league_schedule(bodies.planned()),
        "shotchartdetail": bodies.shots(bodies.shot(1)),
    }
    return LiveSource(request=lambda endpoint, _: answers[endpoint], sleep=lambda _: None)


def synthetic(_: Path) -> Source:
    return SyntheticSource()


class Three:
    """The methods that a source of one's own must have."""

    schedule = SyntheticSource().schedule
    batch = SyntheticSource().batch
    coverage = SyntheticSource().coverage


def own(_: Path) -> Source:
    return CheckedSource(Three(), where="own")


def csv(folder: Path) -> Source:
    return csv_source(write_csv_source(folder, *every_date(*WEEK)))


@pytest.fixture(params=[recorded, live, synthetic, own, csv], ids=lambda make: str(make.__name__))
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    made: Source = request.param(tmp_path)
    return made


def asked(source: Source) -> list[tuple[Callable[[], list[RawRow]], str]]:
    return [
        (lambda: source.batch(DAY), "box scores"),
        (lambda: source.schedule(*WEEK), "schedule"),
        (lambda: source.props(DAY), "props"),
        (lambda: source.shots(DAY), "shots"),
    ]


def test_rows_fit_their_tables_and_are_in_order(source: Source) -> None:
    check_rows(source.batch(DAY), where="x")
    for table, rows in ((SCHEDULE, source.schedule(*WEEK)), (PROPS, source.props(DAY)), (SHOTS, source.shots(DAY))):
        check_table(table, rows, where="x")
        assert rows == in_order(table, rows)


def test_an_answer_is_the_same_each_time_and_the_caller_s_own(source: Source) -> None:
    for ask, what in asked(source):
        first = ask()
        kept = [dict(row) for row in first]
        for row in first:
            row.clear()
        again = ask()
        for row in (*kept, *again):
            row.pop("source_updated_at", None)  # a live source stamps the time of asking
        assert again == kept, what


def test_played_dates_are_scheduled_and_covered(source: Source) -> None:
    dates = source.dates(*WEEK)
    assert DAY in dates
    scheduled = {row["game_date"] for row in source.schedule(*WEEK)}
    assert set(dates) <= scheduled
    for day in dates:
        assert any(begin <= day <= end for begin, end in source.coverage(*WEEK))
    assert {row["game_id"] for row in source.batch(DAY)} == {row["game_id"] for row in source.schedule(DAY, DAY)}
    for row in source.schedule(*WEEK):
        if isinstance(row["tipoff_at"], datetime):
            assert eastern_date(row["tipoff_at"]) == row["game_date"]


def test_spans_are_cut_to_what_was_asked_and_backwards_is_nothing(source: Source) -> None:
    for begin, end in source.coverage(DAY, DAY):
        assert begin == end == DAY
    assert source.coverage(DAY, DAY - timedelta(days=1)) == []
    assert source.schedule(DAY, DAY - timedelta(days=1)) == []
    assert source.dates(DAY, DAY - timedelta(days=1)) == []


def test_lines_of_a_moment_are_those_captured_by_then(source: Source) -> None:
    newest = source.props(DAY)
    ten = datetime.combine(DAY, time(10), tzinfo=EASTERN)
    assert source.props(DAY, at=ten) == newest  # nothing of these sources is captured later
    assert source.props(DAY, at=datetime(2025, 1, 1, tzinfo=UTC)) == []


def test_of_whole_games_and_players_apart_there_is_nothing_to_tell(source: Source) -> None:
    for ask, _ in asked(source):
        ask()
    assert source.notices(*WEEK) == []


def test_july_parts_the_seasons() -> None:
    assert season_of_date(date(2025, 6, 30)) == "2024-25"
    assert season_of_date(date(2025, 7, 1)) == "2025-26"
