"""Small invented bodies in the shapes of the league's services: two teams, one player each, one on the bench."""

from collections.abc import Mapping
from typing import Any

HOME, AWAY = 1610612738, 1610612752  # BOS, NYK
GAME = "0022400001"
COUNTS = ("FGM", "FGA", "FG3M", "FG3A", "FTM", "FTA", "OREB", "DREB", "REB", "AST", "STL", "BLK", "PF", "PTS")
LINE = dict.fromkeys(COUNTS, 0) | {"PLUS_MINUS": 0}
WINNER = LINE | {"FGM": 4, "FGA": 9, "FG3M": 1, "FG3A": 3, "PTS": 9, "OREB": 1, "DREB": 2, "REB": 3, "PLUS_MINUS": 7}
LOSER = LINE | {"FTM": 2, "FTA": 2, "PTS": 2, "PLUS_MINUS": -7}

Body = dict[str, object]


def sets(resource: str, parameters: Mapping[str, object], **named: list[dict[str, object]]) -> Body:
    """Give a body of result sets; the headers are the keys of the first row."""
    results = [
        {"name": name, "headers": list(rows[0]) if rows else [], "rowSet": [list(row.values()) for row in rows]}
        for name, rows in named.items()
    ]
    return {"resource": resource, "parameters": dict(parameters), "resultSets": results}


def result_of(body: Body) -> dict[str, Any]:
    """Give the one result set of a body."""
    results = body["resultSets"]
    assert isinstance(results, list)
    [one] = results
    assert isinstance(one, dict)
    return one


def player(team: str, number: int, *, minutes: object, counts: Mapping[str, object] = LINE) -> dict[str, object]:
    who = {
        "GAME_ID": GAME,
        "TEAM_ABBREVIATION": team,
        "PLAYER_ID": number,
        "PLAYER_NAME": f"Blor {'ABCDE'[number]}vvik",
    }
    return {**who, "MIN": minutes, **counts}


def traditional(*, game: str = GAME, asked: Mapping[str, object] | None = None) -> Body:
    """Give a boxscoretraditionalv2 body: NYK wins 9 to 2 in Boston."""
    players = [
        player("NYK", 0, minutes="36:42", counts=WINNER | {"TO": 2}),
        player("BOS", 1, minutes="12:29", counts=LOSER | {"TO": 0}),
        player("BOS", 2, minutes=None, counts=dict.fromkeys(WINNER | {"TO": 0})),
    ]
    teams: list[dict[str, object]] = [{"TEAM_ABBREVIATION": "NYK", "PTS": 9}, {"TEAM_ABBREVIATION": "BOS", "PTS": 2}]
    whole = {"GameID": game, "RangeType": 2, "StartPeriod": 0, "EndPeriod": 10, "StartRange": 0, "EndRange": 55800}
    return sets(
        "boxscore",
        whole | dict(asked or {}),
        PlayerStats=[one | {"GAME_ID": game} for one in players],
        TeamStats=teams,
    )


def summary(*, game: str = GAME, status: int = 3, text: str = "Final", home: int = HOME) -> Body:
    """Give a boxscoresummaryv2 body of 10 January 2025."""
    row = {"GAME_DATE_EST": "2025-01-10T00:00:00", "GAME_ID": game, "GAME_STATUS_ID": status, "GAME_STATUS_TEXT": text}
    row |= {"HOME_TEAM_ID": home, "VISITOR_TEAM_ID": AWAY, "SEASON": "2024"}
    return sets("boxscoresummary", {"GameID": game}, GameSummary=[dict(row)])


def scoreboard(*games: Mapping[str, object], league: str = "00") -> Body:
    """Give a scoreboardv2 body."""
    return sets("scoreboardV2", {"GameDate": "01/10/2025", "LeagueID": league}, GameHeader=[dict(one) for one in games])


def header(*, game: str = GAME, text: str = "7:30 pm ET") -> dict[str, object]:
    row: dict[str, object] = {"GAME_DATE_EST": "2025-01-10T00:00:00", "GAME_ID": game, "GAME_STATUS_TEXT": text}
    return row | {"HOME_TEAM_ID": HOME, "VISITOR_TEAM_ID": AWAY}


def gamelog(
    *,
    day: str = "2025-01-10",
    game: str = GAME,
    won: str | None = "W",
    league: str = "00",
    teams: tuple[str, str] = ("NYK", "BOS"),
) -> Body:
    """Give a leaguegamelog body of players of one game, which `teams[0]` wins; without `won` it is not over."""
    lost = None if won is None else "L"
    first = 0 if teams == ("NYK", "BOS") else 2
    rows = [
        player(teams[0], first, minutes=37, counts=WINNER | {"TOV": 2, "WL": won}),
        player(teams[1], first + 1, minutes=12, counts=LOSER | {"TOV": 0, "WL": lost}),
    ]
    shared = {"GAME_ID": game, "GAME_DATE": day, "SEASON_ID": "22024", "MATCHUP": "NYK @ BOS"}
    asked = {"LeagueID": league, "PlayerOrTeam": "P"}
    return sets("leaguegamelog", asked, LeagueGameLog=[row | shared for row in rows])


