"""External steps that are begun, extended and completed over HTTP."""

from typing import Any

from tests.support.commands import RUN, Night
from tests.support.service import Served

ODDS = {"run": RUN, "step": "odds"}


def held(service: Served, **more: object) -> dict[str, Any]:
    answer = service.post("/begin", {**ODDS, **more}, by="scraper")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_step_is_held_by_one_caller_until_it_is_completed(service: Served) -> None:
    first = held(service)
    assert (first["step"], first["date"], first["mode"], first["needed"]) == ("odds", "2026-02-03", "overnight", True)
    busy = service.post("/begin", ODDS, by="reporter")
    assert (busy.status_code, busy.json()["kind"], busy.headers["retry-after"]) == (409, "busy", "10")
    done = service.post("/complete", {**ODDS, "lease": first["lease"], "rows": 3}, by="scraper")
    assert (done.status_code, done.json()["outcome"]) == (200, "accepted")
    assert held(service)["token"] == first["token"] + 1


def test_a_dead_caller_loses_its_step_when_the_lease_expires(service: Served, night: Night) -> None:
    dead = held(service, ttl_s=30)
    night.clock.at += 31
    other = held(service)
    for path, body in (("/begin", ODDS), ("/complete", {**ODDS, "rows": 3})):
        answer = service.post(path, {**body, "lease": dead["lease"]}, by="scraper")
        assert (answer.status_code, answer.json()["kind"]) == (409, "lease lost")
    assert service.post("/complete", {**ODDS, "lease": other["lease"]}, by="scraper").status_code == 200


def test_a_lease_is_extended_by_beginning_again_with_it(service: Served, night: Night) -> None:
    first = held(service, ttl_s=30)
    for _ in range(3):
        night.clock.at += 25
        again = held(service, ttl_s=30, lease=first["lease"])
        assert (again["lease"], again["until"] > first["until"]) == (first["lease"], True)
    assert service.post("/begin", ODDS, by="reporter").status_code == 409
    assert service.post("/complete", {**ODDS, "lease": first["lease"]}, by="scraper").status_code == 200


def test_a_lease_that_expired_and_that_nobody_took_is_still_its_callers(service: Served, night: Night) -> None:
    first = held(service, ttl_s=30)
    night.clock.at += 3_000
    assert held(service, lease=first["lease"])["token"] == first["token"]


def test_an_expired_lease_is_freed_by_a_sweep(service: Served, night: Night) -> None:
    first = held(service, ttl_s=30)
    night.clock.at += 31
    assert service.post("/sweep").json()["exit_code"] == 0
    lost = service.post("/begin", {**ODDS, "lease": first["lease"]}, by="scraper")
    assert lost.json()["kind"] == "lease lost"
    assert "free" not in night("leases", "--json").out
    held(service)


def test_a_completion_whose_answer_was_lost_is_sent_again(service: Served) -> None:
    first = held(service)
    body = {**ODDS, "lease": first["lease"], "execution_id": "e1", "sequence": 1}
    outcomes = [service.post("/complete", body, by="scraper").json()["outcome"] for _ in range(2)]
    assert outcomes == ["accepted", "duplicate"]


def test_a_report_without_an_execution_id_counts_once_too(service: Served) -> None:
    body = {**ODDS, "rows": 3}
    refused = service.post("/complete", body, by="scraper")
    assert refused.status_code == 400
    assert refused.json()["error"] == ("complete: step odds has no table to read; give an execution_id for its content")
    for _ in range(2):
        body = {**ODDS, "rows": 3, "lease": held(service)["lease"]}
        outcomes = [service.post("/complete", body, by="scraper").json()["outcome"] for _ in range(2)]
        assert outcomes == ["accepted", "duplicate"]


def test_a_failure_gives_the_lease_back_too(service: Served) -> None:
    first = held(service)
    body = {**ODDS, "lease": first["lease"], "status": "transient", "error": "source is down"}
    assert service.post("/complete", body, by="scraper").json()["outcome"] == "noted"
    held(service)


def test_a_step_with_needs_is_told_its_inputs_and_echoes_its_trigger(service: Served, night: Night) -> None:
    night("begin", RUN)
    night.scrape(2)
    night("complete", "odds", "--run", RUN)
    service.pipeline.work_until_idle()
    body = {"run": RUN, "step": "report"}
    first = service.post("/begin", body, by="reporter").json()
    assert first["needed"]
    assert [*first["inputs"]] == ["analytics.player_game"]
    assert first["inputs"]["analytics.player_game"]["token"] == 1
    assert first["trigger_id"] == f"trigger.nba.analytics.{RUN}.1.precompute"
    done = {**body, "lease": first["lease"], "trigger_id": first["trigger_id"], "rows": 2}
    assert service.post("/complete", done, by="reporter").json()["outcome"] == "accepted"
    assert not service.post("/begin", body, by="reporter").json()["needed"]


def test_a_request_that_a_service_received_is_held(service: Served, night: Night) -> None:
    night("begin", RUN)
    request = {"kind": "request", "id": "q1", "pipeline": "nba", "phase": "raw", "step": "odds", "run": RUN,
               "inputs": {}}  # fmt: skip
    assert service.post("/begin", {"message": request}, by="scraper").json()["step"] == "odds"
    other = service.post("/begin", {"message": {**request, "step": "gamebook"}, "step": "odds"}, by="scraper")
    assert other.status_code == 403
    trigger = {"kind": "trigger", "id": "t1", "pipeline": "nba", "phase": "raw", "run": RUN, "generation": 1,
               "receiver": "analytics", "stamps": {}}  # fmt: skip
    unnamed = service.post("/begin", {"message": trigger}, by="scraper")
    assert (unnamed.status_code, unnamed.json()["error"]) == (400, "begin: name the step beside the trigger")


def test_what_cannot_be_begun_is_refused_in_one_line(service: Served) -> None:
    cases = [
        ({}, 400, 'begin: name the run: {"run": "DATE.MODE"}'),
        ({"run": "yesterday"}, 400, "date 'yesterday': write YYYY-MM-DD"),
        ({"run": RUN, "step": "player_game"}, 404, "begin: 'player_game' is not an external step; choose one of"),
        ({**ODDS, "lease": "x"}, 400, "lease: not the id of a lease; send what begin answered"),
        ({**ODDS, "ttl_s": 4000}, 400, "body: Expected `float` <= 3600.0 - at `$.ttl_s`"),
        ({**ODDS, "colour": 1}, 400, "body: Object contains unknown field `colour`"),
        ({"message": {"kind": "completion", "step": "odds"}}, 400, "begin: this is a completion message"),
    ]
    for body, status, text in cases:
        answer = service.post("/begin", body)
        assert answer.status_code == status, body
        assert answer.json()["error"].startswith(text), answer.json()
        assert answer.json()["exit_code"] == 2
