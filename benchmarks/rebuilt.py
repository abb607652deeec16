"""Which results had to be built anew, worked out from what was written and the plan alone.

A result must be built anew when something that it is made of holds other content than when it was built. This follows
the receipts in the order of their commits, by their fingerprints; it asks no document, and no result what it says that
it was built from. It judges results of the plan's own steps: what scrapers write is given.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from phasegate import Pipeline, Plan

COMMITTED = "SELECT step, partition AS day, fingerprint FROM phasegate.receipts ORDER BY rowid"
EMPTY = "0-"


class Result(NamedTuple):
    """What a step makes of a date."""

    step: str
    day: str


class Write(NamedTuple):
    """One committed write: of which result, and what it then held."""

    result: Result
    content: str


def writes(pipeline: Pipeline) -> list[Write]:
    """Return everything that was committed, oldest first."""
    rows = pipeline.query(COMMITTED)
    return [Write(Result(str(row["step"]), str(row["day"])), str(row["fingerprint"])) for row in rows]


def contents(written: Sequence[Write]) -> dict[Result, str]:
    """Return what every result holds after these writes."""
    return {write.result: write.content for write in written}


def ingredients(plan: Plan, result: Result, *, held: Mapping[Result, str]) -> dict[Result, str]:
    """Return what a result is made of; a date of a window that holds no rows is as one that is not there."""
    found: dict[Result, str] = {}
    for need in plan.steps[result.step].needs:
        days = [result.day] if not need.back else _before(result.day, back=need.back)
        there = {one: held[one] for day in days if (one := Result(need.step, day)) in held}
        found |= {one: content for one, content in there.items() if not need.back or not content.startswith(EMPTY)}
    return found


def _before(day: str, *, back: int) -> list[str]:
    return [(date.fromisoformat(day) - timedelta(days=ago)).isoformat() for ago in range(1, back + 1)]


class Builds(NamedTuple):
    """What writes say of the results that the plan's own steps make.

    `times`: how often each was built. `first`, `last`: what it was made of the first time, and the last time. `idle`:
    builds of the very contents that the one before was made of.
    """

    times: dict[Result, int]
    first: dict[Result, dict[Result, str]]
    last: dict[Result, dict[Result, str]]
    idle: list[Result]


def builds(plan: Plan, written: Sequence[Write]) -> Builds:
    """Follow the writes, and note at each what its result was made of."""
    found, held = Builds({}, {}, {}, []), dict[Result, str]()
    for result, content in written:
        if plan.steps[result.step].kind != "external":
            made_of = ingredients(plan, result, held=held)
            if found.last.get(result) == made_of:
                found.idle.append(result)
            found.times[result] = found.times.get(result, 0) + 1
            found.first.setdefault(result, made_of)
            found.last[result] = made_of
        held[result] = content
    return found


def stale(plan: Plan, made_of: Mapping[Result, Mapping[Result, str]], *, held: Mapping[Result, str]) -> set[Result]:
    """Return the results that were made of other contents than those there now: these must be built anew."""
    return {result for result, then in made_of.items() if ingredients(plan, result, held=held) != then}
