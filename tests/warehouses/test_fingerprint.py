"""Fingerprints: properties of the definition, and DuckDB's SQL against it on random rows of all types."""

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import cast
from uuid import UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from phasegate.base import fingerprint as prints
from phasegate.base.table import Table
from phasegate.errors import BadInput
from phasegate.testing import golden
from phasegate.testing.warehouse_rows import commit, prepare, write
from phasegate.warehouse import Written
from phasegate.warehouses.duckdb import dialect
from phasegate.warehouses.duckdb.warehouse import DuckDBWarehouse
from phasegate.warehouses.sql.reader import SqlReader

TABLE = Table(
    name="t",
    key=("id",),
    partition="day",
    version="seen",
    volatile=("note",),
    columns={
        "id": "BIGINT", "day": "VARCHAR", "yes": "BOOLEAN", "half": "FLOAT", "real": "DOUBLE", "huge": "HUGEINT",
        "exact": "DECIMAL(38,10)", "text": "VARCHAR", "date": "DATE", "at": "TIMESTAMP", "zoned": "TIMESTAMPTZ",
        "time": "TIME", "uuid": "UUID", "bytes": "BLOB", "seen": "INTEGER", "note": "VARCHAR",
    },
    scales={"real": 3, "half": 0},
)  # fmt: skip
COLUMNS = tuple(TABLE.columns)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
AT = st.dates(date(1678, 1, 2), date(2261, 1, 1)).flatmap(
    lambda day: st.builds(datetime.combine, st.just(day), st.times(), tzinfo=ZONES)
)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
FINITE = st.floats(allow_nan=False, allow_infinity=False)
ROW = st.fixed_dictionaries(
    {
        "id": st.integers(-(2**63), 2**63 - 1),
        "day": st.just("d"),
        "yes": st.none() | st.booleans(),
        # Whole numbers that a FLOAT holds exactly: what it cannot hold, DuckDB's column does not store.
        "half": st.none() | st.integers(-(2**24), 2**24).map(float),
        "real": st.none() | FINITE | st.floats(-1e7, 1e7) | st.floats(-1, 1),
        "exact": st.none() | st.decimals(-(10**27), 10**27, places=10, allow_nan=False),
        "huge": st.none() | st.integers(-(2**126), 2**126),
        "text": st.none() | TEXT | st.sampled_from([";", ";;", "a=b;c", ""]),
        "date": st.none() | st.dates(),
        "at": st.none() | AT,
        "zoned": st.none() | AT,
        "time": st.none() | st.times(),
        "uuid": st.none() | st.uuids(),
        "bytes": st.none() | st.binary(max_size=40),
        "seen": st.integers(0, 9),
        "note": st.text("ab;", max_size=3),
    }
)
ROWS = st.lists(ROW, max_size=6)


def of(rows: list[dict[str, object]]) -> str:
    return prints.fingerprint(TABLE, rows, columns=COLUMNS)


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_count(rows: list[dict[str, object]], draw: object) -> None:
    shuffled = list(rows)
    draw.shuffle(shuffled)  # type: ignore[attr-defined]
    assert of(shuffled) == of(rows)


@given(ROWS, ROW, st.integers(1, 3))
def test_a_row_more_counts_however_often_it_is_there(
    rows: list[dict[str, object]], row: dict[str, object], times: int
) -> None:
    assert len({of([*rows, *[row] * n]) for n in range(times + 1)}) == times + 1


@given(ROWS, ROW, ROW, st.data())
def test_any_changed_content_cell_counts(
    rows: list[dict[str, object]], one: dict[str, object], other: dict[str, object], data: st.DataObject
) -> None:
    texts = [{name: prints.text(row[name], scale=TABLE.scale(name)) for name in row} for row in (one, other)]
    differing = [name for name in TABLE.fingerprinted(COLUMNS) if texts[0][name] != texts[1][name]]
    assume(differing)
    column = data.draw(st.sampled_from(differing))
    assert of([*rows, one]) != of([*rows, {**one, column: other[column]}])


@given(ROWS, ROW, st.integers(), st.text())
def test_version_lineage_and_volatile_cells_do_not_count(
    rows: list[dict[str, object]], row: dict[str, object], seen: int, note: str
) -> None:
    changed = {**row, "seen": seen, "note": note, "_pg_token": 7}
    assert of([*rows, changed]) == of([*rows, row])


@given(st.lists(st.none() | st.text(";=ab", max_size=4), min_size=6, max_size=6))
def test_a_text_cannot_run_over_into_the_next_cell(cells: list[str | None]) -> None:
    table = Table(name="t", key=("a",), partition="a")
    one, other = (dict(zip("abc", three, strict=True)) for three in (cells[:3], cells[3:]))
    texts = {prints.row_text(row, table=table, columns="abc") for row in (one, other)}
    assert len(texts) == (1 if one == other else 2)


@given(ROWS, st.sampled_from(["at", "real", "yes", "z"]), st.data())
def test_a_new_column_counts_where_it_has_a_value(
    rows: list[dict[str, object]], after: str, data: st.DataObject
) -> None:
    name = f"{after}_added"
    wider = [{**row, name: data.draw(st.none() | st.booleans())} for row in rows]
    same = all(row[name] is None for row in wider)
    assert (prints.fingerprint(TABLE, wider, columns=(name, *reversed(COLUMNS))) == of(rows)) == same


