"""The page on upgrades names what is deprecated, as the changelog does."""

import re

import pytest

from tests.support.real_data import ROOT

PAGE = (ROOT / "docs" / "how-to" / "upgrade.md").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()


def deprecated(changelog: str) -> set[str]:
    """Return what the sections Deprecated name, without what the sections Removed do."""
    named: dict[str, set[str]] = {"Deprecated": set(), "Removed": set()}
    for title, body in re.findall(r"^### (Deprecated|Removed)\n(.*?)(?=^##|\Z)", changelog, re.MULTILINE | re.DOTALL):
        named[title] |= {found[1] for found in re.finditer(r"^- `([^`]+)`", body, re.MULTILINE)}
    return named["Deprecated"] - named["Removed"]


def listed(page: str) -> set[str]:
    """Return what the page lists as deprecated."""
    _, found, ends = page.partition("Deprecated now:")
    assert found, "the list is gone"
    return set() if ends.strip() == "nothing." else set(re.findall(r"^- `([^`]+)`", ends, re.MULTILINE))


def test_the_page_lists_what_the_changelog_names_as_deprecated() -> None:
    assert listed(PAGE) == deprecated(CHANGELOG)


@pytest.mark.parametrize(
    ("removed", "left"), [("", {"phasegate old", "a.b"}), ("### Removed\n\n- `a.b`.\n", {"phasegate old"})]
)
def test_what_is_deprecated_and_not_removed_must_be_listed(removed: str, left: set[str]) -> None:
    log = (
        f"## [2.0.0]\n\n{removed}\n## [1.1.0]\n\n### Deprecated\n\n- `phasegate old`: use `new`.\n- `a.b`: use `a.c`.\n"
    )
    assert deprecated(log) == left
    assert listed("Deprecated now:\n\n" + "\n".join(f"- `{name}`: gone soon." for name in left)) == left
