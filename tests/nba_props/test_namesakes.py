"""Two players of one lookup: told to the user wherever they meet, never merged, and no reason to lose a season."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from nba_props.cli import cli
from nba_props.errors import DataError
from nba_props.notices import Namesakes, Notice, between
from nba_props.raw import TABLE, RawRow
from nba_props.sources import Source
from nba_props.sources.live import LiveSource
from nba_props.sources.parquet import ParquetSource
from nba_props.sources.recorded import RecordedSource
from tests.support import league_bodies as bodies
from tests.support.player_lines import LINE, OTHER
from tests.support.step_warehouse import DAY, SCHEDULE, Warehouse, line, raw_row, upcoming

pytestmark = pytest.mark.slow

FIRST, NEXT, BOTH, LATER = date(2025, 1, 10), date(2025, 1, 12), date(2025, 1, 14), date(2025, 1, 16)
EVER = date(2000, 1, 1), date(2030, 1, 1)
SAID = (
    "players 7 (Jan Novák), 9 (Jan Novak) share the lookup 'jannovak': neither has a summary of a date on which both "
    "play, or a forecast for a date on which both are expected, and no line is theirs; tell them apart by name at the "
    "source"
)
Line = dict[str, str]


def game(day: date, number: int, *teams: str, player: tuple[int, str], season: int = 2024) -> list[Line]:
    """Give the two lines of a game that `player` wins for `teams[0]`."""
    shared = {"GAME_ID": f"'00{season - 1800}0{number:04d}'", "GAME_DATE": f"'{day}'", "SEASON_ID": f"2{season}"}
    won = LINE | shared | {"TEAM_ABBREVIATION": f"'{teams[0]}'", "PLAYER_ID": str(player[0])}
    lost = OTHER | shared | {"TEAM_ABBREVIATION": f"'{teams[1]}'", "PLAYER_ID": str(100 + number)}
    return [won | {"PLAYER_NAME": f"'{player[1]}'"}, lost | {"PLAYER_NAME": f"'Zwet {'ABCDEFGH'[number]}ommuz'"}]


def with_bench(lines: list[Line]) -> list[Line]:
    """Give each team of a game four players more, who did nothing, and its 240 minutes."""
    zero = dict.fromkeys(bodies.LINE, "0") | {"TOV": "0"}
    bench: list[Line] = []
    for number, one in enumerate(lines):
        for place, minutes in enumerate(bodies.quarters(240 - int(one["MIN"]))):
            who = bodies.bench_player(1000 + 4 * number + place)
            named = {"PLAYER_ID": str(who["PLAYER_ID"]), "PLAYER_NAME": f"'{who['PLAYER_NAME']}'"}
            bench.append(one | zero | {"MIN": str(minutes)} | named)
    return [*lines, *bench]


def folder_of(path: Path, **seasons: list[Line]) -> Path:
    for season, lines in seasons.items():
        selects = " UNION ALL ".join(
            "SELECT " + ", ".join(f"{value} AS {column}" for column, value in one.items()) for one in lines
        )
        duckdb.sql(f"COPY ({selects}) TO '{path / f'player_game_{season}.parquet'}' (FORMAT parquet)")
    return path


ONE, OTHER_ONE = (7, "Jan Novák"), (9, "Jan Novak")
SEASON = [
    *game(FIRST, 1, "BOS", "NYK", player=ONE),
    *game(NEXT, 2, "LAL", "SAS", player=OTHER_ONE),
    *game(BOTH, 3, "BOS", "NYK", player=ONE),
    *game(BOTH, 4, "LAL", "SAS", player=OTHER_ONE),
    *game(LATER, 5, "BOS", "NYK", player=ONE),
]


def texts(source: Source, first: date = EVER[0], last: date = EVER[1]) -> list[str]:
    return [notice.text for notice in source.notices(first, last) if notice.table == TABLE]


def test_a_date_on_which_both_play_is_served_with_both(tmp_path: Path) -> None:
    source = ParquetSource(folder_of(tmp_path, a=SEASON))
    assert source.dates(*EVER) == [FIRST, NEXT, BOTH, LATER]
    assert [len(source.batch(day)) for day in (FIRST, NEXT, BOTH, LATER)] == [2, 2, 4, 2]
    assert {row["player_id"] for row in source.batch(BOTH) if row["player_lookup"] == "jannovak"} == {7, 9}


def test_two_who_never_play_on_one_date_are_told_by_id_and_name(tmp_path: Path) -> None:
    source = ParquetSource(folder_of(tmp_path, a=SEASON[:4]))
    assert texts(source) == []  # nothing is loaded yet
    assert [len(source.batch(day)) for day in (FIRST, NEXT)] == [2, 2]
    assert texts(source) == [SAID]
    assert texts(source, NEXT, NEXT) == [SAID]
    assert texts(source, LATER, LATER) == []


def test_two_of_different_seasons_are_told_too(tmp_path: Path) -> None:
    old = game(date(2024, 1, 5), 6, "MIA", "CHI", player=OTHER_ONE, season=2023)
    source = ParquetSource(folder_of(tmp_path, a=SEASON[:2], b=old))
    source.batch(FIRST)
    assert texts(source) == []
    source.batch(date(2024, 1, 5))
    assert texts(source) == [SAID]


def test_one_player_under_two_spellings_is_nobody_s_namesake(tmp_path: Path) -> None:
    lines = [
        *game(FIRST, 1, "BOS", "NYK", player=(7, "Jan Novák")),
        *game(NEXT, 2, "BOS", "NYK", player=(7, "Jan Novak")),
    ]
    source = ParquetSource(folder_of(tmp_path, a=lines))
    source.batch(FIRST)
    assert texts(source) == []


def log_of(*days: tuple[date, str, tuple[str, str], int]) -> bodies.Body:
    """Give a log of games; the winner's only player of each has the id that is given, and everybody's name."""
    rows: list[dict[str, object]] = []
    for day, number, teams, player in days:
        one = bodies.result_of(bodies.gamelog(day=day.isoformat(), game=number, teams=teams))
        won, lost = (dict(zip(one["headers"], row, strict=True)) for row in one["rowSet"])
        rows += [won | {"PLAYER_ID": player, "PLAYER_NAME": "Jan Novak"}, lost]
    return bodies.sets("leaguegamelog", {"LeagueID": "00", "PlayerOrTeam": "P"}, LeagueGameLog=rows)


RECORDED = (
    (FIRST, "0022400001", ("NYK", "BOS"), 7),
    (BOTH, "0022400003", ("NYK", "BOS"), 7),
    (BOTH, "0022400004", ("LAL", "SAS"), 9),
)


def test_a_recorded_log_is_served_with_both(tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text(json.dumps(log_of(*RECORDED)))
    source = RecordedSource(tmp_path)
    assert len(source.batch(FIRST)) == 2
    assert len(source.batch(BOTH)) == 4
    assert [text[:37] for text in texts(source)] == ["players 7 (Jan Novak), 9 (Jan Novak) "]


@pytest.mark.parametrize(
    "cell", [{"PTS": 999}, {"PTS": None}, {"GAME_ID": None}, {"GAME_DATE": None}, {"TEAM_ABBREVIATION": None}], ids=str
)
def test_one_bad_cell_of_a_recorded_log_holds_its_own_date_back(tmp_path: Path, cell: dict[str, object]) -> None:
    body = log_of(RECORDED[0], (NEXT, "0022400002", ("LAL", "SAS"), 9))
    one = bodies.result_of(body)
    one["rowSet"][0] = list((dict(zip(one["headers"], one["rowSet"][0], strict=True)) | cell).values())
    (tmp_path / "log.json").write_text(json.dumps(body))
    source = RecordedSource(tmp_path)
    assert source.dates(*EVER) == [FIRST, NEXT]
    assert len(source.batch(NEXT)) == 2
    with pytest.raises(DataError, match=r"log\.json: "):
        source.batch(FIRST)


def test_what_came_live_on_one_date_is_held_against_the_next() -> None:
    logs = {f"{day:%m/%d/%Y}": log_of((day, game, teams, player)) for day, game, teams, player in
            ((FIRST, "0022400001", ("NYK", "BOS"), 7), (NEXT, "0022400002", ("LAL", "SAS"), 9))}  # fmt: skip

    def answer(endpoint: str, asked: Mapping[str, str]) -> bodies.Body:
        return bodies.league_schedule() if endpoint == "scheduleleaguev2" else logs[asked["DateFrom"]]

    source = LiveSource(request=answer, sleep=lambda _: None)
    source.batch(FIRST)
    assert texts(source) == []
    source.batch(NEXT)
    assert [text[:37] for text in texts(source)] == ["players 7 (Jan Novak), 9 (Jan Novak) "]


def test_a_live_date_is_served_with_both() -> None:
    def answer(endpoint: str, _: Mapping[str, str]) -> bodies.Body:
        return bodies.league_schedule() if endpoint == "scheduleleaguev2" else log_of(*RECORDED[1:])

    assert len(LiveSource(request=answer, sleep=lambda _: None).batch(BOTH)) == 4


def test_repeats_and_order_change_nothing_and_notices_are_of_the_dates_asked() -> None:
    rows = [raw_row("Jan Novák", player_id=7), raw_row("Jan Novak", player_id=9, game_date=date(2025, 1, 11))]
    for shown in (rows, rows[::-1], rows * 2):
        found = Namesakes()
        found.see(shown)
        [notice] = found.notices()
        assert notice.dates == (DAY, date(2025, 1, 11))
        assert notice.scraper == "nbac_gamebook_player_stats"
        assert between([notice, notice], DAY, DAY) == [notice]
        assert between([notice], date(2025, 1, 12), date(2025, 1, 12)) == []
    assert between([Notice("a.b", (), "x")], DAY, DAY) == [Notice("a.b", (), "x")]


def test_of_two_expected_on_one_date_neither_is_forecast_and_of_one_alone_all_is() -> None:
    def forecast(*days: int) -> list[object]:
        """Give who is forecast for DAY, where the two played these days in a row, one each."""
        warehouse = Warehouse()
        sides = (("BOS", "MIA"), ("LAL", "UTA"))
        rows: list[RawRow] = []
        for ago, (mine, other), (number, name) in zip(days, sides, (ONE, OTHER_ONE), strict=False):
            day = date(2025, 1, 10 - ago)
            rows += [line(name, day, mine, other, player_id=number), line(f"Rival {mine}", day, other, mine)]
        warehouse.play(*rows)
        warehouse.add(SCHEDULE, [upcoming(DAY, "BOS", "LAL")])
        warehouse.forecast(DAY)
        for step in ("player_daily_cache", "player_composite_factors", "ml_feature_store_v2"):
            assert [row["player_id"] for row in warehouse.rows(step)] == [
                row["player_id"] for row in warehouse.rows("upcoming_player_game_context")
            ]
        return [row["player_id"] for row in warehouse.rows("upcoming_player_game_context")]

    assert forecast(2) == [7]
    assert forecast(2, 3) == []


def test_rows_of_both_on_one_date_that_somebody_else_wrote_become_the_summary_of_neither() -> None:
    warehouse = Warehouse()
    rows = [
        *(line("Jan Novák", DAY, "BOS", "MIA", player_id=7), line("Ota Blor", DAY, "MIA", "BOS")),
        *(line("Jan Novak", DAY, "LAL", "UTA", player_id=9), line("Ota Zwet", DAY, "UTA", "LAL")),
    ]
    warehouse.play(*rows)
    assert [row["player_lookup"] for row in warehouse.rows("player_game_summary")] == ["otablor", "otazwet"]


def run(folder: Path, state: Path, *more: str, month: str = "2025-01") -> tuple[int, str]:
    dates = ["--from", f"{month}-10", "--to", f"{month}-16"]
    command = ["run", "--data", str(folder), *dates, "--state", str(state), *more]
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    return done.exit_code, done.stdout


def test_of_a_date_on_which_both_play_only_their_own_rows_are_held_back_and_named(tmp_path: Path) -> None:
    folder, state = folder_of(tmp_path, a=with_bench(SEASON)), tmp_path / "state"
    code, told = run(folder, state)
    assert code == 1  # two summaries are missing: that needs a person
    assert f"to check: {SAID}" in told.splitlines()
    assert (
        "held back: 2025-01-14: players 7, 9 share the lookup 'jannovak', so neither has a summary; tell them apart by "
        "name at the source"
    ) in told.splitlines()
    assert "not fetched" not in told
    assert "not settled" not in told
    with duckdb.connect(str(state / "warehouse.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "SELECT game_date, status, error_type, error_message FROM nba_raw.scraper_execution_log "
            "WHERE scraper_name = 'nbac_gamebook_player_stats' ORDER BY game_date"
        ).fetchall()
        loaded = connection.execute(
            f"SELECT DISTINCT game_date, player_id FROM {TABLE} WHERE player_id < 10 ORDER BY ALL"
        ).fetchall()
        summaries = connection.execute(
            "SELECT player_id FROM nba_analytics.player_game_summary "
            "WHERE game_date = '2025-01-14' AND player_id < 1000 ORDER BY ALL"
        ).fetchall()
        teams = connection.execute(
            "SELECT team_abbr, points FROM nba_analytics.team_offense_game_summary "
            "WHERE game_date = '2025-01-14' ORDER BY ALL"
        ).fetchall()
    assert [row[:3] for row in rows] == [(day, "success", None) for day in (FIRST, NEXT, BOTH, LATER)]
    assert all(SAID in row[3] for row in rows)
    assert loaded == [(FIRST, 7), (NEXT, 9), (BOTH, 7), (BOTH, 9), (LATER, 7)]
    assert summaries == [(103,), (104,)]
    assert teams == [("BOS", 9), ("LAL", 9), ("NYK", 2), ("SAS", 2)], "the totals of the teams are whole"


def test_a_bad_cell_holds_its_date_back_and_the_run_names_it(tmp_path: Path) -> None:
    lines = [*game(FIRST, 1, "BOS", "NYK", player=ONE), *game(NEXT, 2, "LAL", "SAS", player=OTHER_ONE)]
    lines = with_bench(lines)
    lines[0] = lines[0] | {"PTS": "99"}
    code, told = run(folder_of(tmp_path, a=lines), tmp_path / "state")
    assert code == 1
    [line] = [one for one in told.splitlines() if one.startswith("not fetched: ")]
    assert line.startswith("not fetched: 2025-01-10 overnight, nbac_gamebook_player_stats: ")
    assert "column points: is 99, but the shots made give 9" in line
    with duckdb.connect(str(tmp_path / "state" / "warehouse.duckdb"), read_only=True) as connection:
        done = connection.execute("SELECT DISTINCT game_date FROM nba_analytics.player_game_summary").fetchall()
    assert done == [(NEXT,)]


def test_the_report_tells_of_two_that_came_in_different_runs(tmp_path: Path) -> None:
    old, new, state = tmp_path / "old", tmp_path / "new", tmp_path / "state"
    old.mkdir()
    new.mkdir()
    _, told = run(folder_of(old, a=with_bench(SEASON[:2])), state)
    assert "share the lookup" not in told
    later = game(date(2025, 2, 12), 6, "LAL", "SAS", player=OTHER_ONE)
    _, told = run(folder_of(new, a=with_bench(later)), state, "--json", month="2025-02")
    assert json.loads(told)["to_check"] == [SAID]


def test_a_quiet_run_has_nothing_to_tell(tmp_path: Path) -> None:
    code, told = run(folder_of(tmp_path, a=with_bench(SEASON[:2])), tmp_path / "state")
    assert code == 0
    assert "to check" not in told
    assert "held back" not in told
    assert "not fetched" not in told
