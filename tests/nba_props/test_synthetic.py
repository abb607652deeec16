import os
import random
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_props.names import find_collisions
from nba_props.raw import COLUMNS, RawRow
from nba_props.raw_tables import PROPS, SCHEDULE, check_table
from nba_props.sources import Source, eastern_date
from nba_props.sources.batches import restamp, split_games, split_late
from nba_props.sources.boxscore import play
from nba_props.sources.people import FIRST_PLAYER_ID, rosters
from nba_props.sources.synthetic import SyntheticSource, night_of_2026_02_03
from nba_props.teams import TEAMS
from tests.support.real_data import ROOT

DAY = date(2025, 1, 10)
SEEDS = st.integers(0, 10**9)
DAYS = st.dates(date(2000, 1, 1), date(2100, 1, 1))


def games_of(rows: list[RawRow]) -> set[object]:
    return {row["game_id"] for row in rows}


def sums_by_team(rows: list[RawRow], column: str) -> dict[tuple[object, object], int]:
    sums: Counter[tuple[object, object]] = Counter()
    for row in rows:
        sums[row["game_id"], row["team_abbr"]] += cast("int", row[column])
    return dict(sums)


@given(seed=SEEDS, day=DAYS)
def test_a_night_is_five_to_ten_games_of_teams_that_play_once(seed: int, day: date) -> None:
    rows = SyntheticSource(seed=seed).batch(day)
    sides = {(row["game_id"], row["team_abbr"]) for row in rows}
    assert 5 <= len(games_of(rows)) <= 10
    assert len(sides) == 2 * len(games_of(rows)) == len({team for _, team in sides})
    assert {team for _, team in sides} <= set(TEAMS)
    assert set(Counter((row["game_id"], row["team_abbr"]) for row in rows).values()) <= {15, 16, 17, 18}


@given(seed=SEEDS, day=DAYS)
def test_team_totals_are_those_of_a_game(seed: int, day: date) -> None:
    rows = SyntheticSource(seed=seed).batch(day)
    points, plus_minus = sums_by_team(rows, "points"), sums_by_team(rows, "plus_minus")
    assert set(sums_by_team(rows, "minutes").values()) == {240}
    for row in rows:
        side, other = (row["game_id"], row["team_abbr"]), (row["game_id"], row["opponent_team_abbr"])
        assert row["win_flag"] == (points[side] > points[other])
        assert points[side] != points[other]
        assert plus_minus[side] == 5 * (points[side] - points[other])
        assert cast("int", row["minutes"]) <= 48


def test_a_side_that_ties_gets_one_more_free_throw() -> None:
    class Even(random.Random):
        def random(self) -> float:
            return 0.5

    squads = [rosters(1)[team] for team in ("BOS", "NYK")]
    first, second = play(Even(), (squads[0], squads[1]))
    assert sum(line.points for line in first) == sum(line.points for line in second) + 1
    assert first[0].free_throws_made == second[0].free_throws_made + 1
    assert first[0].free_throws_made <= first[0].free_throws_attempted


def test_the_night_has_ten_games_and_348_rows_72_of_them_in_the_first_two_games() -> None:
    for seed in range(20):
        rows = night_of_2026_02_03(seed=seed)
        early, late = split_games(rows, early=2)
        assert (len(games_of(rows)), len(rows), len(early), len(late)) == (10, 348, 72, 276)
        assert {row["game_date"] for row in rows} == {date(2026, 2, 3)}
        assert {row["season"] for row in rows} == {"2025-26"}


def test_the_same_seed_gives_the_same_rows_whatever_was_asked_before() -> None:
    first, second = SyntheticSource(seed=3), SyntheticSource(seed=3)
    second.batch(date(2025, 1, 9))
    assert first.batch(DAY) == second.batch(DAY)
    assert first.batch(DAY) != SyntheticSource(seed=4).batch(DAY)


