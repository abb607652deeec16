"""``phasegate plan``: check a plan, show its contents, and draw it."""

from contextlib import closing
from typing import TYPE_CHECKING

import click

from phasegate.base.wording import count
from phasegate.cli.kit.app import FAILED, FINDINGS, FINE, App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json, stacked, table
from phasegate.dialects.engines import ENGINES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from phasegate.check.shapes import SqlProblem
    from phasegate.dialects.engines import Engine
    from phasegate.plan.model import Hours, ModeGate, Plan, Start, Step, TimeRule
    from phasegate.printed import plans as printed


@click.group(
    epilog=example("phasegate plan check", "phasegate plan graph"),
    short_help="Check a plan, or draw it.",
    invoke_without_command=True,
)
@click.pass_context
def plan(ctx: click.Context) -> int:
    """Check a plan, or draw it."""
    if ctx.invoked_subcommand is None:
        emit([ctx.get_help()])
    return FINE


@plan.command(
    epilog=example("phasegate plan check", "phasegate plan check plans/nba.toml --engine postgresql"),
    short_help="Check a plan, and show its phases, steps, order and gates.",
)
@click.argument("path", required=False)
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    metavar="ENGINE",
    help="Name what of the SQL does not run on it: duckdb, postgresql or bigquery. Default: the warehouse's.",
)
@click.option(
    "--cost",
    is_flag=False,
    flag_value="yesterday",
    metavar="[DATE]",
    help="Name the bytes that the SELECTs of a date would read in BigQuery, by dry runs. Default: yesterday.",
)
@json_option
@pass_app
def check(app: App, /, *, path: str | None, engine: "Engine | None", cost: str | None, as_json: bool) -> int:
    """Check the plan PATH, and show its phases, steps, order and gates.

    Default: the plan that all commands use. A refused plan is reported with its line and the fix, and the exit code is
    2. So it is for a SELECT that DuckDB cannot run or that does not translate for ENGINE, and 1 for one that reads a
    table that is not in the step's needs.
    """
    from phasegate.check.shapes import engine_problems, planned, problems
    from phasegate.code.pinned import with_code
    from phasegate.wiring import dates_of, functions_of, open_binder, open_warehouse

    loaded = app.plan(path)
    app.find_modules()
    loaded = with_code(loaded, functions_of(loaded))
    dates_of(loaded)
    settings = app.settings()
    engine = engine or settings.engine
    if settings.engine == "duckdb":
        with closing(open_warehouse(settings)) as warehouse:
            shapes = planned(loaded, warehouse, engine="duckdb")
    else:
        shapes = planned(loaded, open_binder(), engine="duckdb")
    found = [*problems(loaded, shapes), *engine_problems(loaded, shapes, engine=engine)]
    costs = None if cost is None else _costs(app, loaded, engine, cost)
    if as_json:
        emit_json(_document(loaded, found, engine, costs))
    else:
        said = [*_translated(loaded, found, engine), *(f"step {one.step}: {one.text}" for one in found)]
        said += [] if costs is None else _read(costs)
        emit([*_lines(loaded), *([""] if said else []), *said])
    kinds = {one.kind for one in found}
    return FAILED if kinds & {"sql", "engine"} else FINDINGS if "needs" in kinds else FINE


@plan.command(
    epilog=example("phasegate plan graph", "phasegate plan graph --svg > plan.svg"),
    short_help="Draw a plan: phases, steps, and what each step needs.",
)
@click.argument("path", required=False)
@click.option("--svg", is_flag=True, help="Print an SVG document instead of text.")
@json_option
@pass_app
def graph(app: App, /, *, path: str | None, svg: bool, as_json: bool) -> int:
    """Draw the plan PATH: phases, steps, and what each step needs.

    Default: the plan that all commands use. Nothing is imported, run or created.
    """
    from phasegate.errors import BadInput
    from phasegate.explain.graph import as_svg, as_text, layout

    if svg and as_json:
        raise BadInput("plan graph: give only one of --svg and --json")
    loaded = app.plan(path)
    if as_json:
        from phasegate.printed.plans import DrawnJson, DrawnStepJson

        places = layout(loaded).steps
        emit_json(DrawnJson(pipeline=loaded.pipeline, steps=tuple(
            DrawnStepJson(name=step.name, phase=step.phase, column=places[step.name][0], row=places[step.name][1],
                      needs=tuple(str(need) for need in step.needs))
            for step in loaded.steps.values()
        )))  # fmt: skip
    else:
        emit([as_svg(loaded)] if svg else as_text(loaded))
    return FINE


