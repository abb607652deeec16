from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from nba_props.errors import DataError
from nba_props.raw import COLUMNS, RawRow
from nba_props.sources.shapes import minutes_played, result_set
from nba_props.sources.shapes_box import gamelog_rows, live_box_rows, traditional_rows
from nba_props.sources.shapes_schedule import (
    covered_spans,
    gamelog_schedule_rows,
    league_schedule_rows,
    live_box_schedule_rows,
    scoreboard_rows,
    summary_schedule_rows,
    undecided_dates,
)
from nba_props.sources.shapes_shots import shot_rows
from tests.support import league_bodies as bodies

DAY = date(2025, 1, 10)
VERSION = datetime(2025, 1, 11, 6, tzinfo=UTC)
GLEAGUE = "2022400001"


def at(_: date) -> datetime:
    return VERSION


def by_traditional(*, status: int = 3) -> list[RawRow]:
    return traditional_rows(bodies.traditional(), bodies.summary(status=status), updated_at=at, where="box.json")


def by_live(*, status: int = 3) -> list[RawRow]:
    return live_box_rows(bodies.live_box(status=status), updated_at=at, where="box.json")


def by_log(*, status: int = 3) -> list[RawRow]:
    return gamelog_rows(bodies.gamelog(won="W" if status == 3 else None), updated_at=at, where="box.json")


@pytest.mark.parametrize("parse", [by_traditional, by_live, by_log])
def test_every_shape_gives_the_same_rows_of_a_game_and_none_for_who_did_not_play(
    parse: Callable[[], list[RawRow]],
) -> None:
    loser, winner = parse()
    assert tuple(winner) == tuple(COLUMNS)
    shown = ("game_date", "game_id", "season", "team_abbr", "opponent_team_abbr", "win_flag", "source_updated_at")
    assert [winner[name] for name in shown] == [DAY, bodies.GAME, "2024-25", "NYK", "BOS", True, VERSION]
    assert (winner["player_lookup"], winner["minutes"], winner["points"], winner["plus_minus"]) == (
        "bloravvik",
        37,
        9,
        7,
    )
    assert (loser["player_lookup"], loser["minutes"], loser["win_flag"]) == ("blorbvvik", 12, False)


@pytest.mark.parametrize("parse", [by_traditional, by_live, by_log])
@pytest.mark.parametrize("status", [1, 2])
def test_a_game_that_is_not_final_gives_no_rows(parse: Callable[..., list[RawRow]], status: int) -> None:
    assert parse(status=status) == []


@pytest.mark.parametrize(
    ("clock", "minutes"),
    [("36:42", 37), ("36.000000:29", 36), ("0:08", 0), ("PT12M34.00S", 13), ("PT07M05S", 7), (None, None), ("", None)],
)
def test_minutes_come_in_several_spellings(clock: object, minutes: int | None) -> None:
    assert minutes_played(clock, where="x") == minutes


@pytest.mark.parametrize("clock", ["a lot", "12", "PT12M", 12.5])
def test_minutes_that_are_none_are_refused(clock: object) -> None:
    with pytest.raises(DataError, match=r"box\.json: .* are no minutes"):
        minutes_played(clock, where="box.json")


@pytest.mark.parametrize(
    "asked",
    [
        {"RangeType": 2, "StartRange": 28800, "EndRange": 28940},
        {"RangeType": 2, "StartRange": 0, "EndRange": 14400},
        {"RangeType": 1, "StartPeriod": 2, "EndPeriod": 10},
        {"RangeType": 1, "StartPeriod": 1, "EndPeriod": 2},
    ],
)
def test_a_box_of_part_of_a_game_is_refused(asked: dict[str, object]) -> None:
    box = bodies.traditional(asked=asked)
    with pytest.raises(DataError, match=r"box\.json: it is a part of game 0022400001; ask for the whole game"):
        traditional_rows(box, bodies.summary(), updated_at=at, where="box.json")


def test_a_box_and_a_summary_of_two_games_are_refused() -> None:
    with pytest.raises(DataError, match="are not of one game; pair them by GAME_ID"):
        traditional_rows(bodies.traditional(game="0022400002"), bodies.summary(), updated_at=at, where="x")
    with pytest.raises(DataError, match="the box is of NYK, BOS, the game of LAL, NYK"):
        traditional_rows(bodies.traditional(), bodies.summary(home=1610612747), updated_at=at, where="x")


