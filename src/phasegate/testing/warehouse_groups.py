"""The contract of every Warehouse for rows that belong together, as tests.

Keys that another table must have too, groups that a delivery replaces whole, identities over all partitions, sums. Part
of WarehouseContract; subclass that.
"""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from phasegate.base.receipt import Changes, Fence, Part
from phasegate.base.table import KEYS_MAX, Dependency, Disagreement, Table, Uncovered
from phasegate.errors import BadInput
from phasegate.testing.warehouse_golden import GoldenContract
from phasegate.testing.warehouse_rows import (
    DAY,
    GAMES,
    LINES,
    NEVER,
    NEXT_DAY,
    NOON,
    STORE,
    RowContract,
    changes_of,
    fence,
    game,
    line,
    prepare,
    staging,
    write,
    write_of,
)
from phasegate.warehouse import Disagreeing, EqualSums, Row, UnequalSums, Warehouse, Written

BOXES = Table(
    name=LINES.name,
    key=("game_date", "player"),
    partition="game_date",
    write="merge",
    version="seen_at",
    tombstone="gone",
    replaces=("game",),
    columns={
        "game_date": "DATE", "game": "VARCHAR", "player": "VARCHAR", "points": "INTEGER", "share": "DOUBLE",
        "seen_at": "TIMESTAMP",
    },
    scales={"share": 2},
)  # fmt: skip
ONE_DATE = Dependency(("game",), "game_date")


def box(
    game: str | None, player: str, minute: int, *, points: int | None = 1, day: str = DAY, share: float | None = 0.5,
    gone: bool = False,
) -> Row:  # fmt: skip
    """Return a row of BOXES whose version is a minute after noon."""
    return {"game_date": date.fromisoformat(day), "game": game, "player": player, "points": points, "share": share,
            "seen_at": NOON + timedelta(minutes=minute), "gone": gone}  # fmt: skip


