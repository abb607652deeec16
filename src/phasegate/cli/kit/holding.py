"""Runs somebody's command while its step is held, and learns from it how many rows it made."""

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from types import FrameType
from typing import IO, TYPE_CHECKING, Self

from phasegate.cli.kit.app import TOLD
from phasegate.cli.kit.outcomes import Reported
from phasegate.errors import BadInput

if TYPE_CHECKING:
    from phasegate.base.keys import Run
    from phasegate.pipeline import Pipeline
    from phasegate.plan.model import Step

ROWS = re.compile(rb"rows=(\d{1,18})\s*")


@dataclass(frozen=True)
class Command:
    """What to run. ``execution_id`` stands for the content it makes, where there is no table; "": drawn."""

    words: tuple[str, ...]
    execution_id: str = ""


@dataclass(frozen=True)
class CommandResult:
    """How the command ended, and what became of the report. ``error`` says what went wrong."""

    code: int
    error: str
    reported: Reported


def hold(pipeline: "Pipeline", step: "Step", run: "Run", command: Command, *, to_stderr: bool) -> CommandResult:
    """Hold a step while the command runs; complete it if that exits with 0, else report the failure.

    Raises BadInput for a command that does not exist (nothing is begun), Busy while somebody else holds the step.
    """
    if shutil.which(command.words[0]) is None:
        raise BadInput(f"begin: there is no command {command.words[0]!r}; check its name and PATH")
    with pipeline.begin(str(run), step=step.name) as handle:
        code, rows = _run(command, step, run, to_stderr=to_stderr)
        if code == 0:
            answer = handle.complete(
                rows=None if step.table is not None else rows,
                execution_id=command.execution_id or pipeline.ports.ids(),
            )
            error = ""
        else:
            error = f"the command {_ended(code)}"
            answer = handle.fail(error)
    return CommandResult(code, error, Reported(pipeline, run, phase=step.phase, step=step.name, outcome=answer.outcome))


def _run(command: Command, step: "Step", run: "Run", *, to_stderr: bool) -> tuple[int, int | None]:
    """Return how the command ended and the rows that its last line names; pass its output on as it comes."""
    environment = {**os.environ, **dict(zip(TOLD, (str(run), step.name, run.date), strict=True))}
    out: IO[bytes] = sys.stderr.buffer if to_stderr else sys.stdout.buffer
    last = b""
    # The signals first: the command must not outlive one that ends this process.
    with (
        _Signals() as signals,
        subprocess.Popen(command.words, env=environment, stdout=subprocess.PIPE) as process,  # noqa: S603  the user's own command
    ):
        signals.pass_on_to(process)
        assert process.stdout is not None
        for line in process.stdout:
            out.write(line)
            out.flush()
            last = line if line.strip() else last
        code = process.wait()
    found = ROWS.fullmatch(last)
    return code, None if found is None else int(found[1])


class _Signals:
    """Keeps SIGTERM and Ctrl-C during the block for the command: it ends, and that is reported."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._handle) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, old in self._before.items():
            signal.signal(number, old)

    def pass_on_to(self, process: "subprocess.Popen[bytes]") -> None:
        """Send the command what came and what will come."""
        self._process = process
        for number in self._early:
            process.send_signal(number)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)


def _ended(code: int) -> str:
    return f"exited with {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"
