"""``phasegate why RUN``: what a run waits for, or what made it fire."""

from typing import TYPE_CHECKING

import click

from phasegate.cli.kit.app import App, pass_app
from phasegate.cli.kit.found import tables_lines
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import GAP, emit, emit_json, paint, table
from phasegate.cli.kit.views import exit_code, phase_json_full

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phasegate.answers.times import Times
    from phasegate.base.findings import CheckResult
    from phasegate.base.keys import Run
    from phasegate.errors import BadDocument
    from phasegate.explain.overview import Overview
    from phasegate.explain.phase_view import GenerationView, PhaseView
    from phasegate.plan.model import Plan
    from phasegate.printed.runs import WhyJson
    from phasegate.steplog import LoggedAttempt

OUTPUT_LINES = 10


@click.command(
    epilog=example("phasegate why 2026-02-03.overnight", "phasegate why 2026-02-03.overnight --phase analytics"),
    short_help="Explain one run: what it waits for, or what made it fire.",
)
@click.argument("run")
@click.option("--phase", metavar="PHASE", help="This phase only.")
@click.option("--tables", is_flag=True, help="Read the tables too, and show what only they show.")
@json_option
@pass_app
def why(app: App, /, *, run: str, phase: str | None, tables: bool, as_json: bool) -> int:
    """Explain every phase of RUN: its state, why, and what made it fire.

    Also what is missing, what is stale against which input, and since when. RUN is DATE.MODE, or a DATE for all its
    modes. Reads documents only, unless --tables is given.
    """
    from phasegate.answers.explained import closed_phases
    from phasegate.base.findings import FINE, FOUND, SETTLING, UNCHECKED
    from phasegate.base.findings import exit_code as checked
    from phasegate.errors import NotFound

    plan, overview = app.overview()
    broken: list[BadDocument] = []
    if phase is not None and phase not in plan.phases:
        raise NotFound(f"unknown phase {phase!r}; the plan has {', '.join(plan.phases)}")
    found = {}
    for chosen in _runs(app, plan, overview, run):
        found[chosen] = [view for view in overview.why(chosen, broken=broken) if phase in (None, view.phase)]
    views = [view for views in found.values() for view in views]
    times = app.times(plan)
    closed = {r: [] if broken else closed_phases(plan, r, views=views, phase=phase) for r, views in found.items()}
    logs = {r: overview.failures(r, views) for r, views in found.items()}
    shown = _tables(app, list(found)) if tables else {}
    if as_json:
        from phasegate.printed.runs import WhyDateJson

        documents = [_document(r, views, closed=closed[r], times=times, broken=broken, logs=logs[r],
                               tables=shown.get(r)) for r, views in found.items()]  # fmt: skip
        emit_json(documents[0] if _is_one(plan, run) else WhyDateJson(runs=tuple(documents)))
    else:
        texts = [
            _lines(plan, r, views, closed=closed[r], times=times, logs=logs[r])
            + tables_lines(shown.get(r), times=times)
            for r, views in found.items()
        ]
        emit(line for number, lines in enumerate(texts) for line in ([""] if number else []) + lines)
    codes = [exit_code(views, broken=broken), *(checked(outcomes) for outcomes in shown.values())]
    return max(codes, key=(FINE, SETTLING, FOUND, UNCHECKED).index)


def _tables(app: App, runs: "list[Run]") -> "dict[Run, tuple[CheckResult, ...]]":
    """Return what only the tables show of each run.

    All runs are of one date.
    """
    with app.pipeline() as pipeline:
        return pipeline.checks.inspector.tables(runs[0].date, runs)


def _runs(app: App, plan: "Plan", overview: "Overview", text: str) -> "list[Run]":
    """Return the run that was named.

    For a date alone, in a plan with several modes, all its open runs.
    """
    from phasegate.base.keys import parse_date, parse_run
    from phasegate.errors import NotFound

    if _is_one(plan, text):
        return [app.run(plan, text)]
    day = parse_date(text)
    open_runs = {parse_run(view.run) for view in overview.phases(first=day, last=day, broken=[])}
    if not open_runs:
        raise NotFound(f"no run of {day} is open in any mode ({', '.join(plan.modes)}); see phasegate status")
    return sorted(open_runs, key=lambda run: plan.modes.index(run.mode) if run.mode in plan.modes else len(plan.modes))