def _translated(plan: "Plan", found: "Sequence[SqlProblem]", engine: "Engine") -> list[str]:
    """Return the line that says how much of the SQL runs on an engine."""
    if engine == "duckdb":
        return []
    from phasegate.dialects.engines import ENGINE_NAMES

    texts = [step.name for step in plan.steps.values() if step.sql]
    fine = set(texts) - {one.step for one in found if one.kind in ("sql", "engine")}
    return [f"{ENGINE_NAMES[engine]} runs {len(fine)} of {count(len(texts), 'SQL step')}"]


def _costs(app: App, plan: "Plan", engine: "Engine", date: str) -> dict[str, int | None]:
    """Return the bytes that each SELECT of a date would read in BigQuery."""
    from phasegate.base.dates import local_date, shift
    from phasegate.code.translated import with_sql
    from phasegate.errors import BadInput
    from phasegate.warehouses.servers import bytes_read

    settings = app.settings()
    if engine != "bigquery" or settings.engine != "bigquery":
        raise BadInput(
            "--cost: BigQuery alone says what a SELECT would read; set PHASEGATE_WAREHOUSE=bigquery://PROJECT/DATASET"
        )
    day = shift(local_date(app.clock.now(), timezone=plan.timezone), -1) if date == "yesterday" else date
    try:
        season = shift(day, -365)
    except ValueError:
        raise BadInput(f"--cost {day!r}: wanted a date, such as 2026-02-03") from None
    texts = {step.name: step.sql for step in with_sql(plan, engine=engine, parameter="${}").steps.values() if step.sql}
    # the longest season that there is: it costs no more than this
    return bytes_read(settings.warehouse, texts, {"run_date": day, "season_start": season})


def _read(costs: "Mapping[str, int | None]") -> list[str]:
    """Return the lines about what the SELECTs of a date would read."""
    known = {name: size for name, size in costs.items() if size is not None}
    absent = [name for name in costs if name not in known]
    return [
        *(f"step {name}: reads {size / 1e6:,.1f} MB" for name, size in known.items()),
        *([f"not known until their tables are there: {', '.join(absent)}"] if absent else []),
        f"the SELECTs of a date read {sum(known.values()) / 1e6:,.1f} MB in BigQuery",
    ]


def _lines(plan: "Plan") -> list[str]:
    steps = [
        (str(number), step.phase, step.name, step.kind, stacked(_needs(step)) or "-", _table(step))
        for number, step in enumerate(plan.steps.values(), 1)
    ]
    calendar = f", dates from {plan.calendar}" if plan.calendar else ""
    days = count(plan.cascade_days, "day")
    return [
        f"{plan.pipeline}: {count(len(plan.phases), 'phase')}, {count(len(plan.steps), 'step')}, "
        f"{count(len(plan.modes), 'mode')} ({', '.join(plan.modes)}), times in {plan.timezone}{calendar}",
        *([f"a change rebuilds windows up to {days} after its date"] if _has_windows(plan) else []),
        "",
        *_gates(plan),
        "",
        *table(("order", "phase", "step", "kind", "needs", "table"), steps),
    ]


def _gates(plan: "Plan") -> list[str]:
    """Return the table of the gates, one line for each phase and mode.

    Columns with nothing to show are left out.
    """
    gates = [(phase, mode, gate) for phase in plan.phases.values() for mode, gate in phase.modes.items()]
    columns = {
        "phase": [phase.name for phase, _, _ in gates],
        "after": [", ".join(phase.after) or "-" for phase, _, _ in gates],
        "mode": [mode for _, mode, _ in gates],
        "starts by": [_start(gate.start) for _, _, gate in gates],
        "reports": [_hours(gate.reports) or "-" for _, _, gate in gates],
        "waits for": [_expects(gate) for _, _, gate in gates],
        "opens": [_opens(gate) for _, _, gate in gates],
        "triggers": [_sends(plan, phase.name, mode) for phase, mode, _ in gates],
    }
    for name, idle in (("starts by", "message"), ("reports", "-")):
        if set(columns[name]) == {idle}:
            del columns[name]
    return table(tuple(columns), list(zip(*columns.values(), strict=True)))


