import gzip
import json
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from nba_props.errors import DataError, NotFinal
from nba_props.sources import Source
from nba_props.sources.recorded import RecordedSource
from tests.support import league_bodies as bodies

DAY = date(2025, 1, 10)
EVER = (date(2000, 1, 1), date(2030, 1, 1))


def record(folder: Path, **named: bodies.Body) -> RecordedSource:
    for name, body in named.items():
        (folder / f"{name}.json").write_text(json.dumps(body))
    return RecordedSource(folder)


def test_a_folder_of_bodies_is_a_source(tmp_path: Path) -> None:
    schedule = json.dumps(bodies.league_schedule(bodies.planned())).encode()
    (tmp_path / "schedule.json.gz").write_bytes(gzip.compress(schedule))
    source: Source = record(
        tmp_path,
        a_box=bodies.traditional(),
        summary=bodies.summary(),
        shots=bodies.shots(bodies.shot(1)),
        plays={"resource": "playbyplay", "resultSets": []},
    )
    assert source.dates(*EVER) == [DAY]
    assert [row["player_lookup"] for row in source.batch(DAY)] == ["blorbvvik", "bloravvik"]
    assert source.batch(date(2025, 1, 11)) == []
    assert len(source.shots(DAY)) == 1
    assert source.props(DAY) == []
    [row] = source.schedule(*EVER)
    assert row["source"] == "scheduleleaguev2"
    assert source.coverage(*EVER) == [(DAY, DAY)]


def test_a_box_without_its_summary_is_refused_and_the_rest_is_served(tmp_path: Path) -> None:
    source = record(tmp_path, box=bodies.traditional(), live=bodies.live_box(game="0022400002"))
    assert {row["game_id"] for row in source.batch(DAY)} == {"0022400002"}
    [refusal] = source.refusals
    assert str(refusal).startswith("box.json: no boxscoresummaryv2 of game 0022400001 is recorded")


IN_PLAY = "0022400002"


@pytest.mark.parametrize(
    "body",
    [
        bodies.live_box(game=IN_PLAY, status=2, text="Q3 4:12"),
        bodies.gamelog(game=IN_PLAY, won=None, teams=("LAL", "SAS")),
    ],
    ids=["live box", "log"],
)
def test_a_game_recorded_in_play_is_refused_by_file_and_its_date_is_not_told_without_it(
    tmp_path: Path, body: bodies.Body
) -> None:
    source = record(tmp_path, over=bodies.live_box(), unfinished=body)
    said = "1 of 1 games not final yet: 0022400002; fetch the date again when they are over"
    assert [str(refusal) for refusal in source.refusals] == [f"unfinished.json: {said}"]
    with pytest.raises(NotFinal, match="1 of 2 games not final yet: 0022400002"):
        source.batch(DAY)
    source = record(tmp_path, later=bodies.gamelog(game=IN_PLAY, teams=("LAL", "SAS")))
    assert {row["game_id"] for row in source.batch(DAY)} == {bodies.GAME, IN_PLAY}
    assert source.refusals == ()


def test_a_box_whose_summary_says_in_play_is_refused_by_file(tmp_path: Path) -> None:
    source = record(tmp_path, box=bodies.traditional(), summary=bodies.summary(status=2, text="Q3 4:12"))
    assert source.dates(*EVER) == []
    assert [str(refusal).partition(";")[0] for refusal in source.refusals] == [
        "box.json: 1 of 1 games not final yet: 0022400001"
    ]


def test_one_game_in_several_bodies_is_served_once(tmp_path: Path) -> None:
    source = record(
        tmp_path,
        box=bodies.traditional(),
        summary=bodies.summary(),
        live=bodies.live_box(),
        log=bodies.gamelog(),
        board=bodies.scoreboard(bodies.header()),
    )
    assert len(source.batch(DAY)) == 2
    [row] = source.schedule(*EVER)
    assert row["source"] == "live_boxscore"


def test_a_schedule_older_than_the_game_gives_way_to_its_true_date(tmp_path: Path) -> None:
    source = record(tmp_path, plan=bodies.league_schedule(bodies.planned(day="2025-01-08")), summary=bodies.summary())
    [row] = source.schedule(*EVER)
    assert (row["game_date"], row["source"]) == (DAY, "boxscoresummaryv2")


def test_a_box_alone_covers_no_date(tmp_path: Path) -> None:
    source = record(tmp_path, live=bodies.live_box())
    assert source.coverage(*EVER) == []
    assert len(source.schedule(*EVER)) == 1


