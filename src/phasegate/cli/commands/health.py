"""``phasegate health``: check one date, or check the checks."""

from typing import TYPE_CHECKING

import click

from phasegate.cli.kit.app import FAILED, App, pass_app
from phasegate.cli.kit.found import check_lines, finding_lines, settling_lines, talk_unsent
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phasegate.answers.times import Times
    from phasegate.base.findings import CheckResult


@click.command(
    epilog=example("phasegate health", "phasegate health --date 2026-02-03 --verbose", "phasegate health --self-test"),
    short_help="Check a date: what is wrong, and what to type.",
)
@click.option("--date", "on", metavar="DATE", help="Default: yesterday in the pipeline's zone.")
@click.option("--verbose", is_flag=True, help="Show the evidence of each finding.")
@click.option("--self-test", "self_test", is_flag=True,
              help="Plant every fault in a scratch pipeline, and verify that its check finds it.")  # fmt: skip
@click.option("--alert", is_flag=True, help="Store findings as incidents, and notify the plan's channels.")
@json_option
@pass_app
def health(app: App, /, *, on: str | None, verbose: bool, self_test: bool, alert: bool, as_json: bool) -> int:
    """Run every check on a date.

    OK: nothing found. FINDING: something is wrong. NOT EVALUATED: the check could not run, so the answer is unknown.
    SETTLING: what is there is younger than five minutes, and may be work in progress: check again later.
    Exits with 0, 1, 2 and 3; a check that could not be evaluated is never fine, nor is a notification that was not
    sent.
    Changes nothing, except with --alert, and then incidents only.
    """
    from phasegate.answers.checks import alerted, health_json
    from phasegate.base.findings import exit_code
    from phasegate.base.keys import parse_date

    if self_test:
        return _self_test(as_json=as_json)
    app.reading()  # a missing state is an error, and is not created
    with app.pipeline() as pipeline:
        on = parse_date(on) if on is not None else pipeline.checks.health.yesterday()
        started = pipeline.alerts.start() if alert else 0.0
        outcomes = pipeline.checks.health.evaluate(on)
        unsent = alerted(pipeline, outcomes, on=on, started=started) if alert else {}
        times = app.times(pipeline.plan)
    if as_json:
        emit_json(health_json(pipeline.plan.pipeline, on, outcomes, times=times))
    else:
        emit(_lines(pipeline.plan.pipeline, on, outcomes, times=times, verbose=verbose))
    return FAILED if talk_unsent(unsent) else exit_code(outcomes)


def _lines(
    pipeline: str, on: str, outcomes: "Sequence[CheckResult]", *, times: "Times", verbose: bool
) -> list[str]:  # fmt: skip
    from phasegate.base.findings import listed

    found = listed(outcomes)
    lines = [f"{pipeline}, {on}", "", *check_lines(outcomes)]
    shown = finding_lines(found, times=times, verbose=verbose) + settling_lines(outcomes, times=times)
    return [*lines, "", *shown] if shown else lines


def _self_test(*, as_json: bool) -> int:
    """Plant each fault and check; return 0 if every check found its own."""
    from phasegate.selftest.scratch import scratch
    from phasegate.selftest.selftest import self_test

    proofs = self_test(scratch)
    failed = [proof for proof in proofs if not proof.found]
    if as_json:
        from phasegate.printed.checks import ProofJson, SelfTestJson

        found = tuple(ProofJson(fault=p.fault, code=p.code, found=p.found, text=p.text) for p in proofs)
        emit_json(SelfTestJson(proofs=found))
    else:
        from phasegate.cli.kit.output import table

        rows = [(p.code, "found" if p.found else "NOT FOUND", p.fault, p.text) for p in proofs]
        emit(table(("code", "proof", "planted", "text"), rows))
    return 2 if failed else 0
