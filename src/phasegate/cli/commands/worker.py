"""``phasegate worker``: process messages and sweep, in one process."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import click

from phasegate.cli.kit.app import FAILED, FINDINGS, FINE, STOPPED, App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import count, emit, emit_json, talk
from phasegate.cli.kit.views import left_undone

if TYPE_CHECKING:
    from phasegate.answers.times import Times
    from phasegate.cli.kit.tally import Tally
    from phasegate.cli.kit.views import Left
    from phasegate.ports import Observer

THREADS_MAX = 64
LINES_MAX = 20


@click.command(
    epilog=example("phasegate worker --threads 2", "phasegate worker --until-idle"),
    short_help="Build what is requested, hand on what is fresh, until stopped.",
)
@click.option("--threads", type=click.IntRange(1, THREADS_MAX), default=1, show_default=True, metavar="N",
              help=f"How many units of work at once, 1 to {THREADS_MAX}.")  # fmt: skip
@click.option("--until-idle", is_flag=True, help="Stop when nothing can be done now.")
@json_option
@pass_app
def worker(app: App, /, *, threads: int, until_idle: bool, as_json: bool) -> int:
    """Process messages, build steps and sweep, until SIGTERM or Ctrl-C.

    Then the unit in progress is finished, the leases are released, and Ctrl-C exits with 130. A second signal ends the
    process at once; what it held is retried once its lease has expired. To run more processes, start more workers. With
    --until-idle it exits with 1 if something is left that needs a person, is late, or is retried later; it is named,
    with what to type. The setting ``metrics`` names an address at which it answers Prometheus.
    """
    from phasegate.cli.kit.tally import Tally

    settings = app.settings()
    tally = Tally(level=settings.log_level, form=settings.log_format)
    stopped_by: list[str] = []
    with _monitored(app, tally, address=settings.metrics) as observer, app.pipeline(observer) as pipeline:
        with stop_on_signal(stopped_by.append, message="finishing the unit in progress; a second signal ends at once"):
            if not until_idle:
                talk(f"worker of {pipeline.plan.pipeline}: {count(threads, 'thread')}; Ctrl-C or SIGTERM stops it")
            if until_idle:
                pipeline.sweep()
            crashes = pipeline.run_workers(threads=threads, until_idle=until_idle, stop=lambda: bool(stopped_by))
        due, times = pipeline.next_due(), app.times(pipeline.plan)
        left = left_undone(pipeline) if until_idle and not stopped_by else []
    by = stopped_by[0] if stopped_by else None
    if as_json:
        from phasegate.printed.parts import UndoneJson
        from phasegate.printed.work import WorkedJson

        emit_json(WorkedJson(
            served=tally.counts.get("served", 0), quarantined=tally.counts.get("quarantined", 0),
            dead=tally.counts.get("dead", 0), stopped_by=by, next_due=times.iso(due),
            left=tuple(UndoneJson(text=one.text, next=one.command) for one in left), errors=(*crashes, *tally.errors),
        ))  # fmt: skip
    else:
        emit([_line(tally, by=by, due=due, times=times), *_left_lines(left)])
    for error in (*crashes, *tally.errors):
        talk(error)
    return FINDINGS if (code := _exit_code(tally, crashes=crashes, by=by)) == FINE and left else code


@contextmanager
def _monitored(app: App, tally: "Tally", *, address: str) -> "Iterator[Observer]":
    """Let Prometheus read what is counted, where the setting says."""
    if address == "off":
        yield tally
        return
    from phasegate.observe.metrics import MetricsObserver, serving

    observer = MetricsObserver(app.plan(), tally)
    with serving(observer, address) as url:
        talk(f"metrics: {url}")
        yield observer


def _line(tally: "Tally", *, by: str | None, due: float | None, times: "Times") -> str:
    parts = [f"Served {count(tally.counts.get('served', 0), 'message')}"]
    if tally.counts.get("quarantined"):
        parts.append(f"{tally.counts['quarantined']} quarantined")
    if tally.counts.get("dead"):
        parts.append(f"{count(tally.counts['dead'], 'request')} dead: phasegate dead")
    parts.append(f"stopped by {by}" if by else "nothing to do now")
    parts.append("nothing is due" if due is None else f"next due at {times.moment(due)}")
    return "; ".join(parts) + "."


def _left_lines(left: "Sequence[Left]") -> list[str]:
    """Return what is left undone, each with its next command."""
    lines = [line for one in left[:LINES_MAX] for line in (f"left undone: {one.text}", f"    next: {one.command}")]
    return [*lines, f"and {len(left) - LINES_MAX} more: phasegate status"] if len(left) > LINES_MAX else lines


def _exit_code(tally: "Tally", *, crashes: tuple[str, ...], by: str | None) -> int:
    if by == signal.SIGINT.name:
        return STOPPED
    if crashes or (tally.errors and not by):
        return FAILED
    found = tally.counts.get("quarantined", 0) + tally.counts.get("dead", 0)
    return FINDINGS if found and not by else FINE


@contextmanager
def stop_on_signal(stop: Callable[[str], None], *, message: str) -> Iterator[None]:
    """Call ``stop`` at the first SIGTERM or Ctrl-C during the block.

    The second ends the process.
    """
    numbers = (signal.SIGTERM, signal.SIGINT)

    def handle(number: int, _frame: FrameType | None) -> None:
        for one in numbers:
            signal.signal(one, signal.SIG_DFL)
        # Not through sys.stderr: a handler may interrupt a write to it.
        os.write(2, f"phasegate: {signal.Signals(number).name}: {message}\n".encode())
        stop(signal.Signals(number).name)

    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
