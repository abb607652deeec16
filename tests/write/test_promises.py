"""What the services promise, one sentence each, on ports in memory."""

import re

import pytest

from phasegate.base.keys import Run, parse_run
from phasegate.bus import Message
from phasegate.errors import Ambiguous, BadInput, Busy, Conflict, ForeignStore, Partial, Unavailable
from phasegate.stores.memory import MemoryStore
from phasegate.warehouses.memory.warehouse import MemoryTransaction, MemoryWarehouse
from tests.support.pipelines import DAY, PLAN, RUN, Shop, generation, load, orders, settle, shop, state, total, totals


def acknowledge(made: Shop, number: int) -> None:
    made.pipeline.complete({"trigger_id": f"trigger.shop.report.{RUN}.{number}.mailer"})


def test_a_report_lost_after_its_commit_is_found_when_the_lease_runs_out() -> None:
    made = shop()
    dying = made.pipeline.begin(RUN, step="orders")
    run = dying.__enter__()
    run.write(orders(1, 2))  # and dies: no complete, no release
    settle(made)
    assert total(made) == 3
    assert made.told.of("rescued")[0]["step"] == "orders"
    del dying


def test_a_silent_holder_can_no_longer_commit_once_its_lease_was_taken_over() -> None:
    made = shop()
    dying = made.pipeline.begin(RUN, step="orders")
    run = dying.__enter__()
    run.write(orders(1, 2))
    made.clock.at += 61
    made.pipeline._sweeper.sweep()
    made.clock.at -= 61  # its own clock is behind: it believes to hold the lease still
    with pytest.raises(Exception, match=r"stale|no longer ours"):
        run.write(orders(5, 5))
    del dying


def test_late_data_rebuilds_and_fires_once_more() -> None:
    made = shop()
    load(made, 1, 2)
    settle(made)
    assert (total(made), generation(made, "report")) == (3, 1)
    load(made, 1, 2, 4)
    settle(made)
    assert (total(made), generation(made, "report")) == (7, 2)


def test_a_second_instance_is_told_busy_and_nothing_of_it_is_taken_for_success() -> None:
    made = shop()
    with made.pipeline.begin(RUN, step="orders") as run:
        with pytest.raises(Busy), made.pipeline.begin(RUN, step="orders"):
            pass
        run.write(orders(1))
        run.complete()
    assert generation(made, "load") == 1


def test_a_block_that_raises_reports_a_failure_and_keeps_the_result() -> None:
    made = shop()
    load(made, 1)
    with pytest.raises(ZeroDivisionError), made.pipeline.begin(RUN, step="orders"):
        _ = 1 // 0
    member = next(v for v in made.pipeline.views.why(RUN) if v.phase == "load").members[0]
    assert member.state == "fresh"


def test_nothing_can_be_written_after_complete() -> None:
    made = shop()
    with made.pipeline.begin(RUN, step="orders") as run:
        run.write(orders(1))
        run.complete()
        with pytest.raises(BadInput, match=r"complete\(\) was called; begin the step again to write more"):
            run.write(orders(1, 2))


def test_rows_that_do_not_agree_with_the_receipt_are_refused() -> None:
    made = shop()
    with made.pipeline.begin(RUN, step="orders") as run:
        run.write(orders(1, 2))
        with pytest.raises(BadInput, match=r"complete\(rows=3\) but the partition holds 2"):
            run.complete(rows=3)
        run.complete(rows=2)


def test_a_consumer_acknowledges_by_echoing_the_trigger_and_is_asked_again_until_then() -> None:
    made = shop()
    load(made, 1)
    settle(made, until_s=1.0)
    assert state(made, "report") == "sending"
    acknowledge(made, 1)
    assert state(made, "report") == "complete"
    assert made.pipeline.next_due() is None or made.pipeline._sweeper.next_due() is None


