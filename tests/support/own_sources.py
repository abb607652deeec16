"""A user's own sources: a module with a class, and the synthetic nights as CSV files with a mapping."""

import csv
import textwrap
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

from nba_props.own.mapping import FIELDS, OPTIONAL
from nba_props.raw import RawRow
from nba_props.sources.synthetic import SyntheticSource

DAY, NEXT = date(2026, 2, 3), date(2026, 2, 4)
NIGHTS = SyntheticSource()
REQUIRED = tuple(field for field in FIELDS["box_scores"] if field not in OPTIONAL["box_scores"])
COLUMNS = {field: field.title().replace("_", " ") for field in REQUIRED}
"""Field -> the column of the exported box scores."""

GAMES = """
    from nba_props.sources.synthetic import SyntheticSource

    nights = SyntheticSource()

    class Games:
        def schedule(self, first, last):
            return nights.schedule(first, last)

        def batch(self, day):
            follows = {"player_lookup", "opponent_team_abbr", "season", "win_flag", "source_updated_at"}
            return [{k: v for k, v in row.items() if k not in follows} for row in nights.batch(day)]

        def coverage(self, first, last):
            return [(first, last)]
    """
"""A class with the three methods that are needed, of the same games as `--synthetic`."""

Change = Callable[[RawRow], Mapping[str, object]]


def write_module(folder: Path, name: str, *sources: str) -> None:
    (folder / f"{name}.py").write_text("\n".join(textwrap.dedent(source) for source in sources))


def box_rows(*days: date) -> list[RawRow]:
    return [row for day in days or (DAY, NEXT) for row in NIGHTS.batch(day)]


def write_games(folder: Path, rows: Sequence[RawRow], *, delimiter: str = ";") -> Path:
    """Write box scores as another program would: renamed columns, own dates, clocks and team codes."""
    path = folder / "games.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(COLUMNS.values())
        for row in rows:
            spelled = {
                "game_date": f"{row['game_date']:%m/%d/%Y}",
                "minutes": f"{row['minutes']}:00",
                "team_abbr": {"PHX": "PHO", "GSW": "GS"}.get(str(row["team_abbr"]), row["team_abbr"]),
            }
            writer.writerow([spelled.get(field, row[field]) for field in COLUMNS])
    return path


def write_schedule(folder: Path, rows: Sequence[RawRow]) -> Path:
    path = folder / "schedule.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0]])
        writer.writeheader()
        writer.writerows(rows)
    return path


BOX = {
    "file": '"games.csv"',
    "delimiter": '";"',
    "date_format": '"%m/%d/%Y"',
    "minutes_format": '"clock"',
}


def write_mapping(
    folder: Path,
    keys: Mapping[str, str] | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    schedule: Sequence[str] = (),
) -> Path:
    """Write `map.toml`; `keys` replace those of BOX, as TOML."""
    lines = ["[teams]", 'PHO = "PHX"', "[box_scores]"]
    lines += [f"{key} = {value}" for key, value in {**BOX, **(keys or {})}.items() if value]
    lines += ["[box_scores.columns]"]
    lines += [f'{field} = "{column}"' for field, column in (COLUMNS if columns is None else columns).items()]
    if schedule:
        lines += ["[schedule]", 'file = "schedule.csv"', "[schedule.columns]"]
        lines += [f'{field} = "{field}"' for field in schedule]
    path = folder / "map.toml"
    path.write_text("\n".join(lines))
    return path


def write_csv_source(folder: Path, *days: date, rows: Sequence[RawRow] | None = None) -> Path:
    """Write the synthetic nights with their schedule, and the mapping of both."""
    given = days or (DAY, NEXT)
    write_games(folder, box_rows(*given) if rows is None else rows)
    planned = NIGHTS.schedule(min(given), max(given))
    write_schedule(folder, planned)
    return write_mapping(folder, schedule=list(planned[0]))
