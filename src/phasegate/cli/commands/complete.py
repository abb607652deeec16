"""``phasegate complete``: report the outcome of an external step."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from phasegate.cli.kit.app import FINDINGS, App, pass_app
from phasegate.cli.kit.dates import check_near, yes_option
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.outcomes import reported_lines
from phasegate.cli.kit.output import emit, emit_json, talk

STATUSES = ("success", "empty", "partial", "failed", "transient", "skipped")
MESSAGE_BYTES_MAX = 1_000_000


@click.command(
    epilog=example(
        "phasegate complete gamebook --run 2026-02-03.overnight --rows 348",
        "phasegate complete gamebook --run 2026-02-03.overnight --status failed --error 'source is down'",
        "phasegate complete --message completion.json",
    ),
    short_help="Report that an external step is done, or has failed.",
)
@click.argument("step", required=False)
@click.option("--run", metavar="RUN", help="The run: DATE.MODE.")
@click.option("--rows", type=click.IntRange(min=0), metavar="N", help="The number of rows; 0 means empty.")
@click.option("--execution-id", metavar="ID", help="Identifies the content of a step without a table.")
@click.option("--sequence", type=int, metavar="N", help="Orders the reports: a higher number is newer.")
@click.option("--completed-at", metavar="TIME", help="The same, as a time: ISO 8601 with its zone, or epoch seconds.")
@click.option("--status", type=click.Choice(STATUSES), metavar="STATUS", help=f"One of {', '.join(STATUSES)}.")
@click.option("--trigger-id", metavar="ID", help="The trigger that started the work.")
@click.option("--error", metavar="TEXT", help="What went wrong.")
@click.option("--build", metavar="BUILD", help="Which code did the work. Default: PHASEGATE_BUILD.")
@click.option("--message", metavar="FILE", help="Read a JSON completion message instead; - is standard input.")
@yes_option
@json_option
@pass_app
def complete(
    app: App, /, *, step: str | None, message: str | None, yes: bool, as_json: bool, **fields: str | int | None
) -> int:
    """Report the outcome of STEP for a run: done, unless --status is given.

    For a step with a table, the content of the table counts; without one, each report without --execution-id counts as
    new content. With --trigger-id alone that trigger is acknowledged, and nothing else. Exits with 1 if the report was
    refused, because a newer one was accepted or the run is void.
    """
    from phasegate.answers.reports import WHERE, date_of, filled, reported

    given = {name: value for name, value in fields.items() if value is not None}
    body = _read(message, step, given) if message is not None else _spelled(step, given)
    with app.pipeline() as pipeline:
        if build := body.get("build") or pipeline.ports.build.known:
            body = {**body, "build": build}
        body = filled(pipeline, body, execution_id=pipeline.ports.ids())
        if (date := date_of(body)) is not None:
            check_near(pipeline, date, yes=yes, command="complete")
        answer = pipeline.complete(body, where=WHERE)
        done = reported(pipeline, body, outcome=answer.outcome)
    rows = body.get("rows")
    differs = done.differs(rows if isinstance(rows, int) else None)
    if as_json:
        emit_json(done.document())
    else:
        emit(reported_lines(done))
    if differs:
        talk(differs)
    return FINDINGS if differs else done.exit_code


def _spelled(step: str | None, given: Mapping[str, str | int]) -> dict[str, object]:
    """Return the message that the options spell."""
    from phasegate.errors import BadInput

    if step is None and given.keys() == {"trigger_id"}:
        return dict(given)
    if step is None:
        raise BadInput("complete: name the STEP, or give --message FILE")
    if "run" not in given:
        raise BadInput(f"complete: name the run: phasegate complete {step} --run RUN")
    body: dict[str, object] = {**given, "step": step}
    at = given.get("completed_at")
    if at is not None:
        try:
            body["completed_at"] = float(at)
        except ValueError:
            body["completed_at"] = at
    return body


def _read(message: str, step: str | None, given: Mapping[str, str | int]) -> dict[str, object]:
    """Return the message in a file.

    Raises BadInput in one line.
    """
    from phasegate.base.wording import decoded
    from phasegate.errors import BadInput

    if step is not None or given:
        raise BadInput("complete: --message holds the whole report; leave out STEP and the other options")
    name = "standard input" if message == "-" else message
    try:
        raw = sys.stdin.buffer.read(MESSAGE_BYTES_MAX + 1) if message == "-" else Path(message).read_bytes()
    except OSError as e:
        raise BadInput(f"complete: {name}: {e.strerror}; name a file that can be read, or - for standard input") from e
    if len(raw) > MESSAGE_BYTES_MAX:
        raise BadInput(f"complete: {name}: more than {MESSAGE_BYTES_MAX:,} bytes; a completion message is small")
    try:
        body = json.loads(decoded(raw))
    except BadInput as e:
        raise BadInput(f"complete: {name}: {e}") from None
    except (ValueError, RecursionError) as e:
        raise BadInput(f"complete: {name}: not JSON: {e}") from None
    if not isinstance(body, dict):
        raise BadInput(f"complete: {name}: a JSON {type(body).__name__}; a completion message is an object")
    if body.get("kind", "completion") != "completion":
        raise BadInput(f"complete: {name}: kind is {body['kind']!r}; it must be completion")
    return body