def test_a_consumer_that_never_acknowledges_becomes_a_dead_letter_and_can_be_redriven() -> None:
    made = shop()
    load(made, 1)
    settle(made, until_s=86_000.0)
    assert state(made, "report") == "dead"
    assert [(d.kind, d.subject) for d in made.pipeline.views.dead()] == [("trigger", "mailer")]
    made.pipeline.runs.redrive("report", _run(), step="mailer")
    acknowledge(made, 1)
    assert state(made, "report") == "complete"


def _run() -> Run:
    return parse_run(RUN)


def test_a_step_of_inputs_that_moved_while_it_ran_writes_nothing_and_runs_again() -> None:
    made: Shop
    seen: list[int] = []

    def slow(run: object) -> list[dict[str, object]]:
        rows = totals(run)
        if not seen:
            load(made, 1, 2, 4)  # the scraper corrects itself while the step runs
        seen.append(int(str(rows[0]["amount"])))
        return rows

    made = shop({"made:totals": slow})
    load(made, 1, 2)
    settle(made)
    assert seen == [3, 7]
    assert total(made) == 7
    assert [receipt.rows for receipt in made.warehouse.commits if receipt.step == "totals"] == [1]


def test_the_same_content_written_again_while_a_python_step_ran_is_no_reason_to_trust_its_reads() -> None:
    made: Shop
    seen: list[int] = []

    def slow(run: object) -> list[dict[str, object]]:
        rows = totals(run)
        if not seen:
            load(made, 9, 9)
            load(made, 1, 2)  # there and back: the fingerprint is the old one, the token is not
        seen.append(int(str(rows[0]["amount"])))
        return rows

    made = shop({"made:totals": slow})
    load(made, 1, 2)
    settle(made)
    assert total(made) == 3
    assert len(seen) == 2


def test_a_receipt_of_these_inputs_and_this_code_is_reported_instead_of_building_again() -> None:
    made = shop()
    load(made, 1, 2)
    settle(made, until_s=1.0)
    key = f"phase:shop:report:{RUN}"
    doc = made.store.read(key)
    assert doc is not None
    made.store.delete(key, expect=doc.version)  # the document is lost, and everything it knew
    other = shop(store=made.store, warehouse=made.warehouse)
    trigger = {"kind": "trigger", "id": "t", "pipeline": "shop", "phase": "load", "run": RUN, "generation": 1,
               "receiver": "report", "stamps": {"orders": _stamp(made)}}  # fmt: skip
    other.pipeline.ports.bus.publish(Message("t", "shop.report.begin", trigger))
    settle(other, until_s=1.0)
    assert generation(other, "report") == 1
    assert len([r for r in made.warehouse.commits if r.step == "totals"]) == 1


def _stamp(made: Shop) -> dict[str, object]:
    receipt = next(r for r in made.warehouse.commits if r.step == "orders")
    return {"fingerprint": receipt.fingerprint, "token": receipt.token}


def test_a_partition_that_would_shrink_too_much_is_partial_until_it_is_forced() -> None:
    made = shop()
    load(made, *range(20))
    with pytest.raises(Partial, match=r"would shrink from 20 to 2 rows, more than 10%"):
        load(made, 1, 2)
    assert made.warehouse.commits[-1].rows == 20


def test_a_second_store_is_refused_by_name_and_adopt_mends_it() -> None:
    first = shop()
    load(first, 1)
    second = shop(store=MemoryStore(), warehouse=first.warehouse)
    with pytest.raises(ForeignStore, match=r"is fenced by store .* run: phasegate adopt"):
        load(second, 1, 2)
    second.pipeline.adopt()
    load(second, 1, 2)
    assert first.warehouse.commits[-1].token > first.warehouse.commits[0].token
    with pytest.raises(ForeignStore):
        load(first, 1, 2, 3)


