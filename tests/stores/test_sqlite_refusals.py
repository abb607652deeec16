"""Files that are no store of ours: refused with one line each, and left as they are."""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from phasegate.errors import BadInput, Unavailable
from phasegate.settings import load_settings
from phasegate.stores.sqlite import SQLiteStore
from tests.support.sqlite_files import change, says

NOBODY = 65534


def test_the_database_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    change(path, "CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(Unavailable) as refused:
        SQLiteStore(path)
    assert says(refused, path) == "store PATH is the SQLite database of another program; give a path of its own"
    assert path.read_bytes() == before


def test_an_empty_database_that_another_program_marked_is_refused(path: Path) -> None:
    change(path, "PRAGMA application_id = 7")
    with pytest.raises(Unavailable, match="of another program"):
        SQLiteStore(path)


def test_a_newer_schema_is_refused(path: Path, store: SQLiteStore) -> None:
    store.close()
    change(path, "PRAGMA user_version = 2")
    with pytest.raises(Unavailable) as refused:
        SQLiteStore(path)
    assert says(refused, path) == (
        "store PATH is of a newer Phasegate (schema 2, this one reads 1); upgrade this process"
    )


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()
    store = SQLiteStore(path)
    assert store.scan("") == []
    store.close()


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_text("player,points\n" * 100)
    with pytest.raises(Unavailable) as refused:
        SQLiteStore(path)
    assert says(refused, path) == "store PATH is not a SQLite database; give another path"
    assert path.read_text() == "player,points\n" * 100


def test_a_damaged_file_is_unavailable(path: Path, store: SQLiteStore) -> None:
    for n in range(200):
        store.write(f"k{n}", {"text": "x" * 500}, due=None, expect=None)
    store.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(Unavailable) as refused:
        store.scan("")
    assert says(refused, path) == "store PATH is damaged; stop all processes and restore it from a backup"


def test_a_body_that_is_no_json_cannot_even_be_put_in_by_hand(path: Path, store: SQLiteStore) -> None:
    store.write("a", {}, due=None, expect=None)
    store.close()
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        change(path, "UPDATE documents SET body = '{'")
    change(path, "PRAGMA ignore_check_constraints = 1", "UPDATE documents SET body = '[1]'")
    store.write("b", {"fine": 1}, due=None, expect=None)
    a, b = store.scan("")
    assert (a.body["_text"], b.body) == ("[1]", {"fine": 1})
    assert str(a.body["_unreadable"]).startswith("Expected `object`, got `array`")


def test_a_missing_directory_is_named(path: Path) -> None:
    with pytest.raises(Unavailable) as refused:
        SQLiteStore(path / "deeper" / "state.db")
    assert says(refused, path) == "store PATH/deeper/state.db: there is no directory PATH/deeper; create it first"


def test_a_directory_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="is a directory; give the path of a file"):
        SQLiteStore(tmp_path)


@pytest.mark.parametrize("path", ["", ":memory:"])
def test_a_store_without_a_file_is_refused(path: str) -> None:
    with pytest.raises(BadInput, match=r"^SQLiteStore needs a file"):
        SQLiteStore(path)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """Make a folder that a user without privileges can reach: permissions do not bind root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    privileged = os.geteuid() == 0
    if privileged:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if privileged:
            os.seteuid(0)


def test_a_store_whose_folder_may_not_be_entered_is_there_and_says_so(public_folder: Path) -> None:
    path = public_folder / "state" / "phasegate.db"
    path.parent.mkdir()
    SQLiteStore(path).close()
    path.parent.chmod(0)
    settings = load_settings({"PHASEGATE_STATE": str(path.parent)})
    with unprivileged():
        assert settings.has_store
        with pytest.raises(Unavailable) as refused:
            SQLiteStore(path)
    path.parent.chmod(0o755)
    assert says(refused, public_folder) == (
        "store PATH/state/phasegate.db is in a directory that this user may not enter; give this user permission on it"
    )


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_store_that_may_not_be_written_says_so(public_folder: Path, what: str) -> None:
    path = public_folder / "state.db"
    store = SQLiteStore(path)
    version = store.write("a", {}, due=None, expect=None)
    store.close()
    path.chmod(0o444 if what == "file" else 0o666)
    public_folder.chmod(0o777 if what == "file" else 0o555)
    with unprivileged(), pytest.raises(Unavailable) as refused:
        SQLiteStore(path).write("a", {"n": 1}, due=None, expect=version)
    assert "give this user" in str(refused.value)
    assert "permission on the file and on its directory" in str(refused.value)
