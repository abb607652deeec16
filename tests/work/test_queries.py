"""How many queries of the store a turn of a worker takes: a database bills, and answers, each one."""

from collections.abc import Sequence

from phasegate.store import ALL, Doc
from phasegate.stores.memory import MemoryStore
from tests.support.pipelines import load, settle, shop


class Counting(MemoryStore):
    """Counts the questions about what is due."""

    asked = 0

    def due(
        self, now: float, /, *, prefixes: Sequence[str] = ALL, after: tuple[float, str] | None = None, limit: int = 100
    ) -> Sequence[Doc]:
        self.asked += 1
        return super().due(now, prefixes=prefixes, after=after, limit=limit)

    def next_due(self, *, prefixes: Sequence[str] = ALL) -> float | None:
        self.asked += 1
        return super().next_due(prefixes=prefixes)


def test_an_idle_turn_asks_once_for_messages_once_for_documents_and_once_each_for_the_next_time() -> None:
    store = Counting()
    made = shop(store=store)
    load(made, 5)
    settle(made)
    made.pipeline.work_until_idle()
    store.asked = 0
    made.pipeline.work_one()
    assert store.asked == 2
    made.pipeline.next_due()
    assert store.asked == 4


def test_a_whole_run_asks_less_than_twice_for_each_unit_of_work() -> None:
    store = Counting()
    made = shop(store=store)
    load(made, 5)
    store.asked, units = 0, made.pipeline.work_until_idle()
    assert store.asked <= 2 * units + 4
