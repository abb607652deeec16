"""The contract of every Warehouse for rows, as tests.

Staging, inspecting, deduplicating, replacing, merging, fingerprints: the first half of WarehouseContract.
"""

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from phasegate.base import fingerprint as prints
from phasegate.base.receipt import Changes, Fence, Part, Receipt, Staged
from phasegate.base.table import Draft, Table
from phasegate.errors import BadInput
from phasegate.testing.golden import GOLDEN
from phasegate.warehouse import InputRead, Params, Row, Staging, Warehouse, Write, WriteAnswer, Written

DAY, NEXT_DAY = "2026-02-03", "2026-02-04"
STORE = "store-1"
LATER = datetime(2030, 1, 1, tzinfo=UTC).timestamp()
NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)

GAMES = Table(
    name="contract.games",
    key=("game_date", "player"),
    partition="game_date",
    columns={"game_date": "DATE", "player": "VARCHAR", "points": "INTEGER", "ratio": "DOUBLE", "note": "VARCHAR"},
    scales={"ratio": 2},
    volatile=("note",),
)
LINES = Table(
    name="contract.lines",
    key=("player",),
    partition="game_date",
    write="merge",
    version="seen_at",
    tombstone="gone",
    columns={"game_date": "DATE", "player": "VARCHAR", "points": "INTEGER", "seen_at": "TIMESTAMP"},
)
TYPED = Table(
    name="contract.typed",
    key=("id",),
    partition="day",
    version="seen_at",
    columns={
        "id": "INTEGER",
        "day": "VARCHAR",
        "yes": "BOOLEAN",
        "whole": "BIGINT",
        "part": "DOUBLE",
        "exact": "DECIMAL(18,4)",
        "text": "VARCHAR",
        "date": "DATE",
        "at": "TIMESTAMP",
        "seen_at": "TIMESTAMP",
    },
)
NEVER = Table(name="contract.never_made", key=("a",), partition="a")
CONTRACT_TABLES = (GAMES.name, LINES.name, TYPED.name, GOLDEN.name)

TEXTS = ("", "a", "N;", "1:a;", "Nikola Jokić 🏀", "quote ' \" and \\ and \n", "-0.00", "null", " ")
FLOATS = (
    0.0,
    -0.0,
    -1e-9,
    0.1 + 0.2,
    2.675,
    -1.005,
    1e9,
    123456789.123456789,
    1e10,
    9.9999999999e9,
    1e22,
    -1e300,
    5e-324,
)
INTEGERS = (0, 1, -1, 2**62, -(2**63), 2**63 - 1)
DECIMALS = (Decimal(0), Decimal("-0.0000"), Decimal("1.5"), Decimal(100), Decimal("-12345678901234.5678"))
ZONES = (UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=5, minutes=45)))


def game(player: str, points: int | None = 10, *, day: str = DAY, ratio: float | None = 0.5, note: str = "") -> Row:
    """Return a row of GAMES."""
    return {"game_date": date.fromisoformat(day), "player": player, "points": points, "ratio": ratio, "note": note}


def line(player: str, points: int, minute: int, *, day: str = DAY, gone: bool = False) -> Row:
    """Return a row of LINES whose version is a minute after noon."""
    seen_at = NOON + timedelta(minutes=minute)
    return {
        "game_date": date.fromisoformat(day), "player": player, "points": points, "seen_at": seen_at, "gone": gone,
    }  # fmt: skip


def typed_rows(seed: int, count: int) -> list[dict[str, object]]:
    """Return rows of TYPED with values that databases spell differently."""
    draw = random.Random(seed)
    rows: list[dict[str, object]] = []
    for number in range(count):
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=draw.randrange(-(10**15), 4 * 10**15))
        cells = {
            "yes": draw.random() < 0.5,
            "whole": draw.choice((*INTEGERS, draw.randrange(-(10**6), 10**6))),
            "part": draw.choice((*FLOATS, draw.uniform(-1e4, 1e4), draw.uniform(-1, 1) * 10 ** draw.uniform(-12, 300))),
            "exact": draw.choice((*DECIMALS, Decimal(draw.randrange(-(10**9), 10**9)).scaleb(-4))),
            "text": draw.choice((*TEXTS, str(draw.random()))),
            "date": date(1900, 1, 1) + timedelta(days=draw.randrange(80_000)),
            "at": at.astimezone(draw.choice(ZONES)),
        }
        nulls = {name: None if draw.random() < 0.2 else cell for name, cell in cells.items()}
        rows.append({"id": number, "day": DAY, "seen_at": NOON, **nulls})
    return rows


