"""Facts of three real seasons, each with its date: breaks, moved games, neutral sites. Needs the real data."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import cast

import duckdb
import pytest

from nba_props.calendar import days, game_dates
from nba_props.raw import RawRow
from nba_props.sources import eastern_date
from nba_props.sources.parquet import ParquetSource
from phasegate import CalendarDay

EVER = (date(2022, 7, 1), date(2025, 7, 1))
ESPN_LACKS = [
    *(date(2025, 3, day) for day in (23, 24, 25, 26, 28, 30, 31)),
    *(date(2025, 4, day) for day in (2, 3, 4, 5, 9, 10, 13)),
]


@pytest.fixture(scope="module")
def source(nba_data: Path) -> ParquetSource:
    return ParquetSource(nba_data)


@pytest.fixture(scope="module")
def schedule(source: ParquetSource) -> list[RawRow]:
    return source.schedule(*EVER)


@pytest.fixture(scope="module")
def calendar(source: ParquetSource) -> dict[str, CalendarDay]:
    return {day.date: day for day in days(source, *EVER)}


def rows_of(schedule: list[RawRow], game: str) -> list[RawRow]:
    return [row for row in schedule if row["game_id"] == game]


def test_each_season_has_1230_games_and_those_put_off_once_more(schedule: list[RawRow]) -> None:
    assert Counter((row["season"], row["postponed"]) for row in schedule) == {
        ("2022-23", False): 1230,
        ("2023-24", False): 1230,
        ("2023-24", True): 2,
        ("2024-25", False): 1230,
        ("2024-25", True): 5,
    }


def test_where_no_schedule_knows_matchup_says_who_is_at_home_and_the_tip_off_is_null(schedule: list[RawRow]) -> None:
    untold = [row for row in schedule if row["source"] == "game_log"]
    assert Counter(row["season"] for row in untold) == {"2022-23": 1230, "2024-25": 113}
    assert sorted({row["game_date"] for row in untold if row["season"] == "2024-25"}) == ESPN_LACKS  # type: ignore[type-var]
    for row in schedule:
        assert {row["home_team_abbr"], row["away_team_abbr"]} == {row["team_a_abbr"], row["team_b_abbr"]}
        assert {row[column] is not None for column in ("neutral_site", "tipoff_at")} == {
            row["source"] == "espn_schedule"
        }


def test_matchup_contradicts_no_schedule_and_leaves_five_games_on_neutral_sites_unknown(
    schedule: list[RawRow], nba_data: Path, tmp_path: Path
) -> None:
    name = "player_game_2024-25.parquet"
    (tmp_path / name).symlink_to(nba_data / "nba" / name)
    homes = {row["game_id"]: row["home_team_abbr"] for row in schedule}
    alone = ParquetSource(tmp_path).schedule(date(2024, 7, 1), date(2025, 6, 30))
    unknown = {row["game_id"] for row in alone if row["home_team_abbr"] is None}
    assert unknown == {"0022400147", "0022400621", "0022400633", "0022401229", "0022401230"}
    assert [row for row in alone if row["home_team_abbr"] not in {None, homes[row["game_id"]]}] == []


def test_every_tip_off_lies_on_the_game_s_own_date_in_new_york(schedule: list[RawRow]) -> None:
    for row in schedule:
        if row["tipoff_at"] is not None:
            assert eastern_date(cast("datetime", row["tipoff_at"])) == row["game_date"]


@pytest.mark.parametrize(
    ("game", "day", "home", "away"),
    [
        ("0022400147", date(2024, 11, 2), "WAS", "MIA"),  # Mexico City
        ("0022401229", date(2024, 12, 14), "MIL", "ATL"),  # Las Vegas
        ("0022401230", date(2024, 12, 14), "OKC", "HOU"),
        ("0022400621", date(2025, 1, 23), "IND", "SAS"),  # Paris
        ("0022400633", date(2025, 1, 25), "SAS", "IND"),
    ],
)
def test_neutral_sites_of_2024_25_have_a_nominal_home_team(
    schedule: list[RawRow], *, game: str, day: date, home: str, away: str
) -> None:
    [row] = rows_of(schedule, game)
    assert (row["game_date"], row["home_team_abbr"], row["away_team_abbr"]) == (day, home, away)
    assert row["neutral_site"] is True


def test_neutral_sites_are_five_and_two(schedule: list[RawRow]) -> None:
    assert Counter(row["season"] for row in schedule if row["neutral_site"]) == {"2024-25": 5, "2023-24": 2}


@pytest.mark.parametrize(
    ("game", "planned", "played", "teams"),
    [
        ("0022300576", date(2024, 1, 17), date(2024, 2, 15), "GSW at UTA"),
        ("0022300589", date(2024, 1, 19), date(2024, 4, 2), "DAL at GSW"),
        ("0022400524", date(2025, 1, 9), date(2025, 2, 19), "CHA at LAL"),  # wildfires
        ("0022400537", date(2025, 1, 11), date(2025, 3, 17), "SAS at LAL"),
        ("0022400538", date(2025, 1, 11), date(2025, 3, 16), "CHA at LAC"),
        ("0022400532", date(2025, 1, 11), date(2025, 1, 28), "HOU at ATL"),  # ice
        ("0022400617", date(2025, 1, 22), date(2025, 4, 6), "MIL at NOP"),  # snow
    ],
)
def test_a_postponed_game_keeps_its_id(
    schedule: list[RawRow],
    calendar: dict[str, CalendarDay],
    *,
    game: str,
    planned: date,
    played: date,
    teams: str,
) -> None:
    assert [(row["game_date"], row["postponed"]) for row in rows_of(schedule, game)] == [
        (planned, True),
        (played, False),
    ]
    assert f"{teams} ({game})" in calendar[planned.isoformat()].reason
    assert calendar[planned.isoformat()].state == "work"  # others were played
    assert game not in calendar[played.isoformat()].reason


def test_the_changes_of_2023_24_are_in_the_schedule(schedule: list[RawRow], nba_data: Path) -> None:
    changes = duckdb.execute(
        f"""
        SELECT GAME_ID, change, CAST(planned_date AS DATE), CAST(GAME_DATE AS DATE), epoch(espn_utc)
        FROM '{nba_data}/derived/schedule_changes_2023-24.parquet'
        """
    ).fetchall()
    kinds = Counter(change for _, change, *_ in changes)
    assert kinds == {"same": 1163, "not_in_preseason_schedule": 24, "date_moved": 8, "tipoff_moved": 35}
    by_key = {(row["game_id"], row["game_date"]): row for row in schedule}
    for game, change, planned, day, tipoff in changes:
        row = by_key.pop((game, day))
        assert cast("datetime", row["tipoff_at"]).timestamp() == tipoff
        if change == "date_moved" and (game, planned) in by_key:  # announced on the day; others had a new date before
            assert by_key.pop((game, planned))["postponed"]
    assert not [key for key in by_key if str(key[0]).startswith("00223")]


@pytest.mark.parametrize(
    ("game", "day", "tipoff"),
    [
        ("0022301201", date(2023, 12, 5), datetime(2023, 12, 6, 0, 30, tzinfo=UTC)),  # quarter-final
        ("0022301097", date(2024, 4, 5), datetime(2024, 4, 6, 0, 30, tzinfo=UTC)),  # made room for a postponed game
        ("0022301124", date(2024, 4, 4), datetime(2024, 4, 4, 23, 30, tzinfo=UTC)),
        ("0022300654", date(2024, 1, 28), datetime(2024, 1, 28, 19, 0, tzinfo=UTC)),  # four hours earlier
        ("0022301205", date(2023, 12, 6), datetime(2023, 12, 7, 0, 0, tzinfo=UTC)),  # not planned in September
        ("0022301228", date(2023, 12, 8), datetime(2023, 12, 9, 2, 0, tzinfo=UTC)),
    ],
)
def test_a_moved_game_is_where_it_was_played(schedule: list[RawRow], game: str, day: date, tipoff: datetime) -> None:
    [row] = rows_of(schedule, game)
    assert (row["game_date"], row["tipoff_at"]) == (day, tipoff)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2023, 2, 17), date(2023, 2, 22)),
        (date(2024, 2, 16), date(2024, 2, 21)),
        (date(2025, 2, 14), date(2025, 2, 18)),
    ],
)
def test_the_all_star_break_has_no_games_but_games_on_both_sides(
    calendar: dict[str, CalendarDay], first: date, last: date
) -> None:
    span = [first + timedelta(days=ahead) for ahead in range(-1, (last - first).days + 2)]
    states = [calendar[day.isoformat()].state for day in span]
    assert states == ["work", *["none"] * (len(span) - 2), "work"]


@pytest.mark.parametrize(
    "day",
    ["2022-11-08", "2022-11-24", "2022-12-24", "2023-04-03", "2023-11-07", "2023-11-23", "2023-12-24", "2024-04-08",
     "2024-11-05", "2024-11-28", "2024-12-17", "2024-12-24"],
)  # fmt: skip
def test_a_day_off_is_none(calendar: dict[str, CalendarDay], day: str) -> None:
    assert calendar[day].state == "none"
    assert calendar[day].anchors == {}


def test_dates_outside_the_seasons_are_unknown(calendar: dict[str, CalendarDay]) -> None:
    assert Counter(day.state for day in calendar.values()) == {"work": 164 + 160 + 163, "none": 10 + 14 + 11}
    for first, last in (("2022-10-18", "2023-04-09"), ("2023-10-24", "2024-04-14"), ("2024-10-22", "2025-04-13")):
        before = (date.fromisoformat(first) - timedelta(days=1)).isoformat()
        after = (date.fromisoformat(last) + timedelta(days=1)).isoformat()
        assert {first, last} <= calendar.keys()
        assert not {before, after} & calendar.keys()


def test_christmas_2023_ends_after_the_last_of_five_games(calendar: dict[str, CalendarDay]) -> None:
    christmas = calendar["2023-12-25"]
    assert christmas.reason == "5 game(s)"
    assert christmas.anchors == {
        "season_start": datetime(2023, 10, 24, 16, tzinfo=UTC).timestamp(),
        "first_tip": datetime(2023, 12, 25, 17, tzinfo=UTC).timestamp(),
        "last_game_end": datetime(2023, 12, 26, 6, 13, tzinfo=UTC).timestamp(),
    }


def test_the_calendar_s_dates_with_games_are_those_with_box_scores(
    calendar: dict[str, CalendarDay], nba_data: Path, monkeypatch: pytest.MonkeyPatch, source: ParquetSource
) -> None:
    monkeypatch.setenv("NBA_DATA", str(nba_data))
    found = game_dates(date(2024, 10, 1), date(2024, 12, 31))
    assert found == [day for day in calendar.values() if "2024-10-01" <= day.date <= "2024-12-31"]
    played = source.dates(date(2024, 10, 1), date(2024, 12, 31))
    assert [day.isoformat() for day in played] == [day.date for day in found if day.state == "work"]
