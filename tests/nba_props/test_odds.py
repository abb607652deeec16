from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import cast

import duckdb
import pytest

from nba_props.names import player_lookup
from nba_props.raw import RawRow
from nba_props.raw_tables import PROPS, check_table
from nba_props.sources import EASTERN
from nba_props.sources.odds import OddsBook, Quote, read_odds
from nba_props.sources.parquet import ParquetSource

DAY = date(2025, 1, 10)
TIP = datetime(2025, 1, 11, 1, 10, tzinfo=UTC)
MORNING = datetime(2025, 1, 10, tzinfo=UTC)
OVER = Quote("Čvim Blor", "Book", "Over", 20.5, -115, "e1", TIP, MORNING)
KNOWN = [(1, "Cvim Blor"), (2, "Glax Fnee")]


def both(quote: Quote, **changes: object) -> list[Quote]:
    changed = quote._replace(**changes)  # type: ignore[arg-type]
    return [changed, changed._replace(side="Under", price=-105 if abs(changed.price) < 1000 else changed.price)]


def only(*quotes: Quote) -> RawRow:
    [row] = OddsBook(quotes, known=KNOWN).rows(DAY)
    check_table(PROPS, [row], where="x")
    return row


def test_two_sides_of_a_line_are_one_row() -> None:
    assert only(*both(OVER)) == {
        "game_date": DAY,
        "player_lookup": "cvimblor",
        "bookmaker": "Book",
        "player_name": "Čvim Blor",
        "points_line": 20.5,
        "over_price": -115,
        "under_price": -105,
        "line_first": 20.5,
        "line_moves": 0,
        "captured_at": MORNING,
    }


def test_a_full_duplicate_changes_nothing() -> None:
    assert only(*both(OVER), *both(OVER)) == only(*both(OVER))


def test_the_date_is_that_of_the_game_in_new_york() -> None:
    book = OddsBook([*both(OVER), *both(OVER, commences=TIP + timedelta(days=1), event="e2")], known=KNOWN)
    assert book.dates() == [DAY, DAY + timedelta(days=1)]
    assert book.rows(date(2025, 1, 12)) == []


def test_the_newest_line_wins_and_the_moves_are_counted_in_any_order() -> None:
    days = [MORNING - timedelta(days=ago) for ago in (3, 2, 1, 0)]
    quotes = [quote for at, line in zip(days, (20.5, 21.5, 21.5, 20.5), strict=True)
              for quote in both(OVER, captured=at, line=line)]  # fmt: skip
    for order in (quotes, quotes[::-1]):
        row = only(*order)
        assert (row["line_first"], row["points_line"], row["line_moves"]) == (20.5, 20.5, 2)
        assert row["captured_at"] == MORNING


def test_at_a_moment_only_what_was_captured_by_then_is_known() -> None:
    days = [MORNING - timedelta(days=ago) for ago in (2, 1, 0)]
    quotes = [quote for at, line in zip(days, (20.5, 21.5, 22.5), strict=True)
              for quote in both(OVER, captured=at, line=line)]  # fmt: skip
    book = OddsBook(quotes, known=KNOWN)

    def known(at: datetime | None) -> list[tuple[object, ...]]:
        rows = book.rows(DAY, at=at)
        check_table(PROPS, rows, where="x")
        return [(row["points_line"], row["line_first"], row["line_moves"], row["captured_at"]) for row in rows]

    newest = [(22.5, 20.5, 2, MORNING)]
    assert known(None) == known(MORNING) == known(TIP) == newest
    assert known(MORNING - timedelta(seconds=1)) == [(21.5, 20.5, 1, days[1])]
    assert known(days[0]) == [(20.5, 20.5, 0, days[0])]
    assert known(days[0] - timedelta(seconds=1)) == []


@pytest.mark.parametrize("sentinel", [-10000, -100000])
def test_a_sentinel_is_no_price_but_its_line_counts(sentinel: int) -> None:
    row = only(*both(OVER, price=sentinel), *both(OVER, captured=MORNING - timedelta(days=1), line=19.5))
    assert (row["over_price"], row["under_price"], row["points_line"], row["line_moves"]) == (None, None, 20.5, 1)


