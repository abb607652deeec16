"""The site has every page, asks nothing of other hosts, and is not made of pages that are not as they should be."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.real_data import ROOT

PAGES = {
    "README.md": "# Start\n\n- [how](how-to/how.md#a-step)\n- [why](how-to/why.md)\n- [records](decisions/README.md)\n",
    "how-to/how.md": "# How\n\n## A step\n\n```console no-run\n$ true\n```\n\n[the plan](../../plan.toml)\n",
    "how-to/why.md": "# Why\n\n[Late](../../WHY.md#late)\n",
    "decisions/README.md": "# Records\n\n[0001](0001-a.md)\n",
    "decisions/0001-a.md": "# One\n",
}


def built(folder: Path, pages: dict[str, str]) -> tuple[int, str, Path]:
    """Build the site of some pages with the project's settings; return exit code, complaints and folder."""
    docs, site = folder / "docs", folder / "site"
    for name, text in pages.items():
        page = docs / name
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text)
    shutil.copy(ROOT / "docs" / "conf.py", docs)
    (folder / "plan.toml").write_text('pipeline = "nba"\n')
    (folder / "WHY.md").write_text("# Why\n\n## Late\n")
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"]
    done = subprocess.run(
        [*command, "-d", str(folder / "trees"), str(docs), str(site)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr, site


def test_a_site_has_its_pages_its_search_and_nothing_from_elsewhere(tmp_path: Path) -> None:
    code, complaints, site = built(tmp_path, PAGES)
    assert (code, complaints) == (0, "")
    assert {"index.html", "how-to/how.html", "decisions/0001-a.html", "search.html", "searchindex.js"} <= {
        file.relative_to(site).as_posix() for file in site.rglob("*.*")
    }
    page = (site / "how-to" / "how.html").read_text()
    assert 'id="a-step"' in page
    assert "no-run" not in page
    assert [file.read_text() for file in (site / "_downloads").rglob("plan.toml")] == ['pipeline = "nba"\n']
    assert [file.name for file in (site / "_downloads").rglob("*.md")] == ["WHY.md"]
    assert 'href="decisions/0001-a.html"' in (site / "index.html").read_text(), "the menu lacks a page"
    for file in site.rglob("*.html"):
        assert re.findall(r"""(?:src|<link[^>]*href)=["']?(?:https?:)?//[^"' >]*""", file.read_text()) == [], file


@pytest.mark.parametrize(
    ("page", "text", "complaint"),
    [
        ("how-to/lost.md", "# Lost\n", "lost.md"),
        ("how-to/how.md", "# How\n\n## A step\n\n[nowhere](nowhere.md)\n", "nowhere"),
        ("how-to/how.md", "# How\n", "a-step"),
    ],
)
def test_a_page_that_is_not_listed_or_a_link_that_leads_nowhere_ends_the_build(
    page: str, text: str, complaint: str, tmp_path: Path
) -> None:
    code, complaints, _ = built(tmp_path, PAGES | {page: text})
    assert code == 1
    assert complaint in complaints