def _is_one(plan: "Plan", text: str) -> bool:
    """Return whether a text names one run.

    It does with a mode, or in a plan with one mode.
    """
    return "." in text or len(plan.modes) == 1


def _document(
    run: "Run", views: "list[PhaseView]", *, closed: list[str], times: "Times", broken: "list[BadDocument]",
    logs: "dict[str, LoggedAttempt]", tables: "Sequence[CheckResult] | None",
) -> "WhyJson":  # fmt: skip
    from msgspec import UNSET

    from phasegate.answers.checks import tables_json
    from phasegate.printed.runs import WhyJson

    return WhyJson(
        run=str(run),
        timezone=times.timezone,
        now=times.iso(times.now),
        phases=tuple(phase_json_full(view, times=times, logs=logs) for view in views),
        not_open=tuple(closed),
        errors=tuple(str(error) for error in broken),
        tables=UNSET if tables is None else tables_json(tables, times=times),
    )


def _lines(
    plan: "Plan", run: "Run", views: "list[PhaseView]", *, closed: list[str], times: "Times",
    logs: "dict[str, LoggedAttempt]",
) -> list[str]:  # fmt: skip
    from phasegate.answers.explained import not_open

    lines = [f"{run}, seen at {times.moment(times.now)} {times.timezone}"]
    for view in views:
        lines += ["", *_phase(view, times=times, logs=logs)]
    for one in not_open(plan, run, closed, views=views):
        lines += ["", one.text]
    return lines


def _phase(view: "PhaseView", *, times: "Times", logs: "dict[str, LoggedAttempt]") -> list[str]:
    from phasegate.answers.explained import checked_again, works_on

    word = paint("overdue" if view.overdue else view.state)
    # What is dead is explained in its own row.
    reason = "something is dead: it is not retried" if view.state == "dead" else view.reason
    lines = [f"{view.phase}: {word} since {times.since(view.since)}", f"{GAP}{reason}"]
    if inputs := works_on(view):
        lines.append(f"{GAP}{inputs}")
    lines += _members(view, times=times)
    for member in view.members:
        if (attempt := logs.get(member.name)) is not None and view.state != "void":
            lines += [f"{GAP}{line}" for line in _log(view.run, member.name, attempt, times=times)]
    for generation in view.generations:
        lines += [f"{GAP}{line}" for line in _generation(generation, times=times)]
    if again := checked_again(view, times=times):
        lines.append(f"{GAP}{again}")
    return lines + [f"{GAP}next: {command}" for command in view.commands]


def _log(run: str, step: str, attempt: "LoggedAttempt", *, times: "Times") -> list[str]:
    """Return the traceback of a failed attempt, and the end of its output."""
    if not attempt.text:
        return []
    output = attempt.output.split("\n") if attempt.output else []
    lines = [f"attempt {attempt.number} at {step}, {times.since(attempt.at)} ago: {attempt.error}"]
    lines += [f"{GAP}{line}" for line in output[-OUTPUT_LINES:]]
    lines += [f"{GAP}{line}" for line in attempt.traceback.split("\n") if attempt.traceback]
    return [*lines, f"next: phasegate logs {run} --step {step}"] if len(output) > OUTPUT_LINES else lines


def _members(view: "PhaseView", *, times: "Times") -> list[str]:
    from phasegate.answers.explained import reason_of

    rows = [
        (
            member.name,
            paint(member.state),
            times.since(member.since),
            reason_of(member, times=times),
        )
        for member in view.members
        if view.state != "void" or member.state != "unreported"  # a void run waits for nothing
    ]
    return [f"{GAP}{line}" for line in table(("step", "state", "since", "reason"), rows)] if rows else []


def _generation(generation: "GenerationView", *, times: "Times") -> list[str]:
    made = ", ".join(generation.made_by)
    lines = [f"generation {generation.number}, {times.since(generation.at)} ago: {made}"]
    if generation.missing:
        lines.append(f"{GAP}fired without {', '.join(generation.missing)}")
    lines += [f"{GAP}{'; '.join(generation.handed_on)}"] if generation.receivers else []
    return lines
