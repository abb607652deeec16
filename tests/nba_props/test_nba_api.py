"""The live source through the package `nba_api` itself, its HTTP led to loopback, with what was recorded."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import requests
import stamina
from nba_api.stats.library.http import NBAStatsHTTP

from nba_props.errors import DataError
from nba_props.sources.live import Limits, LiveSource, stats_request
from tests.support.stats_api import Loopback, StatsApi, serving

DAY = date(2022, 1, 26)
PATIENT = Limits(pause_s=0.0, attempts_max=3)


@pytest.fixture
def api(nba_data: Path) -> StatsApi:
    return StatsApi(nba_data)


@pytest.fixture
def league(api: StatsApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    for name in ("NBA_API_PROXY", "NBA_API_REQUIRE_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(api) as made, requests.Session() as session, stamina.set_testing(True, attempts=3, cap=True):
        monkeypatch.setattr(NBAStatsHTTP, "base_url", f"{made.url}/stats/{{endpoint}}")
        monkeypatch.setattr(NBAStatsHTTP, "_session", session)
        yield made


def test_what_the_package_brings_is_what_was_recorded(league: Loopback, api: StatsApi, nba_data: Path) -> None:
    through = LiveSource(limits=PATIENT)
    direct = LiveSource(request=StatsApi(nba_data).answer, limits=PATIENT)
    season = date(2023, 10, 1), date(2024, 6, 30)
    assert through.shots(DAY) == direct.shots(DAY) != []
    assert through.schedule(*season) == direct.schedule(*season) != []
    opening = date(2023, 10, 24)
    assert [row["player_id"] for row in through.batch(opening)] == [row["player_id"] for row in direct.batch(opening)]
    paths = [path for path, _ in league.heard]
    assert paths == [f"/stats/{endpoint}" for endpoint, _ in api.asked]
    assert set(paths) == {"/stats/scheduleleaguev2", "/stats/shotchartdetail", "/stats/leaguegamelog"}
    # a browser's headers, without which the service never answers, are what the package is for
    assert {headers["Host"] for _, headers in league.heard} == {"stats.nba.com"}
    assert all("Mozilla" in headers["User-Agent"] for _, headers in league.heard)


@pytest.mark.parametrize(
    "refusal",
    [
        (403, "<html>Access Denied</html>"),
        (500, '{"Message":"An error has occurred."}'),
        (429, '{"message": "Too Many Requests"}'),
        (200, "[]"),
        None,
    ],
    ids=["no JSON", "an error", "too many", "no object", "broken off"],
)
def test_what_is_no_answer_is_asked_for_again(league: Loopback, refusal: tuple[int, str] | None) -> None:
    league.refuse = [refusal, refusal]
    source = LiveSource(limits=PATIENT)
    assert len(source.schedule(DAY, DAY)) == 1
    assert (source.retries, len(league.heard)) == (2, 3)


def test_what_is_never_an_answer_fails_by_name(league: Loopback) -> None:
    league.refuse = [(429, '{"message": "Too Many Requests"}')] * 3
    with pytest.raises(DataError) as caught:
        LiveSource(limits=PATIENT).schedule(DAY, DAY)
    assert str(caught.value) == (
        'stats.nba.com, scheduleleaguev2: ValueError: it answered {"message": "Too Many Requests"}; try again later'
    )


def test_the_package_waits_half_a_minute_at_most(league: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(requests.Session):
        def send(self, request: requests.PreparedRequest, **how: object) -> requests.Response:  # noqa: ARG002
            assert how["timeout"] == 30
            raise requests.ReadTimeout("slow")

    with Slow() as session:
        monkeypatch.setattr(NBAStatsHTTP, "_session", session)
        with pytest.raises(OSError, match="slow"):
            stats_request("scheduleleaguev2", {"LeagueID": "00", "Season": "2021-22"})
    assert league.heard == []
