"""Dates on which real schedules did what schedules do, played through the whole pipeline. Needs the real data."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pytest

from nba_props.replay.runner import Runner
from nba_props.sources.parquet import ParquetSource

pytestmark = pytest.mark.slow

Rows = Sequence[dict[str, object]]
Play = Callable[..., Runner]
TEAMS = "nba_analytics.upcoming_team_game_context"
PLAYERS = "nba_analytics.upcoming_player_game_context"


@pytest.fixture(scope="module")
def source(nba_data: Path) -> ParquetSource:
    return ParquetSource(nba_data)


@pytest.fixture
def play(source: ParquetSource, tmp_path: Path) -> Play:
    """Return a function that plays spans of dates, and leaves the pipeline open."""

    def played(*spans: tuple[str, str]) -> Runner:
        runner = Runner(source, state=tmp_path)
        for first, last in spans:
            done = runner.run(date.fromisoformat(first), date.fromisoformat(last))
            assert done.unsettled == ()
            assert done.dead_letters == 0
        return runner

    return played


def test_a_new_season_knows_nothing_of_the_one_before(play: Play) -> None:
    runner = play(("2023-04-08", "2023-04-09"), ("2023-10-24", "2023-10-25"))
    teams = f"SELECT game_date, max(games_played) AS games, count(*) AS n FROM {TEAMS} GROUP BY 1 ORDER BY 1"
    found = {str(row["game_date"]): (row["games"], row["n"]) for row in runner.pipeline.query(teams)}
    assert found["2023-10-24"] == (0, 4)
    assert found["2023-10-25"][0] == 0, "none of the four teams of the first night plays on the second"
    players = f"SELECT count(*) AS n FROM {PLAYERS} WHERE game_date = DATE '2023-10-24'"
    assert runner.pipeline.query(players)[0]["n"] == 0
    runner.close()


def test_the_days_of_the_all_star_break_open_no_run_and_raise_no_alarm(play: Play) -> None:
    runner = play(("2025-02-12", "2025-02-20"))
    opened = {view.run[:10] for view in runner.pipeline.views.phases()}
    assert opened == {"2025-02-12", "2025-02-13", "2025-02-19", "2025-02-20"}
    for day in ("2025-02-14", "2025-02-16", "2025-02-18"):
        known = runner.pipeline.calendar.day(day)
        assert known is not None
        assert known.state == "none"
    rested = runner.pipeline.query(f"SELECT DISTINCT days_rest AS n FROM {TEAMS} WHERE game_date = DATE '2025-02-20'")
    # one team had played the day before, the others not since the eve of the break
    assert sorted(int(str(row["n"])) for row in rested) == [1, 7, 8]
    assert runner.pipeline.views.dead() == []
    runner.close()


def test_a_game_put_off_is_forecast_on_the_day_it_is_played_and_on_no_other(play: Play) -> None:
    runner = play(("2024-01-19", "2024-01-19"), ("2024-04-02", "2024-04-02"))
    games = runner.pipeline.query(f"SELECT DISTINCT game_date, game_id FROM {TEAMS} WHERE game_id = '0022300589'")
    assert [str(row["game_date"]) for row in games] == ["2024-04-02"]
    raw = runner.pipeline.query(
        "SELECT game_date, postponed FROM nba_raw.nbac_schedule WHERE game_id = '0022300589' ORDER BY 1"
    )
    assert [(str(row["game_date"]), row["postponed"]) for row in raw] == [("2024-01-19", True), ("2024-04-02", False)]
    runner.close()


def test_a_game_in_paris_is_nobodys_home_game(play: Play) -> None:
    runner = play(("2025-01-23", "2025-01-23"))
    rows = runner.pipeline.query(f"SELECT * FROM {TEAMS} WHERE game_id = '0022400621'")
    assert {row["team_abbr"] for row in rows} == {"IND", "SAS"}
    assert all(row["neutral_site"] is True for row in rows)
    assert all(row["home_flag"] is None for row in rows)
    runner.close()
