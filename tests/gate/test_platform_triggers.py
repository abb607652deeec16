"""Triggers in the form of the platform's services: one for each table, and one trigger for all of them."""

from typing import Any

import pytest

from phasegate.base.keys import parse_run
from phasegate.bus import Message
from phasegate.errors import BadInput, NotFound, Unavailable
from tests.support.pipelines import LETTERS, RUN, Shop, load, settle, shop, state

PRICES = """
[step.prices]
phase = "load"
external = true
table = "raw.prices"
key = ["day"]
partition = "day"
write = "replace"
columns = { day = "VARCHAR" }
"""
TRIGGER = f"trigger.shop.load.{RUN}.1.report"
FORM = '{ topic = "next", ack = "begin", form = "platform" }, { topic = "audit", ack = "publish", form = "platform" }'
PLAN = LETTERS.replace("[phase.load]\n", f"[phase.load]\nsends = [{FORM}]\n") + PRICES + "[platform]\n"


def published(made: Shop) -> list[Message]:
    """Return a list that gets every message to the two receivers."""
    sent = list[Message]()
    publish = made.pipeline.ports.bus.publish

    def listen(message: Message, /) -> None:
        if message.topic in ("next", "audit"):
            sent.append(message)
        publish(message)

    made.pipeline.ports.bus.publish = listen  # type: ignore[method-assign]
    return sent


def fired(plan: str = PLAN) -> tuple[Shop, list[Message]]:
    """Return a shop whose first phase has fired, and what it published then."""
    made = shop(plan=plan)
    sent = published(made)
    load(made, 1)
    with made.pipeline.begin(RUN, step="prices") as step:
        step.write([{"day": "2026-02-03"}])
        step.complete()
    made.pipeline.complete({"step": "rates", "run": RUN, "execution_id": "r1"})
    return made, list(sent)


def test_there_is_one_for_each_table_in_the_platform_s_form() -> None:
    _, sent = fired()
    told = [(m.topic, m.id, m.body["source_table"]) for m in sent]
    audit = TRIGGER.replace("report", "audit")
    assert told == [
        ("next", f"{TRIGGER}.orders", "raw.orders"),
        ("next", f"{TRIGGER}.prices", "raw.prices"),
        ("audit", f"{audit}.orders", "raw.orders"),
        ("audit", f"{audit}.prices", "raw.prices"),
    ]
    theirs = ("analysis_date", "game_date", "correlation_id", "trigger_source", "mode")
    assert [sent[0].body[name] for name in theirs] == ["2026-02-03", "2026-02-03", TRIGGER, "phasegate", "daily"]


def test_they_are_one_trigger_which_begins_the_phase_once() -> None:
    made, sent = fired()
    settle(made)
    for message in sent[:2]:
        made.pipeline.ports.bus.publish(Message("again", "next", message.body))
    made.pipeline.work_until_idle()
    document, upstream = (made.pipeline.runs.read(name, parse_run(RUN)) for name in ("report", "load"))
    assert document is not None
    assert upstream is not None
    assert document.inputs["load"].generation == 1
    assert [(e.receiver, e.state) for e in upstream.outbox] == [("report", "acked"), ("audit", "acked")]
    assert made.pipeline.views.quarantined() == []


def test_all_are_sent_again_when_the_bus_refused_one() -> None:
    made = shop(plan=PLAN)
    bus, sent = made.pipeline.ports.bus, list[str]()
    publish, refused = bus.publish, {f"{TRIGGER}.prices"}

    def broken(message: Message, /) -> None:
        if message.id in refused:
            raise Unavailable("the bus is away")
        sent.append(message.id)
        publish(message)

    bus.publish = broken  # type: ignore[method-assign]
    load(made, 1)
    with made.pipeline.begin(RUN, step="prices") as step:
        step.write([{"day": "2026-02-03"}])
        step.complete()
    with pytest.raises(Unavailable):
        made.pipeline.complete({"step": "rates", "run": RUN, "execution_id": "r1"})
    refused.clear()
    settle(made)
    assert sent.count(f"{TRIGGER}.orders") == 2
    assert sent.count(f"{TRIGGER}.prices") == 1
    upstream = made.pipeline.runs.read("load", parse_run(RUN))
    assert upstream is not None
    assert [(e.receiver, e.state) for e in upstream.outbox] == [("report", "acked"), ("audit", "acked")]


