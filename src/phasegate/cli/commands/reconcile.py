"""``phasegate reconcile``: compare the last dates, and fix them."""

import signal
from typing import TYPE_CHECKING

import click

from phasegate.base.wording import count
from phasegate.cli.commands.worker import stop_on_signal
from phasegate.cli.kit.app import App, pass_app
from phasegate.cli.kit.found import check_lines, finding_lines, settling_lines
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json, talk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phasegate.answers.times import Times
    from phasegate.base.findings import CheckResult, Finding
    from phasegate.check.fixes import Fix
    from phasegate.check.reconciler import Fixed
    from phasegate.pipeline import Pipeline

SHOWN = 40


@click.command(
    epilog=example(
        "phasegate reconcile",
        "phasegate reconcile --from 2026-02-01 --to 2026-02-07 --verbose",
        "phasegate reconcile --days 7 --fix",
    ),
    short_help="Compare documents, tables and calendar; with --fix, fix what differs.",
)
@click.option("--phase", metavar="PHASE", help="This phase only.")
@click.option(
    "--days", type=click.IntRange(1, 3_700), metavar="N", help="The last N dates, today included. Default: 7."
)
@click.option("--from", "first", metavar="DATE", help="First date.")
@click.option("--to", "last", metavar="DATE", help="Last date. Default: today.")
@click.option("--fix", is_flag=True, help="Run the commands that fix what is found, work, and check again.")
@click.option("--verbose", is_flag=True, help="Show every check, and the evidence of each finding.")
@json_option
@pass_app
def reconcile(  # noqa: PLR0913  one parameter for each option
    app: App, /, *, phase: str | None, days: int | None, first: str | None, last: str | None, fix: bool,
    verbose: bool, as_json: bool,
) -> int:  # fmt: skip
    """Show where documents, tables and calendar differ.

    Also what was handed on and did not arrive. Changes nothing without --fix. With it the fixes are listed, each
    missing effect is caused by an ordinary command, and the exit code is for what is left: 3 if all of it is younger
    than five minutes and may be work in progress. Safe to run twice at once, and beside workers.
    """
    from phasegate.answers.checks import fixed_text, reconciled_json, span_of
    from phasegate.audit import About
    from phasegate.base.findings import exit_code

    app.reading()  # a missing state is an error, and is not created
    with app.pipeline() as pipeline:
        times = app.times(pipeline.plan)
        span = span_of(times, days=days, first=first, last=last)
        outcomes = pipeline.checks.inspector.inspect(*span, phase=phase)
        fixes = pipeline.checks.reconciler.fixes_for(outcomes)
        printer = _Printer(pipeline.plan.pipeline, span, times=times, verbose=verbose)
        done = None
        if not as_json:
            emit(printer.found(outcomes, fixes, fix=fix))
        if fix and fixes:
            with app.acting(pipeline, About(first=span.first, last=span.last)) as act:
                stopped = list[str]()
                done = _apply(pipeline, outcomes, span, phase=phase, stopped=stopped)
                act.outcome, act.failed = fixed_text(done, stopped=bool(stopped))
    after = outcomes if done is None else done.after
    if as_json:
        emit_json(reconciled_json(pipeline.plan.pipeline, span, outcomes, fixes=fixes, fixed=done, times=times))
    elif done is not None:
        emit(printer.left(done))
    return exit_code(after)


def _apply(
    pipeline: "Pipeline", outcomes: "Sequence[CheckResult]", span: tuple[str, str], *, phase: str | None,
    stopped: list[str],
) -> "Fixed":  # fmt: skip
    """Apply the fixes until a signal stops them.

    A fix that was started is then found again. ``stopped`` takes the signal. Raises KeyboardInterrupt after Ctrl-C,
    when the unit in hand has ended.
    """
    from msgspec.structs import replace

    errors = list[str]()

    def work() -> None:
        for error in pipeline.run_workers(until_idle=True, stop=lambda: bool(stopped)):
            talk(error)
            errors.append(error)
        if signal.SIGINT.name in stopped:
            raise KeyboardInterrupt

    with stop_on_signal(stopped.append, message="finishing the unit in progress"):
        fixed = pipeline.checks.reconciler.fix(outcomes, first=span[0], last=span[1], phase=phase, work=work)
    return replace(fixed, errors=tuple(errors))


class _Printer:
    """The output of an inspection: findings, fixes, and what is left."""

    def __init__(self, pipeline: str, span: tuple[str, str], *, times: "Times", verbose: bool) -> None:
        self._pipeline, self._span, self._times, self._verbose = pipeline, span, times, verbose

    def found(self, outcomes: "Sequence[CheckResult]", fixes: "Sequence[Fix]", *, fix: bool) -> list[str]:
        """Return what was found, and the fixes that would be or will be applied."""
        from phasegate.base.findings import listed

        found = listed(outcomes)
        lines = [f"{self._pipeline}, {self._span[0]} to {self._span[1]}"]
        if self._verbose:
            lines += ["", *check_lines(outcomes)]
        young = settling_lines(outcomes, times=self._times)
        if not found:
            return [*lines, "", *(young or [f"Nothing found by {count(len(outcomes), 'check')}."])]
        lines += ["", *self._findings(found), *young]
        if not fixes:
            return [*lines, "", "No command of Phasegate can fix this."]
        shown = [f"  {number}. {one.text}" for number, one in enumerate(fixes[:SHOWN], start=1)]
        more = [f"  and {len(fixes) - SHOWN} more"] if len(fixes) > SHOWN else []
        head = "Fixing:" if fix else "--fix would:"
        return [*lines, "", head, *shown, *more]

    def left(self, fixed: "Fixed") -> list[str]:
        """Return what was done, and what the last check still finds."""
        from phasegate.base.findings import listed

        failed = [f"failed: {one.text}: {one.error}" for one in fixed.applied if one.error]
        run = count(len(fixed.applied) - len(failed), "command")
        done = f"{run} run, {len(failed)} failed; recorded as {fixed.record}"
        left = listed(fixed.after)
        young = settling_lines(fixed.after, times=self._times)
        if not left:
            return ["", done, *failed, *(young or ["Checked again: nothing is left."])]
        return ["", done, *failed, f"Checked again: {count(len(left), 'finding')} left.", "", *self._findings(left)]

    def _findings(self, found: "Sequence[Finding]") -> list[str]:
        from phasegate.base.findings import by_span

        spans = found if self._verbose else by_span(found)
        shown = spans if self._verbose else spans[:SHOWN]
        lines = finding_lines(shown, times=self._times, verbose=self._verbose)
        return lines + ([f"and {len(spans) - SHOWN} more: --verbose shows all"] if len(spans) > len(shown) else [])
