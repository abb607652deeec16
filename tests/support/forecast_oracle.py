"""What the forecasts must say, in plain Python over box-score rows: no SQL, no summaries, nothing rounded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import cast

from nba_props.raw import RawRow

Numbers = dict[str, float | None]
SHOTS = ("field_goals", "three_pointers", "free_throws")


def count(rows: Sequence[RawRow], column: str) -> int:
    return sum(cast("int", row[column]) for row in rows)


def ratio(top: float, bottom: float) -> float | None:
    return top / bottom if bottom else None


def mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def minus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def possessions(rows: Sequence[RawRow]) -> float:
    tried = count(rows, "field_goals_attempted") + 0.44 * count(rows, "free_throws_attempted")
    return tried + count(rows, "turnovers") - count(rows, "offensive_rebounds")


def rating(rows: Sequence[RawRow]) -> float | None:
    return ratio(100 * count(rows, "points"), possessions(rows))


def pace(rows: Sequence[RawRow]) -> float | None:
    return ratio(48 * 5 * possessions(rows), count(rows, "minutes"))


def points_per(rows: Sequence[RawRow]) -> dict[str, int]:
    """Give the points made by twos, threes and free throws."""
    threes = count(rows, "three_pointers_made")
    twos = 2 * (count(rows, "field_goals_made") - threes)
    return {"two_pt": twos, "three_pt": 3 * threes, "ft": count(rows, "free_throws_made")}


def rates(rows: Sequence[RawRow]) -> tuple[float | None, float | None, float | None]:
    """Give 2P%, 3P% and FTA / FGA."""
    made, tried = ([count(rows, f"{shot}_{what}") for shot in SHOTS] for what in ("made", "attempted"))
    return ratio(made[0] - made[1], tried[0] - tried[1]), ratio(made[1], tried[1]), ratio(tried[2], tried[0])


@dataclass
class Season:
    """One season's rows before a date, and the games of that date as (team, opponent) pairs of both sides."""

    rows: Sequence[RawRow]
    day: date
    sides: dict[str, str]

    def __post_init__(self) -> None:
        self.rows = [row for row in self.rows if cast("date", row["game_date"]) < self.day]
        self.by_team: dict[tuple[object, object], list[RawRow]] = {}
        for row in self.rows:
            self.by_team.setdefault((row["team_abbr"], row["game_id"]), []).append(row)
        self.league = rates(self.rows)
        self._games: dict[str, list[tuple[list[RawRow], list[RawRow]]]] = {}

    def games(self, team: str) -> list[tuple[list[RawRow], list[RawRow]]]:
        """Give a team's games, the newest first: its rows and the opponent's."""
        if team not in self._games:
            mine = [rows for (abbr, _), rows in self.by_team.items() if abbr == team]
            mine.sort(key=lambda rows: (rows[0]["game_date"], rows[0]["game_id"]), reverse=True)
            opponents = [self.by_team[rows[0]["opponent_team_abbr"], rows[0]["game_id"]] for rows in mine]
            self._games[team] = list(zip(mine, opponents, strict=True))
        return self._games[team]

    def own(self, team: str, last: int | None = None) -> list[RawRow]:
        return [row for rows, _ in self.games(team)[:last] for row in rows]

    def against(self, team: str, last: int | None = None) -> list[RawRow]:
        return [row for _, rows in self.games(team)[:last] for row in rows]

    def days(self, rows: Sequence[RawRow], last: int) -> list[RawRow]:
        return [row for row in rows if cast("date", row["game_date"]) >= self.day - timedelta(days=last)]

    def team(self, team: str) -> dict[str, object]:
        """Give the numbers of upcoming_team_game_context."""
        other, dates = self.sides[team], [cast("date", rows[0]["game_date"]) for rows, _ in self.games(team)]
        wins = sum(rows[0]["win_flag"] is True for rows, _ in self.games(team))
        row: dict[str, object] = {
            "days_rest": (self.day - dates[0]).days if dates else None,
            "back_to_back_flag": dates[:1] == [self.day - timedelta(days=1)],
            "games_last_7_days": sum((self.day - one).days <= 7 for one in dates),
            "games_last_14_days": sum((self.day - one).days <= 14 for one in dates),
            "games_played": len(dates),
            "wins": wins,
            "losses": len(dates) - wins,
        }
        row |= self.ratings(team, "last_10", 10) | self.ratings(team, "season", None)
        for last, ending in ((1, "last_game"), (10, "last_10")):
            row |= {f"opponent_{name}": value for name, value in self.ratings(other, ending, last).items()}
        return row

    def ratings(self, team: str, ending: str, last: int | None) -> Numbers:
        own = self.own(team, last)
        return {
            f"offensive_rating_{ending}": rating(own),
            f"defensive_rating_{ending}": rating(self.against(team, last)),
            f"pace_{ending}": pace(own),
        }

    def expected(self) -> dict[str, list[RawRow]]:
        """Give who is expected: lookup -> his rows of the season, the newest first."""
        players: dict[object, list[RawRow]] = {}
        for row in sorted(self.rows, key=lambda row: (row["game_date"], row["game_id"]), reverse=True):
            players.setdefault(row["player_id"], []).append(row)
        return {
            str(rows[0]["player_lookup"]): rows
            for rows in players.values()
            if self.days(rows[:1], 15) and rows[0]["team_abbr"] in self.sides
        }

    def usage(self, row: RawRow) -> float | None:
        if cast("int", row["minutes"]) < 3:
            return None
        used, mine = ([*rows] for rows in (self.by_team[row["team_abbr"], row["game_id"]], [row]))
        chances = [
            count(rows, "field_goals_attempted")
            + 0.44 * count(rows, "free_throws_attempted")
            + count(rows, "turnovers")
            for rows in (mine, used)
        ]
        return ratio(100 * chances[0] * count(used, "minutes") / 5, count(mine, "minutes") * chances[1])

    def average(self, rows: Sequence[RawRow], what: str) -> float | None:
        if what == "usage_rate":
            return mean([usage for row in rows if (usage := self.usage(row)) is not None])
        column = {"rebounds": "total_rebounds", "three_pt_makes": "three_pointers_made"}.get(what, what)
        return mean([count([row], column) for row in rows])

    def features(self, rows: Sequence[RawRow], line: float | None) -> Numbers:
        """Give the features of one player from his rows, the newest first."""
        team = str(rows[0]["team_abbr"])
        other = self.sides[team]
        values: Numbers = {}
        for ending, last in (("last_5", 5), ("last_10", 10), ("season", None)):
            for what in ("points", "minutes", "usage_rate", "three_pt_makes"):
                values[f"{what}_avg_{ending}"] = self.average(rows[:last], what)
            tried = count(rows[:last], "field_goals_attempted") + 0.44 * count(rows[:last], "free_throws_attempted")
            values[f"ts_pct_{ending}"] = ratio(count(rows[:last], "points"), 2 * tried)
        for what in ("points", "minutes"):
            values[f"{what}_trend"] = minus(values[f"{what}_avg_last_5"], values[f"{what}_avg_season"])
        rest = (self.day - cast("date", rows[0]["game_date"])).days
        week, fortnight = self.days(rows, 7), self.days(rows, 14)
        values |= {
            "games_played_season": len(rows), "days_rest": rest, "back_to_back": float(rest == 1),
            "games_last_7_days": len(week), "minutes_last_7_days": count(week, "minutes"),
            "opponent_defensive_rating_last_10": rating(self.against(other, 10)),
            "opponent_pace_last_10": pace(self.own(other, 10)), "points_line": line,
        }  # fmt: skip
        twenty = rows[:20]
        for shot, points in points_per(twenty).items():
            values[f"{shot}_share_of_points_last_20"] = ratio(points, count(twenty, "points"))
        values["three_pt_pct_last_20"] = rates(twenty)[1]
        allowed = self.against(other, 15)
        values["opponent_points_allowed_avg"] = ratio(count(allowed, "points"), len(self.games(other)[:15]))
        for name, rate in zip(("two_pt_pct", "three_pt_pct", "ft_attempt_rate"), rates(allowed), strict=True):
            values[f"opponent_{name}_allowed"] = rate
        values |= {
            "fatigue_score": min(max(40 - 10 * rest, 0), 30) + 15 * (rest == 1)
            + 15 * min(len(week) / 4, 1) + 10 * min(len(fortnight) / 8, 1)
            + 20 * min(count(week, "minutes") / 160, 1) + 10 * min(count(fortnight, "minutes") / 320, 1),
            "pace_factor": self.pace_factor(team), "defense_factor": self.defense_factor(twenty, other),
            "home_factor": None,
        }  # fmt: skip
        return values

    def pace_factor(self, team: str) -> float | None:
        mine, other, usual = (pace(self.own(*of)) for of in ((team, 10), (self.sides[team], 10), (team,)))
        return None if mine is None or other is None or not usual else (mine + other) / 2 / usual

    def defense_factor(self, rows: Sequence[RawRow], other: str) -> float | None:
        threes, frees = count(rows, "three_pointers_attempted"), count(rows, "free_throws_made")
        twos = count(rows, "field_goals_attempted") - threes
        theirs, league = rates(self.against(other, 15)), self.league
        if None in theirs or None in league:
            return None
        (two, three, free), (usual_two, usual_three, usual_free) = cast("list[list[float]]", [theirs, league])
        faced = 2 * twos * two + 3 * threes * three + frees * free / usual_free
        return ratio(faced, 2 * twos * usual_two + 3 * threes * usual_three + frees)
