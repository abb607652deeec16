"""A folder of recorded response bodies, served as a source.

Bodies (`*.json`, `*.json.gz`) are distinguished by their content, not by their names. A body that cannot become rows (a
G-League game, a part of a game, one in play) is refused by its file's name, listed in `refusals`, and reported in a
run's report and in the log of fetches; a kind that no table needs (play-by-play, month schedules) is ignored.
A game of a schedule with a cell that cannot be read is left out alone, and named by a notice.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Set
from datetime import date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, cast

from nba_props.errors import DataError, NotFinal
from nba_props.notices import Namesakes, Notice, between
from nba_props.raw import TABLE, RawRow, refused_dates
from nba_props.raw_tables import SCHEDULE, SHOTS, check_table, in_order
from nba_props.sources import morning_after, row_order
from nba_props.sources.shapes import ODD_SHAPES, Body, result_set
from nba_props.sources.shapes_box import gamelog_dates, live_box_rows, logged_games, traditional_rows
from nba_props.sources.shapes_schedule import (
    Spoilt,
    gamelog_schedule_rows,
    known_spans,
    league_schedule_rows,
    left_out,
    live_box_schedule_rows,
    scoreboard_rows,
    summary_schedule_rows,
    undecided_dates,
)
from nba_props.sources.shapes_shots import shot_rows

# A game is described by the first kind that has it.
_SCHEDULES: Mapping[str, Callable[..., list[RawRow]]] = MappingProxyType(
    {
        "live_boxscore": live_box_schedule_rows,
        "scheduleleaguev2": league_schedule_rows,
        "boxscoresummary": summary_schedule_rows,
        "scoreboardv2": scoreboard_rows,
        "leaguegamelog": gamelog_schedule_rows,
    }
)
# A box or a log is of a game that was played: its date is the real one, a schedule's may be older.
_PLAYED = ("live_boxscore", "boxscoresummary", "leaguegamelog")
# Kinds that name every game of their dates. A box names one game only.
_WHOLE_DATES = ("scheduleleaguev2", "scoreboardv2", "leaguegamelog")


class Recorded(NamedTuple):
    """One body.

    The file's name, which of the known kinds it is ('' for none), and its content.
    """

    name: str
    kind: str
    body: Body


class RecordedSource:
    """Serves the rows of a folder of bodies; no prop lines.

    `refusals` has the refused bodies with the reasons, each once. Raises DataError for a folder that is missing or has
    no body, and for a file that is not JSON.
    """

    name = "recorded"
    retries = 0

    def __init__(self, folder: Path) -> None:
        self._refusals: dict[str, DataError] = {}
        self._recorded = [one for one in _read(folder) if self._has_frame(one)]
        self._spans: list[tuple[date, date]] = []
        self._spoilt_games: list[tuple[str, Spoilt]] = []
        self._schedule = self._read_schedule()
        self._awaited: dict[date, set[str]] = {}
        self._spoilt: dict[date, DataError] = {}
        self._left_out: set[str] = set()
        self._namesakes = Namesakes()
        self._boxes = self._read_boxes(where=str(folder))
        self._shots = self._read_shots(where=str(folder))

    @property
    def refusals(self) -> tuple[DataError, ...]:
        """Return the errors of the bodies that gave no rows, by file."""
        return tuple(self._refusals[name] for name in sorted(self._refusals))

    def dates(self, first: date, last: date) -> list[date]:
        """Return the dates with box scores from `first` to `last`, ascending.

        Both are included.
        """
        return sorted(day for day in {*map(_day, self._boxes), *self._spoilt} if first <= day <= last)

    def batch(self, day: date) -> list[RawRow]:
        """Return all raw rows of the date by game, team and player.

        Raises NotFinal when a game of the date was recorded before it had ended, and not again afterwards; DataError
        for a date with a line that cannot be true.
        """
        if day in self._spoilt:
            raise self._spoilt[day]
        if awaited := self._awaited.get(day):
            games = awaited | {str(row["game_id"]) for row in self._boxes if row["game_date"] == day}
            raise NotFinal(f"recorded games of {day}", games=awaited, of=len(games))
        return [dict(row) for row in self._boxes if row["game_date"] == day]

    def updated_at(self, day: date) -> datetime:
        """Return the version of the date's rows, 06:00 UTC of the next day.

        The kinds of bodies have no version in common.
        """
        return morning_after(day)

    def coverage(self, first: date, last: date) -> list[tuple[date, date]]:
        """Return the spans of the recorded schedules, scoreboards and logs.

        A box alone covers no date.
        """
        spans: list[tuple[date, date]] = []
        for begin, end in sorted(self._spans):
            if spans and begin <= spans[-1][1] + timedelta(days=1):
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((begin, end))
        cut = ((max(begin, first), min(end, last)) for begin, end in spans)
        return [(begin, end) for begin, end in cut if begin <= end]

    def schedule(self, first: date, last: date) -> list[RawRow]:
        """Return the recorded regular-season games from `first` to `last`."""
        return [dict(row) for row in self._schedule if first <= _day(row) <= last]

    def props(self, day: date, *, at: datetime | None = None) -> list[RawRow]:  # noqa: ARG002  no body holds lines
        """Return an empty list: the league's services have no lines."""
        return []

    def shots(self, day: date) -> list[RawRow]:
        """Return the recorded shots of the date."""
        return [dict(row) for row in self._shots if row["game_date"] == day]

    def notices(self, first: date, last: date) -> list[Notice]:
        """Return the notices on refused bodies and shared lookups.

        Bodies are reported whatever their dates.
        """
        kinds = {one.name: _table_of(one) for one in self._recorded}
        refused = [
            Notice(kinds.get(name, SCHEDULE.name), (), f"refused: {self._refusals[name]}")
            for name in sorted(self._refusals)
        ]
        left = [left_out(one, where=name) for name, one in self._spoilt_games]
        return between([*refused, *left, *self._namesakes.notices()], first, last)

    def _parsed(self, recorded: Recorded, *, parse: Callable[[], list[RawRow]]) -> list[RawRow]:
        try:
            return parse()
        except DataError as error:
            self._refusals.setdefault(recorded.name, error)
        except ODD_SHAPES as error:
            self._refusals.setdefault(recorded.name, _odd(recorded, error))
        return []

    def _has_frame(self, one: Recorded) -> bool:
        """Return whether a body has the frame of its kind; refuse it if not.

        Rows are read from that frame.
        """
        try:
            _table_of(one)
            _games_of_box(one)
            if one.kind == "boxscoresummary":
                _game_of(one)
            if one.kind in _WHOLE_DATES:
                undecided_dates(one.body)
        except DataError as error:
            self._refusals[one.name] = error
        except ODD_SHAPES as error:
            self._refusals[one.name] = _odd(one, error)
        return one.name not in self._refusals

    def _read_schedule(self) -> list[RawRow]:
        by_game: dict[object, RawRow] = {}
        postponed: list[RawRow] = []
        played: dict[object, object] = {}
        for kind, parse in _SCHEDULES.items():
            for one in (one for one in self._recorded if one.kind == kind):
                spoilt: list[Spoilt] = []
                more = {"spoilt": spoilt} if kind in _WHOLE_DATES else {}
                rows = self._parsed(
                    one,
                    parse=lambda one=one, parse=parse, more=more: parse(one.body, where=one.name, **more),  # type: ignore[misc]
                )
                if kind in _WHOLE_DATES and one.name not in self._refusals:
                    self._spans += known_spans(one.body, rows, spoilt=spoilt)
                    self._spoilt_games += [(one.name, game) for game in spoilt]
                postponed += [row for row in rows if row["postponed"]]
                for row in rows:
                    if kind in _PLAYED:
                        played.setdefault(row["game_id"], row["game_date"])
                    known = by_game.get(row["game_id"])
                    moved = known is not None and played.get(row["game_id"], known["game_date"]) != known["game_date"]
                    if not row["postponed"] and (known is None or moved):
                        by_game[row["game_id"]] = row
        self._spoilt_games = [(name, one) for name, one in self._spoilt_games if one.game not in by_game]
        rows = in_order(SCHEDULE, [*by_game.values(), *postponed])
        check_table(SCHEDULE, rows, where="recorded schedules")
        return rows

    def _read_boxes(self, *, where: str) -> list[RawRow]:
        by_game: dict[object, list[RawRow]] = {}
        unfinished: dict[str, set[str]] = {}
        summaries = {_game_of(one): one for one in self._recorded if one.kind == "boxscoresummary"}
        for one in sorted(self._recorded, key=lambda one: one.kind):
            rows = self._parsed(one, parse=lambda one=one: self._box(one, summaries=summaries))  # type: ignore[misc]
            found: dict[object, list[RawRow]] = {}
            for row in rows:
                found.setdefault(row["game_id"], []).append(row)
            for game, lines in found.items():
                by_game.setdefault(game, lines)
            if one.name not in self._refusals and (left := _games_of_box(one) - found.keys() - self._left_out):
                unfinished[one.name] = left
        self._wait_for(unfinished, known=by_game.keys())
        boxes = [row for lines in by_game.values() for row in lines]
        self._spoilt |= refused_dates(boxes, where=where)
        boxes = [row for row in boxes if row["game_date"] not in self._spoilt]
        self._namesakes.see(boxes)
        return sorted(boxes, key=row_order)

    def _wait_for(self, unfinished: Mapping[str, set[str]], *, known: Set[object]) -> None:
        """Refuse the bodies of games in play.

        Except for games that another body has as final.
        """
        for name, games in unfinished.items():
            if left := games - known:
                self._refusals[name] = NotFinal(name, games=left, of=len(games))
                for row in self._schedule:
                    if row["game_id"] in left and not row["postponed"]:
                        self._awaited.setdefault(_day(row), set()).add(str(row["game_id"]))

    def _box(self, one: Recorded, *, summaries: Mapping[str, Recorded]) -> list[RawRow]:
        if one.kind == "boxscore":
            game = _game_of(one)
            if game not in summaries:
                raise DataError(
                    one.name,
                    problem=f"no boxscoresummaryv2 of game {game} is recorded, so its date is unknown",
                    fix="record it too",
                )
            return traditional_rows(one.body, summaries[game].body, updated_at=morning_after, where=one.name)
        if one.kind == "live_boxscore":
            return live_box_rows(one.body, updated_at=morning_after, where=one.name)
        if one.kind == "leaguegamelog" and one.body["parameters"].get("PlayerOrTeam") == "P":
            logged = gamelog_dates(one.body, updated_at=morning_after, where=one.name)
            self._spoilt |= logged.refused
            self._left_out |= logged.left_out
            return logged.rows
        return []

    def _read_shots(self, *, where: str) -> list[RawRow]:
        rows = [
            row
            for one in self._recorded
            if one.kind == "shotchartdetail"
            for row in self._parsed(one, parse=lambda one=one: shot_rows(one.body, where=one.name))  # type: ignore[misc]
        ]
        ordered = in_order(SHOTS, rows)
        check_table(SHOTS, ordered, where=where)
        return ordered


