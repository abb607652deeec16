"""Checks across the parts of a plan.

No cycles, nothing unreachable, nothing with two owners. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import cast

from phasegate.plan.gate import SEASON, SEASON_START
from phasegate.plan.model import Hours, Plan, Step, TimeRule
from phasegate.plan.times import minutes
from phasegate.plan.toml_lines import Place, Toml, spell, suggest

BODY_BYTES_MAX = 1_000_000
# Measured as JSON, with names, ids and times of full length.
FIXED_BYTES = 120_000  # 32 attempts, 32 firings with 20 changes each, the outbox
MEMBER_BYTES = 735  # its rule, its result, its old code, its notice and its newest attempt
EXTERNAL_BYTES = 400  # a result named by an execution id of 60 bytes, and 4 of equal order
REQUEST_BYTES = 600
STAMP_BYTES = 110
NEED_BYTES = 60
COVERS_BYTES = 4_000  # 20 missing keys
WINDOW_BYTES = 8_000  # 400 drifted dates, 31 awaited ones
ERRORS_BYTES = 60_000


def in_order(needs: Mapping[str, Sequence[str]], /) -> list[str]:
    """Return the names with needs first, in the given order among equals.

    There must be no cycle.

    >>> in_order({"c": ["a"], "b": [], "a": ["b"]})
    ['b', 'a', 'c']
    """
    done: dict[str, None] = {}
    while len(done) < len(needs):
        ready = next(name for name in needs if name not in done and all(need in done for need in needs[name]))
        done[ready] = None
    return list(done)


def find_cycle(needs: Mapping[str, Sequence[str]], /) -> list[str]:
    """Return one cycle, with its first name again at the end; [] for none.

    >>> find_cycle({"a": ["b"], "b": ["c"], "c": ["b"]})
    ['b', 'c', 'b']
    """
    left = dict(needs)
    while free := [name for name, wanted in left.items() if not any(need in left for need in wanted)]:
        for name in free:
            del left[name]
    if not left:
        return []
    path = [next(iter(left))]
    while True:
        # Every name that is left needs another that is left, so following the needs must find a cycle.
        need = next(need for need in left[path[-1]] if need in left)
        if need in path:
            return [*path[path.index(need) :], need]
        path.append(need)


def check(plan: Plan, toml: Toml) -> None:
    """Refuse a plan with unreachable parts, or parts under two names.

    Raises BadInput.
    """
    _check_tables(plan, toml)
    _check_covers(plan, toml)
    _check_modes(plan, toml)
    _check_arrivals(plan, toml)
    _check_expected(plan, toml)
    _check_topics(plan, toml)
    _check_windows(plan, toml)
    _check_sums(plan, toml)
    _check_starts(plan, toml)
    _check_any_date(plan, toml)
    _check_hours(plan, toml)
    _check_mirrors(plan, toml)
    _check_sizes(plan, toml)


def _check_sizes(plan: Plan, toml: Toml) -> None:
    """Refuse a phase whose document could grow beyond what a store takes."""
    for phase in plan.phases.values():
        for mode in phase.modes:
            size = document_bytes(plan, phase.name, mode=mode)
            if size > BODY_BYTES_MAX:
                number = len(plan.members(phase.name, mode=mode))
                wrong = f"phase {spell(phase.name)} has {number} steps in mode {spell(mode)}: its document could grow"
                fix = "split it into phases that come after one another, or into modes"
                raise toml.error(("phase", phase.name), f"{wrong} to {size:,} bytes of {BODY_BYTES_MAX:,}; {fix}")


def _check_tables(plan: Plan, toml: Toml) -> None:
    """Refuse two steps that write one table.

    Each would overwrite the other's rows.
    """
    owner: dict[str, str] = {}
    for step in sorted(plan.steps.values(), key=lambda s: toml.line(("step", s.name, "table"))):
        if step.table is None:
            continue
        first = owner.setdefault(step.table.name, step.name)
        if first != step.name:
            wrong = f"{spell(step.table.name)} is already the table of step {spell(first)}"
            raise toml.error(("step", step.name, "table"), f"{wrong}; give each step a table of its own")


def _check_covers(plan: Plan, toml: Toml) -> None:
    """Refuse to cover a step without a table, or by columns it lacks."""
    for step in plan.steps.values():
        if step.covers is None:
            continue
        covered, place = plan.steps[step.covers.need.step], ("step", step.name, "covers")
        if covered.table is None:
            wrong = f"{spell(str(step.covers.need))} has no table, so there is nothing to cover"
            raise toml.error(place, f"{wrong}; give {spell(covered.name)} a table, or remove it")
        for table in filter(None, (covered.table, step.table)):
            for column in step.covers.on if table.columns else ():
                if column not in table.columns:
                    known = suggest(column, known=table.columns)
                    raise toml.error((*place, "on"), f"{spell(column)} is not a column of {table.name}{known}")


def _check_modes(plan: Plan, toml: Toml) -> None:
    """Refuse a mode that an upstream phase lacks: it would never begin."""
    for phase in plan.phases.values():
        for mode in phase.modes:
            for other in phase.after:
                if mode not in plan.phases[other].modes:
                    wrong = f"phase {spell(other)}, which comes before, has no mode {spell(mode)}: it would never begin"
                    raise toml.error(
                        ("phase", phase.name, "modes", mode), f"{wrong}; add modes.{mode} to [phase.{other}]"
                    )


def _check_arrivals(plan: Plan, toml: Toml) -> None:
    """Refuse a need that the upstream phase does not expect in some mode.

    Its stamp would never be carried.
    """
    for phase in plan.phases.values():
        for mode in phase.modes:
            for step in plan.members(phase.name, mode=mode).values():
                for need in step.of_its_date:
                    if need.phase == phase.name or need.step in plan.phases[need.phase].modes[mode].expect:
                        continue
                    wrong = f"{spell(str(need))} never arrives in mode {spell(mode)}: phase {spell(need.phase)}"
                    fix = (
                        f"add it to expect there, or leave {spell(step.name)} out of that mode of [phase.{phase.name}]"
                    )
                    key = "needs" if need in step.needs else "covers"
                    raise toml.error(("step", step.name, key), f"{wrong} does not expect it; {fix}")


def _check_expected(plan: Plan, toml: Toml) -> None:
    """Refuse a step that is never built.

    No mode expects it, and nothing expected needs it.
    """
    for step in plan.steps.values():
        if not any(step.name in plan.members(step.phase, mode=mode) for mode in plan.phases[step.phase].modes):
            wrong = f"no mode of phase {spell(step.phase)} expects it and no step that is expected needs it"
            wrong += " on its own date" if plan.windows_on(step.name) else ""
            raise toml.error(("step", step.name), f"{wrong}; add it to expect, or remove the step")


def _check_windows(plan: Plan, toml: Toml) -> None:
    """Refuse a window over a step without a table: it has no dates."""
    windows = [(step.name, need) for step in plan.steps.values() for need in step.needs if need.back]
    for step, need in windows:
        if plan.steps[need.step].table is None:
            wrong = f"{spell(str(need))} has no table, so there is no window of it"
            raise toml.error(("step", step, "needs"), f"{wrong}; give {spell(need.step)} a table, or remove it")
        if need.back == SEASON:
            _check_season(plan, toml, step=step)
    if not windows and "cascade_days" in toml.body:
        raise toml.error(("cascade_days",), "does nothing: no step needs a window of earlier dates; remove it")


def _check_season(plan: Plan, toml: Toml, *, step: str) -> None:
    """Refuse a window of a season where no calendar is asked when it begins."""
    place: Place = ("step", step, "needs")
    if plan.calendar is None:
        wrong = f'a window with back = "season" begins at the {SEASON_START} of a calendar, and this plan has none'
        raise toml.error(place, f'{wrong}; write calendar = "module:function" at the top, or a number of days')
    phase = plan.phases[plan.steps[step].phase]
    for mode, gate in phase.modes.items():
        if gate.any_date and step in plan.members(phase.name, mode=mode):
            wrong = f'a window with back = "season" asks the calendar, and mode {spell(mode)} of {spell(phase.name)}'
            raise toml.error(place, f"{wrong} has any_date; write a number of days, or remove any_date")


def _check_sums(plan: Plan, toml: Toml) -> None:
    """Refuse sums with a table that is not there when they are compared."""
    for step in plan.steps.values():
        for total in step.sums:
            place, other = ("step", step.name, "sums"), plan.steps.get(total.step)
            if other is None or other.table is None or not any(n.step == total.step and not n.back for n in step.needs):
                fix = f"name a step with a table, and add it to needs of {spell(step.name)}"
                raise toml.error(place, f"{spell(total.step)} is no step that this one needs; {fix}")
            for name in (total.other, *total.by) if other.table.columns else ():
                if name not in other.table.columns:
                    raise toml.error(
                        place, f"{spell(name)} is not in columns of {spell(total.step)}; correct one of them"
                    )


def _check_starts(plan: Plan, toml: Toml) -> None:
    """Refuse a start that cannot happen, and one after the deadline."""
    for phase in plan.phases.values():
        for mode, gate in phase.modes.items():
            place = _written(toml, phase.name, mode, key="start")
            if gate.start.by == "run" and phase.after:
                others = " and ".join(map(spell, phase.after))
                wrong = f'"run" opens by hand only, so triggers of {others} would be refused, and it would never begin'
                raise toml.error(place, f"{wrong}; remove it")
            if gate.start.at and gate.deadline and _not_before(gate.start.at, gate.deadline):
                wrong = f"mode {spell(mode)} would start after its deadline"
                raise toml.error(place, f"{wrong}; write an earlier start, or a later deadline")


def _not_before(one: TimeRule, other: TimeRule, /) -> bool:
    """Return whether a time is never before another.

    False where only the calendar can decide.
    """
    if one.local and other.local:
        return minutes(one) >= minutes(other)
    return one.anchor is not None and one.anchor == other.anchor and one.after_s >= other.after_s


def _check_mirrors(plan: Plan, toml: Toml) -> None:
    """Refuse two phases that would overwrite each other's document."""
    owner: dict[str, str] = {}
    for phase in plan.phases.values():
        if phase.mirror and (other := owner.setdefault(phase.mirror, phase.name)) != phase.name:
            wrong = f"{spell(phase.mirror)} is the document of phase {spell(other)}"
            raise toml.error(("phase", phase.name, "mirror"), f"{wrong}; give this one its own")


