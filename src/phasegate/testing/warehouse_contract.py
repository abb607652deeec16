"""The contract of every Warehouse, as tests.

Subclass WarehouseContract, give it a ``warehouse`` fixture, and run pytest.

class TestMyWarehouse(WarehouseContract):
    @pytest.fixture
    def warehouse(self): ...            # empty, for each test
    def select_all(self, table_name):   # SQL for all rows of a table
        return f"SELECT * FROM {table_name}"
"""

import pytest

from phasegate.base.receipt import Changes, Fence, Part, Receipt, Staged, Stamp
from phasegate.base.table import Repeats, Table
from phasegate.errors import Conflict, Unavailable
from phasegate.testing.warehouse_golden import GoldenContract
from phasegate.testing.warehouse_groups import GroupContract
from phasegate.testing.warehouse_rows import (
    CONTRACT_TABLES,
    DAY,
    GAMES,
    LINES,
    NEVER,
    NEXT_DAY,
    STORE,
    changes_of,
    game,
    line,
    rows_of,
    write,
)
from phasegate.warehouse import Warehouse

__all__ = ["CONTRACT_TABLES", "WarehouseContract"]

PART = Part(GAMES.name, DAY)
NEXT_PART = Part(GAMES.name, NEXT_DAY)


def receipt(write_id: str, *, token: int, part: Part = PART, fingerprint: str = "f") -> Receipt:
    """Return a receipt with the fields that identify it."""
    return Receipt(
        write_id=write_id,
        table=part.table,
        partition=part.partition,
        run="r",
        step="s",
        token=token,
        fingerprint=fingerprint,
        built_from={},
    )


