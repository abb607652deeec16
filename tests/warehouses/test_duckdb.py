"""DuckDB's own: broken files and wrong SQL, each with its one clear line."""

import os
import tempfile
import threading
from pathlib import Path

import duckdb
import msgspec
import pytest

from phasegate.base.receipt import Receipt
from phasegate.base.table import Table
from phasegate.errors import BadInput, Conflict, Unavailable
from phasegate.testing.warehouse_rows import DAY, GAMES, commit, game, prepare, write
from phasegate.warehouse import Written
from phasegate.warehouses.duckdb import errors, session
from phasegate.warehouses.duckdb.warehouse import DuckDBWarehouse
from phasegate.warehouses.sql.reader import SqlReader
from phasegate.warehouses.sql.transaction import SqlTransaction
from tests.support.processes import points, process

# Files


def test_a_snapshot_of_no_file_is_empty_and_makes_none(path: Path, warehouse: DuckDBWarehouse) -> None:
    with warehouse.snapshot() as reader:
        assert reader.query("SELECT 1 AS one", {}) == [{"one": 1}]
        assert reader.count(GAMES, partition=None) == 0
    assert list(path.parent.iterdir()) == []


def test_a_file_that_was_deleted_is_made_again(path: Path) -> None:
    warehouse = DuckDBWarehouse(path, hold_ms=3_600_000)
    write(warehouse, GAMES, [game("a", 1)])
    for file in path.parent.iterdir():
        file.unlink()
    write(warehouse, GAMES, [game("b", 2)], write_id="again")
    assert points(warehouse) == [2]
    assert warehouse.find_write("w") is None
    warehouse.close()


def test_receipts_of_an_older_version_are_read_and_the_next_write_adds_their_column(path: Path) -> None:
    first = DuckDBWarehouse(path)
    receipt = write(first, GAMES, [game("a", 1), game("a", 2)])
    first.close()
    with duckdb.connect(str(path)) as db:
        db.execute("ALTER TABLE phasegate.receipts DROP COLUMN undecided")
    second = DuckDBWarehouse(path)
    older = msgspec.structs.replace(receipt, undecided=0)
    with second.snapshot() as reader:
        assert reader.receipts([receipt.part]) == {receipt.part: older}
        assert reader.receipts_between(GAMES.name, first=DAY, last=DAY) == {DAY: older}
    assert second.find_write("w") == older
    assert write(second, GAMES, [game("a", 1), game("a", 2)], token=2, write_id="w2").undecided == 1
    newest = second.find_write("w2")
    assert newest is not None
    assert newest.undecided == 1
    assert second.find_write("w") == older
    second.close()


def test_another_program_that_has_the_file_is_named(path: Path, warehouse: DuckDBWarehouse) -> None:
    code = "import duckdb; held = duckdb.connect(path); tell('in')"
    with process(path, code, says="in") as other:
        expected = f"{path} is open in another program (process {other.pid}), which does not take turns; close it there"
        with pytest.raises(Unavailable) as refused:
            write(warehouse, GAMES, [game("a")])
    assert str(refused.value) == expected


def test_a_file_that_is_not_duckdbs_is_refused(path: Path, warehouse: DuckDBWarehouse) -> None:
    path.write_text("game_date,player\n" * 1000)
    with pytest.raises(Unavailable) as refused:
        warehouse.find_write("w")
    assert str(refused.value) == f"{path} is not a DuckDB file; name another one, or move it away"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "nowhere" / "night.duckdb")
    with pytest.raises(Unavailable) as refused:
        write(warehouse, GAMES, [game("a")])
    assert str(refused.value) == f"the folder {tmp_path / 'nowhere'} does not exist; create it"


def test_a_folder_that_cannot_be_written_is_named() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        path = Path(folder) / "night.duckdb"
        try:
            # Root may write anywhere: be nobody for a moment.
            os.seteuid(65534 if os.geteuid() == 0 else os.geteuid())
            with pytest.raises(Unavailable) as refused:
                write(DuckDBWarehouse(path), GAMES, [game("a")])
        finally:
            os.seteuid(os.getuid())
            Path(folder).chmod(0o755)
    assert str(refused.value) == f"cannot write {path}.turn: Permission denied; make its folder writable"


