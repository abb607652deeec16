"""What becomes of a lease that ran out, and of the write behind it."""

import pytest

from phasegate.base.keys import Run
from phasegate.base.receipt import Part
from phasegate.errors import BadInput, Fenced, LeaseLost, NotFound
from phasegate.warehouses.memory.warehouse import MemoryWarehouse
from tests.support.pipelines import DAY, RUN, Shop, load, orders, shop

PART = Part("raw.orders", DAY)


def lease_key_of(made: Shop) -> str:
    (doc,) = made.store.scan("lease:")
    return doc.key


def test_a_lease_is_left_to_its_holder_and_when_it_ran_out_its_write_is_reported_and_the_trigger_sent() -> None:
    made = shop()
    dying = made.pipeline.begin(RUN, step="orders")
    receipt = dying.__enter__().write(orders(1, 2))  # and dies
    key = lease_key_of(made)
    assert made.pipeline.rescuer.rescue(key) == "held"
    made.clock.at += 61.0
    assert made.pipeline.rescuer.rescue(key) == "accepted"
    phase = made.pipeline.runs.read("load", Run(DAY, "daily"))
    assert phase is not None
    result = phase.result_of("orders")
    assert result is not None
    assert (result.stamp, result.write_id) == (receipt.stamp, receipt.write_id)
    assert [entry.state for entry in phase.outbox] == ["sent"], "in the same call, not at the next sweep"
    assert made.pipeline.rescuer.rescue(key) == "duplicate"
    del dying


def test_a_holder_that_died_before_it_wrote_leaves_nothing_to_report_and_the_lease_is_free() -> None:
    made = shop()
    dying = made.pipeline._leases.hold(PART, purpose="scraper")
    assert dying.__enter__() is not None
    made.clock.at += 61.0
    key = lease_key_of(made)
    assert made.pipeline.rescuer.rescue(key) == "nothing"
    lease = made.pipeline._leases.read(key)
    assert lease is not None
    assert (lease.holder, lease.token) == (None, 2)
    del dying


def test_a_lease_is_let_go_of_though_it_has_not_run_out_and_what_was_committed_is_reported() -> None:
    made = shop()
    dying = made.pipeline.begin(RUN, step="orders")
    step = dying.__enter__()
    step.write(orders(1, 2))  # and dies
    key = lease_key_of(made)
    assert made.pipeline.rescuer.let_go(key) == "accepted"
    lease = made.pipeline._leases.read(key)
    assert lease is not None
    assert (lease.holder, lease.token) == (None, 2)
    with pytest.raises(NotFound, match="no such lease is held"):
        made.pipeline.rescuer.let_go(key)
    with pytest.raises(NotFound, match="no such lease is held"):
        made.pipeline.rescuer.let_go("lease:main:raw.orders:2020-01-01")
    del dying


def test_a_holder_that_lives_cannot_commit_after_its_lease_was_let_go_of() -> None:
    made = shop()
    load(made, 7)
    with made.pipeline.begin(RUN, step="orders") as living:
        assert made.pipeline.rescuer.let_go(lease_key_of(made)) == "duplicate"
        with pytest.raises(Fenced):
            living.write(orders(1, 2))
        living.fail("its lease is another's")
    with made.warehouse.snapshot() as reader:
        rows = reader.query("orders", {"run_date": DAY})
    assert [row["amount"] for row in rows] == [7]


def test_a_holder_that_lives_stops_at_its_next_heartbeat() -> None:
    made = shop()
    with made.pipeline._leases.hold(PART, purpose="scraper") as held:
        assert held is not None
        assert made.pipeline.rescuer.let_go(held.key) == "nothing"
        assert not held.beat()
        with pytest.raises(LeaseLost):
            held.check()


def test_where_commits_of_a_table_conflict_its_lease_is_let_go_of_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryWarehouse, "scope", "table")
    made = shop()
    dying = made.pipeline.begin(RUN, step="orders")
    dying.__enter__().write(orders(1, 2))  # and dies
    partition, whole = (f"lease:main:raw.orders:{name}" for name in (DAY, "table"))
    assert {doc.key for doc in made.store.scan("lease:")} == {partition, whole}
    assert made.pipeline.rescuer.let_go(partition) == "accepted"
    for key in (partition, whole):
        lease = made.pipeline._leases.read(key)
        assert lease is not None
        assert lease.holder is None, key
    del dying


def test_a_lease_of_another_warehouse_is_left_alone() -> None:
    made = shop()
    with made.pipeline._leases.hold(PART, purpose="scraper") as held:
        assert held is not None
        with pytest.raises(BadInput, match="of another warehouse"):
            made.pipeline.rescuer.let_go(f"lease:other:raw.orders:{DAY}")
        held.check()