class WarehouseContract(GoldenContract, GroupContract):
    """The promises of ports.Warehouse."""

    # The fence

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
            assert tx.change_fence(PART, token=3, store_id=STORE)
        warehouse.prepare(GAMES, partition=DAY, store_id="another")
        with warehouse.transaction() as tx:
            assert tx.fence(PART) == Fence(3, STORE)

    def test_a_missing_fence_row_is_never_made_inside(self, warehouse: Warehouse) -> None:
        """Check that changing it returns False, and it is still missing."""
        warehouse.prepare(GAMES, partition=DAY, store_id=STORE)
        with warehouse.transaction() as tx:
            assert not tx.change_fence(NEXT_PART, token=1, store_id=STORE)
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
            assert tx.change_fence(PART, token=token, store_id=store) is changed
            assert tx.fence(PART) == Fence(token if changed else 5, STORE)

    @pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 2), (2, 1)])
    def test_of_two_transactions_that_change_a_fence_one_conflicts(
        self, warehouse: Warehouse, first: int, second: int
    ) -> None:
        """Check it for equal tokens too: the change of the row conflicts."""
        warehouse.prepare(GAMES, partition=DAY, store_id=STORE)
        conflicts = 0
        try:
            with warehouse.transaction() as outer:
                outer.change_fence(PART, token=first, store_id=STORE)
                try:
                    with warehouse.transaction() as inner:
                        inner.change_fence(PART, token=second, store_id=STORE)
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
                slow.change_fence(PART, token=1, store_id=STORE)

        with pytest.raises(Conflict):
            write_slowly()
        assert self.read(warehouse, GAMES, "player") == [("a",)]

    def test_other_partitions_do_not_conflict(self, warehouse: Warehouse) -> None:
        """Check two writers of one table, each with its own staging table."""
        for day in (DAY, NEXT_DAY):
            warehouse.prepare(GAMES, partition=day, store_id=STORE)
        with warehouse.transaction() as outer, warehouse.transaction() as inner:
            assert outer.change_fence(PART, token=1, store_id=STORE)
            assert inner.change_fence(NEXT_PART, token=1, store_id=STORE)
            rows_of(outer, GAMES, [game("a"), game("a")])
            assert rows_of(inner, GAMES, [game("b", day=NEXT_DAY)], day=NEXT_DAY) == Staged(rows=1)
            assert (inner.deduplicate(GAMES), outer.deduplicate(GAMES)) == (0, 1)
            assert inner.replace(GAMES, partition=NEXT_DAY, token=1) == Changes(inserted=1)
            assert outer.replace(GAMES, partition=DAY, token=1) == Changes(inserted=1)
        assert self.read(warehouse, GAMES, "player") == [("a",), ("b",)]

    # Transactions

    def test_a_transaction_that_fails_leaves_nothing(self, warehouse: Warehouse) -> None:
        """Check that it leaves neither rows nor receipt nor fence."""
        write(warehouse, GAMES, [game("a")], write_id="w1")

        def fail_at_the_end() -> None:
            with warehouse.transaction() as tx:
                tx.change_fence(PART, token=2, store_id=STORE)
                rows_of(tx, GAMES, [game("b")])
                tx.replace(GAMES, partition=DAY, token=2)
                tx.put_receipt(receipt("w2", token=2))
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail_at_the_end()
        assert warehouse.find_write("w2") is None
        with warehouse.transaction() as tx:
            assert tx.fence(PART) == Fence(1, STORE)
            assert tx.receipts([PART])[PART].write_id == "w1"
        assert self.read(warehouse, GAMES, "player") == [("a",)]

    def test_receipts_and_rows_are_of_one_snapshot(self, warehouse: Warehouse) -> None:
        """Check that a reader sees what was committed before it was opened."""
        before = write(warehouse, GAMES, [game("a")], write_id="w1")
        with warehouse.snapshot() as old, warehouse.transaction() as unfinished:
            after = write(warehouse, GAMES, [game("a"), game("b")], token=2, write_id="w2")
            for reader in (old, unfinished):
                assert len(reader.query(self.select_all(GAMES.name), {})) == 1
                assert reader.count(GAMES, partition=DAY) == 1
                assert reader.fingerprint(GAMES, partition=DAY) == before.fingerprint
                assert reader.receipts([PART]) == {PART: before}
        with warehouse.snapshot() as new:
            assert new.receipts([PART]) == {PART: after}
            assert new.count(GAMES, partition=DAY) == 2

    def test_a_transaction_sees_its_own_writes(self, warehouse: Warehouse) -> None:
        """Check that it reads what it wrote, not what was there before."""
        write(warehouse, GAMES, [game("a")])
        with warehouse.transaction() as tx:
            rows_of(tx, GAMES, [game("b"), game("c")])
            tx.replace(GAMES, partition=DAY, token=1)
            assert tx.count(GAMES, partition=DAY) == 2
            assert sorted(str(row["player"]) for row in tx.query(self.select_all(GAMES.name), {})) == ["b", "c"]

    def test_an_interrupted_transaction_fails(self, warehouse: Warehouse) -> None:
        """Check that it fails at its next verb, and at its commit."""
        write(warehouse, GAMES, [game("a")])

        def go_on_interrupted() -> None:
            with warehouse.transaction() as tx:
                tx.change_fence(PART, token=2, store_id=STORE)
                tx.interrupt()
                with pytest.raises(Unavailable, match="interrupted"):
                    tx.count(GAMES, partition=DAY)

        with pytest.raises(Unavailable, match="interrupted"):
            go_on_interrupted()
        with warehouse.transaction() as tx:
            assert tx.fence(PART) == Fence(1, STORE)

    # Receipts

    def test_a_receipt_comes_back_whole(self, warehouse: Warehouse) -> None:
        """Check every field, the stamps of its inputs included."""
        whole = Receipt(
            write_id="w",
            table=GAMES.name,
            partition=DAY,
            run=f"{DAY}.overnight",
            step="a step",
            token=7,
            fingerprint="3-abc",
            built_from={"raw.é": Stamp("1-x", 3), "gone": Stamp("absent")},
            code="c1",
            build="b1",
            committed_at=1770076800.125,
            rows_in=9,
            rows=1,
            duplicates=2,
            inserted=3,
            updated=4,
            deleted=5,
            unchanged=6,
            refused=8,
            allow_shrink=True,
        )
        warehouse.prepare(GAMES, partition=DAY, store_id=STORE)
        with warehouse.transaction() as tx:
            tx.put_receipt(whole)
            assert tx.receipts([PART, NEXT_PART]) == {PART: whole}
        assert warehouse.find_write("w") == whole
        assert warehouse.find_write("v") is None

    def test_the_newest_receipt_has_the_highest_token(self, warehouse: Warehouse) -> None:
        """Check that of equal tokens the later write is the newest."""
        warehouse.prepare(GAMES, partition=DAY, store_id=STORE)
        for write_id, token in (("a", 2), ("b", 3), ("c", 3), ("d", 1)):
            with warehouse.transaction() as tx:
                tx.change_fence(PART, token=3, store_id=STORE)
                tx.put_receipt(receipt(write_id, token=token))
        with warehouse.snapshot() as reader:
            assert reader.receipts([PART])[PART].write_id == "c"
            assert reader.receipts([]) == {}

    def test_receipts_between_are_the_newest_of_each_partition(self, warehouse: Warehouse) -> None:
        """Check inclusive bounds as texts, other tables, uncommitted writes."""
        days = ("2026-01-31", DAY, NEXT_DAY, "2026-02-10")
        writes = [(day, f"{day}/{token}", token) for day in days for token in (2, 3, 1)]
        warehouse.prepare(GAMES, partition=DAY, store_id=STORE)
        with warehouse.snapshot() as before:
            for day, write_id, token in [*writes, (DAY, "later", 3)]:
                part = Part(GAMES.name, day)
                warehouse.prepare(GAMES, partition=day, store_id=STORE)
                with warehouse.transaction() as tx:
                    tx.change_fence(part, token=3, store_id=STORE)
                    # an older write has the greater fingerprint, and of the two with token 3 the later one the smaller
                    content = "0" if write_id == "later" else str(9 - token)
                    tx.put_receipt(receipt(write_id, token=token, part=part, fingerprint=content))
            assert before.receipts_between(GAMES.name, first="", last="9") == {}
        with warehouse.transaction() as tx:
            tx.put_receipt(receipt("own", token=9, part=NEXT_PART))
            found = tx.receipts_between(GAMES.name, first=DAY, last=NEXT_DAY)
            assert {Part(GAMES.name, day): newest for day, newest in found.items()} == tx.receipts([PART, NEXT_PART])
            assert {day: newest.write_id for day, newest in found.items()} == {DAY: "later", NEXT_DAY: "own"}
            assert tx.receipts_between(GAMES.name, first="2026-02-0", last="2026-02-04/").keys() == {DAY, NEXT_DAY}
            assert tx.receipts_between(GAMES.name, first="", last="9").keys() == set(days)
            assert tx.receipts_between(GAMES.name, first=NEXT_DAY, last=DAY) == {}
            assert tx.receipts_between(LINES.name, first="", last="9") == {}
            for first, last in ((DAY, NEXT_DAY), ("2026-02-0", "2026-02-04/"), ("", "9"), (NEXT_DAY, DAY)):
                newest = tx.receipts_between(GAMES.name, first=first, last=last)
                stamps = {day: receipt.stamp for day, receipt in newest.items()}
                assert tx.stamps_between(GAMES.name, first=first, last=last) == stamps

    def test_an_empty_warehouse_answers(self, warehouse: Warehouse) -> None:
        """Check the results before anything was prepared."""
        assert warehouse.find_write("w") is None
        assert warehouse.adopt(None, store_id=STORE) == {}
        with warehouse.snapshot() as reader:
            assert reader.receipts([PART]) == {}
            assert reader.receipts_between(GAMES.name, first=DAY, last=DAY) == {}
            assert reader.stamps_between(GAMES.name, first=DAY, last=DAY) == {}
            assert reader.count(GAMES, partition=DAY) == 0
            assert reader.fingerprints(GAMES, first=DAY, last=DAY) == {}
            assert (reader.repeats(GAMES, first="", last="9"), reader.fences(first="", last="9")) == ({}, {})

    def test_adopting_changes_the_store_of_the_fences(self, warehouse: Warehouse) -> None:
        """Check that existing rows' tokens are returned for the new leases."""
        write(warehouse, GAMES, [game("a")], token=8)
        warehouse.prepare(GAMES, partition=NEXT_DAY, store_id=STORE)
        assert warehouse.adopt([PART, Part("no.table", DAY)], store_id="new") == {PART: 8}
        with warehouse.transaction() as tx:
            assert (tx.fence(PART), tx.fence(NEXT_PART)) == (Fence(8, "new"), Fence(0, STORE))
            assert tx.fences(first=DAY, last=DAY) == {PART: Fence(8, "new")}
            assert tx.fences(first=DAY, last=NEXT_DAY).keys() == {PART, NEXT_PART}
            assert not tx.change_fence(PART, token=9, store_id=STORE)
            assert tx.change_fence(PART, token=9, store_id="new")
        assert warehouse.adopt(None, store_id="newer") == {PART: 9, NEXT_PART: 0}

    # Replacing

    def test_replace_counts_by_key_and_content(self, warehouse: Warehouse) -> None:
        """Check each kind of change once."""
        write(warehouse, GAMES, [game("same"), game("other", 1), game("lost")])
        changed = write(warehouse, GAMES, [game("same"), game("other", 2), game("new"), game("new2")], token=2)
        assert changes_of(changed) == Changes(inserted=2, updated=1, deleted=1, unchanged=1)
        assert self.read(warehouse, GAMES, "player", "points") == [
            ("new", 10), ("new2", 10), ("other", 2), ("same", 10),
        ]  # fmt: skip

    def test_replace_touches_its_partition_only(self, warehouse: Warehouse) -> None:
        """Check it down to no rows."""
        write(warehouse, GAMES, [game("a", day=NEXT_DAY)], day=NEXT_DAY)
        write(warehouse, GAMES, [game("a")])
        assert changes_of(write(warehouse, GAMES, [], token=2)) == Changes(deleted=1)
        assert [str(row[0]) for row in self.read(warehouse, GAMES, "game_date")] == [NEXT_DAY]

    def test_volatile_cells_are_written_and_counted_as_unchanged(self, warehouse: Warehouse) -> None:
        """Check that content decides the count; the staged row is stored."""
        write(warehouse, GAMES, [game("a", note="old")])
        assert changes_of(write(warehouse, GAMES, [game("a", note="new")], token=2)) == Changes(unchanged=1)
        assert self.read(warehouse, GAMES, "note") == [("new",)]

    @pytest.mark.parametrize("table", [GAMES, LINES], ids=lambda table: str(table.write))
    def test_doubled_rows_are_healed(self, warehouse: Warehouse, table: Table) -> None:
        """Check that surplus rows are counted as deleted, equal ones too."""
        row = game("a") if table is GAMES else line("a", 1, 0)
        write(warehouse, table, [row, row], deduplicate=False)
        assert changes_of(write(warehouse, table, [row], token=2)) == Changes(unchanged=1, deleted=1)
        assert self.read(warehouse, table, "player") == [("a",)]

    def test_repeated_keys_are_counted_by_partition(self, warehouse: Warehouse) -> None:
        """Check that equal rows are one content; volatile cells do not count."""
        doubled = [game("a"), game("a", note="again"), game("a", 11), game("b", 11), game("c", 11, ratio=None)]
        write(warehouse, GAMES, doubled, deduplicate=False)
        write(warehouse, GAMES, [game("a", day=NEXT_DAY), game("b", day=NEXT_DAY)], day=NEXT_DAY)
        with warehouse.snapshot() as reader:
            assert reader.repeats(GAMES, first=DAY, last=NEXT_DAY) == {DAY: Repeats(rows=5, keys=3, contents=4)}
            assert reader.repeats(GAMES, first=NEXT_DAY, last=NEXT_DAY) == {}
            by_points = reader.repeats(GAMES, first="", last="9", key=("game_date", "points"))
            assert {day: (one.rows, one.keys) for day, one in by_points.items()} == {DAY: (5, 2), NEXT_DAY: (2, 1)}
            assert reader.repeats(NEVER, first="", last="9") == {}

    # Merging

    def test_merge_adds_and_replaces_by_key(self, warehouse: Warehouse) -> None:
        """Check that rows that are not staged stay."""
        write(warehouse, LINES, [line("a", 1, 1), line("b", 1, 1), line("c", 1, 1)])
        changed = write(warehouse, LINES, [line("b", 2, 2), line("c", 1, 2), line("d", 1, 1)], token=2)
        assert changes_of(changed) == Changes(inserted=1, updated=1, unchanged=1)
        assert self.read(warehouse, LINES, "player", "points") == [("a", 1), ("b", 2), ("c", 1), ("d", 1)]

    def test_an_older_version_never_replaces_a_newer_one(self, warehouse: Warehouse) -> None:
        """Check it whatever its token; an older deletion does not either."""
        write(warehouse, LINES, [line("a", 1, 5), line("b", 1, 5)])
        late = write(warehouse, LINES, [line("a", 2, 4), line("b", 1, 4, gone=True)], token=9)
        assert changes_of(late) == Changes(refused=2)
        assert self.read(warehouse, LINES, "player", "points") == [("a", 1), ("b", 1)]

    def test_equal_content_takes_the_newer_version(self, warehouse: Warehouse) -> None:
        """Check that the version is stored.

        Otherwise a version between the two could replace it later.
        """
        write(warehouse, LINES, [line("a", 1, 1)])
        assert changes_of(write(warehouse, LINES, [line("a", 1, 9)], token=2)) == Changes(unchanged=1)
        assert changes_of(write(warehouse, LINES, [line("a", 7, 5)], token=3)) == Changes(refused=1)

    def test_of_equal_versions_the_newer_token_wins(self, warehouse: Warehouse) -> None:
        """Check the order (version, token): an older token is refused."""
        write(warehouse, LINES, [line("a", 1, 1)], token=5)
        assert changes_of(write(warehouse, LINES, [line("a", 2, 1)], token=5)) == Changes(updated=1)
        with warehouse.transaction() as tx:
            rows_of(tx, LINES, [line("a", 3, 1)])
            assert tx.merge(LINES, partition=DAY, token=4) == Changes(refused=1)
        assert self.read(warehouse, LINES, "points") == [(2,)]

    def test_a_tombstone_deletes_and_is_never_stored(self, warehouse: Warehouse) -> None:
        """Check that for a missing key it changes nothing."""
        write(warehouse, LINES, [line("a", 1, 1), line("b", 1, 1)])
        gone = write(warehouse, LINES, [line("a", 1, 2, gone=True), line("z", 1, 2, gone=True)], token=2)
        assert changes_of(gone) == Changes(deleted=1, unchanged=1)
        with warehouse.snapshot() as reader:
            assert [row.keys() & {"gone", "player"} for row in reader.query(self.select_all(LINES.name), {})] == [
                {"player"}
            ]

    def test_merge_touches_its_partition_only(self, warehouse: Warehouse) -> None:
        """Check that the same key in another partition is another row."""
        write(warehouse, LINES, [line("a", 1, 1, day=NEXT_DAY)], day=NEXT_DAY)
        write(warehouse, LINES, [line("a", 2, 2)])
        assert changes_of(write(warehouse, LINES, [line("a", 0, 3, gone=True)], token=2)) == Changes(deleted=1)
        assert self.read(warehouse, LINES, "points") == [(1,)]
