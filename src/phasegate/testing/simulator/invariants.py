"""The invariants of every schedule: each promise, as a check.

The promises are those of the guarantees page; a broken build fails them.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from phasegate.base.codec import decode
from phasegate.base.keys import phase_of, trigger_id
from phasegate.base.receipt import Part, Receipt, Stamp
from phasegate.bus import Message
from phasegate.gate.phase import HISTORY_MAX, Phase
from phasegate.gate.records import Result
from phasegate.ledger import Ledger
from phasegate.plan.gate import Need
from phasegate.store import Body
from phasegate.testing.simulator.facts import mixed, versions
from phasegate.testing.simulator.lookback import Content, Lookback
from phasegate.testing.simulator.promises import Promises
from phasegate.warehouse import Row
from phasegate.write.lease import Lease

BYTES_MAX = 1_000_000


class Violation(AssertionError):
    """A broken promise; the text shows which and where."""


class InvariantChecker:
    """Checks each document written and each transaction committed.

    It records every objection and does not raise: the code under test must survive whatever a port raises, and would
    survive this too. ``calls``: how many port calls there were. ``runs``: the documents of phases that there may be.
    ``skew_s``: by how much two clocks may differ. ``windows``: each window of the plan, with the step that reads it;
    ``cascade_days``: the plan's. ``appeared``: when a content was first in its table.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float],
        skew_s: float,
        calls: Callable[[], int] = lambda: 0,
        runs: Collection[str] = (),
        windows: Sequence[tuple[Need, Need]] = (),
        cascade_days: int = 0,
        operations: Sequence[Promises] = (),
    ) -> None:
        self._operations = operations
        self._now, self._skew_s, self._calls, self.runs = now, skew_s, calls, runs
        self.lookback = Lookback(windows, runs=runs, cascade_days=cascade_days)
        self.objections: list[str] = []
        self.receipts: dict[str, Receipt] = {}
        self.content: dict[tuple[str, Stamp], frozenset[str]] = {}
        self.appeared: dict[tuple[str, Stamp], float] = {}
        self.commits: Counter[Part] = Counter()
        self.phases: dict[str, Phase] = {}
        self.ledgers: dict[str, Ledger] = {}
        self.dead: set[str] = set()
        self._given_up: set[str] = set()
        self.fired: Counter[str] = Counter()
        self._taken: set[str] = set()
        self._since: dict[tuple[str, str], tuple[str, int]] = {}
        self._tokens: dict[Part, int] = defaultdict(int)
        self._leases: dict[str, Lease] = {}
        self._broken: Counter[tuple[str, str]] = Counter()
        self._hopeless: Counter[tuple[str, str]] = Counter()

    def check(self) -> None:
        """Raise the first objection, if there is one."""
        if self.objections:
            raise Violation(self.objections[0])

    def committed(self, receipt: Receipt, rows: Sequence[Row]) -> None:
        """Check one committed write: a newer token, and no mixture."""
        if receipt.token <= self._tokens[receipt.part]:
            self._object(
                f"{receipt.part}: a write with token {receipt.token} was committed after one with "
                f"{self._tokens[receipt.part]}"
            )
        self._tokens[receipt.part] = receipt.token
        made_of = versions(rows)
        may_mix = any(each.may_mix(receipt.step, receipt.partition) for each in self._operations)
        if (mixture := self._mixed(made_of, receipt.partition)) and not may_mix:
            self._object(f"{receipt.part} holds a mixture of {', '.join(mixture)}")
        keys = Counter((row["day"], row["k"]) for row in rows)
        if max(keys.values(), default=1) > 1:
            self._object(f"{receipt.part} holds duplicate rows")
        self._check_inputs(receipt, made_of)
        self._object_to(one for each in self._operations for one in each.committed(receipt, rows))
        self.receipts[receipt.write_id] = receipt
        self.content[receipt.step, receipt.stamp] = made_of
        self.appeared.setdefault((receipt.step, receipt.stamp), self._now())
        self.commits[receipt.part] += 1
        content = Content(receipt.partition, receipt.stamp, rows, receipt.built_from)
        self.lookback.record(receipt.step, content, phases=self.phases)

    def _mixed(self, made_of: Collection[str], day: str) -> list[str]:
        """Return the facts that cannot be true together.

        But those of an earlier date of which a build was given up: its tables differ until a person has it built, and a
        later run does not wait for that.
        """
        given_up = {on[8:] for on in self._given_up if on < day}
        return mixed(fact for fact in made_of if fact[:2] not in given_up)

    def _check_inputs(self, receipt: Receipt, made_of: frozenset[str]) -> None:
        """Check that rows are made of the inputs in their receipt.

        Date by date, and of nothing else.
        """
        known: list[frozenset[str]] = []
        for name, stamp in receipt.built_from.items():
            if "@" in name:
                window = self.lookback.window_facts(name, receipt.partition, stamp)
                if window is None:
                    self._object(f"{receipt.part} records as input a window of {name} that never existed")
                source = frozenset().union(*(window or {}).values())
            else:
                source = self.content.get((name.rpartition(".")[2], stamp), frozenset())
            known.append(source)
            if made_of and not source <= made_of:
                self._object(f"{receipt.part} records {name} {sorted(source)} as input, holds {sorted(made_of)}")
        if known and made_of and not made_of <= frozenset().union(*known):
            self._object(f"{receipt.part} records {sorted(frozenset().union(*known))} as inputs, holds "
                         f"{sorted(made_of)}")  # fmt: skip

    def foreign(self, step: str, day: str, *, stamp: Stamp, rows: Sequence[Row]) -> None:
        """Record what a content of a foreign table was made of."""
        self.content[step, stamp] = versions(rows)
        self.appeared.setdefault((step, stamp), self._now())
        self.lookback.record(step, Content(day, stamp, rows), phases=self.phases)

    def broke(self, step: str, day: str, *, final: bool) -> None:
        """Record that a step's own code failed.

        Only such a failure may be counted, or end a request as dead.
        """
        self._broken[step, day] += 1
        self._hopeless[step, day] += final

    def wrote(self, key: str, body: Body) -> None:
        """Check one document against the one before it."""
        if key.startswith("lease:"):
            self._check_lease(key, decode(Lease, body, key=key))
        if key.startswith("ledger:"):
            self.ledgers[key.split(":")[2]] = decode(Ledger, body, key=key)
        if key.startswith("phase:"):
            phase = decode(Phase, body, key=key)
            if key not in self.runs:
                self._object(f"{key} is a second document of a run, or its run is unknown")
            old = self.phases.get(key)
            if old is not None:
                self._check_no_regress(key, old, phase)
            self._check_bounds(key, phase, body)
            self._check_results(key, old, phase)
            self._check_sent(key, phase)
            self._object_to(one for each in self._operations for one in each.wrote(key, old=old, new=phase))
            self._check_failures(key, phase)
            self._record_repeats(key, old, phase)
            if phase.firings and (old is None or phase.generation > old.generation):
                self._check_firing(key, phase)
            self.phases[key] = phase
            if any(request.state == "dead" for request in phase.requests.values()):
                self._given_up.add(phase_of(key)[2].date)

    def restored(self, bodies: Mapping[str, Body]) -> None:
        """Take these documents for the present ones: the store was restored.

        What was committed stays.
        """
        self.phases.clear()
        self._leases.clear()
        self._since.clear()
        self.ledgers.clear()
        self.dead.clear()
        for key, body in bodies.items():
            if key.startswith("lease:"):
                self._leases[key] = decode(Lease, body, key=key)
            elif key.startswith("phase:"):
                self.phases[key] = decode(Phase, body, key=key)

    def _record_repeats(self, key: str, old: Phase | None, new: Phase) -> None:
        """Record changes that the ledger had before the document.

        Later runs receive them twice.
        """
        day = phase_of(key)[2].date
        for name, notice in new.notices.items():
            known, result = old.notices.get(name) if old is not None else None, new.members[name].result
            if result is None or name not in self.ledgers or (known is not None and known.order == notice.order):
                continue
            stored = self.ledgers[name].stamps.get(day)
            if stored is not None and stored.fingerprint == result.stamp.fingerprint:
                self.lookback.record_repeat(name, day)

    def publishing(self, message: Message, *, begun: int) -> None:
        """Check a message before the bus takes it.

        Runs are sent no content that they already had when the sending process began.
        """
        if message.id.startswith("relay."):
            step, run = str(message.body["step"]), str(message.body["run"])
            held, since = self._since.get((step, run), ("", 0))
            if held == message.id.rpartition(".")[2] and begun > since:
                self._object(f"{message.id} was sent, though {run} already has that content")
        self._object_to(one for each in self._operations for one in each.publishing(message, begun=begun))

    def published(self, message: Message) -> None:
        """Record a message that the bus has taken, and pass it to operations."""
        self._taken.add(message.id)
        for each in self._operations:
            each.published(message)

    def _object(self, why: str) -> None:
        self.objections.append(why)

    def _object_to(self, found: Iterable[str]) -> None:
        self.objections += found

    def _check_bounds(self, key: str, phase: Phase, body: Body) -> None:
        """Check that a document stays within its bounds, and any store's."""
        size = len(msgspec.json.encode(body))
        if size > BYTES_MAX:
            self._object(f"{key} has {size} bytes")
        outbox_max = max(HISTORY_MAX, len(phase.gate.receivers))
        if max(len(phase.seen), len(phase.firings), len(phase.outbox) - outbox_max + HISTORY_MAX) > HISTORY_MAX:
            self._object(f"{key} stores more than {HISTORY_MAX} commands, firings or triggers")
        if any(firing.stamps for firing in phase.firings[:-1]):
            self._object(f"{key} stores the stamps of older firings")

    def _check_lease(self, key: str, lease: Lease) -> None:
        """Check that a lease's token only grows, and its holder is respected.

        No token is used twice, and only its holder ends a lease before its time.
        """
        old = self._leases.get(key, Lease())
        self._leases[key] = lease
        if lease.token < old.token:
            self._object(f"{key}: token went back from {old.token} to {lease.token}")
        if lease.holder not in (None, old.holder) and lease.token <= old.token:
            self._object(f"{key}: token {lease.token} was used twice")
        if old.holder in (None, lease.holder) or old.until <= self._now() + self._skew_s:
            return
        is_raised = lease.holder is None and lease.token > old.token
        if is_raised and any(each.adopts() for each in self._operations):
            return
        if lease.holder is not None or lease.released != old.holder:
            self._object(f"{key}: {old.holder} holds it, but it was released or acquired by another")

    def _check_no_regress(self, key: str, old: Phase, new: Phase) -> None:
        if not old.generation <= new.generation <= old.generation + 1:
            self._object(f"{key}: generation went from {old.generation} to {new.generation}")
        before = {f.generation: f for f in old.firings}
        if any(f not in (kept := before.get(f.generation, f), kept.as_older()) for f in new.firings):
            self._object(f"{key}: a firing was rewritten")
        for name, member in old.members.items():
            if member.result is None:
                continue
            now = new.result_of(name)
            if now is None or (now.ordered == member.result.ordered and now.order < member.result.order):
                self._object(f"{key}: the result of {name} was lost, or an older one took its place")
        for name, begun in old.inputs.items():
            if name not in new.inputs or new.inputs[name].generation < begun.generation:
                self._object(f"{key}: inputs went back to an older generation of {name}")

    def _check_results(self, key: str, old: Phase | None, new: Phase) -> None:
        """Check that an accepted result equals the receipt of its write."""
        for name, member in new.members.items():
            known = old.members.get(name) if old is not None else None
            if member.result is None or (known is not None and known.result == member.result):
                continue
            if known is None or known.result is None or known.result.stamp != member.result.stamp:
                self._since[name, str(phase_of(key)[2])] = member.result.stamp.fingerprint, self._calls()
            if self._differs(member.result, asked_for=new.gate.members[name].asks):
                self._object(f"{key}: the result of {name} is not what was written")

    def _check_sent(self, key: str, phase: Phase) -> None:
        """Check that a trigger recorded as sent was taken by the bus.

        So was one that a receiver outside the plan has acknowledged.
        """
        outside = {receiver.name for receiver in phase.gate.receivers if receiver.ack != "begin"}
        for entry in phase.outbox:
            trigger = trigger_id(key, entry.generation, receiver=entry.receiver)
            is_out = entry.state == "sent" or (entry.state == "acked" and entry.receiver in outside)
            if is_out and trigger not in self._taken:
                self._object(f"{trigger} is {entry.state}, but the bus never took it")

    def _differs(self, result: Result, *, asked_for: bool) -> bool:
        receipt = self.receipts.get(result.write_id)
        if receipt is None:
            return asked_for or bool(result.write_id)
        return result.stamp != receipt.stamp or result.built_from != receipt.built_from

    def _check_failures(self, key: str, phase: Phase) -> None:
        """Check that only failures count.

        Not sending again, nor a busy lease, nor changed inputs.
        """
        day = key.rpartition(":")[2].partition(".")[0]
        for name, request in phase.requests.items():
            if any(each.may_fail(name, day) for each in self._operations):
                continue
            broken = self._broken[name, day]
            if phase.failures_of(name) > broken:
                self._object(f"{key}: {phase.failures_of(name)} failures of {name} are counted, its code had {broken}")
            enough = phase.gate.members[name].attempts_max
            if request.state == "dead" and broken < enough and not self._hopeless[name, day]:
                self._object(f"{key}: the request for {name} is dead, though its code failed only {broken} times")
        dead = [r for r in phase.requests.values() if r.state == "dead"]
        (self.dead.add if dead else self.dead.discard)(key)

    def _check_firing(self, key: str, phase: Phase) -> None:
        """Check a firing: one version of the raw data, all expected steps."""
        self.fired[key] += 1
        firing = phase.firings[-1]
        may_lack = {name for each in self._operations for name in each.may_lack(key)}
        if set(firing.missing) - may_lack or set(firing.stamps) != set(phase.gate.expect):
            self._object(f"{key}: fired without {firing.missing}")
        carried = {name: stamp for name, stamp in firing.stamps.items() if name not in firing.missing}
        for name, stamp in carried.items():
            if (name, stamp) not in self.content:
                self._object(f"{key}: fired with a content of {name} that was never written")
        made_of = {v for name, stamp in carried.items() for v in self.content.get((name, stamp), ())}
        day = phase_of(key)[2].date
        may_mix = any(each.may_mix(name, day) for each in self._operations for name in carried)
        if (mixture := self._mixed(made_of, day)) and not may_mix:
            self._object(f"{key}: generation {firing.generation} fired on a mixture of {mixture}")