@pytest.mark.parametrize(
    "parse",
    [
        lambda: traditional_rows(
            bodies.traditional(game=GLEAGUE), bodies.summary(game=GLEAGUE), updated_at=at, where="g.json"
        ),
        lambda: live_box_rows(bodies.live_box(game=GLEAGUE), updated_at=at, where="g.json"),
        lambda: gamelog_rows(bodies.gamelog(league="20"), updated_at=at, where="g.json"),
        lambda: gamelog_rows(bodies.gamelog(game=GLEAGUE), updated_at=at, where="g.json"),
        lambda: scoreboard_rows(bodies.scoreboard(bodies.header(), league="20"), where="g.json"),
        lambda: scoreboard_rows(bodies.scoreboard(bodies.header(game=GLEAGUE)), where="g.json"),
        lambda: summary_schedule_rows(bodies.summary(game=GLEAGUE), where="g.json"),
        lambda: live_box_schedule_rows(bodies.live_box(game=GLEAGUE), where="g.json"),
        lambda: league_schedule_rows(bodies.league_schedule(league="20"), where="g.json"),
        lambda: gamelog_schedule_rows(bodies.gamelog(league="20"), where="g.json"),
        lambda: shot_rows(bodies.shots(bodies.shot(1), league="20"), where="g.json"),
        lambda: shot_rows(bodies.shots(bodies.shot(1, GAME_ID=GLEAGUE)), where="g.json"),
    ],
)
def test_a_g_league_body_is_refused_by_name_in_every_shape(parse: Callable[[], list[RawRow]]) -> None:
    with pytest.raises(DataError, match=r"g\.json: it is of the G-League \(league 20\); ask for LeagueID 00"):
        parse()


def test_a_playoff_box_is_refused_and_a_playoff_game_is_not_scheduled() -> None:
    playoff = "0042400101"
    with pytest.raises(DataError, match="game 0042400101 is not of the regular season"):
        live_box_rows(bodies.live_box(game=playoff), updated_at=at, where="x")
    assert scoreboard_rows(bodies.scoreboard(bodies.header(game=playoff)), where="x") == []
    assert league_schedule_rows(bodies.league_schedule(bodies.planned(playoff)), where="x") == []


def scheduled(body: bodies.Body, parse: Callable[..., list[RawRow]]) -> RawRow:
    [row] = parse(body, where="x")
    return row


@pytest.mark.parametrize(
    ("body", "parse", "source", "tip"),
    [
        (bodies.league_schedule(bodies.planned()), league_schedule_rows, "scheduleleaguev2", True),
        (bodies.scoreboard(bodies.header()), scoreboard_rows, "scoreboardv2", False),
        (bodies.summary(), summary_schedule_rows, "boxscoresummaryv2", False),
        (bodies.live_box(), live_box_schedule_rows, "live_boxscore", True),
    ],
)
def test_every_schedule_knows_home_and_away(
    body: bodies.Body, parse: Callable[..., list[RawRow]], *, source: str, tip: bool
) -> None:
    row = scheduled(body, parse)
    assert (row["game_date"], row["game_id"], row["season"]) == (DAY, bodies.GAME, "2024-25")
    assert (row["home_team_abbr"], row["away_team_abbr"]) == ("BOS", "NYK")
    assert (row["team_a_abbr"], row["team_b_abbr"], row["postponed"]) == ("BOS", "NYK", False)
    assert (row["source"], row["tipoff_at"] is not None) == (source, tip)


@pytest.mark.parametrize("body", [bodies.team_log(), bodies.gamelog()])
def test_a_log_names_the_teams_and_its_matchup_is_not_read(body: bodies.Body) -> None:
    row = scheduled(body, gamelog_schedule_rows)
    assert (row["team_a_abbr"], row["team_b_abbr"]) == ("BOS", "NYK")
    assert (row["home_team_abbr"], row["away_team_abbr"], row["tipoff_at"]) == (None, None, None)


