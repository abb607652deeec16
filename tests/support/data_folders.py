"""Small invented folders in the layout of the real one: player rows of ours, a second source's team boxes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from nba_props.raw import RawRow
from nba_props.sources.gamelog import SAME_VALUE
from nba_props.sources.parquet_schedule import XREF
from nba_props.witness.compare import COLUMNS, TOTAL_TURNOVERS
from nba_props.witness.files import KNOWN
from tests.support.league_bodies import sets
from tests.support.step_warehouse import raw_row

BOXES = "espn/team_box_2024-25.parquet"
SCHEDULE = "espn/schedule_2024-25.parquet"
LOG = "nba/player_game_2024-25.parquet"
COUNTED = (*COLUMNS.values(), TOTAL_TURNOVERS, "team_turnovers")

Lines = Iterable[Mapping[str, object]]


def write(folder: Path, name: str, lines: Lines) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([dict(line) for line in lines]), folder / name)


def box(team: str, number: int = 1, **changes: object) -> dict[str, object]:
    """Give ESPN's box of a team in its event `number`, all counts 0 but for `changes`."""
    line: dict[str, object] = dict.fromkeys(COUNTED, 0)
    return line | {"game_id": number, "game_date": "2025-01-10", "team_abbreviation": team} | changes


def witness_folder(folder: Path, *boxes: dict[str, object], tied: Mapping[int, str]) -> Path:
    """Write boxes, and which event is which game."""
    write(folder, BOXES, boxes)
    write(folder, XREF, [{"espn_game_id": number, "nba_game_id": game} for number, game in tied.items()])
    return folder


def played(day: str, number: int, winner: str, loser: str, **changes: object) -> list[RawRow]:
    """Give the rows of game `number`, which `winner` won by 8 to 0; `changes` are of its one player."""
    game: dict[str, object] = {"game_date": date.fromisoformat(day), "game_id": f"00224{number:05}"}
    made: dict[str, object] = {"field_goals_made": 4, "field_goals_attempted": 9, "turnovers": 3, "plus_minus": 8}
    sides: tuple[tuple[str, str, dict[str, object]], ...] = (
        (winner, loser, {"minutes": 30, **made, **changes}),
        (loser, winner, {"minutes": 10, "win_flag": False}),
    )
    rows = []
    for n, (team, other, counts) in enumerate(sides):
        who: dict[str, object] = {"player_id": 10 * number + n, "team_abbr": team, "opponent_team_abbr": other}
        rows.append(raw_row(f"Blor {team.title()}vvik", **game, **who, **counts))
    return rows


def boxes_of(rows: Sequence[RawRow]) -> list[dict[str, object]]:
    """Give the boxes of a second source that agrees with each of these rows; a team has one player."""
    boxes = []
    for row in rows:
        theirs = {name: row[column] for column, name in COLUMNS.items()} | {TOTAL_TURNOVERS: row["turnovers"]}
        boxes.append(box(str(row["team_abbr"]), event(row["game_id"]), game_date=str(row["game_date"]), **theirs))
    return boxes


def event(game: object) -> int:
    """Give ESPN's number of a game of ours."""
    return int(str(game)[-5:])


def write_log(folder: Path, rows: Iterable[RawRow]) -> None:
    """Write player rows as a season's LeagueGameLog."""
    write(folder, LOG, [
        {column: row[raw] for column, raw in SAME_VALUE.items()}
        | {"SEASON_ID": "22024", "GAME_DATE": str(row["game_date"]), "WL": "W" if row["win_flag"] else "L"}
        for row in rows
    ])  # fmt: skip


def write_put_off(folder: Path, day: str, home: str, away: str) -> None:
    """Write ESPN's schedule: a game that was postponed, and one of event 1 that was played."""
    line: dict[str, object] = {"game_date": day, "date": f"{day}T23:30Z", "neutral_site": False, "season_type": 2}
    line |= {"home_abbreviation": home, "away_abbreviation": away}
    states = ((99, "STATUS_POSTPONED"), (1, "STATUS_FINAL"))
    write(folder, SCHEDULE, [line | {"game_id": number, "status_type_name": name} for number, name in states])


def write_known(folder: Path, *cells: tuple[str, int, str, str, int, int]) -> None:
    """Write the list of known disagreements; a cell is date, game, team, ESPN's column, our value, ESPN's."""
    names = ("GAME_DATE", "GAME_ID", "TEAM_ABBREVIATION", "espn_stat", "nba_value", "espn_value")
    lines = [dict(zip(names, (day, f"00224{number:05}", *rest), strict=True)) for day, number, *rest in cells]
    write(folder, KNOWN, lines)


def write_team_log(file: Path, *lines: tuple[int, str, int], **more: object) -> Path:
    """Write a LeagueGameLog of teams; a line is game, team, turnovers."""
    rows = [{"GAME_ID": f"00224{number:05}", "TEAM_ABBREVIATION": team, "TOV": n} | more for number, team, n in lines]
    file.write_text(json.dumps(sets("leaguegamelog", {"PlayerOrTeam": "T"}, LeagueGameLog=rows)))
    return file
