# ruff: noqa: E501  an error is one line, and so is what is expected of it
"""When a result was expected, when it came, and what that means: pure."""

import pytest
from hypothesis import assume, given
from msgspec.structs import replace

from phasegate.base.dates import local_time
from phasegate.base.findings import exit_code
from phasegate.base.keys import Run, phase_key
from phasegate.base.receipt import Stamp
from phasegate.calendar.month import Day
from phasegate.errors import BadInput
from phasegate.explain.lateness import DateFacts, Lateness, judge, outcome
from phasegate.gate import decisions
from phasegate.gate.decisions import Report
from phasegate.gate.phase import Phase
from phasegate.gate.records import Member
from phasegate.plan.gate import Status
from phasegate.plan.load import load_plan
from phasegate.plan.model import Plan
from tests.support.phase_commands import Command, commands, states

ON = "2026-02-03"
HOUR = 3600.0
END = local_time("23:30", ON, timezone="America/New_York")
GAMES = Day(date=ON, state="work", anchors={"last_game_end": END})
BOX = 'expected_by.overnight = "last_game_end + 2h"'
PLAN = f"""\
pipeline = "nba"
timezone = "America/New_York"
calendar = "made:dates"
[phase.raw]
modes.overnight = {{ expect = "*" }}
modes.same_day = {{ expect = ["odds"] }}
[step.box]
phase = "raw"
external = true
{BOX}
[step.odds]
phase = "raw"
external = true
table = "raw.odds"
key = ["day", "id"]
partition = "day"
version = "at"
expected_by = "12:00"
expected_zone = "America/Los_Angeles"
late_after_s = 600
"""


def plan_with(old: str = "", new: str = "") -> Plan:
    assert old in PLAN
    return load_plan(PLAN.replace(old, new, 1))


def told(phase: Phase | None, plan: Plan, mode: str, *reports: tuple[str, Status, float]) -> Phase:
    """Return a document that was opened an hour before the last game's end, and heard these reports."""
    run = Run(ON, mode)
    key = phase_key("nba", "raw", run=run)
    if phase is None:
        gate = plan.gate("raw", run=run, opened_at=END - HOUR)
        phase = decisions.open_phase(key=key, gate=gate, now=END - HOUR, attempt="o")(None)[0]
    for n, (step, status, at) in enumerate(reports):
        rows = 10 if status == "success" else 0
        said = Report(member=step, status=status, order=at, stamp=Stamp(f"{rows}-{n}"), rows=rows, error="no answer")
        phase = decisions.report(said, key=key, now=at, attempt=f"r{at}")(phase)[0]
    assert phase is not None
    return phase


def said_of(
    plan: Plan, mode: str, phases: dict[str, Phase], *, step: str = "box", now: float = END + 24 * HOUR
) -> Lateness:
    known = DateFacts(day=GAMES, calendar=True, phases={("raw", of): phase for of, phase in phases.items()})
    [row] = [row for row in judge(plan, on=ON, known=known, now=now) if (row.step, row.run) == (step, f"{ON}.{mode}")]
    return row


def test_only_the_first_result_with_rows_counts() -> None:
    plan = plan_with()
    early: list[tuple[str, Status, float]] = [("box", "empty", END), ("box", "transient", END + HOUR)]
    phase = told(None, plan, "overnight", *early)
    assert phase.members["box"].delivered_at is None
    assert said_of(plan, "overnight", {"overnight": phase}).reason == "the last try failed: no answer"
    phase = told(phase, plan, "overnight", ("box", "success", END + 7 * HOUR), ("box", "success", END + 20 * HOUR))
    row = said_of(plan, "overnight", {"overnight": phase})
    assert (row.verdict, row.arrived_at, row.late_s) == ("late", END + 7 * HOUR, 5 * HOUR)
    assert row.last_at == END + 20 * HOUR


def test_a_failure_or_an_empty_result_after_the_rows_takes_nothing_back() -> None:
    plan = plan_with()
    phase = told(
        None, plan, "overnight", ("box", "success", END), ("box", "failed", END + 9 * HOUR), ("box", "empty", END + 1e5)
    )
    row = said_of(plan, "overnight", {"overnight": phase})
    assert (row.verdict, row.arrived_at) == ("on time", END)


