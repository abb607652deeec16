"""What a source takes back or corrects leaves every table, after what is named was typed."""

import re
import shlex
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import cast

import duckdb
import pytest

from nba_props import PLAN
from nba_props.names import player_lookup
from nba_props.raw import RawRow
from nba_props.replay.runner import Runner
from nba_props.sources import every_date, morning_after, row_order
from nba_props.sources.synthetic import SyntheticSource
from phasegate.cli import run

pytestmark = pytest.mark.slow

FIRST, SECOND, THIRD = date(2026, 2, 1), date(2026, 2, 2), date(2026, 2, 3)
SPAN = every_date(FIRST, THIRD)
# LAL plays on the first two dates, every other team once.
GAMES = {
    f"synthetic-{game}" for game in ("20260201-01", "20260201-02", "20260202-03", "20260202-06", "20260203-04")
}  # fmt: skip
LAL_SAS, DEN_PHI = (f"synthetic-{game}" for game in ("20260201-02", "20260203-04"))
TYPED_MAX = 40
# A condition may precede the command, and the dates that it is also typed for may follow.
NEXT = r"next: (?:if [^:]*: )?phasegate ((?:redrive|backfill) [^;\n]*)"

Change = Callable[[RawRow], RawRow | None]


class Corrected(SyntheticSource):
    """A few invented games, each row and schedule entry as a change leaves it."""

    def __init__(self, change: Change) -> None:
        super().__init__()
        self._change = change

    def dates(self, first: date, last: date) -> list[date]:
        return sorted({cast("date", row["game_date"]) for row in self.schedule(first, last)})

    def schedule(self, first: date, last: date) -> list[RawRow]:
        played = {row["game_id"]: row["game_date"] for row in self._rows()}
        scheduled = [row for day in SPAN for row in SyntheticSource().schedule(day, day) if row["game_id"] in played]
        found = [{**row, "game_date": played[row["game_id"]]} for row in scheduled]
        return [row for day in every_date(first, last) for row in found if row["game_date"] == day]

    def batch(self, day: date) -> list[RawRow]:
        return sorted((row for row in self._rows() if row["game_date"] == day), key=row_order)

    def _rows(self) -> list[RawRow]:
        rows = [self._change(row) for day in SPAN for row in SyntheticSource().batch(day) if row["game_id"] in GAMES]
        return [row for row in rows if row is not None]


def unchanged(row: RawRow) -> RawRow:
    return row


def moved(days: dict[str, date]) -> Change:
    def change(row: RawRow) -> RawRow:
        day = days.get(str(row["game_id"]))
        return row if day is None else {**row, "game_date": day, "source_updated_at": morning_after(day)}

    return change


def renamed(row: RawRow) -> RawRow:
    if row["game_id"] != LAL_SAS or row["team_abbr"] != "LAL":
        return row
    name = f"A. {row['player_name']}"
    return {**row, "player_name": name, "player_lookup": player_lookup(name)}


def withdrawn(row: RawRow) -> RawRow | None:
    """Take back two players who came in for a moment: a team without any more minutes would be refused as a whole."""
    if row["game_id"] != LAL_SAS or row["team_abbr"] != "LAL":
        return row
    return None if int(str(row["minutes"])) < 3 and row["points"] == 0 else row


def play(state: Path, change: Change) -> None:
    runner = Runner(Corrected(change), state=state, modes=("overnight",))
    try:
        runner.run(FIRST, THIRD)
    finally:
        runner.close()


def settle(state: Path) -> None:
    """Work until nothing is due: a replay's clock is minutes ahead, and what it has put off is due then."""
    runner = Runner(Corrected(unchanged), state=state, modes=("overnight",))
    try:
        runner.work()
    finally:
        runner.close()


def type_what_is_named(state: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Type the commands that ``reconcile`` names, until it names none."""

    def phasegate(*words: str) -> str:
        capsys.readouterr()
        run(["--plan", str(PLAN), "--state", str(state), *words])
        return capsys.readouterr().out

    typed: list[str] = []
    while len(typed) < TYPED_MAX:
        found = phasegate("reconcile", "--from", str(FIRST), "--to", str(THIRD))
        commands = list(dict.fromkeys(re.findall(NEXT, found)))
        if not commands:
            return typed
        for command in commands:
            phasegate(*shlex.split(command))
        settle(state)
        typed += commands
    raise AssertionError(typed)


def tables(state: Path) -> dict[str, set[tuple[object, ...]]]:
    """Return the rows of every table, without lineage; a line of a player without a game may stay."""
    with duckdb.connect(str(state / "warehouse.duckdb"), read_only=True) as connection:
        named = connection.execute(
            "SELECT DISTINCT table_schema || '.' || table_name FROM information_schema.tables "
            "WHERE table_schema LIKE 'nba_%' "
            "AND table_name NOT IN ('scraper_execution_log', 'odds_api_player_points_props')"
        ).fetchall()
        return {
            str(name): set(connection.execute(f"SELECT COLUMNS('^[^_].*') FROM {name}").fetchall()) for (name,) in named
        }


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("unchanged") / "state"
    play(state, unchanged)
    return state


@pytest.mark.parametrize(
    "change",
    [renamed, withdrawn, moved({LAL_SAS: THIRD}), moved({DEN_PHI: SECOND})],
    ids=["renamed", "withdrawn", "moved later", "last date emptied"],
)
def test_a_corrected_source_ends_in_the_tables_of_a_fresh_run(
    change: Change, played: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state, fresh = tmp_path / "state", tmp_path / "fresh"
    shutil.copytree(played, state)
    before = tables(state)
    play(state, change)
    play(fresh, change)
    typed = type_what_is_named(state, capsys)
    assert all("--force" in command for command in typed), typed
    assert tables(state) == tables(fresh) != before
