import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

import pytest
import stamina

from nba_props.errors import DataError, NotFinal
from nba_props.replay.fetch_log import Recorder
from nba_props.sources import Source, live
from nba_props.sources.live import Limits, LiveSource, stats_request
from tests.support import league_bodies as bodies

DAY = date(2025, 1, 10)


class League:
    """Answers as told, and moves its own clock: no network and no waiting."""

    def __init__(self, **answers: object) -> None:
        self.answers = {"scheduleleaguev2": bodies.league_schedule(bodies.planned())} | answers
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.at = datetime(2025, 1, 11, 6, tzinfo=UTC).timestamp()
        self.slept: list[float] = []

    def request(self, endpoint: str, parameters: Mapping[str, str]) -> bodies.Body:
        self.asked.append((endpoint, dict(parameters)))
        answer = self.answers[endpoint]
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[return-value]

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    def source(self, **limits: float) -> LiveSource:
        return LiveSource(request=self.request, now=lambda: self.at, sleep=self.sleep, limits=Limits(**limits))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def without_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


SCHEDULE = bodies.league_schedule(
    bodies.planned(),
    bodies.planned("0022400002", teams=("LAL", "SAS")),
    bodies.planned("0022400003", day="2025-01-12", gameStatusText="PPD"),
    bodies.planned("0022400004", day="2025-01-13"),
)


def test_box_scores_of_a_date_are_a_question_and_its_schedule_s_and_carry_the_time_of_asking() -> None:
    league = League(leaguegamelog=bodies.gamelog())
    source: Source = league.source()
    rows = source.batch(DAY)
    assert len(rows) == 2
    assert (
        {row["source_updated_at"] for row in rows} == {source.updated_at(DAY)} == {datetime(2025, 1, 11, 6, tzinfo=UTC)}
    )
    [(endpoint, asked), (other, _)] = league.asked
    assert (endpoint, other) == ("leaguegamelog", "scheduleleaguev2")
    assert (asked["DateFrom"], asked["DateTo"], asked["Season"]) == ("01/10/2025", "01/10/2025", "2024-25")
    assert (asked["PlayerOrTeam"], asked["LeagueID"], asked["SeasonType"]) == ("P", "00", "Regular Season")


def test_games_of_another_date_are_refused() -> None:
    with pytest.raises(DataError, match="leaguegamelog of 2025-01-10: it has games of other dates"):
        League(leaguegamelog=bodies.gamelog(day="2025-01-09")).source().batch(DAY)


def test_a_season_s_schedule_is_asked_once_in_a_while() -> None:
    league = League(scheduleleaguev2=SCHEDULE)
    source = league.source(schedule_age_s=900)
    assert source.dates(DAY, DAY + timedelta(days=5)) == [DAY, date(2025, 1, 13)]
    assert len(source.schedule(DAY, DAY + timedelta(days=5))) == 4
    assert source.coverage(DAY, DAY + timedelta(days=1)) == [(DAY, DAY + timedelta(days=1))]
    assert source.props(DAY) == []
    assert [asked for _, asked in league.asked] == [{"LeagueID": "00", "Season": "2024-25"}]
    league.at += 901
    source.schedule(DAY, DAY)
    assert len(league.asked) == 2


def test_a_game_of_the_schedule_that_cannot_be_read_holds_back_its_date_alone() -> None:
    spoilt = bodies.planned("0022400004", day="2025-01-13", gameDateTimeUTC="soon")
    later = bodies.planned("0022400005", day="2025-01-14")
    league = League(
        scheduleleaguev2=bodies.league_schedule(bodies.planned(), spoilt, later), leaguegamelog=bodies.gamelog()
    )
    source = league.source()
    assert source.dates(DAY, date(2025, 1, 14)) == [DAY, date(2025, 1, 14)]
    assert source.coverage(DAY, date(2025, 1, 14)) == [(DAY, date(2025, 1, 12)), (date(2025, 1, 14),) * 2]
    assert len(source.batch(DAY)) == 2
    [notice] = source.notices(DAY, date(2025, 1, 31))
    assert (notice.dates, notice.held_back) == ((date(2025, 1, 13),), True)
    assert "scheduleleaguev2 of 2024-25: game 0022400004: ValueError" in notice.text
    league.answers["leaguegamelog"] = bodies.gamelog(day="2025-01-13")
    with pytest.raises(NotFinal, match="0022400004"):
        source.batch(date(2025, 1, 13))


def test_two_seasons_are_two_questions() -> None:
    league = League(scheduleleaguev2=SCHEDULE)
    league.source().schedule(date(2024, 6, 30), date(2024, 7, 1))
    assert [asked["Season"] for _, asked in league.asked] == ["2023-24", "2024-25"]


