"""``phasegate audit``: what was changed by whom."""

from typing import TYPE_CHECKING

import click

from phasegate.base.wording import count
from phasegate.cli.kit.app import App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import GAP, emit, emit_json
from phasegate.cli.kit.views import exit_code

if TYPE_CHECKING:
    from phasegate.answers.times import Times
    from phasegate.audit import AuditEntry
    from phasegate.errors import BadDocument


@click.command(
    epilog=example("phasegate audit", "phasegate audit --run 2026-02-03.overnight", "phasegate audit --days 30 --json"),
    short_help="Show what people changed: who, when, and how it ended.",
)
@click.option("--run", metavar="RUN", help="Only what is about this run, or about its date.")
@click.option("--days", type=click.IntRange(1, 3_700), metavar="N", help="The last N days, today included. Default: 7.")
@click.option("--from", "first", metavar="DATE", help="First day.")
@click.option("--to", "last", metavar="DATE", help="Last day. Default: today.")
@json_option
@pass_app
def audit(
    app: App, /, *, run: str | None, days: int | None, first: str | None, last: str | None, as_json: bool
) -> int:  # fmt: skip
    """Show the audit log, the newest first.

    Each entry has who did it, by which way, the command that does the same, and its outcome. In it are the commands on
    runs, leases, messages and incidents, on the command line, on the page and over HTTP. What workers do, what external
    steps report, and the commands tokens, tables, import, migrate and (on the command line) sweep and worker are not.
    Days are in UTC. Reads documents only.
    """
    from phasegate.answers.audited import audit_json, audited

    plan, ports = app.reading()
    times = app.times(plan)
    broken: list[BadDocument] = []
    chosen = "" if run is None else str(app.run(plan, run))
    span, found = audited(plan, ports, times=times, days=days, first=first, last=last, broken=broken)
    found = [(key, entry) for key, entry in found if not chosen or entry.is_about(chosen)]
    if as_json:
        emit_json(audit_json(plan.pipeline, span, found, times=times, broken=broken))
    else:
        emit(_lines([entry for _, entry in found], times=times))
    return exit_code((), broken=broken)


def _lines(entries: "list[AuditEntry]", *, times: "Times") -> list[str]:
    from phasegate.answers.audited import ended

    if not entries:
        return ["Nothing was changed by hand in these days."]
    lines = []
    for entry in entries:
        lines += [f"{times.since(entry.at)}  {entry.by}, {entry.via}", f"{GAP}{entry.command}", f"{GAP}{ended(entry)}"]
    return [*lines, "", f"{count(len(entries), 'act')}. Times: {times.timezone}."]