def test_a_store_restored_from_an_older_copy_is_refused_by_name() -> None:
    made = shop()
    load(made, 1)
    key = "lease:main:raw.orders:2026-02-03"
    before = made.store.read(key)
    assert before is not None
    load(made, 1, 2)
    load(made, 1, 2, 3)
    now = made.store.read(key)
    assert now is not None
    made.store.write(key, before.body, due=None, expect=now.version)
    with pytest.raises(ForeignStore, match=r"is fenced with token 3, ahead of our lease with token 2"):
        load(made, 1, 2, 3, 4)
    made.pipeline.adopt()
    load(made, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"kind": "completion", "step": "stranger", "run": RUN}, "unknown step 'stranger'"),
        ({"kind": "completion", "step": "orders", "run": "2026-02-30.daily"}, "date '2026-02-30'"),
        ({"kind": "completion", "step": "orders", "run": "2026-02-03.hourly"}, "unknown mode 'hourly'"),
        ({"kind": "completion", "step": "orders"}, "names no run"),
        ({"kind": "nonsense"}, "kind is 'nonsense'"),
        ({"kind": "completion", "step": "totals", "run": RUN}, "step totals is built by Phasegate"),
        ({"kind": "completion", "step": "orders", "run": RUN, "rows": -1}, "Expected `int` >= 0"),
        ({"kind": "request", "id": "r", "pipeline": "shop", "phase": "load", "step": "orders", "run": RUN,
          "inputs": {}}, "step orders is external; a worker has nothing to build"),
        ({"kind": "request", "id": "r", "pipeline": "other", "phase": "report", "step": "totals", "run": RUN,
          "inputs": {}}, "is of pipeline 'other'"),
        ({"kind": "completion", "trigger_id": "trigger.shop.report.x"}, "send back the id of the trigger message"),
    ],
)  # fmt: skip
def test_a_message_that_is_not_understood_is_kept_with_its_reason_and_changes_nothing(
    body: dict[str, object], reason: str
) -> None:
    made = shop()
    made.pipeline.ports.bus.publish(Message("m1", "shop.completions", body))
    made.pipeline.work_until_idle()
    kept = made.pipeline.views.dead()
    assert [letter.kind for letter in kept] == ["message"]
    assert reason in kept[0].reason
    assert list(made.store.scan("phase:")) == []


def test_a_completion_that_nothing_orders_is_refused_where_there_is_no_table() -> None:
    tableless = re.sub(r'table = "raw.orders"(.|\n)*?INTEGER" }', "", PLAN)
    made = shop(plan=tableless)
    said = {"kind": "completion", "step": "orders", "run": RUN, "execution_id": "e1"}
    made.pipeline.ports.bus.publish(Message("m1", "shop.completions", said))
    made.pipeline.ports.bus.publish(Message("m2", "shop.completions", {**said, "sequence": 2}))
    made.pipeline.work_until_idle()
    assert [letter.reason for letter in made.pipeline.views.dead()] == [
        "message m1: nothing says how new it is; add sequence, or completed_at"
    ]
    assert generation(made, "load") == 1


def test_a_partition_changed_past_phasegate_is_refused_not_believed() -> None:
    made = shop()
    load(made, 1, 2)
    table = made.pipeline.plan.steps["orders"].table
    assert table is not None
    made.warehouse.put_rows(table, orders(7, 7, 7), partition=DAY)
    with pytest.raises(BadInput, match="was changed past Phasegate since its last receipt"):
        made.pipeline.complete({"step": "orders", "run": RUN})


def test_a_broken_document_is_put_off_counted_and_starves_nobody() -> None:
    made = shop()
    made.store.write("phase:shop:load:2026-02-01.daily", {"name": 7}, due=1.0, expect=None)
    load(made, 1, 2)
    settle(made, until_s=1.0)
    assert total(made) == 3
    doc = made.store.read("phase:shop:load:2026-02-01.daily")
    assert doc is not None
    assert doc.body["name"] == 7
    assert doc.due is not None
    assert doc.due > made.clock.at
    assert made.told.of("sweep failed")