def test_a_receiver_that_says_nothing_gets_ours() -> None:
    _, sent = fired(PLAN.replace(', ack = "publish", form = "platform"', ', ack = "publish"'))
    (audit,) = [m for m in sent if m.topic == "audit"]
    assert "source_table" not in audit.body
    assert audit.id == audit.body["id"]


def test_a_table_whose_step_is_missing_is_not_among_them() -> None:
    degraded = PLAN.replace("[phase.load]\n", '[phase.load]\nmodes.daily = { expect = "*", deadline = "open + 1h" }\n')
    made = shop(plan=degraded)
    sent = published(made)
    load(made, 1)
    settle(made, until_s=4_000.0)
    (next_,) = [m for m in sent if m.topic == "next"]
    assert (next_.body["source_table"], next_.body["missing"]) == ("raw.orders", ["rates", "prices"])


def test_without_any_table_there_is_one_message_that_names_none() -> None:
    degraded = PLAN.replace("[phase.load]\n", '[phase.load]\nmodes.daily = { expect = "*", deadline = "open + 1h" }\n')
    made = shop(plan=degraded)
    sent = published(made)
    made.pipeline.complete({"step": "rates", "run": RUN, "execution_id": "r1"})
    settle(made, until_s=4_000.0)
    (next_,) = [m for m in sent if m.topic == "next"]
    assert (next_.id, next_.body["source_table"]) == (TRIGGER, None)


def theirs(**more: Any) -> dict[str, object]:
    """Return a trigger of which only the platform's own fields came through."""
    body = {"source_table": "raw.orders", "analysis_date": "2026-02-03", "game_date": "2026-02-03",
            "correlation_id": TRIGGER, "trigger_source": "phasegate", "mode": "daily", **more}  # fmt: skip
    return {name: value for name, value in body.items() if value is not None}


def test_begin_takes_what_was_sent_and_what_is_left_of_it() -> None:
    made, sent = fired()
    for trigger in (sent[0].body, theirs(), TRIGGER):
        with made.pipeline.begin(trigger) as step:
            assert (step.date, step.mode, step.trigger_id) == ("2026-02-03", "daily", TRIGGER)
            assert set(step.inputs) == {"load.orders"}
            step.complete(execution_id="l1")
    settle(made)
    assert state(made, "report") == "complete"


@pytest.mark.parametrize(
    "more",
    [
        {"correlation_id": "c-1"},
        {"correlation_id": None, "game_date": None, "mode": None},
        {"correlation_id": TRIGGER.replace("shop", "market")},
        {"correlation_id": TRIGGER.replace("2026-02-03", "2026-02-02")},
        {"correlation_id": TRIGGER, "step": "rates"},
        {"correlation_id": 7, "analysis_date": None},
    ],
)
def test_begin_takes_a_trigger_of_the_platform_s_own_for_its_run(more: dict[str, object]) -> None:
    made = shop(plan=PLAN)
    step = str(more.get("step", "letter"))
    with made.pipeline.begin(theirs(**more), step=step) as begun:
        assert (begun.date, begun.mode) == ("2026-02-03", "daily")
        begun.fail("enough")


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"analysis_date": None, "game_date": None}, "must name one date, and give none"),
        ({"game_date": "2026-02-04"}, "must name one date, and give 2026-02-03 and 2026-02-04"),
        ({"analysis_date": "soon", "game_date": None}, "date 'soon': write YYYY-MM-DD"),
        ({"correlation_id": None, "mode": "weekly"}, "unknown mode 'weekly'; the plan has daily"),
        ({"correlation_id": None, "mode": ["daily"]}, "unknown mode \"['daily']\"; the plan has daily"),
    ],
)
def test_begin_refuses_what_it_cannot_read(more: dict[str, object], wrong: str) -> None:
    with pytest.raises(BadInput) as caught:
        shop(plan=PLAN).pipeline.begin(theirs(**more), step="letter").__enter__()
    assert wrong in str(caught.value)


def test_begin_refuses_a_trigger_that_was_never_fired_and_a_plan_without_the_form() -> None:
    made = shop(plan=PLAN)
    for number in (TRIGGER, TRIGGER.replace("shop", "market"), TRIGGER.replace("load", "lode")):
        with pytest.raises(NotFound, match=r"is stored; begin by the run: 2026-02-03\.daily"):
            made.pipeline.begin(number, step="letter").__enter__()
    with pytest.raises(BadInput, match=r"add the table \[platform\] to it, or send a run"):
        shop(plan=LETTERS).pipeline.begin(theirs(), step="letter").__enter__()