@pytest.mark.parametrize(
    ("before", "after", "parse"),
    [
        (bodies.scoreboard(bodies.header()), bodies.scoreboard(bodies.header(text="Final")), scoreboard_rows),
        (bodies.summary(status=1, text="7:30 pm ET"), bodies.summary(), summary_schedule_rows),
        (bodies.live_box(status=1, text="7:30 pm ET"), bodies.live_box(), live_box_schedule_rows),
        (
            bodies.league_schedule(bodies.planned()),
            bodies.league_schedule(bodies.planned(gameStatusText="Final")),
            league_schedule_rows,
        ),
    ],
)
def test_a_schedule_is_the_same_before_and_after_the_game(
    before: bodies.Body, after: bodies.Body, parse: Callable[..., list[RawRow]]
) -> None:
    assert parse(before, where="x") == parse(after, where="x")


@pytest.mark.parametrize(
    ("body", "parse"),
    [
        (bodies.scoreboard(bodies.header(text="PPD")), scoreboard_rows),
        (bodies.league_schedule(bodies.planned(gameStatusText="PPD")), league_schedule_rows),
        (bodies.live_box(status=1, text="PPD"), live_box_schedule_rows),
    ],
)
def test_a_postponed_game_is_marked(body: bodies.Body, parse: Callable[..., list[RawRow]]) -> None:
    assert scheduled(body, parse)["postponed"] is True


def test_a_time_to_be_decided_is_none_and_undecided_teams_are_no_game() -> None:
    open_time = bodies.planned(gameStatusText="TBD")
    open_teams = bodies.planned("0022400002", day="2025-01-12", teams=("", ""))
    last = bodies.planned("0022400003", day="2025-01-14")
    body = bodies.league_schedule(open_time, open_teams, last)
    rows = league_schedule_rows(body, where="x")
    assert [(row["game_id"], row["tipoff_at"] is None) for row in rows] == [("0022400001", True), ("0022400003", False)]
    assert undecided_dates(body) == {date(2025, 1, 12)}
    assert covered_spans(rows, undecided=undecided_dates(body)) == [
        (date(2025, 1, 10), date(2025, 1, 11)),
        (date(2025, 1, 13), date(2025, 1, 14)),
    ]
    assert covered_spans([], undecided={DAY}) == []
    assert covered_spans(rows, undecided={DAY}) == [(date(2025, 1, 10), date(2025, 1, 14))]
    two = {date(2025, 1, 11), date(2025, 1, 12), date(2025, 1, 20)}
    assert covered_spans(rows, undecided=two) == [
        (date(2025, 1, 10), date(2025, 1, 10)),
        (date(2025, 1, 13), date(2025, 1, 14)),
    ]


def test_a_neutral_site_is_taken_where_the_schedule_says_it() -> None:
    game = bodies.planned() | {"isNeutral": True}
    assert scheduled(bodies.league_schedule(game), league_schedule_rows)["neutral_site"] is True
    assert scheduled(bodies.league_schedule(bodies.planned()), league_schedule_rows)["neutral_site"] is None


def test_shots_have_their_zone_and_are_ordered_by_event() -> None:
    two = bodies.shot(10, team=bodies.HOME, SHOT_TYPE="2PT Field Goal", SHOT_MADE_FLAG=0, SHOT_DISTANCE=4)
    rows = shot_rows(bodies.shots(two, bodies.shot(9)), where="x")
    assert [row["event_number"] for row in rows] == [9, 10]
    assert rows[0] == {
        "game_date": DAY,
        "game_id": bodies.GAME,
        "event_number": 9,
        "player_lookup": "bloravvik",
        "player_id": 0,
        "player_name": "Blor Avvik",
        "team_abbr": "NYK",
        "zone": "Left Corner 3",
        "distance_ft": 23,
        "is_three": True,
        "made": True,
    }
    assert (rows[1]["team_abbr"], rows[1]["is_three"], rows[1]["made"]) == ("BOS", False, False)
    assert shot_rows(bodies.shots(), where="x") == []


def test_a_body_of_another_shape_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"a\.json: it has no result set GameHeader"):
        scoreboard_rows(bodies.summary(), where="a.json")
    with pytest.raises(DataError, match=r"a\.json: leagueSchedule is missing"):
        league_schedule_rows({}, where="a.json")
    with pytest.raises(DataError, match=r"a\.json: PLAYER_ID is missing; ask for PlayerOrTeam = P"):
        gamelog_rows(bodies.team_log(), updated_at=at, where="a.json")
    assert result_set({"resultSet": {"name": "A", "headers": ["x"], "rowSet": [[1]]}}, "A", where="x") == [{"x": 1}]