def test_a_special_offer_with_one_side_is_taken_only_where_there_is_nothing_else() -> None:
    special = OVER._replace(line=15.5)
    assert only(*both(OVER), special)["points_line"] == 20.5
    later = special._replace(captured=MORNING + timedelta(days=1))
    row = only(*both(OVER), later)
    assert (row["points_line"], row["captured_at"]) == (20.5, MORNING)
    alone = only(special)
    assert (alone["points_line"], alone["over_price"], alone["under_price"]) == (15.5, -115, None)


def test_of_two_whole_lines_in_one_capture_the_lower_is_taken() -> None:
    assert only(*both(OVER, line=21.0), *both(OVER))["points_line"] == 20.5


@pytest.mark.parametrize(
    "changes",
    [
        {"captured": datetime(2025, 1, 12, tzinfo=UTC)},  # the file's date begins after the tip-off
        {"commences": TIP + timedelta(seconds=53)},  # a real start, so the game was under way
    ],
)
def test_a_line_seen_during_the_game_is_no_forecast(changes: dict[str, object]) -> None:
    book = OddsBook(both(OVER, **changes), known=KNOWN)
    assert (book.dates(), book.in_play) == ([], {DAY: 2})
    assert [notice.text for notice in book.notices()] == [
        "2 sides of lines of 2025-01-10 were captured during the game and left out"
    ]


def test_lines_of_two_games_on_a_date_are_two_players_and_neither_is_kept() -> None:
    book = OddsBook([*both(OVER), *both(OVER, event="e2"), *both(OVER, player="Glax Fnee")], known=KNOWN)
    assert [row["player_lookup"] for row in book.rows(DAY)] == ["glaxfnee"]
    assert book.two_events == ((DAY, "cvimblor", "Book"),)
    [notice] = book.notices()
    assert (notice.scraper, notice.dates) == ("odds_api_player_points_props", (DAY,))
    assert notice.text.startswith("the lines of Book for 'cvimblor' on 2025-01-10 are of two games, so of two players")


def test_lines_of_a_lookup_that_two_players_of_the_season_share_are_nobody_s() -> None:
    book = OddsBook([*both(OVER), *both(OVER, player="Glax Fnee")], known=[*KNOWN, (3, "Čvim Blor")])
    assert [row["player_lookup"] for row in book.rows(DAY)] == ["glaxfnee"]
    assert book.namesakes == {"cvimblor"}


def test_names_that_might_be_one_player_are_told() -> None:
    quotes = [*both(OVER, player="Ota Zwet"), *both(OVER, player="Ota Zwet III", commences=TIP + timedelta(days=1))]
    book = OddsBook(quotes, known=[(1, "Ota Zwet II")])
    told = {notice.text.partition(":")[0]: notice.dates for notice in book.notices()}
    days = (DAY, DAY + timedelta(days=1))
    assert told["'Ota Zwet', 'Ota Zwet III' might be the player 'otazwetii', whom another name claims too"] == days
    assert told["no player of the season is called 'Ota Zwet'"] == days[:1]
    assert told["no player of the season is called 'Ota Zwet III'"] == days[1:]


def test_an_unmatched_name_is_kept_under_its_own_lookup_and_reported() -> None:
    book = OddsBook([*both(OVER, player="Ota Nobody"), *both(OVER)], known=KNOWN)
    assert [row["player_lookup"] for row in book.rows(DAY)] == ["cvimblor", "otanobody"]
    assert book.matches.unmatched == ("Ota Nobody",)
    [notice] = book.notices()
    assert notice.dates == (DAY,)
    assert notice.text == (
        "no player of the season is called 'Ota Nobody': the lines are stored, but in no forecast; if it is a "
        "spelling, add it to nba_props.names.ALIASES"
    )


LINE = {
    "player": "'Čvim Blor'",
    "market": "'player_points'",
    "bookmaker": "'Book'",
    "side": "'Over'",
    "line": "20.5::DOUBLE",
    "price": "-115::BIGINT",
    "game_id": "'e1'",
    "commence_time": "'2025-01-11T01:10:00Z'",
    "source_file": "'01_10_2025.csv'",
}


def write(folder: Path, *lines: dict[str, str]) -> Path:
    (folder / "odds").mkdir()
    selects = " UNION ALL ".join("SELECT " + ", ".join(f"{v} AS {k}" for k, v in line.items()) for line in lines)
    duckdb.sql(f"COPY ({selects}) TO '{folder / 'odds' / 'props.parquet'}' (FORMAT parquet)")
    return folder


