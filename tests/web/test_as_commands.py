"""Over HTTP is answered what the commands answer, with the exit code as a field."""

import base64
import json
from typing import Any, NoReturn

import pytest

from phasegate.buses.local import LocalBus
from phasegate.errors import Unavailable
from tests.support.commands import RUN, Night
from tests.support.service import Served, served

DATE = RUN.partition(".")[0]
MODES = """\
pipeline = "nba"
timezone = "America/New_York"

[phase.raw]
modes.same_day = { expect = "*" }
modes.overnight = { expect = "*", reports = "00:00 .. 12:00 +1d" }

[phase.analytics]
after = "raw"
modes.overnight = { expect = "*" }

[step.odds]
phase = "raw"
external = true

[step.box]
phase = "raw"
external = true

[step.late]
phase = "analytics"
external = true
"""


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


def test_health_and_reconcile_answer_what_the_commands_answer(night: Night, service: Served) -> None:
    night("begin", RUN)
    night.publish({"kind": "completion", "step": "nobody", "run": RUN, "sequence": 1})
    night("worker", "--until-idle")
    night.clock.at += 3600
    for path in ("/health", "/health-check-phase3"):
        answer = service.post(path, {"date": DATE}, by="reader")
        done = night("health", "--date", DATE, "--json")
        assert without(answer.json(), "exit_code", "unsent", "now") == without(done.json, "now")
        assert (answer.json()["exit_code"], answer.status_code) == (done.code, 503)
        assert done.code == 1
    for path in ("/reconcile", "/reconcile-phase3"):
        answer = service.post(path, {"from": DATE, "to": DATE}, by="reader")
        done = night("reconcile", "--from", DATE, "--to", DATE, "--json")
        assert without(answer.json(), "exit_code") == done.json
        assert (answer.json()["exit_code"], answer.status_code) == (done.code, 200)
        assert done.code == 1


def test_reconcile_fixes_for_an_operator_and_leaves_what_the_command_leaves(night: Night, service: Served) -> None:
    night("begin", RUN)
    night.scrape(2)
    night.rewrite(f"phase:nba:raw:{RUN}", requests={})
    night.publish({"kind": "completion", "step": "nobody", "run": RUN, "sequence": 1})
    span = {"from": DATE, "to": DATE}
    assert service.post("/reconcile", {**span, "fix": True}, by="reader").status_code == 403
    answer = service.post("/reconcile", {**span, "fix": True})
    left = answer.json()
    done = night("reconcile", "--from", DATE, "--to", DATE, "--json")
    assert left["exit_code"] == done.code
    assert (left["findings"] if left["left"] is None else left["left"]) == done.json["findings"]


