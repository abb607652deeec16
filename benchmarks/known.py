"""Numbers that a replay of real dates must leave.

Those that are known of a season, and those counted in the files. The files are queried in plain SQL, without any part
of the pipeline; the known numbers of a season are constants here, so that changed files are noticed too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import duckdb

Query = Callable[[str], Sequence[Mapping[str, object]]]

BOX, PLAYER = "nba_raw.nbac_gamebook_player_stats", "nba_analytics.player_game_summary"
TEAM, DEFENSE = "nba_analytics.team_offense_game_summary", "nba_analytics.team_defense_game_summary"
LINES, FEATURES = "nba_raw.odds_api_player_points_props", "nba_precompute.ml_feature_store_v2"


class Season(NamedTuple):
    """A regular season, from its first game to its last."""

    name: str
    first: date
    last: date


SEASONS = (
    Season("2022-23", date(2022, 10, 18), date(2023, 4, 9)),
    Season("2023-24", date(2023, 10, 24), date(2024, 4, 14)),
    Season("2024-25", date(2024, 10, 22), date(2025, 4, 13)),
)
OPENING_NIGHT = (date(2024, 10, 22), date(2024, 10, 22))


class Asked(NamedTuple):
    """A query on a table.

    A measure of its rows, the condition that selects them, and the grouping of the rows before that.
    """

    table: str
    measure: str
    where: str = "true"
    by: str = ""

    def sql(self, first: date, last: date) -> str:
        """Return the query for the rows of these dates.

        Of groups, it returns the largest.
        """
        span = f"{self.where} AND game_date BETWEEN DATE '{first}' AND DATE '{last}'"
        if self.by:
            groups = f"(SELECT {self.measure} AS n FROM {self.table} WHERE {span} GROUP BY {self.by})"
            return f"SELECT CAST(max(n) AS BIGINT) AS n FROM {groups}"
        return f"SELECT CAST({self.measure} AS BIGINT) AS n FROM {self.table} WHERE {span}"


class Number(NamedTuple):
    """A known number: its name, its query on the pipeline's tables, its value."""

    name: str
    asked: str
    known: int


TEAM_ROWS = Asked("box", "count(DISTINCT (GAME_ID, TEAM_ID))")
# name -> the query on the tables of a replay, and the query on the files.
COUNTED = {
    "games": (Asked(PLAYER, "count(DISTINCT game_id)"), Asked("box", "count(DISTINCT GAME_ID)")),
    "player rows": (Asked(PLAYER, "count(*)"), Asked("box", "count(*)")),
    "raw rows of 0 minutes": (Asked(BOX, "count(*)", "minutes = 0"), Asked("box", "count(*)", "MIN = 0")),
    "rows without a shot": (Asked(PLAYER, "count(*)", "fg_attempts = 0"), Asked("box", "count(*)", "FG_PCT IS NULL")),
    "team rows": (Asked(TEAM, "count(*)"), TEAM_ROWS),
    "defense rows": (Asked(DEFENSE, "count(*)"), TEAM_ROWS),
    "points of all players": (Asked(PLAYER, "sum(points)"), Asked("box", "sum(PTS)")),
    "most points of a player": (
        Asked(PLAYER, "sum(points)", by="player_lookup"),
        Asked("box", "sum(PTS)", by="PLAYER_ID"),
    ),
    "most wins of a team": (
        Asked(TEAM, "count(*)", "win_flag", by="team_abbr"),
        Asked("box", "count(DISTINCT GAME_ID)", "WL = 'W'", by="TEAM_ID"),
    ),
}


def _wins(team: str) -> Asked:
    return Asked(TEAM, "count(*)", f"team_abbr = '{team}' AND win_flag")


def _points(player: str) -> Asked:
    return Asked(PLAYER, "sum(points)", f"player_lookup = '{player}'")


ROWS, ZEROS = Asked(PLAYER, "count(*)"), Asked(BOX, "count(*)", "minutes = 0")
# Known numbers of dates, independent of the files. They have lines of the first half of 2024-25 only; of the 449 that
# changed, 5 were of the cup's final, which belongs to no season.
KNOWN: dict[tuple[date, date], dict[Asked, int]] = {
    (SEASONS[0].first, SEASONS[0].last): {
        ROWS: 25_895,
        ZEROS: 77,
        _wins("MIL"): 58,
        _wins("BOS"): 57,
        _points("jaysontatum"): 2_225,
    },
    (SEASONS[1].first, SEASONS[1].last): {
        ROWS: 26_401,
        ZEROS: 118,
        _wins("BOS"): 64,
        _wins("OKC"): 57,
        _points("lukadoncic"): 2_370,
    },
    (SEASONS[2].first, SEASONS[2].last): {
        ROWS: 26_306,
        ZEROS: 100,
        _wins("OKC"): 68,
        _wins("BOS"): 61,
        _points("shaigilgeousalexander"): 2_484,
        Asked(FEATURES, "count(*)"): 35_282,
        Asked(LINES, "count(*)"): 10_639,
        Asked(LINES, "count(*)", "line_moves > 0"): 444,
    },
    OPENING_NIGHT: {ROWS: 42, _wins("BOS"): 1, _points("anthonyedwards"): 27},
}


def numbers(folder: Path, *, first: date, last: date) -> list[Number]:
    """Return the numbers that the tables must have after a replay."""
    counted = [Number(name, ours.sql(first, last), _count(folder, theirs.sql(first, last)))
               for name, (ours, theirs) in COUNTED.items()]  # fmt: skip
    known = KNOWN.get((first, last), {}).items()
    return counted + [
        Number(f"{asked.measure} of {asked.table} where {asked.where}", asked.sql(first, last), n) for asked, n in known
    ]


def _count(folder: Path, sql: str) -> int:
    files = f"read_parquet('{folder}/**/player_game_*.parquet', union_by_name = true)"
    box = f"WITH box AS (SELECT *, CAST(GAME_DATE AS DATE) AS day FROM {files})"
    [(n,)] = duckdb.execute(f"{box} {sql.replace('game_date', 'day')}").fetchall()
    return int(n)


def differences(query: Query, wanted: Sequence[Number]) -> Iterator[str]:
    """Yield a line on each number that differs from its known value."""
    for number in wanted:
        found = query(number.asked)[0]["n"]
        if found != number.known:
            yield f"{number.name}: {found}, known to be {number.known}"