def test_a_document_of_a_newer_build_is_never_overwritten() -> None:
    made = shop()
    newer = {"_schema": 99, "name": "load", "secret": [1, 2]}
    made.store.write(f"phase:shop:load:{RUN}", newer, due=None, expect=None)
    with pytest.raises(Exception, match="has schema 99, this build reads up to 1: upgrade phasegate"):
        load(made, 1)
    doc = made.store.read(f"phase:shop:load:{RUN}")
    assert doc is not None
    assert doc.body == newer


def test_an_external_step_with_a_need_in_its_own_phase_is_fresh_after_its_write() -> None:
    plan = PLAN.replace(
        "[step.totals]",
        '[step.lines]\nphase = "load"\nexternal = true\nneeds = ["orders"]\ntable = "raw.lines"\nkey = ["day"]\n'
        'partition = "day"\nwrite = "replace"\ncolumns = { day = "VARCHAR" }\n\n[step.totals]',
    )
    made = shop(plan=plan, warehouse=MemoryWarehouse())
    load(made, 1)
    with made.pipeline.begin(RUN, step="lines") as run:
        assert run.needed
        run.write([{"day": DAY}])
        run.complete()
    assert generation(made, "load") == 1


TOPIC_PLAN = PLAN.replace(
    'external = true\ntable = "raw.orders"', 'external = true\ntopic = "scrape"\ntable = "raw.orders"'
)


def test_an_external_step_that_is_asked_for_by_topic_answers_its_request() -> None:
    made = shop(plan=TOPIC_PLAN)
    made.pipeline.runs.open("load", _run())
    (delivery,) = made.pipeline.ports.bus.receive(["scrape"])
    with made.pipeline.begin(delivery.message.body) as run:
        run.write(orders(1, 2))
        run.complete()
    made.pipeline.ports.bus.ack(delivery)
    assert generation(made, "load") == 1
    assert made.pipeline.views.why(RUN)[0].members[0].state == "fresh"


def test_a_consumer_that_failed_or_names_a_trigger_that_never_was_acknowledges_nothing() -> None:
    made = shop()
    load(made, 1)
    settle(made, until_s=1.0)
    with pytest.raises(BadInput, match=r"ended as transient: smtp down"):
        made.pipeline.complete(
            {"trigger_id": f"trigger.shop.report.{RUN}.1.mailer", "status": "transient", "error": "smtp down"}
        )
    with pytest.raises(BadInput, match=r"no trigger .* waits for a completion"):
        acknowledge(made, 9)
    with pytest.raises(BadInput, match=r"no trigger .* waits for a completion"):
        made.pipeline.complete({"trigger_id": f"trigger.shop.load.{RUN}.1.report"})
    assert state(made, "report") == "sending"


def test_a_block_that_raises_between_its_write_and_its_report_loses_nothing() -> None:
    made = shop()
    load(made, 1)
    settle(made, until_s=1.0)

    def breaks() -> None:
        with made.pipeline.begin(RUN, step="orders") as run:
            run.write(orders(1, 2))
            _ = 1 // 0

    with pytest.raises(ZeroDivisionError):
        breaks()
    settle(made)
    assert total(made) == 3


def test_a_rescue_that_fails_is_tried_again_when_its_own_lease_runs_out() -> None:
    made = shop()
    dying = made.pipeline.begin(RUN, step="orders")
    dying.__enter__().write(orders(1, 2))
    made.clock.at += 61
    right, made.warehouse.begin = made.warehouse.begin, _unavailable  # type: ignore[method-assign]
    made.pipeline._sweeper.sweep()
    made.warehouse.begin = right  # type: ignore[method-assign]
    assert not made.told.of("rescued")
    settle(made)
    assert total(made) == 3
    del dying


def _unavailable() -> MemoryTransaction:
    raise Unavailable("in use by another process; try again")


