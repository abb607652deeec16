"""The pages Leases, Dead letters and Incidents show what their commands do."""

from typing import Any, cast

import pytest

from phasegate.base.findings import CheckResult, Finding
from phasegate.web.page import lists
from tests.support.commands import HOUR, MORNING, RUN, Night
from tests.support.pages import page
from tests.support.service import Served

OLD = "2026-02-02.overnight"
LEASE = "lease:main:nba_raw.gamebook:2026-02-03"
PAGES = {"/leases": "No lease is held.", "/dead": "Nothing is dead.", "/incidents": "Nothing was evaluated yet"}


def evaluate(night: Night, *findings: Finding) -> None:
    with night.pipeline() as pipeline:
        pipeline.alerts.take([CheckResult(check="unsent", findings=findings)], started=pipeline.alerts.start())


def wrong(subject: str, *, code: str = "PG005", text: str = "348 rows") -> Finding:
    return Finding(code=code, subject=subject, text=text, command=f"phasegate why {subject}", cause=subject)


def fail(night: Night) -> None:
    """Let a step of the run fail for good."""
    (night.folder / "player_game.sql").write_text("SELECT nonsense FROM nba_raw.gamebook")
    night.clock.at = MORNING - 3 * HOUR
    night.scrape(3)
    night("complete", "odds", "--run", RUN, "--rows", "10")
    night("worker", "--until-idle")
    night.clock.at = MORNING


@pytest.mark.parametrize("path", PAGES)
def test_a_page_without_anything_to_list_says_so_and_is_the_present_one(service: Served, path: str) -> None:
    shown = page(service, path)
    assert PAGES[path] in shown.words
    assert [of["href"] for tag, of in shown.found if tag == "a" and of.get("aria-current") == "page"] == [path]
    assert not [tag for tag, _ in shown.found if tag == "table"]


def test_leases_are_shown_as_the_command_does(night: Night, service: Served) -> None:
    with night.pipeline() as pipeline, pipeline.begin(RUN, step="gamebook") as step:
        night.clock.at += 20
        shown, (lease,) = page(service, "/leases"), night("leases", "--json").json["leases"]
        assert f"{lease['table']}/{lease['partition']}" in shown.words
        assert lease["purpose"] in shown.words
        assert "08:12, 20 s" in shown.words
        assert f"{lease['left_s']:.0f} s" in shown.words
        night.clock.at += 100
        assert "expired 1 min ago" in page(service, "/leases").words
        step.fail("too late")
    assert "No lease is held." in page(service, "/leases").words
    shown = page(service, "/leases?all=1")
    assert "nba_raw.gamebook/2026-02-03" in shown.words
    assert "0 held now, 1 free" in shown.words


def test_dead_letters_are_shown_as_the_command_does(night: Night, service: Served) -> None:
    fail(night)
    night.publish({"kind": "completion", "step": "nonesuch", "run": RUN, "status": "success"})
    night("worker", "--until-idle")
    shown, letters = page(service, "/dead"), night("dead", "--json").json["dead"]
    assert {letter["kind"] for letter in letters} == {"request", "message"}
    for letter in letters:
        assert letter["reason"] in shown.words
        assert letter["next"] in shown.words
    assert ("a", f"/runs/{RUN}") in [(tag, of.get("href")) for tag, of in shown.found]
    assert "phasegate dead --discard quarantine:nba:" in shown.words
    assert "2 dead" in shown.words


def test_incidents_are_shown_as_the_command_does_the_worst_first(night: Night, service: Served) -> None:
    evaluate(night, wrong("odds", code="PG014"), wrong("gamebook"))
    night.clock.at += 600
    shown, found = page(service, "/incidents"), night("alerts", "--json").json["incidents"]
    assert [one["severity"] for one in found] == ["error", "note"]
    places = [shown.words.index(one["title"]) for one in found]
    assert places == sorted(places)
    for one in found:
        assert one["key"].rpartition(":")[2] in shown.words
        assert one["findings"][0]["text"] in shown.words
        assert all(command in shown.words for command in one["next"])
    assert "✗ 2 open" in shown.words
    assert "Evaluated: 08:12, 10 min" in shown.words
    evaluate(night)
    night.clock.at += 600
    evaluate(night)
    assert "No incident is open." in page(service, "/incidents").words