def _odd(one: Recorded, error: Exception) -> DataError:
    what = f"it is not in the shape of {one.kind or 'any kind'} ({type(error).__name__}: {error})"
    return DataError(one.name, problem=what, fix="fetch the body again, or read its new shape")


def _day(row: RawRow) -> date:
    return cast("date", row["game_date"])


def _table_of(one: Recorded) -> str:
    """Return the first raw table that a body would have filled."""
    if one.kind == "shotchartdetail":
        return SHOTS.name
    players = one.kind == "leaguegamelog" and one.body.get("parameters", {}).get("PlayerOrTeam") == "P"
    return TABLE if players or one.kind in ("boxscore", "live_boxscore") else SCHEDULE.name


def _game_of(one: Recorded) -> str:
    asked = one.body.get("parameters", {}).get("GameID")
    name = "GameSummary" if one.kind == "boxscoresummary" else "PlayerStats"
    return str(asked or next((row["GAME_ID"] for row in result_set(one.body, name, where=one.name)), ""))


def _games_of_box(one: Recorded) -> set[str]:
    """Return the games of which a body has player lines, final or not."""
    if one.kind == "leaguegamelog" and one.body["parameters"].get("PlayerOrTeam") == "P":
        return logged_games(one.body, where=one.name)
    if one.kind == "live_boxscore":
        return {str(one.body["game"]["gameId"])}
    return {_game_of(one)} if one.kind == "boxscore" else set()


def _read(folder: Path) -> list[Recorded]:
    if not folder.is_dir():
        raise DataError(str(folder), problem="there is no such folder", fix="name the folder of recorded bodies")
    files = sorted([*folder.glob("*.json"), *folder.glob("*.json.gz")])
    if not files:
        raise DataError(str(folder), problem="it has no *.json", fix="name the folder of recorded bodies")
    return [_load(path) for path in files]


def _load(path: Path) -> Recorded:
    try:
        content = path.read_bytes()
        body = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(str(path), problem=f"it cannot be read as JSON ({error})", fix="record it again") from error
    if not isinstance(body, dict):
        raise DataError(str(path), problem="it is not a JSON object", fix="record it again")
    return Recorded(path.name, _kind(body), body)


def _kind(body: Body) -> str:
    if "leagueSchedule" in body:
        return "scheduleleaguev2"
    game = body.get("game")
    if isinstance(game, Mapping) and "homeTeam" in game:
        return "live_boxscore"
    kind = str(body.get("resource", "")).lower()
    return kind if kind in (*_SCHEDULES, "boxscore", "shotchartdetail") else ""
