"""The league's own services as a source, by the package `nba_api`.

The package is optional (the extra `live`). Every public call sends a bounded number of requests, with a pause before
each, and repeats an unanswered one a bounded number of times. An answer that does not arrive, or that cannot be read,
is a DataError: a call returns all or nothing. Of a schedule, a game that cannot be read is left out alone, and named in
a notice; its date is not known to be covered, and is not final before the game is.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import wraps
from importlib import import_module
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeAlias, TypeVar, cast

from nba_props.errors import DataError, NotFinal
from nba_props.notices import Namesakes, Notice, between
from nba_props.raw import RawRow
from nba_props.raw_tables import SHOTS, in_order
from nba_props.sources import season_of_date
from nba_props.sources.shapes import Body
from nba_props.sources.shapes_box import gamelog_rows, logged_games
from nba_props.sources.shapes_schedule import Spoilt, known_spans, league_schedule_rows, left_out
from nba_props.sources.shapes_shots import shot_rows

P = ParamSpec("P")
A = TypeVar("A")
Request: TypeAlias = Callable[[str, Mapping[str, str]], Body]
"""Sends parameters to an endpoint of stats.nba.com; OSError or ValueError when the answer is not JSON."""

REGULAR_SEASON = "Regular Season"
_ANSWERS = frozenset({"resultSets", "resultSet", "leagueSchedule"})
_TEXT_CHARS_MAX = 80
_SUMMER = (7, 8, 9)  # without games in all seasons but 2019-20
_SHOT_FILTERS = (
    *("ClutchTime", "AheadBehind", "PointDiff", "RangeType", "StartPeriod", "EndPeriod", "StartRange", "EndRange"),
    *("GameSegment", "Location", "Outcome", "Position", "RookieYear", "SeasonSegment", "VsConference", "VsDivision"),
    *("ContextFilter", "DateFrom", "DateTo", "PlayerPosition"),
)


class Limits(NamedTuple):
    """The limits of a call.

    `requests_max`: requests per public call, repeats included. `pause_s`: least time between two requests.
    `attempts_max` and `retry_s_max` bound the repeats of one request. `schedule_age_s`: how long a season's schedule is
    used again.
    """

    requests_max: int = 40
    pause_s: float = 1.0
    attempts_max: int = 3
    retry_s_max: float = 60.0
    schedule_age_s: float = 900.0


class _Schedule(NamedTuple):
    fetched_at: float
    rows: list[RawRow]
    spans: list[tuple[date, date]]
    spoilt: list[Spoilt]

    def games(self, day: date) -> set[str]:
        """Return the ids of the date's games, unless they are postponed.

        Those of games that cannot be read are among them.
        """
        read = {str(row["game_id"]) for row in self.rows if row["game_date"] == day and not row["postponed"]}
        return read | {one.game for one in self.spoilt if one.day == day and one.game}


def stats_request(endpoint: str, parameters: Mapping[str, str]) -> Body:
    """Send one request to stats.nba.com, waiting at most 30 s.

    Through nba_api. Raises DataError without the extra, OSError when no answer arrived, ValueError for a wrong answer:
    the package returns any response, such as a proxy's error page or "Too Many Requests", without its status.
    """
    http = _extra("nba_api.stats.library.http")
    answer = http.NBAStatsHTTP().send_api_request(endpoint=endpoint, parameters=dict(parameters), timeout=30)
    body = answer.get_dict()
    if not (isinstance(body, dict) and _ANSWERS & body.keys()):
        raise ValueError(f"it answered {answer.get_json()[:_TEXT_CHARS_MAX]}")
    return cast("Body", body)


def report_repeats() -> None:
    """Report each repeat of a request on standard error, process-wide.

    Otherwise the library that repeats logs it through structlog, whose default is standard output. Raises DataError
    without the extra.
    """
    _extra("stamina.instrumentation").set_on_retry_hooks([_report_repeat])


def _report_repeat(details: Any) -> None:
    text = " ".join(str(details.caused_by).split())[:_TEXT_CHARS_MAX]
    kind = type(details.caused_by).__name__
    sys.stderr.write(f"stats.nba.com: {kind}: {text}; asked again in {details.wait_for:.1f} s\n")


def _alone(method: Callable[Concatenate[Any, P], A]) -> Callable[Concatenate[Any, P], A]:
    """Serialize calls of threads.

    The pause between requests, and the number that is left, are shared by all threads.
    """

    @wraps(method)
    def alone(self: Any, *args: P.args, **kwargs: P.kwargs) -> A:
        with self._lock:
            return method(self, *args, **kwargs)

    return cast("Callable[Concatenate[Any, P], A]", alone)


class LiveSource:
    """Serves regular-season games as the league publishes them.

    No prop lines. `request` is the one function that uses the network. `now` is epoch seconds. `retries` counts the
    repeats so far. A date's box scores are returned when all of its games are final: before that they are refused, not
    left out.
    """

    name = "live"

    def __init__(
        self,
        *,
        request: Request = stats_request,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        limits: Limits | None = None,
    ) -> None:
        self._request, self._now, self._sleep = request, now, sleep
        self._limits = limits or Limits()
        self._lock = threading.RLock()
        self._left = 0
        self._asked_at: float | None = None
        self._schedules: dict[str, _Schedule] = {}
        self._versions: dict[date, datetime] = {}
        self._namesakes = Namesakes()
        self.retries = 0

    @_alone
    def dates(self, first: date, last: date) -> list[date]:
        """Return the dates with scheduled games from `first` to `last`.

        Ascending, played or not.
        """
        return sorted({cast("date", row["game_date"]) for row in self.schedule(first, last) if not row["postponed"]})

    @_alone
    def batch(self, day: date) -> list[RawRow]:
        """Return the raw rows of the date by game, team and player.

        One request, and one for the season's schedule. Raises NotFinal while a game of the log, or of the schedule and
        not postponed, has not ended: a log lists a game only once it has begun, so an empty log is not a date without
        games.
        """
        self._left = self._limits.requests_max
        body = self._ask(
            "leaguegamelog",
            Counter="1000",
            DateFrom=f"{day:%m/%d/%Y}",
            DateTo=f"{day:%m/%d/%Y}",
            Direction="ASC",
            LeagueID="00",
            PlayerOrTeam="P",
            Season=self._season_of(day),
            SeasonType=REGULAR_SEASON,
            Sorter="DATE",
        )
        version, where = datetime.fromtimestamp(self._now(), UTC), f"leaguegamelog of {day}"
        rows = gamelog_rows(body, updated_at=lambda _: version, where=where)
        if {row["game_date"] for row in rows} - {day}:
            raise DataError(where, problem="it has games of other dates", fix="try again later")
        games = logged_games(body, where=where)
        games |= self._games(day)
        if awaited := games - {str(row["game_id"]) for row in rows}:
            raise NotFinal(where, games=awaited, of=len(games))
        self._namesakes.see(rows)
        self._versions[day] = version
        return rows

    def updated_at(self, day: date) -> datetime:
        """Return when the date's box scores were last fetched.

        Now, when they were not.
        """
        return self._versions.get(day) or datetime.fromtimestamp(self._now(), UTC)

    @_alone
    def coverage(self, first: date, last: date) -> list[tuple[date, date]]:
        """Return the parts of the published seasons from `first` to `last`."""
        self._left = self._limits.requests_max
        spans = [span for season in _seasons(first, last) for span in self._season(season).spans]
        cut = ((max(begin, first), min(end, last)) for begin, end in spans)
        return [(begin, end) for begin, end in cut if begin <= end]

    @_alone
    def schedule(self, first: date, last: date) -> list[RawRow]:
        """Return the published games from `first` to `last`.

        One request for each season.
        """
        self._left = self._limits.requests_max
        return self._scheduled(first, last)

    def props(self, day: date, *, at: datetime | None = None) -> list[RawRow]:  # noqa: ARG002  the league publishes no lines
        """Return an empty list: the league's services have no lines."""
        return []

    @_alone
    def shots(self, day: date) -> list[RawRow]:
        """Return the shots of the date's games, a request for each game."""
        self._left = self._limits.requests_max
        rows = [row for game in sorted(self._games(day)) for row in self._game_shots(game, season=self._season_of(day))]
        return in_order(SHOTS, rows)

    def notices(self, first: date, last: date) -> list[Notice]:
        """Return the notices on games left out, and on shared lookups.

        Of what was fetched so far.
        """
        left = [
            left_out(one, where=_schedule_name(season))
            for season in self._schedules
            for one in self._schedules[season].spoilt
        ]
        return between([*left, *self._namesakes.notices()], first, last)

    def _games(self, day: date) -> set[str]:
        return {game for season in _seasons(day, day) for game in self._season(season).games(day)}

    def _scheduled(self, first: date, last: date) -> list[RawRow]:
        rows = [row for season in _seasons(first, last) for row in self._season(season).rows]
        return [dict(row) for row in rows if first <= cast("date", row["game_date"]) <= last]

    def _season_of(self, day: date) -> str:
        """Return the season of a date; in the summer, that whose schedule has it.

        The season of 2019-20 ended in August.
        """
        before = season_of_date(date(day.year, 6, 30))
        if day.month in _SUMMER and any(begin <= day <= end for begin, end in self._season(before).spans):
            return before
        return season_of_date(day)

    def _season(self, season: str) -> _Schedule:
        known = self._schedules.get(season)
        if known is None or self._now() - known.fetched_at > self._limits.schedule_age_s:
            body = self._ask("scheduleleaguev2", LeagueID="00", Season=season)
            spoilt: list[Spoilt] = []
            rows = league_schedule_rows(body, where=_schedule_name(season), spoilt=spoilt)
            known = _Schedule(self._now(), rows, known_spans(body, rows, spoilt=spoilt), spoilt)
            self._schedules[season] = known
        return known

    def _game_shots(self, game: str, *, season: str) -> list[RawRow]:
        asked = dict.fromkeys(_SHOT_FILTERS, "") | dict.fromkeys(
            ("LastNGames", "Month", "OpponentTeamID", "Period", "PlayerID", "TeamID"), "0"
        )
        # FG_PCT, as in the recordings: every attempt, made or not
        asked |= {"ContextMeasure": "FG_PCT", "GameID": game, "LeagueID": "00", "Season": season}
        body = self._ask("shotchartdetail", **asked, SeasonType=REGULAR_SEASON)
        return shot_rows(body, where=f"shotchartdetail of {game}")

    def _ask(self, endpoint: str, **parameters: str) -> Body:
        """Request until an answer arrives or a limit is reached."""
        stamina = _extra("stamina")
        try:
            for attempt in stamina.retry_context(
                on=(OSError, ValueError), attempts=self._limits.attempts_max, timeout=self._limits.retry_s_max
            ):
                with attempt:
                    self.retries += attempt.num > 1
                    self._take_turn(endpoint)
                    return self._request(endpoint, parameters)
        except (OSError, ValueError) as error:
            raise DataError(
                f"stats.nba.com, {endpoint}", problem=f"{type(error).__name__}: {error}", fix="try again later"
            ) from error
        raise AssertionError("the retries end with an answer or an error")

    def _take_turn(self, endpoint: str) -> None:
        if self._left <= 0:
            raise DataError(
                f"stats.nba.com, {endpoint}",
                problem=f"this call has asked {self._limits.requests_max} times already",
                fix="ask for fewer dates at once",
            )
        self._left -= 1
        if self._asked_at is not None:
            pause_s = self._asked_at + self._limits.pause_s - self._now()
            if pause_s > 0:
                self._sleep(pause_s)
        self._asked_at = self._now()


def _schedule_name(season: str) -> str:
    return f"scheduleleaguev2 of {season}"


def _seasons(first: date, last: date) -> list[str]:
    years = range(first.year - 1, last.year + 1)
    every = [season_of_date(date(year, 12, 31)) for year in years]
    begin = date(first.year, 6, 30) if first.month in _SUMMER else first
    return [season for season in every if season_of_date(begin) <= season <= season_of_date(last)]


def _extra(module: str) -> Any:
    # Optional: imported on first use, and by name, so that types need neither. nba_api depends on pandas, 130 MB with
    # numpy, but nothing here imports it: the used modules take 0.1 s.
    try:
        return import_module(module)
    except ImportError as error:
        raise DataError(
            "live data", problem=f"{error.name} is not installed", fix="pip install 'phasegate[live]'"
        ) from error
