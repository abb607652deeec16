"""Who may call which endpoint."""

import base64
import json
from typing import Any, cast

import pytest

from benchmarks.id_tokens import Issuer
from phasegate.credentials import Credentials
from phasegate.web.endpoints import ENDPOINTS
from tests.support.commands import RUN, Night
from tests.support.service import Served, served

OPEN = ("/live", "/ready", "/build", "/openapi.json")
ROLES = {"operator": {"reporter", "reader", "operator"}, "reader": {"reader"}, "reporter": {"reporter"}}


def on_the_bus(night: Night) -> list[dict[str, Any]]:
    """Return the messages that wait on the bus."""
    return [cast("dict[str, Any]", found)["body"] for key, (found, _) in night.documents().items()
            if key.startswith("message:")]  # fmt: skip


def test_without_a_credential_only_what_shows_that_it_is_there_is_answered(service: Served) -> None:
    for path in OPEN:
        assert service.get(path).status_code == 200
    assert service.get("/metrics").status_code == 401
    for endpoint in ENDPOINTS:
        answer = service.post(endpoint.path.replace("{step}", "odds"), by=None)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), endpoint.path


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer x", "Basic b3BzOm9wcw==", "bearer pg_00", "Bearer " + "a" * 9_000],
)  # fmt: skip
def test_a_credential_that_is_none_is_refused(service: Served, header: str) -> None:
    answer = service.client.post(f"{service.url}/sweep", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json()["error"].startswith("no valid credential")
    real = service.tokens["operator"]
    two = [("Authorization", f"Bearer {real}"), ("Authorization", f"Bearer {real}")]
    assert service.client.post(f"{service.url}/sweep", headers=two).status_code == 401


def test_a_token_that_cloud_run_has_not_checked_lets_nobody_in(night: Night) -> None:
    def bearer(account: str) -> str:
        signed = Issuer().token(account=account, audience="monitor")
        return f"Bearer {signed.rpartition('.')[0]}.SIGNATURE_REMOVED_BY_GOOGLE"

    ours, other = bearer("scheduler@nba.iam.gserviceaccount.com"), bearer("intern@nba.iam.gserviceaccount.com")
    with served(night.folder, audience="monitor", google_front="cloud-run") as service:
        credentials = Credentials(service.pipeline.plan.pipeline, service.pipeline.ports)
        credentials.add("scheduler", role="operator", steps=None, proof="scheduler@nba.iam.gserviceaccount.com")
        plain, checked = "Authorization", "X-Serverless-Authorization"
        for headers, status in (
            ([(plain, ours)], 200),
            ([(plain, other)], 401),
            ([(plain, ours), (checked, other)], 401),
            ([(plain, ours), (checked, ours)], 401),
            ([(plain, ours), (plain, ours)], 401),
            ([(checked, ours)], 401),
            ([(plain, f"Bearer {service.tokens['operator']}"), (checked, other)], 200),
        ):
            assert service.client.post(f"{service.url}/sweep", json={}, headers=headers).status_code == status, headers
        text = ours.removeprefix("Bearer ")
        real = {"Cookie": f"phasegate={service.tokens['reader']}"}
        assert service.client.get(f"{service.url}/runs", headers=real).status_code == 200
        for cookie in ({"Cookie": f"phasegate={text}"}, {"Cookie": f"phasegate={text}", plain: other}):
            assert service.client.get(f"{service.url}/runs", headers=cookie).status_code != 200
        form = service.client.post(f"{service.url}/sign-in", data={"token": text})
        assert (form.status_code, form.headers.get("set-cookie")) == (401, None)


def test_each_endpoint_takes_its_role_and_no_other(service: Served) -> None:
    for endpoint in ENDPOINTS:
        for caller, may in ROLES.items():
            answer = service.post(endpoint.path.replace("{step}", "odds"), {"days": 1}, by=caller)
            assert (answer.status_code == 403) == (endpoint.role not in may), (endpoint.path, caller, answer.text)


def test_a_caller_of_one_step_cannot_complete_or_begin_another(service: Served, night: Night) -> None:
    night("begin", RUN)
    before = night.documents()
    for path, body in (
        ("/complete", {"step": "gamebook", "run": RUN}),
        ("/complete", {"step": "report", "run": RUN, "execution_id": "e"}),
        ("/complete", {"step": "odds", "run": RUN, "execution_id": "e",
                       "trigger_id": f"trigger.nba.raw.{RUN}.1.elsewhere"}),
        ("/complete", {"trigger_id": f"trigger.nba.raw.{RUN}.1.elsewhere"}),
        ("/begin", {"step": "gamebook", "run": RUN}),
        ("/begin", {"step": "gamebook", "run": RUN, "lease": "1.0123456789abcdef01234567"}),
        ("/begin", {"run": RUN}),
    ):  # fmt: skip
        answer = service.post(path, body, by="scraper")
        assert (answer.status_code, answer.json()["kind"]) == (403, "not allowed"), (path, body, answer.text)
    assert night.documents() == before
    mine = {"step": "odds", "run": RUN, "execution_id": "e"}
    assert service.post("/complete", mine, by="scraper").status_code == 200


def test_a_trigger_or_request_of_others_begins_nothing(service: Served, night: Night) -> None:
    night("begin", RUN)
    night.scrape(2)
    night("complete", "odds", "--run", RUN)
    (trigger,) = on_the_bus(night)
    assert (trigger["kind"], trigger["receiver"]) == ("trigger", "analytics")
    request = {"kind": "request", "id": "q1", "pipeline": "nba", "phase": "raw", "step": "odds", "run": RUN,
               "inputs": {}}  # fmt: skip
    before = night.documents()
    for message, status in (
        (trigger, 404),  # no step of the caller's comes after it
        ({**trigger, "pipeline": "other"}, 400),
        ({**request, "pipeline": "other"}, 400),
        ({**request, "run": "2026-02-03.unknown"}, 404),
        ({**request, "run": "2026-03-03.overnight"}, 404),
    ):
        answer = service.post("/begin", {"message": message, "step": "odds"}, by="scraper")
        assert answer.status_code == status, (message, answer.text)
        assert night.documents() == before, message


def test_a_pushed_message_never_takes_the_place_of_another(night: Night) -> None:
    with served(night.folder, clock=night.clock, serve_work_s=0) as service:
        for by, step in (("scraper", "odds"), ("reporter", "gamebook"), ("reporter", "gamebook")):
            data = base64.b64encode(json.dumps({"step": step, "run": RUN, "rows": 1}).encode()).decode()
            sent = {"message": {"messageId": "7", "data": data, "publishTime": "2026-02-04T06:00:00Z"}}
            assert service.post("/pubsub/push", sent, by=by).status_code == 204
        assert sorted(message["step"] for message in on_the_bus(night)) == ["gamebook", "odds"]


def test_what_notifies_fixes_or_opens_takes_an_operator(service: Served) -> None:
    assert service.post("/health", {"alert": True}, by="reader").status_code == 403
    assert service.post("/reconcile", {"fix": True}, by="reader").status_code == 403
    assert service.post("/begin", {"run": RUN}, by="reporter").status_code == 403
    assert service.post("/health", {"alert": True}).json()["unsent"] == {}
