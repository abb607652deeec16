"""Take a picture of each page of the service: in light, in dark, and as narrow as a telephone.

Usage: python tools/screenshots.py [FOLDER]. The pages are those of READ, and show one scene: January 2025 on invented
nights, with faults planted in it. It ends with 1 if a page is not shown, or has an error.
"""

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from phasegate.web.page.routes import READ  # noqa: E402  after the path
from tests.support.browser import LOOKS, chromium, visitor  # noqa: E402
from tests.support.january import FIRST, january  # noqa: E402

FOLDER = ROOT / "build" / "screenshots"


def main(argv: list[str]) -> int:
    """Return 0 when each page has its pictures."""
    folder = Path(argv[0]) if argv else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    problems = list(pictures(folder))
    print(*(problems or [f"screenshots: {len(READ) + 1} pages, {len(LOOKS)} each, in {folder}"]), sep="\n")
    return 1 if problems else 0


def pictures(folder: Path) -> Iterator[str]:
    """Take the pictures; yield what went wrong."""
    with tempfile.TemporaryDirectory(prefix="phasegate-") as name:
        scene = january(Path(name), first=FIRST)
        with scene.served() as service, chromium() as browser:
            for path in ("/sign-in", *READ):
                for kind, look in LOOKS.items():
                    with visitor(browser, service, look, by="operator") as seen:
                        try:
                            seen.open(scene.address(path))
                        except AssertionError as e:
                            yield f"{path}: {e}"
                        seen.page.screenshot(path=folder / f"{_name(path)}-{kind}.png", full_page=True)
                        yield from (f"{path}, {kind}: {problem}" for problem in seen.problems)


def _name(path: str) -> str:
    return re.sub(r"\W+", "-", path).strip("-")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