class GroupContract(RowContract):
    """The promises of ports.Warehouse about groups, identities and sums."""

    def players(self, warehouse: Warehouse) -> str:
        """Return the stored players, sorted."""
        return " ".join(str(player) for (player,) in self.read(warehouse, BOXES, "player"))

    def test_a_delivery_replaces_its_groups_whole_and_no_other(self, warehouse: Warehouse) -> None:
        """Check that rows of a group that are not staged are deleted."""
        write(warehouse, BOXES, [box("1", "a", 1), box("1", "b", 1), box("2", "c", 1), box(None, "d", 1)])
        write(warehouse, BOXES, [box("1", "x", 1, day=NEXT_DAY)], day=NEXT_DAY)
        changed = write(warehouse, BOXES, [box("1", "a", 2), box("1", "e", 2), box(None, "f", 2)], token=2)
        assert changes_of(changed) == Changes(inserted=2, deleted=1, unchanged=1)
        assert self.players(warehouse) == "a c d e f x"

    def test_without_replaces_rows_that_are_not_staged_stay(self, warehouse: Warehouse) -> None:
        """Check that the plan decides."""
        plain = replace(BOXES, replaces=())
        write(warehouse, plain, [box("1", "a", 1), box("1", "b", 1)])
        assert changes_of(write(warehouse, plain, [box("1", "a", 2)], token=2)) == Changes(unchanged=1)

    def test_an_older_delivery_of_a_group_deletes_and_restores_nothing(self, warehouse: Warehouse) -> None:
        """Check that it is refused whole, and a group beside it is not."""
        write(warehouse, BOXES, [box("1", "a", 1), box("1", "b", 1), box("2", "c", 1)])
        write(warehouse, BOXES, [box("1", "a", 3), box("1", "n", 3)], token=2)
        older = [box("1", "a", 1, points=9), box("1", "b", 1), box("1", "z", 2, gone=True), box("2", "e", 2)]
        assert changes_of(write(warehouse, BOXES, older, token=3)) == Changes(inserted=1, deleted=1, refused=3)
        assert self.players(warehouse) == "a e n"

    def test_of_equal_versions_the_newer_token_replaces_the_group(self, warehouse: Warehouse) -> None:
        """Check the order (version, token), for rows of unequal versions too."""
        write(warehouse, BOXES, [box("1", "a", 1), box("1", "b", 2)], token=5)
        assert changes_of(write(warehouse, BOXES, [box("1", "c", 2)], token=5)) == Changes(inserted=1, deleted=2)
        # rows of the date with a higher token than its fence: written as those of another date
        prepare(warehouse, BOXES, day=NEXT_DAY)
        write(warehouse, BOXES, [box("2", "e", 2)], token=8, day=NEXT_DAY)
        assert changes_of(write(warehouse, BOXES, [box("2", "d", 2)], token=7)) == Changes(refused=1)

    def test_one_tombstone_deletes_its_whole_group(self, warehouse: Warehouse) -> None:
        """Check that a group without rows is delivered by a deletion in it."""
        write(warehouse, BOXES, [box("1", "a", 1), box("1", "b", 1), box("2", "c", 1)])
        assert changes_of(write(warehouse, BOXES, [box("1", "a", 1, gone=True)], token=2)) == Changes(deleted=2)
        assert self.players(warehouse) == "c"

    def test_a_row_that_changes_its_group_leaves_the_old_one(self, warehouse: Warehouse) -> None:
        """Check that the rows of the old group stay."""
        write(warehouse, BOXES, [box("1", "a", 1), box("1", "b", 1)])
        assert changes_of(write(warehouse, BOXES, [box("2", "a", 2)], token=2)) == Changes(updated=1)
        assert self.read(warehouse, BOXES, "game", "player") == [("1", "b"), ("2", "a")]

    def test_a_group_column_that_is_absent_is_refused(self, warehouse: Warehouse) -> None:
        """Check it before a write."""
        with pytest.raises(BadInput, match="no column absent, its replaces"):
            prepare(warehouse, replace(BOXES, replaces=("absent",)))

    def test_a_key_with_two_values_is_named_with_its_partitions(self, warehouse: Warehouse) -> None:
        """Check that values of all partitions count, for keys of the span."""
        write(warehouse, BOXES, [box("1", "a", 1), box("2", "b", 1), box(None, "c", 1)])
        write(warehouse, BOXES, [box("1", "a", 1, day=NEXT_DAY), box(None, "c", 1, day=NEXT_DAY),
                                 box("3", "d", 1, day=NEXT_DAY, points=None)], day=NEXT_DAY)  # fmt: skip
        write(warehouse, BOXES, [box("3", "d", 1, day="2026-02-05")], day="2026-02-05")
        with warehouse.snapshot() as reader:
            found = reader.disagreements(BOXES, ONE_DATE, first=DAY, last=DAY)
            assert found == [Disagreement(key=("1",), values=(DAY, NEXT_DAY), partitions=(DAY, NEXT_DAY))]
            assert reader.disagreements(BOXES, ONE_DATE, first=NEXT_DAY, last=NEXT_DAY)[0] == found[0]
            assert [one.key for one in reader.disagreements(BOXES, ONE_DATE, first="", last="9")] == [("1",), ("3",)]
            assert reader.disagreements(BOXES, ONE_DATE, first="2027", last="9") == []
            points = Dependency(("game", "player"), "points")
            assert reader.disagreements(BOXES, points, first="", last="9") == []
            assert reader.disagreements(NEVER, Dependency(("a",), "b"), first="", last="9") == []

    def test_a_write_that_breaks_an_identity_changes_nothing(self, warehouse: Warehouse) -> None:
        """Check that it is judged with the rows written, before the commit."""
        write(warehouse, BOXES, [box("1", "a", 1)])
        prepare(warehouse, BOXES, day=NEXT_DAY)
        rule = Dependency(("game", "player"), "points")
        for points in (5, 1):
            with staging(warehouse, BOXES, [box("1", "a", 2, day=NEXT_DAY, points=points)], day=NEXT_DAY) as staged:
                job = replace(write_of(BOXES, staged, day=NEXT_DAY), determines=(rule,))
                answer = warehouse.commit(job, staged)
            if points == 1:
                assert isinstance(answer, Written)
            else:
                found = Disagreement(key=("1", "a"), values=("1", "5"), partitions=(DAY, NEXT_DAY))
                assert answer == Disagreeing(rule, (found,))
                assert fence(warehouse, Part(BOXES.name, NEXT_DAY)) == Fence(0, STORE)

    def test_a_write_with_other_sums_than_a_rule_says_changes_nothing(self, warehouse: Warehouse) -> None:
        """Check it against another table, in the same partition."""
        write(warehouse, GAMES, [game("1", 5), game("2", 7)])
        prepare(warehouse, BOXES)
        rule = EqualSums(column="points", by=("player",), table=GAMES, other="points")
        for points in (6, 5):
            with staging(warehouse, BOXES, [box("x", "1", 1, points=points)]) as staged:
                answer = warehouse.commit(replace(write_of(BOXES, staged), sums=(rule,)), staged)
            if points == 5:
                assert isinstance(answer, Written)
            else:
                assert isinstance(answer, UnequalSums)
                assert (answer.number, answer.ours[DAY, "1"], answer.theirs[DAY, "1"]) == (0, Decimal(6), Decimal(5))
                assert warehouse.find_write("w") is None or self.players(warehouse) == ""

    def test_sums_are_by_partition_and_group(self, warehouse: Warehouse) -> None:
        """Check that sums are exact, and floats rounded to their scale."""
        rows = [box("1", "a", 1, points=2, share=0.1), box("1", "b", 1, points=3, share=0.2),
                box("2", "c", 1, points=None, share=None)]  # fmt: skip
        write(warehouse, BOXES, rows)
        write(warehouse, BOXES, [box("1", "a", 1, day=NEXT_DAY, points=7)], day=NEXT_DAY)
        with warehouse.snapshot() as reader:
            points = reader.sums(BOXES, column="points", by=("game",), first=DAY, last=NEXT_DAY)
            assert points == {(DAY, "1"): Decimal(5), (NEXT_DAY, "1"): Decimal(7)}
            assert reader.sums(BOXES, column="share", by=("game",), first=DAY, last=DAY) == {
                (DAY, "1"): Decimal("0.30")
            }
            assert reader.sums(BOXES, column="points", by=(), first=DAY, last=DAY) == {(DAY,): Decimal(5)}
            assert reader.sums(NEVER, column="a", by=("a",), first="", last="9") == {}

    @pytest.mark.parametrize("columns", [("absent", "game"), ("game", "absent")])
    def test_an_identity_of_an_absent_column_is_refused_by_name(
        self, warehouse: Warehouse, columns: tuple[str, str]
    ) -> None:
        """Check dependencies and sums."""
        write(warehouse, BOXES, [box("1", "a", 1)])
        with warehouse.snapshot() as reader, pytest.raises(BadInput, match="absent"):
            reader.disagreements(BOXES, Dependency(columns[:1], columns[1]), first="", last="9")
        with warehouse.snapshot() as reader, pytest.raises(BadInput, match="absent"):
            reader.sums(BOXES, column=columns[0], by=columns[1:], first="", last="9")

    @pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 0, 4, 1, 3)])
    def test_keys_that_no_version_decides_are_counted(self, warehouse: Warehouse, order: tuple[int, ...]) -> None:
        """Check that only the newest version's contents count, and no deletion."""
        of_a = [line("a", 1, 5), line("a", 2, 5), line("a", 3, 4), line("a", 1, 5), line("a", 9, 3)]
        older = [line("b", 1, 5), line("b", 2, 4), line("b", 3, 4), line("c", 1, 5), line("c", 1, 5)]
        gone = [line("d", 1, 5), line("d", 2, 5, gone=True), line("d", 3, 5, gone=True)]
        receipt = write(warehouse, LINES, [*(of_a[n] for n in order), *older, *gone])
        assert (receipt.undecided, receipt.rows) == (1, 3)
        with warehouse.snapshot() as reader:
            assert reader.receipts([receipt.part])[receipt.part] == receipt
        assert write(warehouse, LINES, [line("a", 7, 9)], token=2, write_id="w2").undecided == 0

    def test_without_a_version_every_repeated_key_that_differs_is_undecided(self, warehouse: Warehouse) -> None:
        """Check that equal rows are one row."""
        rows = [game("a"), game("a", ratio=0.25), game("b"), game("b")]
        assert write(warehouse, GAMES, rows).undecided == 1


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
