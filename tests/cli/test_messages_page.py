"""The reference page of the messages says what the code reads and sends."""

import json
import re

import msgspec
import pytest

from phasegate import messages
from phasegate.base import keys
from phasegate.gate import outbox
from phasegate.plan.gate import Status
from tests.support.commands import RUN, Night
from tests.support.docs_runner import split
from tests.support.real_data import ROOT

PAGE = (ROOT / "docs" / "reference" / "messages.md").read_text()
KINDS: dict[str, type[msgspec.Struct]] = {
    "Trigger": messages.TriggerMessage,
    "Request": messages.RequestMessage,
    "Completion": messages.CompletionMessage,
}


def section(kind: str) -> str:
    return PAGE.partition(f"\n## {kind}\n")[2].partition("\n## ")[0]


def documented(kind: str) -> set[str]:
    return set(re.findall(r"^\| `(\w+)` \|", section(kind).partition("\n| status |")[0], re.MULTILINE))


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_lists_every_field_and_no_other(kind: str) -> None:
    fields = {field.name for field in msgspec.structs.fields(KINDS[kind])} | {"kind"}
    assert documented(kind) - ({"date"} if kind == "Trigger" else set()) == fields


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_the_page_is_understood(kind: str) -> None:
    (example,) = [block.text for block in split(section(kind))[0] if block.language == "json"]
    assert type(messages.parse(json.loads(example), where="page")) is KINDS[kind]


def test_the_page_lists_every_status() -> None:
    statuses = re.findall(r"^\| `(\w+)` \|", section("Completion").partition("\n| status |")[2], re.MULTILINE)
    assert set(statuses) == set(Status.__args__)  # type: ignore[attr-defined]


def test_what_is_sent_has_exactly_the_documented_fields(night: Night) -> None:
    night.scrape(10)
    night("complete", "odds", "--run", RUN)
    with night.pipeline() as pipeline:
        run = keys.parse_run(RUN)
        phase = pipeline.runs.read("raw", run)
        assert phase is not None
        due = night.clock.at + 3600
        (trigger,) = outbox.outgoing(phase, key=keys.phase_key("nba", "raw", run=run), now=due)
        assert trigger.body.keys() == documented("Trigger") - {"more"}
        pipeline.serve_one()
        phase = pipeline.runs.read("analytics", run)
        assert phase is not None
        (request,) = outbox.outgoing(phase, key=keys.phase_key("nba", "analytics", run=run), now=due)
        assert request.body.keys() == documented("Request")
