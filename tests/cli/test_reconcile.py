"""``phasegate reconcile`` as a user types it, on SQLite and DuckDB."""

import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.commands import HOUR, RUN, SQL, Night

DATE = RUN[:10]
SPAN = ("--from", DATE, "--to", DATE)
ANALYTICS, PRECOMPUTE = f"phase:nba:analytics:{RUN}", f"phase:nba:precompute:{RUN}"
MIRROR = f"mirror:nba:phase3_completion:{DATE}"
STEPS = ("player_game", "team_offense", "team_defense", "upcoming_player", "upcoming_team")


def step(name: str, *, phase: str, need: str) -> str:
    return f"""
[step.{name}]
phase = "{phase}"
needs = ["{need}"]
sql = "{name}.sql"
table = "nba_{phase}.{name}"
key = ["game_date", "player"]
partition = "game_date"
"""


PLAN = """\
pipeline = "nba"
timezone = "America/New_York"

[phase.raw]
modes.overnight = { expect = "*" }

[phase.analytics]
after = "raw"
mirror = "phase3_completion/{game_date}"

[phase.precompute]
after = "analytics"

[step.gamebook]
phase = "raw"
external = true
table = "nba_raw.gamebook"
key = ["game_date", "player"]
partition = "game_date"
version = "updated"
columns = { game_date = "DATE", player = "VARCHAR", points = "DOUBLE", updated = "BIGINT" }
"""
PLAN += "".join(step(name, phase="analytics", need="raw.gamebook") for name in STEPS)
PLAN += step("cache", phase="precompute", need="analytics.player_game")
CACHE = "SELECT game_date, player, points * 2 AS points FROM nba_analytics.player_game WHERE game_date = $run_date"


@pytest.fixture
def five(night: Night) -> Night:
    """Give the platform's shape: five processors, and a phase after them."""
    (night.folder / "plan.toml").write_text(PLAN)
    for name in STEPS:
        (night.folder / f"{name}.sql").write_text(SQL)
    (night.folder / "cache.sql").write_text(CACHE)
    return night


def played(night: Night) -> None:
    night.scrape(10)
    assert night("worker", "--until-idle").code == 0
    night.clock.at += HOUR


def that_night(night: Night) -> None:
    """Five entries, a count of three, not triggered; the next phase has never run."""
    played(night)
    night.rewrite(ANALYTICS, firings=[], outbox=[])
    mirrored = night.documents()[MIRROR][0]
    assert isinstance(mirrored, dict)
    night.rewrite(MIRROR, data={**mirrored["data"], "_completed_count": 3, "_triggered": False, "_triggered_at": None})
    forget(night, PRECOMPUTE)
    night.sql("DELETE FROM nba_precompute.cache")
    night.sql("DELETE FROM phasegate.receipts WHERE table_name = 'nba_precompute.cache'")


def forget(night: Night, key: str) -> None:
    from phasegate.stores.sqlite import SQLiteStore

    with closing(SQLiteStore(night.folder / ".phasegate" / "phasegate.db")) as store:
        doc = store.read(key)
        assert doc is not None
        store.delete(key, expect=doc.version)


def test_where_nothing_is_wrong_it_says_so(five: Night) -> None:
    played(five)
    done = five("reconcile", *SPAN)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"nba, {DATE} to {DATE}\n")
    assert done.out.endswith("\nNothing found by 15 checks.\n")


def test_that_night_is_reported_then_mended_by_one_command(five: Night) -> None:
    that_night(five)
    before = five.documents()
    seen = five("reconcile", *SPAN)
    assert seen.code == 1
    told = f"analytics of {RUN}"
    for line in (
        f"PG002 error: {told}: 5 of 5 expected members are fresh, and it has not fired",
        f"PG001 warning: {told}: phase3_completion/{DATE} has _completed_count = 3, and the phase has 5",
        "--fix would:",
    ):
        assert line in seen.out
    assert five.documents() == before
    assert "it has not fired" in five("why", RUN).out

    done = five("reconcile", *SPAN, "--fix")
    assert (done.code, done.err) == (0, ""), done.out
    assert done.out.index("Fixing:") < done.out.index("commands run, 0 failed")
    assert "Checked again: nothing is left." in done.out
    assert five.sql("SELECT count(*), sum(points) FROM nba_precompute.cache") == [(10, 90.0)]
    fired, began = five.documents()[ANALYTICS][0], five.documents()[PRECOMPUTE][0]
    assert isinstance(fired, dict)
    assert isinstance(began, dict)
    assert [(firing["generation"]) for firing in fired["firings"]] == [1]
    assert [(entry["receiver"], entry["state"]) for entry in fired["outbox"]] == [("precompute", "acked")]
    assert [line["outcome"] for line in began["seen"] if line["what"] == "begin"] == ["begun"]
    again = five("reconcile", *SPAN, "--fix")
    assert (again.code, "Nothing found" in again.out) == (0, True)