def test_a_summer_date_is_of_the_season_whose_schedule_has_it() -> None:
    restart, ended = date(2020, 8, 1), date(2020, 8, 20)
    planned = bodies.planned("0021901300", day="2020-08-01"), bodies.planned("0021901310", day="2020-08-14")
    seasons = {"2019-20": bodies.league_schedule(*planned), "2020-21": bodies.league_schedule()}
    asked: list[str] = []

    def answer(endpoint: str, parameters: Mapping[str, str]) -> bodies.Body:
        if endpoint == "scheduleleaguev2":
            return seasons[parameters["Season"]]
        asked.append(parameters["Season"])
        return bodies.gamelog(day="2020-08-01", game="0021901300")

    source = LiveSource(request=answer, sleep=lambda _: None)
    assert source.dates(restart, ended) == [restart, date(2020, 8, 14)]
    assert {row["game_id"] for row in source.batch(restart)} == {"0021901300"}
    with pytest.raises(DataError, match="games of other dates"):
        source.batch(ended)
    assert asked == ["2019-20", "2020-21"]


def test_shots_are_a_question_for_each_game_with_a_pause_before_it() -> None:
    empty = bodies.shots()
    league = League(scheduleleaguev2=SCHEDULE, shotchartdetail=[bodies.shots(bodies.shot(2), bodies.shot(1)), empty])
    rows = league.source(pause_s=2.0).shots(DAY)
    assert [row["event_number"] for row in rows] == [1, 2]
    assert [asked.get("GameID") for _, asked in league.asked] == [None, "0022400001", "0022400002"]
    assert league.slept == [2.0, 2.0]


def test_no_pause_is_made_when_enough_time_has_passed() -> None:
    league = League(leaguegamelog=bodies.gamelog())
    source = league.source(pause_s=2.0)
    source.batch(DAY)  # log and schedule
    league.at += 1.5
    source.batch(DAY)  # the schedule is known
    league.at += 10
    source.batch(DAY)
    assert league.slept == [2.0, 0.5]


def test_an_unanswered_question_is_asked_again_and_counted() -> None:
    league = League(leaguegamelog=[TimeoutError("slow"), ValueError("<html>"), bodies.gamelog()])
    source = league.source(attempts_max=3)
    record = Recorder("overnight", source="live", now=lambda: league.at, retries=lambda: source.retries)
    rows, log, _ = record.fetch("nbac_gamebook", DAY, call=lambda: source.batch(DAY))
    assert rows is not None
    assert len(rows) == 2
    assert (log["status"], log["retry_count"], len(league.asked)) == ("success", 2, 4)
    assert len(league.slept) == 3  # the pause holds for repeats too


def test_a_question_that_stays_unanswered_fails_by_name_after_its_attempts() -> None:
    league = League(leaguegamelog=ConnectionError("no route"))
    source = league.source(attempts_max=3)
    record = Recorder("overnight", source="live", now=lambda: league.at, retries=lambda: source.retries)
    rows, log, _ = record.fetch("nbac_gamebook", DAY, call=lambda: source.batch(DAY))
    assert rows is None
    assert (log["status"], log["retry_count"], len(league.asked)) == ("failed", 2, 3)
    assert log["error_type"] == "DataError"
    assert log["error_message"] == "stats.nba.com, leaguegamelog: ConnectionError: no route; try again later"


def test_one_lost_game_loses_the_batch_not_a_half_of_it() -> None:
    league = League(scheduleleaguev2=SCHEDULE, shotchartdetail=[bodies.shots(bodies.shot(1)), *[OSError("gone")] * 3])
    with pytest.raises(DataError, match=r"stats\.nba\.com, shotchartdetail: OSError: gone"):
        league.source(attempts_max=3).shots(DAY)


def test_a_call_asks_no_more_than_its_limit_and_the_next_call_begins_anew() -> None:
    league = League(scheduleleaguev2=SCHEDULE, shotchartdetail=bodies.shots(), leaguegamelog=bodies.gamelog())
    source = league.source(requests_max=2)
    with pytest.raises(DataError, match="this call has asked 2 times already; ask for fewer dates at once"):
        source.shots(DAY)
    assert len(league.asked) == 2
    league.at += 901  # log and schedule are two questions again
    league.answers["scheduleleaguev2"] = bodies.league_schedule(bodies.planned())
    assert len(source.batch(DAY)) == 2
    assert len(league.asked) == 4


def test_without_the_extra_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name!r}", name="nba_api")

    monkeypatch.setattr(live, "import_module", absent)
    with pytest.raises(DataError, match=r"live data: nba_api is not installed; pip install 'phasegate\[live\]'"):
        stats_request("leaguegamelog", {})


def test_two_threads_ask_one_after_the_other_with_the_pause_between_them() -> None:
    league = League()
    at: list[float] = []
    asked, slept = league.request, league.sleep

    def request(endpoint: str, parameters: Mapping[str, str]) -> bodies.Body:
        at.append(league.at)
        return asked(endpoint, parameters)

    def sleep(seconds: float) -> None:
        time.sleep(0.05)  # of real time, in which another thread may come to wait for the same moment
        slept(seconds)
        time.sleep(0.05)

    league.request, league.sleep = request, sleep  # type: ignore[method-assign]
    source = league.source(pause_s=1.0)
    source.dates(date(2024, 11, 1), date(2024, 11, 2))
    seasons = ((date(2023, 11, 1), date(2023, 11, 2)), (date(2022, 11, 1), date(2022, 11, 2)))
    threads = [threading.Thread(target=source.dates, args=season) for season in seasons]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(at) == 3
    assert at[2] - at[1] >= 1.0
