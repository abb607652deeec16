# ruff: noqa: E501  an error is one line, and so is what is expected of it
"""Windows and calendars that are refused: a part of a good plan, what stands there in its place, and the exact refusal."""

import pytest

from phasegate.plan.load import load_plan
from tests.support.bad_plans import refusal
from tests.support.good_plans import TIMED, TIMED_FILES

CALENDAR = 'calendar = "nba.calendar:dates"\n'
WINDOW = '{ step = "team_game", back = "20d" }'
START = 'start = "schedule 10:00"'

NEEDS = {
    "back number": (
        WINDOW,
        '{ step = "team_game", back = 20 }',
        '38: [step.player_game] needs[1].back: is 20, wanted a number of days such as "20d", at most "400d", or "season"',
    ),
    "back unit": (
        WINDOW,
        '{ step = "team_game", back = "3w" }',
        '38: [step.player_game] needs[1].back: is "3w", wanted a number of days such as "20d", at most "400d", or "season"',
    ),
    "back zero": (
        WINDOW,
        '{ step = "team_game", back = "0d" }',
        '38: [step.player_game] needs[1].back: is "0d", wanted a number of days such as "20d", at most "400d", or "season"',
    ),
    "back too long": (
        WINDOW,
        '{ step = "team_game", back = "401d" }',
        '38: [step.player_game] needs[1].back: is "401d", wanted a number of days such as "20d", at most "400d", or "season"',
    ),
    "back other digits": (
        WINDOW,
        '{ step = "team_game", back = "٢d" }',
        '38: [step.player_game] needs[1].back: is "٢d", wanted a number of days such as "20d", at most "400d", or "season"',
    ),
    "no back": (
        WINDOW,
        '{ step = "team_game" }',
        '38: [step.player_game] needs[1].back: is missing, wanted a number of days such as "20d", at most "400d", or "season"',
    ),
    "no step": (
        WINDOW,
        '{ back = "20d" }',
        '38: [step.player_game] needs[1].step: is missing, wanted the name of a step, such as "raw.gamebook"',
    ),
    "step number": (
        WINDOW,
        '{ step = 5, back = "20d" }',
        '38: [step.player_game] needs[1].step: is 5, wanted the name of a step, such as "raw.gamebook"',
    ),
    "key unknown": (
        WINDOW,
        '{ step = "team_game", bak = "20d" }',
        '38: [step.player_game] needs[1]: unknown key "bak"; did you mean "back"? known: back, step',
    ),
    "step unknown": (
        WINDOW,
        '{ step = "team_games", back = "20d" }',
        '38: [step.player_game] needs: unknown step "team_games"; did you mean "team_game"? known: gamebook, odds, player_game, team_game',
    ),
    "step of another phase": (
        WINDOW,
        '{ step = "raw.team_game", back = "20d" }',
        '38: [step.player_game] needs: "team_game" is not a step of "raw"; write "analytics.team_game"',
    ),
    "list in the list": (
        WINDOW,
        '["team_game", "20d"]',
        '38: [step.player_game] needs: holds a list, wanted a list of steps such as ["raw.gamebook", { step = "team_game", back = "20d" }]',
    ),
    "two windows of one step": (
        WINDOW,
        '{ step = "team_game", back = "20d" }, { step = "analytics.team_game", back = "7d" }',
        '38: [step.player_game] needs: holds two windows of "analytics.team_game"; keep the longer',
    ),
    "plain twice beside a window": (
        WINDOW,
        '{ step = "raw.gamebook", back = "7d" }, "gamebook"',
        '38: [step.player_game] needs: holds "raw.gamebook" twice; remove one',
    ),
    "no table": (
        WINDOW,
        '{ step = "odds", back = "7d" }',
        '38: [step.player_game] needs: "raw.odds@7d" has no table, so there is no window of it; give "odds" a table, or remove it',
    ),
    "window of a step that no mode expects": (
        'expect = "*", deadline',
        'expect = ["player_game"], deadline',
        '28: [step.team_game]: no mode of phase "analytics" expects it and no step that is expected needs it on its own date; add it to expect, or remove the step',
    ),
    "window beside a need that never arrives": (
        'modes.overnight = { expect = "*" }\nmodes.same_day = { expect = "*", start = "run" }',
        'modes.overnight = { expect = "*" }\nmodes.same_day = { expect = ["odds"] }',
        '38: [step.player_game] needs: "raw.gamebook" never arrives in mode "same_day": phase "raw" does not expect it; add it to expect there, or leave "player_game" out of that mode of [phase.analytics]',
    ),
    "a plain need, though there is a window": (
        'phase = "raw"\nexternal = true\n\n',
        'phase = "raw"\nexternal = true\nneeds = ["team_game", { step = "team_game", back = "2d" }]\n\n',
        '27: [step.odds] needs: "analytics.team_game" would never arrive: phase "raw" does not come after "analytics"; write after = "analytics" in [phase.raw]',
    ),
    "cascade without windows": (
        f", {WINDOW}",
        "",
        "4: cascade_days: does nothing: no step needs a window of earlier dates; remove it",
    ),
    "cascade negative": (
        "cascade_days = 2",
        "cascade_days = -1",
        "4: cascade_days: is -1, wanted a whole number from 0 to 400",
    ),
    "cascade text": (
        "cascade_days = 2",
        'cascade_days = "2d"',
        '4: cascade_days: is "2d", wanted a whole number from 0 to 400',
    ),
}
CALENDARS = {
    "calendar form": (
        '"nba.calendar:dates"',
        '"nba/calendar.py"',
        '3: calendar: is "nba/calendar.py", wanted "module:function", such as "pipeline.calendar:dates"',
    ),
    "calendar table": (
        '"nba.calendar:dates"',
        "{}",
        '3: calendar: is a table, wanted "module:function", such as "pipeline.calendar:dates"',
    ),
    "schedule without calendar": (
        CALENDAR,
        "",
        '6: [phase.raw] start: "schedule 10:00" needs a calendar of the dates that have work, and this plan has none; write calendar = "module:function" at the top, or another start',
    ),
    "schedule in a mode without calendar": (
        f'{CALENDAR}cascade_days = 2\n\n[phase.raw]\n{START}\nmodes.overnight = {{ expect = "*" }}',
        'cascade_days = 2\n\n[phase.raw]\nmodes.overnight = { expect = "*", start = "schedule last_game_end" }',
        '6: [phase.raw] modes.overnight.start: "schedule last_game_end" needs a calendar of the dates that have work, and this plan has none; write calendar = "module:function" at the top, or another start',
    ),
    "anchor without calendar": (
        f"{CALENDAR}cascade_days = 2\n\n[phase.raw]\n{START}\n",
        "cascade_days = 2\n\n[phase.raw]\n",
        '11: [phase.analytics] modes.overnight.deadline: "last_game_end" is an anchor from a calendar, and this plan has none; write calendar = "module:function" at the top, or a local time such as "10:00 +1d"',
    ),
    "any date without calendar": (
        f'{CALENDAR}cascade_days = 2\n\n[phase.raw]\n{START}\nmodes.overnight = {{ expect = "*" }}',
        'cascade_days = 2\n\n[phase.raw]\nmodes.overnight = { expect = "*", any_date = true }',
        "6: [phase.raw] modes.overnight.any_date: does nothing: the plan has no calendar; remove it",
    ),
    "awaiting windows without calendar": (
        f'{CALENDAR}cascade_days = 2\n\n[phase.raw]\n{START}\nmodes.overnight = {{ expect = "*" }}',
        'cascade_days = 2\n\n[phase.raw]\nmodes.overnight = { expect = "*", await_windows = true }',
        "6: [phase.raw] modes.overnight.await_windows: does nothing: the plan has no calendar; remove it",
    ),
    "any date type": (
        'modes.overnight = { expect = "*" }',
        'modes.overnight = { expect = "*", any_date = "yes" }',
        '8: [phase.raw] modes.overnight.any_date: is "yes", wanted true or false',
    ),
    "any date and an anchor": (
        'deadline = "last_game_end + 8h"',
        'deadline = "last_game_end + 8h", any_date = true',
        '13: [phase.analytics] modes.overnight.any_date: asks no calendar, and the deadline counts from its "last_game_end"; remove it, or write a local time',
    ),
    "any date before a phase that asks": (
        f'{START}\nmodes.overnight = {{ expect = "*" }}',
        'modes.overnight = { expect = "*", any_date = true }',
        '7: [phase.raw] modes.overnight.any_date: phase "analytics" starts on this one and asks the calendar, so it would refuse to; write any_date for mode "overnight" of "analytics" too',
    ),
    "any date opened by the clock": (
        'modes.same_day = { expect = "*", start = "run" }',
        'modes.same_day = { expect = "*", start = "schedule 10:00", any_date = true }',
        "9: [phase.raw] modes.same_day.any_date: asks no calendar, and a schedule opens runs on the calendar's dates; remove it, or the schedule",
    ),
}
BAD = NEEDS | CALENDARS


@pytest.mark.parametrize(("old", "new", "error"), BAD.values(), ids=BAD)
def test_a_plan_with_a_bad_window_or_calendar_is_refused_in_one_line(old: str, new: str, error: str) -> None:
    assert refusal(TIMED, old, new, files=TIMED_FILES) == f"plan.toml:{error}"


def test_the_plan_that_the_bad_ones_are_made_of_is_good() -> None:
    plan = load_plan(TIMED, files=TIMED_FILES.__getitem__)
    assert list(plan.steps) == ["gamebook", "odds", "team_game", "player_game"]
