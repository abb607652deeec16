"""What a person sees in a real browser: every page, in light, in dark and on a telephone.

The pages are those of READ, so that a new one is looked at without a change here.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from phasegate.web.page.routes import READ
from tests.support import browser as browsers
from tests.support.browser import LOOKS, Look, visitor
from tests.support.january import DEAD_RUN, Scene, january
from tests.support.service import Served

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # one that stayed open would leave its event loop to the tests of other files
    with browsers.chromium() as started:
        yield started


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return january(tmp_path_factory.mktemp("january"))


@pytest.fixture(scope="module")
def service(scene: Scene) -> Iterator[Served]:
    with scene.served() as one:
        yield one


def test_a_reader_signs_in_and_out_by_the_keyboard_alone(browser: Browser, service: Served) -> None:
    with visitor(browser, service, by="") as seen:
        seen.open(f"/runs/{DEAD_RUN}")
        expect(seen.page.get_by_label("Access token")).to_be_focused()
        keyboard = seen.page.keyboard
        keyboard.insert_text(service.tokens["reader"])
        keyboard.press("Enter")
        seen.page.wait_for_url(f"{service.url}/runs/{DEAD_RUN}")
        keyboard.press("Tab")
        assert seen.page.evaluate("document.activeElement.textContent") == "Skip to the content"
        for _ in range(30):
            keyboard.press("Tab")
            if seen.page.evaluate("document.activeElement.textContent") == "Sign out":
                break
        keyboard.press("Enter")
        seen.page.wait_for_url(f"{service.url}/sign-in")
        assert not seen.problems


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("path", [*READ, "/sign-in"])
def test_a_page_is_shown_without_an_error_and_is_fit_for_everyone(
    browser: Browser, service: Served, scene: Scene, path: str, look: Look
) -> None:
    with visitor(browser, service, look) as seen:
        seen.open(scene.address(path))
        assert seen.page.locator("h1").is_visible()
        assert seen.violations() == []
        assert seen.overflow() <= 0
        assert not seen.problems


@pytest.mark.parametrize("path", READ)
def test_a_page_says_the_same_without_scripts(browser: Browser, service: Served, scene: Scene, path: str) -> None:
    with visitor(browser, service) as seen, visitor(browser, service, Look(scripts=False)) as plain:
        texts = []
        for one in (seen, plain):
            one.open(scene.address(path))
            texts.append(one.page.locator("main").inner_text())
        assert texts[0] == texts[1]
        assert len(texts[0]) > 100


def test_a_request_to_another_host_a_dialog_and_an_error_are_noticed(browser: Browser, service: Served) -> None:
    with visitor(browser, service, by="") as seen:
        seen.open("/sign-in")
        seen.page.evaluate("alert('here')")
        seen.page.evaluate("document.body.innerHTML += '<img src=\"http://127.0.0.2:9/x.png\">'")
        seen.page.evaluate("setTimeout(() => { throw new Error('thrown') })")
        seen.page.evaluate('document.body.innerHTML += \'<p style="width: 3000px">wide</p><input><img src="data:,">\'')
        seen.page.wait_for_timeout(200)
        assert {problem.partition(":")[0] for problem in seen.problems} == {"asked another host", "console", "dialog", "raised"}
        assert "console: Loading the image 'http://127.0.0.2:9" in f"{seen.problems}"
        assert seen.overflow() > 1000
        assert {found.partition(":")[0] for found in seen.violations()} >= {"label", "image-alt"}