def test_an_io_error_at_the_commit_is_ambiguous_and_the_warehouse_goes_on(path: Path) -> None:
    code = """
    import os, resource, signal
    from phasegate.errors import Ambiguous
    write(warehouse, GAMES, [game("a", 1)], write_id="one")
    warehouse.close()
    with warehouse.snapshot() as reader:
        pass
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, most))
    try:
        write(warehouse, GAMES, [game(str(n) * 50) for n in range(2000)], token=2, write_id="two")
    except Ambiguous as error:
        assert "File too large" in str(error), error
    else:
        raise AssertionError("committed")
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert warehouse.find_write("two") is None
    write(warehouse, GAMES, [game("b", 2)], token=2, write_id="three")
    tell("done")
    """
    with process(path, code, says="done"):
        pass
    assert points(DuckDBWarehouse(path)) == [2]


# Statements


def test_a_running_statement_can_be_interrupted_from_a_thread(warehouse: DuckDBWarehouse) -> None:
    over = threading.Event()
    with warehouse.snapshot() as reader:
        assert isinstance(reader, SqlReader)

        def interrupt() -> None:
            while not over.wait(0.02):
                reader.interrupt()

        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            with pytest.raises(Unavailable, match="interrupted"):
                reader.query("SELECT count(*) AS n FROM range(1000000) a, range(1000000) b WHERE a.range % 7 = 3", {})
        finally:
            over.set()
            thread.join()
    assert warehouse.find_write("w") is None


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELEC 1", 'SQL for table contract.games: Parser Error: syntax error at or near "SELEC"'),
        (
            "SELECT nope FROM range(1)",
            'Binder Error: Referenced column "nope" not found in FROM clause! Candidate bindings: "range"',
        ),
        ("SELECT * FROM nope", "SQL for table contract.games: Catalog Error: Table with name nope does not exist!"),
        ("SELECT $missing AS points", "Values were not provided for the following"),
        ("SELECT 1 AS a; SELECT 2 AS a", "SQL for table contract.games: must be one SELECT"),
        ("DROP TABLE contract.games", "SQL for table contract.games: must be one SELECT"),
        ("", "SQL for table contract.games: must be one SELECT"),
        (
            "SELECT game_date, player, 1.5::DOUBLE AS points, ratio, note FROM contract.games",
            "the SELECT for table contract.games yields points as DOUBLE, the table has INTEGER: cast it explicitly, "
            "or change the table: phasegate tables",
        ),
        (
            "SELECT *, 1 AS extra FROM contract.games",
            "the SELECT for table contract.games yields column extra, which table contract.games lacks: "
            "leave it out, or add it to columns of the plan, then with: phasegate tables --apply",
        ),
        (
            "SELECT game_date, player FROM contract.games",
            "the SELECT for table contract.games lacks column note, points, ratio of table contract.games: "
            "yield NULL if it is unknown; if the plan has dropped it: phasegate tables --apply --yes",
        ),
        (
            "SELECT * REPLACE ('many' AS points) FROM contract.games",
            "SQL for table contract.games: Conversion Error: Could not convert string 'many' to INT32",
        ),
    ],
)
def test_wrong_sql_is_told_in_one_line(warehouse: DuckDBWarehouse, sql: str, expected: str) -> None:
    write(warehouse, GAMES, [game("a")])

    with pytest.raises(BadInput) as refused:
        commit(warehouse, GAMES, sql=sql)
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_snapshot_refuses_to_write(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, GAMES, [game("a")])
    with warehouse.snapshot() as reader, pytest.raises(BadInput, match="must be one SELECT"):
        reader.query("DELETE FROM contract.games", {})


def test_a_query_may_end_in_a_semicolon_or_a_comment_and_yields_utc(warehouse: DuckDBWarehouse) -> None:
    with warehouse.snapshot() as reader:
        for end in (";", " -- done", " ; "):
            (row,) = reader.query(
                f"SELECT TIMESTAMPTZ '2026-02-03 07:00-05' AS at, $n::INT AS n{end}", {"n": 1, "x": 2}
            )
            assert (str(row["at"]), row["n"]) == ("2026-02-03 12:00:00+00:00", 1)


