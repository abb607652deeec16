"""The page of a run: why it is where it is, as `phasegate why` says, and what happened to it."""

import re
from collections.abc import Callable
from contextlib import closing
from typing import get_args

import pytest

from phasegate.base.keys import parse_run
from phasegate.stores.sqlite import SQLiteStore
from phasegate.web.page.grid import TONE_WORDS, Tone
from tests.support.commands import HOUR, MORNING, RUN, Night
from tests.support.pages import Tags, page
from tests.support.service import Served

PATH = f"/runs/{RUN}"


def happened(shown: Tags) -> str:
    """Return the words of the timeline, in one line."""
    return " ".join(shown.words.partition("in words")[2].split())


def moments(shown: Tags) -> list[str]:
    return [f"{of['datetime']}" for tag, of in shown.found if tag == "time"]


def test_a_whole_run_is_shown_from_its_opening_to_its_last_firing(night: Night, service: Served) -> None:
    night.whole()
    night.clock.at += HOUR
    shown = page(service, PATH)
    words = happened(shown)
    for text in (
        "opened raw opened",
        "report raw.odds report of odds: accepted",
        "result raw.gamebook accepted: success, 10 rows, token 1",
        "command analytics begin of raw generation 1: begun",
        "report analytics.player_game report of player_game: accepted",
        "fired precompute generation 1: everything expected was fresh",
        "trigger raw generation 1 acknowledged by analytics",
    ):
        assert text in words, words
    assert moments(shown) == sorted(moments(shown), reverse=True)
    assert "✓ fine" in shown.words
    assert "write " not in words, "documents only"


def test_the_tables_are_read_when_asked_for(night: Night, service: Served) -> None:
    night.whole()
    words = happened(page(service, f"{PATH}?tables=1"))
    assert "write raw.gamebook 10 rows in nba_raw.gamebook/2026-02-03, token 1 (10 inserted)" in words
    assert "write analytics.player_game 10 rows in nba_analytics.player_game/2026-02-03" in words
    assert ", by build " in words


def test_a_lease_that_is_held_for_the_run_is_shown_and_those_of_others_are_not(night: Night, service: Served) -> None:
    with night.pipeline() as pipeline, pipeline.begin(RUN, step="gamebook") as step:
        with pipeline.begin("2026-02-02.overnight", step="gamebook") as other:
            words = happened(page(service, PATH))
            other.fail("later")
        assert "lease raw.gamebook nba_raw.gamebook/2026-02-03 is held, token 1: begin gamebook" in words
        assert "2026-02-02" not in words
        step.fail("later")
    assert " is held" not in happened(page(service, PATH))


def test_a_failed_step_and_the_commands_of_an_operator_are_shown(night: Night, service: Served) -> None:
    (night.folder / "player_game.sql").write_text("SELECT nonsense FROM nba_raw.gamebook")
    night.clock.at = MORNING - 3 * HOUR
    night.scrape(3)
    night("complete", "odds", "--run", RUN, "--rows", "10")
    night("worker", "--until-idle")
    assert night("pause", RUN, "--reason", "a look first").code == 0
    shown = page(service, PATH)
    words = happened(shown)
    assert "attempt analytics.player_game attempt 1: failed: " in words
    assert "nonsense" in words
    assert "pause" in words
    assert "paused" in words


def test_the_log_of_what_failed_is_open_where_the_run_is_stuck(night: Night, service: Served) -> None:
    (night.folder / "player_game.sql").write_text("SELECT nonsense FROM nba_raw.gamebook")
    night.scrape(3)
    night("complete", "odds", "--run", RUN, "--rows", "10")
    night("worker", "--until-idle")
    shown = page(service, PATH)
    details = [(of.get("id"), "open" in of) for tag, of in shown.found if tag == "details"]
    assert details == [("raw", False), ("analytics", True), (None, True)]
    assert "It is at analytics" in shown.words
    assert "✗ wrong" in shown.words


def test_what_is_not_open_yet_is_named_with_why_as_the_command_does(night: Night, service: Served) -> None:
    night.scrape(3)
    shown = page(service, PATH)
    lines = [line for line in night("why", RUN).out.splitlines() if ": not open" in line]
    assert len(lines) == 2
    for line in lines:
        assert line in shown.words
    assert "checked again" in shown.words
    with night.pipeline() as pipeline:
        pipeline.runs.void("raw", parse_run(RUN), reason="the hall burnt")
    shown = page(service, PATH)
    assert "analytics, precompute: not open, since the phase before is void" in shown.words


def test_a_document_that_cannot_be_read_is_a_notice_beside_the_rest(night: Night, service: Served) -> None:
    night.whole()
    night.rewrite(f"phase:nba:raw:{RUN}", members=7)
    shown = page(service, PATH)
    assert f"phase:nba:raw:{RUN}" in shown.words
    assert "fired analytics generation 1" in happened(shown)
    assert "raw opened" not in happened(shown)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
