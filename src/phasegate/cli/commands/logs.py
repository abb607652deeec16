"""``phasegate logs RUN``: what the steps of a run printed and raised."""

from typing import TYPE_CHECKING

import click

from phasegate.cli.kit.app import FINE, App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import GAP, emit, emit_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from phasegate.answers.times import Times
    from phasegate.base.keys import Run
    from phasegate.explain.overview import Overview
    from phasegate.explain.phase_view import PhaseView
    from phasegate.printed.runs import LogsJson
    from phasegate.steplog import LoggedAttempt

POLL_S = 0.5
OVER = ("complete", "degraded", "void")


@click.command(
    epilog=example(
        "phasegate logs 2026-02-03.overnight --step player_game", "phasegate logs 2026-02-03.overnight --follow"
    ),
    short_help="Show what the steps of a run printed and raised.",
)
@click.argument("run")
@click.option("--step", metavar="STEP", help="This step only.")
@click.option("-f", "--follow", is_flag=True, help="Show attempts as they end, until the run is complete or Ctrl-C.")
@json_option
@pass_app
def logs(app: App, /, *, run: str, step: str | None, follow: bool, as_json: bool) -> int:
    """Show the last attempts at the steps of RUN: their output and tracebacks.

    Of each step the last 5 attempts that failed or printed something are stored, each with the last 200 lines of its
    output. Reads documents only.
    """
    from phasegate.errors import BadInput, NotFound

    if follow and as_json:
        raise BadInput("logs: --json is one document, which --follow never ends; leave one of them out")
    plan, overview = app.overview()
    chosen = app.run(plan, run)
    views = overview.why(chosen)
    members = [member.name for view in views for member in view.members]
    if step is not None and step not in members:
        raise NotFound(f"unknown step {step!r} in run {chosen}; it has {', '.join(dict.fromkeys(members))}")
    if as_json:
        times = app.times(plan)
        emit_json(_document(chosen, _stored(overview, chosen, step), times=times))
        return FINE
    shown: set[str] = set()
    while True:
        times = app.times(plan)
        new = [(name, one) for name, one in _stored(overview, chosen, step, views=views) if one.id not in shown]
        shown |= {one.id for _, one in new}
        emit(line for name, one in new for line in _lines(chosen, name, one, times=times))
        if not follow and not new:
            emit([f"{chosen}: no step{'' if step is None else f' {step}'} has failed or printed anything."])
        if not follow or all(view.state in OVER for view in views):
            return FINE
        app.clock.sleep(POLL_S)
        views = overview.why(chosen)


def _document(run: "Run", stored: "Iterable[tuple[str, LoggedAttempt]]", *, times: "Times") -> "LogsJson":
    from msgspec.structs import asdict

    from phasegate.answers.rebuilt import attempt_json
    from phasegate.printed.runs import LogsJson, StepAttemptJson

    attempts = tuple(StepAttemptJson(step=name, **asdict(attempt_json(one, times=times))) for name, one in stored)
    return LogsJson(run=str(run), attempts=attempts)


def _stored(
    overview: "Overview", run: "Run", step: str | None, *, views: "list[PhaseView] | None" = None
) -> "Iterator[tuple[str, LoggedAttempt]]":
    """Give the stored attempts of a run, the oldest first."""
    members = [member.name for view in views or overview.why(run) for member in view.members]
    found = [(name, one) for name in dict.fromkeys(members) if step in (None, name) for one in overview.log(run, name)]
    yield from sorted(found, key=lambda each: each[1].at)


def _lines(run: "Run", step: str, attempt: "LoggedAttempt", *, times: "Times") -> list[str]:
    error = f": {attempt.error}" if attempt.error else ""
    head = f"{step} of {run}, attempt {attempt.number} at {times.moment(attempt.at)}: {attempt.status}{error}"
    return [head, *(f"{GAP}{line}" for line in attempt.text.split("\n") if attempt.text)]
