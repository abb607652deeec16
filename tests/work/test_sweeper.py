"""A document whose handler fails: postponed and counted, unless another process has settled it or put it off."""

import pytest

from phasegate.base.codec import FAILURES_FIELD
from phasegate.work.sweeper import Sweeper
from tests.support.pipelines import Shop, shop

KEY = "thing:shop:one"


def swept(made: Shop, *, due: float | None) -> tuple[object, float | None]:
    """Sweep once while another process writes this due; return the count of failures, and the due that is left."""
    store = made.store

    def handle(key: str) -> None:
        doc = store.read(key)
        assert doc is not None
        store.write(key, {**doc.body, "by": "another"}, due=due, expect=doc.version)
        raise ValueError("it broke")

    assert Sweeper(made.pipeline.ports, handlers={"thing:shop": handle}).sweep() == 1
    doc = store.read(KEY)
    assert doc is not None
    return doc.body.get(FAILURES_FIELD, 0), doc.due


@pytest.mark.parametrize(
    ("due_in_s", "failures"),
    [(0.0, 1), (-1.0, 1), (1.0, 0), (None, 0)],
    ids=["due now", "overdue", "put off by another", "settled by another"],
)
def test_a_failure_is_counted_while_the_document_is_due(due_in_s: float | None, failures: int) -> None:
    made = shop()
    made.store.write(KEY, {"by": "us"}, due=made.clock.at, expect=None)
    due = None if due_in_s is None else made.clock.at + due_in_s
    counted, left = swept(made, due=due)
    assert counted == failures
    assert left == due if failures == 0 else left is not None and left > made.clock.at