def _check_hours(plan: Plan, toml: Toml) -> None:
    """Refuse hours that are never used, and hours of two modes that overlap."""
    found: dict[str, tuple[str, Hours]] = {}
    for phase in plan.phases.values():
        for mode, gate in phase.modes.items():
            if gate.reports is None:
                continue
            place = ("phase", phase.name, "modes", mode, "reports")
            _check_hours_used(plan, toml, place, mode=mode)
            for other, (where, hours) in found.items():
                if other == mode and hours != gate.reports:
                    wrong = f"phase {spell(where)} gives mode {spell(mode)} other hours"
                    raise toml.error(place, f"{wrong}; write them once")
                if other != mode and _overlap(hours, gate.reports):
                    wrong = f"hours of mode {spell(mode)} are of mode {spell(other)} too, so a report would be of both"
                    raise toml.error(place, f"{wrong}; let one end where the other begins")
            found.setdefault(mode, (phase.name, gate.reports))


def _check_hours_used(plan: Plan, toml: Toml, place: Place, /, *, mode: str) -> None:
    """Refuse hours in which no report would ever be looked up."""
    if len(plan.modes) == 1:
        raise toml.error(place, "does nothing: the plan has one mode, and every report is of it; remove it")
    members = (plan.members(p.name, mode=mode) for p in plan.phases.values() if mode in p.modes)
    if not any(step.kind == "external" for known in members for step in known.values()):
        wrong = f"does nothing: mode {spell(mode)} has no external step, and only external steps are reported"
        raise toml.error(place, f"{wrong}; remove it")