@pytest.mark.parametrize("error", [Ambiguous("the commit got no clear answer"), Conflict("another makes the table")])
def test_what_befalls_a_table_that_is_made_before_the_write_is_no_failed_attempt(error: Exception) -> None:
    made = shop()
    load(made, 1)
    right = made.warehouse.prepare

    def befallen(*_: object, **__: object) -> None:
        made.warehouse.prepare = right  # type: ignore[method-assign]
        raise error

    made.warehouse.prepare = befallen  # type: ignore[method-assign]
    settle(made)
    assert made.warehouse.prepare == right
    assert not made.told.of("step not built")
    assert total(made) == 1


def test_a_lease_of_another_plan_is_made_good_for_its_own_document() -> None:
    made = shop()
    dying = made.pipeline.begin(RUN, step="orders")
    dying.__enter__().write(orders(1, 2))
    other = shop(plan=PLAN.replace('"shop"', '"other"').replace("raw.orders", "raw.others"), store=made.store,
                 warehouse=made.warehouse)  # fmt: skip
    other.clock.at = made.clock.at = made.clock.at + 61
    other.pipeline._sweeper.sweep()
    settle(made)
    assert total(made) == 3
    del dying


def test_an_enormous_error_is_cut_counted_and_dead_in_the_end() -> None:
    def broken(_: object) -> list[dict[str, object]]:
        raise RuntimeError("<html>" + "x" * 600_000)

    made = shop({"made:totals": broken})
    load(made, 1)
    settle(made, until_s=40_000.0)
    assert state(made, "report") == "dead"
    assert [letter.kind for letter in made.pipeline.views.dead()] == ["request"]


def test_an_enormous_message_that_is_not_understood_is_kept_cut() -> None:
    made = shop()
    said = {"kind": "completion", "step": "s" * 150_000, "run": RUN}
    made.pipeline.ports.bus.publish(Message("m1", "shop.completions", said))
    made.pipeline.work_until_idle()
    (letter,) = made.pipeline.views.dead()
    assert letter.reason.startswith("message m1: unknown step")
    assert len(letter.reason) == 2_000


def test_a_bus_that_refuses_does_not_keep_a_worker_spinning_nor_hold_back_the_others() -> None:
    made = shop()
    bus = made.pipeline.ports.bus
    right = bus.publish

    def refuses(message: Message) -> None:
        if message.topic == "shop.report.begin":
            raise Unavailable("the bus is full")
        right(message)

    bus.publish = refuses  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        load(made, 1)
    assert made.pipeline._sweeper.sweep() == 1
    assert made.pipeline._sweeper.sweep() == 0
    bus.publish = right  # type: ignore[method-assign]
    settle(made)
    assert total(made) == 1


def test_a_table_whose_receipts_are_gone_is_built_again() -> None:
    plan = (
        PLAN
        + """
[step.best]
phase = "report"
needs = ["totals"]
python = "made:best"
table = "out.best"
key = ["day"]
partition = "day"
columns = { day = "VARCHAR" }
"""
    )
    made = shop({"made:totals": totals, "made:best": lambda _: [{"day": DAY}]}, plan=plan)
    load(made, 1, 2)
    settle(made, until_s=1.0)
    made.warehouse.newest = {part: r for part, r in made.warehouse.newest.items() if part.table != "out.totals"}
    load(made, 1, 2, 3)
    settle(made)
    assert total(made) == 6
    view = {view.phase: view for view in made.pipeline.views.why(RUN)}["report"]
    assert {member.name: member.state for member in view.members} == {"totals": "fresh", "best": "fresh"}


def test_a_receipt_counts_the_repeated_keys_and_those_of_which_none_is_the_newest() -> None:
    made = shop()
    rows = [*orders(1, 2, 4), *orders(1, 5)]
    with made.pipeline.begin(RUN, step="orders") as run:
        receipt = run.write(rows)
        run.complete()
    assert (receipt.rows_in, receipt.rows, receipt.duplicates, receipt.undecided) == (5, 3, 2, 1)
