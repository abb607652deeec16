"""Reads the times of a plan: deadlines, starts, the hours of reports.

Pure.
"""

import re
from typing import cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from msgspec.structs import replace

from phasegate.plan.model import LATE_AFTER_S, Hours, Plan, Start, Step, TimeRule
from phasegate.plan.toml_lines import spell, suggest
from phasegate.plan.toml_read import Section

DAYS_MAX = 30
UNITS = {"m": 60.0, "h": 3600.0, "d": 86400.0}

_LOCAL = re.compile(r"(?P<local>([01]\d|2[0-3]):[0-5]\d)(\s*(?P<days>[+-]\s*\d{1,3})d)?", re.ASCII)
_AFTER = re.compile(
    r"(?P<anchor>[A-Za-z_]\w*)(\s*(?P<sign>[+-])\s*(?P<amount>\d{1,5}(\.\d{1,3})?)\s*(?P<unit>[mhd]))?", re.ASCII
)
_WANTED = '"HH:MM", "HH:MM +1d" or "open + 8h" (m, h or d)'
_WANTED_ANCHOR = '"HH:MM", "HH:MM +1d", "open + 8h" or "last_game_end + 8h", a time of the calendar (m, h or d)'
_START = '"message", "run", or "schedule" with a time such as "schedule 10:00" or "schedule last_game_end + 1h"'
_HOURS = 'two local times such as "00:00 .. 18:00" or "18:00 .. 12:00 +1d"'
_FIX = 'write calendar = "module:function" at the top'


def read_moment(section: Section, key: str, *, calendar: bool) -> TimeRule | None:
    """Return the time that a key holds, None without the key.

    ``calendar``: anchors may be named.
    """
    if not section.has(key):
        return None
    wanted = _WANTED_ANCHOR if calendar else _WANTED
    moment = _moment(section, key, text=section.text(key, wanted=wanted), wanted=wanted)
    if moment.anchor is not None and not calendar:
        wrong = f"{spell(moment.anchor)} is an anchor from a calendar, and this plan has none"
        raise section.error(key, f'{wrong}; {_FIX}, or a local time such as "10:00 +1d"')
    if moment.opening and moment.after_s <= 0:
        raise section.unwanted(key, wanted=f"more than nothing and at most {DAYS_MAX} days")
    return moment


def read_start(section: Section, *, calendar: bool) -> Start:
    """Return what opens the runs of a phase or mode."""
    if not section.has("start"):
        return Start()
    text = section.text("start", wanted=_START)
    if text == "message":
        return Start()
    if text == "run":
        return Start(by="run")
    word, _, rest = text.partition(" ")
    if word != "schedule" or not rest.strip():
        raise section.unwanted("start", wanted=_START)
    moment = _moment(section, "start", text=rest.strip(), wanted=_START)
    if moment.opening:
        raise section.error("start", f"{spell(text)} would count from its own opening; name a time of the date")
    if not calendar:
        wrong = f"{spell(text)} needs a calendar of the dates that have work, and this plan has none"
        raise section.error("start", f"{wrong}; {_FIX}, or another start")
    return Start(by="schedule", at=moment)


def read_hours(section: Section) -> Hours | None:
    """Return the hours in which a report without a mode is of this one."""
    if not section.has("reports"):
        return None
    text = section.text("reports", wanted=_HOURS)
    first, _, last = text.partition("..")
    begin, end = _LOCAL.fullmatch(first.strip()), _LOCAL.fullmatch(last.strip())
    if begin is None or end is None:
        raise section.unwanted("reports", wanted=_HOURS)
    hours = Hours(first=_local(section, "reports", begin), last=_local(section, "reports", end))
    if minutes(hours.first) >= minutes(hours.last):
        raise section.error("reports", f"{spell(text)} does not end after it begins; wanted {_HOURS}")
    return hours


def read_zone(section: Section, key: str) -> str:
    """Return the name of a known time zone."""
    name = section.text(key, wanted='the name of a time zone, such as "America/New_York"')
    if fix := zone_fix(name):
        raise section.error(key, f"unknown time zone {spell(name)}; {fix}")
    return name


