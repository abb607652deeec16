"""The warehouse contract: fence rows, and who may change them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from phasegate.base.receipt import Fence, Part, Staged
from phasegate.base.table import Draft
from phasegate.errors import Conflict
from phasegate.testing.warehouse_groups import CoversContract
from phasegate.testing.warehouse_rows import (
    DAY,
    GAMES,
    LINES,
    NEXT_DAY,
    STORE,
    commit,
    fence,
    game,
    line,
    prepare,
    staging,
    write,
    write_of,
)
from phasegate.warehouse import FenceRefused, Warehouse, Written

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
        prepare(warehouse, GAMES)
        assert fence(warehouse, PART) == Fence(0, STORE)
        assert warehouse.change_fence(PART, token=3, store_id=STORE, holders=("h",))
        prepare(warehouse, GAMES, store_id="another")
        assert fence(warehouse, PART) == Fence(3, STORE, "h")

    def test_the_fence_rows_of_tables_beside_are_made_together(self, warehouse: Warehouse) -> None:
        """Check that a write of such a table needs no more of it."""
        prepare(warehouse, LINES)
        draft = Draft(table=GAMES)
        warehouse.prepare(draft, partition=NEXT_DAY, store_id=STORE, params={}, beside=(LINES.name, GAMES.name))
        assert fence(warehouse, Part(LINES.name, NEXT_DAY)) == fence(warehouse, NEXT_PART) == Fence(0, STORE)
        assert isinstance(commit(warehouse, LINES, [line("a", 1, 1, day=NEXT_DAY)], day=NEXT_DAY), Written)

    def test_a_missing_fence_row_is_never_made_inside(self, warehouse: Warehouse) -> None:
        """Check that changing it returns False, and it is still missing."""
        prepare(warehouse, GAMES)
        assert not warehouse.change_fence(NEXT_PART, token=1, store_id=STORE, holders=("h",))
        assert commit(warehouse, GAMES, [game("a", day=NEXT_DAY)], day=NEXT_DAY) == FenceRefused(None)
        assert fence(warehouse, NEXT_PART) is None

    @pytest.mark.parametrize(
        ("token", "store", "changed"), [(4, STORE, False), (5, STORE, True), (6, STORE, True), (9, "other", False)]
    )
    def test_a_stale_or_foreign_writer_cannot_change_the_fence(
        self, warehouse: Warehouse, token: int, store: str, changed: bool
    ) -> None:
        """Check that an equal token may: the same holder writes again."""
        write(warehouse, GAMES, [game("a")], token=5)
        answer = commit(warehouse, GAMES, [game("b")], token=token, store_id=store)
        assert isinstance(answer, Written) if changed else answer == FenceRefused(Fence(5, STORE, "h"))
        assert warehouse.change_fence(PART, token=token, store_id=store, holders=("h",)) is changed
        assert fence(warehouse, PART) == Fence(token if changed else 5, STORE, "h")
        assert self.read(warehouse, GAMES, "player") == [("b" if changed else "a",)]

    def test_a_holder_that_the_store_does_not_know_cannot_change_the_fence(self, warehouse: Warehouse) -> None:
        """Check that a copy of the store is refused whatever its token."""
        write(warehouse, GAMES, [game("a")], token=5)
        assert not warehouse.change_fence(PART, token=6, store_id=STORE, holders=("copy",))
        refused = FenceRefused(Fence(5, STORE, "h"))
        assert commit(warehouse, GAMES, [game("b")], token=6, holders=("copy",)) == refused
        assert isinstance(commit(warehouse, GAMES, [game("b")], token=6, holders=("h", "next")), Written)
        assert fence(warehouse, PART) == Fence(6, STORE, "next")

    @pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 2), (2, 1)])
    def test_of_two_stagings_of_one_partition_the_older_token_is_refused(
        self, warehouse: Warehouse, first: int, second: int
    ) -> None:
        """Check that the rows are those of the last commit that passed it."""
        prepare(warehouse, GAMES)
        with staging(warehouse, GAMES, [game("a")]) as outer:
            with staging(warehouse, GAMES, [game("b")]) as inner:
                assert isinstance(warehouse.commit(write_of(GAMES, inner, token=second), inner), Written)
            answer = warehouse.commit(write_of(GAMES, outer, token=first, write_id="w2"), outer)
        assert isinstance(answer, Written) if first >= second else answer == FenceRefused(Fence(second, STORE, "h"))
        assert self.read(warehouse, GAMES, "player") == [("a" if first >= second else "b",)]

    def test_of_commits_at_once_none_is_lost(self, warehouse: Warehouse) -> None:
        """Check that a conflict has no effect, and nothing is written twice."""
        prepare(warehouse, LINES)

        def merge(number: int) -> int:
            conflicts = 0
            while True:
                try:
                    assert isinstance(
                        commit(warehouse, LINES, [line("a", number, number)], write_id=f"w{number}"), Written
                    )
                except Conflict:
                    conflicts += 1
                else:
                    return conflicts

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(merge, range(12)))
        assert self.read(warehouse, LINES, "points") == [(11,)]
        assert sum(1 for number in range(12) if warehouse.find_write(f"w{number}")) == 12

    def test_other_partitions_do_not_conflict(self, warehouse: Warehouse) -> None:
        """Check two writers of one table, each with its own staging table."""
        for day in (DAY, NEXT_DAY):
            prepare(warehouse, GAMES, day=day)
        next_rows = [game("b", day=NEXT_DAY)]
        with staging(warehouse, GAMES, [game("a"), game("a")]) as outer:
            with staging(warehouse, GAMES, next_rows, day=NEXT_DAY) as inner:
                assert (outer.counts.duplicates, inner.counts) == (1, Staged(rows=1))
                assert isinstance(warehouse.commit(write_of(GAMES, inner, day=NEXT_DAY), inner), Written)
            assert isinstance(warehouse.commit(write_of(GAMES, outer, write_id="w2"), outer), Written)
        assert self.read(warehouse, GAMES, "player") == [("a",), ("b",)]

    def test_adopting_changes_the_store_of_the_fences(self, warehouse: Warehouse) -> None:
        """Check that existing rows' tokens are returned for the new leases."""
        write(warehouse, GAMES, [game("a")], token=8)
        prepare(warehouse, GAMES, day=NEXT_DAY)
        assert warehouse.adopt([PART, Part("no.table", DAY)], store_id="new", holder="h") == {PART: 8}
        assert (fence(warehouse, PART), fence(warehouse, NEXT_PART)) == (Fence(8, "new", "h"), Fence(0, STORE))
        with warehouse.snapshot() as reader:
            assert reader.fences(first=DAY, last=DAY) == {PART: Fence(8, "new", "h")}
            assert reader.fences(first=DAY, last=NEXT_DAY).keys() == {PART, NEXT_PART}
        assert not warehouse.change_fence(PART, token=9, store_id=STORE, holders=("h",))
        assert warehouse.change_fence(PART, token=9, store_id="new", holders=("h",))
        assert warehouse.adopt([], store_id="newer", holder="h") == {}
        assert warehouse.adopt(None, store_id="newer", holder="h") == {PART: 9, NEXT_PART: 0}

    def test_an_adopted_warehouse_has_no_room_for_another_store(self, warehouse: Warehouse) -> None:
        """Check that a partition that the other one begins is not its own."""
        prepare(warehouse, GAMES)
        for adopting in ("new", "newer"):
            warehouse.adopt(None, store_id=adopting, holder="h")
        prepare(warehouse, GAMES, day=NEXT_DAY)
        refused = FenceRefused(Fence(0, "newer"))
        assert commit(warehouse, GAMES, [game("a", day=NEXT_DAY)], day=NEXT_DAY) == refused
        answer = commit(warehouse, GAMES, [game("a", day=NEXT_DAY)], day=NEXT_DAY, store_id="newer")
        assert isinstance(answer, Written)
        with warehouse.snapshot() as reader:
            assert reader.fences(first="", last=NEXT_DAY).keys() == {PART, NEXT_PART}
