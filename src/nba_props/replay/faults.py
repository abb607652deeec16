"""The faults of a replay: the text of ``--faults``, and faulty ports."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, fields

from nba_props.errors import DataError
from nba_props.replay.options import FORM
from phasegate.testing import Crashes, FaultyBus


@dataclass(frozen=True)
class Faults:
    """How a replay is disturbed.

    `duplicate`: how often one message may be delivered. `reorder`: in any order. `late`: the share of each date's games
    that arrives in a second batch, for which the gates wait; `late_dates`: on which share of the dates. `late_days`:
    how many dates are played before it arrives (0: it arrives eight hours later). `crash`: the probability of a crash
    at a port call. `concurrent`: how many scrapers and workers run at once. `seed`: of all these choices.
    """

    duplicate: int = 1
    reorder: bool = False
    late: float = 0.0
    late_dates: float = 1.0
    late_days: int = 0
    crash: float = 0.0
    concurrent: int = 1
    seed: int = 7


def parse_faults(text: str) -> Faults:
    """Return the faults of a text such as `duplicate=3,reorder,late=0.2`.

    Raises DataError naming the word and its allowed values.
    """
    kinds: dict[str, Callable[[str], object]] = {
        "duplicate": int, "late": float, "late_dates": float, "late_days": int,
        "crash": float, "concurrent": int, "seed": int,
    }  # fmt: skip
    values: dict[str, object] = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = word.partition("=")
        if name == "reorder" and not equals:
            values["reorder"] = True
            continue
        if name not in kinds:
            known = ", ".join(f.name for f in fields(Faults))
            raise DataError("--faults", problem=f"unknown fault {word!r}", fix=f"use {known}; for example {FORM}")
        try:
            values[name] = kinds[name](value)
        except ValueError:
            raise DataError("--faults", problem=f"{word!r} is no number", fix=f"write for example {FORM}") from None
    faults = Faults(**values)  # type: ignore[arg-type]
    _check(faults)
    return faults


def _check(faults: Faults) -> None:
    bounds = {
        "duplicate": (1, 20),
        "late": (0, 0.95),
        "late_dates": (0, 1),
        "late_days": (0, 60),
        "crash": (0, 0.2),
        "concurrent": (1, 8),
        "seed": (0, 2**31),
    }
    for name, (low, high) in bounds.items():
        value = getattr(faults, name)
        if not low <= value <= high:
            raise DataError("--faults", problem=f"{name}={value}", fix=f"use a number from {low} to {high}")


def misbehaving(faults: Faults, *, rng: random.Random) -> tuple[Crashes, Callable[..., FaultyBus]]:
    """Return the crashes of a replay, and a function that wraps a bus.

    The wrapped bus misbehaves as the faults ask.
    """
    crashes = Crashes(random.Random(rng.random()), probability=faults.crash)

    def bus(inner: object) -> FaultyBus:
        return FaultyBus(
            inner,  # type: ignore[arg-type]
            rng=random.Random(rng.random()),
            duplicate=faults.duplicate,
            reorder=faults.reorder,
        )

    return crashes, bus