def test_the_shape_of_a_new_table_is_that_of_its_select(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, GAMES, [game("a", 1), game("b", 2)])
    table = Table(name="fresh.totals", key=("game_date",), partition="game_date")
    sql = """SELECT game_date, sum(points) AS points, avg(ratio) AS ratio FROM contract.games
        WHERE game_date = $run_date GROUP BY ALL;"""
    prepare(warehouse, table, sql=sql)
    answer = commit(warehouse, table, sql=sql, token=4)
    assert isinstance(answer, Written)
    assert answer.receipt.inserted == 1
    with warehouse.snapshot() as reader:
        (row,) = reader.query("SELECT points, ratio, _pg_token FROM fresh.totals", {})
        assert row == {"points": 3, "ratio": 0.5, "_pg_token": 4}


def test_somebody_elses_table_is_given_its_lineage_column(path: Path, warehouse: DuckDBWarehouse) -> None:
    with duckdb.connect(str(path)) as theirs:
        theirs.execute("CREATE SCHEMA contract; CREATE TABLE contract.games AS SELECT DATE '2026-02-03' AS game_date, "
                       "'a' AS player, 1 AS points, 0.5::DOUBLE AS ratio, '' AS note FROM range(3)")  # fmt: skip
    receipt = write(warehouse, GAMES, [game("a", 1)])
    assert (receipt.unchanged, receipt.deleted, receipt.rows) == (1, 2, 1)


def test_a_column_without_canonical_text_is_named(path: Path, warehouse: DuckDBWarehouse) -> None:
    with duckdb.connect(str(path)) as theirs:
        theirs.execute("CREATE TABLE odd AS SELECT 1 AS a, [1, 2] AS many")
    odd = Table(name="odd", key=("a",), partition="a")
    with warehouse.snapshot() as reader, pytest.raises(BadInput, match=r"column many of table odd is INTEGER\[\]"):
        reader.fingerprint(odd, partition=None)


@pytest.mark.parametrize("name", ["a.b.c", "a..b", ""])
def test_a_name_that_is_no_table_is_refused(warehouse: DuckDBWarehouse, name: str) -> None:
    with pytest.raises(BadInput, match="name it as schema"):
        prepare(warehouse, Table(name=name, key=("a",), partition="a"), sql="SELECT 1 AS a")


@pytest.mark.parametrize(
    "text",
    [
        'Could not write file "night.duckdb": No space left on device',
        "failed to offload data block of 256.0 KiB (1.0 GiB used).\nLimited by the 'max_temp_directory_size' setting.",
    ],
)
def test_a_full_disk_is_named_in_the_same_words(path: Path, text: str) -> None:
    error = duckdb.IOException(text)
    for refused in (
        errors.of_open(error, path=path),
        errors.of_statement(error, path=path, what="fence"),
        errors.of_commit(error, path=path),
    ):
        assert str(refused).endswith(": the disk is full; free space and try again")


@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 2), (2, 1)])
def test_of_two_commits_that_change_a_fence_one_conflicts(
    warehouse: DuckDBWarehouse, first: int, second: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, conflicts = SqlTransaction.put_receipt, list[str]()

    def put_receipt(self: SqlTransaction, receipt: Receipt, /) -> None:
        monkeypatch.undo()
        with pytest.raises(Conflict) as met:
            commit(warehouse, GAMES, [game("b")], token=second, write_id="w2")
        conflicts.append(str(met.value))
        right(self, receipt)

    prepare(warehouse, GAMES)
    monkeypatch.setattr(SqlTransaction, "put_receipt", put_receipt)
    assert isinstance(commit(warehouse, GAMES, [game("a")], token=first), Written)
    assert len(conflicts) == 1
    with warehouse.snapshot() as reader:
        assert reader.query("SELECT player FROM contract.games", {}) == [{"player": "a"}]


def test_what_was_parsed_is_not_parsed_again_when_the_file_is_opened_again(path: Path) -> None:
    def read_once() -> None:
        opened = DuckDBWarehouse(path)
        with opened.snapshot() as reader:
            reader.fingerprints(GAMES, first=DAY, last=DAY)
        opened.close()

    first = DuckDBWarehouse(path)
    write(first, GAMES, [game("a", 1)])
    first.close()
    session._PARSED.clear()
    read_once()
    before = dict(session._PARSED)
    read_once()
    assert before
    assert all(session._PARSED[text] is parsed for text, parsed in before.items())
