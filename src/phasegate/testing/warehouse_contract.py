"""The contract of every Warehouse, as tests.

Subclass WarehouseContract, give it a ``warehouse`` fixture, and run pytest.

class TestMyWarehouse(WarehouseContract):
    @pytest.fixture
    def warehouse(self): ...            # empty, for each test
    def select_all(self, table_name):   # SQL for all rows of a table
        return f"SELECT * FROM {table_name}"
"""

import pytest

from phasegate.base.receipt import Changes, Fence, Part, Receipt, Stamp
from phasegate.base.table import Repeats, Table
from phasegate.errors import Unavailable
from phasegate.testing.warehouse_fences import NEXT_PART, PART
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
from phasegate.testing.warehouse_shapes import ShapesContract
from phasegate.warehouse import Warehouse

__all__ = ["CONTRACT_TABLES", "WarehouseContract"]


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


class WarehouseContract(ShapesContract, GroupContract):
    """The promises of ports.Warehouse."""

    # Transactions

    def test_a_transaction_that_fails_leaves_nothing(self, warehouse: Warehouse) -> None:
        """Check that it leaves neither rows nor receipt nor fence."""
        write(warehouse, GAMES, [game("a")], write_id="w1")

        def fail_at_the_end() -> None:
            with warehouse.transaction() as tx:
                tx.change_fence(PART, token=2, store_id=STORE, holders=("h",))
                rows_of(tx, GAMES, [game("b")])
                tx.replace(GAMES, partition=DAY, token=2)
                tx.put_receipt(receipt("w2", token=2))
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail_at_the_end()
        assert warehouse.find_write("w2") is None
        with warehouse.transaction() as tx:
            assert tx.fence(PART) == Fence(1, STORE, "h")
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
                tx.change_fence(PART, token=2, store_id=STORE, holders=("h",))
                tx.interrupt()
                with pytest.raises(Unavailable, match="interrupted"):
                    tx.count(GAMES, partition=DAY)

        with pytest.raises(Unavailable, match="interrupted"):
            go_on_interrupted()
        with warehouse.transaction() as tx:
            assert tx.fence(PART) == Fence(1, STORE, "h")

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
                tx.change_fence(PART, token=3, store_id=STORE, holders=("h",))
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
                    tx.change_fence(part, token=3, store_id=STORE, holders=("h",))
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
        assert warehouse.adopt(None, store_id=STORE, holder="h") == {}
        with warehouse.snapshot() as reader:
            assert reader.receipts([PART]) == {}
            assert reader.receipts_between(GAMES.name, first=DAY, last=DAY) == {}
            assert reader.stamps_between(GAMES.name, first=DAY, last=DAY) == {}
            assert reader.count(GAMES, partition=DAY) == 0
            assert reader.fingerprints(GAMES, first=DAY, last=DAY) == {}
            assert (reader.repeats(GAMES, first="", last="9"), reader.fences(first="", last="9")) == ({}, {})

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
