"""The live source on what stats.nba.com answered; what of it is put together or invented, `stats_api` says."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import stamina

from nba_props.errors import DataError, NotFinal
from nba_props.raw import RawRow
from nba_props.replay.runner import Runner
from nba_props.sources.live import LiveSource
from nba_props.sources.parquet import ParquetSource
from nba_props.sources.recorded import RecordedSource
from tests.support.stats_api import StatsApi

SHOT_DATES = (date(2016, 11, 30), date(2022, 1, 26))
OPENING = date(2023, 10, 24)
PUT_OFF = date(2024, 1, 17)


@pytest.fixture(autouse=True)
def without_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


@pytest.fixture
def api(nba_data: Path) -> StatsApi:
    return StatsApi(nba_data)


@pytest.fixture(scope="module")
def parquet(nba_data: Path) -> ParquetSource:
    return ParquetSource(nba_data)


@pytest.fixture
def live(api: StatsApi) -> LiveSource:
    at = datetime(2023, 10, 25, 9, tzinfo=UTC).timestamp()
    return LiveSource(request=api.answer, now=lambda: at, sleep=lambda _: None)


def unversioned(rows: list[RawRow]) -> list[RawRow]:
    return [{name: cell for name, cell in row.items() if name != "source_updated_at"} for row in rows]


def test_recorded_shots_come_live_as_they_come_from_their_folder(live: LiveSource, nba_data: Path) -> None:
    recorded = RecordedSource(nba_data / "api_json")
    assert [len(live.shots(day)) for day in SHOT_DATES] == [98 + 95, 88 + 82]
    for day in SHOT_DATES:
        assert live.shots(day) == recorded.shots(day)


def test_the_recorded_schedule_comes_live_as_it_comes_from_its_folder(live: LiveSource, nba_data: Path) -> None:
    season = date(2023, 10, 24), date(2024, 4, 14)
    recorded = RecordedSource(nba_data / "api_json")
    rows = live.schedule(*season)
    assert len(rows) == 1200
    assert rows == recorded.schedule(*season)
    assert live.coverage(*season) == recorded.coverage(*season)


@pytest.mark.parametrize("day", [OPENING, date(2023, 11, 1), date(2024, 3, 5)], ids=str)
def test_a_real_log_of_players_comes_live_as_it_comes_from_parquet(
    live: LiveSource, parquet: ParquetSource, day: date
) -> None:
    rows = live.batch(day)
    assert rows
    assert unversioned(rows) == unversioned(parquet.batch(day))
    assert {row["source_updated_at"] for row in rows} == {datetime(2023, 10, 25, 9, tzinfo=UTC)}


def test_a_real_date_with_a_game_that_was_put_off_is_not_told_by_the_schedule_that_does_not_know_it(
    live: LiveSource,
) -> None:
    with pytest.raises(NotFinal, match="1 of 10 games not final yet: 0022300576"):
        live.batch(PUT_OFF)


def test_the_recorded_log_of_teams_is_no_log_of_players(api: StatsApi) -> None:
    def teams(endpoint: str, asked: object) -> dict[str, object]:
        assert isinstance(asked, dict)
        return api.answer(endpoint, asked | {"PlayerOrTeam": "T"})

    with pytest.raises(DataError, match="PLAYER_ID is missing; ask for PlayerOrTeam = P"):
        LiveSource(request=teams, sleep=lambda _: None).batch(date(2018, 10, 16))


def test_a_real_date_is_replayed_live_to_the_last_phase(api: StatsApi, parquet: ParquetSource, tmp_path: Path) -> None:
    class WithoutShots(LiveSource):
        def shots(self, day: date) -> list[RawRow]:  # noqa: ARG002  nobody recorded those of the date
            return []

    runner = Runner(WithoutShots(request=api.answer, sleep=lambda _: None), state=tmp_path, modes=["overnight"])
    try:
        done = runner.run(OPENING, OPENING)
    finally:
        runner.close()
    assert (done.games, done.unsettled) == (2, ())
    assert done.gates["raw"] == done.gates["analytics"] == done.gates["precompute"] == (1, 1)
    players = len(parquet.batch(OPENING))
    assert done.tables["nba_analytics.player_game_summary"][0] == players > 30
