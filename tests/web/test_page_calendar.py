"""The page Calendar shows what `phasegate calendar` does: the gaps first, then each phase on each day."""

import sys

import pytest

from phasegate.answers.covered import SIGNS
from tests.support.commands import HOUR, MORNING, RUN, Night
from tests.support.pages import Tags, page
from tests.support.service import Served

SEASON = """
from phasegate import CalendarDay


def dates(first, last):
    for n in range(1, 9):
        on = f"2026-02-{n:02d}"
        if first.isoformat() <= on <= last.isoformat():
            state = {4: "none", 5: "void"}.get(n, "work")
            yield CalendarDay(date=on, state=state, reason="postponed" if state == "void" else "")
"""


@pytest.fixture
def season(night: Night, monkeypatch: pytest.MonkeyPatch) -> Night:
    """Give a pipeline with a calendar, one whole run, and two dates that were missed."""
    (night.folder / "season.py").write_text(SEASON)
    plan = night.folder / "plan.toml"
    plan.write_text(plan.read_text().replace("\n[phase.raw]", 'calendar = "season:dates"\n\n[phase.raw]', 1))
    monkeypatch.syspath_prepend(str(night.folder))
    monkeypatch.delitem(sys.modules, "season", raising=False)
    night.whole()
    night.clock.at = MORNING + HOUR
    return night


def places(shown: Tags) -> list[tuple[str, str]]:
    """Return the words and the link of each place that is not ahead."""
    links = [of for tag, of in shown.found if tag == "a" and "title" in of and of.get("class") != "act"]
    return [(f"{of['title']}", f"{of['href']}") for of in links]


def test_the_places_and_the_gaps_are_those_of_the_command(season: Night, service: Served) -> None:
    shown = page(service, "/calendar?month=2026-02")
    found = season("calendar", "--month", "2026-02", "--json").json
    titles = [title for title, _ in places(shown)]
    assert len(titles) == len(found["cells"]) == 15
    for cell in found["cells"]:
        said = f"{cell['phase']}, {cell['date']}: {cell['mode']} {cell['state']}"
        assert [title for title in titles if title.partition(": ")[0] == said.partition(": ")[0]]
        assert [title for title in titles if title.startswith(said)], said
    for gap in found["gaps"]:
        assert gap["next"] in shown.words
        assert gap["reason"] in shown.words
    for state, count in found["counts"].items():
        assert f"{SIGNS[state]} {state} {count}" in shown.words
    assert shown.words.index(found["gaps"][0]["next"]) < shown.words.index("Every phase on every day")
    assert f"{len(found['gaps'])} gap" in shown.words


def test_a_place_leads_to_its_run_or_to_the_runs_of_its_date(season: Night, service: Served) -> None:
    links = {title.partition(": ")[0]: link for title, link in places(page(service, "/calendar?month=2026-02"))}
    assert links["raw, 2026-02-03"] == f"/runs/{RUN}"
    assert links["raw, 2026-02-01"] == "/runs?from=2026-02-01&to=2026-02-01"
    for link in links.values():
        page(service, link)
    assert season("status").code in (0, 1)


def test_without_dates_it_is_the_season_of_today(season: Night, service: Served) -> None:
    shown = page(service, "/calendar")
    found = season("calendar", "--season", "2025-26", "--json").json
    assert f"season 2025-26, {found['from']} to {found['to']}" in shown.words
    assert len(places(shown)) == len(found["cells"])
    hrefs = [of.get("href") for tag, of in shown.found if tag == "a"]
    assert "/calendar?season=2024-25" in hrefs
    assert "/calendar?season=2026-27" in hrefs


def test_a_span_without_a_gap_says_so(season: Night, service: Served) -> None:
    shown = page(service, f"/calendar?from={RUN[:10]}&to={RUN[:10]}")
    assert season("calendar", "--from", RUN[:10], "--to", RUN[:10]).code == 0
    assert "✓ no gap" in shown.words
    assert "closes it" not in shown.words


def test_a_grid_can_be_scrolled_by_the_keyboard_and_is_named(season: Night, service: Served) -> None:
    shown = page(service, "/calendar?month=2026-02")
    (grid,) = [of for _, of in shown.found if of.get("aria-label") == "2026-02"]
    assert (grid["tabindex"], grid["role"], grid["class"]) == ("0", "region", "scroll")
    assert season.clock.at == MORNING + HOUR


def test_an_empty_season_says_what_to_type(service: Served) -> None:
    shown = page(service, "/calendar")
    assert "Nothing is stored about these dates." in shown.words
    assert "no gap" not in shown.words


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("season=2025-27", "write YYYY-YY"),
        ("month=2026-13", "write YYYY-MM"),
        ("month=2026-02&season=2025-26", "give only one of"),
        ("to=2026-02-03", "needs --from"),
        ("from=2026-02-03&to=2026-02-01", "is after"),
        ("mode=dawn", "unknown mode"),
    ],
)
def test_what_are_no_dates_is_refused_as_the_command_does(service: Served, query: str, words: str) -> None:
    assert words in page(service, f"/calendar?{query}", status=400).words


def test_a_document_that_cannot_be_read_is_a_notice_beside_the_rest(season: Night, service: Served) -> None:
    season.rewrite(f"phase:nba:raw:{RUN}", members=7)
    shown = page(service, "/calendar?month=2026-02")
    assert f"phase:nba:raw:{RUN}" in shown.words
    titles = [title for title, _ in places(shown)]
    assert "raw, 2026-02-03: overnight UNKNOWN: its document cannot be read" in titles
    assert "analytics, 2026-02-03: overnight COMPLETE" in titles
    assert "no gap" not in shown.words
