"""The schedule of a parquet folder, on small invented folders of the real layout."""

from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from nba_props.raw_tables import SCHEDULE, check_table
from nba_props.sources.gamelog import SAME_VALUE
from nba_props.sources.parquet import ParquetSource

FIRST, LAST = date(2024, 1, 1), date(2025, 12, 31)
GAMES = [
    ("0022400001", "2025-01-08", "BOS", "NYK"),
    ("0022400002", "2025-01-09", "DAL", "GSW"),
    ("0022400004", "2025-01-09", "LAL", "SAS"),
    ("0022400009", "2025-01-12", "DAL", "GSW"),
    ("0022400003", "2025-01-14", "DAL", "GSW"),  # planned for the 9th
]


def save(path: Path, *lines: dict[str, object]) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    selects = " UNION ALL ".join(
        "SELECT " + ", ".join(f"{'NULL' if value is None else repr(value)} AS {name}" for name, value in line.items())
        for line in lines
    )
    duckdb.sql(f"COPY ({selects}) TO '{path}' (FORMAT parquet)")


def player(game: str, day: str, *, team: str, won: bool) -> dict[str, object]:
    line: dict[str, object] = dict.fromkeys(SAME_VALUE, 0)
    points = 2 if won else 0
    line |= {"GAME_ID": game, "GAME_DATE": day, "TEAM_ABBREVIATION": team, "WL": "W" if won else "L"}
    line |= {"PLAYER_NAME": f"Blor {team}", "SEASON_ID": 22024, "PTS": points, "FGM": points // 2, "FGA": points // 2}
    return line | {"PLAYER_ID": sum(map(ord, team)), "MATCHUP": f"{team} @ ???"}


def event(number: int, day: str, *, home: str, away: str, **more: object) -> dict[str, object]:
    line: dict[str, object] = {"game_id": number, "game_date": day, "date": f"{day}T23:30Z", "season_type": 2}
    line |= {"home_abbreviation": home, "away_abbreviation": away, "neutral_site": False}
    return line | {"status_type_name": "STATUS_FINAL"} | more


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = [
        player(game, day, team=team, won=won)
        for game, day, one, two in GAMES
        for team, won in ((one, True), (two, False))
    ]
    save(tmp_path / "nba" / "player_game_2024-25.parquet", *lines)
    return tmp_path


def with_espn(folder: Path, *events: dict[str, object], tied: dict[int, str]) -> Path:
    save(folder / "espn" / "schedule_2024-25.parquet", *events)
    pairs = [{"espn_game_id": number, "nba_game_id": game} for number, game in tied.items()]
    save(folder / "derived" / "xref_games_espn_nba.parquet", *pairs)
    return folder


def test_without_a_schedule_and_a_clear_matchup_who_is_at_home_is_unknown(folder: Path) -> None:
    source = ParquetSource(folder)
    rows = source.schedule(FIRST, LAST)
    check_table(SCHEDULE, rows, where="x")
    assert [(str(row["game_date"]), row["game_id"]) for row in rows] == sorted((day, game) for game, day, *_ in GAMES)
    for row in rows:
        assert row["team_a_abbr"] < row["team_b_abbr"]  # type: ignore[operator]
        unknown = (row["home_team_abbr"], row["away_team_abbr"], row["neutral_site"], row["tipoff_at"])
        assert unknown == (None, None, None, None)
        assert (row["season"], row["postponed"], row["source"]) == ("2024-25", False, "game_log")


def test_espn_says_home_away_and_tip_off_and_its_codes_become_the_league_s(folder: Path) -> None:
    espn = event(11, "2025-01-09", home="SA", away="LAL", date="2025-01-10T01:00Z", neutral_site=True)
    source = ParquetSource(with_espn(folder, espn, tied={11: "0022400004"}))
    [row] = [row for row in source.schedule(FIRST, LAST) if row["game_id"] == "0022400004"]
    assert (row["home_team_abbr"], row["away_team_abbr"], row["neutral_site"]) == ("SAS", "LAL", True)
    assert (row["tipoff_at"], row["source"]) == (datetime(2025, 1, 10, 1, tzinfo=UTC), "espn_schedule")


def test_a_postponed_game_keeps_its_id_and_has_a_row_on_both_dates(folder: Path) -> None:
    put_off = event(21, "2025-01-09", home="GS", away="DAL", status_type_name="STATUS_POSTPONED")
    again = event(22, "2025-01-14", home="GS", away="DAL")
    source = ParquetSource(with_espn(folder, put_off, again, tied={22: "0022400003"}))
    rows = [row for row in source.schedule(FIRST, LAST) if row["game_id"] == "0022400003"]
    assert [(row["game_date"], row["postponed"]) for row in rows] == [
        (date(2025, 1, 9), True),
        (date(2025, 1, 14), False),
    ]
    assert {row["home_team_abbr"] for row in rows} == {"GSW"}


def test_a_game_that_was_postponed_and_never_played_has_an_id_of_its_own(folder: Path) -> None:
    put_off = event(23, "2025-01-09", home="BOS", away="CHI", status_type_name="STATUS_POSTPONED")
    source = ParquetSource(with_espn(folder, put_off, tied={1: "0022400001"}))
    [row] = [row for row in source.schedule(FIRST, LAST) if row["postponed"]]
    assert row["game_id"] == "espn-23"


def test_a_scheduled_game_without_a_box_score_stays_in_the_schedule(folder: Path) -> None:
    missing = event(41, "2025-01-09", home="BOS", away="CHI")
    after_the_last = event(42, "2025-01-20", home="BOS", away="CHI")
    source = ParquetSource(with_espn(folder, missing, after_the_last, tied={41: "0022400005", 42: "0022400006"}))
    rows = source.schedule(date(2025, 1, 9), LAST)
    assert [row["game_id"] for row in rows if row["game_date"] == date(2025, 1, 9)] == [
        "0022400002",
        "0022400004",
        "0022400005",
    ]
    assert not {row["game_id"] for row in rows} & {"0022400006"}
    assert {row["game_id"] for row in source.batch(date(2025, 1, 9))} == {"0022400002", "0022400004"}


def test_games_that_the_league_counts_in_no_season_are_left_out(folder: Path) -> None:
    all_star = event(31, "2025-01-09", home="EAST", away="WEST")
    playoff = event(32, "2025-01-09", home="BOS", away="NY", season_type=3)
    other_season = event(33, "2023-01-09", home="BOS", away="NY", status_type_name="STATUS_POSTPONED")
    source = ParquetSource(with_espn(folder, all_star, playoff, other_season, tied={32: "0042400001"}))
    assert len(source.schedule(date(2000, 1, 1), LAST)) == len(GAMES)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"home": "SA", "away": "CHI"}, "game 0022400004: espn_schedule has CHI at SAS, the box score LAL and SAS"),
        ({"home": "SEA", "away": "LAL"}, "event 11: 'SEA' is the code of no NBA team"),
        ({"home": "SA", "away": "LAL", "date": "soon"}, "event 11, date: 'soon' is no time"),
        ({"home": "SA", "away": "LAL", "game_date": "soon"}, "event 11, game_date: it has no value of date"),
    ],
)
def test_an_entry_that_cannot_be_true_is_left_out_alone_and_named(
    folder: Path, entry: dict[str, str], said: str
) -> None:
    day = entry.pop("game_date", "2025-01-09")
    bad, good = event(11, day, **entry), event(12, "2025-01-08", home="NY", away="BOS")
    source = ParquetSource(with_espn(folder, bad, good, tied={11: "0022400004", 12: "0022400001"}))
    homes = {row["game_id"]: row["home_team_abbr"] for row in source.schedule(FIRST, LAST)}
    assert len(homes) == len(GAMES)
    assert (homes["0022400001"], homes["0022400004"]) == ("NYK", None)
    [notice] = [notice for notice in source.notices(FIRST, LAST) if notice.held_back]
    assert said in notice.text


