"""The five things of a morning, in a real browser: each from the first page on, with its clicks counted.

docs/how-to/serve.md has the same numbers in a table, which is read here.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.support.browser import Visitor, chromium, visitor
from tests.support.january import DEAD_RUN, FORECAST, OPEN_RUN, Scene
from tests.support.real_data import ROOT
from tests.support.service import Served

pytestmark = pytest.mark.slow
GUIDE = ROOT / "docs" / "how-to" / "serve.md"
KEYS_MAX = 120
LEASE = "nba_analytics.player_game_summary/2025-01-28"
PG009 = "PG009 a lease expired and was not released"


class Hand:
    """An operator at a page, whose clicks are counted from the first page on."""

    def __init__(self, seen: Visitor) -> None:
        self.seen, self.page, self.clicks = seen, seen.page, 0
        seen.open("/")

    def click(self, *names: str, within: Locator | None = None) -> None:
        """Click on links, one after the other, each by its whole name or how it begins."""
        for name in names:
            self._one((within or self.page.locator("body")).get_by_role("link", name=re.compile(f"^{re.escape(name)}")))

    def confirm(self) -> None:
        """Click on the button of the page that asks."""
        self._one(self.page.locator("main").get_by_role("button"))

    def unfold(self, phase: str) -> None:
        self._one(self.page.locator(f"#{phase} > summary"))

    def says(self, *texts: str) -> None:
        for text in texts:
            expect(self.page.locator("main")).to_contain_text(text)

    def _one(self, found: Locator) -> None:
        found.first.click()
        self.clicks += 1


class Keys:
    """An operator without a mouse: Tab and Enter alone."""

    def __init__(self, seen: Visitor) -> None:
        self.page, self.pressed = seen.page, 0
        seen.open("/")

    def enter(self, name: str) -> None:
        """Go to what is named so with Tab, and press Enter on it."""
        for _ in range(KEYS_MAX):
            self._press("Tab")
            if self._focused().startswith(name):
                self._press("Enter")
                return
        pytest.fail(f"{name!r} is not reached by {KEYS_MAX} keys")

    def _focused(self) -> str:
        return str(self.page.evaluate(
            "(document.activeElement.ariaLabel || document.activeElement.textContent || '').trim()"
        ))  # fmt: skip

    def _press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.pressed += 1


class Morning:
    """The scene on a folder of its own, and a browser before it."""

    def __init__(self, service: Served, browser: Browser) -> None:
        self.service, self._browser = service, browser

    def seen(self, *, by: str = "operator") -> AbstractContextManager[Visitor]:
        return visitor(self._browser, self.service, by=by)

    @contextmanager
    def hand(self) -> Iterator[Hand]:
        """Give an operator with a mouse; nothing may go wrong in the browser."""
        with self.seen() as seen:
            yield Hand(seen)
            assert not seen.problems


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def morning(january_scene: Scene, browser: Browser, tmp_path: Path) -> Iterator[Morning]:
    """Give the same morning to each test, whatever another has done."""
    with january_scene.copied(tmp_path / "copy").served() as service:
        yield Morning(service, browser)


def clicks_of(thing: str) -> int:
    """Return how many clicks the guide says that a thing takes."""
    (found,) = re.findall(rf"^\| {re.escape(thing)} \|.*\| (\d+) \|$", GUIDE.read_text(), re.MULTILINE)
    return int(found)


def test_the_guide_counts_the_clicks_of_five_things() -> None:
    table = GUIDE.read_text().partition("The five things of a morning\n")[2].partition("\n#")[0]
    assert len(re.findall(r"^\| .*\| \d+ \|$", table, re.MULTILINE)) == 5


def test_whether_yesterday_is_fine(morning: Morning) -> None:
    with morning.hand() as hand:
        hand.says("Each row is a run", f"{OPEN_RUN} !", "raw: overdue")
        hand.click("Findings")
        hand.says("never ran", f"{OPEN_RUN} raw.nbac_gamebook_player_stats: expected")
        assert hand.clicks == clicks_of("Is yesterday fine?")


def test_why_a_run_did_not_fire(morning: Morning) -> None:
    with morning.hand() as hand:
        hand.click(OPEN_RUN)
        hand.says("It is at raw: why, and what to do, is below.", "waiting for nbac_gamebook_player_stats",
                  "the league's service answered 503 to 3 tries", "next: deliver nbac_gamebook")  # fmt: skip
        assert hand.clicks == clicks_of("Why did this run not fire?")


def test_a_finding_leads_to_its_run(morning: Morning) -> None:
    with morning.hand() as hand:
        hand.click("Findings", f"Run {OPEN_RUN}")
        hand.says("waiting for nbac_gamebook_player_stats")


def test_a_step_is_built_again(morning: Morning) -> None:
    with morning.hand() as hand:
        hand.click(DEAD_RUN)
        blocked = hand.page.get_by_role("link", name=re.compile("^Build again.*ml_feature_store_v2$"))
        expect(blocked).to_have_count(0)  # it waits for the other, and would fail
        hand.click(f"Build again: phasegate rerun {DEAD_RUN} --step {FORECAST}")
        hand.says("One step of one run is built now", "Now it is dead", "the page waits for it")
        hand.confirm()
        hand.says("✓", f"{FORECAST} of {DEAD_RUN}: built,")
        assert hand.clicks == clicks_of("Build a step again")
        hand.click(f"Back to run {DEAD_RUN}")
        expect(hand.page.locator("main tr", has_text=re.compile(rf"^\s*{FORECAST}"))).to_contain_text("✓ fresh")


def test_a_step_of_a_whole_phase_is_unfolded_first(morning: Morning) -> None:
    with morning.hand() as hand:
        hand.click("2025-01-29.overnight")
        hand.unfold("precompute")
        hand.click("Build again: phasegate rerun 2025-01-29.overnight --step player_daily_cache")
        hand.confirm()
        hand.says("built, ")
        assert hand.clicks == clicks_of("Build a step again") + 1


def test_a_dead_step_is_sent_again_and_worked_on(morning: Morning) -> None:
    with morning.hand() as hand:
        hand.click(DEAD_RUN, "Send again")
        hand.says("Mend its cause first")
        hand.confirm()
        hand.says("1 dead letter sent again")
        hand.click("Work now")
        hand.confirm()
        hand.says("worked until nothing was left")
        hand.click("Runs", DEAD_RUN)
        hand.says("Each phase that is open is complete or void.")


def test_the_lease_of_a_dead_holder_is_let_go_of(morning: Morning) -> None:
    with morning.hand() as hand:
        hand.click("Leases")
        hand.says(LEASE, "Let go of one whose holder is dead")
        hand.click("Let go")
        hand.says("loses the lease at once")
        hand.confirm()
        hand.says("let go; what is written there was reported already")
        assert hand.clicks == clicks_of("Take a lease from a dead holder")
        hand.click("Back to Leases")
        hand.says("No lease is held.")
        hand.click("Findings")
        expect(hand.page.locator("main")).not_to_contain_text(PG009)


def test_what_was_changed_and_by_whom(morning: Morning) -> None:
    with morning.hand() as hand:
        hand.click("Audit log")
        hand.says("an-operator", "command line", "phasegate cancel 2025-01-21.same_day", "all its games were postponed")
        assert hand.clicks == clicks_of("What was changed, and by whom?")


def test_a_finding_is_fixed_by_mouse_and_is_gone(morning: Morning) -> None:
    with morning.hand() as hand:
        hand.click("Findings")
        hand.says(PG009)
        hand.click("Fix", within=hand.page.locator(".cards > li", has_text=PG009))
        hand.says("Fix what is found on 2025-01-28?", "take the lease lease:main:")
        hand.confirm()
        hand.says("1 command run, 0 failed", "checked again: nothing is left")
        hand.click("Back to Findings")
        expect(hand.page.locator("main")).not_to_contain_text(PG009)
        assert hand.clicks == 4


def test_a_finding_is_fixed_by_the_keyboard_alone_and_is_gone(morning: Morning) -> None:
    with morning.seen() as seen:
        keys = Keys(seen)
        keys.enter("Findings")
        seen.page.wait_for_url("**/findings")
        keys.enter("Fix: phasegate reconcile --from 2025-01-28 --to 2025-01-28 --fix")
        seen.page.wait_for_url("**/act?**")
        keys.enter("Fix")
        expect(seen.page.locator("main")).to_contain_text("checked again: nothing is left")
        keys.enter("Back to Findings")
        seen.page.wait_for_url("**/findings")
        expect(seen.page.locator("main")).not_to_contain_text(PG009)
        assert keys.pressed <= KEYS_MAX, "by the keyboard it is not much longer"
        assert not seen.problems


def test_a_reader_is_shown_what_would_happen_and_has_no_button(morning: Morning) -> None:
    with morning.seen() as theirs, morning.seen(by="reader") as seen:
        hand = Hand(seen)
        hand.click("Leases", "Let go")
        hand.says("loses the lease at once", "only an operator may do this")
        expect(seen.page.locator("main").get_by_role("button")).to_have_count(0)
        theirs.open(seen.page.url.removeprefix(morning.service.url))
        form = theirs.page.locator("form.confirm").evaluate("form => form.outerHTML")
        seen.page.evaluate("form => { document.getElementById('content').innerHTML = form }", form)
        hand.confirm()
        hand.says("Not done", "this takes an operator")
        seen.open("/leases")
        hand.says(LEASE)


def test_a_form_without_its_token_is_refused(morning: Morning) -> None:
    with morning.seen() as seen:
        hand = Hand(seen)
        hand.click("Leases", "Let go")
        seen.page.evaluate("document.querySelector('[name=csrf]').remove()")
        hand.confirm()
        hand.says("Not done", "the form is of no page that you were shown")
        seen.open("/leases")
        hand.says(LEASE)


def test_the_second_of_two_tabs_is_shown_what_has_changed(morning: Morning) -> None:
    with morning.seen() as one, morning.seen() as other:
        first, second = Hand(one), Hand(other)
        for hand in (first, second):
            hand.click("2025-01-29.overnight", "Pause")
        first.confirm()
        first.says("2025-01-29.overnight: paused")
        second.confirm()
        second.says("has changed since you looked", "precompute of 2025-01-29.overnight is paused already")
        second.confirm()
        second.says("2025-01-29.overnight: paused")
