"""Sends due notifications to channels, at least once; then pings.

Messages of the same kind about many incidents are sent as one. Nothing is decided here: `incident` and `evaluations`
decide what is due.
"""

from collections.abc import Mapping, Sequence

import msgspec

from phasegate.alerts import evaluations, notes
from phasegate.alerts import incident as incidents
from phasegate.alerts.delivery import Notification
from phasegate.alerts.incident import Incident
from phasegate.alerts.incident_store import IncidentStore
from phasegate.alerts.notifier import Notifier
from phasegate.channel import Channel, Note, Pinger, PingKind, Reply
from phasegate.errors import BadDocument

# The most time that one evaluation spends on sending; the rest waits for the next.
SENDING_MAX_S = 120.0
SENDS_MAX = 50
# More incidents than this are sent as one message.
APART_MAX = 5
TOGETHER_MAX = 200
DAY_S = 24 * 3600.0


class Dispatched(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one round of sending.

    ``failed``: channel -> error. ``stuck``: messages that should have arrived by now. ``pinged``: the kind of ping
    sent to the dead-man switch, empty for none.
    """

    sent: int = 0
    failed: dict[str, str] = {}
    stuck: int = 0
    pinged: str = ""


class Dispatcher:
    """The channels of a plan, by name, and the dead-man switch."""

    def __init__(self, store: IncidentStore, channels: Mapping[str, Channel], *, pinger: Pinger | None) -> None:
        self._store, self._plan, self._ports, self._pinger = store, store.plan, store.ports, pinger
        self._notifier = Notifier(channels, observer=store.ports.observer)

    def start(self) -> None:
        """Ping the dead-man switch: an evaluation begins."""
        if self._pinger is not None:
            self._ping(self._pinger, "start")

    def send(self) -> Dispatched:
        """Send what is due to every channel, then ping the dead-man switch.

        A channel that fails is skipped for the rest of this round; the others go on. It takes at most SENDING_MAX_S
        plus one request.
        """
        until, sent, failed = self._ports.clock.monotonic() + SENDING_MAX_S, 0, dict[str, str]()
        due = [(doc.key, incident) for doc, incident in self._store.due()]
        digests = [rule.name for rule in self._plan.alerts.channels if rule.digest]
        turns = [(rule.name, keys) for rule in self._plan.alerts.channels for keys in self._messages(rule.name, due)]
        for channel, keys in [*turns, *((name, ()) for name in digests)]:
            if sent >= SENDS_MAX or self._ports.clock.monotonic() >= until:
                break
            if channel in failed:
                continue
            reply = self._notify(channel, keys) if keys else self._digest(channel)
            if reply is not None and reply.error:
                failed[channel] = reply.error
            elif reply is not None:
                sent += 1
        stuck = self._stuck()
        return Dispatched(sent=sent, failed=failed, stuck=stuck, pinged=self._ping_end(stuck))

    def _messages(self, channel: str, due: Sequence[tuple[str, Incident]]) -> list[tuple[str, ...]]:
        """Return the incidents to send to a channel, grouped by message.

        An incident whose first message can be edited has a message of its own: an edit alerts no person.
        """
        now = self._ports.clock.now()
        alike: dict[str, list[str]] = {}
        apart: list[tuple[str, ...]] = []
        for key, incident in due:
            notification = incident.notifications.get(channel, Notification())
            edits = notification.pending == "resolved" and bool(notification.ref)
            if not notification.pending or edits or notification.due is None or notification.due > now:
                apart.append((key,))  # nothing pending as stored, but something may have become due since
            else:
                alike.setdefault(notification.pending, []).append(key)
        together: list[tuple[str, ...]] = []
        for keys in alike.values():
            size = TOGETHER_MAX if len(keys) > APART_MAX else 1
            together += [tuple(keys[at : at + size]) for at in range(0, len(keys), size)]
        return together + apart

    def _notify(self, channel: str, keys: Sequence[str]) -> Reply | None:
        """Claim, send and record the due messages of some incidents."""
        attempt, context = self._ports.ids(), self._store.context()
        claimed: dict[str, list[tuple[str, Incident]]] = {}
        for key in keys:
            what = self._store.decide(key, incidents.claim(channel, attempt=attempt, context=context))
            incident = self._store.read(key) if what else None
            if incident is not None:
                claimed.setdefault(what, []).append((key, incident))
        replies = []
        for what, cases in claimed.items():
            note, ref = self._note(channel, what, cases)
            reply = self._notifier.send(channel, note, ref=ref)
            own = reply.ref if len(cases) == 1 else ""  # a message about several incidents is never edited
            decide = incidents.answered(channel, what, attempt=attempt, context=self._store.context(), ref=own,
                                        error=reply.error, retry_after_s=reply.retry_after_s)  # fmt: skip
            for key, _ in cases:
                self._store.decide(key, decide)
            replies.append(reply)
        return next((reply for reply in replies if reply.error), replies[0] if replies else None)

    def _note(self, channel: str, what: str, cases: Sequence[tuple[str, Incident]]) -> tuple[Note, str]:
        """Return the message about incidents, and the ref of the first one."""
        shared = {"pipeline": self._plan.pipeline, "timezone": self._plan.timezone}
        if len(cases) > 1:
            return notes.of_several(cases, what, **shared), ""
        ((key, incident),) = cases
        notification = incident.notifications.get(channel)
        ref = notification.ref if notification is not None and notification.delivered in incidents.NOTIFIED else ""
        return notes.of_incident(incident, what, key=key, **shared), ref

    def _digest(self, channel: str) -> Reply | None:
        """Send a channel the day's digest, if it is due."""
        now, attempt = self._ports.clock.now(), self._ports.ids()
        date = evaluations.digest_due(self._plan.alerts, timezone=self._plan.timezone, now=now, idle=self._store.idle())
        if not date or not self._store.watch(evaluations.claim_digest(channel, date=date, attempt=attempt, now=now)):
            return None
        known = [incident for _, incident in self._store.all([])]
        note = notes.of_digest(
            date,
            opened=[one for one in known if one.state == "open"],
            resolved=[one for one in known if one.state == "resolved" and (one.resolved_at or 0.0) > now - DAY_S],
            pipeline=self._plan.pipeline,
            timezone=self._plan.timezone,
        )
        reply = self._notifier.send(channel, note)
        now, after_s = self._ports.clock.now(), reply.retry_after_s
        decide = evaluations.answer_digest(
            channel, date, attempt=attempt, now=now, error=reply.error, retry_after_s=after_s
        )
        self._store.watch(decide)
        return reply

    def _ping_end(self, stuck: int) -> str:
        """Ping the result of the newest evaluation, once; return its kind.

        It is a success if every check was evaluated and no message is stuck.
        """
        known = self._store.watched()
        if self._pinger is None or known.taken_at <= known.pinged_at:
            return ""
        what: PingKind = "success" if known.full_at == known.taken_at and not stuck else "fail"
        if not self._ping(self._pinger, what):
            return ""
        self._store.watch(evaluations.pinged(known.taken_at))
        return what

    def _ping(self, pinger: Pinger, what: PingKind) -> bool:
        """Send one ping; return whether it arrived."""
        reply = pinger.ping(what)
        if reply.error:
            self._ports.observer.event("ping failed", what=what, error=reply.error)
        return not reply.error

    def _stuck(self) -> int:
        """Count overdue messages and unreadable incidents."""
        broken: list[BadDocument] = []
        notifications = [
            notification for _, one in self._store.all(broken) for notification in one.notifications.values()
        ]
        for error in broken:
            self._ports.observer.event("incident unreadable", key=error.key, error=str(error))
        now = self._ports.clock.now()
        return len(broken) + sum(
            notification.is_stuck(now) for notification in [*notifications, *self._store.watched().digests.values()]
        )