def prepare(warehouse: Warehouse, table: Table, *, day: str = DAY, store_id: str = STORE, sql: str = "") -> None:
    """Create what a write of one table needs."""
    params = {"run_date": day, "other": 1}
    warehouse.prepare(Draft(table=table, sql=sql), partition=day, store_id=store_id, params=params)


def staging(
    warehouse: Warehouse, table: Table, rows: Sequence[Row] = (), *, day: str = DAY, sql: str | None = None,
    params: Params | None = None, reads: Sequence[InputRead] = (),
) -> Staging:  # fmt: skip
    """Return a staging of rows, or of a SELECT."""
    return warehouse.stage(table, partition=day, version_max=LATER, reads=reads, sql=sql, params=params, rows=rows)


def counts(warehouse: Warehouse, table: Table, rows: Sequence[Row], *, day: str = DAY) -> Staged:
    """Stage rows and return their counts."""
    with staging(warehouse, table, rows, day=day) as staged:
        return staged.counts


def write_of(
    table: Table, staged: Staging, *, token: int = 1, write_id: str = "w", day: str = DAY,
    holders: Sequence[str] = ("h",), store_id: str = STORE,
) -> Write:  # fmt: skip
    """Return a write of what is staged, with no rules."""
    receipt = Receipt(
        write_id=write_id,
        table=table.name,
        partition=day,
        run=f"{day}.overnight",
        step="step",
        token=token,
        fingerprint="",
        built_from={},
        rows_in=staged.counts.rows,
        duplicates=staged.counts.duplicates,
        undecided=staged.counts.undecided,
    )
    return Write(table=table, receipt=receipt, store_id=store_id, holders=tuple(holders))


def commit(
    warehouse: Warehouse, table: Table, rows: Sequence[Row] = (), *, sql: str | None = None, day: str = DAY,
    **options: Any,
) -> WriteAnswer:  # fmt: skip
    """Stage rows, or those of a SELECT, and commit them."""
    with staging(warehouse, table, rows, day=day, sql=sql, params={"run_date": day}) as staged:
        return warehouse.commit(write_of(table, staged, day=day, **options), staged)


def write(
    warehouse: Warehouse, table: Table, rows: Sequence[Row], *, token: int = 1, write_id: str = "w", day: str = DAY
) -> Receipt:
    """Write rows as the writer does: prepare, stage, commit."""
    prepare(warehouse, table, day=day)
    answer = commit(warehouse, table, rows, token=token, write_id=write_id, day=day)
    assert isinstance(answer, Written), f"token {token} was refused"
    return answer.receipt


def fence(warehouse: Warehouse, part: Part) -> Fence | None:
    """Return a fence row."""
    with warehouse.snapshot() as reader:
        return reader.fences(first=part.partition, last=part.partition).get(part)


def changes_of(receipt: Receipt) -> Changes:
    """Return the counts of changes in a receipt."""
    return Changes(
        inserted=receipt.inserted,
        updated=receipt.updated,
        deleted=receipt.deleted,
        unchanged=receipt.unchanged,
        refused=receipt.refused,
    )


