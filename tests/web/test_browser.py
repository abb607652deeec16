"""What a person sees in a real browser: every page, in light, in dark and on a telephone.

The pages are those of READ, so that a new one is looked at without a change here.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, expect

from phasegate.web.page.routes import READ
from tests.support.browser import LOOKS, Look, Visitor, chromium, visitor
from tests.support.january import DEAD_RUN, FORECAST, Scene
from tests.support.service import Served

pytestmark = pytest.mark.slow
# the page that shows what an action would do
ASKED = f"/act?command=phasegate+redrive+{DEAD_RUN}+--step+{FORECAST}"


class Site(NamedTuple):
    """A scene that is served, and a browser before it."""

    scene: Scene
    service: Served
    browser: Browser

    def seen(self, look: Look = LOOKS["light"], *, by: str = "reader") -> AbstractContextManager[Visitor]:
        return visitor(self.browser, self.service, look, by=by)


# Of this file only: a browser that stays open leaves its event loop to the tests of other files.
@pytest.fixture(scope="module")
def site(january_scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    scene = january_scene.copied(tmp_path_factory.mktemp("january") / "copy")
    with chromium() as browser, scene.served() as service:
        yield Site(scene, service, browser)


def focused(seen: Visitor) -> str:
    return str(seen.page.evaluate("document.activeElement.textContent"))


def test_a_reader_signs_in_and_out_by_the_keyboard_alone(site: Site) -> None:
    with site.seen(by="") as seen:
        seen.open(f"/runs/{DEAD_RUN}")
        expect(seen.page.get_by_label("Access token")).to_be_focused()
        seen.page.keyboard.insert_text(site.service.tokens["reader"])
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_url(f"{site.service.url}/runs/{DEAD_RUN}")
        seen.page.keyboard.press("Tab")
        assert focused(seen) == "Skip to the content"
        for _ in range(30):
            seen.page.keyboard.press("Tab")
            if focused(seen) == "Sign out":
                break
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_url(f"{site.service.url}/sign-in")
        assert not seen.problems


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("path", [*READ, ASKED, "/sign-in"])
def test_a_page_is_shown_without_an_error_and_is_fit_for_everyone(site: Site, path: str, look: Look) -> None:
    with site.seen(look, by="operator") as seen:  # who also sees the buttons
        seen.open(site.scene.address(path))
        assert seen.page.locator("h1").is_visible()
        assert seen.violations() == []
        assert seen.overflow() <= 0
        assert not seen.problems


@pytest.mark.parametrize("path", READ)
def test_a_page_says_the_same_without_scripts(site: Site, path: str) -> None:
    texts = []
    for look in (Look(), Look(scripts=False)):
        with site.seen(look) as seen:
            seen.open(site.scene.address(path))
            texts.append(seen.page.locator("main").inner_text())
    assert texts[0] == texts[1]
    assert len(texts[0]) > 100


def test_what_a_page_must_not_do_is_noticed(site: Site) -> None:
    worse = '<input><img src="data:,"><img src="http://127.0.0.2:9/x.png">'
    with site.seen(by="") as seen:
        seen.open("/sign-in")
        seen.page.evaluate("alert('here')")
        seen.page.evaluate("setTimeout(() => { throw new Error('thrown') })")
        seen.page.evaluate("worse => { document.body.innerHTML += worse }", worse)
        seen.page.evaluate("document.body.style.width = '3000px'")
        seen.page.wait_for_timeout(200)
        kinds = {problem.partition(":")[0] for problem in seen.problems}
        assert kinds == {"asked another host", "console", "dialog", "raised"}
        assert seen.overflow() > 1000
        assert {found.partition(":")[0] for found in seen.violations()} >= {"label", "image-alt"}


def test_a_browser_that_is_missing_is_skipped_at_home_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="NO BROWSER: no chromium"), chromium():
        pass
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="NO BROWSER: no chromium"), chromium():
        pass
