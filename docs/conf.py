"""The site of the documentation, as Sphinx makes it: `make docs` writes it to `site/`.

The pages are the Markdown files as they are. The menu is made of the lists in `README.md` and `decisions/README.md`, so
a page is listed in one place, and a page that neither lists ends the build.
"""

import re
import shutil
from pathlib import Path

from sphinx.application import Sphinx

FOLDER = Path(__file__).parent
ENTRY = re.compile(r"\]\((?P<file>(?!\.\.)[^)#\s]+)\.md(?:#[^)]*)?\)")
MENU = {
    "": "Start",
    "how-to/": "How to",
    "reference/": "Reference",
    "explanation/": "Explanation",
    "decisions/": "Records",
}

project = "Phasegate"
extensions = ["myst_parser"]
root_doc = "README"
html_theme = "furo"
html_title = "Phasegate"
html_copy_source = False
html_show_copyright = False
myst_heading_anchors = 4  # as GitHub makes them, so a link leads to one place on both
nitpicky = True
# An example may leave something out, and then it is not quite JSON or TOML.
suppress_warnings = ["misc.highlighting_failure"]


def listed(page: str) -> list[str]:
    """List the pages below its folder that a page links to, in its order and each once."""
    return list(dict.fromkeys(match["file"] for match in ENTRY.finditer((FOLDER / page).read_text())))


def menu() -> str:
    """Return the tables of contents that the first page and that of the decisions have, and show at the side only."""
    pages = listed("README.md")
    parts = [
        (title, [page for page in pages if page.startswith(folder) and ("/" in page) == bool(folder)])
        for folder, title in MENU.items()
    ]
    return "".join(_toctree(title, entries) for title, entries in parts)


def _toctree(title: str, entries: list[str]) -> str:
    lines = "\n".join(entries)
    return f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{lines}\n```\n"


def _add_menu(_app: Sphinx, page: str, source: list[str]) -> None:
    if page == "README":
        source[0] += menu()
    if page == "decisions/README":
        source[0] += _toctree("Decisions", listed("decisions/README.md"))
    # The mark of a block that no test runs is for the tests; a file beside this folder is there to be downloaded.
    source[0] = re.sub(r"^(```\w+) no-run$", r"\1", source[0], flags=re.MULTILINE)
    if page.count("/") == 1:
        source[0] = re.sub(r"\]\(((?:\.\./){2}[\w./-]+)(?:#[\w-]+)?\)", r"](<path:\1>)", source[0])


def _add_index(app: Sphinx, error: Exception | None) -> None:
    if error is None:
        shutil.copyfile(Path(app.outdir) / "README.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> None:
    """Have each page pass through `_add_menu` before it is read, and the folder open with the first page."""
    app.connect("source-read", _add_menu)
    app.connect("build-finished", _add_index)
