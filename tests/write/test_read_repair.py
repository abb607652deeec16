"""A build that finds other inputs than were requested has the documents corrected that own them."""

from phasegate.base.keys import Run
from tests.support.pipelines import Shop, settle
from tests.support.windows import builds, cell, many_days, phase, play


def lose(made: Shop, table: str, day: str) -> None:
    """Lose the rows and the receipt of one date, as a restored warehouse does."""
    made.warehouse.newest = {
        part: receipt
        for part, receipt in made.warehouse.newest.items()
        if (part.table, part.partition) != (table, day)
    }  # fmt: skip
    made.warehouse.tables = {
        name: {on: rows for on, rows in parts.items() if (name, on) != (table, day)}
        for name, parts in made.warehouse.tables.items()
    }  # fmt: skip


def test_a_date_of_a_window_whose_rows_are_lost_is_built_again_by_its_own_run() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4})
    lose(made, "out.sum", "2026-02-01")
    made.pipeline.runs.rebuild("out", Run("2026-02-03", "night"), steps=("trend",), quiet=False)
    settle(made)
    assert builds(made, "sum", 1) == 2
    assert (cell(made, "out.sum", 1), cell(made, "out.trend", 3)) == (1, 3)
    assert phase(made, 1).members["sum"].stale is None
