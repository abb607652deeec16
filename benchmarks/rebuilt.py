"""Which results had to be built again, computed independently.

From the committed writes and the plan alone. A result must be built again when one of its inputs has other content than
when it was built. This follows the receipts in the order of their commits, by their fingerprints; it reads no document,
and not the inputs that a receipt records. It judges results of the plan's own steps: the scrapers' writes are given.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import date, timedelta
from typing import NamedTuple

from phasegate import Pipeline, Plan
from phasegate.warehouses.postgres.warehouse import PostgresWarehouse

COMMITTED = "SELECT step, partition AS day, fingerprint FROM phasegate.receipts ORDER BY rowid"
# By transaction: the place of a row in the file is that of one that was rolled back.
COMMITTED_POSTGRESQL = COMMITTED.replace("rowid", "CAST(CAST(xmin AS text) AS bigint)")
EMPTY = "0-"


class Result(NamedTuple):
    """The result of a step for a date."""

    step: str
    day: str


class Write(NamedTuple):
    """One committed write: its result, and the result's content after it."""

    result: Result
    content: str


def writes(pipeline: Pipeline) -> list[Write]:
    """Return everything that was committed, oldest first."""
    url = os.environ.get("PHASEGATE_WAREHOUSE", "")
    if url.startswith("postgresql:"):  # asked in its own SQL
        with closing(PostgresWarehouse(url)) as warehouse, warehouse.snapshot() as reader:
            rows = reader.query(COMMITTED_POSTGRESQL, {})
    else:
        rows = pipeline.query(COMMITTED)
    return [Write(Result(str(row["step"]), str(row["day"])), str(row["fingerprint"])) for row in rows]


def contents(written: Sequence[Write]) -> dict[Result, str]:
    """Return the content of every result after these writes."""
    return {write.result: write.content for write in written}


def ingredients(plan: Plan, result: Result, *, held: Mapping[Result, str]) -> dict[Result, str]:
    """Return the inputs of a result, with their contents.

    A date of a window that has no rows counts as absent.
    """
    found: dict[Result, str] = {}
    for need in plan.steps[result.step].needs:
        days = [result.day] if not need.back else _before(result.day, back=need.back)
        there = {one: held[one] for day in days if (one := Result(need.step, day)) in held}
        found |= {one: content for one, content in there.items() if not need.back or not content.startswith(EMPTY)}
    return found


def _before(day: str, *, back: int) -> list[str]:
    return [(date.fromisoformat(day) - timedelta(days=ago)).isoformat() for ago in range(1, back + 1)]


class Builds(NamedTuple):
    """What the writes show about the results of the plan's own steps.

    `times`: how often each was built. `first`, `last`: its inputs the first time, and the last time. `idle`: builds of
    the same inputs as the build before.
    """

    times: dict[Result, int]
    first: dict[Result, dict[Result, str]]
    last: dict[Result, dict[Result, str]]
    idle: list[Result]


def builds(plan: Plan, written: Sequence[Write]) -> Builds:
    """Follow the writes, and record at each the inputs of its result."""
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
    """Return the results whose inputs have changed: build these again."""
    return {result for result, then in made_of.items() if ingredients(plan, result, held=held) != then}
