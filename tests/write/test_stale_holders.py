"""What a holder, a request or a receipt that is no longer the present one may not do."""

import re
from collections.abc import Callable

import pytest

from phasegate.base.keys import parse_run
from phasegate.base.receipt import Part
from phasegate.bus import Message
from phasegate.errors import Ambiguous, LeaseLost, Partial
from phasegate.warehouse import Params, Scope, Staging, Write, WriteAnswer
from phasegate.warehouses.memory.warehouse import MemoryWarehouse
from phasegate.write import lease
from phasegate.write.leases import Leases
from tests.support.pipelines import DAY, PLAN, RUN, Shop, generation, load, orders, settle, shop, total

TTL_S = 60.0


def test_a_lease_whose_token_was_raised_is_free_and_no_longer_its_holders() -> None:
    held, _ = lease.acquire("h1", ttl_s=TTL_S, now=0.0)(None)
    raised, token = lease.raise_to(7, holder="restored")(held)
    assert raised is not None
    assert token == 7
    assert (raised.holder, raised.due, raised.writers) == (None, None, ("h1", "restored"))
    assert lease.renew("h1", token=7, ttl_s=TTL_S, now=1.0)(raised) == (raised, False)
    _, taken = lease.acquire("h2", ttl_s=TTL_S, now=1.0)(raised)
    assert taken is not None
    assert taken.token == 8


def test_an_adoption_that_is_decided_again_keeps_who_has_written_since() -> None:
    held, _ = lease.acquire("h1", ttl_s=TTL_S, now=0.0)(None)
    adopted, _ = lease.raise_to(1, holder="a")(held)
    released, _ = lease.release("h1", token=1, fenced=True)(adopted)
    assert released is not None
    assert released.writers == ("h1", "a"), "h1 wrote before the adoption, which named the fence after itself"
    newer, _ = lease.acquire("h2", ttl_s=TTL_S, now=1.0)(released)
    written, _ = lease.release("h2", token=2, fenced=True)(newer)
    again, _ = lease.raise_to(1, holder="a")(written)
    assert again is not None
    assert "h2" in again.writers


def test_a_lease_that_is_ahead_of_the_token_keeps_its_holder() -> None:
    held, _ = lease.acquire("h1", ttl_s=TTL_S, now=0.0)(None)
    assert lease.raise_to(1)(held) == (held, 1)


@pytest.mark.parametrize(("waited_s", "is_lost"), [(TTL_S - 0.1, False), (TTL_S, True), (TTL_S + 0.1, True)])
def test_a_holder_that_did_not_renew_in_time_writes_nothing(waited_s: float, is_lost: bool) -> None:
    made = shop()
    with made.pipeline.begin(RUN, step="orders") as run:
        made.clock.at += waited_s
        if is_lost:
            with pytest.raises(LeaseLost):
                run.write(orders(1, 2))
        else:
            run.write(orders(1, 2))
    assert len(made.warehouse.commits) == (0 if is_lost else 1)


def requested(made: Shop, step: str, *, phase: str) -> str:
    document = made.pipeline.runs.read(phase, parse_run(RUN))
    assert document is not None
    return document.requests[step].id


def test_the_message_of_an_older_request_builds_nothing() -> None:
    made = shop({"made:totals": _broken})
    load(made, 1)
    settle(made, until_s=1.0)
    old = requested(made, "totals", phase="report")
    made.pipeline.runs.rebuild("report", parse_run(RUN), steps=("totals",), quiet=False)
    assert requested(made, "totals", phase="report") != old
    other = shop(store=made.store, warehouse=made.warehouse)
    outcome = other.pipeline._worker._builder.serve(other.pipeline.plan.steps["totals"], parse_run(RUN), request_id=old)
    assert outcome == "not asked for"
    assert [receipt.step for receipt in made.warehouse.commits] == ["orders"]


def _broken(_: object) -> list[dict[str, object]]:
    raise RuntimeError("it broke")


@pytest.mark.parametrize(("rows", "is_refused"), [(18, False), (17, True)])
def test_a_partition_may_lose_shrink_max_of_its_rows_and_no_more(rows: int, is_refused: bool) -> None:
    made = shop()
    load(made, *range(20))
    if is_refused:
        with pytest.raises(Partial, match=re.escape("from 20 to 17 rows, more than 10%")):
            load(made, *range(rows))
    else:
        load(made, *range(rows))
    assert made.warehouse.commits[-1].rows == (20 if is_refused else rows)