@pytest.mark.parametrize(
    ("one", "other", "home"),
    [
        ("BOS vs. NYK", "NYK @ BOS", "BOS"),
        ("BOS @ NYK", "NYK vs. BOS", "NYK"),
        ("BOS @ NYK", "BOS @ NYK", None),  # as in the five games on neutral sites
        ("BOS vs. NYK", "NYK vs. BOS", None),
        ("BOS @ NYK", "NYK @ BOS", None),
        ("BOS vs. NYK", None, None),
        ("BOS vs. CHI", "NYK @ BOS", "BOS"),
    ],
)
def test_matchup_says_who_is_at_home_where_both_teams_agree_and_no_schedule_does(
    tmp_path: Path, one: str, other: str | None, home: str | None
) -> None:
    lines = [player("0022400001", "2025-01-08", team=team, won=team == "BOS") for team in ("BOS", "NYK")]
    save(tmp_path / "player_game_2024-25.parquet", lines[0] | {"MATCHUP": one}, lines[1] | {"MATCHUP": other})
    [row] = ParquetSource(tmp_path).schedule(FIRST, LAST)
    assert (row["home_team_abbr"], row["source"]) == (home, "game_log")
    assert {row["away_team_abbr"], home} == ({"BOS", "NYK"} if home else {None})
    espn = event(11, "2025-01-08", home="NY", away="BOS")
    [row] = ParquetSource(with_espn(tmp_path, espn, tied={11: "0022400001"})).schedule(FIRST, LAST)
    assert row["home_team_abbr"] == "NYK"


