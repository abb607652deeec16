"""From what checks find to what channels hear: over a real server, with kills, refusals and silence."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from phasegate import CalendarDay, connect, load_plan
from phasegate.alerts.delivery import CLAIM_S
from phasegate.alerts.incident import KEEP_S
from phasegate.alerts.incidents import Incidents
from phasegate.base.findings import CheckResult
from phasegate.channel import Note, Reply
from phasegate.channels.ping import Ping
from phasegate.channels.webhook import Webhook
from phasegate.stores.memory import MemoryStore
from tests.support.alert_scenes import CHANNEL, Killed, finding, found
from tests.support.http_server import Answers, Server, serving
from tests.support.pipelines import PLAN, Shop, shop
from tests.support.real_data import ROOT

HOUR = 3600.0
ALERTS = "\n[alerts]\n"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as made:
        yield made


def shop_with(server: Server, alerts: str = CHANNEL, **more: object) -> Shop:
    """Return a pipeline whose one channel is the server, impatient."""
    made = shop(plan=PLAN + alerts, **more)  # type: ignore[arg-type]
    reach(made.pipeline.alerts, server)
    return made


def reach(told: Incidents, server: Server) -> None:
    channel = Webhook(f"{server.url}/hook/secret", timeout_s=0.2, total_s=1.0)
    told.reach({"ops": channel}, pinger=Ping(f"{server.url}/ping", timeout_s=0.2, total_s=1.0))


def evaluate(made: Shop, *outcomes: CheckResult, after_s: float = HOUR) -> None:
    made.clock.at += after_s
    made.pipeline.alerts.take(outcomes, started=made.clock.at)
    made.pipeline.alerts.send()


def heard(server: Server) -> list[tuple[str, str]]:
    """Return kind and title of the messages, in order."""
    return [(body["kind"], body["title"].partition(":")[0]) for body in server.bodies if body is not None]


def test_an_evaluation_ten_years_ahead_silences_no_later_one(server: Server) -> None:
    made = shop_with(server, CHANNEL)
    ahead_s = 3650 * 86400.0
    made.clock.at += ahead_s
    made.pipeline.alerts.take([found("a")], started=made.clock.at)
    made.clock.at -= ahead_s
    made.pipeline.alerts.send()
    assert [kind for kind, _ in heard(server)] == ["opened"], "its notification is sent now, not in ten years"
    evaluate(made, found("a"))
    ((_, incident),) = made.pipeline.alerts.listed()
    assert incident.last_at == made.clock.at
    assert incident.count == 2
    evaluate(made, found())
    evaluate(made, found())
    assert [kind for kind, _ in heard(server)] == ["opened", "resolved"]


def test_a_new_incident_is_an_event_with_its_codes_once(server: Server) -> None:
    made = shop_with(server)
    outcome = CheckResult(check="c", findings=(finding("a", code="PG006"), finding("a", code="PG003"), finding("b")))
    evaluate(made, outcome)
    evaluate(made, outcome)
    opened = made.told.of("incident opened")
    assert [one["codes"] for one in opened] == ["PG003 PG006", "PG003"]
    assert [one["severity"] for one in opened] == ["error", "error"]


def pings(server: Server) -> list[str]:
    return [said.path for said in server.said if said.method == "GET"]


def test_24_firings_of_2_causes_over_a_day_are_2_messages_and_2_resolutions(server: Server) -> None:
    made = shop_with(server)
    for _ in range(24):
        evaluate(made, found("a", "b"))
    for _ in range(4):
        evaluate(made, found())
    assert sorted(heard(server)) == [("opened", "report of a"), ("opened", "report of b"),
                                     ("resolved", "report of a"), ("resolved", "report of b")]  # fmt: skip
    assert [body["count"] for body in server.bodies if body and body["kind"] == "resolved"] == [24, 24]
    assert made.pipeline.alerts.listed() == []
    assert pings(server) == ["/ping"] * 28


class Mortal:
    """A channel in whose hands the process dies, before or after the message is out."""

    def __init__(self, channel: Webhook, *, after: bool) -> None:
        self._channel, self._after = channel, after

    def send(self, note: Note, /, *, ref: str) -> Reply:
        if self._after:
            self._channel.send(note, ref=ref)
        raise Killed


@pytest.mark.parametrize("after", [False, True])
def test_whatever_is_killed_every_message_arrives_and_each_kill_repeats_one_at_most(
    server: Server, after: bool
) -> None:
    made, channel = shop_with(server), Webhook(server.url)
    kills = 0
    for hour in range(28):
        mortal = hour % 5 == 0
        made.pipeline.alerts.reach({"ops": Mortal(channel, after=after) if mortal else channel})
        try:
            evaluate(made, found("a", "b") if hour < 24 else found())
        except Killed:
            kills += 1
    kinds = heard(server)
    assert {("opened", "report of a"), ("opened", "report of b"), ("resolved", "report of a"),
            ("resolved", "report of b")} == set(kinds)  # fmt: skip
    assert kills > 0
    assert 4 <= len(kinds) <= 4 + kills
    assert len({body["id"] for body in server.bodies}) == 4


def test_a_process_killed_between_claim_and_sending_leaves_the_message_to_the_next(
    server: Server, tmp_path: Path
) -> None:
    script = """
