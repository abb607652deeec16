# ruff: noqa: E501  an error is one line, and so is what is expected of it
"""Starts, deadlines and hours of reports that are refused: a part of a good plan, what stands there in its place, and the exact refusal."""

import pytest

from tests.support.bad_plans import refusal
from tests.support.good_plans import TIMED, TIMED_FILES

START = 'start = "schedule 10:00"'
LATE = 'deadline = "last_game_end + 8h"'
NIGHT, DAY = '"18:00 .. 12:00 +1d"', '"12:00 .. 18:00"'
TIMES = '"HH:MM", "HH:MM +1d", "open + 8h" or "last_game_end + 8h", a time of the calendar (m, h or d)'
STARTS = '"message", "run", or "schedule" with a time such as "schedule 10:00" or "schedule last_game_end + 1h"'
HOURS = 'two local times such as "00:00 .. 18:00" or "18:00 .. 12:00 +1d"'

STARTED = {
    "start word": (
        START,
        'start = "schedul 10:00"',
        f'7: [phase.raw] start: is "schedul 10:00", wanted {STARTS}',
    ),
    "start type": (
        START,
        "start = 10:00:00",
        f"7: [phase.raw] start: is 10:00:00, wanted {STARTS}",
    ),
    "start without a time": (
        START,
        'start = "schedule"',
        f'7: [phase.raw] start: is "schedule", wanted {STARTS}',
    ),
    "start time": (
        START,
        'start = "schedule 25:00"',
        f'7: [phase.raw] start: is "schedule 25:00", wanted {STARTS}',
    ),
    "start message with a time": (
        START,
        'start = "message 10:00"',
        f'7: [phase.raw] start: is "message 10:00", wanted {STARTS}',
    ),
    "start open": (
        START,
        'start = "schedule open + 1h"',
        '7: [phase.raw] start: "schedule open + 1h" would count from its own opening; name a time of the date',
    ),
    "start far": (
        START,
        'start = "schedule 10:00 -31d"',
        '7: [phase.raw] start: is "schedule 10:00 -31d", wanted at most 30 days',
    ),
    "start in a mode": (
        'start = "run"',
        'start = "by hand"',
        f'9: [phase.raw] modes.same_day.start: is "by hand", wanted {STARTS}',
    ),
    "start overruled by all modes": (
        'modes.overnight = { expect = "*" }',
        'modes.overnight = { expect = "*", start = "message" }',
        "7: [phase.raw] start: does nothing: each mode has a start of its own; remove it",
    ),
    "start by hand of a later phase": (
        'after = "raw"',
        'after = "raw"\nstart = "run"',
        '13: [phase.analytics] start: "run" opens by hand only, so triggers of "raw" would be refused, and it would never begin; remove it',
    ),
    "start by hand of a later phase in a mode": (
        'deadline = "18:00"',
        'deadline = "18:00", start = "run"',
        '14: [phase.analytics] modes.same_day.start: "run" opens by hand only, so triggers of "raw" would be refused, and it would never begin; remove it',
    ),
    "start after the deadline": (
        'deadline = "18:00"',
        'deadline = "18:00", start = "schedule 18:00"',
        '14: [phase.analytics] modes.same_day.start: mode "same_day" would start after its deadline; write an earlier start, or a later deadline',
    ),
    "start after the deadline's anchor": (
        'after = "raw"',
        'after = "raw"\nstart = "schedule last_game_end + 1d"',
        '13: [phase.analytics] start: mode "overnight" would start after its deadline; write an earlier start, or a later deadline',
    ),
}
DEADLINES = {
    "deadline word": (
        LATE,
        'deadline = "eight hours later"',
        f'13: [phase.analytics] modes.overnight.deadline: is "eight hours later", wanted {TIMES}',
    ),
    "deadline number": (
        LATE,
        "deadline = 8",
        f"13: [phase.analytics] modes.overnight.deadline: is 8, wanted {TIMES}",
    ),
    "deadline two signs": (
        LATE,
        'deadline = "last_game_end + 8h + 1d"',
        f'13: [phase.analytics] modes.overnight.deadline: is "last_game_end + 8h + 1d", wanted {TIMES}',
    ),
    "deadline other digits": (
        LATE,
        'deadline = "10:0٣"',
        f'13: [phase.analytics] modes.overnight.deadline: is "10:0٣", wanted {TIMES}',
    ),
    "deadline far after an anchor": (
        LATE,
        'deadline = "last_game_end + 31d"',
        '13: [phase.analytics] modes.overnight.deadline: is "last_game_end + 31d", wanted at most 30 days',
    ),
    "deadline far before": (
        LATE,
        'deadline = "10:00 -31d"',
        '13: [phase.analytics] modes.overnight.deadline: is "10:00 -31d", wanted at most 30 days',
    ),
    "deadline at opening": (
        LATE,
        'deadline = "open"',
        '13: [phase.analytics] modes.overnight.deadline: is "open", wanted more than nothing and at most 30 days',
    ),
    "deadline before opening": (
        LATE,
        'deadline = "open - 1h"',
        '13: [phase.analytics] modes.overnight.deadline: is "open - 1h", wanted more than nothing and at most 30 days',
    ),
}
REPORTS = {
    "reports one time": (
        NIGHT,
        '"18:00"',
        f'13: [phase.analytics] modes.overnight.reports: is "18:00", wanted {HOURS}',
    ),
    "reports dash": (
        NIGHT,
        '"18:00 - 23:00"',
        f'13: [phase.analytics] modes.overnight.reports: is "18:00 - 23:00", wanted {HOURS}',
    ),
    "reports three times": (
        NIGHT,
        '"18:00 .. 20:00 .. 23:00"',
        f'13: [phase.analytics] modes.overnight.reports: is "18:00 .. 20:00 .. 23:00", wanted {HOURS}',
    ),
    "reports hour": (
        NIGHT,
        '"18:00 .. 24:00"',
        f'13: [phase.analytics] modes.overnight.reports: is "18:00 .. 24:00", wanted {HOURS}',
    ),
    "reports anchor": (
        NIGHT,
        '"last_game_end .. 12:00 +1d"',
        f'13: [phase.analytics] modes.overnight.reports: is "last_game_end .. 12:00 +1d", wanted {HOURS}',
    ),
    "reports list": (
        NIGHT,
        '["18:00", "23:00"]',
        f"13: [phase.analytics] modes.overnight.reports: is a list, wanted {HOURS}",
    ),
    "reports backwards": (
        NIGHT,
        '"18:00 .. 12:00"',
        f'13: [phase.analytics] modes.overnight.reports: "18:00 .. 12:00" does not end after it begins; wanted {HOURS}',
    ),
    "reports of no time": (
        NIGHT,
        '"18:00 .. 18:00"',
        f'13: [phase.analytics] modes.overnight.reports: "18:00 .. 18:00" does not end after it begins; wanted {HOURS}',
    ),
    "reports far": (
        NIGHT,
        '"18:00 .. 12:00 +31d"',
        '13: [phase.analytics] modes.overnight.reports: is "18:00 .. 12:00 +31d", wanted at most 30 days',
    ),
    "reports overlap": (
        DAY,
        '"12:00 .. 18:01"',
        '14: [phase.analytics] modes.same_day.reports: hours of mode "same_day" are of mode "overnight" too, so a report would be of both; let one end where the other begins',
    ),
    "reports overlap on the next day": (
        DAY,
        '"11:59 +1d .. 18:00 +1d"',
        '14: [phase.analytics] modes.same_day.reports: hours of mode "same_day" are of mode "overnight" too, so a report would be of both; let one end where the other begins',
    ),
    "reports overlap across phases": (
        'modes.same_day = { expect = "*", start = "run" }',
        'modes.same_day = { expect = "*", start = "run", reports = "06:00 .. 18:30" }',
        '13: [phase.analytics] modes.overnight.reports: hours of mode "overnight" are of mode "same_day" too, so a report would be of both; let one end where the other begins',
    ),
    "reports differ between phases": (
        'modes.same_day = { expect = "*", start = "run" }',
        'modes.same_day = { expect = "*", start = "run", reports = "12:00 .. 17:00" }',
        '14: [phase.analytics] modes.same_day.reports: phase "raw" gives mode "same_day" other hours; write them once',
    ),
    "reports of the only mode": (
        TIMED[TIMED.index("modes.same_day") : TIMED.index("[step.gamebook]")],
        f'[phase.analytics]\nafter = "raw"\nmodes.overnight = {{ expect = "*", reports = {NIGHT} }}\n\n',
        "11: [phase.analytics] modes.overnight.reports: does nothing: the plan has one mode, and every report is of it; remove it",
    ),
    "reports without anybody who reports": (
        "[step.gamebook]",
        '[phase.own]\nmodes.hourly = { expect = "*", reports = "00:00 .. 01:00" }\n[step.mine]\nphase = "own"\nsql = "sql/any.sql"\ntable = "a.b"\nkey = ["d"]\npartition = "d"\n[step.gamebook]',
        '17: [phase.own] modes.hourly.reports: does nothing: mode "hourly" has no external step, and only external steps are reported; remove it',
    ),
}
BAD = STARTED | DEADLINES | REPORTS


@pytest.mark.parametrize(("old", "new", "error"), BAD.values(), ids=BAD)
def test_a_plan_with_a_bad_time_is_refused_in_one_line(old: str, new: str, error: str) -> None:
    assert refusal(TIMED, old, new, files=TIMED_FILES) == f"plan.toml:{error}"