def captured(game: str, *, home: str, away: str, planned: str) -> dict[str, object]:
    line: dict[str, object] = {"gameId": game, "homeTeam_teamTricode": home, "awayTeam_teamTricode": away}
    return line | {"gameDateTimeUTC": planned}


def test_a_capture_made_before_the_season_stands_in_and_is_corrected(folder: Path) -> None:
    name = "schedule_2024-25_preseason_capture_2024-09-16.parquet"
    save(
        folder / "nba" / name,
        captured("0022400001", home="NYK", away="BOS", planned="2025-01-09T00:30:00Z"),
        captured("0022400002", home="DAL", away="GSW", planned="2025-01-08T00:30:00Z"),  # it moved, untold
        captured("0022400003", home="GSW", away="DAL", planned="2025-01-10T00:30:00Z"),
        captured("0022400004", home="", away="", planned="2025-01-09T05:00:00Z"),  # teams not yet known
        captured("0012400001", home="NYK", away="BOS", planned="2024-10-05T16:00:00Z"),  # preseason
    )
    moved: dict[str, object] = {"GAME_ID": "0022400003", "espn_utc": datetime(2025, 1, 15, 3, tzinfo=UTC).isoformat()}
    path = folder / "derived" / "schedule_changes_2024-25.parquet"
    save(path.with_name("x.parquet"), moved)
    cast = "SELECT GAME_ID, CAST(espn_utc AS TIMESTAMPTZ) AS espn_utc"
    duckdb.sql(f"COPY ({cast} FROM '{path.with_name('x.parquet')}') TO '{path}' (FORMAT parquet)")
    by_game = {str(row["game_id"]): row for row in ParquetSource(folder).schedule(FIRST, LAST)}
    tipoffs = {game: by_game[game]["tipoff_at"] for game in sorted(by_game)}
    assert tipoffs == {
        "0022400001": datetime(2025, 1, 9, 0, 30, tzinfo=UTC),
        "0022400002": None,
        "0022400003": datetime(2025, 1, 15, 3, tzinfo=UTC),
        "0022400004": None,
        "0022400009": None,
    }
    assert [by_game[game]["home_team_abbr"] for game in sorted(by_game)] == ["NYK", "DAL", "GSW", None, None]
    assert [by_game[game]["source"] for game in sorted(by_game)] == ["preseason_capture"] * 4 + ["game_log"]


def test_a_caller_may_change_its_rows(folder: Path) -> None:
    source = ParquetSource(folder)
    source.schedule(FIRST, LAST)[0]["season"] = "x"
    assert source.schedule(FIRST, LAST)[0]["season"] == "2024-25"


def test_coverage_is_the_season_cut_to_what_was_asked(folder: Path) -> None:
    source = ParquetSource(folder)
    assert source.coverage(FIRST, LAST) == [(date(2025, 1, 8), date(2025, 1, 14))]
    assert source.coverage(date(2025, 1, 10), date(2025, 1, 11)) == [(date(2025, 1, 10), date(2025, 1, 11))]
    assert source.coverage(date(2025, 1, 15), LAST) == []
