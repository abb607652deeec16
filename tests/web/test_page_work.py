"""An action that works is recorded as failed if it failed, was stopped, or left what it should have done."""

import re
from pathlib import Path

import pytest

from phasegate.actions.action import parse_action
from phasegate.actions.deed import DeedResult
from phasegate.actions.prepare import carry_out, prepare
from phasegate.base.findings import CheckResult
from phasegate.errors import Unavailable
from phasegate.stores.sqlite import SQLiteStore
from phasegate.work.pool import Stop, never
from tests.support.commands import HOUR, RUN, Night
from tests.support.pages import Tags, asked, done
from tests.support.service import Served

DAY = "2026-02-03"
WORK, SWEEP = "phasegate worker --until-idle", "phasegate sweep"
REBUILD = f"phasegate backfill --from 2026-02-02 --to {DAY} --steps player_game"
FIX = f"phasegate reconcile --from 2026-02-02 --to {DAY} --fix"
NONSENSE = "SELECT nonsense FROM nba_raw.gamebook WHERE game_date = $run_date"


def loaded(night: Night, run: str = RUN) -> None:
    night.scrape(10, run=run)
    assert night("complete", "odds", "--run", run, "--rows", "10").code == 0


def result_of(night: Night, command: str, *, stop: Stop = never) -> DeedResult:
    """Carry out an action in this process."""
    action = parse_action(command)
    assert action is not None
    with night.pipeline() as pipeline:
        return carry_out(pipeline, action, prepare(pipeline, action, stop=stop), by="ada", via="page")[1]


def break_document(night: Night) -> None:
    """Make a document that is due, and that cannot be handled."""
    store = SQLiteStore(Path(night.folder) / ".phasegate" / "phasegate.db")
    doc = store.read(f"phase:nba:raw:{RUN}")
    assert doc is not None
    store.write(doc.key, {**doc.body, "members": 7}, due=night.clock.at - 5, expect=doc.version)
    store.close()


@pytest.mark.parametrize("command", [WORK, SWEEP])
def test_a_document_that_cannot_be_handled_is_a_failure_each_time(night: Night, command: str) -> None:
    loaded(night)
    night("worker", "--until-idle")
    for _ in range(2):
        break_document(night)
        result = result_of(night, command)
        assert result.failed
        assert f"phase:nba:raw:{RUN} could not be handled" in "; ".join(result.lines)
    assert all(entry["failed"] for entry in night("audit", "--json").json["entries"])


@pytest.mark.parametrize("command", [WORK, REBUILD, FIX])
def test_what_is_stopped_before_the_end_has_failed(night: Night, command: str) -> None:
    loaded(night)
    night("worker", "--until-idle")
    night.sql("UPDATE nba_analytics.player_game SET points = 99")  # past the fence
    night.clock.at += HOUR
    result = result_of(night, command, stop=lambda: True)
    assert (result.failed, "stopped before the end" in result.lines) == (True, True)
    assert not re.search(r"nothing was left|runs? handled", "; ".join(result.lines))


@pytest.mark.parametrize("command", [WORK, REBUILD])
def test_a_step_that_died_is_named(night: Night, command: str) -> None:
    loaded(night)
    if command == REBUILD:
        night("worker", "--until-idle")
    (night.folder / "player_game.sql").write_text(NONSENSE)
    result = result_of(night, command)
    assert result.failed
    assert f"dead: request player_game of {RUN}" in "; ".join(result.lines)


def test_what_was_dead_before_is_no_failure_of_the_work(night: Night) -> None:
    loaded(night)
    (night.folder / "player_game.sql").write_text(NONSENSE)
    night("worker", "--until-idle")
    result = result_of(night, WORK)
    assert (result.failed, night("dead").code) == (False, 1)


def test_a_sweep_only_sweeps_and_work_builds(service: Served, night: Night) -> None:
    loaded(night)
    assert "Nothing is built" in Tags(asked(service, SWEEP).text).words
    done(service, SWEEP)
    with pytest.raises(Exception, match="player_game"):
        night.sql("SELECT count(*) FROM nba_analytics.player_game")
    done(service, WORK)
    assert night.sql("SELECT count(*) FROM nba_analytics.player_game") == [(10,)]


def test_what_lacks_data_is_shown_beforehand_and_is_a_failure(service: Served, night: Night) -> None:
    night.scrape(10)  # odds is not reported
    command = f"phasegate backfill --from {DAY} --to {DAY}"
    shown = Tags(asked(service, command).text).words
    assert f"raw of {RUN}: missing odds; no data from odds" in shown
    assert "no data from odds" in done(service, command).words
    assert night("audit", "--json").json["entries"][0]["failed"]


def test_what_cannot_be_evaluated_is_not_nothing_to_do(
    service: Served, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded(night)
    night("worker", "--until-idle")

    def away() -> object:
        raise Unavailable("warehouse.duckdb: cannot be opened")

    monkeypatch.setattr(service.pipeline.ports.warehouse, "snapshot", away)
    answer = asked(service, f"phasegate reconcile --from {DAY} --to {DAY} --fix")
    assert "There is nothing to do now" not in answer.text
    assert "cannot be opened" in answer.text


def test_a_fix_names_what_could_not_be_evaluated_beside_what_it_does(
    service: Served, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded(night)
    night("worker", "--until-idle")
    night.sql("UPDATE nba_analytics.player_game SET points = 99")  # past the fence
    night.clock.at += HOUR
    inspector = service.pipeline.checks.inspector
    found = inspector.inspect(DAY, DAY)
    away = CheckResult(check="calendar", error="the source is away")
    monkeypatch.setattr(inspector, "inspect", lambda *_args, **_more: [*found, away])
    command = f"phasegate reconcile --from {DAY} --to {DAY} --fix"
    shown = Tags(asked(service, command).text).words
    assert "check calendar could not be evaluated: the source is away" in shown
    assert f"build {RUN} analytics.player_game again" in shown


@pytest.mark.parametrize(
    "command", ["phasegate backfill --from {} --to {}", "phasegate reconcile --from {} --to {} --fix"]
)
def test_more_than_a_year_of_dates_is_left_to_the_command_line(service: Served, night: Night, command: str) -> None:
    night.scrape(10)
    answer = asked(service, command.format("2025-01-29", DAY), by="reader")
    assert (answer.status_code, "more than 370 dates; type the command" in answer.text) == (400, True)
    assert "more than 370" not in asked(service, command.format("2025-01-30", DAY), by="reader").text


def test_a_fix_over_http_that_leaves_findings_has_failed(service: Served, night: Night) -> None:
    loaded(night)
    night("worker", "--until-idle")
    night.sql("UPDATE nba_analytics.player_game SET points = 99")  # past the fence
    night.sql("UPDATE nba_raw.gamebook SET points = 98")  # only its writer can write them again
    night.clock.at += HOUR
    answer = service.post("/reconcile", {"from": DAY, "to": DAY, "fix": True})
    assert answer.json()["left"]
    (entry,) = night("audit", "--json").json["entries"]
    assert (entry["failed"], "left: PG" in entry["outcome"]) == (True, True)
