"""Columns that change with their plan, and rows that move, as tests.

Part of WarehouseContract; subclass that.
"""

import pytest
from msgspec.structs import replace

from phasegate.base.receipt import Fence, Part
from phasegate.base.table import Difference, Draft, Table
from phasegate.errors import BadInput, Conflict
from phasegate.testing.warehouse_fences import FenceContract
from phasegate.testing.warehouse_rows import (
    DAY,
    GAMES,
    NEVER,
    NEXT_DAY,
    STORE,
    TYPED,
    counts,
    game,
    prepare,
    staging,
    typed_rows,
    write,
    write_of,
)
from phasegate.warehouse import Warehouse

WIDER = replace(GAMES, columns={**GAMES.columns, "points": "BIGINT", "steals": "INTEGER"})


def reshape(warehouse: Warehouse, table: Table) -> Difference:
    """Give the stored table the columns of its plan."""
    (shape,) = warehouse.shapes([Draft(table=table)], {})
    with warehouse.snapshot() as reader:
        change = reader.compare(table, shape.columns)
    assert warehouse.reshape(table, change, columns=shape.columns, store_id=STORE)
    return change


class ShapesContract(FenceContract):
    """The promises of ports.Warehouse about columns that change."""

    def stored_type(self, declared: str, /) -> str:
        """Return the type that a column of this type has once it is stored."""
        return declared

    def test_a_new_column_and_a_wider_type_change_no_fingerprint(self, warehouse: Warehouse) -> None:
        """Check that old partitions keep theirs, and a new one has the column."""
        before = write(warehouse, GAMES, [game("a"), game("b", None)])
        change = reshape(warehouse, WIDER)
        small, large = map(self.stored_type, ("INTEGER", "BIGINT"))
        assert change == Difference(
            added={"steals": small}, widened={"points": (small, large)} if small != large else {}
        )
        write(warehouse, WIDER, [{**game("a", 2**40, day=NEXT_DAY), "steals": 3}], day=NEXT_DAY)
        with warehouse.snapshot() as reader:
            assert reader.fingerprint(WIDER, partition=DAY) == before.fingerprint
            assert reader.receipts([Part(GAMES.name, DAY)])[Part(GAMES.name, DAY)] == before
            found = [(row["steals"], row["points"]) for row in reader.query(self.select_all(GAMES.name), {})]
        assert sorted(found, key=repr) == [(3, 2**40), (None, 10), (None, None)]

    def test_a_table_of_its_plans_columns_differs_in_nothing(self, warehouse: Warehouse) -> None:
        """Check it before and after a change, and that a missing table says so."""
        for table in (GAMES, WIDER):
            (shape,) = warehouse.shapes([Draft(table=table)], {})
            with warehouse.snapshot() as reader:
                assert reader.compare(NEVER, {"a": "INTEGER"}) == Difference(missing=True)
                assert reader.compare(table, shape.columns).missing is (table is GAMES)
            write(warehouse, GAMES, []) if table is GAMES else reshape(warehouse, table)
            with warehouse.snapshot() as reader:
                assert not reader.compare(table, shape.columns)

    def test_a_column_that_the_table_lacks_is_refused_with_the_command(self, warehouse: Warehouse) -> None:
        """Check it for rows that have the column already."""
        write(warehouse, GAMES, [game("a")])
        with pytest.raises(BadInput, match=r"steals.*: phasegate tables --apply"):
            counts(warehouse, WIDER, [{**game("a"), "steals": 1}])

    def test_a_removed_column_and_another_type_are_named(self, warehouse: Warehouse) -> None:
        """Check that they change the content, and are done when asked for."""
        before = write(warehouse, GAMES, [game("a", 7)])
        columns = {name: "VARCHAR" if name == "ratio" else sql_type for name, sql_type in GAMES.columns.items()}
        del columns["points"]
        other = replace(GAMES, columns=columns, scales={})
        change = reshape(warehouse, other)
        removed = {"points": self.stored_type("INTEGER")}
        assert (change.removed, change.retyped) == (removed, {"ratio": ("DOUBLE", "VARCHAR")})
        assert not change.keeps_content
        with warehouse.snapshot() as reader:
            assert reader.fingerprint(other, partition=DAY) != before.fingerprint
            assert [row.keys() & {"points", "player"} for row in reader.query(self.select_all(GAMES.name), {})] == [
                {"player"}
            ]

    def test_a_cell_that_does_not_fit_its_new_type_changes_nothing(self, warehouse: Warehouse) -> None:
        """Check that the whole change is refused."""
        before = write(warehouse, GAMES, [game("seven")])
        narrow = replace(GAMES, columns={**GAMES.columns, "player": "INTEGER", "steals": "INTEGER"})
        with pytest.raises(BadInput, match="seven"):
            reshape(warehouse, narrow)
        with warehouse.snapshot() as reader:
            assert reader.compare(GAMES, GAMES.columns) == Difference()
            assert reader.fingerprint(GAMES, partition=DAY) == before.fingerprint

    def test_the_key_of_the_stored_rows_is_remembered(self, warehouse: Warehouse) -> None:
        """Check that another key is a difference until it is recorded."""
        write(warehouse, GAMES, [game("a")])
        longer = replace(GAMES, key=(*GAMES.key, "points"))
        prepare(warehouse, longer, day=NEXT_DAY)
        with warehouse.snapshot() as reader:
            assert reader.compare(longer, GAMES.columns) == Difference(key=GAMES.key)
            assert not reader.compare(longer, GAMES.columns).keeps_content
        reshape(warehouse, longer)
        with warehouse.snapshot() as reader:
            assert reader.compare(longer, GAMES.columns) == Difference()
            assert reader.compare(GAMES, GAMES.columns) == Difference(key=longer.key)

    def test_a_change_of_columns_passes_the_fences_of_the_table(self, warehouse: Warehouse) -> None:
        """Check that it keeps their tokens, and that another store may not."""
        write(warehouse, GAMES, [game("a")], token=7)
        change = Difference(added={"steals": "INTEGER"})
        assert not warehouse.reshape(WIDER, change, columns=WIDER.columns, store_id="other")
        with warehouse.snapshot() as reader:
            assert reader.compare(GAMES, GAMES.columns) == Difference()
        reshape(warehouse, WIDER)
        with pytest.raises(Conflict):
            warehouse.reshape(WIDER, change, columns=WIDER.columns, store_id=STORE)
        with warehouse.snapshot() as reader:
            assert reader.fences(first=DAY, last=DAY) == {Part(GAMES.name, DAY): Fence(7, STORE, "h")}

    def test_rows_staged_before_a_change_of_columns_conflict(self, warehouse: Warehouse) -> None:
        """Check that no row is stored in the old shape afterwards."""
        write(warehouse, GAMES, [game("a")])

        def write_slowly() -> None:
            with staging(warehouse, GAMES, [game("b")]) as slow:
                reshape(warehouse, WIDER)
                warehouse.commit(write_of(GAMES, slow, token=2), slow)

        with pytest.raises(Conflict):
            write_slowly()
        assert self.read(warehouse, GAMES, "player") == [("a",)]

    def test_the_rows_of_a_partition_can_be_staged_elsewhere(self, warehouse: Warehouse) -> None:
        """Check that they are equal there, with the zone of their times."""
        whole = replace(TYPED, version=None)
        copy = replace(whole, name="contract.copied")
        write(warehouse, whole, typed_rows(5, 20))
        with warehouse.snapshot() as reader:
            pieces = [reader.rows(whole, partition=DAY, limit=6, offset=offset) for offset in (0, 6, 12, 18, 24)]
            assert [len(piece) for piece in pieces] == [6, 6, 6, 2, 0]
            absent = [reader.rows(table, partition=day, limit=6) for table, day in ((whole, NEXT_DAY), (copy, DAY))]
            assert absent == [[], []]
        rows = [row for piece in pieces for row in piece]
        assert {row.keys() == TYPED.columns.keys() for row in rows} == {True}
        write(warehouse, copy, rows)
        with warehouse.snapshot() as reader:
            first, second = (reader.fingerprint(one, partition=DAY) for one in (whole, copy))
        assert first == second
