"""The partitions that a step reads or must cover, as they are now."""

from collections.abc import Mapping

from msgspec.structs import replace

from phasegate.base.dates import bounds
from phasegate.base.keys import Run
from phasegate.base.receipt import ABSENT, Part, Stamp
from phasegate.errors import BadInput
from phasegate.gate.ledger import fold
from phasegate.gate.records import Lacks
from phasegate.plan.gate import Covers, Need
from phasegate.plan.model import Plan, Step
from phasegate.warehouse import Reader


def is_foreign(step: Step) -> bool:
    """Return whether a step's table is written past Phasegate's fence.

    Its content is then read from its rows, where it has no receipt.
    """
    return step.kind in ("external", "command")


def part_of(step: Step, run: Run) -> Part:
    """Return the partition that a step writes for a run."""
    assert step.table is not None, f"step {step.name} has no table"
    return Part(step.table.name, run.date)


def stamps_now(plan: Plan, reader: Reader, *, asked: Mapping[str, Stamp], run: Run) -> dict[str, Stamp]:
    """Return the stamps of the inputs in this snapshot.

    - A partition that Phasegate writes: the stamp of its newest receipt, ``absent`` without one.
    - A foreign table: the fingerprint of the partition's rows.
    - An input without a table: as requested, because there is nothing to read.
    - A window: its dates folded into one stamp (gate.ledger).
    """
    sources = {name: owner(plan, name) for name in asked}
    parts = [part_of(plan.steps[need.step], run) for need in sources.values()
             if not need.back and plan.steps[need.step].table is not None]  # fmt: skip
    receipts = reader.receipts(parts)
    found = {}
    for name, need in sources.items():
        step = plan.steps[need.step]
        if need.back:
            found[name] = fold(window_now(plan, reader, need=need, run=run))
        elif step.table is None:
            found[name] = asked[name]
        elif (receipt := receipts.get(part_of(step, run))) is not None:
            found[name] = receipt.stamp
        elif is_foreign(step):
            found[name] = Stamp(reader.fingerprint(step.table, partition=run.date))
        else:
            found[name] = ABSENT
    return found


def window_now(plan: Plan, reader: Reader, *, need: Need, run: Run) -> dict[str, Stamp]:
    """Return the stamp of each date of a window in this snapshot.

    A date's stamp is that of its newest receipt, or of the rows of a foreign table.
    """
    step, (first, last) = plan.steps[need.step], bounds(run.date, need.back)
    assert step.table is not None, f"window of {need}, which has no table"
    stamps = reader.stamps_between(step.table.name, first=first, last=last)
    if is_foreign(step):
        read = reader.fingerprints(step.table, first=first, last=last)
        stamps = {date: Stamp(fingerprint) for date, fingerprint in read.items()} | stamps
    return stamps


def lacks_now(plan: Plan, reader: Reader, *, step: Step, covers: Covers, run: Run) -> Lacks:
    """Return what a step's table lacks now of what it must cover.

    Raises BadInput if the tables cannot be compared by this rule.
    """
    other, name = plan.steps.get(covers.need.step), str(covers.need)
    if step.table is None or other is None or other.table is None:
        raise BadInput(f"{step.name} covers {name}, which has no table in this plan; run: phasegate replan {run}")
    against = stamps_now(plan, reader, asked={name: ABSENT}, run=run)[name]
    found = reader.uncovered(
        other.table, by=step.table, on=covers.on, where=covers.where, first=run.date, last=run.date
    ).get(run.date)
    lacks = Lacks(against=against.fingerprint, rule=covers.rule)
    return lacks if found is None else replace(lacks, missing=found.keys, count=found.count)


def owner(plan: Plan, name: str) -> Need:
    """Return the need that an input's name stands for."""
    text, _, back = name.partition("@")
    step = plan.steps[text.rpartition(".")[2]]
    return Need(step.phase, step.name, int(back.removesuffix("d") or 0))
