"""``phasegate status``: the state of every run."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from phasegate.base.wording import count
from phasegate.cli.kit.app import App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json, names, paint, table
from phasegate.cli.kit.views import exit_code, phase_json

if TYPE_CHECKING:
    from phasegate.answers.times import Times
    from phasegate.errors import BadDocument
    from phasegate.explain.overview import Overview
    from phasegate.explain.phase_view import PhaseState, PhaseView
    from phasegate.plan.model import Plan
    from phasegate.printed.runs import StatusJson

DATES = 14
DATE_LENGTH = len("2026-02-03")
HEADER = ("run", "phase", "state", "gen", "missing", "since", "next")
ORDER: "tuple[PhaseState, ...]" = (
    "complete",
    "sending",
    "settling",
    "building",
    "waiting",
    "paused",
    "void",
    "degraded",
    "dead",
)


@click.command(
    epilog=example("phasegate status", "phasegate status --from 2026-02-01 --to 2026-02-03 --json"),
    short_help="Show the state of every run, and what to type next.",
)
@click.option("--from", "first", metavar="DATE", help=f"First date. Default: the newest {DATES} dates.")
@click.option("--to", "last", metavar="DATE", help="Last date.")
@json_option
@pass_app
def status(app: App, /, *, first: str | None, last: str | None, as_json: bool) -> int:
    """Show one row for each run and phase.

    Its state, since when, what is missing, and what to type next. Reads documents only; the warehouse stays closed.
    """
    plan, overview = app.overview()
    broken: list[BadDocument] = []
    views = _views(overview, first, last, broken=broken)
    quarantined = len(overview.quarantined(broken=broken))
    times = app.times(plan)
    if as_json:
        emit_json(_document(plan, views, times=times, quarantined=quarantined, broken=broken))
    else:
        emit(_lines(views, times=times, quarantined=quarantined))
    return exit_code(views, broken=broken, found=quarantined)


def _views(
    overview: "Overview", first: str | None, last: str | None, *, broken: "list[BadDocument]"
) -> "list[PhaseView]":
    from phasegate.base.keys import parse_date
    from phasegate.errors import BadInput
    from phasegate.explain.overview import LAST

    first, last = first and parse_date(first), parse_date(last) if last else LAST
    if first is None:
        return overview.recent(dates=DATES, last=last, broken=broken)
    if first > last:
        raise BadInput(f"status: --from {first} is after --to {last}; swap them")
    return overview.phases(first=first, last=last, broken=broken)


def _document(
    plan: "Plan", views: "list[PhaseView]", *, times: "Times", quarantined: int, broken: "list[BadDocument]"
) -> "StatusJson":
    from phasegate.printed.runs import StatusJson

    return StatusJson(
        pipeline=plan.pipeline,
        timezone=plan.timezone,
        now=times.iso(times.now),
        phases=tuple(phase_json(view, times=times) for view in views),
        counts=dict(Counter(view.state for view in views)),
        overdue=sum(view.overdue for view in views),
        quarantined=quarantined,
        errors=tuple(str(error) for error in broken),
    )


def _lines(views: "list[PhaseView]", *, times: "Times", quarantined: int) -> list[str]:
    if not views and not quarantined:
        return ["No run yet. Open one: phasegate begin RUN"]
    rows = [
        (
            view.run,
            view.phase,
            paint("overdue" if view.overdue else view.state),
            str(view.generation or ""),
            names(_missing(view)),
            times.since(view.since),
            _next(view),
        )
        for view in views
    ]
    return [*(table(HEADER, rows) if rows else ()), "", *_closing(views, times=times, quarantined=quarantined)]


def _missing(view: "PhaseView") -> list[str]:
    """Return the missing members, with the first keys that each lacks."""
    lacks = {member.name: names(member.lacks) for member in view.members if member.lacks}
    return [f"{name} ({lacks[name]})" if name in lacks else name for name in view.missing]


def _next(view: "PhaseView") -> str:
    """Return the command to type: the only one, else ``why``, for all."""
    if len(view.commands) == 1:
        return view.commands[0]
    return f"phasegate why {view.run}" if view.commands or view.overdue or view.state == "degraded" else ""


def _closing(views: "Sequence[PhaseView]", *, times: "Times", quarantined: int) -> list[str]:
    counts = Counter(view.state for view in views)
    states = [f"{counts[state]} {state}" for state in ORDER if counts[state]]
    overdue = sum(view.overdue for view in views)
    if overdue:
        states.append(f"{overdue} of them overdue")
    runs = count(len({view.run for view in views}), "run")
    lines = [f"{runs}, {count(len(views), 'phase')}: {', '.join(states)}. Times: {times.timezone}."] if views else []
    drifted = sorted(view.run[:DATE_LENGTH] for view in views if view.drifted)
    if drifted:
        lines.append(f"{count(len(drifted), 'phase')} built before earlier dates changed: phasegate backfill "
                     f"--from {drifted[0]} --to {drifted[-1]} --cascade")  # fmt: skip
    if quarantined:
        lines.append(f"{count(quarantined, 'message')} in quarantine: phasegate dead")
    return lines