def test_neighbouring_spans_are_joined_and_cut(tmp_path: Path) -> None:
    source = record(
        tmp_path,
        a=bodies.gamelog(day="2025-01-08", game="0022400009"),
        b=bodies.gamelog(day="2025-01-09", game="0022400010"),
        c=bodies.gamelog(day="2025-01-12", game="0022400011"),
    )
    assert source.coverage(*EVER) == [(date(2025, 1, 8), date(2025, 1, 9)), (date(2025, 1, 12), date(2025, 1, 12))]
    assert source.coverage(date(2025, 1, 9), date(2025, 1, 11)) == [(date(2025, 1, 9), date(2025, 1, 9))]


BAD_CELLS: list[bodies.Body] = [
    {"gameDateEst": "soon"},
    {"gameDateEst": None},
    {"gameDateTimeUTC": "tonight"},
    {"gameDateTimeUTC": 3},
    {"homeTeam": {"teamTricode": "QQQ"}},
    {"homeTeam": {"teamTricode": 7}},
    {"awayTeam": None},
    {"isNeutral": "perhaps"},
]
SPAN = [date(2025, 1, 8), date(2025, 1, 9), date(2025, 1, 10)]


def three(*, spelled: str = "%m/%d/%Y 00:00:00", bad: bodies.Body) -> bodies.Body:
    """Give a schedule of three dates, with bad cells in the second."""
    games = [bodies.planned(f"002240000{day.day % 10}", day=str(day)) for day in SPAN]
    days = [
        {"gameDate": day.strftime(spelled), "games": [game]}
        for day, game in zip(SPAN, (games[0], games[1] | bad, games[2]), strict=True)
    ]
    return {"leagueSchedule": {"leagueId": "00", "gameDates": days}}


@pytest.mark.parametrize("bad", BAD_CELLS)
def test_a_bad_cell_of_a_schedule_holds_back_its_game_alone_and_names_it(tmp_path: Path, bad: bodies.Body) -> None:
    source = record(tmp_path, plan=three(bad=bad))
    assert source.refusals == ()
    assert [row["game_date"] for row in source.schedule(*EVER)] == [SPAN[0], SPAN[2]]
    assert source.coverage(*EVER) == [(SPAN[0], SPAN[0]), (SPAN[2], SPAN[2])], "it is no date without games"
    [notice] = source.notices(*EVER)
    assert (notice.dates, notice.held_back) == ((SPAN[1],), True)
    assert "plan.json: game 0022400009: " in notice.text


def test_a_game_whose_date_cannot_be_read_leaves_no_date_covered(tmp_path: Path) -> None:
    source = record(tmp_path, plan=three(spelled="", bad={"gameDateEst": "soon"}))
    assert len(source.schedule(*EVER)) == 2
    assert source.coverage(*EVER) == []
    assert [notice.dates for notice in source.notices(*EVER)] == [()]


def test_a_game_that_another_body_has_whole_is_not_held_back(tmp_path: Path) -> None:
    whole = bodies.league_schedule(bodies.planned("0022400009", day=str(SPAN[1])))
    source = record(tmp_path, plan=three(bad={"gameDateTimeUTC": "tonight"}), whole=whole)
    assert [row["game_date"] for row in source.schedule(*EVER)] == SPAN
    assert source.notices(*EVER) == []


def test_a_schedule_without_a_game_that_can_be_read_is_refused(tmp_path: Path) -> None:
    source = record(tmp_path, plan=bodies.league_schedule(bodies.planned(gameDateEst="soon")))
    assert [error.where for error in source.refusals] == ["plan.json"]
    assert source.coverage(*EVER) == []


def test_a_bad_cell_of_a_scoreboard_or_a_log_holds_back_its_game_alone(tmp_path: Path) -> None:
    board = bodies.scoreboard(bodies.header(), {**bodies.header(), "GAME_ID": "0022400777", "HOME_TEAM_ID": 3})
    source = record(tmp_path, board=board)
    assert (len(source.schedule(*EVER)), source.refusals) == (1, ())
    assert ["game 0022400777" in notice.text for notice in source.notices(*EVER)] == [True]