def test_what_cannot_be_read_is_a_notice_beside_the_rest(night: Night, service: Served) -> None:
    fail(night)
    evaluate(night, wrong("gamebook"))
    (incident,) = [key for key in night.documents() if key.startswith("incident:")]
    evaluate(night, wrong("gamebook"), wrong("odds"))
    night.rewrite(incident, count="many")
    night.rewrite(LEASE, token="seven")
    night.rewrite(f"phase:nba:raw:{RUN}", members=7)
    shown = page(service, "/leases?all=1")
    assert LEASE in shown.words
    assert "nba_analytics.player_game/2026-02-03" in shown.words
    shown = page(service, "/dead")
    assert f"phase:nba:raw:{RUN}" in shown.words
    assert "nonsense" in shown.words
    shown = page(service, "/incidents")
    assert incident in shown.words
    assert "odds" in shown.words
    night.rewrite("watch:nba:alerts:all", taken_at="never")
    shown = page(service, "/incidents")
    assert "watch:nba:alerts:all" in shown.words
    assert "Nothing was evaluated yet" not in shown.words


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "x" * 3_000])
def test_hostile_texts_are_text(night: Night, service: Served, name: str) -> None:
    evaluate(night, wrong(name, text=name))
    night.publish({"kind": "completion", "step": name, "run": name, "status": "success"})
    night("worker", "--until-idle")
    for path in ("/incidents", "/dead"):
        shown = page(service, path)
        assert name[:40] in shown.words
        assert shown.foreign() == []


def test_dead_letters_of_long_ago_are_read_where_their_runs_are_not_settled(night: Night, service: Served) -> None:
    fail(night)
    night.scrape(3, run=OLD)
    night("complete", "odds", "--run", OLD, "--rows", "10")
    night("worker", "--until-idle")
    body, _ = night.documents()[f"phase:nba:raw:{OLD}"]
    (entry,) = cast("dict[str, Any]", body)["outbox"]
    night.rewrite(f"phase:nba:raw:{OLD}", outbox=[{**entry, "state": "dead"}])
    assert f"phasegate redrive {OLD} --step analytics" in page(service, "/dead").words
    night.clock.at += 40 * 24 * HOUR
    shown = page(service, "/dead")
    assert f"phasegate redrive {RUN} --step player_game" in shown.words, "it is not settled"
    assert f"redrive {OLD} --step analytics" not in shown.words
    assert "Runs since 2026-02-13, and older ones that are not settled" in shown.words
    assert ("a", "/dead?all=1") in [(tag, of.get("href")) for tag, of in shown.found]
    assert f"phasegate redrive {OLD} --step analytics" in page(service, "/dead?all=1").words


def test_a_list_of_all_does_not_renew_itself_and_ends_after_so_many_rows(
    night: Night, service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(night)
    night.publish({"kind": "completion", "step": "nonesuch", "run": RUN, "status": "success"})
    night("worker", "--until-idle")
    for path in ("/leases", "/dead"):
        for query, live in (("", "15"), ("?all=1", "0")):
            (body,) = [of for tag, of in page(service, path + query).found if tag == "body"]
            assert body["data-live"] == live
    assert "and 1 more" not in page(service, "/dead?all=1").words
    monkeypatch.setattr(lists, "ROWS_MAX", 1)
    shown = page(service, "/leases?all=1")
    assert "0 held now, 2 free" in shown.words
    assert "and 1 more" in shown.words
    assert [of.get("scope") for tag, of in shown.found if tag == "th"].count("row") == 1
    shown = page(service, "/dead")
    assert "2 dead" in shown.words
    assert "and 1 more" in shown.words
    assert len([tag for tag, _ in shown.found if tag == "h2"]) == 1


def test_runs_says_that_nothing_needs_a_person_only_if_nothing_is_dead_or_open(night: Night, service: Served) -> None:
    night.whole()
    fine = "No run of these dates needs a person."
    assert fine in page(service, "/runs").words
    night.publish({"kind": "completion", "step": "nonesuch", "run": RUN, "status": "success"})
    night("worker", "--until-idle")
    shown = page(service, "/runs")
    assert fine not in shown.words
    assert "1 dead letter" in shown.words
    night("dead", "--discard", night("dead", "--json").json["dead"][0]["subject"])
    assert fine in page(service, "/runs").words
    evaluate(night, wrong("gamebook"), wrong("odds"))
    shown = page(service, "/runs")
    assert fine not in shown.words
    assert "2 open incidents" in shown.words
    assert len([of for tag, of in shown.found if tag == "a" and of.get("href") == "/incidents"]) == 2


def test_what_is_not_read_of_dead_letters_and_incidents_is_no_good_news(night: Night, service: Served) -> None:
    night.whole()
    evaluate(night, wrong("gamebook"))
    (incident,) = [key for key in night.documents() if key.startswith("incident:")]
    night.rewrite(incident, count="many")
    shown = page(service, "/runs")
    assert incident in shown.words
    assert "needs a person" not in shown.words