def zone_fix(name: str, /) -> str:
    """Return what to write in place of no time zone, "" for one."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = suggest(name, known=available_timezones()).partition(" known:")[0].removeprefix(";").strip()
        return near or 'write one such as "UTC"'
    return ""


def minutes(moment: TimeRule) -> int:
    """Return the minutes of wall-clock time since the run's date began."""
    assert moment.local is not None
    return moment.days * 1440 + int(moment.local[:2]) * 60 + int(moment.local[3:])


def _moment(section: Section, key: str, *, text: str, wanted: str) -> TimeRule:
    if found := _LOCAL.fullmatch(text):
        return _local(section, key, found)
    found = _AFTER.fullmatch(text)
    if not found:
        raise section.unwanted(key, wanted=wanted)
    after_s = float(found["amount"] or 0) * UNITS[found["unit"] or "h"] * (-1 if found["sign"] == "-" else 1)
    if abs(after_s) > DAYS_MAX * UNITS["d"]:
        raise section.unwanted(key, wanted=f"at most {DAYS_MAX} days")
    if found["anchor"] == "open":
        return TimeRule(opening=True, after_s=after_s)
    return TimeRule(anchor=found["anchor"], after_s=after_s)


def _local(section: Section, key: str, found: re.Match[str]) -> TimeRule:
    days = int("".join((found["days"] or "0").split()))
    if abs(days) > DAYS_MAX:
        raise section.unwanted(key, wanted=f"at most {DAYS_MAX} days")
    return TimeRule(local=found["local"], days=days)


LATE_AFTER_MAX_S = DAYS_MAX * UNITS["d"]


def with_expectation(plan: Plan, step: Step, section: Section) -> Step:
    """Return the step with the ``expected_by`` rules of its table."""
    if not section.has("expected_by"):
        for key in ("expected_zone", "late_after_s"):
            if section.has(key):
                raise section.error(key, 'does nothing without expected_by; add it, such as "07:00 +1d", or remove it')
        return step
    by = _by(section, modes=_modes(plan, step), calendar=plan.calendar is not None)
    zone = read_zone(section, "expected_zone") if section.has("expected_zone") else ""
    if zone and not any(moment.local for moment in by.values()):
        raise section.error("expected_zone", "does nothing: no time of expected_by is a local one; remove it")
    late_after_s = section.number("late_after_s", low=0, high=LATE_AFTER_MAX_S, default=LATE_AFTER_S)
    return replace(step, expected_by=by, expected_zone=zone, late_after_s=late_after_s)


def _modes(plan: Plan, step: Step) -> tuple[str, ...]:
    """Return the modes in which the step's phase has it."""
    return tuple(m for m in plan.phases[step.phase].modes if step.name in plan.members(step.phase, mode=m))


def _by(section: Section, *, modes: tuple[str, ...], calendar: bool) -> dict[str, TimeRule]:
    """Return the time of each mode: one text is for all of them."""
    if not isinstance(section.body["expected_by"], dict):
        return dict.fromkeys(modes, _expected_at(section, "expected_by", calendar=calendar))
    inner = section.section("expected_by")
    if not inner.body:
        raise section.error(
            "expected_by", f'is empty, wanted a time, or one for a mode: {{ {modes[0]} = "07:00 +1d" }}'
        )
    for mode in inner.body:
        if mode not in modes:
            wrong = f"{spell(mode)} is not a mode with this step{suggest(mode, known=modes)}"
            raise inner.error(mode, wrong)
    return {mode: _expected_at(inner, mode, calendar=calendar) for mode in inner.body}


def _expected_at(section: Section, key: str, *, calendar: bool) -> TimeRule:
    moment = cast(TimeRule, read_moment(section, key, calendar=calendar))
    if moment.opening:
        wrong = f"{spell(str(section.body[key]))} counts from the opening of the run, so one that is never opened"
        raise section.error(key, f'{wrong} would never be late; name a time of the date, such as "07:00 +1d"')
    return moment
