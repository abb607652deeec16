"""The schedule of 2023-24 as it was published in September, then as it was played, through the pipeline.

Needs the real data. DAL at GSW of 19 January was put off to 2 April; so GSW at DAL of that day went to 5 April, and ATL
at DAL of 5 April to the 4th.
"""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, cast

import duckdb
import pytest

from nba_props.raw import RawRow
from nba_props.replay.runner import Runner
from nba_props.sources.parquet import ParquetSource

pytestmark = pytest.mark.slow

SEASON = (date(2023, 10, 24), date(2024, 4, 14))
CHAIN = (date(2024, 4, 3), date(2024, 4, 6))
CUP = (date(2023, 12, 2), date(2023, 12, 6))
TEAMS = "nba_analytics.upcoming_team_game_context"
GAMES = {"0022301097": "GSW at DAL", "0022301124": "ATL at DAL"}


class September(ParquetSource):
    """The season as it was published on 16 September 2023; box scores there are none yet."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        found = duckdb.execute(
            f"""
            SELECT GAME_ID, CAST(planned_date AS DATE), epoch_us(planned_utc)
            FROM '{folder}/derived/schedule_changes_2023-24.parquet'
            WHERE change <> 'not_in_preseason_schedule' AND homeTeam_teamTricode <> ''
            """
        ).fetchall()
        played = {str(row["game_id"]): row for row in super().schedule(*SEASON) if not row["postponed"]}
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        self._published: list[RawRow] = [
            {**played[game], "game_date": day, "tipoff_at": epoch + timedelta(microseconds=tip)}
            for game, day, tip in found
        ]

    def schedule(self, first: date, last: date) -> list[RawRow]:
        return [dict(row) for row in self._published if first <= cast("date", row["game_date"]) <= last]

    def dates(self, first: date, last: date) -> list[date]:
        return sorted({cast("date", row["game_date"]) for row in self.schedule(first, last)})


@pytest.fixture(scope="module")
def september(nba_data: Path) -> September:
    return September(nba_data)


@pytest.fixture(scope="module")
def league(nba_data: Path) -> ParquetSource:
    return ParquetSource(nba_data)


class Forecasts(NamedTuple):
    """What is forecast of teams: (date, game) -> tip-off; how often each date was built; what the calendar says."""

    tips: dict[tuple[str, str], object]
    builds: dict[str, int]
    states: dict[str, str]

    def dates_of(self, games: dict[str, str]) -> dict[str, str]:
        return {games[game]: day for day, game in sorted(self.tips) if game in games}


def forecast(source: ParquetSource, first: date, last: date, *, state: Path) -> Forecasts:
    """Forecast dates by a schedule: in the morning, before any game, when its calendar was asked."""
    runner = Runner(source, state=state, modes=("same_day",))
    try:
        runner.pipeline.ask_calendar(str(last)[:7])  # as workers do in the month itself
        done = runner.run(first, last)
        assert (done.unsettled, done.dead_letters) == ((), 0)
        builds = runner.pipeline.query(
            f"SELECT partition, count(*) AS n FROM phasegate.receipts WHERE table_name = '{TEAMS}' GROUP BY 1"
        )
        rows = runner.pipeline.query(f"SELECT DISTINCT game_date, game_id, tipoff_at FROM {TEAMS}")
        days = [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]
        known = {day: runner.pipeline.calendar.day(day) for day in days}
    finally:
        runner.close()
    return Forecasts(
        {(str(row["game_date"]), str(row["game_id"])): row["tipoff_at"] for row in rows},
        {str(row["partition"]): int(str(row["n"])) for row in builds},
        {day: "unknown" if found is None else found.state for day, found in known.items()},
    )


def test_games_that_move_are_forecast_where_they_are_played_and_dates_that_stay_are_not_built_again(
    september: September, league: ParquetSource, tmp_path: Path
) -> None:
    before = forecast(september, *CHAIN, state=tmp_path)
    assert before.dates_of(GAMES) == {"ATL at DAL": "2024-04-05"}
    assert before.builds == {f"2024-04-0{day}": 1 for day in (3, 4, 5, 6)}
    after = forecast(league, *CHAIN, state=tmp_path)
    assert after.dates_of(GAMES) == {"ATL at DAL": "2024-04-04", "GSW at DAL": "2024-04-05"}
    moved = {key for key in before.tips.keys() & after.tips.keys() if before.tips[key] != after.tips[key]}
    assert moved == {("2024-04-03", "0022301107")}, "half an hour later"
    assert after.builds == {"2024-04-03": 2, "2024-04-04": 2, "2024-04-05": 2, "2024-04-06": 1}


def test_a_date_that_had_no_games_in_september_has_eleven_in_december(
    september: September, league: ParquetSource, tmp_path: Path
) -> None:
    before = forecast(september, *CUP, state=tmp_path)
    assert before.states["2023-12-06"] == "none"
    assert before.builds.keys() == {"2023-12-02"}
    after = forecast(league, CUP[1], CUP[1], state=tmp_path)
    assert after.states["2023-12-06"] == "work"
    assert len([day for day, _ in after.tips if day == "2023-12-06"]) == 11
    assert after.builds == {"2023-12-02": 1, "2023-12-06": 1}
