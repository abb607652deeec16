"""Runs the command of an external step while the step is held.

The last line of its output may give the number of rows.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from types import FrameType
from typing import IO, TYPE_CHECKING, Self

from phasegate.cli.kit.app import COMMAND_VARIABLES
from phasegate.cli.kit.outcomes import Reported
from phasegate.cli.kit.output import data_stream
from phasegate.errors import BadInput
from phasegate.steplog import Tail

if TYPE_CHECKING:
    from phasegate.base.keys import Run
    from phasegate.pipeline import Pipeline
    from phasegate.plan.model import Step

CHUNK_BYTES = 65_536
ROWS = re.compile(rb"rows=(\d{1,18})\s*")


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


def hold(pipeline: "Pipeline", step: "Step", run: "Run", command: Command, *, to_stderr: bool) -> CommandResult:
    """Hold a step while its command runs, then report the outcome.

    The step is completed if the command exits with 0, else it is reported as failed. Raises BadInput for a command that
    does not exist (nothing is begun), Busy while the step is held elsewhere.
    """
    if shutil.which(command.words[0]) is None:
        raise BadInput(f"begin: there is no command {command.words[0]!r}; check its name and PATH")
    with pipeline.begin(str(run), step=step.name) as handle:
        tail = Tail()
        code, rows, interrupted = _run(command, step, run, tail=tail, to_stderr=to_stderr)
        if code == 0:
            answer = handle.complete(
                rows=None if step.table is not None else rows,
                execution_id=command.execution_id or pipeline.ports.ids(),
            )
            error = ""
            if tail.text:
                handle.log("success", output=tail.text)
        else:
            error = f"the command {_ended(code)}"
            answer = handle.fail(error, output=tail.text)
    reported = Reported(pipeline, run, phase=step.phase, step=step.name, outcome=answer.outcome)
    return CommandResult(code, error, reported, interrupted)


def _run(command: Command, step: "Step", run: "Run", *, tail: Tail, to_stderr: bool) -> tuple[int, int | None, bool]:
    """Return the command's exit code, and the rows its last line names.

    Also whether Ctrl-C was passed on to it. Its output is passed on as it comes, and collected.
    """
    environment = {**os.environ, **dict(zip(COMMAND_VARIABLES, (str(run), step.name, run.date), strict=True))}
    out: IO[bytes] = sys.stderr.buffer if to_stderr else data_stream().buffer
    last = b""
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
        errors = threading.Thread(target=_pass_on, args=(process.stderr, tail), daemon=True)
        errors.start()
        for line in process.stdout:
            out.write(line)
            out.flush()
            tail.add(line.decode(errors="backslashreplace"))
            last = line if line.strip() else last
        code = process.wait()
        errors.join()
    found = ROWS.fullmatch(last)
    return code, None if found is None else int(found[1]), signals.interrupted


def _pass_on(stream: IO[bytes], tail: Tail) -> None:
    """Write what the command prints to its standard error to ours."""
    while chunk := os.read(stream.fileno(), CHUNK_BYTES):
        sys.stderr.buffer.write(chunk)
        sys.stderr.flush()
        tail.add(chunk.decode(errors="backslashreplace"))


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


def _ended(code: int) -> str:
    return f"exited with {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"
