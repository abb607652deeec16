# ruff: noqa: E501  an error is one line, and so is what is expected of it
"""Each case: something bad, and the one line that refuses it. Nothing is lost by it, and nothing is written."""

import io
import json
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from phasegate import BadInput
from tests.support.commands import RUN, Night

DATE = "2026-02-03"
NAN = float("nan")
GOOD_ROW = {"game_date": DATE, "player": "a", "points": 1.0, "updated": 1}
TRIGGER = {
    "kind": "trigger", "id": "t1", "pipeline": "nba", "phase": "raw", "run": RUN, "generation": 1,
    "receiver": "analytics", "stamps": {},
}  # fmt: skip
REQUEST = {
    "kind": "request", "id": "r1", "pipeline": "nba", "phase": "analytics", "step": "player_game", "run": RUN, "inputs": {},
}  # fmt: skip
COMPLETION = {"kind": "completion", "step": "odds", "run": RUN, "execution_id": "e1", "sequence": 1}


def without(body: Mapping[str, object], *fields: str) -> dict[str, object]:
    return {name: value for name, value in body.items() if name not in fields}


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Night:
    return Night.empty(tmp_path, monkeypatch, capsys)


PLANS = {
    "not TOML": (
        'pipeline = "nba"',
        "pipeline = nba",
        'plan.toml:1: not a value; put quotes round text: key = "text" (column 12)',
    ),
    "unknown zone": (
        "America/New_York",
        "America/New_Amsterdam",
        'plan.toml:2: timezone: unknown time zone "America/New_Amsterdam"; did you mean "America/New_York"?',
    ),
    "unknown key": (
        "attempts_max = 1",
        "attempt_max = 1",
        'plan.toml:33: [step.player_game]: unknown key "attempt_max"; did you mean "attempts_max"? known: attempts_max, code, columns, command, covers, determines, dialect, expected_by, expected_zone, external, identity, key, late_after_s, needs, partition, phase, python, reads, replaces, run_max_s and 10 more',
    ),
    "unknown need": (
        '["raw.gamebook"]',
        '["raw.gamebok"]',
        'plan.toml:28: [step.player_game] needs: unknown step "raw.gamebok"; did you mean "gamebook"? known: gamebook, odds, player_game, report',
    ),
    "cycle": (
        'phase = "raw"\nexternal = true\n\n[step.player_game]',
        'phase = "raw"\nneeds = ["odds"]\nexternal = true\n\n[step.player_game]',
        "plan.toml:24: [step.odds] needs: cycle odds -> odds; remove one of these needs",
    ),
    "no SQL file": (
        '"player_game.sql"',
        '"nope.sql"',
        'plan.toml:29: [step.player_game] sql: "nope.sql" cannot be read (No such file or directory); check the name and the folder',
    ),
    "no phase": (
        'phase = "precompute"',
        'phase = "publish"',
        'plan.toml:36: [step.report] phase: unknown phase "publish"; known: analytics, precompute, raw',
    ),
    "deadline": (
        "10:00 +1d",
        "10am",
        'plan.toml:8: [phase.analytics] modes.overnight.deadline: is "10am", wanted "HH:MM", "HH:MM +1d" or "open + 8h" (m, h or d)',
    ),
    "unknown critical": (
        'critical = ["player_game"]',
        'critical = ["player"]',
        'plan.toml:8: [phase.analytics] modes.overnight.critical: "player" is not in expect, so the gate would never check it; did you mean "player_game"? known: player_game',
    ),
}


@pytest.mark.parametrize("case", PLANS)
def test_a_bad_plan_is_refused_with_its_line_and_nothing_is_made(night: Night, case: str) -> None:
    part, instead, error = PLANS[case]
    plan = night.folder / "plan.toml"
    text = plan.read_text()
    assert text.count(part) == 1, text.count(part)
    plan.write_text(text.replace(part, instead))
    for command in (["plan", "check"], ["begin", RUN], ["status"]):
        done = night(*command)
        assert (done.code, done.out, done.err) == (2, "", f"phasegate: {error}\n")
    assert not (night.folder / ".phasegate").exists()


