"""The partitions that a step reads or must cover, as they are now."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from phasegate.base.dates import bounds
from phasegate.base.fingerprint import EMPTY
from phasegate.base.keys import Run
from phasegate.base.receipt import ABSENT, Part, Stamp
from phasegate.errors import BadInput
from phasegate.gate.records import Lacks
from phasegate.ledger import fold
from phasegate.plan.gate import Covers, Need
from phasegate.plan.model import Plan, Step, StepKind
from phasegate.warehouse import InputRead, Reader

FOREIGN: tuple[StepKind, ...] = ("external", "command")


def is_foreign(step: Step) -> bool:
    """Return whether a step's table is written past Phasegate's fence.

    Its content is then read from its rows, where it has no receipt.
    """
    return step.kind in FOREIGN


def part_of(step: Step, run: Run) -> Part:
    """Return the partition that a step writes for a run."""
    assert step.table is not None, f"step {step.name} has no table"
    return Part(step.table.name, run.date)


def held_part(pipeline: str, step: Step, run: Run) -> Part:
    """Return what the lease of a step is of: its partition, if it has one.

    Else the step in its run. A table's name has two parts, so no table is named like it.
    """
    if step.table is not None:
        return part_of(step, run)
    return Part(f"{pipeline}.{step.phase}.{step.name}", str(run))


def reads_of(plan: Plan, *, asked: Iterable[str], run: Run) -> dict[str, InputRead]:
    """Return by name what of the warehouse each input is.

    Those without a table are left out.
    """
    reads = {}
    for name in asked:
        need = owner(plan, name)
        if plan.steps[need.step].table is not None:
            reads[name] = _read(plan, need, run=run)
    return reads


def _read(plan: Plan, need: Need, *, run: Run) -> InputRead:
    step = plan.steps[need.step]
    assert step.table is not None, f"window of {need}, which has no table"
    first, last = bounds(run.date, need.back) if need.back else (run.date, run.date)
    return InputRead(table=step.table, first=first, last=last, foreign=is_foreign(step))


def folded(
    plan: Plan, reads: Mapping[str, InputRead], found: Sequence[Mapping[str, Stamp]], /, *, asked: Mapping[str, Stamp]
) -> dict[str, Stamp]:
    """Return one stamp for each input, of the stamps that its read found.

    - A partition that Phasegate writes: the stamp of its newest receipt, ``absent`` without one.
    - A foreign table: the fingerprint of the partition's rows.
    - An input without a table: as requested, because there is nothing to read.
    - A window: its dates folded into one stamp (ledger).
    """
    by_name = dict(zip(reads, found, strict=True))
    stamps = {}
    for name in asked:
        if name not in by_name:
            stamps[name] = asked[name]
        elif owner(plan, name).back:
            stamps[name] = fold(by_name[name])
        else:
            empty = Stamp(EMPTY) if reads[name].foreign else ABSENT
            stamps[name] = by_name[name].get(reads[name].first, empty)
    return stamps


def stamps_now(plan: Plan, reader: Reader, *, asked: Mapping[str, Stamp], run: Run) -> dict[str, Stamp]:
    """Return the stamps of the inputs in this snapshot; see ``folded``."""
    reads = reads_of(plan, asked=asked, run=run)
    return folded(plan, reads, reader.stamps(list(reads.values())) if reads else [], asked=asked)


def window_now(plan: Plan, reader: Reader, *, need: Need, run: Run) -> dict[str, Stamp]:
    """Return the stamp of each date of a window in this snapshot.

    A date's stamp is that of its newest receipt, or of the rows of a foreign table.
    """
    (stamps,) = reader.stamps([_read(plan, need, run=run)])
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