import os, signal, sys
from contextlib import closing
from phasegate import connect, load_plan
from phasegate.base.findings import CheckResult, Finding

class Dies:
    def send(self, note, /, *, ref):
        os.kill(os.getpid(), signal.SIGKILL)

with closing(connect(load_plan(sys.argv[1]), state=sys.argv[2])) as pg:
    pg.alerts.reach({"ops": Dies()})
    wrong = Finding(code="PG003", subject="report", text="not sent", command="phasegate sweep", cause="a")
    pg.alerts.take([CheckResult(check="unsent", findings=(wrong,))], started=pg.alerts.start())
    pg.alerts.send()
"""
    plan = (
        'pipeline = "shop"\ntimezone = "UTC"\nphase.load = {}\nstep.orders = {phase = "load", external = true}\n'
        + CHANNEL
    )
    command = [sys.executable, "-c", script, plan, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    clock = shop().clock
    with closing(connect(load_plan(plan), state=tmp_path, clock=clock)) as pipeline:
        reach(pipeline.alerts, server)
        ((_, incident),) = pipeline.alerts.listed()
        assert incident.notifications["ops"].is_stuck(incident.last_at)
        clock.at = incident.last_at
        assert pipeline.alerts.send().sent == 0
        clock.at += CLAIM_S + 60
        assert pipeline.alerts.send().sent == 1
    assert heard(server) == [("opened", "report")]


@pytest.mark.parametrize(
    "answer", [Answers(429, "", {"Retry-After": "600"}), Answers(500), Answers(hang=True), Answers(302)]
)
def test_a_channel_that_refuses_or_hangs_is_asked_ever_more_rarely_and_nothing_is_lost(
    server: Server, answer: Answers
) -> None:
    made = shop_with(server)
    made.pipeline.alerts.reach({"ops": Webhook(f"{server.url}/hook/secret", timeout_s=0.1, total_s=1.0)})
    server.answers = answer
    evaluate(made, found("a", "b", "c"))
    assert len([body for body in server.bodies if body]) == 1, "the others wait: the channel has just failed"
    assert made.told.of("alert not sent")
    for _ in range(2 * 20):
        made.clock.at += 180
        made.pipeline.alerts.send()
    tried = len([body for body in server.bodies if body])
    assert 3 * 5 <= tried <= 3 * 15
    assert "secret" not in str(made.told.events)
    server.answers, server.said = Answers(), []
    made.clock.at += HOUR
    assert made.pipeline.alerts.send().sent == 3
    assert [kind for kind, _ in heard(server)] == ["opened"] * 3


def test_retry_after_is_honoured(server: Server) -> None:
    made = shop_with(server)
    server.queue = [Answers(429, "", {"Retry-After": "600"})]
    evaluate(made, found("a"))
    for after_s, sent in ((590, 0), (20, 1)):
        made.clock.at += after_s
        assert made.pipeline.alerts.send().sent == sent


def test_an_older_evaluation_that_arrives_late_changes_nothing(server: Server) -> None:
    made = shop_with(server)
    evaluate(made, found("a"))
    before = documents(made.store)
    late = made.pipeline.alerts.take([found("b"), found("z", check="never seen")], started=made.clock.at - 10)
    assert late.late == ("unsent",)
    assert len(late.opened) == 1, "of another check nothing newer is known"
    assert {key: value for key, value in documents(made.store).items() if key in before and "watch" not in key} == {
        key: value for key, value in before.items() if "watch" not in key
    }
    for _ in range(3):
        made.pipeline.alerts.take([found()], started=made.clock.at - 20)
    assert len(made.pipeline.alerts.listed()) == 2


def documents(store: MemoryStore) -> dict[str, object]:
    return {doc.key: (doc.body, doc.version) for doc in store.scan("", limit=1_000)}


def test_what_could_not_be_evaluated_resolves_nothing_and_is_an_incident_itself(server: Server) -> None:
    made = shop_with(server)
    evaluate(made, found("a"))
    for _ in range(3):
        evaluate(made, found(error="the warehouse is closed"))
    assert heard(server) == [("opened", "report of a"), ("opened", "check unsent")]
    for _ in range(2):
        evaluate(made, found())
    assert heard(server)[2:] == [("resolved", "report of a"), ("resolved", "check unsent")] or heard(server)[2:] == [
        ("resolved", "check unsent"), ("resolved", "report of a")]  # fmt: skip


def test_the_dead_man_hears_of_full_evaluations_only_and_only_while_nothing_is_stuck(server: Server) -> None:
    made = shop_with(server)
    assert made.pipeline.alerts.start() == made.clock.at
    evaluate(made, found())
    evaluate(made, found(), found(check="b", error="locked"))
    assert pings(server) == ["/ping/start", "/ping", "/ping/fail"]
    server.said.clear()
    made.pipeline.alerts.send()
    assert pings(server) == [], "once per evaluation"
    stuck = shop_with(server)
    server.queue = [Answers(500)]
    evaluate(stuck, found("a"))
    assert pings(server) == ["/ping/fail"]
    server.said.clear()
    evaluate(stuck, found("a"))
    assert pings(server) == ["/ping"]


def test_a_ping_that_fails_is_told_and_repeated(server: Server) -> None:
    made = shop_with(server)
    server.queue = [Answers(503)]
    evaluate(made, found())
    assert made.told.of("ping failed") == [{"what": "success", "error": "127.0.0.1 answered 503"}]
    assert made.pipeline.alerts.send().pinged == "success"


def test_what_is_no_error_waits_through_quiet_hours_and_errors_do_not(server: Server) -> None:
    # the clock stands at 02:40 UTC
    made = shop_with(server, '\n[alerts]\nquiet = "22:00 .. 07:00"\n' + CHANNEL)
    mild = CheckResult(check="stale", findings=(finding("mild", "PG012"),))
    evaluate(made, mild, found("grave"))
    assert heard(server) == [("opened", "report of grave")]
    evaluate(made, mild, found("grave"), after_s=4.5 * HOUR)
    assert heard(server)[1:] == [("opened", "report of mild")]


def games(*none: str) -> object:
    def dates(first: date, last: date) -> Iterable[CalendarDay]:
        days = [date.fromordinal(n).isoformat() for n in range(first.toordinal(), last.toordinal() + 1)]
        return [CalendarDay(date=day, state="none" if day in none else "work") for day in days]

    return dates


def test_a_day_without_games_is_silent_but_for_errors(server: Server) -> None:
    plan = '\n[alerts]\ndigest = "00:00"\n' + CHANNEL
    made = shop(plan='calendar = "x:y"\n' + PLAN + plan, dates=games("2026-02-02", "2026-02-03"))  # type: ignore[arg-type]
    reach(made.pipeline.alerts, server)
    made.pipeline.calendar.refresh("2026-02")
    mild = CheckResult(check="stale", findings=(finding("mild", "PG012"),))
    for _ in range(20):
        made.pipeline.calendar.refresh("2026-02")
        evaluate(made, mild, found("grave"), after_s=HOUR)
    assert heard(server) == [("opened", "report of grave")]
    for _ in range(30):
        made.pipeline.calendar.refresh("2026-02")
        evaluate(made, mild, found("grave"), after_s=HOUR)
    assert sorted(heard(server)[1:]) == [("digest", "2026-02-04"), ("opened", "report of mild")]


def test_the_digest_comes_once_a_day_and_says_what_is_open(server: Server) -> None:
    made = shop_with(server, '\n[alerts]\ndigest = "08:00"\n' + CHANNEL)
    for hour in range(48):
        evaluate(made, found("a") if hour < 30 else found())
    digests = [body for body in server.bodies if body and body["kind"] == "digest"]
    assert [body["title"] for body in digests] == ["2026-02-02: 1 open, 0 resolved", "2026-02-03: 1 open, 0 resolved",
                                                   "2026-02-04: 0 open, 1 resolved"][: len(digests)]  # fmt: skip
    assert len(digests) == 2
    assert digests[0]["findings"][0].startswith("error: report of a: fired, but the trigger was not sent, since")


def test_a_plan_without_channels_keeps_its_incidents_and_tells_nobody(server: Server) -> None:
    made = shop_with(server, "")
    evaluate(made, found("a"))
    ((key, incident),) = made.pipeline.alerts.listed()
    assert key.startswith("incident:shop:cause:")
    assert (incident.count, incident.due) == (1, None)
    assert heard(server) == []


def test_a_channel_that_raises_is_shown_by_the_kind_of_its_error_only(server: Server) -> None:
    class Raises:
        def send(self, note: Note, /, *, ref: str) -> Reply:
            raise ValueError(f"{server.url}/secret {note.id} {ref}")

    made = shop_with(server)
    made.pipeline.alerts.reach({"ops": Raises()})
    evaluate(made, found("a"))
    assert made.told.of("alert not sent")[0]["error"] == "failed with ValueError"
    made.pipeline.alerts.reach({})
    made.clock.at += HOUR
    assert made.pipeline.alerts.send().failed == {"ops": "it is not connected"}


def test_an_incident_that_cannot_be_read_stops_no_other_and_counts_as_stuck(server: Server) -> None:
    made = shop_with(server)
    evaluate(made, found("a"))
    ((key, _),) = made.pipeline.alerts.listed()
    doc = made.store.read(key)
    assert doc is not None
    made.store.write(key, {**doc.body, "seen": 5}, due=doc.due, expect=doc.version)
    server.said.clear()
    evaluate(made, found("a", "b"))
    assert heard(server) == [("opened", "report of b")]
    assert pings(server) == ["/ping/fail"]
    assert made.told.of("incident unreadable")[0]["key"] == key
    broken: list[object] = []
    assert len(made.pipeline.alerts.listed(broken=broken)) == 1  # type: ignore[arg-type]
    assert len(broken) == 1


def test_two_senders_at_once_send_each_message_once(server: Server) -> None:
    made = shop_with(server)
    inner = made.pipeline.alerts

    class Meddles:
        """Has another sender at work while a message is on its way."""

        def send(self, note: Note, /, *, ref: str) -> Reply:
            other = Incidents(made.pipeline.plan, made.pipeline.ports, calendar=made.pipeline.calendar)
            other.reach({"ops": Webhook(server.url)})
            other.send()
            return Webhook(server.url).send(note, ref=ref)

    inner.reach({"ops": Meddles()})
    evaluate(made, found("a", "b"))
    assert sorted(heard(server)) == [("opened", "report of a"), ("opened", "report of b")]


def test_what_was_resolved_long_ago_is_forgotten(server: Server) -> None:
    made = shop_with(server)
    evaluate(made, found("a"))
    for after_s in (HOUR, HOUR, KEEP_S - HOUR):
        evaluate(made, found(), after_s=after_s)
    assert [key for key in documents(made.store) if key.startswith("incident")] != []
    evaluate(made, found(), after_s=2 * HOUR)
    assert [key for key in documents(made.store) if key.startswith("incident")] == []


def test_many_incidents_at_once_are_one_message_and_so_are_their_resolutions(server: Server) -> None:
    made = shop_with(server, '\n[alerts]\nescalate_after = "6h"\n' + CHANNEL)
    causes = [f"night {number:02}" for number in range(40)]
    for _ in range(10):
        evaluate(made, found(*causes))
    for _ in range(3):
        evaluate(made, found())
    bodies = [body for body in server.bodies if body]
    assert [(body["kind"], body["title"].partition(",")[0]) for body in bodies] == [
        ("opened", "40 incidents"), ("escalated", "40 incidents"), ("resolved", "40 incidents")]  # fmt: skip
    assert (len(bodies[0]["findings"]), bodies[0]["more"], bodies[0]["incident"]) == (30, 10, None)
    assert bodies[0]["findings"][0].startswith("error: report of night 00: fired, but the trigger was not sent, since")
    assert bodies[0]["next"] == ["phasegate alerts", "phasegate sweep"]
    assert made.pipeline.alerts.listed() == []


def test_as_many_as_can_be_read_are_told_of_one_by_one(server: Server) -> None:
    made = shop_with(server)
    evaluate(made, found(*"abcde"))
    evaluate(made, found(*"abcdef"))
    assert sorted(heard(server)) == [("opened", f"report of {cause}") for cause in "abcdef"]


def test_what_could_not_be_told_together_is_told_when_the_channel_is_back_and_once(server: Server) -> None:
    made = shop_with(server)
    server.queue = [Answers(500)]
    evaluate(made, found(*"abcdefgh"))
    made.clock.at += HOUR
    assert made.pipeline.alerts.send().sent == 1
    first, second = (body for body in server.bodies if body)
    assert first["id"] == second["id"]
    made.clock.at += HOUR
    assert made.pipeline.alerts.send().sent == 0


class Chat:
    """A channel that can edit: it names each message."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []

    def send(self, note: Note, /, *, ref: str) -> Reply:
        self.told.append((note.kind, note.title.partition(",")[0].partition(":")[0], ref))
        return Reply(ref=ref or f"C/{len(self.told)}")