def test_a_file_gives_points_only_and_its_name_the_date_of_the_capture(tmp_path: Path) -> None:
    other = LINE | {"market": "'player_rebounds'", "player": "'Glax Fnee'"}
    book = read_odds(write(tmp_path, LINE, LINE, other), known=KNOWN)
    [row] = book.rows(DAY)
    assert (row["player_lookup"], row["captured_at"], row["under_price"]) == ("cvimblor", MORNING, None)


@pytest.mark.parametrize(
    "cell",
    [
        *({"line": "NULL"}, {"line": "'many'"}, {"price": "''"}, {"player": "'Никола'"}, {"player": "NULL"}),
        *({"commence_time": "'soon'"}, {"source_file": "'today.csv'"}),
    ],
    ids=str,
)
def test_a_line_with_a_cell_that_cannot_be_read_is_left_out_alone_and_named(
    tmp_path: Path, cell: dict[str, str]
) -> None:
    texts = {"line": "'20.5'", "price": "'-110'"}
    folder = write(tmp_path, LINE | texts, LINE | texts | {"bookmaker": "'other'"} | cell)
    book = read_odds(folder, known=KNOWN)
    assert len(book.rows(DAY)) == 1
    [notice] = [notice for notice in book.notices() if notice.held_back]
    assert "props.parquet: line " in notice.text
    assert "has a cell that is empty or unreadable" in notice.text


def test_a_folder_without_lines_is_an_empty_book(tmp_path: Path) -> None:
    assert read_odds(tmp_path, known=KNOWN).dates() == []


@pytest.fixture(scope="module")
def source(nba_data: Path) -> ParquetSource:
    return ParquetSource(nba_data)


@pytest.fixture(scope="module")
def real(source: ParquetSource) -> list[RawRow]:
    book = source.odds(date(2024, 11, 1))
    return [row for day in book.dates() for row in source.props(day)]


def test_the_real_lines_are_those_of_79_dates(real: list[RawRow], source: ParquetSource) -> None:
    check_table(PROPS, real, where="odds")
    assert Counter(row["bookmaker"] for row in real) == {"PrizePicks": 5657, "Underdog": 5007}
    days = sorted({str(row["game_date"]) for row in real})
    assert (len(days), days[0], days[-1]) == (79, "2024-10-22", "2025-01-12")
    book = source.odds(date(2024, 11, 1))
    assert book.two_events == ()
    assert book.in_play == {date(2024, 11, 17): 26, date(2025, 1, 5): 14}  # MIN-PHX and ORL-UTA, points only
    told = [notice.text for notice in source.notices(date(2024, 10, 1), date(2025, 6, 30))]
    assert told == [
        "26 sides of lines of 2024-11-17 were captured during the game and left out",
        "14 sides of lines of 2025-01-05 were captured during the game and left out",
    ]
    assert source.notices(date(2024, 11, 18), date(2025, 1, 4)) == []
    # The cup's final is of no season; on every other date with lines somebody played.
    played = {str(day) for day in source.dates(date(2024, 10, 1), date(2025, 2, 1))}
    assert set(days) - played == {"2024-12-17"}


def test_all_347_real_names_find_their_player_39_of_them_spelled_differently(nba_data: Path) -> None:
    odds = [name for (name,) in duckdb.execute(f"SELECT DISTINCT player FROM '{nba_data}/odds/*.parquet'").fetchall()]
    path = nba_data / "nba" / "player_game_2024-25.parquet"
    players = duckdb.execute(f"SELECT DISTINCT PLAYER_ID, PLAYER_NAME FROM '{path}'").fetchall()
    league = [name for _, name in players]
    assert (len(odds), len(set(odds) - set(league))) == (347, 39)
    quotes = [OVER._replace(player=name, event="e1") for name in odds]
    matches = OddsBook(quotes, known=players).matches
    assert matches.unmatched == ()
    assert matches.shared == {}
    assert set(matches.lookups.values()) <= {player_lookup(name) for name in league}
    assert len(set(matches.lookups.values())) == 347
    assert sum(player_lookup(name) != lookup for name, lookup in matches.lookups.items()) == 12


