"""Each standing mutant is caught, for the right reason, by what the catalogue says; the right code passes the same."""

import re
import sys
from functools import cache

import pytest

from benchmarks.simulator import Caught, table
from phasegate.testing.simulator import Faults, simulate
from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant
from tests.support.real_data import ROOT

PAGE = ROOT / "docs" / "explanation" / "mutants.md"
WANTED = {
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    9,
    14,
    19,
    20,
    21,
    22,
    23,
    26,
    27,
    29,
    30,
    35,
    36,
    37,
    38,
    39,
    40,
    41,
    47,
    48,
    49,
    50,
    51,
    52,
    53,
    55,
    56,
    57,
    58,
    59,
    60,
    61,
    62,
    63,
    65,
    66,
}
SIMULATED = [mutant for mutant in MUTANTS if mutant.check is None]
CHECKED = [mutant for mutant in MUTANTS if mutant.check is not None]


@cache
def objection(seed: int, faults: Faults) -> str:
    """Play a seed of the unchanged code, once for all mutants that share its faults; return what is wrong with it."""
    outcome = simulate(seed, faults=faults)
    return outcome.violation and f"{outcome.replay}: {outcome.violation}"


def name(mutant: Mutant) -> str:
    return f"{mutant.number}-{mutant.patch_name}"


@pytest.mark.parametrize("mutant", SIMULATED, ids=name)
def test_the_simulator_objects_to_the_mutant_and_not_to_the_right_code(mutant: Mutant) -> None:
    caught = mutant.first_failing()
    assert caught is not None, f"no objection in the seeds of {mutant.seeds}"
    assert re.search(mutant.says, caught.violation), f"seed {caught.seed} objects to something else: {caught.violation}"
    for seed in range(mutant.seed, caught.seed + 1):
        assert objection(seed, mutant.played) == ""


@pytest.mark.parametrize("mutant", CHECKED, ids=name)
def test_the_check_fails_on_the_mutant_and_not_on_the_right_code(mutant: Mutant) -> None:
    assert mutant.is_caught_by_its_check()


def test_every_bug_that_must_stand_has_a_mutant() -> None:
    assert {mutant.number for mutant in MUTANTS} == WANTED


def test_the_page_shows_the_catalogue() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*?) \| (.*?) \|$", PAGE.read_text(), re.MULTILINE)
    assert [(int(number), title, by) for number, title, by in rows] == [(m.number, m.title, m.catches) for m in MUTANTS]


def test_the_benchmark_prints_the_page_s_table() -> None:
    lines = table([Caught(7, "a title", "simulator", 3), Caught(8, "another", "contract", None)])
    assert lines[2:] == ["| 7 | a title | simulator |", "| 8 | another | contract |"]
    assert lines[0] in PAGE.read_text()


def test_a_mutant_leaves_no_trace() -> None:
    before = {
        module: dict(vars(sys.modules[module])) for module in list(sys.modules) if module.startswith("phasegate.")
    }
    for mutant in MUTANTS:
        with mutant.patch():
            pass
    assert before == {module: dict(vars(sys.modules[module])) for module in before}
