"""Which word a date gets, and what a gap is: pure."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from phasegate.base.dates import local_time
from phasegate.base.keys import Run, phase_key
from phasegate.base.receipt import ABSENT, Stamp
from phasegate.calendar.month import Day
from phasegate.explain.coverage import COVERS, GAPS, PATIENCE_S, Cell, Cover, Gap, cover, gaps, worst
from phasegate.explain.lateness import DateFacts
from phasegate.gate import decisions
from phasegate.gate.decisions import Report
from phasegate.gate.phase import Phase
from phasegate.gate.records import Claim, Entry, Firing, Window
from phasegate.plan.gate import Status
from phasegate.plan.load import load_plan
from phasegate.plan.model import Plan

ON = "2026-02-03"
HOUR = 3600.0
ZONE = "America/New_York"
END = local_time("23:30", ON, timezone=ZONE)
OVER = local_time("00:00", "2026-02-04", timezone=ZONE)
PLAN = """\
pipeline = "nba"
timezone = "America/New_York"
calendar = "made:dates"
[phase.raw]
modes.night = { expect = "*", deadline = "last_game_end + 6h", start = "schedule last_game_end" }
modes.day = { expect = ["odds"], start = "schedule 10:00" }
[phase.analytics]
after = "raw"
[step.box]
phase = "raw"
external = true
expected_by.night = "last_game_end + 1h"
[step.odds]
phase = "raw"
external = true
[step.sums]
phase = "analytics"
needs = ["raw.odds"]
external = true
"""
WHOLE = load_plan(PLAN)
PLAIN = load_plan(
    PLAN.replace('calendar = "made:dates"\n', "")
    .replace(', deadline = "last_game_end + 6h", start = "schedule last_game_end"', "")
    .replace(', start = "schedule 10:00"', "")
    .replace('expected_by.night = "last_game_end + 1h"\n', "")
)
GAMES = Day(date=ON, state="work", anchors={"last_game_end": END}, reason="2 games")


def opened(phase: str, mode: str, *told: tuple[str, Status], plan: Plan = WHOLE, at: float = END) -> Phase:
    run = Run(ON, mode)
    key = phase_key("nba", phase, run=run)
    gate = replace(plan.gate(phase, run=run, opened_at=at, anchors=GAMES.anchors), receivers=())
    made: Phase | None = decisions.open_phase(key=key, gate=gate, now=at, attempt="o")(None)[0]
    for n, (step, status) in enumerate(told):
        said = Report(member=step, status=status, order=n + 1.0, stamp=Stamp(f"10-{n}"), rows=10)
        made = decisions.report(said, key=key, now=at + n, attempt=f"r{n}")(made)[0]
    assert made is not None
    return made


def cells(
    *phases: Phase, now: float, mode: str = "night", day: Day | None = GAMES, plan: Plan = WHOLE,
    calendar_error: str = "", inside: bool = True,
) -> dict[str, Cell]:  # fmt: skip
    named = {(plan.steps[next(iter(one.gate.members))].phase, mode): one for one in phases}
    known = DateFacts(day=day, calendar=plan.calendar is not None, phases=named, calendar_error=calendar_error)
    found = cover(plan, on=ON, known=known, now=now, modes=[mode], inside=inside)
    assert {cell.run for cell in found} <= {f"{ON}.{mode}"}
    return {cell.phase: cell for cell in found}


def states(found: dict[str, Cell]) -> dict[str, Cover]:
    return {phase: cell.state for phase, cell in found.items()}


COMPLETE: tuple[tuple[str, Status], ...] = (("box", "success"), ("odds", "success"))


def test_what_is_ahead_has_no_place_and_what_is_under_way_is_running() -> None:
    assert cells(now=END - 1) == {}
    assert states(cells(now=END + 1)) == {"raw": "RUNNING", "analytics": "RUNNING"}
    assert states(cells(now=OVER - 20 * HOUR, mode="day")) == {}
    assert states(cells(now=OVER - 12 * HOUR, mode="day")) == {"raw": "RUNNING", "analytics": "RUNNING"}


def test_a_run_that_was_never_opened_is_missed_from_its_deadline_on_or_a_day_after_its_date() -> None:
    at = END + 5 * HOUR  # its box scores are late then, an hour before the deadline
    assert states(cells(now=at))["raw"] == "RUNNING"
    missed = cells(now=at + 1)["raw"]
    assert (missed.state, missed.reason) == ("MISSED", "its run was never opened")
    assert (
        missed.command == f"deliver what its tables lack, then: phasegate backfill --from {ON} --to {ON} --mode night"
    )
    assert states(cells(now=OVER + PATIENCE_S, mode="day"))["raw"] == "RUNNING"
    assert states(cells(now=OVER + PATIENCE_S + 1, mode="day")) == {"raw": "MISSED", "analytics": "MISSED"}


def test_a_run_that_waits_is_running_until_its_results_are_late_and_late_from_then_on() -> None:
    raw = opened("raw", "night", ("odds", "success"))
    assert states(cells(raw, now=END + 5 * HOUR))["raw"] == "RUNNING"
    late = cells(raw, now=END + 5 * HOUR + 1)["raw"]
    assert (late.state, late.command) == ("LATE", f"deliver box of {ON}, then: phasegate complete box --run {ON}.night")
    came = opened("raw", "night", ("box", "success"))
    assert states(cells(came, now=END + 5 * HOUR + 1))["raw"] == "RUNNING", "the box scores are there"
    assert states(cells(came, now=END + 6 * HOUR + 1))["raw"] == "LATE", "its deadline"


def test_a_phase_behind_one_that_has_not_fired_waits_and_behind_one_that_has_is_missed() -> None:
    now = OVER + PATIENCE_S + 1
    waits = cells(opened("raw", "night", ("odds", "success")), now=now)["analytics"]
    assert (waits.state, waits.reason) == ("LATE", "it waits for raw")
    lost = cells(opened("raw", "night", *COMPLETE), now=now)["analytics"]
    assert (lost.state, lost.reason) == ("MISSED", "raw fired, and it never began")
    assert lost.command == f"phasegate reconcile --from {lost.date} --to {lost.date} --fix"


def test_a_complete_run_is_complete_however_late_it_came() -> None:
    raw = opened("raw", "night", *COMPLETE, at=END + 100 * HOUR)
    assert states(cells(raw, now=END + 101 * HOUR))["raw"] == "COMPLETE"


def test_what_went_out_without_some_is_partial() -> None:
    raw = opened("raw", "night", ("odds", "success"))
    short = Firing(generation=1, stamps={"box": ABSENT, "odds": Stamp("10-0")}, at=END, by="a", missing=("box",))
    found = cells(replace(raw, firings=(short,)), now=END + 100 * HOUR)["raw"]
    assert (found.state, found.command) == (
        "PARTIAL",
        f"deliver box of {ON}, then: phasegate complete box --run {ON}.night",
    )
    assert "fired without box" in found.reason


def test_a_run_built_before_earlier_dates_changed_is_partial() -> None:
    raw = opened("raw", "night", *COMPLETE)
    drifted = replace(raw, windows={"w": Window(stamp=ABSENT, orders={"2026-02": 1}, drifted=("2026-02-01",))})
    found = cells(drifted, now=END + HOUR)["raw"]
    assert found.state == "PARTIAL"
    assert found.command.endswith("--cascade")


def test_a_trigger_that_nobody_acknowledges_is_running_for_a_day_and_late_then() -> None:
    entry = Entry(generation=1, receiver="analytics", state="sent", due=END)
    raw = replace(opened("raw", "night", *COMPLETE), outbox=(entry,))
    fired = raw.firings[0].at
    assert states(cells(raw, now=fired + PATIENCE_S))["raw"] == "RUNNING"
    assert states(cells(raw, now=fired + PATIENCE_S + 1))["raw"] == "LATE"


def test_void_and_quiet_days_and_days_that_nobody_knows() -> None:
    now = OVER + 2 * PATIENCE_S
    void = replace(opened("raw", "night"), claims={"operator": Claim(void="snow")})
    assert states(cells(void, now=now)) == {"raw": "VOID", "analytics": "VOID"}
    none = Day(date=ON, state="none", reason="no game is scheduled")
    assert states(cells(now=now, day=none)) == {"raw": "EMPTY_OK", "analytics": "EMPTY_OK"}
    off = Day(date=ON, state="void", reason="postponed")
    assert states(cells(now=now, day=off)) == {"raw": "VOID", "analytics": "VOID"}
    unknown = cells(now=now, day=None)["raw"]
    assert (unknown.state, unknown.reason) == ("UNKNOWN", f"the calendar has no answer for {ON}")
    assert unknown.command == f"phasegate reconcile --from {ON} --to {ON} --fix"
    assert (
        cells(now=now, day=None, calendar_error="down")["raw"].command
        == "fix the calendar's source, then: phasegate sweep"
    )
    assert cells(now=OVER - 30 * HOUR, day=None) == {}, "a date ahead need not be known"


def test_an_open_run_needs_no_calendar() -> None:
    raw = opened("raw", "night", *COMPLETE)
    assert states(cells(raw, now=OVER + PATIENCE_S, day=None))["raw"] == "COMPLETE"


def test_an_anchor_that_is_not_there_is_unknown() -> None:
    bare = cells(now=OVER + PATIENCE_S, day=Day(date=ON, state="work"))["raw"]
    assert bare.state == "UNKNOWN"
    assert "gives no last_game_end" in bare.reason


def test_a_document_that_cannot_be_read_is_unknown() -> None:
    known = DateFacts(day=GAMES, calendar=True, unreadable=frozenset({("raw", "night")}))
    found = cover(WHOLE, on=ON, known=known, now=OVER, modes=["night"])
    assert (found[0].state, found[0].command) == ("UNKNOWN", f"phasegate why {ON}.night")


def test_without_a_calendar_a_date_between_others_is_unknown_and_one_outside_has_no_place() -> None:
    now = OVER + PATIENCE_S + 1
    assert states(cells(now=now, plan=PLAIN)) == {"raw": "UNKNOWN", "analytics": "UNKNOWN"}
    assert cells(now=now, plan=PLAIN, inside=False) == {}
    raw = opened("raw", "night", *COMPLETE, plan=PLAIN)
    assert states(cells(raw, now=now, plan=PLAIN)) == {"raw": "COMPLETE", "analytics": "MISSED"}


def test_without_a_calendar_what_is_expected_by_a_time_is_missed() -> None:
    plan = load_plan(
        'pipeline = "nba"\ntimezone = "UTC"\n[phase.raw]\n[phase.analytics]\nafter = "raw"\n'
        '[step.box]\nphase = "raw"\nexternal = true\nexpected_by = "07:00 +1d"\n'
        '[step.sums]\nphase = "analytics"\nneeds = ["raw.box"]\nexternal = true\n'
    )
    found = cells(now=OVER + PATIENCE_S, plan=plan, mode="daily", inside=False)
    assert states(found) == {"raw": "MISSED", "analytics": "MISSED"}


def test_a_run_that_only_an_operator_opens_is_expected_by_nobody() -> None:
    plan = load_plan(PLAN.replace('start = "schedule 10:00"', 'start = "run"'))
    assert cells(now=OVER + 2 * PATIENCE_S, mode="day", plan=plan) == {}
    raw = opened("raw", "day", ("odds", "success"), plan=plan)
    found = states(cells(raw, now=OVER + 2 * PATIENCE_S, mode="day", plan=plan))
    assert found == {"raw": "COMPLETE", "analytics": "MISSED"}


@pytest.mark.parametrize("place", range(len(COVERS)))
def test_the_worst_of_the_modes_is_shown(place: int) -> None:
    assert worst(COVERS[place:]) == COVERS[place]
    assert worst(reversed(COVERS[place:])) == COVERS[place]


def test_gaps_are_the_four_words_that_something_must_be_typed_for() -> None:
    assert set(GAPS) == {"UNKNOWN", "MISSED", "PARTIAL", "LATE"}


def missed(day: int, *, mode: str = "night", phases: Sequence[str] = ("raw", "analytics")) -> list[Cell]:
    on = f"2026-02-{day:02d}"
    command = f"phasegate backfill --from {on} --to {on} --mode {mode}"
    return [Cell(run=f"{on}.{mode}", phase=p, state="MISSED", reason="never", command=command) for p in phases]


def other(day: int, state: Cover, *, mode: str = "night") -> list[Cell]:
    run = f"2026-02-{day:02d}.{mode}"
    return [Cell(run=run, phase="raw", state=state, command=f"phasegate why {run}")]


def test_dates_in_a_row_that_one_command_mends_are_one_gap_and_quiet_days_do_not_part_them() -> None:
    found = gaps([*missed(1), *other(2, "EMPTY_OK"), *missed(3), *other(4, "COMPLETE"), *missed(5)])
    assert [(gap.first[8:], gap.last[8:], gap.dates) for gap in found] == [("01", "03", 2), ("05", "05", 1)]
    assert found[0].command == "phasegate backfill --from 2026-02-01 --to 2026-02-03 --mode night"
    assert found[0].phases == {"raw": "MISSED", "analytics": "MISSED"}
    assert found[0].reason == "never"


def test_modes_other_phases_and_commands_of_one_run_are_gaps_of_their_own_the_oldest_first() -> None:
    found = gaps([*missed(1), *missed(1, mode="day"), *missed(2, phases=["raw"]), *other(3, "LATE"), *other(4, "LATE")])
    assert [(gap.first[8:], gap.mode, gap.state) for gap in found] == [
        ("01", "day", "MISSED"), ("01", "night", "MISSED"), ("02", "night", "MISSED"), ("03", "night", "LATE"),
        ("04", "night", "LATE"),
    ]  # fmt: skip
    assert found[3].command == "phasegate why 2026-02-03.night"


def test_what_comes_first_in_a_run_is_mended_first() -> None:
    [gap] = gaps([*other(1, "LATE"), *missed(1)[1:]])
    assert (gap.command, gap.state) == ("phasegate why 2026-02-01.night", "MISSED")
    assert isinstance(gap, Gap)
