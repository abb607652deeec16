"""The texts and fingerprints of the golden rows, as tests.

No version may change them.

Part of WarehouseContract; subclass that.
"""

import pytest

from phasegate.base.table import Table
from phasegate.errors import BadInput
from phasegate.testing.golden import GOLDEN, PRINT_OF_ALL, PRINTS, REFUSED, ROWS
from phasegate.testing.warehouse_rows import DAY, GAMES, LINES, RowContract, counts, game, prepare, write
from phasegate.warehouse import Warehouse


class GoldenContract(RowContract):
    """The promises of base.fingerprint to data that are stored already."""

    @pytest.mark.parametrize("kind", ROWS)
    def test_golden_rows_have_their_fingerprint(self, warehouse: Warehouse, kind: str) -> None:
        """Check them as written, as stored, and written once more."""
        rows = [golden.row for golden in ROWS[kind]]
        assert write(warehouse, GOLDEN, rows, day=kind).fingerprint == PRINTS[kind]
        with warehouse.snapshot() as reader:
            assert reader.fingerprint(GOLDEN, partition=None) == PRINTS[kind]
            assert reader.fingerprints(GOLDEN, first=kind, last=kind) == {kind: PRINTS[kind]}
        again = write(warehouse, GOLDEN, rows, day=kind, token=2)
        assert (again.unchanged, again.fingerprint) == (len(rows), PRINTS[kind])

    def test_golden_rows_of_a_whole_table_have_their_fingerprint(self, warehouse: Warehouse) -> None:
        """Check that partitions add up."""
        for kind, golden in ROWS.items():
            write(warehouse, GOLDEN, [one.row for one in golden], day=kind)
        with warehouse.snapshot() as reader:
            assert reader.fingerprints(GOLDEN, first="", last="~") == PRINTS
            assert reader.fingerprint(GOLDEN, partition=None) == PRINT_OF_ALL

    @pytest.mark.parametrize(("column", "value", "reason"), REFUSED)
    def test_a_cell_that_databases_store_differently_is_refused(
        self, warehouse: Warehouse, column: str, value: object, reason: str
    ) -> None:
        """By the column's name, before anything is staged."""
        row = {**ROWS["several"][0].row, column: value}
        prepare(warehouse, GOLDEN, day="several")
        with pytest.raises(BadInput, match=f"{column} = .*{reason}"):
            counts(warehouse, GOLDEN, [row], day="several")

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_floats_that_are_not_finite_are_counted_so_that_the_writer_refuses_them(
        self, warehouse: Warehouse, value: float
    ) -> None:
        """At every scale."""
        floats = {name for name, sql_type in GOLDEN.columns.items() if sql_type == "DOUBLE"}
        prepare(warehouse, GOLDEN, day="several")
        row = {**ROWS["several"][0].row, **dict.fromkeys(floats, value)}
        assert counts(warehouse, GOLDEN, [row], day="several").not_finite == len(floats)

    def test_a_new_column_without_values_and_another_order_of_columns_change_no_fingerprint(
        self, warehouse: Warehouse
    ) -> None:
        """Check that a value in it does, and so does a column's name."""
        before = write(warehouse, GAMES, [game("a"), game("b", ratio=None)]).fingerprint
        columns = {"assists": "INTEGER", **{name: GAMES.columns[name] for name in reversed(tuple(GAMES.columns))}}
        wide = Table(name=LINES.name, key=GAMES.key, partition=GAMES.partition, columns=columns, scales=GAMES.scales,
                     volatile=GAMES.volatile)  # fmt: skip
        rows = [{**game("a"), "assists": None}, {**game("b", ratio=None), "assists": None}]
        assert write(warehouse, wide, rows, day=DAY).fingerprint == before
        filled = [{**rows[0], "assists": 0}, rows[1]]
        assert write(warehouse, wide, filled, day=DAY, token=2).fingerprint != before

    @pytest.mark.parametrize("name", ["a;b", "a=b", "PLAYER"])
    def test_a_column_name_that_makes_a_text_ambiguous_is_refused(self, warehouse: Warehouse, name: str) -> None:
        """Refuse separators in a name, and a name that differs by case alone."""
        odd = Table(name=GAMES.name, key=GAMES.key, partition=GAMES.partition, columns={**GAMES.columns, name: "DATE"})
        with pytest.raises(BadInput, match=name):
            prepare(warehouse, odd)
