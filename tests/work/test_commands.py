"""Steps whose command a real shell runs, on ports in memory and a clock that moves when it is read."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from phasegate import load_plan
from phasegate.base.keys import parse_run
from phasegate.errors import BadInput
from phasegate.gate.phase import Phase
from phasegate.ports import Ended, Sink
from phasegate.processes import SystemShell
from phasegate.settings import COMMAND_VARIABLES
from phasegate.steplog import LoggedAttempt, read_log
from phasegate.work.commands import rows_of_line, variables_of
from phasegate.write.inputs import part_of
from tests.support.pipelines import DAY, RUN, ManualClock, Shop, load, shop

PLAN = """
pipeline = "shop"
timezone = "UTC"
[phase.load]
[phase.report]
after = "load"
[step.orders]
phase = "load"
external = true
table = "raw.orders"
key = ["day", "id"]
partition = "day"
write = "replace"
columns = { day = "VARCHAR", id = "INTEGER", amount = "INTEGER" }
[step.model]
phase = "report"
needs = ["load.orders"]
command = "COMMAND"
attempts_max = 2
run_max_s = 600
"""
LEASE = f"lease:main:shop.report.model:{RUN}"


class TickingClock(ManualClock):
    """Moves by a second whenever the monotonic time is read."""

    def monotonic(self) -> float:
        self.at += 1
        return self.at


class WatchedShell(SystemShell):
    """Does something when a command runs, before the worker looks at it for the first time."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, environment={}, grace_s=0.2, look_every_s=0.01)
        self.meanwhile: Callable[[], object] = int
        self.ran: list[str] = []

    def run(self, command: str, /, *, environment: Mapping[str, str], sink: Sink, watch: Callable[[], None]) -> Ended:
        self.ran.append(command)
        self.meanwhile()
        return super().run(command, environment=environment, sink=sink, watch=watch)


class Made:
    """A pipeline whose step ``model`` runs a command."""

    def __init__(self, folder: Path, command: str, *, clock: ManualClock | None = None) -> None:
        self.shell = WatchedShell(folder)
        plan = PLAN.replace('"COMMAND"', f"'''{command}'''")
        self.shop: Shop = shop(plan=plan, shell=self.shell, clock=clock)
        self.pipeline = self.shop.pipeline

    def work(self) -> Phase:
        """Load some orders and work; return the phase of the step."""
        load(self.shop, 1, 2)
        self.pipeline.work_until_idle(units_max=50)
        return self.phase

    @property
    def phase(self) -> Phase:
        phase = self.pipeline.runs.read("report", parse_run(RUN))
        assert phase is not None
        return phase

    def ask(self) -> None:
        """Load some orders, and work until the step is asked for."""
        load(self.shop, 1, 2)
        phase = None
        while phase is None or not phase.requests:
            assert self.pipeline.serve_one()
            phase = self.pipeline.runs.read("report", parse_run(RUN))

    def serve(self) -> str:
        """Serve the standing request; return the outcome."""
        return self.pipeline.rerun("model", parse_run(RUN), again=False)

    @property
    def log(self) -> tuple[LoggedAttempt, ...]:
        return read_log(self.pipeline.ports, "shop", "model", run=parse_run(RUN))


def test_a_command_that_exits_with_0_is_a_result_with_the_rows_of_its_last_line(tmp_path: Path) -> None:
    made = Made(tmp_path, "env | grep PHASEGATE_ | sort; echo rows=340")
    phase = made.work()
    result = phase.result_of("model")
    assert result is not None
    assert (result.status, result.rows, result.attested) == ("success", 340, False)
    assert result.code == made.pipeline.plan.steps["model"].code
    assert phase.generation == 1
    [attempt] = made.log
    assert (attempt.status, attempt.number, attempt.request) == ("success", 1, result.request)
    assert attempt.request.startswith("request.shop.report.")
    assert attempt.output.splitlines() == [
        "PHASEGATE_DATE=2026-02-03", "PHASEGATE_MODE=daily", f"PHASEGATE_RUN={RUN}", "PHASEGATE_STEP=model",
        "PHASEGATE_TOKEN=1", "rows=340",
    ]  # fmt: skip
    step = made.pipeline.plan.steps["model"]
    assert set(variables_of(step, parse_run(RUN), token=1)) == set(COMMAND_VARIABLES)


@pytest.mark.parametrize(("line", "status", "rows"), [("rows=0", "empty", 0), ("done", "success", None)])
def test_no_rows_are_empty_and_without_the_line_their_number_is_unknown(
    tmp_path: Path, line: str, status: str, rows: int | None
) -> None:
    result = Made(tmp_path, f"echo {line}").work().result_of("model")
    assert result is not None
    assert (result.status, result.rows) == (status, rows)


def test_a_run_of_the_command_is_a_new_content_and_a_change_of_its_inputs_runs_it_again(tmp_path: Path) -> None:
    made = Made(tmp_path, "echo rows=1")
    first = made.work().result_of("model")
    made.pipeline.work_until_idle(units_max=50)
    assert len(made.shell.ran) == 1
    load(made.shop, 5, 6)
    made.pipeline.work_until_idle(units_max=50)
    second = made.phase.result_of("model")
    assert first is not None
    assert second is not None
    assert first.stamp != second.stamp
    assert len(made.shell.ran) == 2