class RowContract(ABC):
    """The promises of ports.Warehouse about rows."""

    @abstractmethod
    def select_all(self, table_name: str, /) -> str:
        """Return the ``sql`` of all rows of one of CONTRACT_TABLES."""

    def read(self, warehouse: Warehouse, table: Table, /, *columns: str) -> list[tuple[object, ...]]:
        """Return these columns of a table's rows, sorted."""
        with warehouse.snapshot() as reader:
            rows = reader.query(self.select_all(table.name), {})
        return sorted((tuple(row[column] for column in columns) for row in rows), key=repr)

    # Staging

    def test_a_select_is_staged_without_lineage(self, warehouse: Warehouse) -> None:
        """Check rows of another guarded table, and unused parameters."""
        write(warehouse, GAMES, [game("a", 1), game("b", 2)])
        copy = Table(name=LINES.name, key=GAMES.key, partition=GAMES.partition, columns=GAMES.columns)
        everything = self.select_all(GAMES.name)
        prepare(warehouse, copy, sql=everything)
        with staging(warehouse, copy, sql=everything, params={"run_date": DAY}) as staged:
            assert staged.counts == Staged(rows=2)
            answer = warehouse.commit(write_of(copy, staged), staged)
        assert isinstance(answer, Written)
        assert changes_of(answer.receipt) == Changes(inserted=2)
        assert self.read(warehouse, copy, "player", "points") == [("a", 1), ("b", 2)]

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"extra": 1}, "extra"),
            ({"points": None, "note": ...}, "note"),
            ({"points": "many"}, "points"),
            ({"points": 1.5}, "points"),
            ({"points": True}, "points"),
            ({"ratio": "1"}, "ratio"),
            ({"player": 7}, "player"),
            ({"player": "\ud800"}, "player"),
            ({"game_date": NOON}, "game_date"),
            ({"game_date": "the third"}, "game_date"),
        ],
    )
    def test_a_row_that_does_not_fit_is_refused_by_name(
        self, warehouse: Warehouse, change: dict[str, object], named: str
    ) -> None:
        """Check that unknown, missing and mistyped columns are named."""
        row = {name: cell for name, cell in {**game("a"), **change}.items() if cell is not ...}
        prepare(warehouse, GAMES)
        with pytest.raises(BadInput, match=named):
            counts(warehouse, GAMES, [row])

    def test_a_naive_timestamp_is_refused_and_an_aware_one_becomes_utc(self, warehouse: Warehouse) -> None:
        """Check that no zone is ever assumed."""
        naive = {**line("a", 1, 0), "seen_at": datetime(2026, 2, 3, 12)}  # noqa: DTZ001 - the point of the test
        prepare(warehouse, LINES)
        with pytest.raises(BadInput, match="naive"):
            counts(warehouse, LINES, [naive])
        write(warehouse, LINES, [{**line("a", 1, 0), "seen_at": "2026-02-03T07:00:00-05:00"}])
        assert self.read(warehouse, LINES, "seen_at") == [(NOON.replace(tzinfo=None),)]

    def test_a_table_that_was_not_prepared_is_refused(self, warehouse: Warehouse) -> None:
        """Check that no staging creates a table."""
        with pytest.raises(BadInput, match=GAMES.name):
            counts(warehouse, GAMES, [game("a")])

    @pytest.mark.parametrize(
        "wrong",
        [
            Table(name=GAMES.name, key=("absent",), partition="game_date", columns=GAMES.columns),
            Table(name=GAMES.name, key=("player",), partition="absent", columns=GAMES.columns),
            Table(name=GAMES.name, key=("player",), partition="player", columns=GAMES.columns, scales={"unknown": 2}),
            Table(name=GAMES.name, key=(), partition="player", columns=GAMES.columns),
            Table(name=GAMES.name, key=("player",), partition="player", version="player", columns=GAMES.columns),
            Table(name=GAMES.name, key=("player",), partition="player", columns={"player": "INTEGER[]"}),
            Table(name=GAMES.name, key=("player",), partition="player"),
        ],
    )
    def test_a_table_that_cannot_be_guarded_is_refused(self, warehouse: Warehouse, wrong: Table) -> None:
        """Check key, partition, version, scales and types before a write."""
        with pytest.raises(BadInput, match=GAMES.name):
            prepare(warehouse, wrong)

    # Judging

    @pytest.mark.parametrize(
        ("row", "expected"),
        [
            (line("a", 1, 0), Staged(rows=2)),
            (line("a", 1, 0, day=NEXT_DAY), Staged(rows=2, outside=1)),
            ({**line("a", 1, 0), "game_date": None}, Staged(rows=2, outside=1)),
            ({**line("a", 1, 0), "player": None}, Staged(rows=2, null_keys=1)),
            ({**line("a", 1, 0), "seen_at": None}, Staged(rows=2, null_versions=1)),
            ({**line("a", 1, 0), "seen_at": datetime(2031, 1, 1, tzinfo=UTC)}, Staged(rows=2, future_versions=1)),
        ],
    )
    def test_what_must_be_judged_is_counted(self, warehouse: Warehouse, row: Row, expected: Staged) -> None:
        """Check one bad row beside a good one."""
        prepare(warehouse, LINES)
        assert counts(warehouse, LINES, [line("z", 1, 0), row]) == expected

    def test_cells_that_are_not_finite_are_counted(self, warehouse: Warehouse) -> None:
        """Check that the writer gets a count by which to refuse NaN."""
        prepare(warehouse, GAMES)
        rows = [game(str(r), ratio=r) for r in (1.0, None, math.nan, math.inf, -math.inf)]
        assert counts(warehouse, GAMES, rows) == Staged(rows=5, not_finite=3)

    def test_floats_are_rounded_to_their_scale_when_written(self, warehouse: Warehouse) -> None:
        """Check that rounding is Python's; negative zero becomes zero."""
        given = (2.675, 0.1 + 0.2, -0.001, 1e300, 1234.565)
        write(warehouse, GAMES, [game(str(i), ratio=value) for i, value in enumerate(given)])
        found = [str(row[1]) for row in self.read(warehouse, GAMES, "player", "ratio")]
        assert found == ["2.67", "0.3", "0.0", "1e+300", str(round(1234.565, 2))]

    # Deduplicating

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
    def test_the_newest_version_of_a_duplicate_wins(self, warehouse: Warehouse, order: tuple[int, ...]) -> None:
        """Check it for any order of the rows."""
        rows = [line("a", minute, minute) for minute in order]
        receipt = write(warehouse, LINES, [line("b", 9, 0), *rows])
        assert (receipt.duplicates, receipt.rows_in, receipt.rows) == (2, 4, 2)
        assert self.read(warehouse, LINES, "player", "points") == [("a", 2), ("b", 9)]

    def test_of_equal_versions_the_content_decides(self, warehouse: Warehouse) -> None:
        """Check that the larger digest wins in any order, in every adapter."""
        rows = [line("a", points, 5) for points in range(6)]
        for token, start in enumerate(range(6), start=1):
            write(warehouse, LINES, [*rows[start:], *rows[:start]], token=token)
            assert self.read(warehouse, LINES, "points") == [(3,)]

    def test_of_equal_versions_the_deletion_wins(self, warehouse: Warehouse) -> None:
        """Check that a row deleted at the same version is not stored."""
        write(warehouse, LINES, [line("a", 1, 5), line("a", 1, 5, gone=True), line("b", 1, 5)])
        assert self.read(warehouse, LINES, "player") == [("b",)]

    # Fingerprints

    @pytest.mark.parametrize("seed", range(4))
    def test_the_fingerprint_equals_the_reference(self, warehouse: Warehouse, seed: int) -> None:
        """Check all types, with values that databases spell differently."""
        rows = typed_rows(seed, 60)
        receipt = write(warehouse, TYPED, rows)
        assert receipt.fingerprint == prints.fingerprint(TYPED, rows, columns=tuple(TYPED.columns))
        with warehouse.snapshot() as reader:
            stored = reader.query(self.select_all(TYPED.name), {})
            assert reader.fingerprint(TYPED, partition=None) == receipt.fingerprint
        assert prints.fingerprint(TYPED, stored, columns=tuple(TYPED.columns)) == receipt.fingerprint

    def test_the_fingerprint_is_of_content_only(self, warehouse: Warehouse) -> None:
        """Check that versions, tokens, order and volatile cells do not count."""
        same = [game("b", 2, note="later"), game("a", 1, note="later")]
        first = write(warehouse, GAMES, [game("a", 1), game("b", 2)])
        assert write(warehouse, GAMES, same, token=2).fingerprint == first.fingerprint
        assert write(warehouse, GAMES, [game("a", 1), game("b", 3)], token=3).fingerprint != first.fingerprint
        assert write(warehouse, GAMES, [game("a", 1)], token=4).fingerprint != first.fingerprint
        versions = [write(warehouse, LINES, [line("a", 1, minute)], token=minute).fingerprint for minute in (1, 2)]
        assert versions[0] == versions[1]

    def test_a_partition_is_fingerprinted_and_counted_alone(self, warehouse: Warehouse) -> None:
        """Check that None means the whole table; other spellings are empty."""
        one = write(warehouse, GAMES, [game("a")]).fingerprint
        two = write(warehouse, GAMES, [game("a", day=NEXT_DAY), game("b", day=NEXT_DAY)], day=NEXT_DAY).fingerprint
        with warehouse.snapshot() as reader:
            assert [reader.count(GAMES, partition=day) for day in (DAY, NEXT_DAY, None, "2026-2-3")] == [1, 2, 3, 0]
            assert [reader.fingerprint(GAMES, partition=day) for day in (DAY, NEXT_DAY)] == [one, two]
            assert reader.fingerprint(GAMES, partition=None) not in {one, two}
            assert reader.fingerprint(GAMES, partition="2026-2-3") == prints.EMPTY
            assert (reader.count(NEVER, partition=DAY), reader.count(NEVER, partition=None)) == (0, 0)
            assert reader.fingerprint(NEVER, partition=DAY) == prints.EMPTY

    def test_partitions_are_fingerprinted_together_as_each_alone(self, warehouse: Warehouse) -> None:
        """Check inclusive bounds, compared as texts; empty ones are left out."""
        days = ("1987-11-05", "2026-01-31", DAY, NEXT_DAY, "2026-02-10")
        for day in days:
            write(warehouse, GAMES, [game("a", day=day), game(day, day=day, ratio=None)], day=day)
            write(warehouse, TYPED, [{**row, "day": day} for row in typed_rows(len(day), 3)], day=day)
        write(warehouse, GAMES, [], token=2, day=NEXT_DAY)
        with warehouse.snapshot() as reader:
            alone = {day: reader.fingerprint(GAMES, partition=day) for day in days if day != NEXT_DAY}
            for first, last in (("", "9"), (DAY, NEXT_DAY), ("2026-01-32", "2026-02-1"), ("1999", "2026-02-03x")):
                expected = {day: print_ for day, print_ in alone.items() if first <= day <= last}
                assert reader.fingerprints(GAMES, first=first, last=last) == expected
            typed = reader.fingerprints(TYPED, first=DAY, last=NEXT_DAY)
            assert typed == {day: reader.fingerprint(TYPED, partition=day) for day in (DAY, NEXT_DAY)}
            assert reader.fingerprints(NEVER, first="", last="9") == {}

    @pytest.mark.parametrize("table", [GAMES, LINES], ids=lambda table: str(table.write))
    def test_a_receipt_has_the_fingerprint_of_what_is_stored(self, warehouse: Warehouse, table: Table) -> None:
        """Check it for doubled, foreign, unwritten and no rows."""

        def row(player: str, day: str = DAY) -> Row:
            return game(player, day=day) if table is GAMES else line(player, 1, 1, day=day)

        prepare(warehouse, table)
        for token, players in enumerate((("a", "a"), ("a", "b"), ("c",), ("c",), ()), start=1):
            for extra in ((), (row("x", NEXT_DAY),)):
                with staging(warehouse, table, [*map(row, players), *extra]) as staged:
                    answer = warehouse.commit(write_of(table, staged, token=token), staged)
                assert isinstance(answer, Written)
                with warehouse.snapshot() as reader:
                    assert answer.receipt.fingerprint == reader.fingerprint(table, partition=DAY)
                    assert answer.receipt.rows == reader.count(table, partition=DAY)
