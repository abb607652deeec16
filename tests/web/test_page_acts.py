"""What an operator does on the page is shown beforehand, confirmed, done as by the command, and recorded."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from phasegate.actions.action import FORMS
from phasegate.base.findings import CheckResult, Finding
from phasegate.base.keys import Run
from phasegate.errors import Unavailable
from phasegate.web.page.frame import MEANINGS, WORDS, button
from tests.support.commands import HOUR, RUN, SQL, Night
from tests.support.pages import Tags, asked, cookie, done, form_of, page, seen, sent
from tests.support.service import Served, served

PAUSE = f"phasegate pause {RUN}"


def test_it_is_shown_what_will_happen_then_it_happens_and_is_recorded(service: Served, night: Night) -> None:
    night.scrape(10)
    shown = asked(service, PAUSE)
    words = Tags(shown.text).words
    assert f"Pause {RUN}?" in words
    assert f"analytics of {RUN} fires nothing and requests nothing, until it is resumed." in words
    assert f"The command that does the same: {PAUSE}" in words
    assert night("status", "--json").json["phases"][0]["state"] != "paused", "asking changes nothing"
    ended = sent(service, {**form_of(shown), "reason": "the source is in repair"})
    assert ended.status_code == 303
    place = urlsplit(ended.headers["location"])
    assert parse_qs(place.query) == {"back": ["/runs?from=2026-02-01"]}
    said = page(service, ended.headers["location"], by="operator").words
    assert f"Done: {PAUSE} --reason 'the source is in repair'" in said
    assert f"analytics of {RUN}: paused" in said
    assert "the source is in repair" in night("why", RUN).out
    (entry,) = night("audit", "--json").json["entries"]
    assert (entry["by"], entry["via"], entry["run"]) == ("operator", "page", RUN)
    assert entry["command"] == f"{PAUSE} --reason 'the source is in repair'"
    history = page(service, f"/runs/{RUN}").words
    assert f"operator (page): {PAUSE} --reason 'the source is in repair'; raw of {RUN}: paused" in history
    log = page(service, "/audit").words
    assert entry["command"] in log
    assert "operator" in log


def test_a_reader_sees_what_would_happen_and_cannot_do_it(service: Served, night: Night) -> None:
    night.scrape(10)
    shown = asked(service, PAUSE, by="reader")
    assert "only an operator may do this" in Tags(shown.text).words
    assert "<button" not in shown.text.partition("<main")[2]
    form = form_of(asked(service, PAUSE))
    refused = sent(service, form, by="reader")
    assert refused.status_code == 403
    assert "this takes an operator" in refused.text
    assert "<h1>Not done</h1>" in refused.text
    assert night("audit", "--json").json["entries"] == []


@pytest.mark.parametrize(
    ("headers", "change"),
    [
        ({}, {"csrf": ""}),
        ({}, {"csrf": "0" * 64}),
        ({}, {"csrf": "\u202e"}),
        ({"Origin": "https://evil.example"}, {}),
        ({"Sec-Fetch-Site": "cross-site"}, {}),
    ],
)
def test_a_form_that_the_page_did_not_make_is_refused(
    service: Served, night: Night, headers: dict[str, str], change: dict[str, str]
) -> None:
    night.scrape(10)
    refused = sent(service, {**form_of(asked(service, PAUSE)), **change}, **headers)
    assert refused.status_code == 403
    assert "paused" not in night("status").out
    assert night("audit", "--json").json["entries"] == []


def test_the_form_of_one_operator_is_of_no_use_to_another(service: Served, night: Night) -> None:
    night.scrape(10)
    added = night("tokens", "add", "other", "--role", "operator").out
    (token,) = re.findall(r"pg_[0-9a-f_]+", added)
    other = {"Cookie": f"phasegate={token}"}
    theirs = service.client.get(f"{service.url}/act", params={"command": PAUSE}, headers=other)
    assert sent(service, form_of(theirs)).status_code == 403
    assert service.client.post(f"{service.url}/act", data=form_of(theirs), headers=other).status_code == 303


def test_a_stranger_is_asked_to_sign_in_and_nothing_is_done(service: Served, night: Night) -> None:
    night.scrape(10)
    form = form_of(asked(service, PAUSE))
    answer = service.client.post(f"{service.url}/act", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2F")
    assert night("audit", "--json").json["entries"] == []


def test_of_two_tabs_the_second_is_shown_what_has_changed(service: Served, night: Night) -> None:
    night.scrape(10)
    first, second = form_of(asked(service, PAUSE)), form_of(asked(service, PAUSE))
    assert sent(service, first).status_code == 303
    again = sent(service, second)
    assert again.status_code == 409
    words = Tags(again.text).words
    assert "has changed since you looked" in words
    assert "is paused already" in words
    assert len(night("audit", "--json").json["entries"]) == 1
    assert sent(service, form_of(again)).status_code == 303, "what it shows now can be confirmed"


def test_where_nothing_would_happen_there_is_no_button(service: Served, night: Night) -> None:
    night.scrape(10)
    shown = asked(service, f"{PAUSE} --resume")
    assert "There is nothing to do now." in Tags(shown.text).words
    assert "Back to Runs" in Tags(shown.text).words
    assert "<button" not in shown.text.partition("<main")[2]


@pytest.mark.parametrize("command", ["", "rm -rf /", "phasegate status", "phasegate tokens add x", "<script>"])
def test_only_the_actions_of_an_operator_can_be_done(service: Served, command: str) -> None:
    refused = asked(service, command)
    assert refused.status_code == 400
    assert "is no command that the page can do" in refused.text
    assert "<script>" not in refused.text


def test_each_action_has_a_word_and_says_what_it_is_for(service: Served, night: Night) -> None:
    assert WORDS.keys() == MEANINGS.keys() == FORMS.keys()
    night.scrape(10)
    assert MEANINGS["replan"] in Tags(asked(service, f"phasegate replan {RUN}").text).words
    there = f'title="{MEANINGS["pause"]}" aria-label="Pause: {PAUSE}"'
    assert there in seen(service, f"/runs/{RUN}").text


def test_what_does_not_exist_is_named(service: Served, night: Night) -> None:
    night.scrape(10)
    assert asked(service, "phasegate cancel 2020-01-01.overnight").status_code == 404
    assert asked(service, "phasegate pause 2026-02-03.nightly").status_code == 400
    backwards = asked(service, "phasegate reconcile --from 2026-02-03 --to 2026-02-01 --fix")
    assert (backwards.status_code, "is after" in backwards.text) == (400, True)
    endless = asked(service, "phasegate reconcile --from 1990-01-01 --to 2026-02-01 --fix")
    assert (endless.status_code, "more than 370 dates" in endless.text) == (400, True)
    assert asked(service, "phasegate backfill --from yesterday --to 2026-02-01").status_code == 400
    assert asked(service, "phasegate backfill --from 2026-02-01 --to 2026-02-01 --mode x").status_code == 404
    assert asked(service, "phasegate leases --let-go lease:main:x:2020-01-01").status_code == 404
    assert seen(service, "/audit/2026-02-04:nothing").status_code == 404
    assert seen(service, "/audit/..%2f..%2fphase:nba").status_code == 404


def test_each_action_does_what_its_command_does(service: Served, night: Night) -> None:
    loaded(night)
    built = done(service, "phasegate worker --until-idle")
    assert "Done: phasegate worker --until-idle" in built.words
    states = {one["phase"]: one["state"] for one in night("status", "--json").json["phases"]}
    assert states["analytics"] == "complete"
    assert "player_game of 2026-02-03.overnight: built, 10 rows" in done(
        service, f"phasegate rerun {RUN} --step player_game"
    ).words  # fmt: skip
    assert "takes place" in done_twice(service, f"phasegate cancel {RUN}", f"phasegate cancel {RUN} --undo")
    assert "resumed" in done_twice(service, PAUSE, f"{PAUSE} --resume")
    assert "follow" in done(service, f"phasegate replan {RUN}").words
    night.sql("UPDATE nba_analytics.player_game SET points = 99")  # past the fence
    night.clock.at += HOUR
    fixing = "phasegate reconcile --from 2026-02-03 --to 2026-02-03 --fix"
    assert f"build {RUN} analytics.player_game again" in Tags(asked(service, fixing).text).words
    fixed = done(service, fixing).words
    assert "checked again: nothing is left" in fixed
    assert "2026-02-03 to" not in fixed
    assert night("reconcile", "--from", "2026-02-03", "--to", "2026-02-03").code in (0, 3)
    commands = [entry["command"] for entry in night("audit", "--json").json["entries"]]
    assert fixing in commands
    assert len(commands) == 8


def done_twice(service: Served, command: str, undo: str) -> str:
    assert "Done" in done(service, command).words
    return done(service, undo).words


def test_a_dead_step_is_brought_back_by_force(shrinking: Served, night: Night) -> None:
    assert "Failed" in done(shrinking, f"phasegate rerun {RUN} --step player_game").words
    (letter,) = night("dead", "--json").json["dead"]
    by_force = letter["next"].removeprefix("if the rows may be lost: ")
    assert by_force == f"phasegate redrive {RUN} --step player_game --force"
    assert button(letter["next"]) == button(by_force)
    assert "It may lose more rows than shrink_max allows" in Tags(asked(shrinking, by_force).text).words
    said = done(shrinking, by_force)
    assert "1 dead letter sent again" in said.words
    assert "Work now…" in said.words
    done(shrinking, "phasegate worker --until-idle")
    assert night("dead").code == 0
    assert night.sql("SELECT count(*) FROM nba_analytics.player_game") == [(1,)]


def test_the_lease_of_a_dead_holder_is_let_go_of(service: Served, night: Night) -> None:
    night.scrape(10)
    with night.pipeline() as pipeline:
        key = "lease:main:nba_raw.gamebook:2026-02-03"
        dying = pipeline.begin(RUN, step="gamebook")
        dying.__enter__()
        shown = Tags(asked(service, f"phasegate leases --let-go {key}").text).words
        assert "loses the lease at once" in shown
        assert (
            f"{key}: let go; what is written there was reported already"
            in done(service, f"phasegate leases --let-go {key}").words
        )
        assert night("leases").out == "No lease is held.\n"
        del dying


def test_a_message_in_quarantine_is_hidden_or_sent_again(service: Served, night: Night) -> None:
    night.publish({"step": "nonsense", "run": RUN})
    night("worker", "--until-idle")
    (letter,) = night("dead", "--json").json["dead"]
    again = f"phasegate redrive {letter['subject']}"
    assert f"message {letter['subject']}" in Tags(asked(service, again).text).words
    assert "1 dead letter sent again" in done(service, again).words
    night("worker", "--until-idle")
    assert len(night("dead", "--json").json["dead"]) == 1, "what is wrong is refused again"
    hide = f"phasegate dead --discard {letter['subject']}"
    assert "It stays stored" in Tags(asked(service, hide).text).words
    done(service, hide)
    assert night("dead").out == "Nothing is dead.\n"
    assert asked(service, hide).status_code in (200, 404)


def test_an_incident_is_closed(service: Served, night: Night) -> None:
    with night.pipeline() as pipeline:
        finding = Finding(code="PG005", subject="nba_raw.gamebook/2026-02-03", text="348 rows", command="look")
        pipeline.alerts.take([CheckResult(check="unsent", findings=(finding,))], started=pipeline.alerts.start())
    (incident,) = night("alerts", "--json").json["incidents"]
    close = f"phasegate alerts close {incident['key'].rpartition(':')[2]}"
    assert "If an evaluation still finds it, it is opened again." in Tags(asked(service, close).text).words
    assert f"closed: {incident['title']}" in done(service, close).words
    assert night("alerts").code == 0
    assert asked(service, close).status_code == 404


def test_what_fails_is_recorded_and_shown_as_failed(shrinking: Served, night: Night) -> None:
    said = done(shrinking, f"phasegate rerun {RUN} --step player_game").words
    assert "Failed" in said
    assert "would shrink from 10 to 1 row" in said
    (entry,) = night("audit", "--json").json["entries"]
    assert entry["failed"]
    assert "failed" in page(shrinking, "/audit").words


def loaded(night: Night) -> None:
    """Have all that the second phase needs."""
    night.scrape(10)
    assert night("complete", "odds", "--run", RUN, "--rows", "10").code == 0


@pytest.fixture
def shrinking(night: Night) -> Iterator[Served]:
    """Give a service whose next build of a step would lose nine of ten rows, which is refused."""
    loaded(night)
    assert night("worker", "--until-idle").code == 0
    (night.folder / "player_game.sql").write_text(f"{SQL} AND points < 1")
    with served(night.folder, clock=night.clock) as one:
        yield one


def test_what_an_operator_asks_for_over_http_is_recorded_too(service: Served, night: Night) -> None:
    loaded(night)
    night("worker", "--until-idle")
    day = "2026-02-03"
    assert service.post("/begin", {"run": "2026-02-02.overnight"}).status_code == 200
    night.clock.at += 1
    assert service.post("/steps/player_game/run", {"run": RUN}).status_code == 200
    night.sql("UPDATE nba_analytics.player_game SET points = 99")  # past the fence
    night.clock.at += HOUR
    assert service.post("/reconcile", {"from": day, "to": day, "fix": True}).status_code in (200, 503)
    service.post("/reconcile", {"from": day, "to": day})
    entries = night("audit", "--json").json["entries"]
    assert [(one["by"], one["via"], one["failed"], one["command"]) for one in entries] == [
        ("operator", "http", False, f"phasegate reconcile --from {day} --to {day} --fix"),
        ("operator", "http", False, f"phasegate rerun {RUN} --step player_game"),
        ("operator", "http", False, "phasegate begin 2026-02-02.overnight"),
    ]


def test_what_fails_in_the_midst_is_no_refusal_and_says_what_stays(
    service: Served, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.scrape(10)
    form = form_of(asked(service, PAUSE))
    pause, calls = service.pipeline.runs.pause, list[str]()

    def once(phase: str, run: Run, *, reason: str | None) -> object:
        calls.append(phase)
        if len(calls) > 1:
            raise Unavailable("the store cannot be reached")
        return pause(phase, run, reason=reason)

    monkeypatch.setattr(service.pipeline.runs, "pause", once)
    ended = sent(service, form)
    assert ended.status_code == 303
    said = page(service, ended.headers["location"], by="operator").words
    assert "Failed" in said
    assert "the store cannot be reached" in said
    assert "What was done before it failed stays done." in said
    (entry,) = night("audit", "--json").json["entries"]
    assert (entry["failed"], entry["outcome"]) == (True, "the store cannot be reached")


def test_a_run_that_is_void_already_is_not_cancelled_again_unseen(service: Served, night: Night) -> None:
    night.scrape(10)
    cancel = f"phasegate cancel {RUN}"
    first, second = form_of(asked(service, cancel)), form_of(asked(service, cancel))
    assert sent(service, {**first, "reason": "no games"}).status_code == 303
    again = sent(service, second)
    assert again.status_code == 409
    assert "is void already; its reason is replaced" in again.text
    assert "no games" in night("why", RUN).out


@pytest.mark.parametrize("reason", ["--undo", "'" * 400, "", "  the \u2028 source  "])
def test_any_reason_survives_being_shown_again(service: Served, night: Night, reason: str) -> None:
    night.scrape(10)
    given = form_of(asked(service, f"{PAUSE} --reason before"))
    night("pause", RUN, "--phase", "raw")
    again = sent(service, {**given, "reason": reason})
    assert again.status_code == 409
    assert sent(service, {**form_of(again), "reason": reason}).status_code == 303
    why = night("why", RUN).out
    assert (reason.strip() or "paused by hand") in why
    assert "before" not in why.partition("analytics")[0]


def test_a_message_is_not_sent_again_by_force(service: Served, night: Night) -> None:
    night.publish({"step": "nonsense", "run": RUN})
    night("worker", "--until-idle")
    (letter,) = night("dead", "--json").json["dead"]
    for more in ("--force", "--step odds"):
        assert asked(service, f"phasegate redrive {letter['subject']} {more}").status_code == 400
    assert asked(service, "phasegate redrive --all --force").status_code == 400


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/sign-in?next=//[", {}, 200),
        ("/act?command=phasegate+sweep", {"Referer": "http://[x"}, 200),
        ("/audit?from=abc", {}, 400),
        ("/audit?from=0001-01-01", {}, 400),
    ],
)
def test_addresses_that_are_none_are_no_bug(service: Served, path: str, headers: dict[str, str], status: int) -> None:
    answer = service.client.get(f"{service.url}{path}", headers={**cookie(service, "operator"), **headers})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")


def test_a_bug_is_one_page_and_is_reported(service: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_more: object) -> object:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(service.pipeline.views, "leases", broken)
    answer = seen(service, "/leases")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert "ZeroDivisionError" in answer.text
    assert "secret" not in answer.text
    assert "request failed" in {name for name, _ in service.log.events}