MESSAGES: dict[str, tuple[Mapping[str, object], str]] = {
    "no kind": ({}, "message m1: kind is None; it must be one of trigger, request, completion"),
    "unknown kind": ({"kind": "hello"}, "message m1: kind is 'hello'; it must be one of trigger, request, completion"),
    "no step": (
        without(COMPLETION, "step"),
        "message m1: unknown step ''; the plan has gamebook, odds, player_game, report",
    ),
    "unknown step": (
        {**COMPLETION, "step": "nope"},
        "message m1: unknown step 'nope'; the plan has gamebook, odds, player_game, report",
    ),
    "unknown status": (
        {**COMPLETION, "status": "done"},
        "message m1: completion message: Invalid enum value 'done' - at `$.status`",
    ),
    "rows as text": (
        {**COMPLETION, "rows": "many"},
        "message m1: completion message: Expected `int | null`, got `str` - at `$.rows`",
    ),
    "no run": (without(COMPLETION, "run"), "message m1: names no run; add run = DATE.MODE, or date"),
    "run without date": (
        {**COMPLETION, "run": "yesterday.overnight"},
        "date 'yesterday': write YYYY-MM-DD, for example 2026-02-03",
    ),
    "run beyond the years": (
        {**COMPLETION, "run": "0026-02-03.overnight"},
        "date '0026-02-03': the year must be between 1990 and 2100",
    ),
    "unknown mode": (
        {**COMPLETION, "run": "2026-02-03.daily"},
        "message m1: unknown mode 'daily'; the plan has overnight",
    ),
    "time without zone": (
        {**without(COMPLETION, "sequence"), "completed_at": "2026-02-04T06:00:00"},
        "message m1: completed_at '2026-02-04T06:00:00' has no time zone; add +00:00 or Z",
    ),
    "time that is none": (
        {**without(COMPLETION, "sequence"), "completed_at": "this morning"},
        "message m1: completed_at 'this morning': write ISO 8601, such as 2026-02-04T06:00:00+00:00",
    ),
    "negative sequence": ({**COMPLETION, "sequence": -1}, "message m1: sequence -1 is out of bounds; use 0 to 2^53"),
    "nothing says how new it is": (
        without(COMPLETION, "sequence"),
        "message m1: nothing says how new it is; add sequence, or completed_at",
    ),
    "an echo of no trigger": (
        {**COMPLETION, "trigger_id": "hello"},
        "trigger_id 'hello': send back the id of the trigger message as it came",
    ),
    "an echo of another pipeline's trigger": (
        {**COMPLETION, "trigger_id": "trigger.mlb.raw.2026-02-03.overnight.1.analytics"},
        "message m1: trigger_id 'trigger.mlb.raw.2026-02-03.overnight.1.analytics' is of no phase of pipeline 'nba'",
    ),
    "no execution id": (
        without(COMPLETION, "execution_id"),
        "message m1: step odds has no table to read; give an execution_id for its content",
    ),
    "trigger without stamps": (
        without(TRIGGER, "stamps"),
        "message m1: trigger message: Object missing required field `stamps`",
    ),
    "trigger for nobody": (
        {**TRIGGER, "receiver": "publish"},
        "trigger t1: no phase 'publish' comes after 'raw' in this plan",
    ),
    "trigger of a phase that is not before": (
        {**TRIGGER, "phase": "precompute"},
        "trigger t1: no phase 'analytics' comes after 'precompute' in this plan",
    ),
    "trigger with a stamp of another form": (
        {**TRIGGER, "stamps": {"gamebook": "abc"}},
        "message m1: trigger message: Expected `object`, got `str` - at `$.stamps[...]`",
    ),
    "request for an unknown step": (
        {**REQUEST, "step": "nope"},
        "message m1: unknown step 'nope'; the plan has gamebook, odds, player_game, report",
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_a_bad_message_is_kept_in_quarantine_with_the_reason_and_changes_nothing(night: Night, case: str) -> None:
    body, reason = MESSAGES[case]
    night("begin", RUN)
    before = night.documents()
    night.publish(body)
    done = night("worker", "--until-idle", "--json")
    assert (done.code, done.json["quarantined"]) == (1, 1)
    after = night.documents()
    (key,) = set(after) - set(before)
    kept = after.pop(key)[0]
    assert isinstance(kept, dict)
    assert (kept["body"], kept["reason"]) == (body, reason)
    assert after == before
    (letter,) = night("dead", "--json").json["dead"]
    assert (letter["reason"], letter["next"]) == (
        reason,
        f"correct its sender or the plan, then: phasegate redrive {key}",
    )


BODIES: dict[str, tuple[bytes, str]] = {
    "not JSON": (
        b'{"step": "odds"',
        "complete: standard input: not JSON: Expecting ',' delimiter: line 1 column 16 (char 15)",
    ),
    "not UTF-8": (
        b'{"step": "\xff"}',
        "complete: standard input: is not UTF-8 text (byte 11); save it as UTF-8",
    ),
    "a list": (b"[]", "complete: standard input: a JSON list; a completion message is an object"),
    "a trigger": (json.dumps(TRIGGER).encode(), "complete: standard input: kind is 'trigger'; it must be completion"),
    "unknown step": (
        b'{"step": "nope", "run": "2026-02-03.overnight"}',
        "complete: unknown step 'nope'; the plan has gamebook, odds, player_game, report",
    ),
    "a step that Phasegate builds": (
        b'{"step": "player_game", "run": "2026-02-03.overnight"}',
        "complete: player_game is built by Phasegate itself; see phasegate why RUN",
    ),
    "no run": (b'{"step": "odds"}', "complete: names no run; add run = DATE.MODE, or date"),
    "rows below zero": (
        b'{"step": "odds", "run": "2026-02-03.overnight", "rows": -1}',
        "complete: rows is -1; it must be 0 or more",
    ),
    "fields of the wrong type": (
        b'{"step": 1, "run": "2026-02-03.overnight"}',
        "complete: completion message: Expected `str`, got `int` - at `$.step`",
    ),
    "too large": (
        b'"' + b"x" * 1_000_000 + b'"',
        "complete: standard input: more than 1,000,000 bytes; a completion message is small",
    ),
}


@pytest.mark.parametrize("case", BODIES)
def test_a_bad_completion_is_refused_and_nothing_is_written(
    night: Night, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, error = BODIES[case]
    night("begin", RUN)
    before = night.documents()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(body)))
    done = night("complete", "--message", "-")
    assert (done.code, done.out, done.err) == (2, "", f"phasegate: {error}\n")
    assert night.documents() == before


ROWS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "no key": (
        [GOOD_ROW, {**GOOD_ROW, "player": None}],
        "nba_raw.gamebook/2026-02-03: 1 of 2 rows have no value in the key (game_date, player): filter or repair them",
    ),
    "NaN": (
        [{**GOOD_ROW, "points": NAN}],
        "nba_raw.gamebook/2026-02-03: 1 of 1 rows hold NaN or infinity: write NULL instead",
    ),
    "no version": (
        [{**GOOD_ROW, "updated": None}],
        "nba_raw.gamebook/2026-02-03: 1 of 1 rows have no updated: every row of a merge needs its version",
    ),
    "another partition": (
        [GOOD_ROW, {**GOOD_ROW, "game_date": "2026-02-02"}],
        "nba_raw.gamebook/2026-02-03: 1 of 2 rows have another game_date than 2026-02-03: select the run's own rows only",
    ),
    "unknown column": (
        [{**GOOD_ROW, "steals": 1}],
        "rows[0] yields column steals, which table nba_raw.gamebook lacks: leave it out, or add it to "
        "columns of the plan, then with: phasegate tables --apply",
    ),
    "missing column": (
        [without(GOOD_ROW, "points")],
        "rows[0] lacks column points of table nba_raw.gamebook: yield NULL if it is unknown; "
        "if the plan has dropped it: phasegate tables --apply --yes",
    ),
    "text for a number": (
        [{**GOOD_ROW, "points": "ten"}],
        "rows[0] for table nba_raw.gamebook: points = 'ten' is not a number",
    ),
    "a fraction for a whole number": (
        [{**GOOD_ROW, "updated": 1.5}],
        "rows[0] for table nba_raw.gamebook: updated = 1.5 is not an integer",
    ),
    "no date": (
        [{**GOOD_ROW, "game_date": "yesterday"}],
        "rows[0] for table nba_raw.gamebook: game_date = 'yesterday' Invalid isoformat string: 'yesterday'",
    ),
    "a list for text": (
        [{**GOOD_ROW, "player": ["a", "b"]}],
        "rows[0] for table nba_raw.gamebook: player = ['a', 'b'] is not a string",
    ),
    "beyond the column": (
        [{**GOOD_ROW, "updated": 2**70}],
        "rows for table nba_raw.gamebook: Conversion Error: Could not convert string '1180591620717411303424' to INT64",
    ),
    "half a character": (
        [{**GOOD_ROW, "player": "\ud800"}],
        "rows[0] for table nba_raw.gamebook: player = '\\ud800' 'utf-8' codec can't encode character '\\ud800' in position 0: surrogates not allowed",
    ),
}


