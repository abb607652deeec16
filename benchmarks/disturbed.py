"""A fortnight with every fault, then the backfill that reconcile names.

It checks that the end equals that of an undisturbed run. Run: python -m benchmarks disturbed. With NBA_DATA (default
../shared/nba): 1 to 14 December 2024, else, or with --quick, four synthetic nights. Box scores arrive days late on some
dates; messages arrive twice and in any order; processes crash at port calls; two of everything run at once. Late rows
are built into near dates without a command; what reconcile finds beyond that is fixed by the commands that it names;
then a late batch arrives once more.

Exits with 1, and names what is wrong, if a table's digest differs, if something was built without need, or was not and
should have been, or if the counts are not the known ones.
"""

import argparse
import io
import json
import os
import shlex
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import rebuilt
from benchmarks.rebuilt import Result
from benchmarks.sources import chosen
from nba_props import PLAN
from nba_props.raw import RawRow
from nba_props.replay.faults import parse_faults
from nba_props.replay.runner import Runner
from nba_props.replay.scrapers import LOG
from nba_props.replay.tally import Replay
from nba_props.sources import Source
from phasegate.cli import run as phasegate

FAULTS = "duplicate=3,reorder,late=0.2,late_dates=0.3,late_days=4,crash=0.02,concurrent=2,seed=10"
DATES = (date(2024, 12, 1), date(2024, 12, 14))
QUICK = (date(2026, 2, 1), date(2026, 2, 4))
QUICK_FAULTS = "duplicate=3,reorder,late=0.2,late_dates=0.3,late_days=3,crash=0.02,concurrent=2,seed=2"
# Of DATES with FAULTS: five dates are late, eight have forecasts that are built again, three are named.
KNOWN = {"late dates": 5, "results built again by themselves": 56, "runs named": 6, "results built by the backfill": 21}
QUICK_KNOWN = {
    "late dates": 1,
    "results built again by themselves": 14,
    "runs named": 2,
    "results built by the backfill": 7,
}


House = Callable[[], AbstractContextManager[None]]


