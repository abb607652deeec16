"""Reads one ``[phase.NAME]`` of a plan: modes, deadlines, sends.

Pure.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Literal, cast

from phasegate.base.keys import NAME, WORD
from phasegate.plan.gate import GOOD, Ack, Status
from phasegate.plan.model import MODE_DEFAULT, ModeGate, PhasePlan, Send, Start, TimeRule
from phasegate.plan.times import read_hours, read_moment, read_start
from phasegate.plan.toml_lines import spell, suggest
from phasegate.plan.toml_read import Section

PHASE_KEYS = ("after", "modes", "sends", "settle_s", "settle_max_s", "catch_up_max_s", "start", "mirror")
MODE_KEYS = ("expect", "critical", "require", "deadline", "accept", "start", "reports", "any_date",
             "await_windows")  # fmt: skip
SEND_KEYS = ("topic", "ack", "phase", "form")
FORMS = ("phasegate", "platform")
ACKS = ("begin", "completion", "publish", "post")

MIRROR_LIKE = "phase3_completion/{date}"
MIRROR = re.compile(r"[a-z0-9][a-z0-9._-]*/(?=[^/]*\{(?:game_)?date\})(?:[a-z0-9._-]|\{(?:game_)?date\}|\{mode\})+")

SECONDS_MAX = 7 * 24 * 3600.0
CATCH_UP_MAX_S = 600.0

Modes = dict[str, ModeGate]


def read_phase(section: Section, *, modes: Modes, graph: Mapping[str, tuple[str, ...]]) -> PhasePlan:
    """Return the phase; ``graph`` maps each phase to those before it."""
    name = str(section.place[-1])
    settle_s = section.number("settle_s", low=0, high=SECONDS_MAX, default=0.0)
    settle_max_s = section.number("settle_max_s", low=0, high=SECONDS_MAX, default=0.0)
    if section.has("settle_max_s") and settle_max_s < settle_s:
        raise section.unwanted("settle_max_s", wanted=f"at least settle_s, which is {settle_s:g}")
    return PhasePlan(
        name=name,
        after=graph[name],
        modes=modes,
        sends=_sends(section, downstream=[p for p, before in graph.items() if name in before]),
        settle_s=settle_s,
        settle_max_s=settle_max_s,
        catch_up_max_s=section.number("catch_up_max_s", low=0, high=SECONDS_MAX, default=CATCH_UP_MAX_S),
        mirror=section.text("mirror", wanted=f"a path such as {spell(MIRROR_LIKE)}", form=MIRROR)
        if section.has("mirror")
        else "",
    )


def read_modes(section: Section, *, steps: Sequence[str], calendar: bool) -> Modes | None:
    """Return the modes that a phase declares; None for none.

    ``steps``: the phase's own, in order. ``calendar``: the plan has one, whose anchors its times may name.
    """
    if not section.has("modes"):
        return None
    start = read_start(section, calendar=calendar)
    modes = section.named("modes", wanted='modes such as modes.daily = { expect = "*" }')
    if section.has("start") and all(inner.has("start") for inner in modes.values()):
        raise section.error("start", "does nothing: each mode has a start of its own; remove it")
    return {mode: _mode(inner, steps=steps, start=start, calendar=calendar) for mode, inner in modes.items()}


def declared_modes(modes: Iterable[Modes | None], /) -> tuple[str, ...]:
    """Return every mode that some phase declares; ``daily`` when none does."""
    return tuple(dict.fromkeys(mode for known in modes for mode in known or {})) or (MODE_DEFAULT,)


def inherited_modes(
    section: Section, *, declared: Sequence[str], upstream: Sequence[Modes], expect: tuple[str, ...], calendar: bool
) -> Modes:
    """Return the modes of a phase that declares none.

    All that can reach it; each expects every step.
    """
    gate = ModeGate(expect=expect, start=read_start(section, calendar=calendar))
    found = {mode: gate for mode in declared if all(mode in known for known in upstream)}
    if not found:
        wrong = "the phases that this one comes after have no mode in common, so it would never begin"
        raise section.error("after", f"{wrong}; give them a common mode")
    return found


def _mode(section: Section, *, steps: Sequence[str], start: Start, calendar: bool) -> ModeGate:
    section.only(MODE_KEYS)
    expect = _expect(section, steps=steps)
    critical = section.texts("critical", wanted=f"a list of steps such as [{spell(expect[0])}]")
    for name in critical:
        if name not in expect:
            wrong = f"{spell(name)} is not in expect, so the gate would never check it"
            fix = "; add it there" if name in steps else suggest(name, known=expect)
            raise section.error("critical", f"{wrong}{fix}")
    start = read_start(section, calendar=calendar) if section.has("start") else start
    deadline = read_moment(section, "deadline", calendar=calendar)
    return ModeGate(
        expect=expect,
        critical=tuple(name for name in expect if name in critical),
        at_least=_require(section, count=len(expect)),
        deadline=deadline,
        accept=_accept(section),
        start=start,
        reports=read_hours(section),
        any_date=_any_date(section, deadline=deadline, start=start, calendar=calendar),
        await_windows=_calendar_flag(section, "await_windows", default=True, calendar=calendar),
    )


def _calendar_flag(section: Section, key: str, *, default: bool, calendar: bool) -> bool:
    """Return a boolean that is allowed only with a calendar."""
    if section.has(key) and not calendar:
        raise section.error(key, "does nothing: the plan has no calendar; remove it")
    return section.truth(key, default=default)


def _any_date(section: Section, *, deadline: TimeRule | None, start: Start, calendar: bool) -> bool:
    any_date = _calendar_flag(section, "any_date", default=False, calendar=calendar)
    if any_date and deadline is not None and deadline.anchor is not None:
        wrong = f"asks no calendar, and the deadline counts from its {spell(deadline.anchor)}"
        raise section.error("any_date", f"{wrong}; remove it, or write a local time")
    if any_date and start.by == "schedule":
        wrong = "asks no calendar, and a schedule opens runs on the calendar's dates"
        raise section.error("any_date", f"{wrong}; remove it, or the schedule")
    return any_date


def _expect(section: Section, *, steps: Sequence[str]) -> tuple[str, ...]:
    """Return the expected steps in the plan's order."""
    wanted = f'"*" or a list of this phase\'s steps such as [{spell(steps[0])}]'
    if section.body.get("expect") == "*":
        return tuple(steps)
    listed = section.texts("expect", wanted=wanted)
    if not listed:
        raise (
            section.unwanted("expect", wanted=wanted)
            if not section.has("expect")
            else section.error("expect", f"is empty, wanted {wanted}")
        )
    for name in listed:
        if name not in steps:
            wrong = f"{spell(name)} is not a step of phase {spell(str(section.place[1]))}"
            raise section.error("expect", f"{wrong}{suggest(name, known=steps)}")
    return tuple(name for name in steps if name in listed)


