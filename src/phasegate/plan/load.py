"""Reads a plan from TOML.

Every refusal is one line: file:line, the place, what is wrong, the fix. It refuses what would do nothing: unknown keys,
keys that do not apply, steps that no gate waits for. It needs no setting for how long a message may be redelivered:
whether a message is new is decided from the document. Pure.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec.structs import replace

from phasegate.base.dates import BACK_MAX, CASCADE_DAYS
from phasegate.base.platform import Platform
from phasegate.plan.alerts import read_alerts
from phasegate.plan.check import check, find_cycle, in_order
from phasegate.plan.gate import Covers, Need
from phasegate.plan.model import ModeGate, Plan, Step, digest
from phasegate.plan.needs import read_covers, read_needs
from phasegate.plan.phases import PHASE_KEYS, declared_modes, inherited_modes, read_modes, read_phase
from phasegate.plan.steps import PYTHON, STEP_KEYS, read_dialect, read_step
from phasegate.plan.times import read_zone, with_expectation
from phasegate.plan.toml_lines import parse, spell, suggest
from phasegate.plan.toml_read import Section

STEPS_MAX = 500
PHASES_MAX = 100
TOP_KEYS = ("pipeline", "timezone", "calendar", "cascade_days", "dialect", "phase", "step", "alerts", "platform")
PLATFORM_KEYS = ("processors",)

Files: TypeAlias = Callable[[str], str]


def no_files(name: str, /) -> str:
    """Refuse every file: for plans whose steps are all external or Python."""
    raise OSError(f"there is no folder to read {spell(name)} from")


def load_plan(text: str, *, files: Files = no_files, name: str = "plan.toml") -> Plan:
    """Read and check a whole plan.

    ``files`` returns the text of an SQL file that the plan names. Phases and steps come in an order in which needs come
    first, in the file's order among equals. Raises BadInput in one line that begins with ``name`` and the line.

    >>> plan = load_plan('''
    ... pipeline = "nba"
    ... timezone = "America/New_York"
    ... [phase.raw]
    ... [step.gamebook]
    ... phase = "raw"
    ... external = true
    ... ''')
    >>> plan.phases["raw"].modes["daily"].expect
    ('gamebook',)
    """
    toml = parse(text, name=name)
    top = Section(toml, (), toml.body)
    top.only(TOP_KEYS)
    pipeline, timezone, calendar = top.name("pipeline"), read_zone(top, "timezone"), _calendar(top)
    dialect = read_dialect(top)
    phases, steps = _sections(top)
    after = _after(phases)
    home = _homes(steps, phases=after)
    needs = {step: read_needs(section, home=home, after=after) for step, section in steps.items()}
    covers = {step: read_covers(section, home=home, after=after) for step, section in steps.items()}
    order = _step_order(steps, needs=needs, covers=covers, home=home, phases=tuple(after))
    read = {
        step: replace(
            read_step(steps[step], phase=home[step], needs=needs[step], files=files, dialect=dialect),
            covers=covers[step],
        )
        for step in order
    }
    if top.has("dialect") and not any(step.kind == "sql" for step in read.values()):
        raise top.error("dialect", "does nothing: no step has sql; remove it")
    own = {p: tuple(s for s in order if home[s] == p) for p in after}
    modes = _modes(phases, after=after, steps=own, calendar=calendar is not None)
    plan = Plan(
        pipeline=pipeline,
        timezone=timezone,
        phases={p: read_phase(phases[p], modes=modes[p], graph=after) for p in after},
        steps=read,
        calendar=calendar,
        cascade_days=top.whole("cascade_days", low=0, high=BACK_MAX, default=CASCADE_DAYS),
        alerts=read_alerts(top),
        platform=_platform(top, steps=read),
    )
    check(plan, toml)
    plan = replace(plan, steps={s: with_expectation(plan, step, steps[s]) for s, step in plan.steps.items()})
    return replace(plan, hash=digest(plan))


def _sections(top: Section) -> tuple[dict[str, Section], dict[str, Section]]:
    """Return the tables of the phases and of the steps, with known keys only."""
    phases = top.named("phase", wanted="at least one table [phase.NAME]")
    steps = top.named("step", wanted="at least one table [step.NAME]")
    for key, count, most in (("phase", len(phases), PHASES_MAX), ("step", len(steps), STEPS_MAX)):
        if count > most:
            raise top.error(key, f"{count} of them, at most {most} are allowed; split the pipeline")
    for section in phases.values():
        section.only(PHASE_KEYS)
    for section in steps.values():
        section.only(STEP_KEYS)
    return phases, steps


def _modes(
    phases: dict[str, Section], *, after: dict[str, tuple[str, ...]], steps: dict[str, tuple[str, ...]], calendar: bool
) -> dict[str, dict[str, ModeGate]]:
    """Return the modes of each phase.

    Its own, else those that other phases declare and that can reach it.
    """
    own = {phase: read_modes(section, steps=steps[phase], calendar=calendar) for phase, section in phases.items()}
    declared = declared_modes(own.values())
    found: dict[str, dict[str, ModeGate]] = {}
    for phase, before in after.items():
        upstream = [found[other] for other in before]
        found[phase] = own[phase] or inherited_modes(
            phases[phase], declared=declared, upstream=upstream, expect=steps[phase], calendar=calendar
        )
    return found


def _after(phases: dict[str, Section]) -> dict[str, tuple[str, ...]]:
    """Return the phases before each phase; upstream phases first."""
    after: dict[str, tuple[str, ...]] = {}
    for phase, section in phases.items():
        one = section.body.get("after")
        wanted = 'a phase such as "raw", or a list of phases'
        after[phase] = (one,) if isinstance(one, str) and one else section.texts("after", wanted=wanted)
        for other in after[phase]:
            if other not in phases:
                raise section.error("after", f"unknown phase {spell(other)}{suggest(other, known=phases)}")
    cycle = find_cycle(after)
    if cycle:
        raise phases[cycle[0]].error("after", f"cycle {' -> '.join(cycle)}; remove one of these")
    return {phase: after[phase] for phase in in_order(after)}


def _homes(steps: dict[str, Section], *, phases: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Return the phase of each step."""
    home = {}
    for step, section in steps.items():
        phase = section.text("phase", wanted="the name of a phase")
        if phase not in phases:
            raise section.error("phase", f"unknown phase {spell(phase)}{suggest(phase, known=phases)}")
        home[step] = phase
    return home


