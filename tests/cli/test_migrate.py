"""``phasegate migrate``: documents of older builds become those of this one, and nothing else changes."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from phasegate.stores.sqlite import SQLiteStore
from tests.support.cli_page import keys, section
from tests.support.commands import RUN, Night

PHASE = f"phase:nba:raw:{RUN}"


@contextmanager
def documents(night: Night) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(night.folder / ".phasegate" / "phasegate.db")) as db, db:
        yield db


def body(night: Night, key: str = PHASE) -> dict[str, object]:
    with documents(night) as db:
        read: dict[str, object] = json.loads(
            db.execute("SELECT body FROM documents WHERE key = ?", (key,)).fetchone()[0]
        )
    return read


def store(night: Night, text: str, key: str = PHASE) -> None:
    with documents(night) as db:
        assert db.execute("UPDATE documents SET body = ? WHERE key = ?", (text, key)).rowcount == 1


@pytest.fixture
def played(night: Night) -> Night:
    night.scrape(3)
    return night


def test_documents_of_this_build_stay_as_they_are(played: Night) -> None:
    with documents(played) as db:
        before = db.execute("SELECT * FROM documents ORDER BY 1").fetchall()
    done = played("migrate")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith(" documents: 0 rewritten.\n")
    with documents(played) as db:
        assert db.execute("SELECT * FROM documents ORDER BY 1").fetchall() == before


def test_an_older_documents_missing_fields_are_written_and_its_unknown_ones_kept(played: Night) -> None:
    new = body(played)
    old = {name: value for name, value in new.items() if name not in ("_schema", "claims", "quiet")}
    store(played, json.dumps({**old, "of_another_build": 5, "_failures": 2}))
    assert played("migrate", "--dry-run").code == 1
    assert "claims" not in body(played), "a dry run has written"
    done = played("migrate", "--json")
    assert (done.code, done.json["rewritten"], done.json["left"]) == (0, 1, [])
    assert body(played) == {**new, "of_another_build": 5, "_failures": 2}
    assert played("migrate", "--dry-run").code == 0


def test_what_is_newer_or_cannot_be_read_is_left_and_named_and_stops_nothing(played: Night) -> None:
    calendar = "lease:main:nba_raw.gamebook:2026-02-03"
    newer = {**body(played), "_schema": 99}
    store(played, json.dumps(newer))
    store(played, "[1]", calendar)
    done = played("migrate", "--json")
    assert done.code == 1
    why = {one["key"]: one["why"] for one in done.json["left"]}
    assert why.keys() == {PHASE, calendar}
    assert "upgrade phasegate" in why[PHASE]
    assert body(played) == newer
    assert f"{PHASE}: has schema 99" in played("migrate").err


def test_a_document_that_another_process_has_written_since_is_not_overwritten(
    played: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {name: value for name, value in body(played).items() if name != "claims"}
    store(played, json.dumps(old))
    write = SQLiteStore.write

    def late(self: SQLiteStore, key: str, new: dict[str, object], *, due: float | None, expect: str | None) -> str:
        monkeypatch.setattr(SQLiteStore, "write", write)
        with documents(played) as db:
            db.execute("UPDATE documents SET version = version + 1 WHERE key = ?", (key,))
        return write(self, key, new, due=due, expect=expect)

    monkeypatch.setattr(SQLiteStore, "write", late)
    done = played("migrate", "--json")
    assert done.code == 1
    assert done.json["left"] == [
        {"key": PHASE, "why": "another process has written it since it was read; migrate again"}
    ]
    assert "claims" not in body(played)
    assert played("migrate").code == 0


def test_the_page_has_the_fields_of_the_json(played: Night) -> None:
    page = section("phasegate migrate")
    assert [key for key in keys(played("migrate", "--json").json) if f"`{key}`" not in page] == []
