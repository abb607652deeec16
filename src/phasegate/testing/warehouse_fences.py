"""The warehouse contract: fence rows, and who may change them."""

import pytest

from phasegate.base.receipt import Changes, Fence, Part, Staged
from phasegate.errors import Conflict
from phasegate.testing.warehouse_groups import CoversContract
from phasegate.testing.warehouse_rows import DAY, GAMES, NEXT_DAY, STORE, game, rows_of, write
from phasegate.warehouse import Warehouse

PART = Part(GAMES.name, DAY)
NEXT_PART = Part(GAMES.name, NEXT_DAY)


class FenceContract(CoversContract):
    """Each writer changes the fence row, and only holders of one store may."""

    def test_create_makes_an_empty_table_and_leaves_one_that_is_there(self, warehouse: Warehouse) -> None:
        """Check that a step may read a table that was never written."""
        warehouse.create(GAMES)
        with warehouse.snapshot() as before:
            assert before.count(GAMES, partition=None) == 0
        write(warehouse, GAMES, [game("ann")])
        warehouse.create(GAMES)
        with warehouse.snapshot() as after:
            assert after.count(GAMES, partition=None) == 1

    def test_prepare_makes_a_fence_row_once(self, warehouse: Warehouse) -> None:
        """Check its token 0 and store; preparing again changes nothing."""
        warehouse.prepare(GAMES, partition=DAY, store_id=STORE)
        with warehouse.transaction() as tx:
            assert tx.fence(PART) == Fence(0, STORE)
            assert tx.change_fence(PART, token=3, store_id=STORE, holders=("h",))
        warehouse.prepare(GAMES, partition=DAY, store_id="another")
        with warehouse.transaction() as tx:
            assert tx.fence(PART) == Fence(3, STORE, "h")

    def test_a_missing_fence_row_is_never_made_inside(self, warehouse: Warehouse) -> None:
        """Check that changing it returns False, and it is still missing."""
        warehouse.prepare(GAMES, partition=DAY, store_id=STORE)
        with warehouse.transaction() as tx:
            assert not tx.change_fence(NEXT_PART, token=1, store_id=STORE, holders=("h",))
            assert tx.fence(NEXT_PART) is None

    @pytest.mark.parametrize(
        ("token", "store", "changed"), [(4, STORE, False), (5, STORE, True), (6, STORE, True), (9, "other", False)]
    )
    def test_a_stale_or_foreign_writer_cannot_change_the_fence(
        self, warehouse: Warehouse, token: int, store: str, changed: bool
    ) -> None:
        """Check that an equal token may: the same holder writes again."""
        write(warehouse, GAMES, [game("a")], token=5)
        with warehouse.transaction() as tx:
            assert tx.change_fence(PART, token=token, store_id=store, holders=("h",)) is changed
            assert tx.fence(PART) == Fence(token if changed else 5, STORE, "h")

    def test_a_holder_that_the_store_does_not_know_cannot_change_the_fence(self, warehouse: Warehouse) -> None:
        """Check that a copy of the store is refused whatever its token."""
        write(warehouse, GAMES, [game("a")], token=5)
        with warehouse.transaction() as tx:
            assert not tx.change_fence(PART, token=6, store_id=STORE, holders=("copy",))
            assert tx.change_fence(PART, token=6, store_id=STORE, holders=("h", "next"))
            assert tx.fence(PART) == Fence(6, STORE, "next")

    @pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 2), (2, 1)])
    def test_of_two_transactions_that_change_a_fence_one_conflicts(
        self, warehouse: Warehouse, first: int, second: int
    ) -> None:
        """Check it for equal tokens too: the change of the row conflicts."""
        warehouse.prepare(GAMES, partition=DAY, store_id=STORE)
        conflicts = 0
        try:
            with warehouse.transaction() as outer:
                outer.change_fence(PART, token=first, store_id=STORE, holders=("h",))
                try:
                    with warehouse.transaction() as inner:
                        inner.change_fence(PART, token=second, store_id=STORE, holders=("h",))
                except Conflict:
                    conflicts += 1
        except Conflict:
            conflicts += 1
        assert conflicts == 1

    def test_a_fence_changed_since_the_snapshot_conflicts(self, warehouse: Warehouse) -> None:
        """Check it though the other has ended, and its token is not higher."""
        warehouse.prepare(GAMES, partition=DAY, store_id=STORE)

        def write_slowly() -> None:
            with warehouse.transaction() as slow:
                assert slow.fence(PART) == Fence(0, STORE)
                write(warehouse, GAMES, [game("a")], token=1)
                slow.change_fence(PART, token=1, store_id=STORE, holders=("h",))

        with pytest.raises(Conflict):
            write_slowly()
        assert self.read(warehouse, GAMES, "player") == [("a",)]

    def test_other_partitions_do_not_conflict(self, warehouse: Warehouse) -> None:
        """Check two writers of one table, each with its own staging table."""
        for day in (DAY, NEXT_DAY):
            warehouse.prepare(GAMES, partition=day, store_id=STORE)
        with warehouse.transaction() as outer, warehouse.transaction() as inner:
            assert outer.change_fence(PART, token=1, store_id=STORE, holders=("h",))
            assert inner.change_fence(NEXT_PART, token=1, store_id=STORE, holders=("h",))
            rows_of(outer, GAMES, [game("a"), game("a")])
            assert rows_of(inner, GAMES, [game("b", day=NEXT_DAY)], day=NEXT_DAY) == Staged(rows=1)
            assert (inner.deduplicate(GAMES), outer.deduplicate(GAMES)) == (0, 1)
            assert inner.replace(GAMES, partition=NEXT_DAY, token=1) == Changes(inserted=1)
            assert outer.replace(GAMES, partition=DAY, token=1) == Changes(inserted=1)
        assert self.read(warehouse, GAMES, "player") == [("a",), ("b",)]

    def test_adopting_changes_the_store_of_the_fences(self, warehouse: Warehouse) -> None:
        """Check that existing rows' tokens are returned for the new leases."""
        write(warehouse, GAMES, [game("a")], token=8)
        warehouse.prepare(GAMES, partition=NEXT_DAY, store_id=STORE)
        assert warehouse.adopt([PART, Part("no.table", DAY)], store_id="new", holder="h") == {PART: 8}
        with warehouse.transaction() as tx:
            assert (tx.fence(PART), tx.fence(NEXT_PART)) == (Fence(8, "new", "h"), Fence(0, STORE))
            assert tx.fences(first=DAY, last=DAY) == {PART: Fence(8, "new", "h")}
            assert tx.fences(first=DAY, last=NEXT_DAY).keys() == {PART, NEXT_PART}
            assert not tx.change_fence(PART, token=9, store_id=STORE, holders=("h",))
            assert tx.change_fence(PART, token=9, store_id="new", holders=("h",))
        assert warehouse.adopt(None, store_id="newer", holder="h") == {PART: 9, NEXT_PART: 0}
