"""Writers of a warehouse in which all commits of one table conflict: they take turns, also after a crash."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import pytest

from phasegate.base.findings import CheckResult
from phasegate.base.receipt import Part
from phasegate.errors import Busy
from phasegate.messages import CompletionMessage
from phasegate.warehouses.memory.warehouse import MemoryWarehouse
from phasegate.work.external import StepRun
from phasegate.write.lease import WHOLE
from phasegate.write.leases import Leases
from tests.support.pipelines import DAY, PLAN, RUN, Shop, load, orders, settle, shop, state

NEXT_DAY, NEXT_RUN = "2026-02-04", "2026-02-04.daily"
SILENT = PLAN.replace('sends = [{ topic = "mailer", ack = "completion" }]', "")
TTL_S = 60.0
OF_TABLE = f"lease:main:raw.orders:{WHOLE}"
Begun = AbstractContextManager[StepRun]


@pytest.fixture
def made() -> Shop:
    warehouse = MemoryWarehouse()
    warehouse.scope = "table"
    return shop({"made:totals": totals}, plan=SILENT, warehouse=warehouse)


def totals(run: object) -> list[dict[str, object]]:
    day = run.date  # type: ignore[attr-defined]
    rows = run.read("orders", {"run_date": day})  # type: ignore[attr-defined]
    return [{"day": day, "amount": sum(row["amount"] for row in rows)}]


def of_next_day(*amounts: int) -> list[dict[str, object]]:
    return [{**row, "day": NEXT_DAY} for row in orders(*amounts)]


def held(made: Shop) -> Mapping[str, float]:
    """Return the leases that are held, with the seconds that are left, as ``leases`` shows them."""
    return {view.key: view.left_s for view in made.pipeline.views.leases()}


def inspected(made: Shop) -> tuple[CheckResult, ...]:
    return made.pipeline.checks.inspector.inspect(DAY, NEXT_DAY, grace_s=0.0)


def findings(made: Shop) -> dict[str, str]:
    """Return the command of each expired lease, as ``health`` and ``reconcile`` show it."""
    found = [one for outcome in inspected(made) for one in outcome.findings]
    return {one.subject: one.command for one in found if one.code == "PG009"}


@pytest.fixture
def killed(made: Shop) -> Callable[[str], StepRun]:
    """Begin the orders of a run in a process that is killed: the block is never left."""
    left = list[Begun]()

    def begin(run: str) -> StepRun:
        left.append(made.pipeline.begin(run, step="orders"))
        return left[-1].__enter__()

    return begin


def test_two_writers_of_two_partitions_of_a_table_take_turns(made: Shop) -> None:
    with made.pipeline.begin(RUN, step="orders") as first:
        assert held(made).keys() == {OF_TABLE, f"lease:main:raw.orders:{DAY}"}
        with pytest.raises(Busy, match="is being written by another"), made.pipeline.begin(NEXT_RUN, step="orders"):
            pass
        first.write(orders(1, 2))
        first.complete()
    with made.pipeline.begin(NEXT_RUN, step="orders") as second:
        second.write(of_next_day(5))
        second.complete()
    assert held(made) == {}
    settle(made)
    found = {part: [row.cells["amount"] for row in rows.values()]
             for part, rows in made.warehouse.tables["out.totals"].items()}  # fmt: skip
    assert found == {DAY: [3], NEXT_DAY: [5]}


def test_a_request_that_meets_a_writer_of_another_partition_is_served_after_it(made: Shop) -> None:
    load(made, 1, 2)
    leases = Leases(made.pipeline.ports, warehouse="main", ttl_s=TTL_S, heartbeat_s=20.0)
    with leases.hold(Part("out.totals", NEXT_DAY), purpose="another worker") as other:
        assert other is not None
        made.pipeline.work_until_idle()
        assert {one["outcome"] for one in made.told.of("served")} >= {"busy"}
        assert "asked" in {member.state for view in made.pipeline.views.why(RUN) for member in view.members}
        assert "out.totals" not in made.warehouse.tables
    settle(made)
    assert state(made, "report") == "complete"
    assert [receipt.step for receipt in made.warehouse.commits] == ["orders", "totals"]


def test_a_writer_that_was_killed_frees_the_table_when_its_lease_ends(
    made: Shop, killed: Callable[[str], StepRun]
) -> None:
    killed(RUN)
    made.clock.at += TTL_S - 1
    with pytest.raises(Busy), made.pipeline.begin(NEXT_RUN, step="orders"):
        pass
    assert findings(made) == {}
    made.clock.at += 2
    assert {key: seconds < 0 for key, seconds in held(made).items()} == {
        OF_TABLE: True, f"lease:main:raw.orders:{DAY}": True,
    }  # fmt: skip
    assert findings(made)[OF_TABLE] == "phasegate sweep"
    with made.pipeline.begin(NEXT_RUN, step="orders") as second:
        second.write(of_next_day(5))
        second.complete()
    settle(made)
    assert held(made) == {}
    assert findings(made) == {}


def test_reconcile_frees_a_table_whose_holder_was_killed(made: Shop, killed: Callable[[str], StepRun]) -> None:
    killed(RUN)
    made.clock.at += TTL_S + 1
    fixed = made.pipeline.checks.reconciler.fix(
        inspected(made), first=DAY, last=DAY, work=made.pipeline.work_until_idle
    )
    assert [one.error for one in fixed.applied] == ["", ""]
    assert held(made) == {}


@pytest.mark.parametrize("meets", ["a sweep", "a writer of the partition"])
def test_a_write_that_was_not_reported_is_reported_though_its_lease_met_a_writer_of_the_table(
    made: Shop, killed: Callable[[str], StepRun], meets: str
) -> None:
    killed(RUN).write(orders(1, 2))
    made.clock.at += TTL_S + 1
    leases = Leases(made.pipeline.ports, warehouse="main", ttl_s=TTL_S, heartbeat_s=20.0)
    with leases.hold(Part("raw.orders", NEXT_DAY), purpose="another worker") as other:
        assert other is not None
        if meets == "a sweep":
            assert made.pipeline.work_until_idle(units_max=50) < 50, "a worker that cannot go on does not rest"
        else:
            with pytest.raises(Busy), made.pipeline.begin(RUN, step="orders"):
                pass
        assert f"lease:main:raw.orders:{DAY}" in held(made), "the mark of the write that is not reported is gone"
    settle(made)
    assert state(made, "load") == "complete"
    assert made.told.of("rescued") != []


def test_a_holder_in_another_process_holds_the_table_too_until_it_completes(made: Shop) -> None:
    remote, step = made.pipeline.remote, made.pipeline.plan.steps["orders"]
    begun = remote.begin(RUN, step="orders", by="scraper", ttl_s=30)
    both = {OF_TABLE, f"lease:main:raw.orders:{DAY}"}
    assert {view.key: view.purpose for view in made.pipeline.views.leases()} == dict.fromkeys(
        both, "begin orders by scraper"
    )
    assert held(made) == dict.fromkeys(both, 30)
    with pytest.raises(Busy), made.pipeline.begin(NEXT_RUN, step="orders"):
        pass
    with pytest.raises(Busy):
        remote.begin(NEXT_RUN, step="orders")
    made.clock.at += 20
    remote.extend(begun.run, step=step, lease=begun.lease, ttl_s=30)
    assert held(made) == dict.fromkeys(both, 30)
    message = CompletionMessage(step="orders", run=RUN)
    remote.complete(message, lease=begun.lease, where="here")
    assert held(made) == {}
    with made.pipeline.begin(NEXT_RUN, step="orders"), pytest.raises(Busy):
        remote.begin(RUN, step="orders")


def test_what_cannot_take_its_partition_gives_the_table_back(made: Shop) -> None:
    begun = made.pipeline.remote.begin(RUN, step="orders", ttl_s=3600)
    store = made.pipeline.ports.store
    stored = store.read(OF_TABLE)
    assert stored is not None
    store.write(OF_TABLE, {}, due=None, expect=stored.version)
    with pytest.raises(Busy):
        made.pipeline.remote.begin(RUN, step="orders")
    assert held(made).keys() == {f"lease:main:raw.orders:{DAY}"}
    assert begun.token == 1


def test_a_step_without_a_table_is_held_in_each_run_apart() -> None:
    warehouse = MemoryWarehouse()
    warehouse.scope = "table"
    plan = SILENT + '\n[step.note]\nphase = "load"\nexternal = true\n'
    made = shop({"made:totals": totals}, plan=plan, warehouse=warehouse)
    for run in (RUN, NEXT_RUN):
        made.pipeline.remote.begin(run, step="note")
    assert len(held(made)) == 2