def test_a_message_about_several_is_not_edited_and_one_of_a_former_time_neither(server: Server) -> None:
    made, chat = shop_with(server), Chat()
    made.pipeline.alerts.reach({"ops": chat})
    evaluate(made, found("a"))
    for _ in range(2):
        evaluate(made, found())
    assert chat.told == [("opened", "report of a", ""), ("resolved", "report of a", "C/1")]
    evaluate(made, found(*"abcdef"))
    for _ in range(2):
        evaluate(made, found("b"))
    assert chat.told[2:3] == [("opened", "6 incidents", "")]
    assert sorted(chat.told[3:]) == [("resolved", f"report of {cause}", "") for cause in "acdef"]


def test_of_several_that_a_killed_process_had_taken_none_is_lost(server: Server) -> None:
    made, channel = shop_with(server), Webhook(server.url)
    made.pipeline.alerts.reach({"ops": Mortal(channel, after=False)})
    with pytest.raises(Killed):
        evaluate(made, found(*"abcdefgh"))
    reach(made.pipeline.alerts, server)
    assert made.pipeline.alerts.send().sent == 0, "somebody may be at it"
    made.clock.at += CLAIM_S + 60
    assert made.pipeline.alerts.send().sent == 1
    assert [body["title"].partition(",")[0] for body in server.bodies if body] == ["8 incidents"]
