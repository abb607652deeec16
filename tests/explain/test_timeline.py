"""What happened to a run, in the order of time: pure."""

from typing import Any, get_args

import pytest

from phasegate.audit import AuditEntry
from phasegate.base.receipt import Receipt, Stamp
from phasegate.explain.timeline import TimelineEntry, TimelineKind, timeline, written
from phasegate.explain.views import acted
from phasegate.gate.phase import Phase
from phasegate.gate.records import Attempt, Entry, Firing, Member, Request, Result, Seen
from tests.support.phase_commands import GATE

PHASE = Phase(
    gate=GATE, opened_at=1_000.0, looked_at=1_000.0,
    members={
        "team": Member(result=Result(stamp=Stamp("10-abc", 7), built_from={}, at=1_300.0)),
        "player": Member(attempt=Attempt(status="failed", at=1_250.0, error="no such column", count=1)),
    },
    requests={
        "player": Request(id="r1", inputs={}, state="parked", opened_at=1_200.0, due=2_000.0, sends=2, reason="waits"),
        "trend": Request(id="r2", inputs={}, state="open", opened_at=1_210.0, due=2_000.0, sends=1),
    },
    firings=(Firing(generation=1, stamps={}, at=1_400.0, by="a", missing=("odds",)),),
    outbox=(
        Entry(generation=1, receiver="precompute", state="acked", due=1_400.0, sends=3, at=1_500.0),
        Entry(generation=1, receiver="slack", state="unsent", due=1_400.0, at=1_400.0),
    ),
    seen=(
        Seen(attempt="a", what="report", subject="odds", at=1_100.0, outcome="older"),
        Seen(attempt="b", what="pause", subject="", at=1_150.0, outcome="paused"),
    ),
)  # fmt: skip
RECEIPT = Receipt(
    write_id="w", table="nba.team", partition="2026-02-03", run="2026-02-03.overnight", step="team", token=7,
    fingerprint="10-abc", built_from={}, build="abc123", committed_at=1_290.0, rows=10, inserted=8, updated=2,
)  # fmt: skip


def said(entries: list[TimelineEntry]) -> list[tuple[float, str, str, str]]:
    return [(one.at, one.kind, one.step, one.text) for one in entries]


def test_everything_that_a_document_holds_is_listed_the_newest_first() -> None:
    assert said(timeline({"analytics": PHASE})) == [
        (1_500.0, "trigger", "", "generation 1 acknowledged by precompute, sent 3 times"),
        (1_400.0, "trigger", "", "generation 1 not sent to slack yet"),
        (1_400.0, "fired", "", "generation 1, without odds: the deadline passed, or enough members were fresh"),
        (1_300.0, "result", "team", "accepted: success, 10 rows, token 7"),
        (1_250.0, "attempt", "player", "failed: no such column"),
        (1_210.0, "request", "trend", "asked for once, not answered yet"),
        (1_200.0, "request", "player", "asked for 2 times, parked: waits"),
        (1_150.0, "command", "", "pause: paused"),
        (1_100.0, "report", "odds", "report of odds: older"),
        (1_000.0, "opened", "", "opened"),
    ]
    assert {one.phase for one in timeline({"analytics": PHASE})} == {"analytics"}


def test_what_other_documents_say_is_put_in_its_place() -> None:
    attempt = TimelineEntry(1_249.0, "attempt", "analytics", "player", "attempt 1: failed: no such column")
    found = timeline({"analytics": PHASE}, more=[written(RECEIPT, phase="analytics"), attempt])
    assert [one.at for one in found] == sorted((one.at for one in found), reverse=True)
    assert [one for one in said(found) if one[1] in ("write", "attempt")] == [
        (1_290.0, "write", "team", "10 rows in nba.team/2026-02-03, token 7 (8 inserted, 2 updated), by build abc123, "
         "for 2026-02-03.overnight"),
        (1_249.0, "attempt", "player", "attempt 1: failed: no such column"),
    ]  # fmt: skip


def test_several_phases_are_listed_together() -> None:
    found = timeline({"raw": PHASE, "analytics": PHASE})
    assert [one.phase for one in found[:2]] == ["analytics", "raw"]
    assert {one.kind for one in found} | {"write", "lease", "act"} == set(get_args(TimelineKind))


@pytest.mark.parametrize(
    ("ended", "text"),
    [
        ({"finished_at": 1_151.0, "outcome": "paused: a"}, "ada (page): phasegate pause RUN; paused: a"),
        ({"finished_at": 1_151.0, "outcome": "no", "failed": True}, "ada (page): phasegate pause RUN; failed: no"),
        ({}, "ada (page): phasegate pause RUN; not ended"),
    ],
)
def test_an_act_of_a_person_comes_before_what_it_commanded(ended: dict[str, Any], text: str) -> None:
    entry = AuditEntry(by="ada", via="page", command="phasegate pause RUN", at=1_150.0, **ended)
    found = timeline({"a": PHASE}, more=[acted(entry)])
    assert [(one.kind, one.text) for one in found if one.at == 1_150.0] == [("command", "pause: paused"), ("act", text)]
