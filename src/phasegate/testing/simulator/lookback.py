"""The content of each window over time, and changes builds must follow.

The invariant checker reports each write to it.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple

from phasegate.base.dates import bounds, distance
from phasegate.base.keys import phase_key, phase_of
from phasegate.base.receipt import Stamp
from phasegate.gate.phase import Phase, fired_as_is
from phasegate.ledger import fold
from phasegate.plan.gate import Need
from phasegate.testing.simulator.facts import facts
from phasegate.warehouse import Row

DatesBySource = Mapping[str, frozenset[str]]


class Content(NamedTuple):
    """A date's rows after a write, their stamp, and their inputs."""

    day: str
    stamp: Stamp
    rows: Sequence[Row]
    built_from: Mapping[str, Stamp] = {}


class Lookback:
    """Every content that a window had, by stamp, and why it changed.

    ``windows``: each window with the step that reads it, in the order of their phases; ``runs``: the documents that
    there may be. ``followed``: how many changes of its windows a step of a date must follow, or may, once it was built:
    those that began no more than ``cascade_days`` before it, reported once or again; those further back that occurred
    while a document asked for it, or was about to; and all that it has drifted from, once for each change nearby that a
    step of a later phase of its run must follow, since a run reads all its windows at once.
    """

    def __init__(self, windows: Sequence[tuple[Need, Need]], *, runs: Collection[str], cascade_days: int) -> None:
        self._windows, self._runs = windows, {key: phase_of(key) for key in runs}
        self._cascade_days = cascade_days
        self._days = sorted({run.date for _, _, run in self._runs.values()})
        self._stamps: dict[str, dict[str, Stamp]] = defaultdict(dict)
        self._now: dict[tuple[str, str], DatesBySource] = defaultdict(dict)
        self._then: dict[tuple[str, str, str], DatesBySource] = {}
        self._built: dict[tuple[str, str], Mapping[str, Stamp]] = {}
        self._origins: dict[tuple[str, str, str], str] = {}
        self._begun: dict[tuple[str, str], str] = {}
        self._expected: set[tuple[str, str]] = set()
        self.followed: Counter[tuple[str, str]] = Counter()
        for _, need in windows:
            for day in self._days:
                self._then[str(need), day, fold({}).fingerprint] = {}

    def record(self, step: str, content: Content, *, phases: Mapping[str, Phase]) -> None:
        """Record a date's new content, and every window that reads it."""
        day, old = content.day, self._stamps[step].get(content.day)
        self._stamps[step][day] = content.stamp
        changed = old is None or old.fingerprint != content.stamp.fingerprint
        origin = self._origin(step, content)
        if changed:  # the same content again is as old as before
            self._begun[step, day] = origin
        self._expected.discard((step, day))
        near = list[tuple[Need, str]]()
        for reader, need, later in self._readers(step, day):
            self._now[str(need), later] = {**self._now[str(need), later], day: facts(need, content.rows)}
            self._then[str(need), later, self.stamp(need, later).fingerprint] = self._now[str(need), later]
            if changed:
                asked = self._is_asked(reader, later, phases=phases)
                is_built = (reader.step, later) in self._built
                is_near = is_built and distance(origin, later) <= self._cascade_days
                if asked or is_near:
                    self._follow(reader, later)
                near += [(reader, later)] if is_near else []
                self._origins[str(need), later, day] = origin if is_built and not asked else later
        for reader, later in near:
            self._follow_drift_before(reader, later)

    def _follow(self, reader: Need, day: str) -> None:
        self.followed[reader.step, day] += 1
        self._expected.add((reader.step, day))

    def _follow_drift_before(self, reader: Need, day: str) -> None:
        """Count the drift of the phases before a step that follows a change.

        Not where such a step is to be built again anyway: it takes its drift along.
        """
        for each, need in takewhile(lambda window: window[0] != reader, self._windows):
            built = self._built.get((each.step, day), {}).get(str(need))
            has_drifted = built is not None and built.fingerprint != self.stamp(need, day).fingerprint
            if each.phase != reader.phase and has_drifted and (each.step, day) not in self._expected:
                self._follow(each, day)

    def record_repeat(self, step: str, day: str) -> None:
        """Record that a date's change is reported once more.

        A near run then reads its window again, whatever it has.
        """
        for reader, _, later in self._readers(step, day):
            near = distance(self._begun.get((step, day), day), later) <= self._cascade_days
            self.followed[reader.step, later] += near and (reader.step, later) in self._built

    def _origin(self, step: str, content: Content) -> str:
        """Return the date whose change led to a content, the newest if many.

        It is the content's own date unless only windows changed.
        """
        day = content.day
        before = self._built.get((step, day))
        self._built[step, day] = content.built_from
        new = [n for n, s in content.built_from.items() if before is None or before[n].fingerprint != s.fingerprint]
        if before is None or not new or any("@" not in name for name in new):
            return day
        found: list[str] = []
        for name in new:
            was = self.window_facts(name, day, before[name]) or {}
            now = self.window_facts(name, day, content.built_from[name]) or {}
            found += [self._origins[name, day, on] for on in now if was.get(on) != now[on]]
        return max(found, default=day)

    def window_facts(self, name: str, day: str, stamp: Stamp) -> DatesBySource | None:
        """Return the facts of each date of a window of this stamp.

        None if there was no such window.
        """
        return self._then.get((name, day, stamp.fingerprint))

    def now(self, need: Need, day: str) -> DatesBySource:
        """Return the current facts of each date of a window."""
        return self._now[str(need), day]

    def stamp(self, need: Need, day: str) -> Stamp:
        """Return the stamp of the current window of a need before a date."""
        first, last = bounds(day, need.back)
        return fold({on: stamp for on, stamp in self._stamps[need.step].items() if first <= on <= last})

    def _readers(self, step: str, day: str) -> Iterator[tuple[Need, Need, str]]:
        for reader, need in self._windows:
            for later in self._days if need.step == step else ():
                first, last = bounds(later, need.back)
                if first <= day <= last:
                    yield reader, need, later

    def _is_asked(self, reader: Need, day: str, *, phases: Mapping[str, Phase]) -> bool:
        """Return whether a document asks for a step of a date that reads a window.

        Any such step of the date, since a run reads all its windows at once. Also True if the document has built
        nothing of such a step yet, or is put off, or if it comes after the phase of the step and has yet to begin what
        that one has, and to ask for its own steps then.
        """
        readers = {each for each, _ in self._windows} | {reader}
        for key, (pipeline, name, run) in self._runs.items():
            before = phases.get(phase_key(pipeline, reader.phase, run=run))
            for each in readers if run.date == day else ():
                phase = phases.get(key) if each.phase == name else None
                unbuilt = each.phase == name and (phase is None or phase.result_of(each.step) is None)
                if (phase is not None and (each.step in phase.requests or phase.catch_up_since is not None)) or (
                    unbuilt and (reader.step, day) in self._built
                ):
                    return True
                if phase is not None and before is not None and reader.phase in phase.inputs:
                    handed_on = fired_as_is(before) and phase.inputs[reader.phase].generation == before.generation
                    if not handed_on:
                        return True
        return False
