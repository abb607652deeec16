"""``phasegate plan check``: read a plan as the others would, and show what it says."""

from typing import TYPE_CHECKING

import click

from phasegate.cli.app import FINE, App, pass_app
from phasegate.cli.options import example, json_option
from phasegate.cli.output import count, emit, emit_json, table

if TYPE_CHECKING:
    from phasegate.core.plan import Deadline, ModeGate, Plan, Step


@click.group(epilog=example("phasegate plan check"), short_help="Check a plan.", invoke_without_command=True)
@click.pass_context
def plan(ctx: click.Context) -> int:
    """Check a plan."""
    if ctx.invoked_subcommand is None:
        emit([ctx.get_help()])
    return FINE


@plan.command(
    epilog=example("phasegate plan check", "phasegate plan check plans/nba.toml --json"),
    short_help="Check a plan, and show its phases, steps, order and gates.",
)
@click.argument("path", required=False)
@json_option
@pass_app
def check(app: App, /, *, path: str | None, as_json: bool) -> int:
    """Check the plan PATH (default: the one that all commands use), and show its phases, steps, order and gates.

    A plan that is refused is named with its line and its mend, and the exit code is 2.
    """
    from phasegate.wiring import functions_of

    loaded = app.plan(path)
    app.find_modules()
    functions_of(loaded)
    if as_json:
        emit_json(_document(loaded))
    else:
        emit(_lines(loaded))
    return FINE


def _lines(plan: "Plan") -> list[str]:
    gates = [
        (phase.name, ", ".join(phase.after) or "-", mode, _expects(gate), _opens(gate), _sends(plan, phase.name, mode))
        for phase in plan.phases.values()
        for mode, gate in phase.modes.items()
    ]
    steps = [
        (str(number), step.phase, step.name, step.kind, ", ".join(_needs(step)) or "-", _table(step))
        for number, step in enumerate(plan.steps.values(), 1)
    ]
    return [
        f"{plan.pipeline}: {count(len(plan.phases), 'phase')}, {count(len(plan.steps), 'step')}, "
        f"{count(len(plan.modes), 'mode')} ({', '.join(plan.modes)}), times in {plan.timezone}",
        "",
        *table(("phase", "after", "mode", "waits for", "opens", "tells"), gates),
        "",
        *table(("order", "phase", "step", "kind", "needs", "table"), steps),
    ]


def _expects(gate: "ModeGate") -> str:
    """Return the steps a gate waits for, the critical ones with a star."""
    return ", ".join(f"{name}*" if name in gate.critical else name for name in gate.expect)


def _opens(gate: "ModeGate") -> str:
    need = "when all are fresh" if gate.at_least is None else f"when {gate.at_least} of {len(gate.expect)} are fresh"
    starred = " with those marked *" if gate.critical and (gate.at_least is not None or gate.deadline) else ""
    until = f", or at {_deadline(gate.deadline)}" if gate.deadline else ""
    accepts = "" if len(gate.accept) > 1 else f"; {gate.accept[0]} only"
    return f"{need}{until}{starred}{accepts}"


def _deadline(deadline: "Deadline") -> str:
    if deadline.after_open_s is not None:
        return f"open + {deadline.after_open_s / 3600:g} h"
    return f"{deadline.local}" + (f" +{deadline.days}d" if deadline.days else "")


def _sends(plan: "Plan", phase: str, mode: str) -> str:
    return ", ".join(f"{r.name} (by {r.ack})" for r in plan.receivers(phase, mode=mode)) or "-"


def _needs(step: "Step") -> list[str]:
    return [need.step if need.phase == step.phase else str(need) for need in step.needs]


def _table(step: "Step") -> str:
    return "-" if step.table is None else f"{step.table.name} ({step.table.write})"


def _document(plan: "Plan") -> dict[str, object]:
    return {
        "pipeline": plan.pipeline,
        "timezone": plan.timezone,
        "hash": plan.hash,
        "modes": list(plan.modes),
        "phases": [
            {
                "name": phase.name,
                "after": list(phase.after),
                "settle_s": phase.settle_s,
                "modes": {
                    mode: {
                        "expect": list(gate.expect),
                        "critical": list(gate.critical),
                        "at_least": gate.at_least,
                        "deadline": None if gate.deadline is None else _deadline(gate.deadline),
                        "accept": list(gate.accept),
                        "receivers": {r.name: r.ack for r in plan.receivers(phase.name, mode=mode)},
                    }
                    for mode, gate in phase.modes.items()
                },
            }
            for phase in plan.phases.values()
        ],
        "steps": [
            {
                "name": step.name,
                "phase": step.phase,
                "kind": step.kind,
                "needs": [str(need) for need in step.needs],
                "table": None if step.table is None else step.table.name,
                "write": None if step.table is None else step.table.write,
            }
            for step in plan.steps.values()
        ],
    }