def test_a_document_from_before_the_first_time_was_kept_counts_from_its_result() -> None:
    plan = plan_with()
    phase = told(None, plan, "overnight", ("box", "success", END + HOUR))
    old = replace(phase, members={"box": replace(phase.members["box"], delivered_at=None)})
    assert said_of(plan, "overnight", {"overnight": old}).arrived_at == END + HOUR
    again = told(old, plan, "overnight", ("box", "success", END + 10 * HOUR))
    assert said_of(plan, "overnight", {"overnight": again}).verdict == "on time"


def test_a_time_for_all_modes_is_in_its_own_zone_and_with_its_own_patience() -> None:
    plan = plan_with()
    noon = local_time("15:00", ON, timezone="America/New_York")
    for mode in ("overnight", "same_day"):
        row = said_of(plan, mode, {}, step="odds")
        assert (row.expected_at, row.late_at, row.verdict) == (noon, noon + 600, "never")


def test_two_modes_have_one_table_so_the_earlier_of_them_counts_once_a_run_has_it_at_all() -> None:
    plan = plan_with()
    noon = local_time("15:00", ON, timezone="America/New_York")
    same_day = told(None, plan, "same_day", ("odds", "success", noon))
    overnight = told(None, plan, "overnight", ("odds", "success", END))
    assert said_of(plan, "overnight", {"overnight": overnight}, step="odds").verdict == "late"
    assert said_of(plan, "overnight", {"overnight": overnight, "same_day": same_day}, step="odds").verdict == "on time"
    assert said_of(plan, "overnight", {"same_day": same_day}, step="odds").verdict == "never"


def test_without_a_calendar_every_date_is_expected() -> None:
    plain = load_plan(PLAN.replace('calendar = "made:dates"\n', "").replace(BOX, 'expected_by.overnight = "07:00 +1d"'))
    rows = judge(plain, on=ON, known=DateFacts(day=None, calendar=False), now=END + 24 * HOUR)
    assert [row.verdict for row in rows] == ["never"] * 3


def test_what_the_calendar_does_not_know_is_not_evaluated_and_names_what_has_it_asked() -> None:
    plan = plan_with()
    for source_error, command in (
        ("", f"phasegate reconcile --from {ON} --to {ON} --fix"),
        ("down", "fix the calendar's source, then: phasegate sweep"),
    ):
        rows = judge(
            plan, on=ON, known=DateFacts(day=None, calendar=True, calendar_error=source_error), now=END + 24 * HOUR
        )
        assert {row.verdict for row in rows} == {"unknown"}
        assert {row.command for row in rows} == {command}
        found = outcome(rows)
        assert (found.verdict, found.evaluated, exit_code([found])) == ("not evaluated", 0, 2)


def test_an_anchor_that_the_calendar_does_not_give_is_not_evaluated() -> None:
    known = DateFacts(day=Day(date=ON, state="work"), calendar=True)
    rows = judge(plan_with(), on=ON, known=known, now=END)
    assert {row.step: row.verdict for row in rows} == {"box": "unknown", "odds": "never"}
    found = outcome(rows)
    assert "the calendar gives no last_game_end" in found.error
    assert len(found.findings) == 2


def test_a_document_that_cannot_be_read_is_not_evaluated() -> None:
    known = DateFacts(day=GAMES, calendar=True, unreadable=frozenset({("raw", "overnight")}))
    rows = judge(plan_with(), on=ON, known=known, now=END + 24 * HOUR)
    assert [row.verdict for row in rows] == ["unknown", "unknown", "never"]


