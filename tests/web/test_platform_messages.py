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
    assert kept.reason.startswith("message push.3: the plan has no step for processor Strange")
    assert odds(service)[:2] == ("fresh", 3)


def test_from_the_command_line(service: Served, night: Night) -> None:
    (night.folder / "message.json").write_text(json.dumps(said()))
    assert night("complete", "--message", "message.json", "--json").json["outcome"] == "accepted"
    (night.folder / "message.json").write_text(json.dumps(said(processor_name="Strange")))
    done = night("complete", "--message", "message.json")
    assert done.code == 2
    assert done.err.startswith("phasegate: complete: the plan has no step for processor Strange; name its step under")
    assert odds(service)[:2] == ("fresh", 3)


def began(service: Served, *, by: str = "reporter", step: str | None = "odds", **more: object) -> tuple[int, str]:
    """Begin a step by a trigger of the platform's own; return the status, and the run or the error."""
    trigger = {"source_table": "raw_files", "analysis_date": "2026-02-03", "correlation_id": "c-1", **more}
    answer = service.post("/begin", {"message": trigger, "step": step}, by=by)
    return answer.status_code, answer.json().get("run") or answer.json()["error"]


def test_a_trigger_of_the_platform_s_own_begins_the_step_of_its_run(service: Served) -> None:
    assert began(service, mode="overnight") == (200, RUN)
    assert began(service)[0] == 409


def test_a_trigger_that_is_not_understood_begins_nothing(service: Served) -> None:
    assert began(service, step=None, by="scraper") == (400, "begin: name the step beside the trigger")
    assert began(service, step="report", by="scraper")[0] == 403
    assert began(service, mode="weekly") == (400, "begin: unknown mode 'weekly'; the plan has overnight")
    status, wrong = began(service, analysis_date="2062-02-03")
    assert status == 400
    assert "2062-02-03 is" in wrong
    assert service.pipeline.ports.store.scan("phase:", limit=1) == []


def test_what_is_left_of_a_trigger_that_was_sent_begins_its_step(service: Served, night: Night) -> None:
    night.scrape(10)
    service.post("/complete", said(), by="scraper")
    service.pipeline.work_until_idle()
    service.post("/sweep")
    number = f"trigger.nba.analytics.{RUN}.1.precompute"
    trigger = {"source_table": "nba_analytics.player_game", "game_date": "2026-02-03", "correlation_id": number}
    held = service.post("/begin", {"message": trigger, "step": "report"}, by="reporter")
    assert (held.status_code, held.json()["trigger_id"]) == (200, number)
    assert set(held.json()["inputs"]) == {"analytics.player_game"}
    done = said(processor_name="ReportProcessor", correlation_id=number, lease=held.json()["lease"])
    assert service.post("/complete", done, by="reporter").json()["outcome"] == "accepted"
