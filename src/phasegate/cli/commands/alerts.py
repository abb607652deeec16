"""``phasegate alerts``: open incidents, and the channels they go to."""

import os
from typing import TYPE_CHECKING

import click

from phasegate.base.wording import count
from phasegate.cli.kit.app import FAILED, FINDINGS, FINE, App, pass_app
from phasegate.cli.kit.found import talk_unsent
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import GAP, emit, emit_json, table, talk

if TYPE_CHECKING:
    from phasegate.alerts.evaluations import Watch
    from phasegate.alerts.incident import Incident
    from phasegate.answers.times import Times
    from phasegate.channel import Reply
    from phasegate.errors import BadDocument
    from phasegate.plan.model import Plan
    from phasegate.plan.policy import ChannelKind
    from phasegate.printed import incidents as printed

HEADER = ("channel", "kind", "gets", "test")


@click.group(
    epilog=example("phasegate alerts", "phasegate alerts test"),
    short_help="List open incidents, close one, and test the channels.",
    invoke_without_command=True,
)
@json_option
@click.pass_context
def alerts(ctx: click.Context, /, *, as_json: bool) -> int:
    """List the open incidents; close one, or test the channels."""
    return int(ctx.invoke(listing, as_json=as_json)) if ctx.invoked_subcommand is None else FINE


@alerts.command(
    "list",
    epilog=example("phasegate alerts list", "phasegate alerts list --json"),
    short_help="List the open incidents, and what was sent to each channel.",
)
@json_option
@pass_app
def listing(app: App, /, *, as_json: bool) -> int:
    """List the open incidents, the worst first.

    Shows since when, how often found, what was sent to each channel, and what to type. Reads documents only. Exits with
    1 if there are any.
    """
    from phasegate.alerts.incidents import Incidents
    from phasegate.calendar.calendar import Calendar

    plan, ports = app.ports()
    service = Incidents(plan, ports, calendar=Calendar(plan, ports, dates=None))
    broken: list[BadDocument] = []
    found, watched, times = service.listed(broken=broken), service.watched(), app.times(plan)
    if as_json:
        from phasegate.printed.incidents import AlertsJson

        emit_json(AlertsJson(
            now=times.iso(times.now),
            evaluated_at=times.iso(watched.taken_at or None),
            incidents=tuple(_document(key, one, times=times) for key, one in found),
            errors=tuple(str(error) for error in broken),
        ))  # fmt: skip
    else:
        emit(_lines(found, watched=watched, times=times))
    for error in broken:
        talk(str(error))
    return FAILED if broken else FINDINGS if found else FINE


@alerts.command(
    epilog=example("phasegate alerts test", "phasegate alerts test ops"),
    short_help="Send a test message to each channel, and show the result.",
)
@click.argument("channel", required=False)
@json_option
@pass_app
def test(app: App, /, *, channel: str | None, as_json: bool) -> int:
    """Send a test message to CHANNEL, and show the result.

    Default: to each channel of the plan. Exits with 1 if a channel did not accept it, with 2 if the plan has none.
    """
    from phasegate.alerts.notes import of_test
    from phasegate.alerts.notifier import Notifier
    from phasegate.errors import NotFound
    from phasegate.observe.counting import CountingObserver
    from phasegate.system import new_id
    from phasegate.wiring import open_channels

    plan = app.plan()
    known = _known(plan)
    if channel is not None and channel not in known:
        raise NotFound(f"channel {channel!r}: the plan has {', '.join(known)}")
    notifier = Notifier(open_channels(plan, os.environ), observer=CountingObserver())
    number, now = new_id(), app.clock.now()
    replies = {
        name: notifier.send(name, of_test(name, pipeline=plan.pipeline, timezone=plan.timezone, number=number, now=now))
        for name in ([channel] if channel is not None else known)
    }
    if as_json:
        from phasegate.printed.incidents import TestedJson, TestsJson

        emit_json(TestsJson(channels=tuple(
            TestedJson(name=name, kind=known[name][0], sent=not reply.error, error=reply.error)
            for name, reply in replies.items()
        )))  # fmt: skip
    else:
        rows = [(name, *known[name], _outcome(reply)) for name, reply in replies.items()]
        emit(table(HEADER, rows))
    return FINDINGS if any(reply.error for reply in replies.values()) else FINE


