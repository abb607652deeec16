"""Triggers for receivers that are HTTP endpoints: posted until taken, given up, brought back."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from phasegate import Pipeline, connect
from phasegate.base.keys import parse_run
from phasegate.bus import Message
from phasegate.channel import Reply
from phasegate.errors import Unavailable
from phasegate.gate.outbox import SENDS_MAX
from tests.support.cloudevents import check_cloud_event
from tests.support.http_server import Answers, Server, serving
from tests.support.pipelines import PLAN, RUN, Shop, Told, load, phase, settle, shop

POSTED = PLAN.replace(
    'sends = [{ topic = "mailer", ack = "completion" }]', 'sends = [{ topic = "mailer", ack = "post" }]'
)
FOR_LONG_S = 86_000.0
TRIGGER = f"trigger.shop.report.{RUN}.1.mailer"


class Mailer:
    """An endpoint that answers as it is told."""

    def __init__(self) -> None:
        self.taken: list[Mapping[str, object]] = []
        self.times: list[float] = []
        self.error = ""

    def post(self, trigger: Mapping[str, object], /, *, fired_at: float) -> Reply:
        self.taken.append(trigger)
        self.times.append(fired_at)
        return Reply(error=self.error)

    @property
    def ids(self) -> list[str]:
        return [str(one["id"]) for one in self.taken]


def mailing(mailer: Mailer) -> Shop:
    made = shop(plan=POSTED)
    made.pipeline.post_to({"mailer": mailer})
    return made


def entries(made: Shop) -> list[tuple[int, str, int]]:
    return [(entry.generation, entry.state, entry.sends) for entry in phase(made, "report").outbox]


def test_a_firing_is_posted_once_and_acknowledged() -> None:
    mailer = Mailer()
    made = mailing(mailer)
    load(made, 1)
    settle(made, until_s=FOR_LONG_S)
    assert mailer.ids == [TRIGGER]
    assert mailer.times == [phase(made, "report").firings[0].at]
    assert entries(made) == [(1, "acked", 1)]
    assert made.told.of("trigger not posted") == []


def test_a_receiver_that_is_down_gets_it_again_with_a_growing_wait_under_the_same_id() -> None:
    mailer = Mailer()
    made = mailing(mailer)
    mailer.error, began = "mailer.example.org answered 503", made.clock.at
    load(made, 1)
    settle(made, until_s=200.0)
    assert 3 <= len(mailer.ids) <= 6
    assert set(mailer.ids) == {TRIGGER}
    assert made.clock.at - began > 60.0
    assert made.told.of("trigger not posted")[0] == {
        "receiver": "mailer", "error": "mailer.example.org answered 503",
    }  # fmt: skip
    assert made.pipeline.views.dead() == []
    mailer.error = ""
    settle(made)
    assert entries(made)[0][:2] == (1, "acked")


def test_it_is_dead_after_so_many_tries_found_with_its_command_and_redriven() -> None:
    mailer = Mailer()
    made = mailing(mailer)
    mailer.error = "mailer.example.org cannot be reached"
    load(made, 1)
    settle(made, until_s=FOR_LONG_S)
    assert len(mailer.ids) == SENDS_MAX
    assert entries(made) == [(1, "dead", SENDS_MAX)]
    found = [one for result in made.pipeline.checks.inspector.inspect("2026-02-03", "2026-02-03")
             for one in result.findings if one.code == "PG015"]  # fmt: skip
    assert [one.command for one in found] == [f"phasegate redrive {RUN} --step mailer"]
    mailer.error = ""
    assert made.pipeline.runs.redrive("report", parse_run(RUN), step="mailer") == ("mailer",)
    settle(made)
    assert entries(made) == [(1, "acked", 1)]


def test_a_superseded_firing_is_not_posted_any_more() -> None:
    mailer = Mailer()
    made = mailing(mailer)
    mailer.error = "down"
    load(made, 1)
    settle(made, until_s=1.0)
    before = len(mailer.ids)
    load(made, 1, 2)
    mailer.error = ""
    settle(made, until_s=FOR_LONG_S)
    assert mailer.ids[before:] == [f"trigger.shop.report.{RUN}.2.mailer"]
    assert [one[:2] for one in entries(made)] == [(1, "superseded"), (2, "acked")]


def test_a_post_whose_acknowledgement_is_not_stored_is_posted_again_under_its_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailer = Mailer()
    made = mailing(mailer)
    acknowledge, refused = made.pipeline.runs.acknowledge, list[object]()

    def once(*args: object, **kwargs: object) -> bool:
        if kwargs["ack"] == "post" and not refused:
            refused.append(kwargs)
            raise Unavailable("the store is down")
        return acknowledge(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(made.pipeline.runs, "acknowledge", once)
    load(made, 1)
    settle(made)
    assert mailer.ids == [TRIGGER, TRIGGER]
    assert entries(made)[0][:2] == (1, "acked")


def test_a_message_that_comes_again_after_the_acknowledgement_is_not_posted() -> None:
    mailer = Mailer()
    made = mailing(mailer)
    load(made, 1)
    settle(made)
    made.pipeline.ports.bus.publish(Message(TRIGGER, "mailer", mailer.taken[0]))
    settle(made)
    assert mailer.ids == [TRIGGER]
    assert made.told.of("served")[-1]["outcome"] == "not awaited"


def test_a_trigger_of_a_firing_that_a_restored_store_has_lost_is_not_posted() -> None:
    mailer = Mailer()
    made = mailing(mailer)
    mailer.error = "down"
    load(made, 1)
    settle(made, until_s=1.0)
    mailer.error = ""
    other = {**mailer.taken[0], "stamps": {"totals": {"fingerprint": "1-other", "token": 9}}}
    before = len(mailer.ids)
    made.pipeline.ports.bus.publish(Message("forged.1", "mailer", other))
    made.pipeline.serve_one()
    assert len(mailer.ids) == before


def test_a_process_without_an_address_says_which_variable_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    with file_shop(tmp_path, monkeypatch, told) as pipeline:
        fire(pipeline)
    assert [one["error"] for one in told.of("trigger not posted")] == ["it has no address; set PHASEGATE_POST_MAILER"]


@contextmanager
def file_shop(folder: Path, monkeypatch: pytest.MonkeyPatch, told: Told) -> Iterator[Pipeline]:
    (folder / "plan.toml").write_text(
        POSTED.replace('python = "made:totals"\ntable = "out.totals"\nkey = ["day"]\npartition = "day"\n'
                       'columns = { day = "VARCHAR", amount = "INTEGER" }', 'command = "echo rows=1"')
    )  # fmt: skip
    monkeypatch.chdir(folder)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with closing(connect("plan.toml", observer=told)) as pipeline:
        yield pipeline


def fire(pipeline: Pipeline) -> None:
    with pipeline.begin(RUN, step="orders") as run:
        run.write([{"day": "2026-02-03", "id": 1, "amount": 1}])
        run.complete()
    pipeline.work_until_idle()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


def test_a_real_receiver_gets_a_cloud_event_with_the_documented_trigger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    monkeypatch.setenv("PHASEGATE_POST_MAILER", f"{server.url}/fired Bearer key")
    with file_shop(tmp_path, monkeypatch, Told()) as pipeline:
        fire(pipeline)
        assert pipeline.views.why(RUN)[-1].state == "complete"
    (said,) = server.said
    assert (said.path, said.headers["Authorization"]) == ("/fired", "Bearer key")
    event = check_cloud_event(said.body)
    assert (event["id"], event["type"], event["subject"]) == (TRIGGER, "dev.phasegate.phase.fired", RUN)
    assert (said.body["data"]["kind"], said.body["data"]["generation"]) == ("trigger", 1)
    assert list(said.body["data"]["stamps"]) == ["totals"]


def test_a_secret_of_the_address_is_in_no_event_and_no_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    server.answers, told = Answers(500, "secret"), Told()
    monkeypatch.setenv("PHASEGATE_POST_MAILER", f"{server.url}/secret Bearer secret")
    with file_shop(tmp_path, monkeypatch, told) as pipeline:
        fire(pipeline)
        documents = [doc.body for doc in pipeline.ports.store.scan("", limit=1_000)]
    assert [one["error"] for one in told.of("trigger not posted")] == ["127.0.0.1 answered 500"]
    assert "secret" not in str(told.events) + str(documents)