def test_json_has_what_was_found_done_and_left(five: Night) -> None:
    that_night(five)
    seen = five("reconcile", *SPAN, "--json")
    assert (seen.code, seen.json["left"], seen.json["record"], seen.json["applied"]) == (1, None, None, [])
    assert {finding["code"] for finding in seen.json["findings"]} == {"PG001", "PG002"}
    done = five("reconcile", *SPAN, "--fix", "--json")
    assert (done.code, done.json["left"], done.json["unchecked"]) == (0, [], [])
    assert [one["fix"] for one in done.json["applied"]] == seen.json["fixes"]
    assert done.json["record"] in five.documents()
    page = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text()
    section = page.partition("\n## `phasegate reconcile`\n")[2].partition("\n## ")[0]
    fields = {*done.json, *done.json["checks"][0], *seen.json["findings"][0], *done.json["applied"][0]}
    assert {field for field in fields if f"`{field}`" not in section} == set()


def test_what_only_a_person_can_mend_is_left_and_named(five: Night) -> None:
    played(five)
    five.sql(f"UPDATE nba_raw.gamebook SET points = 99 WHERE game_date = '{DATE}'")
    done = five("reconcile", *SPAN, "--fix")
    assert done.code == 1
    assert "No command of Phasegate can fix this" in done.out
    assert f"next: start the program that writes gamebook again, for {RUN}" in done.out


def test_a_check_that_raises_is_not_evaluated_whatever_else_was_found(five: Night) -> None:
    that_night(five)
    five.sql("ALTER TABLE nba_analytics.team_offense RENAME COLUMN player TO somebody")
    done = five("reconcile", *SPAN, "--verbose")
    assert done.code == 2
    assert "PG018 error: check duplicates: not evaluated" in done.out
    assert "PG002 error" in done.out
    assert any(line.startswith("fences ") and " OK " in line for line in done.out.splitlines())


def test_the_last_days_are_those_of_the_pipelines_zone(five: Night) -> None:
    played(five)
    assert five("reconcile", "--json").json["first"] == "2026-01-29"
    five.clock.at += 16 * HOUR  # past midnight in UTC, the same day in New York
    document = five("reconcile", "--days", "2", "--json").json
    assert (document["first"], document["last"]) == ("2026-02-04", "2026-02-05")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--days", "3", "--from", DATE), "--days and --from"),
        (("--from", "2026-02-04", "--to", DATE), "is after"),
        (("--from", "1999-01-01"), "are read at once; name fewer"),
        (("--from", "soon"), "write YYYY-MM-DD"),
        (("--phase", "analitics"), "unknown phase 'analitics'"),
        (("--days", "0"), "0"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(arguments: tuple[str, ...], said: str, five: Night) -> None:
    played(five)
    done = five("reconcile", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_without_a_state_nothing_is_made_and_nothing_is_fine(night: Night) -> None:
    done = night("reconcile")
    assert (done.code, done.out) == (2, "")
    assert "there is no state at" in done.err
    assert not (night.folder / ".phasegate").exists()


def test_two_processes_that_mend_at_once_do_no_harm(five: Night) -> None:
    that_night(five)
    both = [five.start("reconcile", *SPAN, "--fix") for _ in range(2)]
    for process in both:
        try:
            process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert [process.returncode for process in both if process.returncode not in (0, 1)] == []
    assert five("reconcile", *SPAN, "--fix").code == 0
    fired = five.documents()[ANALYTICS][0]
    assert isinstance(fired, dict)
    assert [entry["state"] for entry in fired["outbox"]] == ["acked"]
    assert len(fired["firings"]) == 1
    assert five.sql("SELECT count(*), sum(points) FROM nba_precompute.cache") == [(10, 90.0)]