@alerts.command(
    epilog=example("phasegate alerts close 3f9c2a71"),
    short_help="Close an incident that no evaluation will resolve.",
)
@click.argument("incident")
@json_option
@pass_app
def close(app: App, /, *, incident: str, as_json: bool) -> int:
    """Close INCIDENT, and notify the channels that were notified of it.

    INCIDENT is its id as listed, or the beginning of it. For what no evaluation will resolve, as when its check is
    gone. If an evaluation still finds it, it is opened again.
    """
    from phasegate.alerts.notes import title

    app.reading()  # a missing state is an error, and is not created
    with app.pipeline() as pipeline, app.acting(pipeline) as act:
        closed = pipeline.alerts.close(incident)
        failed = pipeline.alerts.send().failed
        unsent = [f"notifications to {name} are stored and retried: {error}" for name, error in failed.items()]
        act.outcome, act.failed = "; ".join([f"closed: {title(closed)}", *unsent]), bool(unsent)
    if as_json:
        from phasegate.printed.incidents import ClosedJson

        emit_json(ClosedJson(cause=closed.cause, state=closed.state, title=title(closed)))
    else:
        emit([f"closed: {title(closed)}", "If an evaluation still finds it, it is opened again."])
    return FAILED if talk_unsent(failed) else FINE


def _known(plan: "Plan") -> "dict[str, tuple[ChannelKind, str]]":
    """Return the kind of each channel, and which incidents it gets.

    Raises BadInput for a plan without channels, and for a secret of no channel.
    """
    from phasegate.errors import BadInput
    from phasegate.plan.alerts import PING
    from phasegate.settings import ALERTS_PREFIX, secrets_of

    known: dict[str, tuple[ChannelKind, str]] = {}
    for rule in plan.alerts.channels:
        worse = "" if rule.severity == "error" else " and worse"
        known[rule.name] = (rule.kind, f"{rule.severity}{worse}" + (", escalated" if rule.escalated else ""))
    if not known:
        raise BadInput('alerts test: the plan has no channel; add [alerts.channel.ops] with kind = "slack"')
    for name in secrets_of(os.environ):
        if name not in known and name != PING:
            raise BadInput(f"{ALERTS_PREFIX}{name.upper()}: the plan has no channel {name}; it has {', '.join(known)}")
    return known


def _outcome(reply: "Reply") -> str:
    return f"not sent: {reply.error}" if reply.error else "sent"


def _document(key: str, incident: "Incident", *, times: "Times") -> "printed.IncidentJson":
    from phasegate.alerts.notes import commands, title
    from phasegate.printed import incidents as printed

    return printed.IncidentJson(
        key=key,
        cause=incident.cause,
        state=incident.state,
        severity=incident.severity,
        title=title(incident),
        since=times.iso(incident.since),
        first_seen=times.iso(incident.first_at),
        last_seen=times.iso(incident.last_at),
        count=incident.count,
        escalated_at=times.iso(incident.escalated_at),
        findings=tuple(
            printed.ReasonJson(code=one.code, subject=one.subject, text=one.text, command=one.command)
            for one in incident.findings
        ),
        checks=tuple(sorted(incident.seen)),
        next=tuple(commands(incident.findings)),
        channels=tuple(
            printed.DeliveryJson(
                name=name, delivered=post.delivered, at=times.iso(post.at), pending=post.pending,
                due=times.iso(post.due), tries=post.tries, error=post.error,
            )
            for name, post in incident.notifications.items()
        ),
    )  # fmt: skip


def _lines(found: "list[tuple[str, Incident]]", *, watched: "Watch", times: "Times") -> list[str]:
    from phasegate.alerts.notes import commands, title
    from phasegate.answers.explained import CLOSE, delivered, neglected_text

    if not watched.taken_at:
        return ["Nothing was evaluated yet: phasegate health --alert"]
    evaluated = f"Evaluated: {times.since(watched.taken_at)}. Times: {times.timezone}."
    if not found:
        return [f"No incident is open. {evaluated}"]
    lines = []
    for key, incident in found:
        unchecked = neglected_text(incident, watched=watched, times=times)
        neglected = f"; {unchecked}, {CLOSE}" if unchecked else ""
        resolved = "resolved " if incident.state == "resolved" else ""
        escalated = ", escalated" if incident.escalated_at is not None else ""
        lines += [
            f"{resolved}{incident.severity}: {title(incident)}",
            f"{GAP}since {times.since(incident.since)}; found {count(incident.count, 'time')}, "
            f"last {times.since(incident.last_at)}{escalated}",
            *(f"{GAP}{one.code} {one.subject}: {one.text}" for one in incident.findings),
            *(f"{GAP}{name}: {delivered(post, times=times)}" for name, post in incident.notifications.items()),
            *(f"{GAP}next: {command}" for command in commands(incident.findings)),
            f"{GAP}id: {key.rpartition(':')[2]}{neglected}",
            "",
        ]
    return [*lines, f"{count(len(found), 'incident')}. {evaluated}"]
