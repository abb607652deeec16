"""Schedules of the league's services as raw rows. Pure.

Rows of `nba_raw.nbac_schedule`. Regular-season games only, and only those whose teams are known. Scores and statuses
are not read, except for one: a game that is postponed. A tip-off is read only from a shape in which it stays the same
after the game.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

from nba_props.raw import RawRow
from nba_props.raw_tables import SCHEDULE, check_table, in_order
from nba_props.sources import eastern_date
from nba_props.sources.gamelog import home_teams, other_teams
from nba_props.sources.shapes import (
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


def league_schedule_rows(body: Body, *, where: str) -> list[RawRow]:
    """Return the games of a scheduleLeagueV2 body.

    With home, away and tip-off; games of undecided teams are left out.
    """
    schedule = cell(body, "leagueSchedule", where=where)
    refuse_other_league(schedule.get("leagueId"), where=where)
    rows = []
    for day in cell(schedule, "gameDates", where=where):
        for game in cell(day, "games", where=where):
            home, away = cell(game, "homeTeam", where=where), cell(game, "awayTeam", where=where)
            decided = home.get("teamTricode") and away.get("teamTricode")
            if decided and is_regular_season(cell(game, "gameId", where=where)):
                status = str(cell(game, "gameStatusText", where=where)).strip()
                tipoff = None if status == _UNKNOWN else _moment(cell(game, "gameDateTimeUTC", where=where))
                rows.append(
                    _row(
                        game["gameId"],
                        day=date.fromisoformat(cell(game, "gameDateEst", where=where)[:10]),
                        home=team_of_code(home["teamTricode"], where=where),
                        away=team_of_code(away["teamTricode"], where=where),
                        tipoff_at=tipoff,
                        rest={
                            "postponed": status == POSTPONED,
                            "neutral_site": game.get("isNeutral"),
                            "source": "scheduleleaguev2",
                        },
                    )
                )
    return _checked(rows, where=where)


def undecided_dates(body: Body) -> set[date]:
    """Return the dates with a game whose teams are not known.

    Of the regular season, in a scheduleLeagueV2 or leaguegamelog body.
    """
    if "leagueSchedule" not in body:
        return _without_teams(body)
    return {
        date.fromisoformat(game["gameDateEst"][:10])
        for day in body["leagueSchedule"].get("gameDates", [])
        for game in day["games"]
        if is_regular_season(game["gameId"])
        and not (game["homeTeam"]["teamTricode"] and game["awayTeam"]["teamTricode"])
    }


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


def scoreboard_rows(body: Body, *, where: str) -> list[RawRow]:
    """Return the games of a scoreboardv2 body: home and away.

    Its only tip-off is a text that is replaced by the score.
    """
    refuse_other_league(body.get("parameters", {}).get("LeagueID"), where=where)
    return _headed(result_set(body, "GameHeader", where=where), source="scoreboardv2", where=where)


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


def gamelog_schedule_rows(body: Body, *, where: str) -> list[RawRow]:
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
            teams = (team_of_code(team, where=where), team_of_code(other, where=where))
            row = _row(
                str(game_id),
                day=days[game_id],
                home=teams[0],
                away=teams[1],
                tipoff_at=None,
                rest={"postponed": False, "neutral_site": None, "source": "leaguegamelog"},
            )
            home = homes.get(game_id)
            away = {team: other, other: team}.get(home)
            rows.append(row | {"home_team_abbr": home if away else None, "away_team_abbr": away})
    return _checked(rows, where=where)


def _logged_dates(lines: Sequence[Mapping[str, Any]]) -> dict[object, date]:
    """Return game -> the date that most of its lines have."""
    found: dict[object, Counter[date]] = {}
    for line in lines:
        with suppress(ValueError):
            found.setdefault(line["GAME_ID"], Counter())[date.fromisoformat(str(line["GAME_DATE"])[:10])] += 1
    return {game: max(sorted(days), key=days.__getitem__) for game, days in found.items()}


def _headed(games: list[dict[str, Any]], *, source: str, where: str) -> list[RawRow]:
    rows = []
    for game in games:
        game_id = cell(game, "GAME_ID", where=where)
        refuse_other_league(str(game_id)[:2], where=where)
        if is_regular_season(game_id):
            status = str(cell(game, "GAME_STATUS_TEXT", where=where)).strip()
            rows.append(
                _row(
                    str(game_id),
                    day=date.fromisoformat(str(cell(game, "GAME_DATE_EST", where=where))[:10]),
                    home=team_of_id(cell(game, "HOME_TEAM_ID", where=where), where=where),
                    away=team_of_id(cell(game, "VISITOR_TEAM_ID", where=where), where=where),
                    tipoff_at=None,
                    rest={"postponed": status == POSTPONED, "neutral_site": None, "source": source},
                )
            )
    return _checked(rows, where=where)


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