def with_bench(body: Body) -> Body:
    """Give a log in which each team has four players more, who did nothing, and its 240 minutes."""
    one = result_of(body)
    rows = [dict(zip(one["headers"], row, strict=True)) for row in one["rowSet"]]
    missing: dict[tuple[object, object], dict[str, object]] = {}
    for row in rows:
        first = missing.setdefault((row["GAME_ID"], row["TEAM_ABBREVIATION"]), row | {"MIN": 240})
        first["MIN"] -= row["MIN"]
    bench = [
        first | LINE | {"TOV": 0, "MIN": minutes} | bench_player(1000 + 4 * number + place)
        for number, first in enumerate(missing.values())
        for place, minutes in enumerate(quarters(int(str(first["MIN"]))))
    ]
    return sets("leaguegamelog", {"LeagueID": "00", "PlayerOrTeam": "P"}, LeagueGameLog=[*rows, *bench])


def bench_player(number: int) -> dict[str, object]:
    letters = "".join("abcdefghij"[int(digit)] for digit in str(number))
    return {"PLAYER_ID": number, "PLAYER_NAME": f"Bench {letters}"}


def quarters(minutes: int) -> list[int]:
    return [(minutes + place) // 4 for place in range(4)]


def team_log() -> Body:
    """Give a leaguegamelog body of teams."""
    rows: list[dict[str, object]] = [
        {"TEAM_ABBREVIATION": team, "GAME_ID": GAME, "GAME_DATE": "2025-01-10", "MATCHUP": "BOS vs. NYK"}
        for team in ("NYK", "BOS")
    ]
    return sets("leaguegamelog", {"LeagueID": "00", "PlayerOrTeam": "T"}, LeagueGameLog=rows)


def live_player(number: int, *, minutes: str, played: str = "1", counts: Mapping[str, object] = LINE) -> Body:
    names = (
        *("fieldGoalsMade", "fieldGoalsAttempted", "threePointersMade", "threePointersAttempted", "freeThrowsMade"),
        *("freeThrowsAttempted", "reboundsOffensive", "reboundsDefensive", "reboundsTotal", "assists", "steals"),
        *("blocks", "foulsPersonal", "points"),
    )
    statistics: Body = {name: counts[column] for name, column in zip(names, COUNTS, strict=True)}
    statistics |= {"turnovers": 0, "plusMinusPoints": float(str(counts["PLUS_MINUS"])), "minutes": minutes}
    return {"personId": number, "name": f"Blor {'ABCDE'[number]}vvik", "played": played, "statistics": statistics}


def live_box(*, game: str = GAME, status: int = 3, text: str = "Final") -> Body:
    """Give a live box score of cdn.nba.com, tip-off 19:30 in New York."""
    home = {
        "teamTricode": "BOS",
        "score": 2,
        "players": [
            live_player(1, minutes="PT12M29.00S", counts=LOSER),
            live_player(2, minutes="PT00M00.00S", played="0"),
        ],
    }
    away = {"teamTricode": "NYK", "score": 9, "players": [live_player(0, minutes="PT36M42.00S", counts=WINNER)]}
    rest = {"gameId": game, "gameStatus": status, "gameStatusText": text, "gameTimeUTC": "2025-01-11T00:30:00Z"}
    return {"meta": {"code": 200}, "game": rest | {"homeTeam": home, "awayTeam": away}}


def planned(game: str = GAME, *, day: str = "2025-01-10", teams: tuple[str, str] = ("BOS", "NYK"), **more: str) -> Body:
    """Give one game of a schedule, 19:30 in New York."""
    home, away = ({"teamTricode": team, "teamId": 0} for team in teams)
    rest: Body = {"gameId": game, "gameDateEst": f"{day}T00:00:00Z", "gameStatusText": "7:30 pm ET"}
    return rest | {"gameDateTimeUTC": f"{day}T23:30:00Z", "homeTeam": home, "awayTeam": away} | more


def league_schedule(*games: Body, league: str = "00") -> Body:
    """Give a scheduleLeagueV2 body, each game in a date of its own."""
    return {"leagueSchedule": {"leagueId": league, "gameDates": [{"gameDate": "", "games": [game]} for game in games]}}


def shot(event: int, *, team: int = AWAY, **more: object) -> dict[str, object]:
    row: dict[str, object] = {"GAME_ID": GAME, "GAME_EVENT_ID": event, "PLAYER_ID": 0, "PLAYER_NAME": "Blor Avvik"}
    row |= {"TEAM_ID": team, "SHOT_TYPE": "3PT Field Goal", "SHOT_ZONE_BASIC": "Left Corner 3", "SHOT_DISTANCE": 23}
    return row | {"SHOT_MADE_FLAG": 1, "GAME_DATE": "20250110"} | more


def shots(*rows: dict[str, object], league: str = "00") -> Body:
    """Give a shotchartdetail body."""
    return sets("shotchartdetail", {"LeagueID": league, "GameID": GAME}, Shot_Chart_Detail=list(rows))
