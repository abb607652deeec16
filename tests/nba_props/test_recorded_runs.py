"""What was really recorded, from the response bodies to the tables of the last phase. Needs the real data."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from nba_props.cli import cli
from nba_props.replay.runner import Runner
from nba_props.sources.recorded import RecordedSource
from nba_props.teams import TEAM_IDS
from tests.support import league_bodies as bodies

Shot = dict[str, object]
AREAS = {
    "paint": ("Restricted Area", "In The Paint (Non-RA)"),
    "mid_range": ("Mid-Range",),
    "corner_three": ("Left Corner 3", "Right Corner 3"),
    "above_break_three": ("Above the Break 3",),
}
G_LEAGUE = "it is of the G-League (league 20); ask for LeagueID 00"


class Game:
    """One game whose box, summary and shots were recorded."""

    def __init__(self, number: str, day: date, *, home: tuple[str, int], away: tuple[str, int]) -> None:
        self.number, self.day, self.home, self.away = number, day, home, away

    def folder(self, api_json: Path, tmp_path: Path) -> Path:
        """Give a folder of its bodies and of one invented: the two meet again two days later, so forecasts are made."""
        for name in ("boxscoretraditionalv2", "boxscoresummaryv2"):
            (tmp_path / f"{name}.json").symlink_to(api_json / f"stats_{name}_{self.number}.json")
        for side in ("home", "away"):
            (tmp_path / f"{side}.json").symlink_to(api_json / f"stats_shotchartdetail_{self.number}_{side}.json")
        again = bodies.planned(f"{self.number[:-1]}9", day=str(self.again), teams=(self.home[0], self.away[0]))
        (tmp_path / "plan.json").write_text(json.dumps(bodies.league_schedule(again)))
        return tmp_path

    @property
    def again(self) -> date:
        return self.day + timedelta(days=2)

    def shots(self, api_json: Path) -> list[Shot]:
        """Read the bodies without any code of the source's."""
        found: list[Shot] = []
        for side in ("home", "away"):
            body = json.loads((api_json / f"stats_shotchartdetail_{self.number}_{side}.json").read_text())
            chart = next(one for one in body["resultSets"] if one["name"] == "Shot_Chart_Detail")
            found += [dict(zip(chart["headers"], row, strict=True)) for row in chart["rowSet"]]
        return found


GAMES = [
    Game("0021600270", date(2016, 11, 30), home=("OKC", 1610612760), away=("WAS", 1610612764)),
    Game("0022100732", date(2022, 1, 26), home=("POR", 1610612757), away=("DAL", 1610612742)),
]


@pytest.fixture(params=GAMES, ids=lambda game: str(game.number))
def game(request: pytest.FixtureRequest) -> Game:
    made: Game = request.param
    return made


@pytest.fixture
def api_json(nba_data: Path) -> Path:
    return nba_data / "api_json"


@pytest.fixture
def runner(game: Game, api_json: Path, tmp_path: Path) -> Iterator[Runner]:
    """Play the night, then the morning of the date on which the two meet again."""
    (tmp_path / "bodies").mkdir()
    source, state = RecordedSource(game.folder(api_json, tmp_path / "bodies")), tmp_path / "state"
    assert source.refusals == ()
    night = Runner(source, state=state, modes=["overnight"])
    try:
        done = night.run(game.day, game.day)
        assert (done.games, done.unsettled) == (1, ())
    finally:
        night.close()
    morning = Runner(source, state=state, modes=["same_day"])
    try:
        morning.play(game.again, [[]])
        yield morning
    finally:
        morning.close()


def counted(shots: list[Shot], ending: str = "") -> dict[str, object]:
    """Count attempts, makes and their quotient by area, as the zone columns hold them."""
    zones: dict[str, object] = {}
    for area, names in AREAS.items():
        tried = [shot for shot in shots if shot["SHOT_ZONE_BASIC"] in names]
        made = sum(shot["SHOT_MADE_FLAG"] == 1 for shot in tried)
        zones[f"{area}_attempts{ending}"] = len(tried)
        zones[f"{area}_makes{ending}"] = made
        zones[f"{area}_pct{ending}"] = round(made / len(tried), 4) if tried else None
    return zones


def test_real_shots_become_the_zones_of_what_each_team_allowed(game: Game, runner: Runner, api_json: Path) -> None:
    shots = game.shots(api_json)
    rows = runner.pipeline.query(
        "SELECT * FROM nba_precompute.team_defense_zone_analysis WHERE analysis_date = CAST($day AS DATE)",
        {"day": str(game.again)},
    )
    assert {row["team_abbr"] for row in rows} == {game.home[0], game.away[0]}
    for row in rows:
        shooters = game.away if row["team_abbr"] == game.home[0] else game.home
        expected = counted([shot for shot in shots if shot["TEAM_ID"] == shooters[1]])
        assert {name: row[name] for name in expected} == expected
        assert (str(row["analysis_date"])[:10], row["games_in_window"], row["zone_reason"]) == (
            str(game.again),
            1,
            "ok",
        )


