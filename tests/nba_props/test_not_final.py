"""A date with a game that is not over: no gamebook of it is completed, whatever else is known of the date."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from nba_props.errors import DataError, NotFinal
from nba_props.raw import RawRow
from nba_props.replay.runner import Runner
from nba_props.replay.scrapers import GAMEBOOK, LOG_TABLE
from nba_props.replay.tally import Replay
from nba_props.sources.live import LiveSource
from tests.support import league_bodies as bodies

DAY = date(2025, 1, 10)
OVER, IN_PLAY = bodies.GAME, "0022400002"
MATCHED = ("LAL", "SAS")


class League:
    """The league's services of one date with two games; `log` is what the game log says when it is asked."""

    def __init__(self, log: bodies.Body, *games: bodies.Body) -> None:
        self.log = log
        self.plan = bodies.league_schedule(*(games or (bodies.planned(), bodies.planned(IN_PLAY, teams=MATCHED))))

    def source(self) -> LiveSource:
        return LiveSource(request=self._answer, now=lambda: datetime(2025, 1, 11, 6, tzinfo=UTC).timestamp(),
                          sleep=lambda _: None)  # fmt: skip

    def _answer(self, endpoint: str, _: Mapping[str, str]) -> bodies.Body:
        if endpoint == "shotchartdetail":
            return bodies.shots()
        return self.plan if endpoint == "scheduleleaguev2" else self.log


def logged(*games: bodies.Body) -> bodies.Body:
    """Give one log of several games."""
    [first, *more] = [bodies.result_of(game) for game in games]
    rows = [dict(zip(first["headers"], row, strict=True)) for one in (first, *more) for row in one["rowSet"]]
    return bodies.sets("leaguegamelog", {"LeagueID": "00", "PlayerOrTeam": "P"}, LeagueGameLog=rows)


BOTH_OVER = logged(bodies.gamelog(), bodies.gamelog(game=IN_PLAY, teams=MATCHED))
ONE_IN_PLAY = logged(bodies.gamelog(), bodies.gamelog(game=IN_PLAY, teams=MATCHED, won=None))


@pytest.mark.parametrize("log", [ONE_IN_PLAY, bodies.gamelog()], ids=["in play", "not begun"])
def test_a_date_is_told_whole_or_not_at_all(log: bodies.Body) -> None:
    with pytest.raises(NotFinal) as caught:
        League(log).source().batch(DAY)
    assert str(caught.value) == (
        "leaguegamelog of 2025-01-10: 1 of 2 games not final yet: 0022400002; fetch the date again when they are over"
    )


def test_a_game_in_play_that_no_schedule_names_is_waited_for_too() -> None:
    with pytest.raises(NotFinal, match="1 of 2 games not final yet: 0022400002"):
        League(ONE_IN_PLAY, bodies.planned()).source().batch(DAY)


def test_a_postponed_game_is_not_waited_for() -> None:
    league = League(bodies.gamelog(), bodies.planned(), bodies.planned(IN_PLAY, gameStatusText="PPD"))
    assert {row["game_id"] for row in league.source().batch(DAY)} == {OVER}


def test_a_date_without_games_has_none_to_wait_for() -> None:
    assert League(bodies.sets("leaguegamelog", {}, LeagueGameLog=[])).source().batch(date(2025, 1, 11)) == []


def replayed(state: Path, source: LiveSource) -> tuple[Replay, list[RawRow], list[tuple[object, ...]]]:
    """Run the date; give the replay, the gamebook, and what the log says of all its fetches so far."""
    runner = Runner(source, state=state, modes=["overnight"])
    try:
        done = runner.run(DAY, DAY)
        written = done.tables[f"nba_raw.{GAMEBOOK}"][0] > 0
        rows = runner.pipeline.query(f"SELECT * FROM nba_raw.{GAMEBOOK}", {}) if written else []
        log = runner.pipeline.query(
            f"SELECT status, error_type, error_message FROM {LOG_TABLE} WHERE scraper_name = $name "
            "ORDER BY completed_at",
            {"name": GAMEBOOK},
        )
    finally:
        runner.close()
    return done, [dict(row) for row in rows], [tuple(row.values()) for row in log]


@pytest.mark.parametrize("log", [ONE_IN_PLAY, bodies.gamelog(won=None)], ids=["one over", "none over"])
def test_a_live_run_before_the_last_game_is_over_fires_nothing_and_says_why(log: bodies.Body, tmp_path: Path) -> None:
    done, gamebook, said = replayed(tmp_path, League(log).source())
    assert gamebook == []
    assert {name: fired for name, (fired, _) in done.gates.items() if name != "scrapes"} == {
        "raw": 0, "analytics": 0, "precompute": 0,
    }  # fmt: skip
    [(status, kind, message)] = said
    assert (status, kind) == ("failed", "NotFinal")
    assert "games not final yet: " in str(message)
    assert [line for line in done.unsettled if f"waiting for {GAMEBOOK}" in line] != []


@pytest.mark.slow
def test_a_live_run_after_it_completes_the_date(tmp_path: Path) -> None:
    replayed(tmp_path, League(ONE_IN_PLAY).source())
    done, gamebook, said = replayed(tmp_path, League(bodies.with_bench(BOTH_OVER)).source())
    assert {row["game_id"] for row in gamebook} == {OVER, IN_PLAY}
    assert done.gates["raw"] == done.gates["analytics"] == done.gates["precompute"] == (1, 1)
    assert [status for status, *_ in said] == ["failed", "success"]
    assert done.unsettled == ()


def test_the_morning_of_a_date_does_not_wait_for_its_games(tmp_path: Path) -> None:
    runner = Runner(League(bodies.sets("leaguegamelog", {}, LeagueGameLog=[])).source(), state=tmp_path,
                    modes=["same_day"])  # fmt: skip
    try:
        done = runner.run(DAY, DAY)
    finally:
        runner.close()
    assert done.gates["raw"] == done.gates["analytics"] == done.gates["precompute"] == (1, 1)
    assert done.tables["nba_analytics.upcoming_team_game_context"][0] == 4
    assert done.unsettled == ()


def test_what_cannot_be_fetched_of_one_date_keeps_no_other_date_back(tmp_path: Path) -> None:
    class Lost(LiveSource):
        def batch(self, day: date) -> list[RawRow]:
            if day == DAY:
                raise DataError("the log", problem="is lost", fix="look for it")
            return super().batch(day)

    later = bodies.planned(IN_PLAY, teams=MATCHED, day="2025-01-12")
    log = bodies.with_bench(bodies.gamelog(game=IN_PLAY, teams=MATCHED, day="2025-01-12"))
    league = League(log, bodies.planned(), later)
    runner = Runner(Lost(request=league._answer, sleep=lambda _: None), state=tmp_path, modes=["overnight"])
    try:
        done = runner.run(DAY, date(2025, 1, 12))
    finally:
        runner.close()
    assert done.gates["raw"] == (1, 1)
    assert [line.partition(" is ")[0] for line in done.unsettled] == [f"raw of {DAY}.overnight"]
