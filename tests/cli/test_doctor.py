"""``phasegate doctor`` as a stranger meets it: files of documents, a file of tables, no plan."""

import json
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from tests.support.cli_page import keys, section
from tests.support.commands import Night

FIVE = (
    "player_game_summary", "team_defense_game_summary", "team_offense_game_summary", "upcoming_player_game_context",
    "upcoming_team_game_context",
)  # fmt: skip


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Night:
    """That night's document and one of a good night in a folder, and their table."""
    night = Night.empty(tmp_path, monkeypatch, capsys)
    (tmp_path / "plan.toml").unlink()
    folder = tmp_path / "phase3_completion"
    folder.mkdir()
    for day, own in (
        ("2026-02-02", {"_completed_count": 5, "_triggered": True, "_triggered_at": "2026-02-02T23:59:00Z"}),
        ("2026-02-03", {"_completed_count": 3}),
    ):
        entries = {
            name: {"completed_at": f"{day}T23:50:00Z", "status": "success", "record_count": 348} for name in FIVE
        }
        (folder / f"{day}.json").write_text(json.dumps({**entries, **own}))
    with closing(duckdb.connect(str(tmp_path / "tables.duckdb"))) as root:
        root.execute(
            "CREATE TABLE player_game_summary AS SELECT DATE '2026-02-02' + CAST(d AS INTEGER) AS game_date, "
            "'p' || p AS player_lookup FROM range(2) a(d), range(348) b(p)"
        )
        root.execute("INSERT INTO player_game_summary SELECT * FROM player_game_summary WHERE game_date = '2026-02-03' "
                     "ORDER BY player_lookup LIMIT 72")  # fmt: skip
    return night


STORE, WAREHOUSE = ("--store", "file:///phase3_completion"), ("--warehouse", "duckdb:///tables.duckdb")


def test_that_night_is_told_in_one_command_without_a_plan_and_nothing_is_touched(stranger: Night) -> None:
    before = {path: path.read_bytes() for path in stranger.folder.rglob("*") if path.is_file()}
    done = stranger("doctor", *STORE, *WAREHOUSE, "--days", "7")
    assert (done.code, done.err) == (1, "")
    assert "PG002 error: phase3_completion/2026-02-03: all 5 processors are done, _completed_count is 3" in done.out
    assert "PG001 warning: phase3_completion/2026-02-03: _completed_count is 3, 5 entries are there" in done.out
    assert "PG010 error: main.player_game_summary/2026-02-03: 72 of 420 rows are duplicates" in done.out
    assert "PG006 error: main.player_game_summary/2026-02-03: phase3_completion/2026-02-03 reports 348 rows" in done.out
    assert "next: phasegate import phase3_completion --from-platform" in done.out
    assert "2026-02-02" not in done.out.partition("\nPG0")[2]
    assert {path: path.read_bytes() for path in stranger.folder.rglob("*") if path.is_file()} == before


def test_the_same_for_programs(stranger: Night) -> None:
    document = stranger("doctor", *STORE, *WAREHOUSE, "--json").json
    assert {finding["code"] for finding in document["findings"]} == {"PG001", "PG002", "PG006", "PG010"}
    assert (document["first"], document["last"], document["documents"]) == ("2026-01-28", "2026-02-03", 2)
    (expected,) = document["expected"]
    assert expected["processors"] == sorted(FIVE)


def test_evidence_is_shown_when_it_is_asked_for(stranger: Night) -> None:
    assert "    _completed_count: 3" in stranger("doctor", *STORE, "--verbose").out
    assert "    _completed_count: 3" not in stranger("doctor", *STORE).out


def test_from_the_draft_of_a_plan_to_the_missing_effect(stranger: Night) -> None:
    (stranger.folder / "plan.toml").write_text(stranger("doctor", *STORE, "--draft").out)
    assert stranger("plan", "check").code == 0
    assert stranger("import", "phase3_completion", "--from-platform").code == 0
    assert stranger("worker", "--until-idle").code == 0
    states = {(one["run"], one["state"]) for one in stranger("status", "--json").json["phases"]}
    assert states == {("2026-02-02.daily", "complete"), ("2026-02-03.daily", "complete")}


def test_a_good_night_alone_is_fine(stranger: Night) -> None:
    done = stranger("doctor", "--store", "file:///phase3_completion/2026-02-02.json")
    assert (done.code, done.err) == (0, "")
    assert "With Phasegate" not in done.out


def test_tables_that_cannot_be_read_are_no_pass_and_the_documents_are_looked_at_all_the_same(stranger: Night) -> None:
    (stranger.folder / "broken.duckdb").write_text("no database" * 1000)
    done = stranger("doctor", *STORE, "--warehouse", "duckdb:///broken.duckdb")
    assert done.code == 2
    assert "NOT EVALUATED" in done.out
    assert "PG002 error" in done.out


def test_lines_of_json_and_lines_that_are_none(stranger: Night) -> None:
    body = json.loads((stranger.folder / "phase3_completion" / "2026-02-03.json").read_text())
    lines = [json.dumps({"id": "2026-02-03", "fields": body}), "{", "", "[1]"]
    (stranger.folder / "night.jsonl").write_text("\n".join(lines))
    done = stranger("doctor", "--store", "file:///night.jsonl")
    assert done.code == 1
    assert "PG019 error: night.jsonl:2: not JSON" in done.out
    assert "PG019 error: night.jsonl:4, element 1: a JSON number, wanted an object" in done.out


def test_a_store_of_phasegate_s_own_is_looked_at_too(night: Night) -> None:
    night.whole()
    done = night("doctor", "--store", "sqlite:///.phasegate/phasegate.db", "--warehouse",
                 "duckdb:///.phasegate/warehouse.duckdb")  # fmt: skip
    assert (done.code, done.err) == (0, ""), done.out
    assert "3 documents" in done.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "doctor: name your documents or your tables"),
        (("--store", "mongodb://host/db"), "reads file:///PATH and firestore://PROJECT and sqlite:///PATH"),
        (("--store", "file:///nowhere"), "nowhere: does not exist; name the file or folder"),
        (("--store", "file:///empty"), "empty: no .json or .jsonl file in it"),
        (("--store", "sqlite:///nowhere.db"), "nowhere.db: there is no such store"),
        (("--store", "sqlite:///tables.duckdb"), "not a SQLite database"),
        (
            ("--warehouse", "snowflake://u:secret@host/db"),
            "'snowflake:…': this version reads duckdb:///PATH and ",
        ),
        (("--warehouse", "duckdb:///nowhere.duckdb"), "nowhere.duckdb: there is no such file"),
        (("--warehouse", "duckdb:///tables.duckdb", "--draft"), "no document names a processor"),
        (("--days", "0", *STORE), "doctor: invalid value for '--days'"),
    ],
)
def test_bad_input_is_one_line_that_names_the_mend(stranger: Night, arguments: tuple[str, ...], told: str) -> None:
    (stranger.folder / "empty").mkdir()
    done = stranger("doctor", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert told in done.err
    assert "secret" not in done.err


def test_the_reference_page_documents_every_field(stranger: Night) -> None:
    document = stranger("doctor", *STORE, *WAREHOUSE, "--json").json
    document["findings"] = [{**finding, "evidence": {}} for finding in document["findings"]]
    assert {key for key in keys(document) if f"`{key}`" not in section("phasegate doctor")} == set()
