"""Takes in what checks found, keeps one incident per cause, and tells the channels: at least once, bounded.

Nothing is decided here: evaluations, incidents and the daily digest are documents, and core says what follows.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from phasegate import pages
from phasegate.core import incidents, notes, watch
from phasegate.core.codec import decode
from phasegate.core.findings import Outcome
from phasegate.core.grouping import grouped
from phasegate.core.incidents import Incident, Sight
from phasegate.core.notes import Reply
from phasegate.core.plan import Plan
from phasegate.core.watch import Watch
from phasegate.errors import BadDocument, Conflict, PhasegateError
from phasegate.ports import Channel, Doc, Ping, Pinger, Ports
from phasegate.service.almanac import Almanac
from phasegate.service.teller import Teller
from phasegate.transact import transact

PAGE = 100
# No channel is worth more of an evaluation's time: what is left waits for the next.
SENDING_MAX_S = 120.0
SENDS_MAX = 50
DAY_S = 24 * 3600.0


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What an evaluation changed: keys of incidents. ``late``: checks of which a newer evaluation was known."""

    opened: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()
    late: tuple[str, ...] = ()


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent. ``failed``: channel -> why. ``stuck``: messages that should have arrived by now.

    ``pinged``: what the dead-man switch was told, empty for nothing.
    """

    sent: int = 0
    failed: dict[str, str] = {}
    stuck: int = 0
    pinged: str = ""


class Incidents:
    """The incidents of one pipeline. Nobody is told before ``reach`` has said how."""

    def __init__(self, plan: Plan, ports: Ports, *, almanac: Almanac) -> None:
        self._plan, self._ports, self._almanac = plan, ports, almanac
        self._teller = Teller({}, observer=ports.observer)
        self._pinger: Pinger | None = None
        self._prefix = f"incident:{plan.pipeline}:"

    def reach(self, channels: Mapping[str, Channel], /, *, pinger: Pinger | None = None) -> None:
        """Take over how to reach each channel, by the names that the plan gives them, and the dead-man switch."""
        self._teller, self._pinger = Teller(channels, observer=self._ports.observer), pinger

    def start(self) -> float:
        """Tell the dead-man switch that an evaluation begins; return the moment that names the evaluation."""
        if self._pinger is not None:
            self._heard(self._pinger, "start")
        return self._ports.clock.now()

    def take(self, outcomes: Sequence[Outcome], *, started: float) -> Taken:
        """Take in what the checks of one evaluation found; ``started`` is when it began (epoch seconds).

        Of a check whose newer evaluation is known, nothing is taken. An evaluation may be taken in again.
        """
        sight = self._sight()
        late = tuple(o.check for o in outcomes if incidents.is_late(o.check, started=started, checks=sight.checks))
        outcomes = [outcome for outcome in outcomes if outcome.check not in late]
        answers: dict[str, list[str]] = {"opened": [], "found": [], "older": []}
        for group in grouped(outcomes):
            key = incidents.key_of(self._plan.pipeline, group.cause)
            answers[self._decide(key, incidents.found(group, started=started, sight=sight)) or "older"].append(key)
        if outcomes:
            self._watch(watch.taken(outcomes, started=started))
        resolved = self._look()
        taken = Taken(opened=tuple(answers["opened"]), found=tuple(answers["found"]), resolved=resolved, late=late)
        self._ports.observer.event("evaluation taken", checks=len(outcomes), late=len(late), opened=len(taken.opened),
                                   found=len(taken.found), resolved=len(resolved))  # fmt: skip
        return taken

    def send(self) -> Sending:
        """Tell the channels what they must be told now, then the dead-man switch.

        A channel that fails is left alone until its next turn; the others go on. It takes SENDING_MAX_S at most, and
        the one request that is under way.
        """
        until, sent, failed = self._ports.clock.monotonic() + SENDING_MAX_S, 0, dict[str, str]()
        for key, channel in self._turns():
            if sent >= SENDS_MAX or self._ports.clock.monotonic() >= until:
                break
            if channel in failed:
                continue
            reply = self._digest(channel) if key is None else self._tell(key, channel)
            if reply is not None and reply.error:
                failed[channel] = reply.error
            elif reply is not None:
                sent += 1
        stuck = self._stuck()
        return Sending(sent=sent, failed=failed, stuck=stuck, pinged=self._ping(stuck))

    def listed(self, *, broken: list[BadDocument] | None = None) -> list[tuple[str, Incident]]:
        """Return the open incidents with their keys, the worst first; and those whose resolution nobody knows of yet.

        A document that cannot be read is put into ``broken``; without it BadDocument is raised.
        """
        found = [(doc.key, one) for doc, one in self._all(broken) if one.state == "open" or one.is_untold]
        return sorted(found, key=lambda item: notes.rank(item[1]))

    def open_dates(self) -> set[str]:
        """Return the dates that open incidents name: only who looks at them again can tell that they are mended."""
        return {on for _, one in self._all([]) if one.state == "open" for on in incidents.dates_of(one)}

    def watched(self) -> Watch:
        """Return what is known of the evaluations."""
        key = watch.key_of(self._plan.pipeline)
        doc = self._ports.store.read(key)
        return Watch() if doc is None else decode(Watch, doc.body, key=key)

    def _turns(self) -> Iterator[tuple[str | None, str]]:
        """Give what may have to be told: incidents that are due, then digests (no key); and the channels."""
        rules, now = self._plan.alerts.channels, self._ports.clock.now()
        for doc in pages.due(self._ports.store, now, prefix=self._prefix, page=PAGE):
            yield from ((doc.key, rule.name) for rule in rules)
        yield from ((None, rule.name) for rule in rules if rule.digest)

    def _tell(self, key: str, channel: str) -> Reply | None:
        """Tell a channel of an incident, if it must be told now: claim, send, note what became of it."""
        attempt, sight = self._ports.ids(), self._sight()
        what = self._decide(key, incidents.claim(channel, attempt=attempt, sight=sight))
        if not what:
            return None
        incident = self._read(key)
        if incident is None:
            return None
        note = notes.of_incident(incident, what, pipeline=self._plan.pipeline, timezone=self._plan.timezone, key=key)
        post = incident.posts.get(channel)
        ref = post.ref if post is not None and post.told in incidents.KNOWING else ""
        reply = self._teller.tell(channel, note, ref=ref)
        decide = incidents.answered(channel, what, attempt=attempt, sight=self._sight(), ref=reply.ref,
                                    error=reply.error, retry_after_s=reply.retry_after_s)  # fmt: skip
        self._decide(key, decide)
        return reply

    def _digest(self, channel: str) -> Reply | None:
        """Tell a channel the day's digest, if it is time."""
        now, attempt = self._ports.clock.now(), self._ports.ids()
        date = watch.digest_due(self._plan.alerts, timezone=self._plan.timezone, now=now, idle=self._idle())
        if not date or not self._watch(watch.claim_digest(channel, date=date, attempt=attempt, now=now)):
            return None
        known = [incident for _, incident in self._all([])]
        note = notes.of_digest(
            date,
            opened=[one for one in known if one.state == "open"],
            resolved=[one for one in known if one.state == "resolved" and (one.resolved_at or 0.0) > now - DAY_S],
            pipeline=self._plan.pipeline,
            timezone=self._plan.timezone,
        )
        reply = self._teller.tell(channel, note)
        decide = watch.answer_digest(channel, date, attempt=attempt, now=self._ports.clock.now(), error=reply.error,
                                     retry_after_s=reply.retry_after_s)  # fmt: skip
        self._watch(decide)
        return reply

    def _ping(self, stuck: int) -> str:
        """Tell the dead-man switch of the newest evaluation, once; a success if it was full and nothing is stuck."""
        known = self.watched()
        if self._pinger is None or known.taken_at <= known.pinged_at:
            return ""
        what: Ping = "success" if known.full_at == known.taken_at and not stuck else "fail"
        if not self._heard(self._pinger, what):
            return ""
        self._watch(watch.pinged(known.taken_at))
        return what

    def _heard(self, pinger: Pinger, what: Ping) -> bool:
        reply = pinger.ping(what)
        if reply.error:
            self._ports.observer.event("ping failed", what=what, error=reply.error)
        return not reply.error

    def _look(self) -> tuple[str, ...]:
        """Draw the consequences for every incident; forget those long resolved. Return those resolved by it."""
        sight, resolved = self._sight(), list[str]()
        for doc, incident in self._all([]):
            if incident.state == "open" and self._decide(doc.key, incidents.looked(sight)) == "resolved":
                resolved.append(doc.key)
            elif (incident.resolved_at or sight.now) < sight.now - incidents.KEEP_S and incident.due is None:
                self._forget(doc)
        return tuple(resolved)

    def _forget(self, doc: Doc) -> None:
        try:
            self._ports.store.delete(doc.key, expect=doc.version)
        except Conflict:
            return  # somebody has just opened it again

    def _stuck(self) -> int:
        """Count the messages that should have arrived and did not, and the incidents that nobody can read."""
        broken: list[BadDocument] = []
        posts = [post for _, one in self._all(broken) for post in one.posts.values()]
        for error in broken:
            self._ports.observer.event("incident unreadable", key=error.key, error=str(error))
        now = self._ports.clock.now()
        return len(broken) + sum(post.is_stuck(now) for post in [*posts, *self.watched().digests.values()])

    def _sight(self) -> Sight:
        now, policy = self._ports.clock.now(), self._plan.alerts
        held = watch.held_until(policy, timezone=self._plan.timezone, now=now, idle=self._idle())
        return Sight(checks=self.watched().checks, policy=policy, now=now, held_until=held)

    def _idle(self) -> bool:
        """Tell whether the calendar knows that today has no work. What it does not know is no day off."""
        if not self._almanac.is_kept:
            return False
        today = watch.local_date(self._ports.clock.now(), timezone=self._plan.timezone)
        try:
            day = self._almanac.day(today, ask=False)
        except PhasegateError as e:
            self._ports.observer.event("calendar failed", month=today[:7], error=str(e))
            return False
        return day is not None and day.state == "none"

    def _read(self, key: str) -> Incident | None:
        doc = self._ports.store.read(key)
        return None if doc is None else decode(Incident, doc.body, key=key)

    def _all(self, broken: list[BadDocument] | None) -> Iterator[tuple[Doc, Incident]]:
        for doc in pages.scanned(self._ports.store, self._prefix, page=PAGE):
            try:
                yield doc, decode(Incident, doc.body, key=doc.key)
            except BadDocument as e:
                if broken is None:
                    raise
                broken.append(e)

    def _decide(self, key: str, decide: incidents.Decision) -> str:
        """Apply a decision. What cannot be read is left as it is, and answers nothing: the others go on."""
        try:
            return transact(self._ports.store, key, kind=Incident, decide=decide, clock=self._ports.clock)
        except BadDocument:
            return ""

    def _watch(self, decide: watch.Decision) -> str:
        key = watch.key_of(self._plan.pipeline)
        return transact(self._ports.store, key, kind=Watch, decide=decide, clock=self._ports.clock)