def test_a_missing_an_empty_and_a_broken_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such folder"):
        RecordedSource(tmp_path / "absent")
    with pytest.raises(DataError, match=r"it has no \*\.json"):
        RecordedSource(tmp_path)
    (tmp_path / "a.json").write_text("<html>")
    with pytest.raises(DataError, match=r"a\.json: it cannot be read as JSON"):
        RecordedSource(tmp_path)
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(DataError, match="it is not a JSON object"):
        RecordedSource(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08", b"no gzip"])
def test_a_broken_gzip_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.json\.gz: it cannot be read as JSON"):
        RecordedSource(tmp_path)


@pytest.fixture(scope="module")
def real(nba_data: Path) -> RecordedSource:
    return RecordedSource(nba_data / "api_json")


def test_real_bodies_give_three_games_and_386_shots(real: RecordedSource) -> None:
    counts = {str(day): (len(real.batch(day)), len(real.shots(day))) for day in real.dates(*EVER)}
    assert counts == {"2016-11-30": (19, 193), "2020-12-22": (28, 0), "2022-01-26": (22, 170)}
    sums = {(row["game_id"], row["team_abbr"]): 0 for day in real.dates(*EVER) for row in real.batch(day)}
    for day in real.dates(*EVER):
        for row in real.batch(day):
            sums[row["game_id"], row["team_abbr"]] += int(str(row["points"]))
    assert sums == {
        ("0021600270", "OKC"): 126,
        ("0021600270", "WAS"): 115,
        ("0022000001", "BKN"): 125,
        ("0022000001", "GSW"): 99,
        ("0022100732", "DAL"): 132,
        ("0022100732", "POR"): 112,
    }


def test_real_shots_agree_with_the_real_boxes(real: RecordedSource) -> None:
    for day in (date(2016, 11, 30), date(2022, 1, 26)):
        made = Counter(row["player_id"] for row in real.shots(day) if row["made"])
        threes = Counter(row["player_id"] for row in real.shots(day) if row["is_three"])
        for row in real.batch(day):
            assert made[row["player_id"]] == row["field_goals_made"]
            assert threes[row["player_id"]] == row["three_pointers_attempted"]


def test_real_schedules_are_of_1230_and_1200_games(real: RecordedSource) -> None:
    found = Counter((row["source"], row["season"]) for row in real.schedule(*EVER))
    assert found == {
        ("leaguegamelog", "2018-19"): 1230,
        ("scheduleleaguev2", "2023-24"): 1200,  # 30 of the cup's were not yet made
        ("boxscoresummaryv2", "2016-17"): 1,
        ("boxscoresummaryv2", "2019-20"): 1,
        ("live_boxscore", "2020-21"): 1,
        ("boxscoresummaryv2", "2021-22"): 1,
    }


def test_dates_of_the_cup_s_undecided_games_are_unknown_not_empty(real: RecordedSource) -> None:
    begin, end = date(2023, 12, 3), date(2023, 12, 8)
    assert real.coverage(begin, end) == [(begin, begin), (date(2023, 12, 6), date(2023, 12, 6)), (end, end)]


def test_real_g_league_bodies_and_a_part_of_a_game_are_refused_by_name(real: RecordedSource) -> None:
    said = [str(refusal).partition(": ")[::2] for refusal in real.refusals]
    league = "it is of the G-League (league 20); ask for LeagueID 00"
    assert said == [
        ("stats_boxscoresummaryv2_gleague_2021900002.json", league),
        (
            "stats_boxscoretraditionalv2_0021600270_timerange.json",
            "it is a part of game 0021600270; ask for the whole game",
        ),
        ("stats_boxscoretraditionalv2_gleague_2021900002.json", league),
        ("stats_scoreboardv2_gleague_2020-02-25.json", league),
    ]


@pytest.mark.parametrize(
    "body",
    [{"leagueSchedule": None}, {"resource": "leaguegamelog", "resultSets": []},
     {"resource": "leaguegamelog", "parameters": None}, {"resource": "boxscoresummary", "resultSets": []},
     {"resource": "boxscore", "parameters": {}, "resultSets": 3}, {"game": {"homeTeam": None}}],
    ids=str,
)  # fmt: skip
def test_a_body_in_no_shape_is_refused_by_its_name_and_the_rest_is_served(body: bodies.Body, tmp_path: Path) -> None:
    source = record(tmp_path, odd=body, schedule=bodies.league_schedule(bodies.planned()))
    assert len(source.schedule(*EVER)) == 1
    (refusal,) = source.refusals
    assert str(refusal).startswith("odd.json: ")
    assert [notice.text for notice in source.notices(*EVER)] == [f"refused: {refusal}"]