def test_a_column_counts_by_its_name_but_not_by_its_case() -> None:
    table = Table(name="t", key=("a",), partition="a", volatile=("Note",))
    named = {
        name: prints.fingerprint(table, [{name: "ann", "note": 1}], columns=(name, "note"))
        for name in ("player", "Player", "person")
    }
    assert named["player"] == named["Player"] != named["person"]


@given(FINITE | st.floats(-1e12, 1e12), st.integers(0, prints.SCALE_MAX))
def test_rounding_is_done_once_and_the_text_of_a_float_is_that_of_the_rounded(value: float, scale: int) -> None:
    written = prints.rounded(value, scale=scale)
    assert prints.rounded(written, scale=scale) == written
    assert prints.float_text(written, scale=scale) == prints.float_text(value, scale=scale)
    assert math.isclose(written, value, abs_tol=0.501 * 10**-scale, rel_tol=1e-15)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None), (True, "true"), (0, "0"), (-7, "-7"), (2**100, str(2**100)), (-0.0, "0.00"), (-0.001, "0.00"),
        (0.005, "0.01"), (2.675, "2.67"), (999999999999.99, "999999999999.99"), (1e12, "1.0000000000000000e+12"),
         (Decimal("1.500"), "1.5"),
        (Decimal("-0.00"), "0"), (Decimal("1E+3"), "1000"), (date(2026, 2, 3), "2026-02-03"),
        (time(4, 5), "04:05:00.000000"),
        (datetime(2026, 2, 3, 4, 5, tzinfo=UTC), "2026-02-03T04:05:00.000000"),
        (datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=timezone(timedelta(hours=-5))), "2026-02-03T09:05:06.000007"),
        ("é ;", "é ;"), (b"\x00\xff", "00ff"), (UUID(int=10), "00000000-0000-0000-0000-00000000000a"),
    ],
)  # fmt: skip
def test_each_type_has_one_text(value: object, expected: str | None) -> None:
    assert prints.text(value, scale=2) == expected


@pytest.mark.parametrize("value", [[1], {"a": 1}, {1}, 1j, timedelta(1), object()])
def test_what_has_no_one_text_is_refused_by_name(value: object) -> None:
    with pytest.raises(BadInput, match=type(value).__name__):
        prints.text(value, scale=2)


@pytest.mark.parametrize("scale", [-1, 15])
def test_a_scale_that_a_double_has_not_is_refused(scale: int) -> None:
    with pytest.raises(BadInput, match="0 to 14"):
        prints.text(0.5, scale=scale)


@pytest.mark.parametrize("kind", golden.ROWS)
def test_golden_rows_have_the_texts_and_the_fingerprint_that_are_written_down(kind: str) -> None:
    columns, rows = tuple(golden.GOLDEN.columns), golden.ROWS[kind]
    content = golden.GOLDEN.fingerprinted(columns)
    texts = [prints.row_text(one.row, table=golden.GOLDEN, columns=content) for one in rows]
    assert texts == [one.text for one in rows]
    print_ = prints.fingerprint(golden.GOLDEN, [one.row for one in rows], columns=columns)
    assert print_ == golden.PRINTS[kind]


def test_the_fingerprint_of_no_rows_stays_what_it_is() -> None:
    assert of([]) == prints.EMPTY == "0-705c7f7f6bcd1c8298551ada5ed8cd0a"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBWarehouse]:
    warehouse = DuckDBWarehouse(tmp_path_factory.mktemp("prints") / "prints.duckdb", hold_ms=10_000)
    prepare(warehouse, TABLE, day="d")
    yield warehouse
    warehouse.close()


@settings(max_examples=60)
@given(rows=st.lists(ROW, max_size=30, unique_by=lambda row: row["id"]))
def test_duckdb_equals_the_reference(warehouse: DuckDBWarehouse, rows: list[dict[str, object]]) -> None:
    receipt = write(warehouse, TABLE, rows, day="d")
    with warehouse.snapshot() as reader:
        # Of the partition the digests may be known from staging, of the table they are computed from what is stored.
        assert receipt.fingerprint == reader.fingerprint(TABLE, partition=None) == of(rows)
        assert reader.fingerprints(TABLE, first="d", last="d") == ({"d": of(rows)} if rows else {})
        assert of(list(reader.query("SELECT * FROM t", {}))) == of(rows)


def test_duckdb_spells_each_golden_row_as_it_is_written_down(tmp_path: Path) -> None:
    made = DuckDBWarehouse(tmp_path / "golden.duckdb")
    for kind, rows in golden.ROWS.items():
        write(made, golden.GOLDEN, [one.row for one in rows], day=kind)
        with made.snapshot() as reader:
            digest = dialect.row_hash(golden.GOLDEN, cast("SqlReader", reader).types_of(golden.GOLDEN), alias="t")
            spelled = digest.removeprefix("sha256")
            found = reader.query(f"SELECT id, {spelled} AS text FROM contract.golden t WHERE kind = '{kind}'", {})
            assert {row["id"]: row["text"] for row in found} == {one.cells["id"]: one.text for one in rows}
        # What is stored has the text that was written: to round it once more changes nothing.
        everything = f"SELECT * FROM contract.golden WHERE kind = '{kind}'"
        again = commit(made, golden.GOLDEN, sql=everything, day=kind, token=2)
        assert isinstance(again, Written)
        assert again.receipt.unchanged == len(rows)
    made.close()
