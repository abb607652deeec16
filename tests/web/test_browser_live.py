"""A page renews itself, keeps what the reader has opened or typed, and says when it is old."""

import hashlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from phasegate.web.page.frame import PACKAGE, STATIC
from tests.support.browser import Visitor, chromium, visitor
from tests.support.commands import RUN, Night
from tests.support.service import Served, served

pytestmark = pytest.mark.slow
RENEWED_MS = 15_500


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Night:
    night = Night.empty(tmp_path, monkeypatch, capsys)
    night.scrape(10)
    return night


@pytest.fixture
def service(night: Night) -> Iterator[Served]:
    with served(night.folder, clock=night.clock) as one:
        yield one


@pytest.fixture
def seen(browser: Browser, service: Served) -> Iterator[Visitor]:
    """Give a reader before a browser whose time the test moves."""
    with visitor(browser, service) as one:
        one.page.clock.install()
        yield one
        assert not one.problems


def test_what_changes_is_shown_without_loading_the_page_again(seen: Visitor, night: Night) -> None:
    seen.open(f"/runs/{RUN}")
    raw = seen.page.locator("#raw > summary .badge")
    expect(raw).to_contain_text("waiting")
    assert night("complete", "odds", "--run", RUN, "--rows", "10").code == 0
    night.clock.at += 60
    seen.page.clock.fast_forward(RENEWED_MS)
    expect(raw).to_contain_text("sending")
    expect(seen.page.locator("#seen")).to_contain_text("08:13")


def test_what_a_reader_opened_stays_open(seen: Visitor, night: Night) -> None:
    night.whole()
    seen.open(f"/runs/{RUN}")
    raw = seen.page.locator("#raw")
    assert raw.get_attribute("open") is None
    raw.locator("> summary").click()
    night.clock.at += 60
    seen.page.clock.fast_forward(RENEWED_MS)
    expect(seen.page.locator("#seen")).to_contain_text("08:16")
    assert raw.get_attribute("open") is not None


def test_what_a_reader_types_into_a_filter_is_left_alone(seen: Visitor, night: Night) -> None:
    seen.open("/runs?from=2026-02-01&to=2026-02-04")
    seen.page.get_by_label("From").fill("2026-01-05")
    night.clock.at += 60
    seen.page.clock.fast_forward(RENEWED_MS)
    expect(seen.page.locator("#seen")).to_contain_text("08:13")
    expect(seen.page.get_by_label("From")).to_have_value("2026-01-05")


def test_a_page_says_that_it_is_old_while_the_service_does_not_answer(browser: Browser, service: Served) -> None:
    def away(route: Route) -> None:
        route.abort()

    with visitor(browser, service) as seen:
        seen.page.clock.install()
        seen.open("/runs")
        stale = seen.page.get_by_role("status")
        expect(stale).to_be_hidden()
        seen.page.route("**/runs", away)
        seen.page.clock.run_for(61_000)
        expect(stale).to_contain_text("the service has not answered for 1 min")
        expect(stale.get_by_role("link")).to_have_text("Load it again")
        seen.page.unroute("**/runs")
        seen.page.clock.run_for(RENEWED_MS)
        expect(stale).to_be_hidden()
        assert [p for p in seen.problems if "ERR_FAILED" not in p and "htmx:" not in p] == []


def test_a_page_that_does_not_renew_itself_says_so_when_it_is_old(seen: Visitor) -> None:
    seen.open("/findings")
    stale = seen.page.get_by_role("status")
    seen.page.clock.run_for(200_000)
    expect(stale).to_be_hidden()
    seen.page.clock.run_for(200_000)
    expect(stale).to_contain_text("this was read 6 min ago")


def test_a_reader_whose_token_was_revoked_is_asked_to_sign_in(seen: Visitor, night: Night, service: Served) -> None:
    seen.open("/runs")
    assert night("tokens", "revoke", "reader").code == 0
    service.pipeline.ports.clock.sleep(60)
    seen.page.clock.fast_forward(RENEWED_MS)
    expect(seen.page.get_by_label("Access token")).to_be_visible()


def test_the_scripts_of_others_are_those_that_were_published() -> None:
    folder = files(PACKAGE) / "static"
    lines = [line.split("|") for line in (folder / "VENDORED.md").read_text().splitlines() if line.startswith("| `")]
    known = {name.strip(" `"): checksum.strip(" `") for _, name, _, _, checksum, _ in lines}
    assert known.keys() == STATIC.keys() - {"page.css", "live.js"}
    for name, checksum in known.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == checksum
