"""``phasegate dead``: what is no longer retried."""

from typing import TYPE_CHECKING

import click

from phasegate.base.wording import count
from phasegate.cli.kit.app import App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import GAP, emit, emit_json, paint
from phasegate.cli.kit.views import exit_code

if TYPE_CHECKING:
    from phasegate.answers.times import Times
    from phasegate.errors import BadDocument
    from phasegate.explain.overview import DeadLetter
    from phasegate.printed.work import DeadRowJson


@click.command(
    epilog=example("phasegate dead", "phasegate dead --json"),
    short_help="List what is no longer retried, and how to bring it back.",
)
@click.option("--discard", metavar="KEY", help="Hide this message in quarantine, unless it arrives again.")
@json_option
@pass_app
def dead(app: App, /, *, discard: str | None, as_json: bool) -> int:
    """List dead requests, dead triggers and messages in quarantine.

    Each with its reason, since when, and the command that brings it back. Exits with 1 if there are any.
    """
    if discard is not None:
        with app.pipeline() as pipeline:
            pipeline.runs.quarantine.check(discard)
            with app.acting(pipeline) as act:
                pipeline.runs.quarantine.discard(discard)
                act.outcome = "discarded"
    plan, overview = app.overview()
    broken: list[BadDocument] = []
    letters = overview.dead(broken=broken)
    times = app.times(plan)
    if as_json:
        from phasegate.printed.work import DeadJson

        emit_json(DeadJson(
            now=times.iso(times.now),
            dead=tuple(_document(letter, times=times) for letter in letters),
            errors=tuple(str(error) for error in broken),
        ))  # fmt: skip
    else:
        emit(_lines(letters, times=times))
    return exit_code((), broken=broken, found=len(letters))


def _document(letter: "DeadLetter", *, times: "Times") -> "DeadRowJson":
    from phasegate.printed.work import DeadRowJson

    return DeadRowJson(
        kind=letter.kind,
        subject=letter.subject,
        run=letter.run,
        reason=letter.reason,
        at=times.iso(letter.at),
        next=letter.command,
    )


def _lines(letters: "list[DeadLetter]", *, times: "Times") -> list[str]:
    if not letters:
        return ["Nothing is dead."]
    lines = []
    for letter in letters:
        run = f" of {letter.run}" if letter.run else ""
        # The key of a message is in its command already.
        subject = "" if letter.kind == "message" else f" {letter.subject}"
        discard = f", or: {letter.discard}" if letter.discard else ""
        lines += [
            f"{paint('dead') if letter.kind != 'message' else 'quarantined'} {letter.kind}{subject}{run}, "
            f"since {times.since(letter.at)}",
            f"{GAP}{letter.reason}",
            f"{GAP}next: {letter.command}{discard}",
            "",
        ]
    return [*lines, f"{count(len(letters), 'dead letter')}; all at once: phasegate redrive --all. "
            f"Times: {times.timezone}."]  # fmt: skip
