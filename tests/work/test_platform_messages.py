"""Completions in the form of the platform's services: taken as the plan says, and as any other completion."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasegate import load_plan
from phasegate.base.exported import Exported
from phasegate.base.receipt import execution_stamp
from phasegate.bus import Message
from phasegate.errors import BadInput
from phasegate.interop.transfer import send_arrivals
from phasegate.messages import CompletionMessage, meant_by_platform, parse
from tests.support.pipelines import LETTERS, RUN, Shop, load, phase, settle, shop, state

PLAN = (
    LETTERS
    + """
[platform]
processors = { TheLetterWriter = "letter" }
"""
)
NOW = 1_770_200_000.0  # 2026-02-04 10:13 UTC


def said(**more: object) -> dict[str, object]:
    """Return what a processor of the platform publishes."""
    return {
        "processor_name": "RatesProcessor", "phase": "phase_2_raw", "execution_id": "e-1", "correlation_id": "c-1",
        "game_date": "2026-02-03", "output_table": "nba_raw.rates", "status": "success", "record_count": 348,
        "timestamp": "2026-02-04T06:00:00+00:00", "metadata": {"season": 2025}, **more,
    }  # fmt: skip


def read(**more: object) -> CompletionMessage:
    found = parse(said(**more), where="m", plan=load_plan(PLAN))
    assert isinstance(found, CompletionMessage)
    return found


def publish(made: Shop, body: dict[str, object], *, name: str = "m1") -> None:
    made.pipeline.ports.bus.publish(Message(name, "shop.completions", body))
    made.pipeline.work_until_idle()


def test_a_completion_of_the_platform_is_one_of_ours() -> None:
    assert read() == CompletionMessage(
        step="rates", status="success", date="2026-02-03", rows=348, execution_id="e-1",
        completed_at="2026-02-04T06:00:00+00:00",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("success", "success"),
        ("partial", "partial"),
        ("no_data", "empty"),
        ("failed", "failed"),
        ("skipped", "skipped"),
        ("NO_DATA", "empty"),
        ("error", "failed"),
    ],
)
def test_each_status_is_ours(theirs: str, ours: str) -> None:
    assert read(status=theirs).status == ours


@pytest.mark.parametrize(
    ("processor", "step"),
    [("RatesProcessor", "rates"), ("rates", "rates"), ("TheLetterWriter", "letter"), ("LetterProcessor", "letter")],
)
def test_a_processor_is_the_step_of_its_name_unless_the_plan_names_another(processor: str, step: str) -> None:
    assert read(processor_name=processor).step == step


@pytest.mark.parametrize(
    ("more", "field", "value"),
    [
        ({"record_count": None}, "rows", None),
        ({"completed_at": "2026-02-04T09:00:00Z"}, "completed_at", "2026-02-04T06:00:00+00:00"),
        ({"timestamp": None, "completed_at": 5.0}, "completed_at", 5.0),
        ({"error_message": "no box score"}, "error", "no box score"),
        ({"error_message": None}, "error", ""),
        ({"mode": "daily"}, "mode", "daily"),
        ({"kind": "completion"}, "step", "rates"),
    ],
)
def test_fields_that_may_be_there(more: dict[str, object], field: str, value: object) -> None:
    assert getattr(read(**more), field) == value


@pytest.mark.parametrize(
    ("correlation", "more", "trigger"),
    [
        (f"trigger.shop.load.{RUN}.1.report", {}, f"trigger.shop.load.{RUN}.1.report"),
        ("c-1", {}, ""),
        (None, {}, ""),
        (7, {}, ""),
        (f"trigger.market.load.{RUN}.1.report", {}, ""),
        (f"trigger.shop.report.{RUN}.1.mailer", {}, ""),
        ("trigger.shop.load.2026-02-02.daily.1.report", {}, ""),
        (f"trigger.shop.load.{RUN}.1.report", {"trigger_id": "mine"}, "mine"),
    ],
)
def test_the_correlation_id_is_the_trigger_only_if_it_is_one_that_the_step_begins_by(
    correlation: object, more: dict[str, Any], trigger: str
) -> None:
    assert read(processor_name="LetterProcessor", correlation_id=correlation, **more).trigger_id == trigger


def test_a_message_on_the_bus_counts_once() -> None:
    made = shop(plan=PLAN)
    for name in ("m1", "m2", "m3"):
        publish(made, said(), name=name)
    result = phase(made, "load").result_of("rates")
    assert result is not None
    assert (result.stamp, result.rows) == (execution_stamp("e-1"), 348)
    assert made.pipeline.views.quarantined() == []


def test_an_older_message_that_arrives_late_does_not_count() -> None:
    made = shop(plan=PLAN)
    made.clock.at = NOW
    publish(made, said(execution_id="new"))
    publish(made, said(execution_id="old", timestamp="2026-02-04T05:00:00+00:00"), name="m2")
    result = phase(made, "load").result_of("rates")
    assert result is not None
    assert result.stamp == execution_stamp("new")


def test_a_completion_that_echoes_its_trigger_acknowledges_it() -> None:
    made = shop(plan=PLAN)
    load(made, 1)
    publish(made, said())
    settle(made)
    body = said(processor_name="LetterProcessor", correlation_id=f"trigger.shop.load.{RUN}.1.report")
    assert made.pipeline.complete(body).outcome == "accepted"
    assert made.pipeline.complete(body).outcome == "duplicate"
    settle(made)
    assert state(made, "report") == "complete"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (said(processor_name="StrangeProcessor"),
         "message m1: the plan has no step for processor StrangeProcessor; name its step under [platform] processors, "
         'such as StrangeProcessor = "STEP", then redrive this message'),
        (said(processor_name=None), "message m1: processor_name is None; it must be the name of a processor"),
        (said(processor_name="TotalsProcessor"),
         "message m1: step totals is built by Phasegate; only its worker reports it"),
        (said(status="meh"), "message m1: completion message: Invalid enum value 'meh' - at `$.status`"),
        (said(record_count=-1), "message m1: completion message: Expected `int` >= 0 - at `$.rows`"),
        (said(timestamp="2026-02-04T06:00:00"),
         "message m1: completed_at '2026-02-04T06:00:00' has no time zone; add +00:00 or Z"),
        (said(timestamp=None), "message m1: nothing says how new it is; add sequence, or completed_at"),
        (said(game_date=None), "message m1: names no run; add run = DATE.MODE, or date"),
        (said(mode="weekly"), "message m1: unknown mode 'weekly'; the plan has daily"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_in_quarantine_and_does_not_count(body: dict[str, object], reason: str) -> None:
    made = shop(plan=PLAN)
    publish(made, body)
    (kept,) = made.pipeline.views.quarantined()
    assert kept.reason == reason
    assert not made.store.scan("phase:", limit=1)


def test_a_message_in_quarantine_counts_once_the_plan_has_its_processor() -> None:
    made = shop(plan=PLAN)
    publish(made, said(processor_name="StrangeProcessor"))
    (kept,) = made.store.scan("quarantine:shop:", limit=9)
    other = shop(plan=PLAN.replace("TheLetterWriter", "StrangeProcessor"), store=made.store)
    other.pipeline.runs.quarantine.redrive(kept.key)
    settle(other)
    assert phase(other, "report").result_of("letter") is not None


def test_a_plan_that_does_not_take_the_form_says_what_to_add() -> None:
    made = shop(plan=LETTERS)
    publish(made, said())
    (kept,) = made.pipeline.views.quarantined()
    assert kept.reason == (
        "message m1: processor RatesProcessor reports in the platform's form, which the plan does not take; add the "
        "table [platform] to it, then redrive this message"
    )
    with pytest.raises(BadInput, match="which the plan does not take"):
        made.pipeline.complete(said())


def test_an_imported_document_has_the_same_names() -> None:
    body: dict[str, object] = {"TheLetterWriter": {"completed_at": 1_770_185_520, "status": "no_data"}}
    made = shop(plan=PLAN)
    found = send_arrivals([Exported(place="p", id="2026-02-03", body=body)], made.pipeline.plan, None)
    assert [(one.body["step"], one.body["status"], one.problem) for one in found.arrivals] == [("letter", "empty", "")]


LOADED = load_plan(PLAN)
NAMES = [
    "kind",
    "step",
    "date",
    "rows",
    "sequence",
    "completed_at",
    "trigger_id",
    "source_table",
    "analysis_date",
    *said(),
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    | st.sampled_from([str(value) for value in said().values()] + [f"trigger.shop.load.{RUN}.1.report", "trigger.a.b"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2), max_leaves=4,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_whatever_is_sent_is_understood_or_refused(body: dict[str, object]) -> None:
    for sent in (body, {**said(), **body}):
        with suppress(BadInput):
            assert isinstance(parse(sent, where="m", plan=LOADED), CompletionMessage)
        with suppress(BadInput):
            meant = meant_by_platform(sent, LOADED, step="letter", where="m")
            date = sent.get("analysis_date") or sent.get("game_date")
            assert meant in ("", f"{date}.daily", sent.get("correlation_id"))
