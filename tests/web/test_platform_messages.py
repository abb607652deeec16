"""Completions in the form of the platform's services, by every way in: HTTP, a push, the command line."""

import base64
import json
from collections.abc import Iterator

import pytest

from tests.support.commands import PLAN, RUN, Night
from tests.support.service import Served, served


@pytest.fixture
def service(night: Night) -> Iterator[Served]:
    """Give a service whose plan takes messages in the platform's form."""
    (night.folder / "plan.toml").write_text(PLAN + '\n[platform]\nprocessors = { OddsScraper = "odds" }\n')
    with served(night.folder, clock=night.clock) as one:
        yield one


def said(**more: object) -> dict[str, object]:
    return {
        "processor_name": "OddsScraper", "phase": "phase_2_raw", "execution_id": "e-1", "correlation_id": "c-1",
        "game_date": "2026-02-03", "status": "success", "record_count": 3, "timestamp": "2026-02-04T06:00:00+00:00",
        **more,
    }  # fmt: skip


def push(service: Served, body: dict[str, object], *, number: str, at: str = "2026-02-04T07:00:00Z") -> int:
    data = base64.b64encode(json.dumps(body).encode()).decode()
    envelope = {"message": {"data": data, "messageId": number, "publishTime": at}}
    return service.post("/pubsub/push", envelope, by="scraper").status_code


def odds(service: Served) -> tuple[str, int | None, str]:
    (raw,) = [view for view in service.pipeline.views.why(RUN) if view.phase == "raw"]
    (found,) = [member for member in raw.members if member.name == "odds"]
    return found.state, found.rows, found.last


def test_over_http(service: Served) -> None:
    for outcome in ("accepted", "duplicate"):
        answer = service.post("/complete", said(), by="scraper")
        assert (answer.status_code, answer.json()["outcome"], answer.json()["step"]) == (200, outcome, "odds")
    older = said(execution_id="e-0", timestamp="2026-02-04T05:00:00+00:00")
    assert service.post("/complete", older, by="scraper").status_code == 409
    assert service.post("/complete", said(processor_name="gamebook"), by="scraper").status_code == 403
    strange = service.post("/complete", said(processor_name="Strange"), by="scraper")
    assert strange.status_code == 400
    assert "the plan has no step for processor Strange; name its step under [platform]" in strange.json()["error"]
    assert odds(service)[:2] == ("fresh", 3)


def test_a_step_that_is_held_is_completed(service: Served) -> None:
    held = service.post("/begin", {"run": RUN, "step": "odds"}, by="scraper").json()
    done = service.post("/complete", said(lease=held["lease"]), by="scraper")
    assert (done.status_code, done.json()["outcome"]) == (200, "accepted")


def test_what_is_pushed_is_ordered_by_its_own_time_and_not_by_that_of_its_delivery(service: Served) -> None:
    assert push(service, said(execution_id="new"), number="1") == 204
    assert odds(service) == ("fresh", 3, "accepted")
    older = said(execution_id="old", record_count=9, timestamp="2026-02-04T05:00:00+00:00")
    assert push(service, older, number="2", at="2026-02-04T08:00:00Z") == 204
    assert odds(service)[:2] == ("fresh", 3)
    assert push(service, said(processor_name="Strange"), number="3") == 204
    assert push(service, said(processor_name="gamebook"), number="4") == 403
    (kept,) = service.pipeline.views.quarantined()
    assert kept.reason.startswith("message 3: the plan has no step for processor Strange")
    assert odds(service)[:2] == ("fresh", 3)


def test_from_the_command_line(service: Served, night: Night) -> None:
    (night.folder / "message.json").write_text(json.dumps(said()))
    assert night("complete", "--message", "message.json", "--json").json["outcome"] == "accepted"
    (night.folder / "message.json").write_text(json.dumps(said(processor_name="Strange")))
    done = night("complete", "--message", "message.json")
    assert done.code == 2
    assert done.err.startswith("phasegate: complete: the plan has no step for processor Strange; name its step under")
    assert odds(service)[:2] == ("fresh", 3)
