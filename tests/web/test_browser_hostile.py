"""Whatever text is in the documents, it is text on the page: no script runs, no dialog opens, nothing overflows."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from phasegate.web.page.frame import visible
from phasegate.web.page.routes import READ
from tests.support.browser import LOOKS, Visitor, chromium, visitor
from tests.support.hostile import HOSTILE, hostile
from tests.support.service import served

SPAN = "?from=2026-02-01&to=2026-02-04"
SPANNED = ("/runs", "/findings", "/calendar", "/audit")


class Narrow(NamedTuple):
    """A narrow window of an operator, and the pages of the acts."""

    seen: Visitor
    acts: list[str]

    def places(self, path: str) -> list[str]:
        """Return the addresses of a page: one for each run, or each act, that it may show."""
        if "{act}" in path:
            return self.acts
        runs = HOSTILE if "{run}" in path else [""]
        return [path.format_map({"run": run}) + (SPAN if path in SPANNED else "") for run in runs]


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Narrow]:
    folder = tmp_path_factory.mktemp("hostile")
    with chromium() as browser:
        clock, acts = hostile(folder)
        with served(folder, clock=clock) as service, visitor(browser, service, LOOKS["narrow"], by="operator") as seen:
            yield Narrow(seen, acts)


@pytest.mark.parametrize("path", READ)
def test_hostile_texts_are_text(narrow: Narrow, path: str) -> None:
    seen = narrow.seen
    seen.problems.clear()
    for place in narrow.places(path):
        seen.open(place)
        for summary in seen.page.locator("details:not([open]) > summary").all():
            if summary.is_visible():
                summary.click()
        assert seen.overflow() <= 0
        assert seen.page.locator("main :is(script, img)").count() == 0
        assert not seen.problems


def test_each_hostile_text_is_shown_somewhere(narrow: Narrow) -> None:
    texts = []
    for path in READ:
        for place in narrow.places(path):
            narrow.seen.open(place)
            texts.append(narrow.seen.page.locator("main").text_content() or "")
    for text in HOSTILE.values():
        start = str(visible(text[:30]))
        assert sum(start in one for one in texts) >= 3, start
    assert max(map(len, texts)) < 400_000
