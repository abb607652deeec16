"""Real processes, real signals. Named pipes keep both sides in step: nobody sleeps, nobody guesses."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import RUN, Night

STEP = """
[step.slow]
phase = "raw"
python = "cli_given_slow:build"
table = "nba_raw.slow"
key = ["day"]
partition = "day"
columns = { day = "DATE" }
"""
MODULE = """
def build(run):
    open("started", "w").close()   # opens when the test reads: both are here
    open("go").read()              # ends when the test has written
    return [{"day": run.date}]
"""
LEASE = "lease:main:nba_raw.slow:2026-02-03"
NUMBERS = [signal.SIGTERM, signal.SIGINT]
EXITS = {signal.SIGTERM: 0, signal.SIGINT: 130}


class Slow:
    """A worker process in the middle of a step."""

    def __init__(self, night: Night, process: "subprocess.Popen[str]") -> None:
        self.night, self.process = night, process

    def signal_it(self, number: signal.Signals) -> None:
        """Send a signal, and wait until it was heard."""
        self.process.send_signal(number)
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if line.startswith(f"phasegate: {number.name}: finishing the unit in progress"):
                return
        raise AssertionError("the worker ended without a word")

    def holder(self) -> object:
        body = self.night.documents()[LEASE][0]
        assert isinstance(body, dict)
        return body["holder"]

    def go(self) -> None:
        (self.night.folder / "go").write_text("")


WORKER = ("worker", "--threads", "2")
BACKFILL = ("backfill", "--from", "2026-02-03", "--to", "2026-02-03", "--yes", "--steps", "slow")
RECONCILE = ("reconcile", "--from", "2026-02-03", "--to", "2026-02-03", "--fix")


@pytest.fixture
def slow(night: Night, request: pytest.FixtureRequest) -> Iterator[Slow]:
    command = getattr(request, "param", WORKER)
    (night.folder / "cli_given_slow.py").write_text(MODULE)
    os.mkfifo(night.folder / "started")
    os.mkfifo(night.folder / "go")
    if command == RECONCILE:  # which pins the changed plan, and then works
        assert night("begin", RUN).code == 0
    with (night.folder / "plan.toml").open("a") as plan:
        plan.write(STEP)
    if command != RECONCILE:
        assert night("begin", RUN).code == 0
    process = night.start(*command)
    (night.folder / "started").read_text()
    yield Slow(night, process)
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", NUMBERS)
def test_a_worker_that_is_told_to_stop_finishes_its_unit_and_gives_its_lease_back(
    slow: Slow, number: signal.Signals
) -> None:
    assert slow.holder() is not None
    slow.signal_it(number)
    assert slow.process.poll() is None
    slow.go()
    out, err = slow.process.communicate(timeout=60)
    assert slow.process.returncode == EXITS[number], err
    assert out.startswith(("Served 1 message; ", "Served 2 messages; "))
    assert f"stopped by {number.name}" in out
    assert slow.holder() is None
    assert "  slow      fresh  " in slow.night("why", RUN).out


@pytest.mark.parametrize("number", NUMBERS)
def test_a_second_signal_ends_a_worker_at_once(slow: Slow, number: signal.Signals) -> None:
    slow.signal_it(number)
    slow.process.send_signal(number)
    assert slow.process.wait(60) == -number
    assert slow.holder() is not None


@pytest.mark.parametrize("slow", [BACKFILL], indirect=True)
@pytest.mark.parametrize("number", NUMBERS)
def test_a_backfill_that_is_stopped_finishes_its_unit(slow: Slow, number: signal.Signals) -> None:
    slow.signal_it(number)
    slow.go()
    out, err = slow.process.communicate(timeout=60)
    assert slow.process.returncode == {signal.SIGTERM: 1, signal.SIGINT: 130}[number], (out, err)
    assert "run the same command again to continue" in err
    assert slow.holder() is None
    assert "  slow      fresh  " in slow.night("why", RUN).out
    assert slow.night("logs", RUN, "--json").json["attempts"] == []


@pytest.mark.parametrize("slow", [RECONCILE], indirect=True)
def test_ctrl_c_in_a_reconcile_that_fixes_ends_with_130_after_the_unit_in_hand(slow: Slow) -> None:
    slow.signal_it(signal.SIGINT)
    slow.go()
    out, err = slow.process.communicate(timeout=60)
    assert (slow.process.returncode, err.strip()) == (130, "phasegate: stopped"), out
    assert slow.holder() is None


@pytest.mark.parametrize("number", NUMBERS)
def test_begin_that_is_told_to_stop_ends_its_command_and_reports_the_failure(
    night: Night, number: signal.Signals
) -> None:
    started: Path = night.folder / "started"
    os.mkfifo(started)
    # exec: the signal must reach what runs, and the shell's trap must not hide it.
    process = night.start("begin", RUN, "--step", "gamebook", "--", "bash", "-c", "echo > started; exec sleep 600")
    started.read_text()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == {signal.SIGTERM: 1, signal.SIGINT: 130}[number], err
    assert out.startswith(f"gamebook of {RUN}: the command was ended by {number.name}; reported as failed.\n")
    assert night("leases").out == "No lease is held.\n"