@contextmanager
def settled_in(**settings: str) -> Iterator[None]:
    """Set ``PHASEGATE_STORE`` and such for the block."""
    before = dict(os.environ)
    os.environ.update({f"PHASEGATE_{name.upper()}": value for name, value in settings.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Disturbed(Runner):
    """A replay with faults that records which dates were late.

    In the order in which they arrived.
    """

    def __init__(self, source: Source, *, state: Path, faults: str) -> None:
        super().__init__(source, state=state, faults=parse_faults(faults))
        self.late: list[date] = []

    def come_late(self, day: date, rows: list[RawRow] | None = None) -> None:
        """Bring the whole box scores of a date in, hours later."""
        self.late.append(day)
        super().come_late(day, rows)


@dataclass(frozen=True, kw_only=True)
class Found:
    """The result of a disturbed replay.

    Results are (step, date); `named`: (phase, run) of each finding. `again`: built of other inputs before the backfill;
    `due`: what had to be; `owed`: what still had to be then. `filled`: how often the backfill built what; `needed`:
    what it had to build. `idle`: builds of what was built already. `results`, `builds`: how many there were before the
    backfill. `repeated`: what was built, and `fired`: which gates fired, when a late batch arrived once more.
    """

    calm: Replay
    before: Replay
    after: Replay
    late: list[date]
    again: set[Result]
    due: set[Result]
    owed: set[Result]
    named: set[tuple[str, str]]
    commands: list[str]
    codes: set[str]
    filled: dict[Result, int]
    needed: set[Result]
    idle: list[Result]
    results: int
    builds: int
    repeated: list[Result]
    fired: set[str]

    def counts(self) -> dict[str, int]:
        """Return the counts that are the same at every run.

        That is, of the same dates and faults.
        """
        return {
            "late dates": len(self.late),
            "results built again by themselves": len(self.again),
            "runs named": len({run for _, run in self.named}),
            "results built by the backfill": sum(self.filled.values()),
        }

    def problems(self, *, known: Mapping[str, int]) -> Iterator[str]:
        """Yield what is wrong."""
        for table, wanted in self.calm.tables.items():
            if self.after.tables[table] != wanted:
                yield f"{table}: {self.after.tables[table]}, and undisturbed it is {wanted}"
        yield from self.after.unsettled
        if self.after.dead_letters:
            yield f"{self.after.dead_letters} dead letter(s)"
        if self.again | self.owed != self.due:
            yield from _differing("built again by itself", self.again | self.owed, self.due)
        if self.filled.keys() != self.needed:
            yield from _differing("built by the backfill", set(self.filled), self.needed)
        yield from (f"the backfill built {n} times: {result}" for result, n in self.filled.items() if n > 1)
        # two results that are committed at once may be in the other order, so one is no proof
        yield from (f"built of what it was made of already: {result}" for result in self.idle if len(self.idle) > 1)
        if self.codes - {"PG013"}:
            yield f"reconcile finds {', '.join(sorted(self.codes))}"
        yield from (f"built of an identical batch: {result}" for result in self.repeated)
        if self.fired:
            yield f"an identical batch fired {', '.join(sorted(self.fired))}"
        yield from (f"{name}: {self.counts()[name]}, known to be {n}" for name, n in known.items()
                    if self.counts()[name] != n)  # fmt: skip


def _differing(what: str, found: set[Result], wanted: set[Result]) -> Iterator[str]:
    yield from (f"{what}, and need not be: {result}" for result in sorted(found - wanted))
    yield from (f"not {what}, and should be: {result}" for result in sorted(wanted - found))


def calm(source: Source, *, first: date, last: date, house: House = nullcontext) -> Replay:
    """Return the result of the dates without faults."""
    with tempfile.TemporaryDirectory() as state, house():
        runner = Runner(source, state=Path(state), workers=2)
        try:
            return runner.run(first, last)
        finally:
            runner.close()


def disturbed(source: Source, *, first: date, last: date, faults: str, house: House = nullcontext) -> Found:
    """Play the dates with faults, run the named commands, repeat a batch.

    The commands are those of reconcile's findings; the repeated batch is a late one. ``house``: where the disturbed
    dates are played. Return what was found: the undisturbed dates are played in files.
    """
    wanted = calm(source, first=first, last=last)
    with tempfile.TemporaryDirectory() as state, house():
        runner = Disturbed(source, state=Path(state), faults=faults)
        try:
            before = runner.run(first, last)
            return _fixed(runner, source, span=(str(first), str(last)), state=state, replays=(wanted, before))
        finally:
            runner.close()


def _fixed(
    runner: Disturbed, source: Source, *, span: tuple[str, str], state: str, replays: tuple[Replay, Replay]
) -> Found:
    plan, (wanted, before), late = runner.pipeline.plan, replays, list(runner.late)
    written = rebuilt.writes(runner.pipeline)
    done, held = rebuilt.builds(plan, written), rebuilt.contents(written)
    found = _reconcile(runner, span, state=state)
    commands = list(dict.fromkeys(str(finding["command"]) for finding in found))
    for command in commands:
        _typed(runner, *shlex.split(command)[1:], state=state)
    filled = rebuilt.writes(runner.pipeline)
    after = runner.summary(dates=before.dates, games=before.games, seconds=before.seconds)
    for day in late[:1]:
        runner.come_late(day, source.batch(day))
    repeated = rebuilt.writes(runner.pipeline)[len(filled) :]
    gates = runner.summary(dates=0, games=0, seconds=0.0).gates
    return Found(
        calm=wanted,
        before=before,
        after=after,
        late=late,
        again={result for result, n in done.times.items() if n - done.idle.count(result) > 1},
        due=rebuilt.stale(plan, done.first, held=held),
        owed=rebuilt.stale(plan, done.last, held=held),
        named={(finding["evidence"]["phase"], finding["evidence"]["run"]) for finding in found},
        commands=commands,
        codes={finding["code"] for finding in found},
        filled=Counter(write.result for write in filled[len(written) :]),
        needed=rebuilt.stale(plan, done.last, held=rebuilt.contents(filled)),
        idle=rebuilt.builds(plan, filled).idle,
        results=len(done.times),
        builds=sum(done.times.values()),
        repeated=[write.result for write in repeated if plan.steps[write.result.step].kind != "external"],
        # the log of fetches has one more line: it records every fetch
        fired={name for name in gates if gates[name] != after.gates[name] and name != plan.steps[LOG].phase},
    )


def _reconcile(runner: Runner, span: tuple[str, str], *, state: str) -> list[dict[str, Any]]:
    printed = _typed(runner, "reconcile", "--from", span[0], "--to", span[1], "--json", state=state)
    found: list[dict[str, Any]] = json.loads(printed)["findings"]
    return found


def _typed(runner: Runner, *arguments: str, state: str) -> str:
    """Run a command as typed, on the replay's clock; return its output."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        phasegate(["--plan", str(PLAN), "--state", state, *arguments], clock=runner.clock)
    return out.getvalue()


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks disturbed")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--faults", help="faults other than the known ones")
    parser.add_argument("--at", metavar="URL", help="play the disturbed dates in this empty store of PostgreSQL")
    given = parser.parse_args(argv)
    source, real = chosen(quick=given.quick)
    (first, last), usual, known = (DATES, FAULTS, KNOWN) if real else (QUICK, QUICK_FAULTS, QUICK_KNOWN)
    faults = given.faults or usual
    house: House = partial(settled_in, store=given.at, warehouse=given.at) if given.at else nullcontext
    found = disturbed(source, first=first, last=last, faults=faults, house=house)
    print(f"{first} to {last}: {faults}")
    for name, number in _rows(found):
        print(f"{name:42}{number:>8}")
    problems = list(found.problems(known=known if faults == usual else {}))
    for problem in problems:
        print(problem)
    if problems:
        raise SystemExit(1)


def _rows(found: Found) -> list[tuple[str, int]]:
    counts, calm_tables = found.counts(), found.calm.tables
    differing = [sum(one.tables[t] != calm_tables[t] for t in calm_tables) for one in (found.before, found.after)]
    return [
        ("dates", found.before.dates),
        ("late dates", counts.pop("late dates")),
        ("processes that crashed", found.before.crashes),
        ("results", found.results),
        ("results built again by themselves", counts.pop("results built again by themselves")),
        ("builds of all these", found.builds),
        ("tables that differ before the backfill", differing[0]),
        *counts.items(),
        ("tables that differ after it", differing[1]),
        ("builds of what was built already", len(found.idle)),
        ("results built of an identical batch", len(found.repeated)),
        ("not settled, dead", len(found.after.unsettled) + found.after.dead_letters),
    ]
