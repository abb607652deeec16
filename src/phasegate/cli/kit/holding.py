"""Runs the command of an external step while the step is held.

The last line of its output may give the number of rows.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import IO, TYPE_CHECKING, Self

from phasegate.answers.reports import Reported
from phasegate.cli.kit.output import data_stream
from phasegate.errors import BadInput
from phasegate.ports import Ended, Sink
from phasegate.processes import locked, pass_on, to_stderr
from phasegate.steplog import Tail
from phasegate.work.commands import ended_words, rows_of_line, variables_of

if TYPE_CHECKING:
    from phasegate.base.keys import Run
    from phasegate.pipeline import Pipeline
    from phasegate.plan.model import Step


@dataclass(frozen=True)
class Command:
    """What to run.

    ``execution_id`` identifies the content it makes, where there is no table; "": a new id.
    """

    words: tuple[str, ...]
    execution_id: str = ""


@dataclass(frozen=True)
class CommandResult:
    """The exit code of the command, and the outcome of the report.

    ``error``: what went wrong. ``interrupted``: Ctrl-C was passed on to the command.
    """

    code: int
    error: str
    reported: Reported
    interrupted: bool


def hold(pipeline: "Pipeline", step: "Step", run: "Run", command: Command, *, to_stderr_only: bool) -> CommandResult:
    """Hold a step while its command runs, then report the outcome.

    The step is completed if the command exits with 0, else it is reported as failed. Raises BadInput for a command that
    does not exist (nothing is begun), Busy while the step is held elsewhere.
    """
    if shutil.which(command.words[0]) is None:
        raise BadInput(f"begin: there is no command {command.words[0]!r}; check its name and PATH")
    with pipeline.begin(str(run), step=step.name) as handle:
        tail = Tail()
        ended, interrupted = _run(command, step, run, sink=locked(tail.add), to_stderr_only=to_stderr_only)
        rows, error = None, f"the command {ended_words(ended.code)}" if ended.code else ""
        if not error:
            try:
                rows = rows_of_line(ended.last_line)
            except BadInput as e:
                error = str(e)
        if not error:
            answer = handle.complete(
                rows=None if step.table is not None else rows,
                execution_id=command.execution_id or pipeline.ports.ids(),
            )
            if tail.text:
                handle.log("success", output=tail.text)
        else:
            answer = handle.fail(error, output=tail.text)
    reported = Reported(pipeline, run, phase=step.phase, step=step.name, outcome=answer.outcome)
    return CommandResult(ended.code, error, reported, interrupted)


def _run(command: Command, step: "Step", run: "Run", *, sink: Sink, to_stderr_only: bool) -> tuple[Ended, bool]:
    """Return how the command ended, and whether Ctrl-C was passed on to it.

    Its output is passed on as it comes.
    """
    environment = {**os.environ, **variables_of(step, run, token=None)}
    out: IO[bytes] = sys.stderr.buffer if to_stderr_only else data_stream().buffer

    def write(chunk: bytes) -> None:
        out.write(chunk)
        out.flush()

    # The signals first: the command must not outlive one that ends this process.
    with (
        _Signals() as signals,
        subprocess.Popen(  # noqa: S603  the user's own command
            command.words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process,
    ):
        signals.pass_on_to(process)
        assert process.stdout is not None
        assert process.stderr is not None
        errors = threading.Thread(target=partial(pass_on, process.stderr, out=to_stderr, sink=sink), daemon=True)
        errors.start()
        last = pass_on(process.stdout, out=write, sink=sink)
        code = process.wait()
        errors.join()
    return Ended(code, last), signals.interrupted


class _Signals:
    """Passes SIGTERM and Ctrl-C to the command during the block.

    The command ends, and its failure is reported.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self.interrupted = False

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._handle) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, old in self._before.items():
            signal.signal(number, old)

    def pass_on_to(self, process: "subprocess.Popen[bytes]") -> None:
        """Send the process the signals that arrived, and those that will."""
        self._process = process
        for number in self._early:
            process.send_signal(number)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.interrupted = self.interrupted or number == signal.SIGINT
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)