def test_of_551_lines_that_moved_452_are_points_and_449_moved_before_the_game_with_both_sides(
    real: list[RawRow], nba_data: Path
) -> None:
    moved = f"""
        SELECT market = 'player_points' AS points, count(*) FROM (
            SELECT player, game_id, bookmaker, market FROM '{nba_data}/odds/*.parquet' GROUP BY ALL
            HAVING count(DISTINCT line) > 1 AND count(DISTINCT source_file) > 1)
        GROUP BY 1 ORDER BY 1
    """
    assert duckdb.execute(moved).fetchall() == [(False, 99), (True, 452)]
    assert sum(row["line_moves"] != 0 for row in real) == 449


def test_real_lines_that_moved_are_counted_and_sentinels_are_no_price(real: list[RawRow], nba_data: Path) -> None:
    assert Counter(row["line_moves"] for row in real) == {0: 10_215, 1: 437, 2: 12}
    for row in real:
        if not row["line_moves"]:
            assert row["points_line"] == row["line_first"]
    assert sum(row["over_price"] is None for row in real) == 14
    prices = {row[side] for row in real for side in ("over_price", "under_price")}
    assert not {-10000, -100000} & prices
    [(rows, without)] = duckdb.execute(
        f"""
        SELECT count(*), (SELECT count(*) FROM (SELECT DISTINCT * EXCLUDE (source_file)
                                                FROM '{nba_data}/odds/*.parquet'))
        FROM '{nba_data}/odds/*.parquet'
        """
    ).fetchall()
    assert rows - without == 3277


def test_at_ten_in_the_morning_no_real_line_of_the_evening_is_known(
    real: list[RawRow], source: ParquetSource, nba_data: Path
) -> None:
    days = sorted({cast("date", row["game_date"]) for row in real})
    tens = {day: datetime.combine(day, time(10), tzinfo=EASTERN) for day in days}
    early = [row for day in days for row in source.props(day, at=tens[day])]
    assert all(cast("datetime", row["captured_at"]) <= tens[cast("date", row["game_date"])] for row in early)
    # 10:00 in New York is 14:00 or 15:00 UTC: the captures of the same UTC date count, those of the next do not
    counted = duckdb.execute(
        f"""
        SELECT count(*), count(*) FILTER (first <= game_date), count(*) FILTER (first <= game_date AND last > game_date)
        FROM (SELECT min(captured) AS first, max(captured) AS last, game_date
              FROM (SELECT player, bookmaker, CAST(strptime(source_file, '%m_%d_%Y.csv') AS DATE) AS captured,
                           CAST(timezone('America/New_York', CAST(commence_time AS TIMESTAMPTZ)) AS DATE) AS game_date
                    FROM '{nba_data}/odds/*.parquet'
                    WHERE market = 'player_points' AND NOT regexp_matches(commence_time, ':[0-9][1-9]Z|:[1-9]0Z'))
              GROUP BY player, bookmaker, game_date)
        """
    ).fetchall()
    assert counted == [(10_664, 8_955, 458)]
    assert (len(real), len(early)) == (10_664, 8_955)
    newest = {key_of(row): row["captured_at"] for row in real}
    assert 0 < sum(newest[key_of(row)] != row["captured_at"] for row in early) <= 458


def key_of(row: RawRow) -> tuple[object, ...]:
    return tuple(row[column] for column in PROPS.key)


def test_no_real_line_was_captured_after_the_tip_off_of_the_player_s_own_game(
    real: list[RawRow], source: ParquetSource
) -> None:
    tips = {
        (row["game_date"], row[side]): cast("datetime", row["tipoff_at"])
        for row in source.schedule(date(2024, 10, 1), date(2025, 2, 1))
        for side in ("team_a_abbr", "team_b_abbr")
        if row["tipoff_at"] is not None
    }
    days = sorted({cast("date", row["game_date"]) for row in real})
    teams = {(day, row["player_lookup"]): row["team_abbr"] for day in days for row in source.batch(day)}
    ahead = [
        tips[row["game_date"], team] - cast("datetime", row["captured_at"])
        for row in real
        if (team := teams.get((cast("date", row["game_date"]), row["player_lookup"])))
        and (row["game_date"], team) in tips
    ]
    assert len(ahead) > 10_000
    # a game that begins as the date of a capture does was not surely in play when it was captured
    assert min(ahead) == timedelta(0)