def _calendar(top: Section) -> str | None:
    if not top.has("calendar"):
        return None
    return top.text("calendar", wanted='"module:function", such as "pipeline.calendar:dates"', form=PYTHON)


def _platform(top: Section, *, steps: Mapping[str, Step]) -> Platform | None:
    """Return the names of the platform's processors, None without the table."""
    if not top.has("platform"):
        return None
    section = top.section("platform", wanted='a table such as [platform] with processors = { Class = "step" }')
    section.only(PLATFORM_KEYS)
    if not section.has("processors"):
        return Platform()
    inner = section.section("processors", wanted='a table such as { PlayerGameSummaryProcessor = "player_game" }')
    processors = {name: inner.text(name, wanted="the name of a step") for name in inner.body}
    for name, step in processors.items():
        if step not in steps:
            known = [one.name for one in steps.values() if one.kind == "external"]
            raise inner.error(name, f"unknown step {spell(step)}{suggest(step, known=known)}")
        if steps[step].kind != "external":
            raise inner.error(name, f"step {spell(step)} is built by Phasegate, which takes no report of it; remove it")
    return Platform(processors=processors)


def _step_order(
    steps: dict[str, Section], *, needs: dict[str, tuple[Need, ...]], covers: dict[str, Covers | None],
    home: dict[str, str], phases: tuple[str, ...],
) -> list[str]:  # fmt: skip
    """Return the steps phase by phase, needs and covered steps first.

    Refuses cycles, and phases without steps.
    """
    graph = {  # a window is of earlier dates: it may even be of the step itself
        step: tuple(need.step for need in needs[step] if not need.back)
        for step in sorted(steps, key=lambda s: phases.index(home[s]))
    }
    cycle = find_cycle(graph)
    if cycle:
        raise steps[cycle[0]].error("needs", f"cycle {' -> '.join(cycle)}; remove one of these needs")
    graph |= {step: (*graph[step], one.need.step) for step, one in covers.items() if one is not None}
    cycle = find_cycle(graph)
    if cycle:
        covering = next(step for step in cycle if covers[step] is not None)
        raise steps[covering].error(
            "covers", f"cycle {' -> '.join(cycle)}: a covered step cannot be built from this one"
        )
    for phase in phases:
        if phase not in home.values():
            toml = next(iter(steps.values())).toml
            raise toml.error(("phase", phase), f'has no step; give one phase = "{phase}", or remove the phase')
    return in_order(graph)