def test_another_process_gives_the_same_rows() -> None:
    code = "from nba_props.sources.synthetic import night_of_2026_02_03 as n; print(n(seed=11))"
    printed = set()
    for hashes in ("1", "2"):
        environ = {**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": str(ROOT / "src")}
        command = [sys.executable, "-c", code]
        printed.add(subprocess.run(command, capture_output=True, text=True, check=True, env=environ).stdout)
    assert printed == {f"{night_of_2026_02_03(seed=11)}\n"}


def test_every_date_has_games_and_rows_carry_the_morning_after() -> None:
    source: Source = SyntheticSource()
    days = source.dates(DAY, DAY + timedelta(days=2))
    assert days == [date(2025, 1, 10), date(2025, 1, 11), date(2025, 1, 12)]
    assert source.dates(DAY, DAY) == [DAY]
    assert source.dates(DAY, DAY - timedelta(days=1)) == []
    assert source.updated_at(DAY) == datetime(2025, 1, 11, 6, tzinfo=UTC)
    assert {row["source_updated_at"] for row in source.batch(DAY)} == {source.updated_at(DAY)}


def test_rows_have_the_raw_columns_in_order() -> None:
    assert {tuple(row) for row in SyntheticSource().batch(DAY)} == {tuple(COLUMNS)}


@given(seed=SEEDS)
def test_players_are_invented_and_told_apart_by_lookup(seed: int) -> None:
    players = [player for roster in rosters(seed).values() for player in roster]
    assert len({player.lookup for player in players}) == len({player.player_id for player in players}) == 540
    assert min(player.player_id for player in players) == FIRST_PLAYER_ID
    assert find_collisions((player.player_id, player.name) for player in players) == {}


@given(seed=SEEDS, share=st.floats(0, 1))
def test_a_late_batch_is_whole_games_and_nothing_is_lost(seed: int, share: float) -> None:
    rows = SyntheticSource().batch(DAY)
    early, late = split_late(rows, share=share, rng=random.Random(seed))
    assert not games_of(early) & games_of(late)
    assert [row for row in rows if row in early or row in late] == rows
    assert len(early) + len(late) == len(rows)
    if 0 < share < 1:
        assert early
        assert late
    else:
        assert bool(late) == (share == 1)


def test_a_single_game_is_never_late_in_part() -> None:
    one, _ = split_games(SyntheticSource().batch(DAY), early=1)
    assert split_late(one, share=0.5, rng=random.Random(1)) == (one, [])
    assert split_late([], share=0.5, rng=random.Random(1)) == ([], [])


def test_arguments_out_of_bounds_are_refused() -> None:
    rows = SyntheticSource().batch(DAY)
    with pytest.raises(ValueError, match=r"early = 11, but the rows hold \d+ games"):
        split_games(rows, early=11)
    with pytest.raises(ValueError, match=r"share = 1\.5"):
        split_late(rows, share=1.5, rng=random.Random(1))
    with pytest.raises(ValueError, match="has no time zone"):
        restamp(rows, at=datetime(2025, 1, 11))  # noqa: DTZ001


@given(seed=SEEDS, day=DAYS)
def test_the_schedule_is_of_the_games_that_are_played(seed: int, day: date) -> None:
    source = SyntheticSource(seed=seed)
    planned, rows = source.schedule(day, day), source.batch(day)
    check_table(SCHEDULE, planned, where="x")
    sides = {(row["game_id"], row["team_abbr"]) for row in rows}
    assert {(row["game_id"], row[side]) for row in planned for side in ("team_a_abbr", "team_b_abbr")} == sides
    assert {(row["game_id"], row[side]) for row in planned for side in ("home_team_abbr", "away_team_abbr")} == sides
    first, last = (datetime.combine(day, time(23), tzinfo=UTC) + timedelta(hours=hours) for hours in (0, 4.5))
    for row in planned:
        assert first <= cast("datetime", row["tipoff_at"]) <= last
        assert eastern_date(cast("datetime", row["tipoff_at"])) == day
        assert row["season"] == rows[0]["season"]


@given(seed=SEEDS, day=DAYS)
def test_half_of_each_roster_that_plays_has_a_line(seed: int, day: date) -> None:
    source = SyntheticSource(seed=seed)
    props, rows = source.props(day), source.batch(day)
    check_table(PROPS, props, where="x")
    assert len(props) == 9 * 2 * len(games_of(rows))
    assert {row["player_lookup"] for row in props} & {row["player_lookup"] for row in rows}
    assert source.shots(day) == []


def test_some_lines_have_moved_and_some_have_no_price() -> None:
    source = SyntheticSource()
    props = [row for ahead in range(10) for row in source.props(DAY + timedelta(days=ahead))]
    assert 0.05 < sum(row["over_price"] is None for row in props) / len(props) < 0.15
    moved = [row for row in props if row["line_moves"]]
    assert 0.05 < len(moved) / len(props) < 0.15
    assert all(row["points_line"] != row["line_first"] for row in moved)


def test_a_restamped_batch_differs_in_its_version_only() -> None:
    rows, later = SyntheticSource().batch(DAY), datetime(2025, 1, 11, 14, tzinfo=UTC)
    again = restamp(rows, at=later)
    assert {row["source_updated_at"] for row in again} == {later}
    assert restamp(again, at=SyntheticSource().updated_at(DAY)) == rows