def _check_any_date(plan: Plan, toml: Toml) -> None:
    """Refuse ``any_date`` where a phase after it asks the calendar."""
    for phase in plan.phases.values():
        for mode, gate in phase.modes.items():
            for later in plan.downstream(phase.name) if gate.any_date else ():
                known = plan.phases[later].modes.get(mode)
                if known is not None and not known.any_date:
                    wrong = f"phase {spell(later)} starts on this one and asks the calendar, so it would refuse to"
                    fix = f"write any_date for mode {spell(mode)} of {spell(later)} too"
                    raise toml.error(("phase", phase.name, "modes", mode, "any_date"), f"{wrong}; {fix}")


def _overlap(one: Hours, other: Hours, /) -> bool:
    return minutes(one.first) < minutes(other.last) and minutes(other.first) < minutes(one.last)


def _written(toml: Toml, phase: str, mode: str, /, *, key: str) -> Place:
    """Return where a key is written that a mode may inherit from its phase."""
    body: object = toml.body
    for part in ("phase", phase, "modes", mode):
        body = cast("dict[str, object]", body).get(part, {})
    in_mode = key in cast("dict[str, object]", body)
    return ("phase", phase, "modes", mode, key) if in_mode else ("phase", phase, key)


def _check_topics(plan: Plan, toml: Toml) -> None:
    """Refuse topics with two meanings.

    Phasegate's own topics, the names of phases, one topic for two purposes.
    """
    purposes: dict[str, str] = {}

    def claim(place: tuple[str | int, ...], *, topic: str, purpose: str) -> None:
        if topic.startswith(f"{plan.pipeline}."):
            wrong = f'{spell(topic)}: topics that begin with "{plan.pipeline}." are Phasegate\'s own'
            raise toml.error(place, f"{wrong}; choose another")
        if topic in plan.phases:
            wrong = f"{spell(topic)} is the name of a phase, which is a receiver of its own"
            raise toml.error(place, f"{wrong}; choose another")
        first = purposes.setdefault(topic, purpose)
        if first != purpose:
            raise toml.error(place, f"{spell(topic)} already carries {first}; choose another for {purpose}")

    for phase in plan.phases.values():
        for i, send in enumerate(phase.sends):
            what = (
                f"triggers of phase {spell(phase.name)}" if send.phase is None else f"what begins {spell(send.phase)}"
            )
            claim(("phase", phase.name, "sends", i, "topic"), topic=send.topic, purpose=what)
            tables = [step for step in plan.steps.values() if step.phase == phase.name and step.table is not None]
            if send.form == "platform" and not tables:
                fix = "give a step its table, or remove form"
                raise toml.error(("phase", phase.name, "sends", i, "form"), f"no step of the phase has a table; {fix}")
    for step in plan.steps.values():
        if step.topic:
            claim(("step", step.name, "topic"), topic=step.topic, purpose="requests for external steps")


