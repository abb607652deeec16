"""Each finding in a real state: planted, found, explained, left alone, fixed by one command, and found no more."""

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nba_props.sources.parquet import ParquetSource
from phasegate.base.codec import decode
from phasegate.base.findings import GRACE_S, Finding, exit_code, listed
from phasegate.base.keys import parse_run
from phasegate.explain.late_results import Coverage
from phasegate.gate.phase import Phase
from tests.support.planted_dates import (
    CACHE,
    DAY,
    FEATURES,
    FIRST,
    GAMEBOOK,
    LAST,
    MIRROR,
    RUN,
    SUMMARY,
    State,
    codes,
    play,
)
from tests.support.real_data import ROOT

ANALYTICS, RAW = f"phase:nba:analytics:{RUN}", f"phase:nba:raw:{RUN}"
PRECOMPUTE = f"phase:nba:precompute:{RUN}"
TABLE = f"nba_analytics.{SUMMARY}"
HOUR = 3600.0
Body = dict[str, Any]


@pytest.fixture(scope="module")
def played(nba_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ParquetSource, float]:
    folder, source = tmp_path_factory.mktemp("played") / "state", ParquetSource(nba_data)
    return folder, source, play(source, folder)


@pytest.fixture(scope="module")
def digests(played: tuple[Path, ParquetSource, float], tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What every table holds before anything is planted."""
    folder, source, at = played
    return State.copied(folder, tmp_path_factory.mktemp("whole") / "state", source, at).digests()


@pytest.fixture
def state(played: tuple[Path, ParquetSource, float], tmp_path: Path) -> State:
    folder, source, at = played
    return State.copied(folder, tmp_path / "state", source, at)


def miscounted(state: State) -> None:
    state.rewrite(f"{MIRROR}:{DAY}", lambda body: body["data"].update(_completed_count=3, _triggered=False))


def unfired(state: State) -> None:
    state.rewrite(ANALYTICS, lambda body: body.update(firings=[], outbox=[]))
    state.lose_precompute()


def unsent(state: State) -> None:
    state.rewrite(ANALYTICS, lambda body: body["outbox"][0].update(state="unsent", sends=0))
    state.lose_precompute()


def sent_and_lost(state: State) -> None:
    state.rewrite(ANALYTICS, lambda body: body["outbox"][0].update(state="sent"))
    state.lose_precompute()


def acknowledged_and_lost(state: State) -> None:
    state.lose_precompute()


def unreported(state: State) -> None:
    """The report of a write was lost, and with it everything that followed."""

    def lose(body: Body) -> None:
        body["members"].pop(SUMMARY)
        body.update(firings=[], outbox=[])

    state.rewrite(ANALYTICS, lose)
    state.lose_precompute()


def changed_past_us(state: State) -> None:
    state.sql(f"UPDATE {TABLE} SET points = points + 1 WHERE game_date = '{DAY}'")


def lost_receipt(state: State) -> None:
    state.sql(f"DELETE FROM phasegate.receipts WHERE table_name = '{TABLE}' AND partition = '{DAY}'")


def absent(state: State) -> None:
    state.forget(f"phase:nba:%:{RUN}")


def quarantined(state: State) -> None:
    """A scraper's report came while the calendar did not know the date."""
    with state.pipeline() as pipeline:
        body = {"kind": "completion", "step": GAMEBOOK, "run": RUN, "completed_at": state.clock.at}
        pipeline.runs.quarantine.put("nba.completions", body, reason="the calendar has no answer for it")


def left_lease(state: State) -> None:
    ended = state.clock.at - HOUR / 2
    state.rewrite(f"lease:main:{TABLE}:{DAY}", lambda body: body.update(holder="dead", until=ended, purpose="write"),
                  due=ended)  # fmt: skip


def doubled(state: State) -> None:
    state.sql(f"INSERT INTO {TABLE} SELECT * FROM {TABLE} WHERE game_date = '{DAY}' LIMIT 72")


def doubled_raw(state: State) -> None:
    """An older copy of some rows beside the newer ones, in a table that a scraper writes through the fence."""
    table = f"nba_raw.{GAMEBOOK}"
    state.sql(f"INSERT INTO {table} SELECT * REPLACE (source_updated_at - INTERVAL 1 DAY AS source_updated_at, "
              f"points - 1 AS points) FROM {table} WHERE game_date = '{DAY}' LIMIT 20")  # fmt: skip


def stale(state: State) -> None:
    """The box scores were corrected, analytics began, and its workers died."""
    state.change_gamebook(DAY)
    with state.pipeline() as pipeline:
        assert pipeline.serve_one()
    state.clock.at += HOUR


def drifted(state: State) -> None:
    """The first date was corrected: those near it are built again, those further on only remember."""
    state.change_gamebook(FIRST)
    with state.pipeline() as pipeline:
        pipeline.work_until_idle()


def replanned(state: State) -> None:
    with state.pipeline() as pipeline:
        pipeline.runs.mark_stale("analytics", parse_run(RUN), step=SUMMARY)
    state.rewrite(ANALYTICS, lambda body: body["gate"].update(hash="older"), due=state.clock.at)


def given_up(state: State) -> None:
    def kill(body: Body) -> None:
        member = body["members"][SUMMARY]
        member["stale"] = "unknown"
        member["attempt"] = {"status": "failed", "at": state.clock.at, "error": "the disk was full", "count": 5}
        body["requests"][SUMMARY] = {
            "id": "request.nba.analytics.gone", "inputs": member["result"]["built_from"], "state": "dead",
            "opened_at": state.clock.at - HOUR, "due": state.clock.at,
        }  # fmt: skip

    state.rewrite(ANALYTICS, kill)


def another_store(state: State) -> None:
    state.sql(f"UPDATE phasegate.fence SET store_id = 'another' WHERE partition = '{DAY}'")


def older_store(state: State) -> None:
    state.rewrite(f"lease:main:{TABLE}:{DAY}", lambda body: body.update(token=0))


def lost_fences(state: State) -> None:
    state.sql(f"DELETE FROM phasegate.fence WHERE partition = '{DAY}'")


def unknown_date(state: State) -> None:
    state.forget("calendar:nba:dates:2025-01")


def put_off(state: State) -> None:
    later = state.clock.at + HOUR

    def fail(body: Body) -> None:
        body["_failures"] = 4
        body["members"][SUMMARY]["stale"] = "unknown"

    state.rewrite(ANALYTICS, fail, due=later + 48 * HOUR)


PLANTED: dict[str, tuple[str, Callable[[State], None]]] = {
    "the old readers' count": ("PG001", miscounted),
    "complete, and not fired": ("PG002", unfired),
    "fired, and not sent": ("PG003", unsent),
    "sent, and lost": ("PG004", sent_and_lost),
    "acknowledged, and its effect lost": ("PG004", acknowledged_and_lost),
    "written, and not reported": ("PG005", unreported),
    "changed past Phasegate": ("PG006", changed_past_us),
    "a receipt that was lost": ("PG006", lost_receipt),
    "a run that was never opened": ("PG007", absent),
    "a message in quarantine": ("PG008", quarantined),
    "a lease that a crashed process left": ("PG009", left_lease),
    "72 rows twice": ("PG010", doubled),
    "an older copy of raw rows": ("PG010", doubled_raw),
    "late data, not built": ("PG012", stale),
    "a window that changed long ago": ("PG013", drifted),
    "a plan that changed": ("PG014", replanned),
    "a request that was given up": ("PG015", given_up),
    "fences of another store": ("PG016", another_store),
    "a store put back from a copy": ("PG016", older_store),
    "fence rows that were deleted": ("PG016", lost_fences),
    "a calendar that was lost": ("PG017", unknown_date),
    "a postponed document": ("PG019", put_off),
}
# What tells more of a finding than its own line does. The others: ``why RUN``.
EXPLAINED = {
    "PG001": "reconcile --verbose", "PG005": "why RUN --tables", "PG006": "why RUN --tables", "PG007": "calendar",
    "PG008": "dead", "PG009": "leases", "PG010": "why RUN --tables", "PG016": "why RUN --tables",
    "PG017": "reconcile --verbose",
}  # fmt: skip
PAGE = ROOT / "docs" / "reference" / "findings.md"
# What stays of the content: a correction changes it, everything else comes back to what it was.
CORRECTED = {"late data, not built", "a window that changed long ago"}


def is_explained(state: State, finding: Finding) -> bool:
    """Tell whether the command that EXPLAINED names shows it."""
    run = finding.evidence.get("run", RUN)
    with state.pipeline() as pipeline:
        match EXPLAINED.get(finding.code, "why RUN"):
            case "why RUN --tables":
                (told,) = pipeline.checks.inspector.tables(DAY, [parse_run(run)]).values()
                return finding.code in {f.code for outcome in told for f in outcome.findings}
            case "calendar":
                cells = Coverage(pipeline.plan, pipeline.ports).cells(DAY, DAY, modes=["overnight"])
                return "MISSED" in {cell.state for cell in cells}
            case "dead":
                return finding.subject in {letter.subject for letter in pipeline.views.dead()}
            case "leases":
                return finding.subject in {lease.key for lease in pipeline.views.leases() if lease.left_s < 0}
            case "why RUN":
                (view,) = (v for v in pipeline.views.why(run) if v.phase == finding.evidence["phase"])
                return view.state != "complete" or bool(view.drifted) or finding.code == "PG004"
            case _:
                return bool(finding.evidence)


def test_the_page_has_the_table_of_what_is_planted_here() -> None:
    rows = [(name, code, f"`{EXPLAINED.get(code, 'why RUN')}`", "corrected" if name in CORRECTED else "as before")
            for name, (code, _) in PLANTED.items()]  # fmt: skip
    shown = re.findall(r"^\| (.*?) \| (PG\d+) \| (.*?) \| (.*?) \|$", PAGE.read_text(), re.MULTILINE)
    assert shown == rows, "\n".join(f"| {' | '.join(row)} |" for row in rows)


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found_explained_left_alone_and_fixed(
    name: str, state: State, digests: dict[str, object]
) -> None:
    code, plant = PLANTED[name]  # before it, nothing is found: what was played is inspected once, by play
    plant(state)

    before = state.everything()
    outcomes = state.inspect()
    found = [finding for finding in listed(outcomes) if finding.code == code]
    assert found, [f"{f.code} {f.subject} {f.text}" for f in listed(outcomes)]
    assert exit_code(outcomes) == (2 if code == "PG017" else 1)
    assert state.everything() == before, "an inspection changed something"

    assert is_explained(state, found[0])
    assert state.everything() == before, "an explanation changed something"

    fixed = state.fix()
    assert [one for one in fixed.applied if one.error] == []
    assert listed(fixed.after) == []
    state.clock.at += 2 * GRACE_S
    assert listed(state.inspect()) == []
    if name not in CORRECTED:
        assert state.digests() == digests


def test_that_night_is_fixed_by_one_command(state: State, digests: dict[str, object]) -> None:
    """Five entries, a count of three, not triggered, all the data in the warehouse."""
    unfired(state)
    miscounted(state)
    state.empty_precompute()
    assert state.digests() != digests
    assert len(state.document(ANALYTICS)["members"]) == 5
    fixed = state.fix()
    assert listed(fixed.after) == []
    fired, began = state.document(ANALYTICS), state.document(PRECOMPUTE)
    assert [firing["generation"] for firing in fired["firings"]] == [1]
    assert [(entry["receiver"], entry["state"]) for entry in fired["outbox"]] == [("precompute", "acked")]
    assert [line["outcome"] for line in began["seen"] if line["what"] == "begin"] == ["begun"]
    assert began["members"].keys() >= {CACHE, FEATURES}
    assert state.digests() == digests, "the next phase did not build what it builds"
    data = state.document(f"{MIRROR}:{DAY}")["data"]
    assert (data["_completed_count"], data["_triggered"]) == (5, True)


def test_what_was_done_is_kept_in_a_document(state: State) -> None:
    unfired(state)
    fixed = state.fix()
    kept = state.document(fixed.record)
    assert (kept["found"], kept["left"], kept["first"], kept["last"]) == (len(kept["before"]), 0, FIRST, LAST)
    assert "PG002" in {told["code"] for told in kept["before"]}
    assert {one["error"] for one in kept["applied"]} == {""}
    assert f"evaluate analytics of {RUN}, and send what is due" in {one["text"] for one in kept["applied"]}
    assert (kept["after"], kept["finished_at"]) == ([], state.clock.at)


def test_two_reconcilers_and_a_worker_at_once_fire_once(state: State, digests: dict[str, object]) -> None:
    unfired(state)
    doubled(state)
    started = threading.Barrier(3)

    def work() -> None:
        with state.pipeline() as pipeline:
            started.wait()
            pipeline.work_until_idle()

    def fix() -> None:
        with state.pipeline() as pipeline:
            outcomes = pipeline.checks.inspector.inspect(FIRST, LAST)
            started.wait()
            pipeline.checks.reconciler.fix(outcomes, first=FIRST, last=LAST, work=pipeline.work_until_idle)

    threads = [threading.Thread(target=one) for one in (fix, fix, work)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state.clock.at += HOUR
    state.fix()
    assert listed(state.inspect()) == []
    assert state.digests() == digests
    fired = state.document(ANALYTICS)
    assert len({json.dumps(firing["stamps"]["player_game_summary"]["fingerprint"]) for firing in fired["firings"]}) == 1
    assert len(fired["firings"]) == 1


def test_evidence_that_is_young_is_work_under_way(state: State) -> None:
    state.change_gamebook(DAY)
    assert codes(state.inspect()) == set()
    state.clock.at += GRACE_S + 60
    assert "PG004" in codes(state.inspect())


def test_one_game_under_two_ids_is_named_and_left_to_a_person(state: State) -> None:
    table = "nba_raw.nbac_schedule"
    state.sql(f"INSERT INTO {table} SELECT * REPLACE ('0099999999' AS game_id) FROM {table} "
              f"WHERE game_date = '{DAY}' LIMIT 1")  # fmt: skip
    found = [finding for finding in listed(state.inspect()) if finding.code == "PG011"]
    assert [finding.subject for finding in found] == [f"{table}/{DAY}"]
    assert "home_team_abbr" in found[0].text
    assert "PG011" in codes(state.fix().after)


def test_a_message_that_nobody_will_ever_understand_comes_back(state: State) -> None:
    with state.pipeline() as pipeline:
        message = {"kind": "completion", "step": "no_such"}
        pipeline.runs.quarantine.put("nba.completions", message, reason="unknown step")
    assert codes(state.fix().after) == {"PG008"}


def test_a_document_that_cannot_be_read_is_a_finding_and_hides_nothing(state: State) -> None:
    state.rewrite(f"phase:nba:precompute:{RUN}", lambda body: body.update(gate=5))
    doubled(state)
    assert codes(state.inspect()) >= {"PG010", "PG019"}


def test_a_query_that_raises_is_not_evaluated_and_the_others_go_on(state: State) -> None:
    doubled(state)
    state.sql("ALTER TABLE nba_raw.nbac_schedule RENAME COLUMN game_id TO number")
    outcomes = {outcome.check: outcome for outcome in state.inspect()}
    assert outcomes["duplicates"].verdict == "not evaluated"
    assert "nbac_schedule" in outcomes["duplicates"].error
    assert [f.code for f in outcomes["duplicates"].findings] == ["PG010"], "the other tables were not asked"
    assert outcomes["fences"].verdict == "ok"
    assert exit_code(outcomes.values()) == 2


def test_one_phase_alone(state: State) -> None:
    unfired(state)
    doubled_raw(state)
    with state.pipeline() as pipeline:
        assert codes(pipeline.checks.inspector.inspect(FIRST, LAST, phase="analytics")) == {"PG001", "PG002", "PG011"}
        assert "PG010" in codes(pipeline.checks.inspector.inspect(FIRST, LAST, phase="raw"))


def test_a_result_is_decoded_as_it_is_stored(state: State) -> None:
    """The plants rewrite documents: they must stay documents, or the tests would prove nothing."""
    unfired(state)
    assert decode(Phase, state.document(ANALYTICS), key=ANALYTICS).firings == ()
