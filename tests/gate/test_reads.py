"""A command reads the document that it changes once, also where it sends and propagates what follows."""

from collections import Counter

from phasegate.base.keys import Run, lease_key, phase_key
from phasegate.base.receipt import Part
from phasegate.gate.decisions import Report
from phasegate.gate.outbox import trigger_of
from phasegate.messages import TriggerMessage, parse
from phasegate.store import Doc
from phasegate.stores.memory import MemoryStore
from tests.support.pipelines import DAY, LETTERS, load, phase, shop

LOAD, REPORT = (phase_key("shop", name, run=Run(DAY, "daily")) for name in ("load", "report"))


class Counting(MemoryStore):
    """A store that counts the readings of each key."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def read(self, key: str, /) -> Doc | None:
        self.counts[key] += 1
        return super().read(key)

    def taken(self) -> tuple[int, int]:
        """Return how often the two phases were read since the last call."""
        counts = self.counts[LOAD], self.counts[REPORT]
        self.counts.clear()
        return counts


def test_a_command_reads_its_document_once() -> None:
    store = Counting()
    made, run = shop(store=store), Run(DAY, "daily")
    runs = made.pipeline.runs
    runs.open("load", run)
    assert store.taken() == (1, 1), "the next phase is looked at, as one that may wait for this"
    runs.open("load", run)
    assert store.taken() == (1, 0)
    load(made, 1, 2)
    store.taken()
    runs.pause("load", run, reason="a fix")
    runs.pause("load", run, reason=None)
    assert store.taken() == (2, 2)
    runs.look(LOAD)
    assert store.taken() == (2, 1), "once to catch up, and once to look"
    body = trigger_of(phase(made, "load"), 1, receiver="report", key=LOAD)
    assert body is not None
    trigger = parse(body, where="here")
    assert isinstance(trigger, TriggerMessage)
    store.taken()
    assert made.pipeline._worker.begin(trigger).outcome == "begun"
    assert store.taken() == (1, 1), "it is acknowledged on what was read to begin it"
    runs.report("report", run, Report(member="totals", status="transient"))
    assert store.taken() == (0, 1)


def test_a_lease_is_given_back_on_one_reading_of_it() -> None:
    store = Counting()
    made = shop(plan=LETTERS, store=store)
    part = Part("raw.orders", DAY)
    taken = made.pipeline._leases.take(part, purpose="by hand", owner="", ttl_s=None)
    assert taken is not None
    store.counts.clear()
    assert made.pipeline._leases.give_back(part, holder=taken.writers[-1], token=taken.token)
    assert store.counts == {lease_key("main", part): 1}
