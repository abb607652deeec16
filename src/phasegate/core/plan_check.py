"""What must hold between the parts of a plan: no cycles, nothing unreachable, nothing with two owners. Pure."""

from collections.abc import Mapping, Sequence

from phasegate.core.plan import Plan
from phasegate.core.toml_lines import Toml, spell


def in_order(needs: Mapping[str, Sequence[str]], /) -> list[str]:
    """Return the names, needs first, in the given order among equals; there must be no cycle.

    >>> in_order({"c": ["a"], "b": [], "a": ["b"]})
    ['b', 'a', 'c']
    """
    done: dict[str, None] = {}
    while len(done) < len(needs):
        ready = next(name for name in needs if name not in done and all(need in done for need in needs[name]))
        done[ready] = None
    return list(done)


def find_cycle(needs: Mapping[str, Sequence[str]], /) -> list[str]:
    """Return one cycle, its first name again at the end; [] when there is none.

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
        # Whatever is left needs something that is left: following it must come round.
        need = next(need for need in left[path[-1]] if need in left)
        if need in path:
            return [*path[path.index(need) :], need]
        path.append(need)


def check(plan: Plan, toml: Toml) -> None:
    """Refuse a plan in which something could never happen, or happens under two names. Raises BadInput."""
    _check_tables(plan, toml)
    _check_modes(plan, toml)
    _check_arrivals(plan, toml)
    _check_expected(plan, toml)
    _check_topics(plan, toml)


def _check_tables(plan: Plan, toml: Toml) -> None:
    """Refuse two steps that write one table: neither would know what the other did to it."""
    owner: dict[str, str] = {}
    for step in sorted(plan.steps.values(), key=lambda s: toml.line(("step", s.name, "table"))):
        if step.table is None:
            continue
        first = owner.setdefault(step.table.name, step.name)
        if first != step.name:
            told = f"{spell(step.table.name)} is already the table of step {spell(first)}"
            raise toml.error(("step", step.name, "table"), f"{told}; give each step a table of its own")


def _check_modes(plan: Plan, toml: Toml) -> None:
    """Refuse a mode that an upstream phase does not know: nothing would ever begin it."""
    for phase in plan.phases.values():
        for mode in phase.modes:
            for other in phase.after:
                if mode not in plan.phases[other].modes:
                    told = f"phase {spell(other)}, which comes before, has no mode {spell(mode)}: it would never begin"
                    raise toml.error(
                        ("phase", phase.name, "modes", mode), f"{told}; add modes.{mode} to [phase.{other}]"
                    )


def _check_arrivals(plan: Plan, toml: Toml) -> None:
    """Refuse a need that the upstream phase does not expect in some mode: its stamp would never be carried."""
    for phase in plan.phases.values():
        for mode in phase.modes:
            for step in plan.members(phase.name, mode=mode).values():
                for need in step.needs:
                    if need.phase == phase.name or need.step in plan.phases[need.phase].modes[mode].expect:
                        continue
                    told = f"{spell(str(need))} never arrives in mode {spell(mode)}: phase {spell(need.phase)}"
                    mend = (
                        f"add it to expect there, or leave {spell(step.name)} out of that mode of [phase.{phase.name}]"
                    )
                    raise toml.error(("step", step.name, "needs"), f"{told} does not expect it; {mend}")


def _check_expected(plan: Plan, toml: Toml) -> None:
    """Refuse a step that no mode expects and that nothing expected needs: it would never be built."""
    for step in plan.steps.values():
        if not any(step.name in plan.members(step.phase, mode=mode) for mode in plan.phases[step.phase].modes):
            told = f"no mode of phase {spell(step.phase)} expects it and no step that is expected needs it"
            raise toml.error(("step", step.name), f"{told}; add it to expect, or remove the step")


def _check_topics(plan: Plan, toml: Toml) -> None:
    """Refuse topics with two meanings: Phasegate's own, the names of phases, one topic for two purposes."""
    purposes: dict[str, str] = {}

    def claim(place: tuple[str | int, ...], *, topic: str, purpose: str) -> None:
        if topic.startswith(f"{plan.pipeline}."):
            told = f'{spell(topic)}: topics that begin with "{plan.pipeline}." are Phasegate\'s own'
            raise toml.error(place, f"{told}; choose another")
        if topic in plan.phases:
            told = f"{spell(topic)} is the name of a phase, which is a receiver of its own"
            raise toml.error(place, f"{told}; choose another")
        first = purposes.setdefault(topic, purpose)
        if first != purpose:
            raise toml.error(place, f"{spell(topic)} already carries {first}; choose another for {purpose}")

    for phase in plan.phases.values():
        for i, send in enumerate(phase.sends):
            what = (
                f"triggers of phase {spell(phase.name)}" if send.phase is None else f"what begins {spell(send.phase)}"
            )
            claim(("phase", phase.name, "sends", i, "topic"), topic=send.topic, purpose=what)
    for step in plan.steps.values():
        if step.topic:
            claim(("step", step.name, "topic"), topic=step.topic, purpose="requests for external steps")
