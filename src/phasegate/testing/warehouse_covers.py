"""The comparison of two tables by the keys of their rows, as tests.

Part of WarehouseContract; subclass that.
"""

import pytest

from phasegate.base.table import KEYS_MAX, Uncovered
from phasegate.errors import BadInput
from phasegate.testing.warehouse_golden import GoldenContract
from phasegate.testing.warehouse_rows import DAY, GAMES, LINES, NEVER, NEXT_DAY, game, line, write
from phasegate.warehouse import Warehouse


class CoversContract(GoldenContract):
    """The promises of ports.Reader about what one table must cover."""

    def with_points(self) -> str:
        """Return the ``where`` of the rows of GAMES that have points."""
        return "points IS NOT NULL"

    def test_keys_that_another_table_lacks_are_named_by_partition(self, warehouse: Warehouse) -> None:
        """Check that a key of another partition covers nothing."""
        write(warehouse, GAMES, [game("b"), game("a"), game("c"), game("d")])
        write(warehouse, GAMES, [game("a", day=NEXT_DAY)], day=NEXT_DAY)
        write(warehouse, LINES, [line("a", 1, 1), line("b", 1, 1), line("z", 1, 1)])
        with warehouse.snapshot() as reader:
            found = reader.uncovered(GAMES, by=LINES, on=["player"], where="", first=DAY, last=NEXT_DAY)
            assert found == {DAY: Uncovered(count=2, keys=("c", "d")), NEXT_DAY: Uncovered(count=1, keys=("a",))}
            assert reader.uncovered(LINES, by=GAMES, on=["player"], where="", first=DAY, last=DAY) == {
                DAY: Uncovered(count=1, keys=("z",))
            }
            assert reader.uncovered(GAMES, by=GAMES, on=["player"], where="", first="", last="9") == {}

    def test_only_rows_that_the_condition_holds_for_must_be_covered(self, warehouse: Warehouse) -> None:
        """Check that a condition that is neither true nor false does not hold."""
        write(warehouse, GAMES, [game("a"), game("b", None), game("c")])
        write(warehouse, LINES, [line("a", 1, 1)])
        with warehouse.snapshot() as reader:
            found = reader.uncovered(GAMES, by=LINES, on=["player"], where=self.with_points(), first=DAY, last=DAY)
            assert found == {DAY: Uncovered(count=1, keys=("c",))}

    def test_keys_of_several_columns_are_compared_as_wholes(self, warehouse: Warehouse) -> None:
        """Check that a missing cell equals a missing one."""
        write(warehouse, GAMES, [game("a", 1), game("b", 2), game("c", None)])
        write(warehouse, LINES, [line("a", 2, 1), line("b", 2, 1)])
        with warehouse.snapshot() as reader:
            found = reader.uncovered(GAMES, by=LINES, on=["player", "points"], where="", first=DAY, last=DAY)
            assert found == {DAY: Uncovered(count=2, keys=("a/1", "c/NULL"))}
            assert reader.uncovered(GAMES, by=GAMES, on=["points", "note"], where="", first=DAY, last=DAY) == {}

    def test_of_many_keys_the_first_are_named_and_all_are_counted(self, warehouse: Warehouse) -> None:
        """Check that a table that was never made covers nothing."""
        write(warehouse, GAMES, [game(f"p{n:03}") for n in reversed(range(50))])
        with warehouse.snapshot() as reader:
            found = reader.uncovered(GAMES, by=NEVER, on=["player"], where="", first=DAY, last=DAY)
            assert found == {DAY: Uncovered(count=50, keys=tuple(f"p{n:03}" for n in range(KEYS_MAX)))}
            assert reader.uncovered(NEVER, by=GAMES, on=["player"], where="", first=DAY, last=DAY) == {}

    def test_a_column_that_a_table_lacks_is_refused_by_name(self, warehouse: Warehouse) -> None:
        """Check it for both tables."""
        write(warehouse, GAMES, [game("a")])
        write(warehouse, LINES, [line("a", 1, 1)])
        for table, by in ((GAMES, LINES), (LINES, GAMES)):
            with warehouse.snapshot() as reader, pytest.raises(BadInput, match="has no column ratio"):
                reader.uncovered(table, by=by, on=["ratio"], where="", first=DAY, last=DAY)
