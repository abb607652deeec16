"""``phasegate leases``: which partitions are being written now."""

from typing import TYPE_CHECKING

import click

from phasegate.answers.times import left
from phasegate.base.wording import count
from phasegate.cli.kit.app import App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json, table
from phasegate.cli.kit.views import exit_code

if TYPE_CHECKING:
    from phasegate.answers.times import Times
    from phasegate.errors import BadDocument
    from phasegate.explain.overview import LeaseView
    from phasegate.printed.work import LeaseJson


@click.command(
    epilog=example("phasegate leases", "phasegate leases --let-go lease:main:nba.scores:2026-02-03"),
    short_help="Show which partitions are being written now.",
)
@click.option("--all", "free", is_flag=True, help="Also free leases: every partition that was ever written.")
@click.option("--let-go", "key", metavar="KEY", help="Take this lease from its holder, and report what it left.")
@json_option
@pass_app
def leases(app: App, /, *, free: bool, key: str | None, as_json: bool) -> int:
    """Show the leases that are held.

    Each with its partition, token, purpose, since when, and how long it lasts. An expired lease is taken by the next
    worker; there is nothing to do. One that is held for long, by a process that is dead, can be let go of: if its
    holder lives, it stops at its next heartbeat. Reads documents only, without --let-go.
    """
    if key is not None:
        from phasegate.actions.on_documents import left_behind

        with app.pipeline() as pipeline, app.acting(pipeline) as act:
            act.outcome = left_behind(pipeline.rescuer.let_go(key))
    plan, overview = app.overview()
    broken: list[BadDocument] = []
    views = overview.leases(free=free, broken=broken)
    times = app.times(plan)
    if as_json:
        from phasegate.printed.work import LeasesJson

        emit_json(LeasesJson(
            now=times.iso(times.now),
            leases=tuple(_document(view, times=times) for view in views),
            errors=tuple(str(error) for error in broken),
        ))  # fmt: skip
    else:
        emit(_lines(views, times=times, free=free))
    return exit_code((), broken=broken)


def _document(view: "LeaseView", *, times: "Times") -> "LeaseJson":
    from phasegate.printed.work import LeaseJson

    _, warehouse, table_name, partition = view.key.split(":", 3)
    return LeaseJson(
        key=view.key,
        warehouse=warehouse,
        table=table_name,
        partition=partition,
        token=view.token,
        held=view.holder is not None,
        purpose=view.purpose,
        since=times.iso(view.since) if view.token else None,
        left_s=round(view.left_s, 1),
    )


def _lines(views: "list[LeaseView]", *, times: "Times", free: bool) -> list[str]:
    if not views:
        return ["No partition was ever written." if free else "No lease is held."]
    rows = [
        (
            view.place,
            str(view.token),
            times.since(view.since) if view.since else "",
            "free" if view.holder is None else left(view.left_s),
            view.purpose,
        )
        for view in views
    ]
    held = sum(view.holder is not None for view in views)
    closing = f"{count(held, 'lease')} held" + (f", {len(views) - held} free" if free else "")
    return [*table(("partition", "token", "since", "left", "for"), rows), "", f"{closing}. Times: {times.timezone}."]