def test_a_worker_that_fails_while_it_fixes_is_named_in_the_answer(
    night: Night, service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.whole()
    night.rewrite(f"phase:nba:analytics:{RUN}", firings=[], outbox=[])
    night.clock.at += 3600
    monkeypatch.setattr(LocalBus, "receive", unreachable)
    answer = service.post("/reconcile", {"from": DATE, "to": DATE, "fix": True})
    assert answer.json()["applied"]
    assert set(answer.json()["errors"]) == {"worker 1 failed: the bus is away"}


def unreachable(*_: object, **__: object) -> NoReturn:
    raise Unavailable("the bus is away")


def test_a_report_is_answered_as_the_command_answers_it(night: Night, service: Served) -> None:
    night("begin", RUN)
    body = {"step": "odds", "run": RUN, "rows": 3, "execution_id": "e1", "sequence": 5}
    first = service.post("/complete", body, by="scraper")
    assert (first.status_code, first.json()["outcome"], first.json()["exit_code"]) == (200, "accepted", 0)
    arguments = ("complete", "odds", "--run", RUN, "--rows", "3", "--execution-id", "e1", "--sequence", "5", "--json")
    again, done = service.post("/complete", body, by="scraper"), night(*arguments)
    assert without(again.json(), "exit_code", "differs") == done.json
    assert again.json()["outcome"] == "duplicate"
    older = service.post("/complete", {**body, "sequence": 4, "execution_id": "e0"}, by="scraper")
    assert (older.status_code, older.json()["refused"], older.json()["exit_code"]) == (409, True, 1)


def test_a_far_date_is_meant_or_refused_however_the_report_names_it(night: Night, service: Served) -> None:
    day = "2099-02-03"
    trigger = f"trigger.nba.raw.{day}.overnight.1.precompute"
    for named in ({"run": f"{day}.overnight"}, {"date": day}, {"game_date": day}, {"trigger_id": trigger}):
        answer = service.post("/complete", {"step": "odds", "execution_id": "e", **named}, by="reporter")
        assert answer.status_code == 400, named
        assert answer.json()["error"].endswith('if it is no typo, send "yes": true'), named
    (night.folder / "far.json").write_text(json.dumps({"step": "odds", "execution_id": "e", "trigger_id": trigger}))
    assert night("complete", "--message", "far.json").code == 2
    assert not [key for key in night.documents() if day in key]


def test_a_report_that_names_no_mode_is_answered_with_the_run_that_it_counts_for(night: Night) -> None:
    (night.folder / "plan.toml").write_text(MODES)
    with served(night.folder, clock=night.clock) as service:
        for step, more in (("box", {"completed_at": "2026-02-04T06:00:00Z"}), ("late", {})):
            lease = service.post("/begin", {"run": RUN, "step": step}).json()["lease"]
            for held in ({}, {"lease": lease}):
                body = {"step": step, "game_date": DATE, "rows": 3, "execution_id": "e1", **more, **held}
                answer = service.post("/complete", body, by="reporter")
                assert (answer.status_code, answer.json().get("run")) == (200, RUN), answer.text


def test_a_run_is_opened_as_the_command_opens_it(night: Night, service: Served) -> None:
    answer = service.post("/begin", {"run": RUN})
    assert (answer.status_code, answer.json()["opened"], answer.json()["exit_code"]) == (200, ["raw"], 0)
    again, done = service.post("/begin", {"run": RUN}), night("begin", RUN, "--json")
    assert without(again.json(), "exit_code") == done.json
    far = service.post("/begin", {"run": "2099-02-03.overnight"})
    assert far.status_code == 400
    assert far.json()["error"].endswith('if it is no typo, send "yes": true')
    assert service.post("/begin", {"run": "2099-02-03.overnight", "yes": True}).status_code == 200


def test_a_step_is_built_as_the_command_builds_it(night: Night, service: Served) -> None:
    path = "/steps/player_game/run"
    assert service.post(path, {"run": RUN}).status_code == 404
    night("begin", RUN)
    night.scrape(2)
    night("complete", "odds", "--run", RUN)
    service.pipeline.work_until_idle()
    answer = service.post(path, {"run": RUN})
    assert (answer.status_code, answer.json()["exit_code"], answer.json()["rows"]) == (200, 0, 2)
    done = night("rerun", RUN, "--step", "player_game", "--json")
    assert without(answer.json(), "exit_code", "outcome") == without(done.json, "outcome")
    assert service.post("/steps/gamebook/run", {"run": RUN}).status_code == 400
    assert service.post("/steps/nothing/run", {"run": RUN}).status_code == 404


def test_a_sweep_answers_what_could_not_be_handled(night: Night, service: Served) -> None:
    answer, done = service.post("/sweep"), night("sweep", "--json")
    assert without(answer.json(), "exit_code") == done.json
    assert answer.json()["exit_code"] == done.code == 0
    night("begin", RUN)
    night.rewrite(f"phase:nba:raw:{RUN}", members=7, _schema=1)
    night.clock.at += 90_000
    broken = service.post("/sweep")
    assert (broken.status_code, broken.json()["exit_code"]) == (503, 2)
    assert "cannot be read" in broken.json()["errors"][0]


def test_a_sweep_works_on_messages_where_no_worker_runs(night: Night, service: Served) -> None:
    night("begin", RUN)
    night.scrape(2)
    night("complete", "odds", "--run", RUN)
    assert service.post("/sweep").json()["exit_code"] == 0
    (view,) = [one for one in service.pipeline.views.why(RUN) if one.phase == "analytics"]
    assert (view.generation, view.members[0].state) == (1, "fresh")


def test_a_pushed_message_is_stored_worked_on_and_the_same_when_it_comes_again(night: Night, service: Served) -> None:
    night("begin", RUN)
    data = base64.b64encode(json.dumps({"step": "odds", "game_date": DATE, "rows": 3}).encode()).decode()
    envelope = {"message": {"data": data, "messageId": "17", "publishTime": "2026-02-04T06:00:00Z"}}
    for _ in range(2):
        answer = service.post("/pubsub/push", envelope, by="scraper")
        assert (answer.status_code, answer.content) == (204, b"")
    (raw,) = [view for view in service.pipeline.views.why(RUN) if view.phase == "raw"]
    (odds,) = [member for member in raw.members if member.name == "odds"]
    assert (odds.state, odds.rows, odds.last) == ("fresh", 3, "duplicate")
    assert service.pipeline.next_due(ignoring="calendar") is not None
    assert service.post("/pubsub/push", b"no envelope", by="scraper").status_code == 204
    other = {"message": {"data": base64.b64encode(b'{"step": "gamebook"}').decode(), "messageId": "18"}}
    assert service.post("/pubsub/push", other, by="scraper").status_code == 403
    letters = service.pipeline.views.quarantined()
    assert [letter.reason for letter in letters] == [
        "message push.unreadable: no envelope of Pub/Sub: JSON is malformed: invalid character (byte 4); "
        "publish a JSON object"
    ]
