"""Proof that each check can fail: a planted fault must be found.

A check that never failed proves nothing. Each proof has a control: the same pipeline without the fault must not have
the finding. Only scratch pipelines are touched.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from phasegate.base.findings import listed
from phasegate.errors import words
from phasegate.selftest.plants import PLANTS, Plant
from phasegate.selftest.scene import Scratch, ScratchPipeline


class Proof(NamedTuple):
    """A planted fault, whether its check found it, and the finding's text."""

    code: str
    fault: str
    found: bool
    text: str


def self_test(
    scratch: Callable[[], AbstractContextManager[Scratch]], *, plants: Sequence[Plant] = PLANTS
) -> list[Proof]:
    """Return one proof for each fault.

    None is skipped; a fault that cannot be planted counts as not found.
    """
    with scratch() as place:
        control = {finding.code for finding in listed(ScratchPipeline(place).run_normally().check())}
    return [_proof(scratch, plant, control=control) for plant in plants]


def _proof(scratch: Callable[[], AbstractContextManager[Scratch]], plant: Plant, *, control: set[str]) -> Proof:
    try:
        with scratch() as place:
            findings = [
                finding for finding in listed(plant.plant(ScratchPipeline(place))) if finding.code == plant.code
            ]
    except Exception as e:  # noqa: BLE001  reported as a failed proof; the others go on
        return Proof(plant.code, plant.fault, found=False, text=f"it could not be planted: {words(e)}")
    text = findings[0].text if findings else "nothing"
    if plant.code in control:
        text = f"found without the fault too: {text}"
    return Proof(plant.code, plant.fault, bool(findings) and plant.code not in control, text)
