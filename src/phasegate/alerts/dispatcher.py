"""Brings the channels what they must be told, at least once and bounded; then tells the dead-man switch.

What many incidents have to say at the same time is said in one message. Nothing is decided here: core says what is due.
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

# No channel is worth more of an evaluation's time: what is left waits for the next.
SENDING_MAX_S = 120.0
SENDS_MAX = 50
# More than so many say it in one message.
APART_MAX = 5
TOGETHER_MAX = 200
DAY_S = 24 * 3600.0


class Dispatched(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent. ``failed``: channel -> why. ``stuck``: messages that should have arrived by now.

    ``pinged``: what the dead-man switch was told, empty for nothing.
    """

    sent: int = 0
    failed: dict[str, str] = {}
    stuck: int = 0
    pinged: str = ""


class Dispatcher:
    """The channels of a plan, by the names that it gives them, and the dead-man switch."""

    def __init__(self, book: IncidentStore, channels: Mapping[str, Channel], *, pinger: Pinger | None) -> None:
        self._book, self._plan, self._ports, self._pinger = book, book.plan, book.ports, pinger
        self._notifier = Notifier(channels, observer=book.ports.observer)

    def start(self) -> None:
        """Tell the dead-man switch that an evaluation begins."""
        if self._pinger is not None:
            self._heard(self._pinger, "start")

    def send(self) -> Dispatched:
        """Tell every channel what it must be told now, then the dead-man switch.

        A channel that fails is left alone until its next turn; the others go on. It takes SENDING_MAX_S at most, and
        the one request that is under way.
        """
        until, sent, failed = self._ports.clock.monotonic() + SENDING_MAX_S, 0, dict[str, str]()
        due = [(doc.key, incident) for doc, incident in self._book.due()]
        digests = [rule.name for rule in self._plan.alerts.channels if rule.digest]
        turns = [(rule.name, keys) for rule in self._plan.alerts.channels for keys in self._messages(rule.name, due)]
        for channel, keys in [*turns, *((name, ()) for name in digests)]:
            if sent >= SENDS_MAX or self._ports.clock.monotonic() >= until:
                break
            if channel in failed:
                continue
            reply = self._tell(channel, keys) if keys else self._digest(channel)
            if reply is not None and reply.error:
                failed[channel] = reply.error
            elif reply is not None:
                sent += 1
        stuck = self._stuck()
        return Dispatched(sent=sent, failed=failed, stuck=stuck, pinged=self._ping(stuck))

    def _messages(self, channel: str, due: Sequence[tuple[str, Incident]]) -> list[tuple[str, ...]]:
        """Return the incidents that a channel may have to be told of, those together that one message tells of.

        What it can edit is told apart: nobody is disturbed by that.
        """
        now = self._ports.clock.now()
        alike: dict[str, list[str]] = {}
        apart: list[tuple[str, ...]] = []
        for key, incident in due:
            post = incident.posts.get(channel, Notification())
            edits = post.pending == "resolved" and bool(post.ref)
            if not post.pending or edits or post.due is None or post.due > now:
                apart.append((key,))  # nothing yet, but perhaps since it was written there is something to say
            else:
                alike.setdefault(post.pending, []).append(key)
        together: list[tuple[str, ...]] = []
        for keys in alike.values():
            size = TOGETHER_MAX if len(keys) > APART_MAX else 1
            together += [tuple(keys[at : at + size]) for at in range(0, len(keys), size)]
        return together + apart

    def _tell(self, channel: str, keys: Sequence[str]) -> Reply | None:
        """Tell a channel of incidents, if it must be told now: claim, send, note what became of it."""
        attempt, sight = self._ports.ids(), self._book.sight()
        claimed: dict[str, list[tuple[str, Incident]]] = {}
        for key in keys:
            what = self._book.decide(key, incidents.claim(channel, attempt=attempt, sight=sight))
            incident = self._book.read(key) if what else None
            if incident is not None:
                claimed.setdefault(what, []).append((key, incident))
        replies = []
        for what, cases in claimed.items():
            note, ref = self._note(channel, what, cases)
            reply = self._notifier.tell(channel, note, ref=ref)
            own = reply.ref if len(cases) == 1 else ""  # a message about several is nobody's to edit
            decide = incidents.answered(channel, what, attempt=attempt, sight=self._book.sight(), ref=own,
                                        error=reply.error, retry_after_s=reply.retry_after_s)  # fmt: skip
            for key, _ in cases:
                self._book.decide(key, decide)
            replies.append(reply)
        return next((reply for reply in replies if reply.error), replies[0] if replies else None)

    def _note(self, channel: str, what: str, cases: Sequence[tuple[str, Incident]]) -> tuple[Note, str]:
        """Return the message about incidents, and the channel's name for the one that it follows."""
        told = {"pipeline": self._plan.pipeline, "timezone": self._plan.timezone}
        if len(cases) > 1:
            return notes.of_several(cases, what, **told), ""
        ((key, incident),) = cases
        post = incident.posts.get(channel)
        ref = post.ref if post is not None and post.told in incidents.KNOWING else ""
        return notes.of_incident(incident, what, key=key, **told), ref

    def _digest(self, channel: str) -> Reply | None:
        """Tell a channel the day's digest, if it is time."""
        now, attempt = self._ports.clock.now(), self._ports.ids()
        date = evaluations.digest_due(self._plan.alerts, timezone=self._plan.timezone, now=now, idle=self._book.idle())
        if not date or not self._book.watch(evaluations.claim_digest(channel, date=date, attempt=attempt, now=now)):
            return None
        known = [incident for _, incident in self._book.all([])]
        note = notes.of_digest(
            date,
            opened=[one for one in known if one.state == "open"],
            resolved=[one for one in known if one.state == "resolved" and (one.resolved_at or 0.0) > now - DAY_S],
            pipeline=self._plan.pipeline,
            timezone=self._plan.timezone,
        )
        reply = self._notifier.tell(channel, note)
        now, after_s = self._ports.clock.now(), reply.retry_after_s
        decide = evaluations.answer_digest(
            channel, date, attempt=attempt, now=now, error=reply.error, retry_after_s=after_s
        )
        self._book.watch(decide)
        return reply

    def _ping(self, stuck: int) -> str:
        """Tell the dead-man switch of the newest evaluation, once; a success if it was full and nothing is stuck."""
        known = self._book.watched()
        if self._pinger is None or known.taken_at <= known.pinged_at:
            return ""
        what: PingKind = "success" if known.full_at == known.taken_at and not stuck else "fail"
        if not self._heard(self._pinger, what):
            return ""
        self._book.watch(evaluations.pinged(known.taken_at))
        return what

    def _heard(self, pinger: Pinger, what: PingKind) -> bool:
        reply = pinger.ping(what)
        if reply.error:
            self._ports.observer.event("ping failed", what=what, error=reply.error)
        return not reply.error

    def _stuck(self) -> int:
        """Count the messages that should have arrived and did not, and the incidents that nobody can read."""
        broken: list[BadDocument] = []
        posts = [post for _, one in self._book.all(broken) for post in one.posts.values()]
        for error in broken:
            self._ports.observer.event("incident unreadable", key=error.key, error=str(error))
        now = self._ports.clock.now()
        return len(broken) + sum(post.is_stuck(now) for post in [*posts, *self._book.watched().digests.values()])