def document_bytes(plan: Plan, phase: str, *, mode: str) -> int:
    """Return how large the document of a phase can become, in bytes.

    It is one document, and a store takes 1,000,000 bytes (Firestore's limit). This adds up what it holds
    of each member at most; what grows with the history is bounded by its number of entries.
    """
    members = plan.members(phase, mode=mode)
    windows = {str(need) for step in members.values() for need in step.needs if need.back}
    upstream = [
        name
        for before in plan.phases[phase].after
        if mode in plan.phases[before].modes
        for name in plan.members(before, mode=mode)
    ]
    errors = 2 if any(step.kind != "external" for step in members.values()) else 1
    total = FIXED_BYTES + errors * ERRORS_BYTES + WINDOW_BYTES * len(windows)
    total += 2 * sum(STAMP_BYTES + len(name) for name in upstream)  # begun, and waiting
    return total + sum(_member_bytes(step) for step in members.values())


def _member_bytes(step: Step) -> int:
    needs = sum(len(str(need)) for need in step.needs)
    stamps = needs + STAMP_BYTES * len(step.needs)
    total = MEMBER_BYTES + 5 * len(step.name) + STAMP_BYTES + needs + NEED_BYTES * len(step.needs) + stamps
    total += EXTERNAL_BYTES if step.table is None else 0
    total += REQUEST_BYTES + stamps if step.kind != "external" else 0
    return total + (COVERS_BYTES if step.covers is not None else 0)
