"""Reads when a step's result is expected: ``expected_by``, and when it is late. Pure.

It refuses what could never be late: a time that counts from the run's own opening, and modes without the step.
"""

from typing import cast

from msgspec.structs import replace

from phasegate.core.plan import LATE_AFTER_S, Moment, Plan, Step
from phasegate.core.plan_times import DAYS_MAX, UNITS, read_moment, read_zone
from phasegate.core.toml_lines import spell, suggest
from phasegate.core.toml_read import Section

LATE_AFTER_MAX_S = DAYS_MAX * UNITS["d"]


def with_expectation(plan: Plan, step: Step, section: Section) -> Step:
    """Return the step with what its table in the plan says of when it is expected."""
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


def _by(section: Section, *, modes: tuple[str, ...], calendar: bool) -> dict[str, Moment]:
    """Return the time of each mode: one text is for all of them."""
    if not isinstance(section.body["expected_by"], dict):
        return dict.fromkeys(modes, _moment(section, "expected_by", calendar=calendar))
    inner = section.section("expected_by")
    if not inner.body:
        raise section.error(
            "expected_by", f'is empty, wanted a time, or one for a mode: {{ {modes[0]} = "07:00 +1d" }}'
        )
    for mode in inner.body:
        if mode not in modes:
            told = f"{spell(mode)} is no mode that has the step{suggest(mode, known=modes)}"
            raise inner.error(mode, told)
    return {mode: _moment(inner, mode, calendar=calendar) for mode in inner.body}


def _moment(section: Section, key: str, *, calendar: bool) -> Moment:
    moment = cast(Moment, read_moment(section, key, calendar=calendar))
    if moment.opening:
        told = f"{spell(str(section.body[key]))} counts from the opening of the run, so one that is never opened"
        raise section.error(key, f'{told} would never be late; name a time of the date, such as "07:00 +1d"')
    return moment