def _require(section: Section, *, count: int) -> int | None:
    """Return how many expected steps suffice; None for all."""
    wanted = '"all", { share = 0.9 } or { count = 3 }'
    if section.body.get("require", "all") == "all":
        return None
    require = section.section("require", wanted=wanted)
    require.only(("share", "count"))
    if len(require.body) != 1:
        raise section.error("require", f"has {'no key' if not require.body else 'two keys'}, wanted {wanted}")
    if require.has("count"):
        return require.whole("count", low=1, high=count)
    share = require.number("share", low=0, high=1, default=1.0)
    if share == 0:
        raise require.unwanted("share", wanted="a number above 0, at most 1")
    # Here, since few plans give a share. Exact: 0.07 of 100 is 7, but 0.07 * 100 is above 7 in floating point.
    from fractions import Fraction

    return ceil(Fraction(repr(share)) * count)


def _accept(section: Section) -> tuple[Status, ...]:
    if not section.has("accept"):
        return GOOD
    wanted = 'a list of "success" and "empty"'
    listed = section.texts("accept", wanted=wanted)
    for status in listed:
        if status not in GOOD:
            raise section.error("accept", f"holds {spell(status)}, wanted {wanted}")
    if not listed:
        raise section.error("accept", f"is empty, wanted {wanted}")
    return tuple(status for status in GOOD if status in listed)


def _sends(section: Section, *, downstream: Sequence[str]) -> tuple[Send, ...]:
    wanted = 'a list such as [{ topic = "next", ack = "begin" }]'
    listed = section.body.get("sends", [])
    if not isinstance(listed, list):
        raise section.unwanted("sends", wanted=wanted)
    found: list[Send] = []
    for i, item in enumerate(cast("list[object]", listed)):
        if not isinstance(item, dict):
            raise section.error("sends", f"holds {spell(item)}, wanted {wanted}")
        inner = Section(section.toml, (*section.place, "sends", i), cast("dict[str, object]", item))
        send = _send(inner, downstream=downstream)
        for other in found:
            if other.topic == send.topic:
                raise inner.error("topic", f"{spell(send.topic)} is already sent to; remove one")
            if send.phase is not None and other.phase == send.phase:
                raise inner.error("phase", f"{spell(send.phase)} already starts on {spell(other.topic)}; remove one")
        found.append(send)
    return tuple(found)


def _send(section: Section, *, downstream: Sequence[str]) -> Send:
    section.only(SEND_KEYS)
    topic = section.text("topic", wanted="a topic of a-z, 0-9, '.', '_' and '-'", form=WORD)
    if not section.has("ack"):
        raise section.unwanted("ack", wanted=" or ".join(map(spell, ACKS)))
    ack = cast(Ack, section.choice("ack", known=ACKS, default=""))
    phase = section.text("phase", wanted="the name of a phase") if section.has("phase") else None
    form = cast(Literal["phasegate", "platform"], section.choice("form", known=FORMS, default="phasegate"))
    if form == "platform" and ack not in ("begin", "publish"):
        wrong = f"sends a message for each table, and {spell(ack)} waits for the answer to one"
        raise section.error("form", f'{wrong}; use ack = "begin" or "publish", or remove form')
    mine = spell(str(section.place[1]))
    if ack != "begin":
        if phase is not None:
            raise section.error("phase", f'goes with ack = "begin" only, and this is {spell(ack)}; remove it')
        if ack == "post" and not NAME.fullmatch(topic):
            wanted = "a name of a-z, 0-9 and _, which begins with a letter: PHASEGATE_POST_NAME holds its address"
            raise section.unwanted("topic", wanted=wanted)
        return Send(topic=topic, ack=ack, form=form)
    if not downstream:
        fix = 'use "completion", "publish" or "post"'
        raise section.error("ack", f"no phase comes after {mine}, so none would begin; {fix}")
    if phase is None and len(downstream) > 1:
        wrong = f"is missing: {len(downstream)} phases come after {mine}"
        raise section.error("phase", f"{wrong}; write phase = {' or '.join(map(spell, downstream))}")
    if phase is not None and phase not in downstream:
        raise section.error("phase", f"{spell(phase)} does not come after {mine}{suggest(phase, known=downstream)}")
    return Send(topic=topic, ack=ack, phase=phase or downstream[0], form=form)
