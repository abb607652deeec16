"""Take a picture of each page of the service: in light, in dark, and as narrow as a telephone.

The pages are those of READ, and show one scene: January 2025 on invented nights, with faults planted in it. page-*.png
are those of docs/images, before they are made smaller. It ends with 1 if a page is not shown, or has an error.
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from phasegate.web.page.routes import READ  # noqa: E402  after the path
from tests.support.browser import LOOKS, WIDE, chromium, visitor  # noqa: E402
from tests.support.january import DEAD_RUN, FIRST, january  # noqa: E402

SHOWN = {
    "page-runs.png": "/runs?from=2025-01-21&to=2025-01-25&mode=overnight&mode=same_day",
    "page-run.png": f"/runs/{DEAD_RUN}",
}
"""The pictures of the documentation: each is the top of a page."""
FOLDER = ROOT / "build" / "screenshots"


def main(argv: list[str]) -> int:
    """Return 0 when each page has its pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    folder = parser.parse_args(argv).folder
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
            with visitor(browser, service, by="operator") as seen:
                seen.page.set_viewport_size({"width": WIDE, "height": 1110})
                for file, place in SHOWN.items():
                    seen.open(place)
                    seen.page.screenshot(path=folder / file)


def _name(path: str) -> str:
    return re.sub(r"\W+", "-", path).strip("-")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
