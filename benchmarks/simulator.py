"""The simulator's speed, and how soon it catches each mutant.

Seeds and port calls a second; with --mutants what catches each standing bug, and the seed. Run: python -m
benchmarks.simulator [--seeds N] [--start N] [--processes P] [--wide SHARE] [--mutants]. Exit 1 if a promise was broken
or a mutant was not caught.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from phasegate.testing.simulator import Faults, simulate

SEEDS = 1_000
QUICK = 20
CHUNK = 10


@dataclass(frozen=True)
class Played:
    """The result of one seed."""

    seed: int
    calls: int
    crashes: int
    violation: str
    replay: str


@dataclass(frozen=True)
class Caught:
    """What caught a mutant, and the first of its seeds that did.

    None where no seeds are played.
    """

    number: int
    title: str
    by: str
    seed: int | None


def play(seed: int, *, wide: float) -> Played:
    outcome = simulate(seed, faults=Faults(wide=wide))
    return Played(seed, outcome.calls, outcome.crashes, outcome.violation, outcome.replay)


def catch(position: int) -> Caught | None:
    """Apply one mutant of the catalogue; return what caught it, or None."""
    from tests.mutants.catalogue import MUTANTS

    mutant = MUTANTS[position]
    if mutant.check is not None:
        return Caught(mutant.number, mutant.title, mutant.catches, None) if mutant.is_caught_by_its_check() else None
    outcome = mutant.first_failing()
    return None if outcome is None else Caught(mutant.number, mutant.title, mutant.catches, outcome.seed)


def seeds(first: int, count: int, *, processes: int, wide: float) -> bool:
    """Print one line of figures and each violation; return whether all held.

    A violation has the command that plays it again.
    """
    start = time.perf_counter()
    with get_context("spawn").Pool(processes) as pool:
        played = pool.map(partial(play, wide=wide), range(first, first + count), chunksize=CHUNK)
    seconds = time.perf_counter() - start
    calls, crashes = sum(p.calls for p in played), sum(p.crashes for p in played)
    broken = [p for p in played if p.violation]
    print(f"{'seeds':>8}{'processes':>11}{'seconds':>9}{'seeds/s':>9}{'calls':>12}{'calls/s':>9}{'crashes':>9}"
          f"{'violations':>12}")  # fmt: skip
    print(f"{count:>8}{processes:>11}{seconds:>9.1f}{count / seconds:>9.1f}{calls:>12}{calls / seconds:>9.0f}"
          f"{crashes:>9}{len(broken):>12}")  # fmt: skip
    for p in broken:
        print(f"seed {p.seed}: {p.violation}\n  {p.replay}")
    return not broken


def table(found: Iterable[Caught]) -> list[str]:
    """Return the table of docs/explanation/mutants.md, line by line."""
    lines = ["| bug | what is wrong | caught by |", "|---|---|---|"]
    return lines + [f"| {c.number} | {c.title} | {c.by} |" for c in found]


def mutants(*, processes: int) -> bool:
    """Print what catches each mutant; return whether all are caught.

    With the seed that catches each that the simulator does: it changes with the code, so no page has it.
    """
    from tests.mutants.catalogue import MUTANTS

    with get_context("spawn").Pool(processes) as pool:
        found = pool.map(catch, range(len(MUTANTS)), chunksize=1)
    for line in table(c for c in found if c is not None):
        print(line)
    for c in found:
        if c is not None and c.seed is not None:
            print(f"seed {c.seed}: ({c.number}) {c.title}")
    for mutant, caught in zip(MUTANTS, found, strict=True):
        if caught is None:
            print(f"NOT CAUGHT: ({mutant.number}) {mutant.title}")
    return None not in found


def main(argv: Sequence[str]) -> None:
    """Print the figures; exit 1 for a violation or an uncaught mutant."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulator", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"how many seeds to play (default {SEEDS})")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--wide", type=float, default=Faults().wide,
                        help=f"share of seeds that play dates in a row (default {Faults().wide})")  # fmt: skip
    parser.add_argument("--mutants", action="store_true", help="apply each standing bug instead")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} seeds, one process")
    given = parser.parse_args(argv)
    if given.mutants:
        well = mutants(processes=given.processes)
    elif given.quick:
        well = seeds(given.start, QUICK, processes=1, wide=given.wide)
    else:
        well = seeds(given.start, given.seeds, processes=given.processes, wide=given.wide)
    if not well:
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
