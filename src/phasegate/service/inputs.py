"""Which partitions a step reads, and what they hold now."""

from collections.abc import Mapping

from phasegate.core.keys import Run
from phasegate.core.phase import Need
from phasegate.core.plan import Plan, Step
from phasegate.core.receipt import ABSENT, Part, Stamp
from phasegate.ports import Reader


def part_of(step: Step, run: Run) -> Part:
    """Return the partition that a step writes for a run."""
    assert step.table is not None, f"step {step.name} has no table"
    return Part(step.table.name, run.date)


def stamps_now(plan: Plan, reader: Reader, *, asked: Mapping[str, Stamp], run: Run) -> dict[str, Stamp]:
    """Return what the inputs hold in this snapshot.

    A partition that Phasegate writes: the stamp of its newest receipt, ``absent`` without one.
    A foreign table: the fingerprint of the partition's rows. An input without a table: as asked, there is nothing
    to read.
    """
    sources = {name: _source(plan, name) for name in asked}
    parts = [part_of(step, run) for step in sources.values() if step.table is not None]
    receipts = reader.receipts(parts)
    found = {}
    for name, step in sources.items():
        if step.table is None:
            found[name] = asked[name]
        elif (receipt := receipts.get(part_of(step, run))) is not None:
            found[name] = receipt.stamp
        elif step.kind == "external":
            found[name] = Stamp(reader.fingerprint(step.table, partition=run.date))
        else:
            found[name] = ABSENT
    return found


def owner(plan: Plan, name: str) -> Need:
    """Return the phase and step that an input's name speaks of."""
    return _source(plan, name).need


def _source(plan: Plan, name: str) -> Step:
    return plan.steps[name.rpartition(".")[2]]
