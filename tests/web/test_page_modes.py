"""Pages that show only some modes say so, and what the others hold."""

from collections.abc import Iterator

import pytest

from tests.support.commands import HOUR, PLAN, RUN, Night
from tests.support.pages import Tags, page
from tests.support.service import Served, served

OTHER = "2026-02-03.sameday"
MODES = """[phase.raw]
modes.overnight = { expect = "*" }
modes.sameday = { expect = ["odds"] }
"""


@pytest.fixture
def two(night: Night) -> Iterator[Served]:
    """Serve two modes: one is complete, and the other waits for too long."""
    (night.folder / "plan.toml").write_text(PLAN.replace("[phase.raw]\n", MODES, 1))
    for run in (OTHER, RUN):
        assert night("begin", run).code == 0
    night("complete", "odds", "--run", OTHER, "--rows", "3")
    night("worker", "--until-idle")
    night.clock.at += 80 * HOUR
    with served(night.folder, clock=night.clock) as service:
        yield service


def links(shown: Tags, path: str) -> list[str]:
    return [f"{of['href']}" for tag, of in shown.found if tag == "a" and f"{of.get('href')}".startswith(f"{path}?")]


def test_runs_of_some_modes_are_fine_without_the_others_being_so(two: Served) -> None:
    shown = page(two, "/runs?mode=sameday")
    assert "No run of these dates in mode sameday needs a person." in shown.words
    assert "1 run of other modes is not shown, 1 of them wrong or to be looked at" in shown.words
    assert sum("mode=sameday" in link for link in links(shown, "/runs")) == 2, "earlier and later keep the modes"
    shown = page(two, "/runs?mode=overnight")
    assert "1 wrong" in shown.words
    assert "1 run of other modes is not shown." in shown.words
    for query in ("", "?mode=sameday&mode=overnight"):
        shown = page(two, f"/runs{query}")
        assert "other modes" not in shown.words


def test_the_calendar_of_some_modes_names_them_and_counts_the_gaps_of_the_others(two: Served) -> None:
    shown = page(two, "/calendar?month=2026-02&mode=sameday")
    words = " ".join(shown.words.split())
    assert "✓ no gap Every phase in mode sameday that should be complete by now is." in words
    assert "Other modes have 1 gap, not shown" in words
    assert "/calendar?month=2026-02" in links(shown, "/calendar")
    words = page(two, "/calendar?month=2026-02&mode=overnight").words
    assert "Other modes" not in words
    assert "✗ 1 gap" in words


def test_no_run_is_no_good_news_where_nothing_says_if_one_is_expected(night: Night, service: Served) -> None:
    words = page(service, "/runs").words
    assert "none was expected" not in words
    assert "nothing says whether one is expected: add expected_by" in words
    assert "has not begun" in page(service, "/runs?from=2026-03-01&to=2026-03-02").words
    plan = night.folder / "plan.toml"
    external = '[step.odds]\nphase = "raw"\nexternal = true\n'
    plan.write_text(plan.read_text().replace(external, f'{external}expected_by = "07:00 +3d"\n'))
    with served(night.folder, clock=night.clock) as other:
        shown = page(other, "/runs?from=2026-02-04&to=2026-02-04")
        assert "nothing says" not in shown.words
