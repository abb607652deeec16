"""What the tables of bad plans share: a part of a good plan is replaced, and the refusal read."""

from collections.abc import Mapping

import pytest

from phasegate.errors import BadInput
from phasegate.plan.load import load_plan


def refusal(plan: str, old: str, new: str, *, files: Mapping[str, str]) -> str:
    """Return why the plan is refused once something else stands in the place of ``old``."""
    assert old in plan
    with pytest.raises(BadInput) as refused:
        load_plan(plan.replace(old, new, 1), files=files.__getitem__)
    return str(refused.value)
