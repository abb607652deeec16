"""The files to compare the second witness with.

The folder's list of known disagreements, and the league's team logs. The list is never an input of the comparison: it
separates the new findings, and what player rows cannot show.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import NamedTuple, cast

from nba_props.errors import DataError
from nba_props.sources.gamelog import whole
from nba_props.sources.parquet_file import query
from nba_props.sources.shapes import cell, result_set
from nba_props.teams import team_of_code
from nba_props.witness.compare import COLUMNS, TOTAL_TURNOVERS, Disagreement, Report, TeamGame

KNOWN = "derived/diff_team_nba_vs_espn.parquet"
_OURS = {theirs: ours for ours, theirs in COLUMNS.items()} | {TOTAL_TURNOVERS: TOTAL_TURNOVERS}


class Known(NamedTuple):
    """The known disagreements, by whether they were found again.

    Of the team-games that were compared; everything sorted. `found`: found again. `unseen`: totals of turnovers that
    could not be compared with the league's own. `gone`: the two agree now. `new`: found, and not on the list.
    """

    found: tuple[Disagreement, ...]
    unseen: tuple[Disagreement, ...]
    gone: tuple[Disagreement, ...]
    new: tuple[Disagreement, ...]


def read_known(folder: Path) -> list[Disagreement] | None:
    """Return the folder's list of known disagreements (KNOWN).

    None where it has none. Raises DataError if it cannot be read.
    """
    path = folder / KNOWN
    if not path.is_file():
        return None
    listed = query(
        path,
        """
        SELECT CAST(GAME_DATE AS DATE), GAME_ID, TEAM_ABBREVIATION, espn_stat, nba_value, espn_value
        FROM read_parquet($path)
        """,
    )
    known = []
    for day, game, team, stat, ours, theirs in listed:
        if stat not in _OURS:
            raise DataError(str(path), problem=f"{stat!r} is no column that is compared", fix="rebuild the list")
        column, values = _OURS[str(stat)], (cast("int", ours), cast("int", theirs))
        known.append(Disagreement(cast("date", day), str(game), str(team), column, *values))
    return known


def match_known(report: Report, known: Iterable[Disagreement]) -> Known:
    """Split the known disagreements by whether they were found again.

    Cells are matched by their place.
    """
    listed = {_place(one): one for one in known if (one.game_id, one.team_abbr) in report.compared}
    found = {_place(one): one for one in report.disagreements}
    absent = [one for place, one in listed.items() if place not in found]
    unseen = {one for one in absent if one.column == TOTAL_TURNOVERS and (one.game_id, one.team_abbr) in report.assumed}
    return Known(
        found=tuple(sorted(found[place] for place in found.keys() & listed.keys())),
        unseen=tuple(sorted(unseen)),
        gone=tuple(sorted(set(absent) - unseen)),
        new=tuple(sorted(found[place] for place in found.keys() - listed.keys())),
    )


def _place(one: Disagreement) -> tuple[str, str, str]:
    return one.game_id, one.team_abbr, one.column


def read_team_log(path: Path) -> dict[TeamGame, int]:
    """Return the turnovers of each team-game, the team's own included.

    From a recorded leaguegamelog of teams. Raises DataError for a file that is missing, is not such a body, or is of
    players.
    """
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            str(path), problem=f"it cannot be read ({error})", fix="name a body of leaguegamelog"
        ) from error
    if not isinstance(body, Mapping):
        raise DataError(str(path), problem="it is no body of result sets", fix="name a body of leaguegamelog")
    totals: dict[TeamGame, int] = {}
    for row in result_set(body, "LeagueGameLog", where=str(path)):
        if "PLAYER_ID" in row:
            raise DataError(str(path), problem="it is of players", fix="fetch leaguegamelog with PlayerOrTeam=T")
        game, code, turnovers = (cell(row, name, where=str(path)) for name in ("GAME_ID", "TEAM_ABBREVIATION", "TOV"))
        team, count = team_of_code(code, where=f"{path}, game {game}"), whole(turnovers)
        if not isinstance(count, int):
            problem = f"game {game}, {team}: TOV is {turnovers!r}"
            raise DataError(str(path), problem=problem, fix="fetch it again when the game is final")
        totals[str(game), team] = count
    return totals
