"""Schedules of the league's services as raw rows. Pure.

Rows of `nba_raw.nbac_schedule`. Regular-season games only, and only those whose teams are known. Scores and statuses
are not read, except for one: a game that is postponed. A tip-off is read only from a shape in which it stays the same
after the game.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, cast

from nba_props.errors import DataError
from nba_props.notices import Notice
from nba_props.raw import RawRow
from nba_props.raw_tables import SCHEDULE, check_table, in_order
from nba_props.sources import eastern_date
from nba_props.sources.gamelog import home_teams, other_teams
from nba_props.sources.shapes import (
    ODD_SHAPES,
    Body,
    cell,
    is_regular_season,
    refuse_other_league,
    regular_season_game,
    result_set,
    season_of_game,
)
from nba_props.teams import team_of_code, team_of_id

POSTPONED = "PPD"
"""The status text of a postponed game, in every shape."""
_UNKNOWN = "TBD"
_ONE_DAY = timedelta(days=1)


class Spoilt(NamedTuple):
    """A game that cannot be read: its date, None if unknown, and why."""

    game: str
    day: date | None
    error: Exception


def league_schedule_rows(body: Body, *, where: str, spoilt: list[Spoilt] | None = None) -> list[RawRow]:
    """Return the games of a scheduleLeagueV2 body.

    With home, away and tip-off; games of undecided teams are left out. ``spoilt`` takes the games that cannot be read;
    without it the first of them is raised.
    """
    schedule = cell(body, "leagueSchedule", where=where)
    refuse_other_league(schedule.get("leagueId"), where=where)
    games = [
        (game, day) for day in cell(schedule, "gameDates", where=where) for game in cell(day, "games", where=where)
    ]
    read = [
        _read(lambda game=game: _league_game(game, where=where), spoilt,  # type: ignore[misc]
              game=_id_of(game, "gameId"), texts=_dates_of(game, day), where=where)
        for game, day in games
    ]  # fmt: skip
    return _kept(read, spoilt, where=where)


def _league_game(game: Body, *, where: str) -> RawRow | None:
    """Return a game, None for one of undecided teams or of no season."""
    home, away = cell(game, "homeTeam", where=where), cell(game, "awayTeam", where=where)
    decided = home.get("teamTricode") and away.get("teamTricode")
    if not decided or not is_regular_season(cell(game, "gameId", where=where)):
        return None
    status = str(cell(game, "gameStatusText", where=where)).strip()
    tipoff = None if status == _UNKNOWN else _moment(cell(game, "gameDateTimeUTC", where=where))
    return _row(
        game["gameId"],
        day=date.fromisoformat(cell(game, "gameDateEst", where=where)[:10]),
        home=team_of_code(home["teamTricode"], where=where),
        away=team_of_code(away["teamTricode"], where=where),
        tipoff_at=tipoff,
        rest={"postponed": status == POSTPONED, "neutral_site": game.get("isNeutral"), "source": "scheduleleaguev2"},
    )


def _read(
    read: Callable[[], RawRow | None], spoilt: list[Spoilt] | None, *, game: str, texts: Iterable[object], where: str
) -> RawRow | None:
    """Read one game; put one that cannot be read aside, if there is a place.

    ``texts``: where its date may be found, the first ISO date counts.
    """
    try:
        row = read()
        if row is not None and spoilt is not None:
            check_table(SCHEDULE, [row], where=where)
    except (DataError, *ODD_SHAPES) as error:
        if spoilt is None:
            raise
        spoilt.append(Spoilt(game, _first_date(texts), error))
        return None
    return row


def _kept(read: Iterable[RawRow | None], spoilt: Sequence[Spoilt] | None, *, where: str) -> list[RawRow]:
    """Return the rows; raise the first error if no game at all could be read."""
    rows = [row for row in read if row is not None]
    if spoilt and not rows:
        raise spoilt[0].error
    return _checked(rows, where=where)


def _first_date(texts: Iterable[object]) -> date | None:
    for text in texts:
        with suppress(ValueError):
            return date.fromisoformat(str(text)[:10])
    return None


def _id_of(game: object, name: str) -> str:
    return str(game.get(name, "")) if isinstance(game, Mapping) else ""


def _dates_of(game: object, day: Body) -> list[object]:
    """Return the texts that show a game's date: its own, then its day's."""
    month, _, rest = str(day.get("gameDate", ""))[:10].partition("/")
    number, _, year = rest.partition("/")
    own = game.get("gameDateEst") if isinstance(game, Mapping) else None
    return [own, f"{year}-{month}-{number}"]


def undecided_dates(body: Body) -> set[date]:
    """Return the dates with a game whose teams are not known.

    Of the regular season, in a scheduleLeagueV2 or leaguegamelog body.
    """
    if "leagueSchedule" not in body:
        return _without_teams(body)
    found = set[date]()
    for game in (game for day in body["leagueSchedule"].get("gameDates", []) for game in day["games"]):
        with suppress(*ODD_SHAPES):  # one that cannot be read is spoilt, see ``league_schedule_rows``
            if is_regular_season(game["gameId"]) and not (
                game["homeTeam"]["teamTricode"] and game["awayTeam"]["teamTricode"]
            ):
                found.add(date.fromisoformat(game["gameDateEst"][:10]))
    return found


def _without_teams(body: Body) -> set[date]:
    sets = body.get("resultSets", body.get("resultSet", []))
    names = [one.get("name") for one in ([sets] if isinstance(sets, Mapping) else sets)]
    lines = result_set(body, "LeagueGameLog", where="") if "LeagueGameLog" in names else []
    whole = {game for game, _ in other_teams((line["GAME_ID"], line["TEAM_ABBREVIATION"]) for line in lines)}
    return {day for game, day in _logged_dates(lines).items() if game not in whole}


def covered_spans(rows: Sequence[RawRow], *, undecided: Set[date]) -> list[tuple[date, date]]:
    """Return the spans from a schedule's first to its last date.

    Without dates that have undecided games only: such a date has games and no rows, and must not look like a date
    without games.
    """
    days = {cast("date", row["game_date"]) for row in rows}
    spans: list[tuple[date, date]] = []
    begin = min(days, default=None)
    for gap in sorted(undecided - days):
        if begin is not None and begin <= gap < max(days):
            spans += [(begin, gap - _ONE_DAY)] if begin <= gap - _ONE_DAY else []
            begin = gap + _ONE_DAY
    return spans + ([(begin, max(days))] if begin is not None else [])


def known_spans(body: Body, rows: Sequence[RawRow], *, spoilt: Sequence[Spoilt]) -> list[tuple[date, date]]:
    """Return the spans that a body covers with the rows read from it.

    The date of a game that cannot be read is like one with an undecided game. If it is unknown, no date is known to be
    covered.
    """
    days = {game.day for game in spoilt if game.day is not None}
    if any(game.day is None for game in spoilt):
        return []
    return covered_spans(rows, undecided=undecided_dates(body) | days)


def left_out(one: Spoilt, *, where: str) -> Notice:
    """Return the notice on a game that cannot be read."""
    why = str(one.error) if isinstance(one.error, DataError) else f"{type(one.error).__name__}: {one.error}"
    dates = () if one.day is None else (one.day,)
    text = f"left out: {where}: game {one.game or 'without an id'}: {why}; fetch the body again"
    return Notice(SCHEDULE.name, dates, text, held_back=True)


def scoreboard_rows(body: Body, *, where: str, spoilt: list[Spoilt] | None = None) -> list[RawRow]:
    """Return the games of a scoreboardv2 body: home and away.

    Its only tip-off is a text that is replaced by the score.
    """
    refuse_other_league(body.get("parameters", {}).get("LeagueID"), where=where)
    games = result_set(body, "GameHeader", where=where)
    return _headed(games, source="scoreboardv2", where=where, spoilt=spoilt)


def summary_schedule_rows(body: Body, *, where: str) -> list[RawRow]:
    """Return the one game of a boxscoresummaryv2 body.

    Home and away, no tip-off.
    """
    games = result_set(body, "GameSummary", where=where)
    for game in games:
        regular_season_game(cell(game, "GAME_ID", where=where), where=where)
    return _headed(games, source="boxscoresummaryv2", where=where)


def live_box_schedule_rows(body: Body, *, where: str) -> list[RawRow]:
    """Return the one game of a live box score of cdn.nba.com.

    Home, away and the scheduled tip-off.
    """
    game = cell(body, "game", where=where)
    game_id = regular_season_game(cell(game, "gameId", where=where), where=where)
    tipoff = _moment(cell(game, "gameTimeUTC", where=where))
    row = _row(
        game_id,
        day=eastern_date(tipoff),
        home=team_of_code(cell(game, "homeTeam", where=where)["teamTricode"], where=where),
        away=team_of_code(cell(game, "awayTeam", where=where)["teamTricode"], where=where),
        tipoff_at=tipoff,
        rest={"postponed": game.get("gameStatusText") == POSTPONED, "neutral_site": None, "source": "live_boxscore"},
    )
    return _checked([row], where=where)


def gamelog_schedule_rows(body: Body, *, where: str, spoilt: list[Spoilt] | None = None) -> list[RawRow]:
    """Return the games of a leaguegamelog body, of teams or players.

    Home and away where MATCHUP says so; no tip-off. A game without two teams and a date is left out, and its date is
    among the `undecided_dates`.
    """
    refuse_other_league(body.get("parameters", {}).get("LeagueID"), where=where)
    lines = result_set(body, "LeagueGameLog", where=where)
    others = other_teams((line["GAME_ID"], line["TEAM_ABBREVIATION"]) for line in lines)
    homes = home_teams((line["GAME_ID"], line["TEAM_ABBREVIATION"], line.get("MATCHUP")) for line in lines)
    days = _logged_dates(lines)
    rows = []
    for (game_id, team), other in others.items():
        if str(team) < str(other) and is_regular_season(game_id) and game_id in days:
            one = _Logged(str(game_id), days[game_id], str(team), str(other), homes.get(game_id))
            rows.append(_read(lambda one=one: _logged_game(one, where=where), spoilt,  # type: ignore[misc]
                              game=one.game_id, texts=[one.day], where=where))  # fmt: skip
    return _kept(rows, spoilt, where=where)


class _Logged(NamedTuple):
    """A game of a log: two teams, and which of them was at home, if known."""

    game_id: str
    day: date
    team: str
    other: str
    home: object


def _logged_game(one: _Logged, *, where: str) -> RawRow:
    teams = (team_of_code(one.team, where=where), team_of_code(one.other, where=where))
    rest = {"postponed": False, "neutral_site": None, "source": "leaguegamelog"}
    row = _row(one.game_id, day=one.day, home=teams[0], away=teams[1], tipoff_at=None, rest=rest)
    away = {one.team: one.other, one.other: one.team}.get(str(one.home)) if one.home is not None else None
    return row | {"home_team_abbr": one.home if away else None, "away_team_abbr": away}


def _logged_dates(lines: Sequence[Mapping[str, Any]]) -> dict[object, date]:
    """Return game -> the date that most of its lines have."""
    found: dict[object, Counter[date]] = {}
    for line in lines:
        with suppress(ValueError):
            found.setdefault(line["GAME_ID"], Counter())[date.fromisoformat(str(line["GAME_DATE"])[:10])] += 1
    return {game: max(sorted(days), key=days.__getitem__) for game, days in found.items()}


def _headed(
    games: list[dict[str, Any]], *, source: str, where: str, spoilt: list[Spoilt] | None = None
) -> list[RawRow]:
    read = [
        _read(lambda game=game: _headed_game(game, source=source, where=where), spoilt,  # type: ignore[misc]
              game=_id_of(game, "GAME_ID"), texts=[game.get("GAME_DATE_EST")], where=where)
        for game in games
    ]  # fmt: skip
    return _kept(read, spoilt, where=where)


def _headed_game(game: Body, *, source: str, where: str) -> RawRow | None:
    game_id = cell(game, "GAME_ID", where=where)
    refuse_other_league(str(game_id)[:2], where=where)
    if not is_regular_season(game_id):
        return None
    status = str(cell(game, "GAME_STATUS_TEXT", where=where)).strip()
    return _row(
        str(game_id),
        day=date.fromisoformat(str(cell(game, "GAME_DATE_EST", where=where))[:10]),
        home=team_of_id(cell(game, "HOME_TEAM_ID", where=where), where=where),
        away=team_of_id(cell(game, "VISITOR_TEAM_ID", where=where), where=where),
        tipoff_at=None,
        rest={"postponed": status == POSTPONED, "neutral_site": None, "source": source},
    )


def _row(
    game_id: str, *, day: date, home: str, away: str, tipoff_at: datetime | None, rest: Mapping[str, object]
) -> RawRow:
    return {
        "game_date": day,
        "game_id": game_id,
        "season": season_of_game(game_id),
        "team_a_abbr": min(home, away),
        "team_b_abbr": max(home, away),
        "home_team_abbr": home,
        "away_team_abbr": away,
        "tipoff_at": tipoff_at,
        **rest,
    }


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _checked(rows: list[RawRow], *, where: str) -> list[RawRow]:
    ordered = in_order(SCHEDULE, rows)
    check_table(SCHEDULE, ordered, where=where)
    return ordered
