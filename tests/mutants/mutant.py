"""A standing mutant: a small patch that has one bug, what must catch it, and how soon."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from phasegate.testing.simulator import Faults, ScheduleResult, simulate
from tests.mutants import checks
from tests.mutants.wrong_gates import Patch

# Settings that bring a bug out early; none of them makes the unchanged code fail.
DEFAULT = Faults()
CRASHES = Faults(crash=0.1, crashes_max=40)
BUSY = Faults(pause=0.02, duplicate=0.5)
STALLS = Faults(stall=0.5, duplicate=0.5)
BROKEN = Faults(broken=0.3)
UNANSWERED_ONLY = Faults(crash=0.0, lose=0.0, unanswered=0.1)
LOSSY = Faults(lose=0.4)
CRASHES_ONLY = Faults(crash=0.03, crashes_max=20, lose=0.0, unanswered=0.0)


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A small patch that has one bug. ``says``: what the objection must read like (a regular expression).

    ``check`` None: the simulator must object within ``seeds_max`` seeds, from ``seed`` on; else this check must fail.
    ``wide``: the seeds play dates in a row, not each date for itself. ``operation``: what happens besides.
    """

    number: int
    title: str
    patch: Callable[[], Patch]
    catches: str = "simulator"
    says: str = ""
    check: checks.Check | None = None
    faults: Faults = DEFAULT
    wide: bool = False
    seed: int = 0
    operation: str = ""
    seeds_max: int = 200

    @property
    def seeds(self) -> range:
        """Return the seeds of which one must be caught."""
        return range(self.seed, self.seed + self.seeds_max)

    @property
    def played(self) -> Faults:
        """Return what its seeds are played with."""
        return dataclasses.replace(self.faults, wide=float(self.wide), operated=0.0, operation=self.operation)

    @property
    def patch_name(self) -> str:
        """Return the name of the patch's function."""
        patch = self.patch
        return str((patch.func if isinstance(patch, partial) else patch).__name__)

    def play(self, seed: int) -> ScheduleResult:
        """Play one seed under the mutant."""
        with self.patch():
            return simulate(seed, faults=self.played)

    def is_caught_by_its_check(self) -> bool:
        """Tell whether the check, which passes without the mutant, fails under it."""
        assert self.check is not None
        self.check()
        try:
            with self.patch():
                self.check()
        except (AssertionError, pytest.fail.Exception):
            return True
        return False

    def first_failing(self) -> ScheduleResult | None:
        """Return the first outcome with an objection, None if there is none within ``seeds``."""
        outcomes = (self.play(seed) for seed in self.seeds)
        return next((outcome for outcome in outcomes if outcome.violation), None)
