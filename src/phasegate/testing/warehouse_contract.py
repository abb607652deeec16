"""The contract of every Warehouse, as tests.

Subclass WarehouseContract, give it a ``warehouse`` fixture, and run pytest.

class TestMyWarehouse(WarehouseContract):
    @pytest.fixture
    def warehouse(self): ...            # empty, for each test
    def select_all(self, table_name):   # SQL for all rows of a table
        return f"SELECT * FROM {table_name}"
"""

import pytest
from msgspec.structs import replace

from phasegate.base.receipt import Changes, Fence, Part, Receipt, Stamp
from phasegate.base.table import Repeats, Table
from phasegate.errors import BadInput, Unavailable
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
    fence,
    game,
    line,
    prepare,
    staging,
    write,
    write_of,
)
from phasegate.testing.warehouse_shapes import ShapesContract
from phasegate.warehouse import InputRead, InputsMoved, SeenInput, Shrunk, Warehouse, Written

__all__ = ["CONTRACT_TABLES", "WarehouseContract"]


class WarehouseContract(ShapesContract, GroupContract):
    """The promises of ports.Warehouse."""

    # Commits

    def test_a_write_that_is_refused_leaves_nothing(self, warehouse: Warehouse) -> None:
        """Check that it leaves neither rows nor receipt nor fence."""
        write(warehouse, GAMES, [game("a"), game("b")], write_id="w1")
        moved = SeenInput(name="raw", read=InputRead(table=GAMES, first=DAY, last=DAY), stamps={DAY: Stamp("other", 1)})
        for rule in ({"inputs": (moved,)}, {"shrink_max": 0.4}):
            with staging(warehouse, GAMES, [game("c")]) as staged:
                job = replace(write_of(GAMES, staged, token=2, write_id="w2"), **rule)
                answer = warehouse.commit(job, staged)
            assert answer == (InputsMoved(("raw",)) if "inputs" in rule else Shrunk(1, 2))
        assert warehouse.find_write("w2") is None
        assert fence(warehouse, PART) == Fence(1, STORE, "h")
        with warehouse.snapshot() as reader:
            assert reader.receipts([PART])[PART].write_id == "w1"
        assert self.read(warehouse, GAMES, "player") == [("a",), ("b",)]

    def test_a_partition_may_shrink_by_its_bound(self, warehouse: Warehouse) -> None:
        """Check that the bound itself is allowed."""
        write(warehouse, GAMES, [game("a"), game("b")])
        with staging(warehouse, GAMES, [game("a")]) as staged:
            answer = warehouse.commit(replace(write_of(GAMES, staged), shrink_max=0.5), staged)
        assert isinstance(answer, Written)
        assert changes_of(answer.receipt) == Changes(deleted=1, unchanged=1)

    def test_inputs_that_moved_after_the_staging_are_not_written(self, warehouse: Warehouse) -> None:
        """Check partitions and spans, and a rewrite of the same content."""
        write(warehouse, LINES, [line("a", 1, 1)], write_id="in")
        prepare(warehouse, GAMES)
        for token, (first, last) in enumerate(((DAY, DAY), ("2026-01-01", NEXT_DAY)), start=2):
            read = InputRead(table=LINES, first=first, last=last)
            with staging(warehouse, GAMES, [game("a")], reads=[read]) as staged:
                assert staged.stamps[0][DAY].token == token - 1
                job = write_of(GAMES, staged, write_id=f"w{token}")
                job = replace(job, inputs=(SeenInput(name="in", read=read, stamps=staged.stamps[0]),))
                write(warehouse, LINES, [line("a", 1, 1)], token=token, write_id=f"in{token}")
                assert warehouse.commit(job, staged) == InputsMoved(("in",))
            with staging(warehouse, GAMES, [game("a")], reads=[read]) as staged:
                job = replace(job, inputs=(SeenInput(name="in", read=read, stamps=staged.stamps[0]),))
                assert isinstance(warehouse.commit(job, staged), Written)

    def test_the_stamps_of_a_staging_are_of_the_snapshot_of_its_rows(self, warehouse: Warehouse) -> None:
        """Check that they are known though the SELECT cannot be staged."""
        before = write(warehouse, GAMES, [game("a")])
        prepare(warehouse, LINES)
        failing = staging(
            warehouse, LINES, sql=self.select_all(GAMES.name), reads=[InputRead(table=GAMES, first=DAY, last=DAY)]
        )
        with pytest.raises(BadInput, match=LINES.name):
            failing.__enter__()
        failing.__exit__(None, None, None)
        assert list(failing.stamps) == [{DAY: before.stamp}]

    def test_a_foreign_table_has_the_stamps_of_its_rows_and_receipts(self, warehouse: Warehouse) -> None:
        """Check single partitions and spans, with and without rows."""
        written = write(warehouse, GAMES, [game("a")])
        prepare(warehouse, LINES)
        write(warehouse, GAMES, [game("b", day=NEXT_DAY)], day="2026-02-06")  # rows of a date without a receipt
        reads = [InputRead(table=GAMES, first=first, last=last, foreign=foreign) for first, last, foreign in (
            (DAY, DAY, True), (NEXT_DAY, NEXT_DAY, True), (NEXT_DAY, NEXT_DAY, False), (DAY, "2026-02-05", True),
            ("2026-02-07", "2026-02-07", True))]  # fmt: skip
        with warehouse.snapshot() as reader:
            unwritten = Stamp(reader.fingerprint(GAMES, partition=NEXT_DAY))
            assert reader.stamps(reads) == [
                {DAY: written.stamp}, {NEXT_DAY: unwritten}, {}, {DAY: written.stamp, NEXT_DAY: unwritten}, {},
            ]  # fmt: skip
            assert reader.stamps([]) == []

    def test_receipts_and_rows_are_of_one_snapshot(self, warehouse: Warehouse) -> None:
        """Check that a reader sees what was committed before it was opened."""
        before = write(warehouse, GAMES, [game("a")], write_id="w1")
        with warehouse.snapshot() as old:
            after = write(warehouse, GAMES, [game("a"), game("b")], token=2, write_id="w2")
            assert len(old.query(self.select_all(GAMES.name), {})) == 1
            assert old.count(GAMES, partition=DAY) == 1
            assert old.fingerprint(GAMES, partition=DAY) == before.fingerprint
            assert old.receipts([PART]) == {PART: before}
        with warehouse.snapshot() as new:
            assert new.receipts([PART]) == {PART: after}
            assert new.count(GAMES, partition=DAY) == 2

    def test_an_interrupted_staging_fails(self, warehouse: Warehouse) -> None:
        """Check that it fails before its rows are staged, and at its commit."""
        write(warehouse, GAMES, [game("a")])
        early = staging(warehouse, GAMES, [game("b")])
        early.interrupt()
        with pytest.raises(Unavailable, match="interrupted"):
            early.__enter__()

        def go_on_interrupted() -> None:
            with staging(warehouse, GAMES, [game("b")]) as late:
                late.interrupt()
                warehouse.commit(write_of(GAMES, late, token=2), late)

        with pytest.raises(Unavailable, match="interrupted"):
            go_on_interrupted()
        assert fence(warehouse, PART) == Fence(1, STORE, "h")

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
        prepare(warehouse, GAMES)
        with staging(warehouse, GAMES, [game("a")]) as staged:
            answer = warehouse.commit(replace(write_of(GAMES, staged), receipt=whole), staged)
        assert isinstance(answer, Written)
        filled = {"fingerprint": answer.receipt.fingerprint, "rows": 1, "inserted": 1, "updated": 0, "deleted": 0,
                  "unchanged": 0, "refused": 0}  # fmt: skip
        assert answer.receipt == replace(whole, **filled)
        with warehouse.snapshot() as reader:
            assert reader.receipts([PART, NEXT_PART]) == {PART: answer.receipt}
        assert warehouse.find_write("w") == answer.receipt
        assert warehouse.find_write("v") is None

    def test_the_newest_receipt_has_the_highest_token(self, warehouse: Warehouse) -> None:
        """Check that of equal tokens the later write is the newest."""
        for write_id, token in (("a", 2), ("b", 3), ("c", 3)):
            write(warehouse, GAMES, [game(write_id)], write_id=write_id, token=token)
        with warehouse.snapshot() as reader:
            assert reader.receipts([PART])[PART].write_id == "c"
            assert reader.receipts([]) == {}

    def test_receipts_between_are_the_newest_of_each_partition(self, warehouse: Warehouse) -> None:
        """Check inclusive bounds as texts, and other tables."""
        days = ("2026-01-31", DAY, NEXT_DAY, "2026-02-10")
        prepare(warehouse, GAMES)
        with warehouse.snapshot() as before:
            for day in days:
                for write_id, token in (("first", 2), ("newer", 3), ("later", 3)):
                    write(
                        warehouse, GAMES, [game(write_id, day=day)], write_id=f"{day}/{write_id}", token=token, day=day
                    )
            assert before.receipts_between(GAMES.name, first="", last="9") == {}
        with warehouse.snapshot() as reader:
            found = reader.receipts_between(GAMES.name, first=DAY, last=NEXT_DAY)
            assert {Part(GAMES.name, day): newest for day, newest in found.items()} == reader.receipts(
                [PART, NEXT_PART]
            )
            assert {day: newest.write_id for day, newest in found.items()} == {
                DAY: f"{DAY}/later", NEXT_DAY: f"{NEXT_DAY}/later"
            }  # fmt: skip
            assert reader.receipts_between(GAMES.name, first="2026-02-0", last="2026-02-04/").keys() == {DAY, NEXT_DAY}
            assert reader.receipts_between(GAMES.name, first="", last="9").keys() == set(days)
            assert reader.receipts_between(GAMES.name, first=NEXT_DAY, last=DAY) == {}
            assert reader.receipts_between(LINES.name, first="", last="9") == {}
            for first, last in ((DAY, NEXT_DAY), ("2026-02-0", "2026-02-04/"), ("", "9"), (NEXT_DAY, DAY)):
                newest = reader.receipts_between(GAMES.name, first=first, last=last)
                stamps = {day: receipt.stamp for day, receipt in newest.items()}
                assert reader.stamps_between(GAMES.name, first=first, last=last) == stamps

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
        """Check that surplus rows are counted as deleted."""
        rows = [game("a", note="x"), game("a")] if table is GAMES else [line("a", 1, 0), line("a", 1, 1)]
        doubled = replace(table, key=(*table.key, "note" if table is GAMES else "seen_at"))
        assert write(warehouse, doubled, rows).rows == 2
        assert changes_of(write(warehouse, table, rows[1:], token=2)) == Changes(unchanged=1, deleted=1)
        assert self.read(warehouse, table, "player") == [("a",)]

    def test_repeated_keys_are_counted_by_partition(self, warehouse: Warehouse) -> None:
        """Check that equal rows are one content; volatile cells do not count."""
        doubled = [game("a"), game("a", note="again"), game("a", 11), game("b", 11), game("c", 11, ratio=None)]
        write(warehouse, replace(GAMES, key=(*GAMES.key, "points", "note")), doubled)
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
        # a row of the date with a higher token than its fence: written as one of another date
        prepare(warehouse, LINES, day=NEXT_DAY)
        write(warehouse, LINES, [line("b", 2, 1)], token=8, day=NEXT_DAY)
        assert changes_of(write(warehouse, LINES, [line("b", 3, 1)], token=7)) == Changes(refused=1)
        assert self.read(warehouse, LINES, "points") == [(2,), (2,)]

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
