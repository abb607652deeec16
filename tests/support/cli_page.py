"""The command line's reference page, and what documents it must list."""

from collections.abc import Iterator

from tests.support.real_data import ROOT

PAGE = (ROOT / "docs" / "reference" / "cli.md").read_text()


def section(path: str) -> str:
    """Return the part of the page that is about a command."""
    heading = "## Global options" if path == "phasegate" else f"## `{path}`"
    assert f"\n{heading}\n" in PAGE, heading
    return PAGE.partition(f"\n{heading}\n")[2].partition("\n## ")[0]


def keys(value: object) -> Iterator[str]:
    """Give every field of a JSON document; of tables keyed by names, the fields inside only."""
    if isinstance(value, list):
        for one in value:
            yield from keys(one)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in {"raw", "analytics", "precompute", "overnight", "complete", "audit"}:
                yield key
            yield from keys(inner)
