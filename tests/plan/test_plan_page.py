import re

import pytest

from phasegate.plan.alerts import ALERT_KEYS, CHANNEL_KEYS
from phasegate.plan.load import PLATFORM_KEYS, TOP_KEYS, load_plan
from phasegate.plan.phases import MODE_KEYS, PHASE_KEYS, SEND_KEYS
from phasegate.plan.steps import COLUMN_TYPES, STEP_KEYS
from tests.support.docs_runner import split
from tests.support.real_data import ROOT

PAGE = (ROOT / "docs" / "reference" / "plan.md").read_text()


@pytest.mark.parametrize(
    ("heading", "keys"),
    [
        ("## Top of the file", TOP_KEYS),
        ("## `[phase.NAME]`", PHASE_KEYS),
        ("### A mode", MODE_KEYS),
        ("### A send", SEND_KEYS),
        ("## `[step.NAME]`", STEP_KEYS),
        ("## `[platform]`", PLATFORM_KEYS),
        ("## `[alerts]`", ALERT_KEYS),
        ("### A channel", CHANNEL_KEYS),
    ],
)
def test_the_reference_page_lists_every_key_and_no_other(heading: str, keys: tuple[str, ...]) -> None:
    part = re.split(r"^#+ ", PAGE.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)) == sorted(keys)


@pytest.mark.parametrize("word", COLUMN_TYPES)
def test_the_reference_page_names_every_type(word: str) -> None:
    assert f"`{word}`" in PAGE


def test_the_example_of_the_reference_page_loads() -> None:
    (example,) = [block for block in split(PAGE)[0] if block.language == "toml" and block.runs]
    plan = load_plan(example.text)
    assert plan.modes == ("overnight", "same_day")
