"""``phasegate backfill``: bring a span of dates up to date."""

import signal
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from phasegate.base.wording import count
from phasegate.cli.commands.worker import THREADS_MAX, stop_on_signal
from phasegate.cli.kit.app import FAILED, FINDINGS, FINE, STOPPED, App, pass_app
from phasegate.cli.kit.dates import check_near, yes_option
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json, names, table, talk

if TYPE_CHECKING:
    from phasegate.pipeline import Pipeline
    from phasegate.printed.work import BackfilledJson
    from phasegate.settings import Settings
    from phasegate.work.backfill import BackfillJob, Item

BAR = 24
SHOWN = 40
CONTINUE = "run the same command again to continue"


@dataclass
class BackfillResult:
    """The outcome of a backfill.

    ``build``: that it ran; ``warning``: why it should not have. ``unsettled``: (run, reason). ``drifted``: runs whose
    windows changed and were not read again. ``held``: (run, receiver) of triggers that are not sent without a redrive.
    """

    build: str = ""
    warning: str = ""
    unsettled: list[tuple[str, str]] = field(default_factory=list)
    drifted: list[str] = field(default_factory=list)
    held: list[tuple[str, str]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@click.command(
    epilog=example(
        "phasegate backfill --from 2026-02-01 --to 2026-02-07 --dry-run",
        "phasegate backfill --from 2026-02-01 --to 2026-02-07 --cascade",
        "phasegate backfill --from 2026-02-01 --to 2026-02-07 --steps player_game",
    ),
    short_help="Bring a span of dates up to date, oldest first.",
)
@click.option("--from", "first", required=True, metavar="DATE", help="First date.")
@click.option("--to", "last", required=True, metavar="DATE", help="Last date.")
@click.option("--steps", metavar="A,B", help="Rebuild these steps, fresh or not.")
@click.option("--mode", "modes", multiple=True, metavar="MODE",
              help="Only this mode; repeatable. Default: the modes of a date's runs, and the one with the most steps.",
              )  # fmt: skip
@click.option("--cascade/--no-cascade", default=False, show_default=True,
              help="Rebuild windows whose earlier dates changed, however long ago.")  # fmt: skip
@click.option("--retrigger/--quiet", default=False, show_default=True,
              help="Send new triggers to receivers outside the plan, or hold them back.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--workers", type=click.IntRange(1, THREADS_MAX), default=1, show_default=True, metavar="N",
              help=f"How many units of work at once, 1 to {THREADS_MAX}.")  # fmt: skip
@yes_option
@json_option
@pass_app
def backfill(  # noqa: PLR0913  one parameter for each option
    app: App, /, *, first: str, last: str, steps: str | None, modes: tuple[str, ...], cascade: bool, retrigger: bool,
    dry_run: bool, workers: int, yes: bool, as_json: bool,
) -> int:  # fmt: skip
    """Bring all runs of a span of dates up to date, oldest first.

    Opens runs that are not open, takes over what the tables hold, and builds what is missing, stale, dead or of an
    older plan. Dates are done one after the other, so that each is built from finished ones. To continue a stopped
    backfill, run the same command again. Phases of this plan always follow; receivers outside it get no triggers,
    unless --retrigger: the held triggers are sent by `phasegate redrive RUN`.
    """
    from phasegate.audit import About
    from phasegate.base.keys import parse_date
    from phasegate.cli.kit.tally import Tally
    from phasegate.work.backfill import BackfillJob

    order = BackfillJob(
        first=parse_date(first), last=parse_date(last), modes=modes, cascade=cascade, quiet=not retrigger,
        steps=tuple(name.strip() for name in (steps or "").split(",") if name.strip()),
    )  # fmt: skip
    settings = app.settings()
    tally = Tally(level=settings.log_level, form=settings.log_format)
    with app.pipeline(tally) as pipeline:
        pipeline.backfill(order).check()
        check_near(pipeline, order.first, order.last, yes=yes or dry_run, command="backfill")
        items = pipeline.backfill(order).items()
        build, warning = pipeline.ports.build.name(), _warning(pipeline, order, settings) if items else ""
        if warning:
            talk(f"warning: {warning}")
        outcome = BackfillResult()
        if not dry_run and items:
            with app.acting(pipeline, About(first=order.first, last=order.last)) as act:
                outcome = _work(pipeline, order, items, workers=workers)
                _inspect(pipeline, order, items, outcome=outcome)
                outcome.errors += tally.errors
                act.outcome, act.failed = _ended(items, outcome), _code(items, outcome) != FINE
        else:
            _inspect(pipeline, order, [], outcome=outcome)
            outcome.errors += tally.errors
        outcome.build, outcome.warning = build, warning
    if as_json:
        emit_json(_document(items, outcome, dry_run=dry_run))
    else:
        emit(_lines(items, outcome, dry_run=dry_run))
    for error in outcome.errors:
        talk(error)
    if outcome.stopped:
        talk(f"stopped before the end; {CONTINUE}")
    return _code(items, outcome)


def _code(items: "list[Item]", outcome: BackfillResult) -> int:
    """Return the exit code."""
    if signal.SIGINT.name in outcome.stopped:
        return STOPPED
    if outcome.errors:
        return FAILED
    return FINDINGS if outcome.stopped or outcome.unsettled or any(item.lacking for item in items) else FINE


def _ended(items: "list[Item]", outcome: BackfillResult) -> str:
    """Return for the audit log how it ended, and what is left to do."""
    ended = "stopped" if outcome.stopped else f"{count(len(items), 'phase')} handled"
    left = [f"not settled: {reason}" for _, reason in outcome.unsettled[:SHOWN]]
    lacking = [f"no data from {names(item.lacking)}: {item.phase} of {item.run}" for item in items if item.lacking]
    return "; ".join([ended, *outcome.errors, *left, *lacking[:SHOWN]])


def _warning(pipeline: "Pipeline", order: "BackfillJob", settings: "Settings") -> str:
    """Return why the build of this process should not build the tables.

    The repository is that of the plan's folder.
    """
    from phasegate.build import parse_build
    from phasegate.drift.stale import last_builds, warning_of
    from phasegate.errors import BadInput
    from phasegate.repository import GitHistory

    ours = parse_build(pipeline.ports.build.name())
    with pipeline.ports.warehouse.snapshot() as reader:
        built = last_builds(pipeline.plan, reader, first=order.first, last=order.last)
    try:
        history = GitHistory(settings.plan.absolute().parent) if built else None
    except BadInput:
        history = None
    return warning_of(ours, built, history)


def _work(pipeline: "Pipeline", order: "BackfillJob", items: "list[Item]", *, workers: int) -> BackfillResult:
    """Process date by date; return the outcome."""
    outcome = BackfillResult()

    def work() -> bool:
        outcome.errors += pipeline.run_workers(threads=workers, until_idle=True, stop=lambda: bool(outcome.stopped))
        return not outcome.stopped and not outcome.errors

    with stop_on_signal(outcome.stopped.append, message=f"finishing the unit in progress; {CONTINUE}"):
        pipeline.backfill(order).carry_out(items, work=work, progress=_bar)
    if sys.stderr.isatty():
        click.echo(err=True)
    return outcome


def _inspect(pipeline: "Pipeline", order: "BackfillJob", items: "list[Item]", *, outcome: BackfillResult) -> None:
    """Record the state of the span now, mainly of the runs that changed."""
    from phasegate.errors import BadDocument
    from phasegate.explain.overview import held_back

    broken: list[BadDocument] = []
    touched = {str(item.run) for item in items if item.reasons}
    for view in pipeline.views.phases(first=order.first, last=order.last, broken=broken):
        outcome.drifted += [view.run] if view.drifted and not order.cascade else []
        if view.run in touched:
            if view.state not in ("complete", "void", "paused"):
                outcome.unsettled.append((view.run, f"{view.phase} of {view.run} is {view.state}: {view.reason}"))
            outcome.held += [(view.run, receiver) for _, receiver in held_back(view)]
    outcome.errors += [str(error) for error in broken]


def _bar(number: int, total: int, day: str) -> None:
    if sys.stderr.isatty():
        done = BAR * number // total
        click.echo(f"\r[{'#' * done}{'.' * (BAR - done)}] {number} of {total} dates, {day}", err=True, nl=False)


def _document(items: "list[Item]", outcome: BackfillResult, *, dry_run: bool) -> "BackfilledJson":
    from phasegate.printed.work import BackfilledJson, BackfillRowJson, HeldTriggerJson

    return BackfilledJson(
        build=outcome.build,
        warning=outcome.warning,
        dry_run=dry_run,
        runs=tuple(
            BackfillRowJson(
                run=str(item.run), phase=item.phase, reasons=tuple(item.reasons), lacking=tuple(item.lacking)
            )
            for item in items
        ),
        unsettled=tuple(reason for _, reason in outcome.unsettled),
        drifted=tuple(outcome.drifted),
        held=tuple(HeldTriggerJson(run=run, receiver=receiver) for run, receiver in outcome.held),
        stopped_by=outcome.stopped[0] if outcome.stopped else None,
        errors=tuple(outcome.errors),
    )


def _lines(items: "list[Item]", outcome: BackfillResult, *, dry_run: bool) -> list[str]:
    lines: list[str] = []
    if outcome.drifted:
        lines.append(f"{count(len(outcome.drifted), 'phase')} built before earlier dates changed, and not rebuilt: "
                     "--cascade rebuilds them")  # fmt: skip
    if not items:
        return lines or ["Every date is up to date; nothing to do."]
    return [*_table(items), *_closing(items, outcome, dry_run=dry_run), *lines]


def _table(items: "list[Item]") -> list[str]:
    rows = [(str(item.run), item.phase, "; ".join(item.reasons) or "-", names(item.lacking) or "-") for item in items]
    lines = table(("run", "phase", "why", "no data from"), rows[:SHOWN])
    if len(rows) > SHOWN:
        lines.append(f"and {len(rows) - SHOWN} more; see --json")
    return [*lines, ""]


def _closing(items: "list[Item]", outcome: BackfillResult, *, dry_run: bool) -> list[str]:
    lines: list[str] = []
    runs, lacking = {str(item.run) for item in items}, {str(item.run) for item in items if item.lacking}
    done = runs - lacking - {run for run, _ in outcome.unsettled}
    if not outcome.stopped:
        lines += [f"{count(len(done), 'run')} {'to be ' if dry_run else ''}brought up to date."]
    if lacking:
        lines.append(f"{count(len(lacking), 'run')} without data of a step: load it, then report it: "
                     "phasegate complete STEP --run RUN")  # fmt: skip
    lines += [f"not settled: {reason}" for _, reason in outcome.unsettled[:SHOWN]]
    if len(outcome.unsettled) > SHOWN:
        lines.append(f"not settled: {len(outcome.unsettled) - SHOWN} more; see --json")
    if outcome.held:
        lines.append(f"{count(len(outcome.held), 'trigger')} held back; to send those of a run: phasegate redrive RUN")
    return lines
