"""``phasegate reconcile``: what is wrong with the last dates, and the commands that mend it."""

from typing import TYPE_CHECKING

import click

from phasegate.cli.commands.worker import told_to_stop
from phasegate.cli.kit.app import App, pass_app
from phasegate.cli.kit.found import check_lines, finding_json, finding_lines, outcome_json
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import count, emit, emit_json, talk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phasegate.base.findings import CheckResult, Finding
    from phasegate.check.fixes import Fix
    from phasegate.check.reconciler import Fixed
    from phasegate.cli.kit.times import Times
    from phasegate.pipeline import Pipeline

DAYS = 7
SHOWN = 40


@click.command(
    epilog=example(
        "phasegate reconcile",
        "phasegate reconcile --from 2026-02-01 --to 2026-02-07 --verbose",
        "phasegate reconcile --days 7 --fix",
    ),
    short_help="Compare documents, tables and calendar; with --fix, mend what differs.",
)
@click.option("--phase", metavar="PHASE", help="This phase only.")
@click.option(
    "--days", type=click.IntRange(1, 3_700), metavar="N", help=f"The last N dates, today included. Default: {DAYS}."
)
@click.option("--from", "first", metavar="DATE", help="First date.")
@click.option("--to", "last", metavar="DATE", help="Last date. Default: today.")
@click.option("--fix", is_flag=True, help="Give the commands that mend what is found, work, and look again.")
@click.option("--verbose", is_flag=True, help="Show every check, and the evidence of each finding.")
@json_option
@pass_app
def reconcile(  # noqa: PLR0913  one parameter for each option
    app: App, /, *, phase: str | None, days: int | None, first: str | None, last: str | None, fix: bool,
    verbose: bool, as_json: bool,
) -> int:  # fmt: skip
    """Say where documents, tables and calendar differ, and what was handed on and did not arrive.

    Changes nothing without --fix. With it the plan is shown, each missing effect is caused by an ordinary command,
    and the exit code is of what is left. Safe to run twice at once, and beside workers.
    """
    from phasegate.base.findings import exit_code

    app.reading()  # a state that is not there is named, not made
    with app.pipeline() as pipeline:
        times = app.times(pipeline.plan)
        first, last = _span(times, days=days, first=first, last=last)
        outcomes = pipeline.checks.inspector.inspect(first, last, phase=phase)
        mends = pipeline.checks.reconciler.fixes_for(outcomes)
        told = _Printer(pipeline.plan.pipeline, (first, last), times=times, verbose=verbose)
        mended = None
        if not as_json:
            emit(told.found(outcomes, mends, fix=fix))
        if fix and mends:
            mended = _mend(pipeline, outcomes, (first, last), phase=phase)
    after = outcomes if mended is None else mended.after
    if as_json:
        emit_json(told.document(outcomes, mends, mended))
    elif mended is not None:
        emit(told.left(mended))
    return exit_code(after)


def _mend(
    pipeline: "Pipeline", outcomes: "Sequence[CheckResult]", span: tuple[str, str], *, phase: str | None
) -> "Fixed":  # fmt: skip
    """Apply the fixes until a signal stops them; what was begun is then found again."""
    stopped: list[str] = []

    def work() -> None:
        for error in pipeline.run_workers(until_idle=True, stop=lambda: bool(stopped)):
            talk(error)

    with told_to_stop(stopped.append, say="finishing the command in hand"):
        return pipeline.checks.reconciler.fix(outcomes, first=span[0], last=span[1], phase=phase, work=work)


def _span(times: "Times", *, days: int | None, first: str | None, last: str | None) -> tuple[str, str]:
    """Return the first and the last date. Raises BadInput."""
    from phasegate.base.dates import local_date, shift
    from phasegate.base.keys import parse_date
    from phasegate.errors import BadInput

    if days is not None and first is not None:
        raise BadInput("reconcile: --days and --from are two ways to say where to begin; give one")
    end = parse_date(last) if last is not None else local_date(times.now, timezone=times.timezone)
    begin = parse_date(first) if first is not None else shift(end, 1 - (days or DAYS))
    if begin > end:
        raise BadInput(f"reconcile: --from {begin} lies after {end}; swap them")
    return begin, end


class _Printer:
    """How an inspection, its plan, and what is left are shown."""

    def __init__(self, pipeline: str, span: tuple[str, str], *, times: "Times", verbose: bool) -> None:
        self._pipeline, self._span, self._times, self._verbose = pipeline, span, times, verbose

    def found(self, outcomes: "Sequence[CheckResult]", mends: "Sequence[Fix]", *, fix: bool) -> list[str]:
        """Return what was found, and what would be done, or is about to be."""
        from phasegate.base.findings import listed

        found = listed(outcomes)
        lines = [f"{self._pipeline}, {self._span[0]} to {self._span[1]}"]
        if self._verbose:
            lines += ["", *check_lines(outcomes)]
        if not found:
            looked = count(len(outcomes), "check")
            return [*lines, "", f"Nothing found by {looked}."]
        lines += ["", *self._findings(found)]
        if not mends:
            return [*lines, "", "Nothing of this can be mended by a command of Phasegate's own."]
        shown = [f"  {number}. {mend.text}" for number, mend in enumerate(mends[:SHOWN], start=1)]
        more = [f"  and {len(mends) - SHOWN} more"] if len(mends) > SHOWN else []
        head = "Mending:" if fix else "--fix would:"
        return [*lines, "", head, *shown, *more]

    def left(self, mended: "Fixed") -> list[str]:
        """Return what was done, and what a last look says."""
        from phasegate.base.findings import listed

        failed = [f"failed: {deed.text}: {deed.error}" for deed in mended.applied if deed.error]
        given = count(len(mended.applied) - len(failed), "command")
        done = f"{given} given, {len(failed)} failed; kept as {mended.record}"
        left = listed(mended.after)
        if not left:
            return ["", done, *failed, "Looked again: nothing is left."]
        return ["", done, *failed, f"Looked again: {count(len(left), 'finding')} left.", "", *self._findings(left)]

    def _findings(self, found: "Sequence[Finding]") -> list[str]:
        shown = found if self._verbose else found[:SHOWN]
        lines = finding_lines(shown, times=self._times, verbose=self._verbose)
        return lines + ([f"and {len(found) - SHOWN} more: --verbose shows all"] if len(found) > len(shown) else [])

    def document(
        self, outcomes: "Sequence[CheckResult]", mends: "Sequence[Fix]", mended: "Fixed | None"
    ) -> dict[str, object]:  # fmt: skip
        """Return everything for programs; ``left`` is null where nothing was mended."""
        from phasegate.base.findings import listed

        def findings(of: "Sequence[CheckResult]") -> list[dict[str, object]]:
            return [finding_json(finding, times=self._times) for finding in listed(of)]

        deeds = () if mended is None else mended.applied
        return {
            "pipeline": self._pipeline,
            "first": self._span[0],
            "last": self._span[1],
            "now": self._times.iso(self._times.now),
            "checks": [outcome_json(outcome) for outcome in outcomes],
            "findings": findings(outcomes),
            "fixes": [mend.text for mend in mends],
            "applied": [{"fix": deed.text, "error": deed.error} for deed in deeds],
            "left": None if mended is None else findings(mended.after),
            "unchecked": [] if mended is None else [outcome_json(one) for one in mended.after if one.error],
            "record": None if mended is None else mended.record,
        }
