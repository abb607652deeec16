"""The page Plan: the drawing of `phasegate plan graph`, with the state of a run on it."""

import pytest

from tests.support.commands import RUN, Night
from tests.support.pages import Tags, page
from tests.support.service import Served

OTHER = "2026-02-04.overnight"


def marked(shown: Tags) -> dict[str, str]:
    """Return the classes of each step's box, by the step of its link."""
    found, step = {}, ""
    for tag, of in shown.found:
        if tag == "a" and "#" in f"{of.get('href')}":
            step = f"{of['href']}".rpartition(".")[2]
        if tag == "rect" and f"{of['class']}".startswith("step"):
            found[step] = f"{of['class']}"
    return found


def chosen(shown: Tags) -> list[bool]:
    return ["selected" in of for tag, of in shown.found if tag == "option"]


def test_each_step_has_the_sign_and_colour_of_its_state(played: Night, service: Served) -> None:
    shown = page(service, "/plan")
    states = {one["name"]: one["state"] for phase in played("why", RUN, "--json").json["phases"]
              for one in phase["members"]}  # fmt: skip
    assert states["report"] == "unreported"
    tones = {"fresh": "good", "unreported": "none"}
    assert {step: kinds.split()[-1] for step, kinds in marked(shown).items()} == {
        step: tones[state] for step, state in states.items()
    }
    assert "✓ gamebook" in shown.words
    assert "· report" in shown.words
    for step, state in states.items():
        assert f"{step}: {state}" in shown.words
    assert ("a", f"/runs/{RUN}#raw.gamebook") in [(tag, of.get("href")) for tag, of in shown.found]
    ids = [of.get("id") for _, of in page(service, f"/runs/{RUN}").found]
    assert {"raw", "raw.gamebook", "precompute.report"} <= set(ids)


def test_the_newest_run_is_shown_unless_another_is_named(played: Night, service: Served) -> None:
    played.scrape(3, run=OTHER)
    shown = page(service, "/plan")
    assert f"with the run {OTHER}" in shown.words
    assert chosen(shown) == [True, False]
    assert "· not open" in shown.words
    named = page(service, f"/plan?run={RUN}")
    assert f"with the run {RUN}" in named.words
    assert chosen(named) == [False, True]


def test_the_steps_are_listed_beside_the_drawing(played: Night, service: Served) -> None:
    shown = page(service, "/plan")
    drawn = played("plan", "graph", "--json").json["steps"]
    words = " ".join(shown.words.partition("Steps")[2].split())
    for step in drawn:
        assert step["name"] in words
        assert all(need in words for need in step["needs"])
    (drawing,) = [of for tag, of in shown.found if tag == "svg"]
    assert drawing["aria-label"] == "The plan of nba"


def test_without_a_run_the_plan_alone_is_drawn(service: Served) -> None:
    shown = page(service, "/plan")
    assert "No run is open yet" in shown.words
    assert [of["class"] for tag, of in shown.found if tag == "rect" and f"{of['class']}".startswith("step")] == [
        "step external", "step external", "step sql", "step external",
    ]  # fmt: skip
    assert not [tag for tag, _ in shown.found if tag == "select"]


@pytest.mark.parametrize(
    ("run", "status", "words"), [("2026-02-03.dawn", 400, "unknown mode"), ("2026-09-09", 404, "is not open")]
)
@pytest.mark.usefixtures("played")
def test_a_run_that_is_none_is_refused(service: Served, run: str, status: int, words: str) -> None:
    assert words in page(service, f"/plan?run={run}", status=status).words


def test_a_document_that_cannot_be_read_is_a_notice_beside_the_rest(played: Night, service: Served) -> None:
    played.rewrite(f"phase:nba:raw:{RUN}", members=7)
    shown = page(service, "/plan")
    assert f"phase:nba:raw:{RUN}" in shown.words
    assert "player_game: fresh" in shown.words
