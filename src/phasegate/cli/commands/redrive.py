"""``phasegate redrive``: bring dead letters back."""

from typing import TYPE_CHECKING

import click

from phasegate.base.wording import count
from phasegate.cli.kit.app import FINE, App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json

if TYPE_CHECKING:
    from phasegate.explain.overview import DeadLetter

KINDS = {"held": "held trigger"}


@click.command(
    epilog=example(
        "phasegate redrive 2026-02-03.overnight --step player_game",
        "phasegate redrive quarantine:nba:nba.completions:0123456789abcdef",
        "phasegate redrive --all",
    ),
    short_help="Bring dead letters back: of a run, of a step, one message, or all.",
)
@click.argument("what", metavar="[RUN|KEY]", required=False)
@click.option("--step", metavar="STEP", help="Only this step, or this receiver of triggers.")
@click.option("--force", is_flag=True, help="Let what was refused for it lose more rows than shrink_max; on record.")
@click.option("--all", "everything", is_flag=True, help="All dead letters.")
@json_option
@pass_app
def redrive(app: App, /, *, what: str | None, step: str | None, force: bool, everything: bool, as_json: bool) -> int:
    """Retry what is dead in RUN, or the quarantined message KEY.

    `phasegate dead` lists both. Triggers that a quiet backfill held back are sent too, if RUN is named, but not by
    --all. A worker then processes all of it; what is refused again is dead again.
    """
    from phasegate.actions import runs

    runs.check_redrive(what, step, force=force, everything=everything)
    with app.pipeline() as pipeline:
        letters = runs.letters_of(pipeline, what, step)
        if letters:
            with app.acting(pipeline, runs.about_letters(pipeline.plan, what, letters)) as act:
                runs.bring_back(pipeline, letters, step=step, force=force, held=not everything)
                act.outcome = f"{count(len(letters), 'dead letter')} sent again"
    if as_json:
        from phasegate.printed.work import RedrivenJson, RedrivenRowJson

        emit_json(RedrivenJson(redriven=tuple(
            RedrivenRowJson(kind=letter.kind, subject=letter.subject, run=letter.run) for letter in letters
        )))  # fmt: skip
    else:
        emit(_lines(letters, what, step))
    return FINE


def _lines(letters: "list[DeadLetter]", what: str | None, step: str | None) -> list[str]:
    if not letters:
        where = f" in {what}" if what else ""
        return [f"Nothing is dead{where}{f' of step {step}' if step else ''}; nothing to bring back."]
    lines = [f"{KINDS.get(letter.kind, letter.kind)} {letter.subject}" + (f" of {letter.run}" if letter.run else "")
             for letter in letters]  # fmt: skip
    held = sum(letter.kind == "held" for letter in letters)
    if held < len(letters):
        back = f"{count(len(letters) - held, 'dead letter')} brought back"
        lines.append(f"{back}; to process them: phasegate worker --until-idle")
    return [*lines, f"{count(held, 'trigger')} no longer held back."] if held else lines
