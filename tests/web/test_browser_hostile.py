"""Whatever text is in the documents, it is text on the page: no script runs, no dialog opens, nothing overflows."""

from collections.abc import Iterator

import pytest

from phasegate.web.page.frame import visible
from phasegate.web.page.routes import READ
from tests.support.browser import LOOKS, Visitor, chromium, visitor
from tests.support.hostile import HOSTILE, hostile
from tests.support.service import Served, served

SPAN = "?from=2026-02-01&to=2026-02-04"
PAGES = [path.format_map({"run": run}) for path in READ for run in (HOSTILE if "{run}" in path else [""])]
SPANNED = ("/runs", "/findings", "/calendar")


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Visitor, Served]]:
    folder = tmp_path_factory.mktemp("hostile")
    with chromium() as browser:
        clock = hostile(folder)
        with served(folder, clock=clock) as service, visitor(browser, service, LOOKS["narrow"]) as seen:
            yield seen, service


@pytest.mark.parametrize("place", PAGES)
def test_hostile_texts_are_text(narrow: tuple[Visitor, Served], place: str) -> None:
    seen, _ = narrow
    seen.problems.clear()
    seen.open(f"{place}{SPAN if place in SPANNED else ''}")
    for summary in seen.page.locator("details:not([open]) > summary").all():
        if summary.is_visible():
            summary.click()
    assert seen.overflow() <= 0
    assert seen.page.locator("main :is(script, img, svg)").count() == 0
    assert not seen.problems


def test_each_hostile_text_is_shown_somewhere(narrow: tuple[Visitor, Served]) -> None:
    seen, _ = narrow
    texts = []
    for place in PAGES:
        seen.open(f"{place}{SPAN if place in SPANNED else ''}")
        texts.append(seen.page.locator("main").text_content() or "")
    for text in HOSTILE.values():
        start = str(visible(text[:30]))
        assert sum(start in one for one in texts) >= 3, start
    assert max(map(len, texts)) < 400_000