def test_real_shots_become_the_zones_of_who_took_them(game: Game, runner: Runner, api_json: Path) -> None:
    shots = game.shots(api_json)
    rows = runner.pipeline.query("SELECT * FROM nba_precompute.player_shot_zone_analysis", {})
    players = {row["player_id"] for row in rows}
    assert {shot["PLAYER_ID"] for shot in shots} <= players
    for row in rows:
        own = [shot for shot in shots if shot["PLAYER_ID"] == row["player_id"]]
        for ending in ("_last_10", "_last_20"):
            expected = counted(own, ending)
            assert {name: row[name] for name in expected} == expected, row["player_name"]
            assert row[f"zone_reason{ending}"] == "ok"
    in_areas = sum(int(str(row[f"{area}_attempts_last_10"])) for row in rows for area in AREAS)
    backcourt = sum(shot["SHOT_ZONE_BASIC"] == "Backcourt" for shot in shots)
    assert in_areas + backcourt == len(shots) > 160


def test_one_recorded_two_lies_in_a_zone_of_threes_and_every_three_in_one(api_json: Path) -> None:
    threes = (*AREAS["corner_three"], *AREAS["above_break_three"])
    shots = [shot for game in GAMES for shot in game.shots(api_json)]
    odd = [shot for shot in shots if (shot["SHOT_TYPE"] == "3PT Field Goal") != (shot["SHOT_ZONE_BASIC"] in threes)]
    assert [(shot["GAME_ID"], shot["GAME_EVENT_ID"], shot["SHOT_TYPE"]) for shot in odd] == [
        ("0021600270", 77, "2PT Field Goal")
    ]


def test_the_recorded_scoreboard_is_accepted_when_its_league_and_teams_are_the_nba_s(
    api_json: Path, tmp_path: Path
) -> None:
    """Nobody recorded a scoreboard of the NBA: this one is real but for league, game ids and teams."""
    body = json.loads((api_json / "stats_scoreboardv2_gleague_2020-02-25.json").read_text())
    header = next(one for one in body["resultSets"] if one["name"] == "GameHeader")
    place = {name: number for number, name in enumerate(header["headers"])}
    nba = sorted((code, number) for number, code in TEAM_IDS.items())
    body["parameters"]["LeagueID"] = "00"
    renamed: dict[str, str] = {}
    expected = []
    for row in header["rowSet"]:
        # 20200225/WCBGRD: the visitor's code, then that of the home team
        codes = row[place["GAMECODE"]].partition("/")[2]
        row[place["GAME_ID"]] = "00" + row[place["GAME_ID"]][2:]
        for side, code in (("VISITOR_TEAM_ID", codes[:3]), ("HOME_TEAM_ID", codes[3:])):
            renamed[code], row[place[side]] = nba[len(renamed)]
        expected.append((row[place["GAME_ID"]], renamed[codes[3:]], renamed[codes[:3]]))
    (tmp_path / "scoreboard.json").write_text(json.dumps(body))
    source, day = RecordedSource(tmp_path), date(2020, 2, 25)
    assert source.refusals == ()
    rows = source.schedule(day, day)
    assert [(row["game_id"], row["home_team_abbr"], row["away_team_abbr"]) for row in rows] == expected
    assert (len(rows), len(renamed)) == (7, 14)
    assert {(row["game_date"], row["season"], row["postponed"], row["tipoff_at"], row["source"]) for row in rows} == {
        (day, "2019-20", False, None, "scoreboardv2")
    }
    assert source.coverage(date(2020, 2, 1), date(2020, 3, 1)) == [(day, day)]


def test_a_run_on_recorded_bodies_tells_which_were_refused_why_and_what_to_do(api_json: Path, tmp_path: Path) -> None:
    command = ["run", "--recorded", str(api_json), "--from", "2016-11-30", "--to", "2016-11-30", "--state"]
    done = CliRunner().invoke(cli, [*command, str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    schedules = [
        f"stats_boxscoresummaryv2_gleague_2021900002.json: {G_LEAGUE}",
        f"stats_scoreboardv2_gleague_2020-02-25.json: {G_LEAGUE}",
    ]
    boxes = [
        "stats_boxscoretraditionalv2_0021600270_timerange.json: it is a part of game 0021600270; ask for the whole "
        "game",
        f"stats_boxscoretraditionalv2_gleague_2021900002.json: {G_LEAGUE}",
    ]
    told = [line for line in done.stdout.splitlines() if line.startswith("to check: ")]
    assert sorted(told) == sorted(f"to check: refused: {text}" for text in (*schedules, *boxes))
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as connection:
        found = connection.execute(
            "SELECT scraper_name, status, error_type, error_message FROM nba_raw.scraper_execution_log"
        ).fetchall()
    messages = {name: message for name, _, _, message in found}
    assert {kind for _, _, kind, _ in found} == {None}
    assert messages["nbac_schedule"] == "; ".join(f"refused: {text}" for text in schedules)
    assert messages["nbac_gamebook_player_stats"] == "; ".join(f"refused: {text}" for text in boxes)
    assert messages["nbac_shot_chart"] is None


def test_where_nothing_was_played_the_refused_are_told_all_the_same(api_json: Path, tmp_path: Path) -> None:
    command = ["run", "--recorded", str(api_json), "--from", "2011-11-30", "--to", "2011-11-30", "--state"]
    done = CliRunner().invoke(cli, [*command, str(tmp_path), "--json"], catch_exceptions=False)
    assert done.exit_code == 1
    assert len(json.loads(done.stdout)["to_check"]) == 4
