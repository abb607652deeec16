"""One headless Chromium, driven by Playwright, that asks nothing of any host but the service that is looked at."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request, sync_playwright

from tests.support.postgres import absent
from tests.support.service import Served

Scheme = Literal["light", "dark"]
NARROW, WIDE, HEIGHT = 390, 1280, 800
WAIT_MS = 20_000
GRAVE = ("serious", "critical")
# What a browser does by itself, and no page asks for.
QUIET = (
    "--disable-background-networking", "--disable-component-update", "--disable-gpu", "--disable-quic",
    "--disable-sync", "--no-first-run",
)  # fmt: skip
JUDGE = "async () => (await axe.run(document, {preload: false, resultTypes: ['violations']})).violations"


class Look(NamedTuple):
    """How a page is looked at; ``scripts``: whether the browser runs any."""

    scheme: Scheme = "light"
    width: int = WIDE
    scripts: bool = True


LOOKS = {"light": Look(), "dark": Look(scheme="dark"), "narrow": Look(width=NARROW)}


def program() -> str:
    """Find Chromium; where it is missing, skip at home and fail in CI."""
    return shutil.which("chromium") or absent("no chromium; install the package chromium", what="BROWSER")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser; it ends with the block."""
    found = program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=list(QUIET), chromium_sandbox=os.geteuid() != 0, timeout=WAIT_MS
        )
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """A reader at a page of a service, and what went wrong there.

    ``problems``: errors and warnings of the console, dialogs, and requests to other hosts.
    """

    def __init__(self, context: BrowserContext, service: Served) -> None:
        self.problems: list[str] = []
        self._context, self._service = context, service
        context.set_default_timeout(WAIT_MS)
        context.on("request", self._asked)
        self.page: Page = context.new_page()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.problems.append(f"raised: {error}"))
        self.page.on("dialog", self._dialog)

    def open(self, place: str) -> None:
        """Go to a page of the service, which must be shown."""
        answer = self.page.goto(f"{self._service.url}{place}")
        assert answer is not None
        assert answer.status == 200, f"{place}: {answer.status}"

    def violations(self) -> list[str]:
        """Return what axe-core finds serious or critical on the page: rule, elements, and how to mend it."""
        self.page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
        return [
            f"{found['id']}: {node['html'][:200]}: {node['failureSummary']}"
            for found in self.page.evaluate(JUDGE)
            if found["impact"] in GRAVE
            for node in found["nodes"]
        ]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self._service.url}/", "data:")):
            self.problems.append(f"asked another host: {request.url}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"console: {message.text}")

    def _dialog(self, dialog: Dialog) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@contextmanager
def visitor(browser: Browser, service: Served, look: Look = LOOKS["light"], *, by: str = "reader") -> Iterator[Visitor]:
    """Open a window; ``by``: who is signed in, "" for a stranger."""
    context = browser.new_context(
        color_scheme=look.scheme, viewport={"width": look.width, "height": HEIGHT}, java_script_enabled=look.scripts
    )
    try:
        if by:
            context.add_cookies([{"name": "phasegate", "value": service.tokens[by], "url": service.url}])
        yield Visitor(context, service)
    finally:
        context.close()