def test_findings_name_the_run_the_step_and_what_to_type() -> None:
    plan = plan_with()
    phase = told(None, plan, "overnight", ("box", "success", END + 7 * HOUR))
    known = DateFacts(day=GAMES, calendar=True, phases={("raw", "overnight"): phase})
    found = outcome(judge(plan, on=ON, known=known, now=END + 24 * HOUR))
    box, odds = found.findings[0], found.findings[1]
    assert (box.code, box.subject, box.text) == (
        "PG020",
        f"{ON}.overnight raw.box",
        "arrived 5 h 00 after it was expected",
    )
    assert box.evidence == {
        "expected_at": "2026-02-04T06:30:00Z", "late_at": "2026-02-04T10:30:00Z", "arrived_at": "2026-02-04T11:30:00Z",
        "last": "success",
    }  # fmt: skip
    assert (odds.code, odds.severity, odds.command) == (
        "PG021",
        "error",
        f"deliver odds of {ON}, then: phasegate complete odds --run {ON}.overnight",
    )
    assert odds.since == local_time("15:00", ON, timezone="America/New_York")


def test_many_errors_are_counted_not_all_told() -> None:
    rows = [Lateness(run=f"{n}", phase="raw", step="box", verdict="unknown", reason=f"e{n}") for n in range(5)]
    assert outcome(rows).error == "e0; e1; e2; and 2 more"


def test_no_gate_knows_of_an_expectation() -> None:
    run, bare = Run(ON, "overnight"), PLAN.replace(BOX, "").replace('expected_by = "12:00"\n', "")
    bare = bare.replace('expected_zone = "America/Los_Angeles"\nlate_after_s = 600\n', "")
    assert "expected" not in bare
    gates = [load_plan(text).gate("raw", run=run, opened_at=0.0) for text in (PLAN, bare)]
    assert gates[0] == gates[1]
    assert gates[0].hash == gates[1].hash
    codes = [[step.code for step in load_plan(text).steps.values()] for text in (PLAN, bare)]
    assert codes[0] == codes[1]


REFUSED = {
    "form": ("expected_by.overnight = 7", "[step.box] expected_by.overnight: is 7, wanted"),
    "type": ("expected_by = 7", "[step.box] expected_by: is 7, wanted"),
    "empty": ("expected_by = {}", '[step.box] expected_by: is empty, wanted a time, or one for a mode: { overnight = "07:00 +1d" }'),
    "mode": ('expected_by.same_day = "07:00"', '[step.box] expected_by.same_day: "same_day" is not a mode with this step'),
    "opening": ('expected_by = "open + 8h"', '"open + 8h" counts from the opening of the run, so one that is never opened would never be late'),
    "zone": ('expected_by = "07:00"\nexpected_zone = "America/New_Yrok"', 'expected_zone: unknown time zone "America/New_Yrok"; did you mean'),
    "zone without a local time": (f'{BOX}\nexpected_zone = "UTC"', "expected_zone: does nothing: no time of expected_by is a local one"),
    "zone alone": ('expected_zone = "UTC"', "[step.box] expected_zone: does nothing without expected_by"),
    "patience alone": ("late_after_s = 60", "[step.box] late_after_s: does nothing without expected_by"),
    "patience": (f"{BOX}\nlate_after_s = -1", "late_after_s: is -1, wanted a number from 0 to"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_an_expectation_that_says_nothing_is_refused(case: str) -> None:
    written, why = REFUSED[case]
    with pytest.raises(BadInput) as refused:
        plan_with(BOX, written)
    assert why in str(refused.value)


def test_an_anchor_without_a_calendar_is_refused() -> None:
    with pytest.raises(BadInput, match='"last_game_end" is an anchor from a calendar, and this plan has none'):
        plan_with('calendar = "made:dates"\n')


@given(states(), commands)
def test_when_something_was_first_delivered_never_changes_and_no_rows_deliver_nothing(
    state: Phase | None, command: Command
) -> None:
    assume(state is not None)
    assert state is not None
    after, _ = command.decide("a1")(state)
    assert after is not None
    for name, member in after.members.items():
        before = state.members.get(name, Member()).delivered_at
        assert member.delivered_at == before or before is None
        if before is None and member.delivered_at is not None:
            assert command.name == "report"
            assert member.delivered_at == command.now
            assert member.result is not None
            assert member.result.status == "success"