def test_another_exit_code_is_a_failed_attempt_that_is_retried_until_it_is_dead(tmp_path: Path) -> None:
    made = Made(tmp_path, "echo fetching; echo no answer >&2; exit 3")
    phase = made.work()
    attempt = phase.members["model"].attempt
    assert attempt is not None
    assert (attempt.status, attempt.error, attempt.count) == ("transient", "the command exited with 3", 1)
    assert phase.requests["model"].state == "open"
    made.shop.clock.at += 3600
    made.pipeline.work_until_idle(units_max=50)
    assert made.phase.requests["model"].state == "dead"
    assert [(one.number, one.status, sorted(one.output.split("\n"))) for one in made.log] == [
        (1, "transient", ["fetching", "no answer"]),
        (2, "transient", ["fetching", "no answer"]),
    ]


def test_rows_without_a_number_are_a_failure_that_names_the_line(tmp_path: Path) -> None:
    attempt = Made(tmp_path, "echo rows=3.5").work().members["model"].attempt
    assert attempt is not None
    assert attempt.status == "failed"
    assert attempt.error.startswith("the command's last line is 'rows=3.5', wanted rows=N with a whole number")
    for line in ("rows=", "rows=-1", "rows=1e3", "rows=1 000", "rows=٣", f"rows={'9' * 19}"):
        with pytest.raises(BadInput):
            rows_of_line(line)


def test_a_command_that_runs_for_too_long_is_ended_and_is_a_failed_attempt(tmp_path: Path) -> None:
    made = Made(tmp_path, "echo begun; sleep 600", clock=TickingClock())
    step = made.pipeline.plan.steps["model"]
    made.pipeline.plan.steps["model"] = replace(step, run_max_s=3.0)
    attempt = made.work().members["model"].attempt
    assert attempt is not None
    assert (attempt.status, attempt.error) == ("transient", "the command ran for 3 s (run_max_s) and was ended")
    assert made.log[0].output == "begun"


def test_a_lost_lease_ends_the_command_and_nothing_is_reported(tmp_path: Path) -> None:
    made = Made(tmp_path, "sleep 600", clock=TickingClock())
    made.ask()
    assert made.serve() == "lease lost"
    assert "model" not in made.phase.members
    assert made.phase.requests["model"].state == "open"
    assert [one["step"] for one in made.shop.told.of("stale holder stopped")] == ["model"]


def test_a_worker_that_stops_ends_the_command_and_counts_no_failure(tmp_path: Path) -> None:
    made = Made(tmp_path, "sleep 600")
    load(made.shop, 1)
    stopping: list[bool] = []
    made.shell.meanwhile = lambda: stopping.append(True)
    made.pipeline.run_workers(until_idle=True, stop=lambda: bool(stopping))
    assert made.shell.ran == ["sleep 600"]
    assert "model" not in made.phase.members
    assert made.phase.requests["model"].state == "open"
    lease = made.pipeline.ports.store.read(LEASE)
    assert lease is not None
    assert lease.due is None, "it was released"


def test_two_workers_do_not_run_it_at_once(tmp_path: Path) -> None:
    made = Made(tmp_path, "true")
    outcomes: list[str] = []
    made.shell.meanwhile = lambda: outcomes.append(made.serve())
    made.work()
    assert outcomes == ["busy"]
    assert len(made.shell.ran) == 1


def test_inputs_that_change_while_it_runs_have_it_run_again(tmp_path: Path) -> None:
    made = Made(tmp_path, "true")
    made.shell.meanwhile = lambda: load(made.shop, 7, 8) if len(made.shell.ran) == 1 else None
    phase = made.work()
    assert len(made.shell.ran) == 2
    result, orders = phase.result_of("model"), made.pipeline.runs.read("load", parse_run(RUN))
    assert result is not None
    assert orders is not None
    newest = orders.result_of("orders")
    assert newest is not None
    assert result.built_from == {"load.orders": newest.stamp}
    assert "model" not in phase.requests


def test_inputs_that_changed_since_the_request_are_not_given_to_a_command(tmp_path: Path) -> None:
    made = Made(tmp_path, "true")
    made.ask()
    load(made.shop, 3, 4)
    assert made.serve() == "parked"
    assert made.shell.ran == []
    made.pipeline.work_until_idle(units_max=50)
    assert len(made.shell.ran) == 1
    assert "model" not in made.phase.requests


def test_new_code_makes_its_result_stale(tmp_path: Path) -> None:
    made = Made(tmp_path, "true")
    made.work()
    plan = load_plan(PLAN.replace('"COMMAND"', "'''false || true'''"))
    made.pipeline.runs.plan.steps["model"] = plan.steps["model"]
    made.pipeline.runs.replan("report", parse_run(RUN))
    assert made.phase.members["model"].stale == "code_changed"


def test_without_a_shell_the_command_is_refused() -> None:
    made = shop(plan=PLAN)
    load(made, 1)
    made.pipeline.work_until_idle(units_max=50)
    phase = made.pipeline.runs.read("report", parse_run(RUN))
    assert phase is not None
    attempt = phase.members["model"].attempt
    assert attempt is not None
    assert "there is no shell to run 'COMMAND'" in attempt.error
    assert part_of(made.pipeline.plan.steps["orders"], parse_run(RUN)).partition == DAY
