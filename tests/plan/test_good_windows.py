"""Good plans that reach over dates and into the clock: windows, calendars, starts, hours of reports."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from phasegate.base.keys import Run
from phasegate.errors import BadInput
from phasegate.plan.gate import Need
from phasegate.plan.load import load_plan
from phasegate.plan.model import Hours, Plan, Start, TimeRule
from tests.support.good_plans import FILES, GOOD, TIMED, TIMED_FILES

OVERNIGHT = Run("2026-02-03", "overnight")
SAME_DAY = Run("2026-02-03", "same_day")
EVENING = 1_770_180_000.0  # 3 February 2026, 23:40 in New York
WINDOW = '{ step = "team_game", back = "20d" }'


def load(text: str = TIMED) -> Plan:
    return load_plan(text, files=TIMED_FILES.__getitem__)


def start_of(plan: Plan, phase: str, mode: str) -> Start:
    return plan.phases[phase].modes[mode].start


def test_the_keys_at_the_top_are_read() -> None:
    assert (load().calendar, load().cascade_days) == ("nba.calendar:dates", 2)
    assert load(TIMED.replace("cascade_days = 2", "cascade_days = 0")).cascade_days == 0
    plain = load_plan(GOOD, files=FILES.__getitem__)
    assert (plain.calendar, plain.cascade_days) == (None, 2)


def test_every_new_key_is_part_of_the_plan_s_hash() -> None:
    changes = {
        "": "",
        "nba.calendar:dates": "nba.calendar:days",
        "cascade_days = 2": "cascade_days = 3",
        '"schedule 10:00"': '"schedule 10:01"',
        'start = "run"': 'start = "message"',
        '"18:00 .. 12:00 +1d"': '"18:00 .. 11:00 +1d"',
        '"last_game_end + 8h"': '"last_game_end + 9h"',
        '"20d"': '"21d"',
    }
    assert all(old in TIMED for old in changes)
    assert len({load(TIMED.replace(old, new, 1)).hash for old, new in changes.items()}) == len(changes)


def test_a_window_is_a_need_of_its_own_beside_a_plain_one() -> None:
    plan = load(TIMED.replace(WINDOW, f'"team_game", {WINDOW}, {{ step = "raw.gamebook", back = "400d" }}'))
    assert plan.steps["player_game"].needs == (
        Need("raw", "gamebook"),
        Need("analytics", "team_game"),
        Need("analytics", "team_game", 20),
        Need("raw", "gamebook", 400),
    )
    assert str(plan.steps["player_game"].needs[2]) == "analytics.team_game@20d"


def test_a_window_may_be_of_the_step_itself_of_one_that_needs_it_and_of_a_later_phase() -> None:
    assert load(TIMED.replace('step = "team_game"', 'step = "player_game"')).windows_on("player_game") == {
        "analytics": 20
    }
    back = '"raw.gamebook", { step = "player_game", back = "3d" }'
    plan = load(TIMED.replace('needs = ["raw.gamebook"]', f"needs = [{back}]").replace(WINDOW, '"team_game"'))
    assert list(plan.steps) == ["gamebook", "odds", "team_game", "player_game"]
    later = 'phase = "raw"\nexternal = true\nneeds = [{ step = "player_game", back = "2d" }]\n\n'
    assert load(TIMED.replace('phase = "raw"\nexternal = true\n\n', later)).windows_on("player_game") == {"raw": 2}


def test_the_needs_of_a_step_may_be_written_as_tables_of_their_own() -> None:
    text = TIMED.replace(f'needs = ["raw.gamebook", {WINDOW}]\n', "")
    plan = load(text + '[[step.player_game.needs]]\nstep = "team_game"\nback = "20d"\n')
    assert plan.steps["player_game"].needs == (Need("analytics", "team_game", 20),)


def test_a_window_makes_no_step_a_member_of_a_mode() -> None:
    plan = load()
    assert list(plan.members("analytics", mode="same_day")) == ["player_game"]
    assert list(load(TIMED.replace(WINDOW, f'"team_game", {WINDOW}')).members("analytics", mode="same_day")) == [
        "team_game",
        "player_game",
    ]


def test_windows_on_a_step_are_the_longest_of_each_phase() -> None:
    more = '[step.{0}]\nphase = "{1}"\nexternal = true\nneeds = [{{ step = "team_game", back = "{2}d" }}]\n'
    text = TIMED + more.format("form", "analytics", 7) + more.format("rest", "raw", 30)
    text = text.replace('expect = ["player_game"]', 'expect = ["player_game", "form"]')
    assert load(text).windows_on("team_game") == {"raw": 30, "analytics": 20}
    assert load(text).windows_on("player_game") == {}


def test_the_sibling_modes_of_a_step_are_those_that_have_its_table_too() -> None:
    plan = load()
    assert plan.sibling_modes("gamebook", mode="overnight") == ("same_day",)
    assert plan.sibling_modes("player_game", mode="same_day") == ("overnight",)
    assert plan.sibling_modes("team_game", mode="overnight") == ()  # only this mode has it
    assert plan.sibling_modes("odds", mode="overnight") == ()  # no table: nothing that two runs could share
    needed = load(TIMED.replace(WINDOW, f'"team_game", {WINDOW}'))
    assert needed.sibling_modes("team_game", mode="overnight") == ("same_day",)  # not expected there, but needed


def test_a_step_is_shared_when_other_modes_or_later_dates_must_hear_of_it() -> None:
    anchors = {"last_game_end": EVENING}
    plan = load()
    raw = plan.gate("raw", run=OVERNIGHT, opened_at=0.0).members
    late = plan.gate("analytics", run=OVERNIGHT, opened_at=0.0, anchors=anchors).members
    assert {name: spec.shared for name, spec in (raw | late).items()} == {
        "gamebook": True,  # both modes have it
        "odds": False,  # both have it, but it has no table
        "team_game": True,  # a window holds it
        "player_game": True,
    }
    one_mode = "\n".join(line for line in GOOD.splitlines() if not line.startswith("modes."))
    gate = load_plan(one_mode, files=FILES.__getitem__).gate("analytics", run=Run("2026-02-03", "daily"), opened_at=0.0)
    assert not any(spec.shared for spec in gate.members.values())


def test_a_run_is_alone_when_it_reads_no_window_and_shares_no_table() -> None:
    plan = load()
    assert not plan.is_alone("raw", run=OVERNIGHT)  # gamebook is of both modes
    assert not plan.is_alone("analytics", run=SAME_DAY)  # a window
    text = TIMED.replace('modes.same_day = { expect = "*", start = "run" }', 'modes.same_day = { expect = ["odds"] }')
    text = text.replace('expect = ["player_game"]', 'expect = ["team_game"]').replace('"raw.gamebook", {', '"odds", {')
    text = text.replace('needs = ["raw.gamebook"]', "needs = []")
    assert load(text).is_alone("raw", run=OVERNIGHT)  # odds is of both, and has no table
    assert not load(text).is_alone("analytics", run=SAME_DAY)  # team_game is of both
    alone = text.replace('expect = ["team_game"]', 'expect = ["last"]') + '[step.last]\nphase = "analytics"\n'
    alone = alone.replace('expect = "*", deadline', 'expect = ["team_game", "player_game"], deadline')
    assert load(alone + "external = true\n").is_alone("analytics", run=SAME_DAY)
    assert not load(alone + "external = true\n").is_alone("analytics", run=OVERNIGHT)  # a window


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("message", Start()),
        ("run", Start(by="run")),
        ("schedule 10:00", Start(by="schedule", at=TimeRule(local="10:00"))),
        ("schedule 22:00 -1d", Start(by="schedule", at=TimeRule(local="22:00", days=-1))),
        ("schedule  06:30+1d", Start(by="schedule", at=TimeRule(local="06:30", days=1))),
        ("schedule last_game_end", Start(by="schedule", at=TimeRule(anchor="last_game_end"))),
        ("schedule last_game_end + 1h", Start(by="schedule", at=TimeRule(anchor="last_game_end", after_s=3600.0))),
        ("schedule first_tip - 90m", Start(by="schedule", at=TimeRule(anchor="first_tip", after_s=-5400.0))),
    ],
)
def test_a_start_is_of_a_phase_unless_a_mode_has_its_own(text: str, start: Start) -> None:
    plan = load(TIMED.replace("schedule 10:00", text))
    assert start_of(plan, "raw", "overnight") == start
    assert start_of(plan, "raw", "same_day") == Start(by="run")
    assert start_of(plan, "analytics", "overnight") == Start()


def test_a_start_is_of_every_mode_that_a_phase_takes_over() -> None:
    text = TIMED.replace('start = "schedule 10:00"\nmodes.overnight = { expect = "*" }\n', 'start = "run"\n')
    plan = load(text.replace('modes.same_day = { expect = "*", start = "run" }\n', ""))
    assert start_of(plan, "raw", "overnight") == start_of(plan, "raw", "same_day") == Start(by="run")


def test_a_later_phase_may_be_opened_by_the_clock_before_its_deadline() -> None:
    plan = load(TIMED.replace('deadline = "18:00"', 'deadline = "18:00", start = "schedule 17:59"'))
    assert start_of(plan, "analytics", "same_day").at == TimeRule(local="17:59")


def test_a_deadline_after_an_anchor_is_pinned_when_the_run_opens() -> None:
    anchors = {"first_tip": EVENING - 9000.0, "last_game_end": EVENING}
    gate = load().gate("analytics", run=OVERNIGHT, opened_at=0.0, anchors=anchors)
    assert gate.deadline == EVENING + 8 * 3600.0
    exact = load(TIMED.replace("last_game_end + 8h", "last_game_end"))
    assert exact.gate("analytics", run=OVERNIGHT, opened_at=0.0, anchors=anchors).deadline == EVENING
    before = load(TIMED.replace("last_game_end + 8h", "first_tip - 0.5h"))
    assert before.gate("analytics", run=OVERNIGHT, opened_at=0.0, anchors=anchors).deadline == EVENING - 10800.0


def test_a_gate_has_one_hash_whatever_the_anchors_say() -> None:
    gates = [
        load().gate("analytics", run=OVERNIGHT, opened_at=0.0, anchors={"last_game_end": EVENING + late})
        for late in (0.0, 60.0)
    ]
    assert gates[0].deadline != gates[1].deadline
    assert gates[0].hash == gates[1].hash != load().gate("analytics", run=SAME_DAY, opened_at=0.0).hash


@pytest.mark.parametrize(
    ("anchors", "known"), [(None, "none"), ({}, "none"), ({"tip": 1.0, "first_tip": 0.0}, "first_tip, tip")]
)
def test_an_anchor_that_the_calendar_does_not_give_is_named(anchors: dict[str, float] | None, known: str) -> None:
    with pytest.raises(BadInput) as refused:
        load().gate("analytics", run=OVERNIGHT, opened_at=0.0, anchors=anchors)
    told = f"2026-02-03: the calendar gives no last_game_end (it gives {known})"
    assert str(refused.value) == f"{told}; it must, or the plan must name another time"


def test_a_gate_without_anchors_needs_none() -> None:
    deadline = load().gate("analytics", run=SAME_DAY, opened_at=0.0).deadline
    assert deadline == datetime(2026, 2, 3, 18, tzinfo=ZoneInfo("America/New_York")).timestamp()


def test_hours_of_reports_are_read() -> None:
    modes = load().phases["analytics"].modes
    assert modes["overnight"].reports == Hours(first=TimeRule(local="18:00"), last=TimeRule(local="12:00", days=1))
    assert modes["same_day"].reports == Hours(first=TimeRule(local="12:00"), last=TimeRule(local="18:00"))
    assert load().phases["raw"].modes["overnight"].reports is None


def test_the_same_hours_may_be_written_in_two_phases() -> None:
    text = TIMED.replace('start = "run" }', 'start = "run", reports = "12:00..18:00" }')
    assert load(text).phases["raw"].modes["same_day"].reports == load().phases["analytics"].modes["same_day"].reports


@pytest.mark.parametrize(
    ("day", "utc", "mode"),
    [
        ("2026-02-03", "2026-02-03 16:59:59", None),
        ("2026-02-03", "2026-02-03 17:00:00", "same_day"),  # 12:00 in New York, winter
        ("2026-02-03", "2026-02-03 22:59:59", "same_day"),
        ("2026-02-03", "2026-02-03 23:00:00", "overnight"),  # the end belongs to the next
        ("2026-02-03", "2026-02-04 16:59:59", "overnight"),
        ("2026-02-03", "2026-02-04 17:00:00", None),
        ("2026-07-03", "2026-07-03 16:00:00", "same_day"),  # summer
        ("2026-03-07", "2026-03-07 23:00:00", "overnight"),  # the night in which the clocks go forward: one hour less
        ("2026-03-07", "2026-03-08 15:59:59", "overnight"),
        ("2026-03-07", "2026-03-08 16:00:00", None),
        ("2026-03-08", "2026-03-08 16:00:00", "same_day"),
        ("2026-10-31", "2026-10-31 22:00:00", "overnight"),  # the night in which they go back: one hour more
        ("2026-10-31", "2026-11-01 16:59:59", "overnight"),
        ("2026-10-31", "2026-11-01 17:00:00", None),
        ("2026-11-01", "2026-11-01 17:00:00", "same_day"),
    ],
)
def test_a_report_without_a_mode_is_of_the_mode_whose_hours_hold_its_time(day: str, utc: str, mode: str | None) -> None:
    assert load().mode_at(day, datetime.fromisoformat(f"{utc}+00:00").timestamp()) == mode


@pytest.mark.parametrize(
    ("day", "meet"),
    [
        ("2026-02-03", "02:30"),
        ("2026-03-08", "02:30"),  # does not exist
        ("2026-11-01", "01:30"),  # is shown twice
    ],
)
def test_hours_that_meet_leave_no_moment_out_and_share_none(day: str, meet: str) -> None:
    text = TIMED.replace("12:00 .. 18:00", f"00:00 .. {meet}").replace("18:00 .. 12:00 +1d", f"{meet} .. 23:00")
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("America/New_York")).timestamp()
    plan = load(text)
    modes = [plan.mode_at(day, midnight + minute * 60.0) for minute in range(20 * 60)]
    assert set(modes) == {"same_day", "overnight"}
    assert modes == sorted(modes, key=lambda mode: mode == "overnight")


def test_no_mode_is_guessed_without_hours() -> None:
    assert load_plan(GOOD, files=FILES.__getitem__).mode_at("2026-02-03", EVENING) is None