def _has_windows(plan: "Plan") -> bool:
    return any(need.back for step in plan.steps.values() for need in step.needs)


def _expects(gate: "ModeGate") -> str:
    """Return the steps a gate waits for, critical ones with a star."""
    return stacked([f"{name}*" if name in gate.critical else name for name in gate.expect])


def _opens(gate: "ModeGate") -> str:
    need = "when all are fresh" if gate.at_least is None else f"when {gate.at_least} of {len(gate.expect)} are fresh"
    starred = " with those marked *" if gate.critical and (gate.at_least is not None or gate.deadline) else ""
    until = f", or at {_moment(gate.deadline)}" if gate.deadline else ""
    accepts = "" if len(gate.accept) > 1 else f"; {gate.accept[0]} only"
    beyond = ("" if gate.await_windows else "; awaits no windows") + ("; on any date" if gate.any_date else "")
    return f"{need}{until}{starred}{accepts}{beyond}"


def _moment(moment: "TimeRule") -> str:
    """Return a time as the plan may write it."""
    if moment.local is not None:
        return moment.local + (f" {moment.days:+d}d" if moment.days else "")
    base = moment.anchor or "open"
    if not moment.after_s:
        return base
    size, unit = (3600, "h") if moment.after_s % 3600 == 0 else (60, "m")
    return f"{base} {'-' if moment.after_s < 0 else '+'} {abs(moment.after_s) / size:g} {unit}"


def _start(start: "Start") -> str:
    return start.by if start.at is None else f"{start.by} {_moment(start.at)}"


def _hours(hours: "Hours | None") -> str | None:
    return None if hours is None else f"{_moment(hours.first)} .. {_moment(hours.last)}"


def _sends(plan: "Plan", phase: str, mode: str) -> str:
    return ", ".join(f"{r.name} (by {r.ack})" for r in plan.receivers(phase, mode=mode)) or "-"


def _needs(step: "Step") -> list[str]:
    return [str(need).removeprefix(f"{step.phase}.") for need in step.needs]


def _table(step: "Step") -> str:
    return "-" if step.table is None else f"{step.table.name} ({step.table.write})"


def _document(
    plan: "Plan", found: "Sequence[SqlProblem]", engine: "Engine", costs: "Mapping[str, int | None] | None"
) -> "printed.CheckedPlanJson":
    from phasegate.printed import plans as printed

    return printed.CheckedPlanJson(
        pipeline=plan.pipeline,
        timezone=plan.timezone,
        calendar=plan.calendar,
        cascade_days=plan.cascade_days,
        hash=plan.hash,
        engine=engine,
        modes=plan.modes,
        phases=tuple(
            printed.PlannedPhaseJson(
                name=phase.name,
                after=phase.after,
                settle_s=phase.settle_s,
                modes={mode: _gate(plan, phase.name, mode, gate) for mode, gate in phase.modes.items()},
            )
            for phase in plan.phases.values()
        ),
        steps=tuple(
            printed.PlannedStepJson(
                name=step.name,
                phase=step.phase,
                kind=step.kind,
                needs=tuple(str(need) for need in step.needs),
                table=None if step.table is None else step.table.name,
                write=None if step.table is None else step.table.write,
            )
            for step in plan.steps.values()
        ),
        problems=tuple(
            printed.ProblemJson(step=one.step, kind=one.kind, text=one.text, line=one.line, mend=one.mend)
            for one in found
        ),
        bytes_read=costs,
    )


def _gate(plan: "Plan", phase: str, mode: str, gate: "ModeGate") -> "printed.GateJson":
    from phasegate.printed import plans as printed

    return printed.GateJson(
        expect=gate.expect,
        critical=gate.critical,
        at_least=gate.at_least,
        deadline=None if gate.deadline is None else _moment(gate.deadline),
        accept=gate.accept,
        start=_start(gate.start),
        any_date=gate.any_date,
        await_windows=gate.await_windows,
        reports=_hours(gate.reports),
        receivers={receiver.name: receiver.ack for receiver in plan.receivers(phase, mode=mode)},
    )