def test_hostile_texts_are_text_in_the_timeline(night: Night, service: Served, name: str) -> None:
    night.scrape(3)
    report = {"step": "odds", "run": RUN, "status": "failed", "error": name, "execution_id": "1"}
    assert service.post("/complete", report).status_code == 200
    shown = page(service, PATH)
    assert name in happened(shown)
    assert shown.foreign() == []


def test_tables_that_cannot_be_read_are_a_notice_beside_what_the_documents_say(night: Night, service: Served) -> None:
    night.whole()
    tables = night.sql("SELECT schema_name, table_name FROM duckdb_tables()")
    (own,) = [f"{schema}.{name}" for schema, name in tables if "receipt" in f"{name}"]
    night.sql(f"ALTER TABLE {own} DROP COLUMN token")
    shown = page(service, f"{PATH}?tables=1")
    assert "Not read: the tables: " in shown.words
    assert "accepted: success, 10 rows" in happened(shown)


def lose(night: Night, phase: str) -> None:
    """Delete the document of a phase."""
    with closing(SQLiteStore(night.folder / ".phasegate" / "phasegate.db")) as store:
        doc = store.read(f"phase:nba:{phase}:{RUN}")
        assert doc is not None
        store.delete(doc.key, expect=doc.version)


def lost(night: Night) -> None:
    night.whole()
    lose(night, "precompute")
    night.clock.at += 40 * HOUR


def unreadable(night: Night) -> None:
    night.whole()
    night.rewrite(f"phase:nba:raw:{RUN}", members=7)


def late(night: Night) -> None:
    night.scrape(10)
    night.clock.at += 100 * HOUR


def cancelled(night: Night) -> None:
    night("begin", RUN)
    assert night("cancel", RUN).code == 0


def cancelled_with_results(night: Night) -> None:
    night.scrape(10)
    assert night("cancel", RUN).code == 0


CASES: dict[Callable[[Night], None], Tone] = {
    lost: "bad", unreadable: "bad", late: "bad", cancelled: "none", cancelled_with_results: "none",
    Night.whole: "good",
}  # fmt: skip


def leads(shown: Tags) -> list[str]:
    """Return the acts of the page, each as its command."""
    return [f"{of['aria-label']}".partition(": ")[2] for _, of in shown.found if of.get("class") == "act"]


@pytest.mark.parametrize("played", CASES, ids=lambda one: one.__name__)
def test_the_run_and_the_plan_are_as_bad_as_the_row_of_the_run(
    night: Night, service: Served, played: Callable[[Night], None]
) -> None:
    played(night)
    tone = CASES[played]
    shown = page(service, f"/runs?from={RUN[:10]}&to={RUN[:10]}")
    assert [of.get("class") for tag, of in shown.found if tag == "th" and of.get("scope") == "row"] == [tone]
    for path in (PATH, f"/plan?run={RUN}"):
        shown = page(service, path)
        assert TONE_WORDS[tone] in re.sub(r"\s+", " ", shown.words), path
        badges = [of["class"] for _, of in shown.found if f"{of.get('class')}".startswith("badge")]
        assert badges[:1] == [f"badge {tone}"]


def test_beside_an_unreadable_document_each_phase_that_is_not_shown_says_why(night: Night, service: Served) -> None:
    lost(night)
    night.rewrite(f"phase:nba:analytics:{RUN}", members=7)
    words = page(service, PATH).words
    assert "It is at analytics, precompute" in words
    assert "analytics: unknown: its document cannot be read: " in words
    assert "precompute: missed: " in words


def test_each_tone_has_words() -> None:
    assert set(TONE_WORDS) == set(get_args(Tone))
    assert len(set(TONE_WORDS.values())) == len(TONE_WORDS)


def test_a_phase_that_never_began_is_named_with_what_begins_it(night: Night, service: Served) -> None:
    lost(night)
    shown = page(service, PATH)
    assert "It is at precompute" in shown.words
    assert "precompute: not open; analytics fired, and it never began: " in shown.words
    assert f"phasegate reconcile --from {RUN[:10]} --to {RUN[:10]} --fix" in leads(shown)
    said = "precompute: not open; analytics fired, acknowledged by precompute"
    assert said in night("why", RUN).out
    assert "it begins when" not in night("why", RUN).out


def test_what_is_late_is_called_so(night: Night, service: Served) -> None:
    late(night)
    shown = page(service, PATH)
    assert "! late" in shown.words
    assert "It is at raw" in shown.words


def test_a_cancelled_run_offers_what_takes_it_back_alone(night: Night, service: Served) -> None:
    night.scrape(10)
    offered = leads(page(service, PATH))
    assert {f"phasegate {verb} {RUN}" for verb in ("cancel", "pause", "replan")} <= set(offered)
    assert night("cancel", RUN).code == 0
    offered = leads(page(service, PATH))
    assert f"phasegate cancel {RUN} --undo" in offered
    assert not {f"phasegate {verb} {RUN}" for verb in ("cancel", "pause", "replan")} & set(offered)
