"""The first weeks of the season 2024-25 through the real thing, in both modes.

`benchmarks season` plays all of it, `benchmarks seasons` that and the two before it; both assert known numbers.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from benchmarks.known import COUNTED, Season, differences, numbers
from benchmarks.seasons import changed_lines
from nba_props.replay.runner import Runner
from nba_props.replay.scrapers import LOG, PROPS
from nba_props.replay.tally import Replay
from nba_props.sources.parquet import ParquetSource

pytestmark = pytest.mark.slow

FIRST, LAST = date(2024, 10, 22), date(2024, 11, 10)
# Of the points lines with both sides, how many there are, and how many moved. No game begins from 00:00 to 06:00.
LINES = """
WITH quotes AS (
    SELECT *, CAST(CAST(commence_time AS TIMESTAMP) - INTERVAL 6 HOUR AS DATE) AS day FROM '{folder}/odds/*.parquet'
    WHERE market = 'player_points'
),
whole AS (
    SELECT day, player, bookmaker, game_id, source_file, line FROM quotes GROUP BY ALL HAVING count(DISTINCT side) = 2
),
main AS (SELECT day, player, bookmaker, game_id, source_file, min(line) AS line FROM whole GROUP BY ALL),
moves AS (SELECT day, player, bookmaker, game_id, count(DISTINCT line) > 1 AS moved FROM main GROUP BY ALL)
SELECT count(*), count(*) FILTER (moved) FROM moves WHERE day BETWEEN '{first}' AND '{last}'
"""


@pytest.fixture(scope="module")
def runner(nba_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    made = Runner(ParquetSource(nba_data), state=tmp_path_factory.mktemp("season"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def season(runner: Runner) -> Replay:
    return runner.run(FIRST, LAST)


def test_the_first_weeks_have_their_known_numbers(season: Replay) -> None:
    assert (season.dates, season.games) == (19, 151)
    rows = {name.partition(".")[2]: rows for name, (rows, _) in season.tables.items()}
    assert rows["nbac_schedule"] == 151
    assert rows["team_offense_game_summary"] == rows["team_defense_game_summary"] == 302
    assert rows["upcoming_team_game_context"] == rows["team_defense_zone_analysis"] == 302
    assert rows["player_game_summary"] == rows["nbac_gamebook_player_stats"]
    forecasts = ("player_daily_cache", "player_shot_zone_analysis", "player_composite_factors", "ml_feature_store_v2")
    assert {rows[name] for name in forecasts} == {rows["upcoming_player_game_context"]}


def test_players_points_are_their_teams_points_in_every_game(season: Replay, runner: Runner) -> None:
    games = runner.pipeline.query(
        """
        SELECT count(*) AS n, count(*) FILTER (p.points <> t.points) AS wrong
        FROM (SELECT game_date, team_abbr, sum(points) AS points
              FROM nba_analytics.player_game_summary GROUP BY ALL) p
        JOIN nba_analytics.team_offense_game_summary t USING (game_date, team_abbr)
        """
    )[0]
    assert season.dates == 19
    assert games == {"n": 302, "wrong": 0}


def test_each_gate_fires_one_generation_a_run_and_nothing_is_left_due(
    season: Replay, runner: Runner, nba_data: Path
) -> None:
    lines_moved = changed_lines(ParquetSource(nba_data), Season("", FIRST, LAST))
    assert lines_moved, "lines that changed between the morning and the games are what this is about"
    assert season.gates.pop("scrapes") == (19, 19)
    assert season.gates.pop("raw") == (38, 38 + lines_moved)
    # a worker may have built of the morning's lines before the evening's came
    assert all(runs == 38 and 38 <= n <= 38 + lines_moved for runs, n in season.gates.values())
    assert season.unsettled == ()
    assert season.dead_letters == 0
    builds = dict(season.tally.builds)
    assert builds.pop(LOG) == 19
    assert builds.pop(PROPS) == 19 + lines_moved
    of_lines = {"upcoming_player_game_context", "player_daily_cache", "player_shot_zone_analysis",
                "player_composite_factors", "ml_feature_store_v2"}  # fmt: skip
    assert all(19 <= builds.pop(step) <= 19 + lines_moved for step in of_lines)
    assert set(builds.values()) == {19}, "what same_day has built overnight finds done"
    assert runner.pipeline.next_due() is None


def test_every_number_is_what_the_files_hold_and_one_that_is_not_is_named(
    season: Replay, runner: Runner, nba_data: Path
) -> None:
    wanted = numbers(nba_data, first=FIRST, last=LAST)
    assert len(wanted) == len(COUNTED) == 9
    assert season.games == next(number.known for number in wanted if number.name == "games")
    assert list(differences(runner.pipeline.query, wanted)) == []
    for number in wanted:
        off = number._replace(known=number.known - 1)
        said = f"{number.name}: {number.known}, known to be {off.known}"
        assert list(differences(runner.pipeline.query, [off])) == [said]


def test_the_traps_of_the_raw_files_are_in_the_raw_tables_as_often_as_in_the_files(
    season: Replay, runner: Runner, nba_data: Path
) -> None:
    box, lines = "nba_raw.nbac_gamebook_player_stats", "nba_raw.odds_api_player_points_props"
    assert season.tables[box][0] == 3337
    [zeros] = runner.pipeline.query(f"SELECT count(*) AS n FROM {box} WHERE minutes = 0")
    assert zeros["n"] == 11, "an appearance of seconds is one"
    [found] = runner.pipeline.query(f"SELECT count(*) AS n, count(*) FILTER (line_moves > 0) AS moved FROM {lines}")
    [counted] = duckdb.execute(LINES.format(folder=nba_data, first=FIRST, last=LAST)).fetchall()
    assert (found["n"], found["moved"]) == counted == (2935, 169)


def test_a_game_in_mexico_city_is_nobodys_home_game_and_counts_for_both(season: Replay, runner: Runner) -> None:
    assert season.dates == 19
    rows = runner.pipeline.query(
        """
        SELECT team_abbr, home_flag, neutral_site FROM nba_analytics.upcoming_team_game_context
        WHERE game_id = '0022400147' AND game_date = DATE '2024-11-02' ORDER BY 1
        """
    )
    assert [tuple(row.values()) for row in rows] == [("MIA", None, True), ("WAS", None, True)]
    for table in ("team_offense_game_summary", "team_defense_game_summary"):
        [found] = runner.pipeline.query(f"SELECT count(*) AS n FROM nba_analytics.{table} WHERE game_id = '0022400147'")
        assert found["n"] == 2


def test_on_election_day_nobody_plays_no_run_is_opened_and_the_next_date_knows_the_one_before(
    season: Replay, runner: Runner
) -> None:
    assert season.unsettled == ()
    assert not [view for view in runner.pipeline.views.phases() if view.run.startswith("2024-11-05")]
    known = runner.pipeline.calendar.day("2024-11-05")
    assert known is not None
    assert known.state == "none"
    context = "nba_analytics.upcoming_team_game_context"
    rested = runner.pipeline.query(f"SELECT DISTINCT days_rest FROM {context} WHERE game_date = DATE '2024-11-06'")
    assert [row["days_rest"] for row in rested] == [2], "all thirty teams had played on 4 November"