class Unanswered(MemoryWarehouse):
    """A warehouse that commits a build of totals, and once loses the answer."""

    is_answered = True

    def commit(self, write: Write, staging: Staging, /) -> WriteAnswer:
        answer = super().commit(write, staging)
        if self.is_answered and self.commits[-1].step == "totals":
            self.is_answered = False
            raise Ambiguous("the commit got no clear answer")
        return answer


def test_a_commit_without_an_answer_is_looked_for_and_not_repeated() -> None:
    warehouse = Unanswered()
    made = shop(warehouse=warehouse)
    load(made, 1, 2)
    settle(made, until_s=30.0)
    assert not warehouse.is_answered
    assert [receipt.step for receipt in warehouse.commits] == ["orders", "totals"]
    assert (total(made), generation(made, "report")) == (3, 1)
    assert made.told.of("write conflict") == []


def test_a_receipt_of_other_code_is_not_reported_for_the_present_one() -> None:
    made = shop(plan=PLAN.replace('python = "made:totals"', 'python = "made:totals"\ncode = "v1"'))
    load(made, 1, 2)
    settle(made, until_s=1.0)
    key = f"phase:shop:report:{RUN}"
    document = made.store.read(key)
    assert document is not None
    made.store.delete(key, expect=document.version)
    other = shop(plan=PLAN.replace('python = "made:totals"', 'python = "made:totals"\ncode = "v2"'), store=made.store,
                 warehouse=made.warehouse)  # fmt: skip
    orders_of = next(receipt for receipt in made.warehouse.commits if receipt.step == "orders")
    stamps = {"orders": {"fingerprint": orders_of.fingerprint, "token": orders_of.token}}
    trigger = {"kind": "trigger", "id": "t", "pipeline": "shop", "phase": "load", "run": RUN, "generation": 1,
               "receiver": "report", "stamps": stamps}  # fmt: skip
    other.pipeline.ports.bus.publish(Message("t", "shop.report.begin", trigger))
    settle(other, until_s=1.0)
    codes = [receipt.code for receipt in made.warehouse.commits if receipt.step == "totals"]
    assert len(codes) == len(set(codes)) == 2


@pytest.mark.parametrize(("scope", "together"), [("partition", True), ("table", False)])
def test_where_commits_of_a_table_conflict_one_lease_at_a_time_is_held_of_it(scope: Scope, together: bool) -> None:
    made = shop()
    made.warehouse.scope = scope
    leases = Leases(made.pipeline.ports, warehouse="main", ttl_s=60.0, heartbeat_s=20.0)
    first, second, other = Part("raw.orders", "2026-02-03"), Part("raw.orders", "2026-02-04"), Part("raw.b", DAY)
    with leases.hold(first, purpose="a") as one, leases.hold(second, purpose="b") as two:
        assert one is not None
        assert (two is not None) is together
        with leases.hold(other, purpose="c") as beside:
            assert beside is not None
    with leases.hold(second, purpose="b") as again:
        assert again is not None


def test_an_input_written_again_between_staging_and_commit_has_the_select_staged_again() -> None:
    plan = PLAN.replace('python = "made:totals"', 'sql = "totals"')
    made = shop(plan=plan, files={"totals": "SELECT totals"})
    made.warehouse.functions["SELECT totals"] = _totals
    load(made, 1, 2)
    right, staged = made.warehouse.commit, list[Staging]()

    def commit(write: Write, staging: Staging, /) -> WriteAnswer:
        if write.receipt.step == "totals" and not staged:
            made.warehouse.commit = right  # type: ignore[method-assign]
            load(made, 1, 2)
        staged.append(staging)
        return right(write, staging)

    made.warehouse.commit = commit  # type: ignore[method-assign]
    settle(made, until_s=30.0)
    assert staged, "the step was never built"
    assert made.told.of("write conflict") != []
    newest = {receipt.step: receipt for receipt in made.warehouse.commits}
    assert newest["totals"].built_from["load.orders"] == newest["orders"].stamp
    assert newest["orders"].token == 2
    assert not made.told.of("step not built")


def _totals(read: Callable[[str], list[dict[str, object]]], params: Params) -> list[dict[str, object]]:
    amounts = [int(str(row["amount"])) for row in read("raw.orders")]
    return [{"day": params["run_date"], "amount": sum(amounts)}]
