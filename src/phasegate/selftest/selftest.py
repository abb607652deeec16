"""Proves that checks can fail: plants each fault in a scratch pipeline, and looks whether its check finds it.

A check that nobody has seen fail says nothing. Each proof has its control: the same pipeline without the fault must
not have the finding. It refuses to touch any pipeline but the scratch ones that it is given.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from phasegate.base.findings import listed
from phasegate.errors import words
from phasegate.selftest.plants import PLANTS, Plant
from phasegate.selftest.scene import Scratch, ScratchPipeline


class Proof(NamedTuple):
    """What was planted, whether its check found it, and what it said."""

    code: str
    fault: str
    found: bool
    told: str


def self_test(
    scratch: Callable[[], AbstractContextManager[Scratch]], *, plants: Sequence[Plant] = PLANTS
) -> list[Proof]:
    """Return one proof for each fault; none is skipped, and one whose planting fails is not found."""
    with scratch() as place:
        control = {finding.code for finding in listed(ScratchPipeline(place).play().look())}
    return [_proof(scratch, plant, control=control) for plant in plants]


def _proof(scratch: Callable[[], AbstractContextManager[Scratch]], plant: Plant, *, control: set[str]) -> Proof:
    try:
        with scratch() as place:
            findings = [
                finding for finding in listed(plant.plant(ScratchPipeline(place))) if finding.code == plant.code
            ]
    except Exception as e:  # noqa: BLE001  told as a proof that failed; the others go on
        return Proof(plant.code, plant.fault, found=False, told=f"it could not be planted: {words(e)}")
    told = findings[0].text if findings else "nothing"
    if plant.code in control:
        told = f"found without the fault too: {told}"
    return Proof(plant.code, plant.fault, bool(findings) and plant.code not in control, told)
