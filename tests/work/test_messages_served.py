"""What a worker does with each message: served, quarantined with its reason, or postponed."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from phasegate.base.keys import parse_run
from phasegate.base.receipt import execution_stamp
from phasegate.bus import Message
from phasegate.errors import BadInput, NotFound, Unavailable
from phasegate.warehouse import Reader
from phasegate.warehouses.memory.warehouse import MemoryWarehouse
from phasegate.work.worker import TRIES_MAX
from tests.support.pipelines import DAY, LETTERS, RUN, Shop, load, orders, phase, ready, settle, shop


def publish(made: Shop, body: dict[str, object], *, topic: str = "shop.completions", name: str = "m1") -> None:
    made.pipeline.ports.bus.publish(Message(name, topic, body))
    made.pipeline.work_until_idle()


def reasons(made: Shop) -> list[str]:
    return [letter.reason for letter in made.pipeline.views.quarantined()]


class Outage(MemoryWarehouse):
    """A warehouse whose server can be away."""

    is_down = False

    @contextmanager
    def snapshot(self) -> Iterator[Reader]:
        if self.is_down:
            raise Unavailable("the server restarts")
        with super().snapshot() as reader:
            yield reader


def letter(**more: object) -> dict[str, object]:
    return {"kind": "completion", "step": "letter", "run": RUN, "execution_id": "l1", "sequence": 1, **more}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (letter(step="lettr"), "message m1: unknown step 'lettr'; the plan has orders, rates, totals, letter"),
        (letter(step="totals"), "message m1: step totals is built by Phasegate; only its worker reports it"),
        (letter(sequence=None), "message m1: nothing says how new it is; add sequence, or completed_at"),
        (letter(execution_id=""), "message m1: step letter has no table to read; give an execution_id for its content"),
        (letter(step="", trigger_id=f"trigger.shop.load.{RUN}.7.report"),
         f"message m1: no trigger trigger.shop.load.{RUN}.7.report waits for a completion; send its id back unchanged"),
        (letter(step="", trigger_id=f"trigger.market.load.{RUN}.1.report"),
         f"message m1: trigger_id 'trigger.market.load.{RUN}.1.report' is of no phase of pipeline 'shop'"),
        (letter(trigger_id=f"trigger.shop.lode.{RUN}.1.report"),
         f"message m1: trigger_id 'trigger.shop.lode.{RUN}.1.report' is of no phase of pipeline 'shop'"),
        ({"kind": "request", "id": "m1", "pipeline": "market", "phase": "report", "step": "totals", "run": RUN,
          "inputs": {}}, "message m1: is of pipeline 'market', this is 'shop'"),
        ({"kind": "trigger", "id": "m1", "pipeline": "shop", "phase": "report", "run": RUN, "generation": 1,
          "receiver": "load", "stamps": {}}, "trigger m1: no phase 'load' comes after 'report' in this plan"),
    ],
)  # fmt: skip
def test_a_message_that_cannot_be_served_is_quarantined_with_its_reason_and_changes_nothing(
    body: dict[str, object], reason: str
) -> None:
    made = ready()
    before = phase(made, "load"), phase(made, "report")
    publish(made, {name: value for name, value in body.items() if value is not None})
    assert reasons(made) == [reason]
    assert made.told.of("served")[-1]["outcome"] == "quarantined"
    assert (phase(made, "load"), phase(made, "report")) == before


def test_a_completion_is_built_from_the_trigger_that_it_echoes_or_else_from_nothing_that_is_known() -> None:
    made = ready()
    stamps = phase(made, "load").firings[-1].stamps
    publish(made, letter(trigger_id=f"trigger.shop.load.{RUN}.1.report"))
    result = phase(made, "report").result_of("letter")
    assert result is not None
    assert result.built_from == {"load.orders": stamps["orders"]}
    load(made, 1, 2, 4)
    settle(made)
    publish(made, letter(trigger_id=f"trigger.shop.load.{RUN}.1.report", sequence=2, execution_id="l2"), name="m2")
    result = phase(made, "report").result_of("letter")
    assert result is not None
    assert result.built_from != {"load.orders": stamps["orders"]}, "the echo is of an older generation"
    publish(made, letter(trigger_id=f"trigger.shop.load.{RUN}.2.report", sequence=3, execution_id="l3"), name="m3")
    result = phase(made, "report").result_of("letter")
    assert result is not None
    assert result.stamp == execution_stamp("l3")
    assert result.built_from == {"load.orders": phase(made, "load").firings[-1].stamps["orders"]}


@pytest.mark.parametrize(
    ("trigger", "attested"),
    [
        (f"trigger.shop.load.{RUN}.1.report", True),
        ("", False),
        (f"trigger.shop.load.{RUN}.2.report", False),
        (f"trigger.shop.load.{RUN}.1.mailer", False),
        ("trigger.shop.load.2026-02-04.daily.1.report", False),
        (f"trigger.shop.report.{RUN}.1.report", False),
    ],
)
def test_only_the_trigger_of_its_run_and_phase_attests_what_a_completion_was_built_from(
    trigger: str, attested: bool
) -> None:
    made = ready()
    publish(made, letter(trigger_id=trigger))
    result = phase(made, "report").result_of("letter")
    assert result is not None
    assert result.attested is attested
    assert result.built_from == {"load.orders": phase(made, "load").firings[-1].stamps["orders"]}


def test_what_a_worker_does_for_a_message_says_message_trigger_or_request_step_and_run() -> None:
    made = ready()
    made.told.clear()
    trigger = f"trigger.shop.load.{RUN}.1.report"
    publish(made, letter(trigger_id=trigger))
    for name in ("decided", "result accepted", "served"):
        (*_, one) = made.told.in_context(name)
        assert (one["message"], one["trigger"], one["step"], one["run"]) == ("m1", trigger, "letter", RUN)
    made.told.clear()
    load(made, 1, 2, 4)
    settle(made)
    sent = {str(one["message"]) for one in made.told.in_context("sent")}
    second = f"trigger.shop.load.{RUN}.2.report"
    assert second in sent
    (begun,) = [one for one in made.told.in_context("decided") if one["command"] == "begin"]
    assert (begun["message"], begun["trigger"], begun["run"]) == (second, second, RUN)
    (served,) = [one for one in made.told.in_context("served") if one["message"] == second]
    assert (served["trigger"], served["run"]) == (second, RUN)
    (built,) = made.told.in_context("attempt ended")[1:]
    request = str(built["request"])
    assert request in sent
    for name in ("writing", "written", "lease held", "attempt ended", "served"):
        (*_, one) = made.told.in_context(name)
        assert (one["message"], one["request"], one["step"], one["run"]) == (request, request, "totals", RUN)
        assert name == "served" or one["token"] == built["token"]


def test_what_is_built_by_a_call_says_request_step_and_run_and_no_message() -> None:
    made = shop()
    load(made, 1, 2)
    settle(made)
    made.told.clear()
    assert made.pipeline.rerun("totals", parse_run(RUN)) == "accepted"
    (ended,) = made.told.of("attempt ended")
    for name in ("writing", "written", "lease held", "result accepted"):
        (one,) = made.told.in_context(name)
        assert (one["request"], one["step"], one["run"]) == (ended["request"], "totals", RUN)
        assert not {"message", "trigger"} & one.keys()


def test_what_a_call_reports_says_step_and_run_and_nothing_of_the_call_before() -> None:
    made = ready()
    made.told.clear()
    made.pipeline.complete({"step": "letter", "run": RUN, "execution_id": "l1"})
    (accepted,) = made.told.in_context("result accepted")
    assert (accepted["step"], accepted["run"]) == ("letter", RUN)
    assert not {"trigger", "message", "request"} & made.told.in_context("decided")[0].keys()


def test_a_failed_report_acknowledges_no_trigger_and_a_good_one_does() -> None:
    made = shop()
    load(made, 1)
    settle(made, until_s=1.0)
    trigger = f"trigger.shop.report.{RUN}.1.mailer"
    publish(made, {"kind": "completion", "trigger_id": trigger, "status": "failed", "sequence": 1})
    assert reasons(made) == [f"message m1: {trigger} ended as failed: no reason given"]
    assert [entry.state for entry in phase(made, "report").outbox] == ["sent"]
    publish(made, {"kind": "completion", "trigger_id": trigger, "sequence": 2}, name="m2")
    last = made.told.of("served")[-1]
    assert (last["message"], last["outcome"]) == ("m2", "acknowledged")
    assert all(entry.state != "sent" for entry in phase(made, "report").outbox)


def test_an_outage_postpones_a_message_however_long_it_is() -> None:
    warehouse = Outage()
    made = shop(warehouse=warehouse)
    load(made, 1)
    warehouse.is_down = True
    for _ in range(2 * TRIES_MAX):
        made.clock.at += 86_400.0
        made.pipeline.work_until_idle()
    assert TRIES_MAX + 1 in [one["tries"] for one in made.told.of("message failed")]
    assert reasons(made) == []
    warehouse.is_down = False
    settle(made)
    assert phase(made, "report").result_of("totals") is not None
    assert [letter.kind for letter in made.pipeline.views.dead()] == ["trigger"], "its foreign receiver was silent"


def test_an_error_that_may_pass_postpones_a_message_until_its_tries_are_used_up() -> None:
    made = ready()
    broken = made.pipeline._worker._gatekeeper.report
    made.pipeline._worker._gatekeeper.report = _raise  # type: ignore[method-assign, assignment]
    publish(made, letter())
    assert reasons(made) == []
    assert made.told.of("message failed")[0]["tries"] == 1
    for _ in range(TRIES_MAX + 5):
        made.clock.at += 86_400.0
        made.pipeline.work_until_idle()
    assert len([one for one in made.told.of("message failed") if one["message"] == "m1"]) == TRIES_MAX
    assert reasons(made) == [f"gave up after {TRIES_MAX} tries: RuntimeError: the database restarts"]
    made.pipeline._worker._gatekeeper.report = broken  # type: ignore[method-assign]


def _raise(*_: object, **__: object) -> None:
    raise RuntimeError("the database restarts")


def test_a_call_is_answered_as_a_message_is() -> None:
    made = ready()
    with pytest.raises(NotFound, match="unknown step 'lettr'"):
        made.pipeline.complete({"step": "lettr", "run": RUN, "execution_id": "l1"})
    made.pipeline.complete(letter(sequence=3))
    with pytest.raises(BadInput, match="it is in quarantine: phasegate redrive quarantine:"):
        made.pipeline.complete(letter(sequence=None, completed_at=made.clock.at, execution_id="l2", error=""))
    (stored,) = made.store.scan("quarantine:")
    assert stored.body["topic"] == "shop.completions"
    assert stored.body["body"] == {
        "kind": "completion", "step": "letter", "status": "success", "run": RUN, "execution_id": "l2",
        "completed_at": made.clock.at, "missing": [],
    }  # fmt: skip
    with pytest.raises(BadInput, match=r"step totals is built by Phasegate"):
        made.pipeline.complete({"step": "totals", "run": RUN})


def test_a_step_that_the_run_s_gate_does_not_have_is_refused_with_the_mend() -> None:
    made = shop()
    load(made, 1)
    later = shop(plan=LETTERS, store=made.store, warehouse=made.warehouse)
    with pytest.raises(BadInput, match=rf"step rates is no member of load in run {RUN}; see phasegate why {RUN}"):
        later.pipeline.complete({"step": "rates", "run": RUN, "execution_id": "r1"})


def test_what_a_reporter_says_that_its_table_lacks_is_kept_with_the_table_s_content() -> None:
    made = shop()
    table = made.pipeline.plan.steps["orders"].table
    assert table is not None
    made.warehouse.create(table)
    made.warehouse.put_rows(table, orders(1, 2), partition=DAY)  # as a scraper that knows no Phasegate writes
    publish(
        made,
        {
            "kind": "completion",
            "step": "orders",
            "run": RUN,
            "status": "partial",
            "missing": ["order 3"],
            "sequence": 1,
        },
    )
    result = phase(made, "load").result_of("orders")
    assert result is not None
    assert result.lacks is not None
    assert (result.rows, result.lacks.missing, result.lacks.count) == (2, ("order 3",), 1)
    assert reasons(made) == []
