"""The regular-season schedule of a parquet folder.

The teams and date of each game are read from the box scores; a game that these lack, and that a schedule has between
the season's first and last, is there too: the schedule says what the box scores must cover, so it is not cut down to
them. Home, away, tip-off and neutral site are read from ESPN's
schedule (`espn/schedule_*.parquet`, its events tied to the league's games by `derived/xref_games_espn_nba.parquet`),
else from a capture made before the season (`nba/schedule_*_preseason_capture_*.parquet`) corrected by
`derived/schedule_changes_*.parquet`. Where none of them has a game's home and away, MATCHUP may; what is left is NULL.
`source` is the one that was used. An entry that cannot be true is left out alone, and named in a notice.

ESPN's data is used unchanged: it has the two Las Vegas games of 7 December 2023 as home games, not neutral ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

from nba_props.errors import DataError
from nba_props.notices import Notice
from nba_props.raw import RawRow
from nba_props.raw_tables import SCHEDULE, check_table, in_order
from nba_props.sources import eastern_date
from nba_props.sources.gamelog import home_teams, season_of
from nba_props.sources.parquet_file import query
from nba_props.teams import team_of_code

T = TypeVar("T")

XREF = "derived/xref_games_espn_nba.parquet"
ESPN_REGULAR_SEASON = 2
_POSTPONED = "STATUS_POSTPONED"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Game(NamedTuple):
    """A game of the box scores.

    `teams` is in alphabetical order. `home` is None where MATCHUP does not say it.
    """

    game_id: str
    day: date
    season: str
    teams: tuple[str, str]
    home: str | None = None


class Plan(NamedTuple):
    """A schedule's entry of a game.

    `home` and `away` are None where the teams were not yet known.
    """

    home: str | None
    away: str | None
    tipoff_at: datetime | None
    neutral_site: bool | None
    source: str


class Event(NamedTuple):
    """A game in ESPN's schedule.

    `game_id` is the league's, None where ESPN's event is not a played game.
    """

    event_id: int
    game_id: str | None
    day: date
    home: str
    away: str
    tipoff_at: datetime
    neutral_site: bool
    postponed: bool


def read_schedule(folder: Path, *, seasons: Sequence[Path], notices: list[Notice]) -> dict[date, list[RawRow]]:
    """Return date -> rows of `raw_tables.SCHEDULE`, ascending.

    For the seasons of the box-score files. A date without rows has a game whose teams are not known. `notices` receives
    what was left out. Raises DataError for a file that cannot be read.
    """
    games: dict[str, Game] = {}
    by_date: dict[date, list[RawRow]] = {}
    for path in seasons:
        found, undecided = _games(path)
        games |= {game.game_id: game for game in found}
        by_date |= {day: [] for day in undecided}
    events = read_events(folder, notices=notices)
    plans = _captured(folder, notices=notices)
    plans |= {event.game_id: _plan(event) for event in events if event.game_id is not None}
    rows = [_row(game, _fitting(plans.get(game.game_id), game, notices=notices)) for game in games.values()]
    rows += [row for row in _unplayed_rows(plans, events, games=games) if row["game_date"] not in by_date]
    rows += _postponed_rows(events, games=list(games.values()))
    rows = in_order(SCHEDULE, rows)
    check_table(SCHEDULE, rows, where=str(folder))
    for row in rows:
        by_date.setdefault(cast("date", row["game_date"]), []).append(row)
    return dict(sorted(by_date.items()))


def _left_out(error: DataError, *days: date) -> Notice:
    return Notice(SCHEDULE.name, days, f"left out: {error}", held_back=True)


def read_events(folder: Path, *, notices: list[Notice]) -> list[Event]:
    """Return ESPN's regular-season games, played and postponed.

    Empty where the folder lacks ESPN's schedule or XREF. All-star games and the cup's final are left out: the league
    counts them in no season. So is an event that cannot be read; `notices` receives it.
    """
    files = sorted((folder / "espn").glob("schedule_*.parquet"))
    if not files or not (folder / XREF).is_file():
        return []
    tied = query(folder / XREF, "SELECT espn_game_id, nba_game_id FROM read_parquet($path)")
    known = {event_id: game_id for event_id, game_id in tied}  # noqa: C416  shows that each row is a pair
    return [event for path in files for event in _events(path, known, notices=notices)]


def _events(path: Path, known: Mapping[object, object], *, notices: list[Notice]) -> Iterable[Event]:
    found = query(
        path,
        f"""
        SELECT game_id, TRY_CAST(game_date AS DATE), home_abbreviation, away_abbreviation, date, neutral_site,
               status_type_name = '{_POSTPONED}'
        FROM read_parquet($path) WHERE season_type = {ESPN_REGULAR_SEASON} ORDER BY game_id
        """,
    )
    for event_id, day, home, away, tipoff, neutral, postponed in found:
        game_id = known.get(event_id)
        if game_id is None and not postponed:
            continue
        where = f"{path}, event {event_id}"
        try:
            event = Event(
                event_id=cast("int", event_id),
                game_id=None if game_id is None else str(game_id),
                day=_that_is(day, date, where=f"{where}, game_date"),
                home=team_of_code(home, where=where),
                away=team_of_code(away, where=where),
                tipoff_at=_moment(tipoff, where=f"{where}, date"),
                neutral_site=bool(neutral),
                postponed=bool(postponed),
            )
        except DataError as error:
            notices.append(_left_out(error, *([day] if isinstance(day, date) else [])))
        else:
            yield event


def _that_is(value: object, kind: type[T], *, where: str) -> T:
    if not isinstance(value, kind):
        raise DataError(where, problem=f"it has no value of {kind.__name__}", fix="fetch the schedule again")
    return value


def _moment(text: object, *, where: str) -> datetime:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        raise DataError(where, problem=f"{text!r} is no time", fix="fetch the schedule again") from None


def _plan(event: Event) -> Plan:
    return Plan(event.home, event.away, event.tipoff_at, event.neutral_site, "espn_schedule")


def _games(path: Path) -> tuple[list[Game], set[date]]:
    """Return the games of a season, and the dates of games without two teams.

    A game has the date, the season and the two teams that most of its lines have: one wrong line changes no schedule.
    """
    present = {str(row[0]).upper() for row in query(path, "DESCRIBE SELECT * FROM read_parquet($path)")}
    matchup = "MATCHUP" if "MATCHUP" in present else "NULL"
    found = query(
        path,
        f"""
        SELECT GAME_ID, TRY_CAST(GAME_DATE AS DATE), SEASON_ID, TEAM_ABBREVIATION, {matchup}, count(*)
        FROM read_parquet($path) WHERE GAME_ID IS NOT NULL GROUP BY ALL ORDER BY ALL
        """,
    )
    homes = home_teams((game_id, team, text) for game_id, _, _, team, text, _ in found)
    votes: dict[str, tuple[Counter[object], Counter[object], Counter[object]]] = {}
    for game_id, day, season_id, team, _, lines in found:
        per_game = votes.setdefault(str(game_id), (Counter(), Counter(), Counter()))
        for counter, cell in zip(per_game, (day, season_of(season_id), team), strict=True):
            counter[cell] += cast("int", lines) if cell is not None else 0
    games: list[Game] = []
    undecided: set[date] = set()
    for game_id, (days, seasons, named) in votes.items():
        most, season = max(days.values()), seasons.most_common(1)[0][0]
        likely = {day for day, lines in days.items() if isinstance(day, date) and lines == most}
        teams = sorted(str(team) for team, lines in named.most_common(2) if lines)
        if len(likely) == 1 and isinstance(season, str) and len(teams) == 2:
            home = homes.get(game_id)
            games.append(
                Game(game_id, likely.pop(), season, (teams[0], teams[1]), str(home) if home in teams else None)
            )
        else:
            undecided |= likely
    return games, undecided


def _captured(folder: Path, *, notices: list[Notice]) -> dict[str, Plan]:
    """Return the plans of a capture made before the season.

    Corrected where the folder has the changes since.
    """
    plans: dict[str, Plan] = {}
    changes = _changes(folder)
    for path in sorted(folder.glob("**/schedule_*_preseason_capture_*.parquet")):
        found = query(
            path,
            """
            SELECT gameId, homeTeam_teamTricode, awayTeam_teamTricode, gameDateTimeUTC
            FROM read_parquet($path) WHERE gameId LIKE '002%'
            """,
        )
        for game_id, home, away, planned in found:
            try:
                first = _moment(planned, where=f"{path}, game {game_id}") if home and away else None
            except DataError as error:
                notices.append(_left_out(error))
                continue
            teams = (str(home) if home else None, str(away) if away else None)
            plans[str(game_id)] = Plan(*teams, changes.get(str(game_id), first), None, "preseason_capture")
    return plans


def _changes(folder: Path) -> dict[str, datetime]:
    """Return game -> its final tip-off.

    In microseconds, because fetching a time with its zone needs pytz.
    """
    tipoffs: dict[str, datetime] = {}
    for path in sorted((folder / "derived").glob("schedule_changes_*.parquet")):
        found = query(path, "SELECT GAME_ID, epoch_us(espn_utc) FROM read_parquet($path) WHERE espn_utc IS NOT NULL")
        for game_id, moment in found:
            tipoffs[str(game_id)] = _EPOCH + timedelta(microseconds=cast("int", moment))
    return tipoffs


def _fitting(plan: Plan | None, game: Game, *, notices: list[Notice]) -> Plan | None:
    """Return the plan, unless it is of other teams than the box score."""
    if plan is None or not (plan.home and plan.away) or {plan.home, plan.away} == set(game.teams):
        return plan
    error = DataError(
        f"game {game.game_id}",
        problem=f"{plan.source} has {plan.away} at {plan.home}, the box score {' and '.join(game.teams)}",
        fix="correct the cross reference or the schedule",
    )
    notices.append(_left_out(error, game.day))
    return None


def _row(game: Game, plan: Plan | None) -> RawRow:
    plan = plan or Plan(None, None, None, None, "game_log")
    # a tip-off on another date belongs to an older plan
    tipoff = plan.tipoff_at if plan.tipoff_at and eastern_date(plan.tipoff_at) == game.day else None
    home, away = plan.home, plan.away
    if game.home and not (home and away):
        home, away = game.home, next(team for team in game.teams if team != game.home)
    return {
        "game_date": game.day,
        "game_id": game.game_id,
        "season": game.season,
        "team_a_abbr": game.teams[0],
        "team_b_abbr": game.teams[1],
        "home_team_abbr": home,
        "away_team_abbr": away,
        "neutral_site": plan.neutral_site,
        "tipoff_at": tipoff,
        "postponed": False,
        "source": plan.source,
    }


def _unplayed_rows(plans: Mapping[str, Plan], events: Sequence[Event], *, games: Mapping[str, Game]) -> list[RawRow]:
    """Return the rows of planned games that have no box score."""
    days = {event.game_id: event.day for event in events if not event.postponed}
    rows = []
    for game_id, plan in plans.items():
        if game_id in games or plan.home is None or plan.away is None or plan.tipoff_at is None:
            continue
        day = days.get(game_id, eastern_date(plan.tipoff_at))
        season = _season_around(day, list(games.values()))
        if season is not None:
            teams = (min(plan.home, plan.away), max(plan.home, plan.away))
            rows.append(_row(Game(game_id, day, season, teams), plan))
    return rows


def _postponed_rows(events: Sequence[Event], *, games: Sequence[Game]) -> list[RawRow]:
    rows = []
    for event in events:
        season = _season_around(event.day, games) if event.postponed else None
        if season is None:
            continue
        played = played_later(event, games=[game for game in games if game.season == season])
        teams = (min(event.home, event.away), max(event.home, event.away))
        game_id = played.game_id if played else f"espn-{event.event_id}"
        rows.append(_row(Game(game_id, event.day, season, teams), _plan(event)) | {"postponed": True})
    return rows


def _season_around(day: date, games: Sequence[Game]) -> str | None:
    """Return the season that had games before and after a date.

    A folder need not contain the events' season.
    """
    before = {game.season for game in games if game.day <= day}
    return next((game.season for game in games if game.day >= day and game.season in before), None)


def played_later(event: Event, *, games: Sequence[Game]) -> Game | None:
    """Return the game that a postponed event became, or None.

    ESPN gives it a new event id; its GAME_ID of the league stays. The league numbers a season's games in the order
    first planned, so of the later games of the two teams it is the one whose number is nearest to those of the date's
    other games (of the last date before it, if it has none).
    """
    teams = {event.home, event.away}
    later = [game for game in games if game.day > event.day and set(game.teams) == teams]
    last = max((game.day for game in games if game.day <= event.day), default=None)
    numbers = [int(game.game_id) for game in games if game.day == last]
    if not later or not numbers:
        return None
    planned = sum(numbers) / len(numbers)
    return min(later, key=lambda game: (abs(int(game.game_id) - planned), game.game_id))
