"""The simulator: no objection to the right code, the same story for the same seed, a fault told with its command."""

import os
import shlex
import subprocess
import sys

import pytest

from phasegate.gate import evaluate
from phasegate.testing.simulator import Faults, ScheduleResult, World, simulate
from phasegate.testing.simulator.__main__ import main
from phasegate.testing.simulator.operations.catalogue import OPERATIONS, drawn
from tests.mutants.mutant import BROKEN, CRASHES, STALLS
from tests.mutants.swap import swapped

SEEDS, HARD_SEEDS, OPERATED_SEEDS = 60, 8, 4


def objections(outcomes: list[ScheduleResult]) -> list[str]:
    return [f"{outcome.replay}: {outcome.violation}" for outcome in outcomes if outcome.violation]


@pytest.mark.slow
def test_hundreds_of_seeds_keep_every_promise() -> None:
    outcomes = [simulate(seed) for seed in range(SEEDS)]
    assert objections(outcomes) == []
    assert sum(outcome.crashes for outcome in outcomes) > SEEDS
    assert sum(sum(outcome.builds.values()) for outcome in outcomes) > 5 * SEEDS


@pytest.mark.slow
@pytest.mark.parametrize("faults", [CRASHES, STALLS, BROKEN], ids=["crashes", "stalls", "broken steps"])
def test_seeds_under_heavier_faults_keep_every_promise(faults: Faults) -> None:
    assert objections([simulate(seed, faults=faults) for seed in range(HARD_SEEDS)]) == []


def test_wide_seeds_play_dates_in_a_row_windows_drift_and_a_second_mode() -> None:
    worlds = [World(seed, faults=Faults(wide=1.0)) for seed in range(6)]
    outcomes = [world.run() for world in worlds]
    assert objections(outcomes) == []
    assert all(len(world.days) > 2 for world in worlds)
    assert {modes for world in worlds for modes in [world.modes]} == {("daily",), ("daily", "early")}
    assert sum(world.observer.counts.get("window drifted", 0) for world in worlds) > 0
    assert sum(world.outside.refreshes for world in worlds) > 0
    relayed = [message for world in worlds for message in world.bus.published if message.id.startswith("relay.")]
    assert relayed
    builds = sum(sum(outcome.builds.values()) for outcome in outcomes)
    assert builds < 30 * len(outcomes), "two modes that share a table build it once"


@pytest.mark.parametrize("operation", [kind.name for kind in OPERATIONS])
def test_seeds_with_an_operation_keep_every_promise(operation: str) -> None:
    assert objections([simulate(seed, faults=Faults(operation=operation)) for seed in range(OPERATED_SEEDS)]) == []


def test_three_seeds_in_ten_of_single_dates_play_an_operation_and_others_keep_their_schedule() -> None:
    names = [[each.name for each in drawn(seed, faults=Faults(wide=0.0))] for seed in range(1_000)]
    assert 200 < sum(map(len, names)) < 400
    assert {name for each in names for name in each} == {kind.name for kind in OPERATIONS}
    alone = next(seed for seed, each in enumerate(names) if not each)
    assert (
        simulate(alone, faults=Faults(wide=0.0)).story == simulate(alone, faults=Faults(wide=0.0, operated=0.0)).story
    )
    assert drawn(0, faults=Faults(wide=1.0)) == ()


def test_a_trigger_that_an_operator_redrives_is_not_sent_by_its_halted_phase() -> None:
    assert simulate(30406).violation == ""


def test_windows_are_not_read_while_a_parked_request_of_an_earlier_date_is_served() -> None:
    assert simulate(31041).violation == ""


def test_a_gate_settles_from_when_a_report_arrived_not_from_when_it_was_taken_in() -> None:
    assert simulate(4572).violation == ""


@pytest.mark.parametrize("seed", [696, 14909])
def test_a_consumer_answers_only_triggers_that_the_bus_took(seed: int) -> None:
    assert simulate(seed).violation == ""


def test_an_operation_is_played_again_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = simulate(3, faults=Faults(operation="pause"))
    assert main(shlex.split(outcome.replay)[3:]) == 0
    assert capsys.readouterr().out.splitlines()[:-1] == outcome.story


def test_the_same_seed_tells_the_same_story() -> None:
    first, second = simulate(11), simulate(11)
    assert first == second
    assert len(first.story) > 20
    assert simulate(12).story != first.story


def test_the_same_seed_tells_the_same_story_in_another_process() -> None:
    here = simulate(11)
    for salt in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "phasegate.testing.simulator", "11"],
            capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": salt},
        )  # fmt: skip
        assert done.stdout.splitlines()[:-1] == here.story


def test_a_planted_fault_is_told_with_the_command_that_plays_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    faults = Faults(crash=0.05, skew_s=(0.0, 5.0))
    with swapped(evaluate, "_may_fire", lambda *_, **__: False):
        outcome = simulate(4, faults=faults)
        command = shlex.split(outcome.replay)
        code = main(command[3:])
    assert "is not settled" in outcome.violation or "not at rest" in outcome.violation
    assert command[:4] == ["python", "-m", "phasegate.testing.simulator", "4"]
    assert code == 1
    assert capsys.readouterr().out.splitlines() == [*outcome.story, f"seed 4: {outcome.calls} port calls, "
        f"{outcome.crashes} crashes, {outcome.changes} changes; {outcome.violation}"]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "the first argument is not a seed; write: python -m phasegate.testing.simulator SEED [NAME=VALUE ...]"),
        (["x"], "the first argument is not a seed; write: python -m phasegate.testing.simulator SEED [NAME=VALUE ...]"),
        (["1", "rash=1"], "rash=1: there is no fault 'rash'; choose from broken, crash, crashes_max, duplicate, lose, "
                          "operated, operation, pause, skew_s, stall, unanswered, wide"),
        (["1", "operation=x"], "operation=x: there is no 'x'; choose from " + ", ".join(k.name for k in OPERATIONS)),
        (["1", "crash=x"], "crash=x: 'x' is not a number; write: python -m phasegate.testing.simulator SEED "
                           "[NAME=VALUE ...]"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], error: str
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"{error}\n"


def test_a_schedule_meets_every_kind_of_fault() -> None:
    worlds = [World(seed, faults=Faults(broken=0.1, stall=0.1, wide=0.0)) for seed in range(20)]
    outcomes = [world.run() for world in worlds]
    story = "\n".join(line for outcome in outcomes for line in outcome.story)
    assert sum(outcome.crashes for outcome in outcomes) > 0
    assert sum(world.sim.pauses for world in worlds) > 0
    for event in ("stale holder stopped", "step not built", "status=partial", "status=inputs_changed", "message failed",
                  "outcome=duplicate", "outcome=already begun", "scraper tries again"):  # fmt: skip
        assert event in story, event