@pytest.mark.parametrize("case", ROWS)
def test_bad_rows_are_refused_by_name_and_the_table_stays_as_it_was(night: Night, case: str) -> None:
    rows, error = ROWS[case]
    night.scrape(3)
    with night.pipeline() as pipeline:
        before = pipeline.tables()["nba_raw.gamebook"]
        with pytest.raises(BadInput) as caught, pipeline.begin(RUN, step="gamebook") as step:
            step.write(rows)
        assert str(caught.value) == error
        assert pipeline.tables()["nba_raw.gamebook"] == before
    member = night("why", RUN, "--phase", "raw", "--json").json["phases"][0]["members"][0]
    assert (member["state"], member["rows"], member["last"]) == ("fresh", 3, "noted")
    assert night("leases").out == "No lease is held.\n"


ARGUMENTS: dict[str, tuple[list[str], str]] = {
    "unknown command": (["statsu"], "no such command 'statsu'; did you mean 'status'?"),
    "unknown option": (
        ["status", "--form", "2026-02-03"],
        "status: no such option --form; did you mean --from or --to?",
    ),
    "global option behind": (
        ["status", "--state", "x"],
        "--state goes before the command: phasegate --state … status",
    ),
    "no run": (["why"], "why: missing argument 'RUN'; see phasegate why --help"),
    "no date": (["status", "--from", "3 February"], "date '3 February': write YYYY-MM-DD, for example 2026-02-03"),
    "dates swapped": (
        ["status", "--from", "2026-02-03", "--to", "2026-02-01"],
        "status: --from 2026-02-03 is after --to 2026-02-01; swap them",
    ),
    "no mode": (
        ["why", "2026-02-03.morning"],
        "run '2026-02-03.morning': unknown mode 'morning'; the plan has overnight",
    ),
    "no threads": (
        ["worker", "--threads", "0"],
        "worker: invalid value for '--threads': 0 is not in the range 1<=x<=64; see phasegate worker --help",
    ),
    "rows below zero": (
        ["complete", "odds", "--run", RUN, "--rows", "-1"],
        "complete: invalid value for '--rows': -1 is not in the range x>=0; see phasegate complete --help",
    ),
    "rows as text": (
        ["complete", "odds", "--run", RUN, "--rows", "ten"],
        "complete: invalid value for '--rows': 'ten' is not a whole number; see phasegate complete --help",
    ),
    "unknown status": (
        ["complete", "odds", "--run", RUN, "--status", "done"],
        "complete: invalid value for '--status': 'done' is not one of 'success', 'empty', 'partial', 'failed', 'transient', 'skipped'; see phasegate complete --help",
    ),
    "message and step": (
        ["complete", "odds", "--message", "-"],
        "complete: --message holds the whole report; leave out STEP and the other options",
    ),
    "no such file": (
        ["complete", "--message", "nope.json"],
        "complete: nope.json: No such file or directory; name a file that can be read, or - for standard input",
    ),
    "unknown step": (
        ["begin", RUN, "--step", "nope", "--", "true"],
        "begin: 'nope' is not an external step; choose one of gamebook, odds, report",
    ),
    "no command": (
        ["begin", RUN, "--step", "odds"],
        "begin: name the command for odds: phasegate begin 2026-02-03.overnight --step odds -- COMMAND ARGS",
    ),
    "no such command": (
        ["begin", RUN, "--step", "odds", "--", "no-such-command"],
        "begin: there is no command 'no-such-command'; check its name and PATH",
    ),
    "redrive of nothing": (
        ["redrive"],
        "redrive: name a RUN, the KEY of a quarantined message, or --all: exactly one of them",
    ),
    "redrive of an unknown step": (
        ["redrive", RUN, "--step", "nope"],
        "unknown step 'nope' in run 2026-02-03.overnight; it has gamebook, odds",
    ),
    "redrive of an unknown message": (
        ["redrive", "quarantine:nba:x:1"],
        "quarantine:nba:x:1: no such message in quarantine; see phasegate dead",
    ),
    "adopt without a yes": (
        ["adopt"],
        "adopt: writes by workers on the other store are refused from then on; if that store is gone for good, run: phasegate adopt --yes",
    ),
    "no such plan": (
        ["--plan", "nope.toml", "status"],
        "nope.toml: there is no such plan; change to its folder, name it with --plan or PHASEGATE_PLAN, or write one: "
        "phasegate init",
    ),
    "empty state": (["--state", "", "status"], "argument state='': wanted a path such as .phasegate"),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_bad_arguments_are_refused_in_one_line_and_nothing_is_written(night: Night, case: str) -> None:
    arguments, error = ARGUMENTS[case]
    night("begin", RUN)
    before = night.documents()
    done = night(*arguments)
    assert (done.code, done.out, done.err) == (2, "", f"phasegate: {error}\n")
    assert night.documents() == before


def other_program(night: Night) -> None:
    with sqlite3.connect(night.folder / ".phasegate" / "phasegate.db") as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.close()


def newer_file(night: Night) -> None:
    night("begin", RUN)
    with sqlite3.connect(night.folder / ".phasegate" / "phasegate.db") as ours:
        ours.execute("PRAGMA user_version = 99")
    ours.close()


def no_database(night: Night) -> None:
    (night.folder / ".phasegate" / "phasegate.db").write_bytes(
        b"a letter to my aunt, and not a short one at all\n" * 99
    )


def a_file_for_a_directory(night: Night) -> None:
    (night.folder / ".phasegate").rmdir()
    (night.folder / ".phasegate").write_text("a letter")


def newer_document(night: Night) -> None:
    night("begin", RUN)
    night.rewrite(f"phase:nba:raw:{RUN}", _schema=2)


def broken_document(night: Night) -> None:
    night("begin", RUN)
    night.rewrite(f"phase:nba:raw:{RUN}", opened_at="this morning")


def no_warehouse(night: Night) -> None:
    night("begin", RUN)
    (night.folder / ".phasegate" / "warehouse.duckdb").write_bytes(b"a letter to my aunt\n" * 999)


FOREIGN: dict[str, tuple[Callable[[Night], None], list[str], str]] = {
    "another program's database": (
        other_program,
        ["status"],
        "store .phasegate/phasegate.db is the SQLite database of another program; give a path of its own",
    ),
    "another program's database, to be written": (
        other_program,
        ["begin", RUN],
        "store .phasegate/phasegate.db is the SQLite database of another program; give a path of its own",
    ),
    "a database of a newer build": (
        newer_file,
        ["status"],
        "store .phasegate/phasegate.db is of a newer Phasegate (schema 99, this one reads 1); upgrade this process",
    ),
    "no database": (
        no_database,
        ["worker", "--until-idle"],
        "store .phasegate/phasegate.db is not a SQLite database; give another path",
    ),
    "a file for a directory": (
        a_file_for_a_directory,
        ["begin", RUN],
        "state directory .phasegate: File exists; name another with PHASEGATE_STATE",
    ),
    "a newer document, read": (
        newer_document,
        ["why", RUN],
        "document phase:nba:raw:2026-02-03.overnight: has schema 2, this build reads up to 1: upgrade phasegate",
    ),
    "a newer document, written": (
        newer_document,
        ["complete", "odds", "--run", RUN],
        "document phase:nba:raw:2026-02-03.overnight: has schema 2, this build reads up to 1: upgrade phasegate",
    ),
    "a broken document, read": (
        broken_document,
        ["why", RUN],
        "document phase:nba:raw:2026-02-03.overnight: cannot be read: Expected `float`, got `str` - at `$.opened_at`",
    ),
    "a broken document, written": (
        broken_document,
        ["begin", RUN],
        "document phase:nba:raw:2026-02-03.overnight: cannot be read: Expected `float`, got `str` - at `$.opened_at`",
    ),
    "no warehouse": (
        no_warehouse,
        ["complete", "gamebook", "--run", RUN],
        "{folder}/.phasegate/warehouse.duckdb is not a DuckDB file; name another one, or move it away",
    ),
}


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file but the side files that opening a database leaves."""
    kept = (path for path in folder.rglob("*") if path.is_file() and path.suffix not in {".lock", ".turn"})
    return {path.name: path.read_bytes() for path in kept if not path.name.endswith(("-wal", "-shm"))}


@pytest.mark.parametrize("case", FOREIGN)
def test_what_is_foreign_or_broken_is_named_and_never_overwritten(night: Night, case: str) -> None:
    make, arguments, error = FOREIGN[case]
    (night.folder / ".phasegate").mkdir()
    make(night)
    before = contents(night.folder)
    done = night(*arguments)
    assert (done.code, done.err) == (2, f"phasegate: {error.format(folder=night.folder)}\n")
    assert contents(night.folder) == before


def test_there_are_at_least_forty_of_them_and_each_is_one_line() -> None:
    tables: tuple[Mapping[str, tuple[Any, ...]], ...] = (PLANS, MESSAGES, BODIES, ROWS, ARGUMENTS, FOREIGN)
    errors = [case[-1] for table in tables for case in table.values()]
    assert len(errors) >= 40
    assert all(error and "\n" not in error and "Traceback" not in error for error in errors)
