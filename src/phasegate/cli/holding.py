"""Runs somebody's command while its step is held, and learns from it how many rows it made."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import IO, TYPE_CHECKING

from phasegate.cli.app import TOLD
from phasegate.cli.outcomes import Reported
from phasegate.errors import BadInput

if TYPE_CHECKING:
    from phasegate.core.keys import Run
    from phasegate.core.plan import Step
    from phasegate.service.pipeline import Pipeline

ROWS = re.compile(rb"rows=(\d{1,18})\s*")


@dataclass(frozen=True)
class Command:
    """What to run. ``execution_id`` stands for the content it makes, where there is no table; "": drawn."""

    words: tuple[str, ...]
    execution_id: str = ""


@dataclass(frozen=True)
class Held:
    """How the command ended, and what became of the report. ``error`` says what went wrong."""

    code: int
    error: str
    reported: Reported


def hold(pipeline: "Pipeline", step: "Step", run: "Run", command: Command, *, to_stderr: bool) -> Held:
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
    return Held(code, error, Reported(pipeline, step.name, run, outcome=answer.outcome))


def _run(command: Command, step: "Step", run: "Run", *, to_stderr: bool) -> tuple[int, int | None]:
    """Return how the command ended and the rows that its last line names; pass its output on as it comes."""
    environment = {**os.environ, **dict(zip(TOLD, (str(run), step.name, run.date), strict=True))}
    out: IO[bytes] = sys.stderr.buffer if to_stderr else sys.stdout.buffer
    last = b""
    with subprocess.Popen(command.words, env=environment, stdout=subprocess.PIPE) as process:  # noqa: S603  the user's own command
        assert process.stdout is not None
        with _passed_on(process):
            for line in process.stdout:
                out.write(line)
                out.flush()
                last = line if line.strip() else last
            code = process.wait()
    found = ROWS.fullmatch(last)
    return code, None if found is None else int(found[1])


@contextmanager
def _passed_on(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Pass SIGTERM and Ctrl-C on to the command during the block: it ends, and that is reported."""

    def handle(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _ended(code: int) -> str:
    return f"exited with {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"
