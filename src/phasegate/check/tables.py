"""What is wrong between the tables, the documents and the calendar: three witnesses of one run. Pure.

Receipts tell what Phasegate wrote, fingerprints what a table holds, documents what was reported. It refuses to judge a
partition that somebody holds: its report may be on its way.
"""

from collections.abc import Collection, Iterator, Mapping

import msgspec

from phasegate.base.findings import Finding
from phasegate.base.fingerprint import EMPTY, rows_of
from phasegate.base.keys import Run, parse_run
from phasegate.base.receipt import Fence, Part, Receipt
from phasegate.base.table import Repeats, Table
from phasegate.check.documents import fix_of
from phasegate.gate.ledger import has_rows
from phasegate.gate.phase import Phase
from phasegate.gate.records import Result
from phasegate.plan.model import Plan, Step
from phasegate.write.lease import Lease

SHOWN_MAX = 5

Phases = Mapping[str, Mapping[tuple[str, str], Phase]]


class TableContent(msgspec.Struct, frozen=True, kw_only=True):
    """What the warehouse holds of one step's table: receipts and fingerprints by date."""

    receipts: Mapping[str, Receipt] = {}
    prints: Mapping[str, str] = {}


class DocumentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the documents say. ``busy``: partitions that somebody holds. ``unreadable``: date -> (phase, mode)."""

    plan: Plan
    phases: Phases
    busy: Collection[Part] = ()
    unreadable: Mapping[str, Collection[tuple[str, str]]] = {}


def reports(step: Step, held: TableContent, witness: DocumentFacts) -> Iterator[Finding]:
    """Compare a table with what was reported of it: PG005 written and not reported, PG006 reported and not there."""
    assert step.table is not None
    for date in sorted({*held.receipts, *held.prints, *_reported(step, witness)}):
        if Part(step.table.name, date) in witness.busy:
            continue
        receipt, print_ = held.receipts.get(date), held.prints.get(date, EMPTY)
        if receipt is not None and witness.plan.steps.get(receipt.step) is step:
            yield from _unreported(step, receipt, witness)
            yield from _past_us(step, receipt, print_)
        for run, result in _results(step, date, witness).items():
            if result is None:
                if receipt is None:
                    yield from _foreign_rows(step, run, print_, witness)
            elif result.write_id:
                yield from _without_receipt(step, run, result, receipt)
            elif receipt is None and result.stamp.fingerprint != print_ and _was_read(result):
                told = f"{_rows(result.rows)} were reported, and its {rows_of(print_)} rows are others now"
                yield _found("PG006", step, run, told, since=result.at, reported=result.stamp.fingerprint, found=print_)


def _was_read(result: Result) -> bool:
    """Tell whether a result's stamp is the fingerprint of rows, not an id that stood in for it."""
    return has_rows(result.stamp) or result.stamp.fingerprint == EMPTY


def _reported(step: Step, witness: DocumentFacts) -> Iterator[str]:
    """Give the dates of which a result of the step is known."""
    for date, phases in witness.phases.items():
        if any(name == step.phase and step.name in phase.members for (name, _), phase in phases.items()):
            yield date


def _results(step: Step, date: str, witness: DocumentFacts) -> dict[Run, Result | None]:
    """Return what each open run of a date has of a step; of results of one write the first run's only."""
    found: dict[Run, Result | None] = {}
    writes: set[str] = set()
    for mode in witness.plan.phases[step.phase].modes:
        phase = witness.phases.get(date, {}).get((step.phase, mode))
        if phase is None or phase.void is not None or step.name not in phase.gate.members:
            continue
        result = phase.result_of(step.name)
        if result is None or not result.write_id or result.write_id not in writes:
            found[Run(date, mode)] = result
        writes |= set() if result is None else {result.write_id}
    return found


def _unreported(step: Step, receipt: Receipt, witness: DocumentFacts) -> Iterator[Finding]:
    """Find a write that its own run has not heard of."""
    run = parse_run(receipt.run)
    place = (step.phase, run.mode)
    phase = witness.phases.get(run.date, {}).get(place)
    if place in witness.unreadable.get(run.date, ()) or run.mode not in witness.plan.phases[step.phase].modes:
        return
    if phase is not None and (phase.void is not None or step.name not in phase.gate.members):
        return
    result = None if phase is None else phase.result_of(step.name)
    if result is not None and result.write_id and result.order >= receipt.token:
        return
    known = "the run is not open" if phase is None else "nothing was reported" if result is None else (
        f"the newest report is of token {result.order:.0f}" if result.write_id else "an older read was reported last"
    )  # fmt: skip
    told = f"{receipt.rows} rows were written with token {receipt.token}, and {known}"
    yield _found("PG005", step, run, told, since=receipt.committed_at, write_id=receipt.write_id,
                 token=str(receipt.token), rows=str(receipt.rows))  # fmt: skip


def _past_us(step: Step, receipt: Receipt, print_: str) -> Iterator[Finding]:
    """Find a guarded partition that was changed without a receipt."""
    if receipt.fingerprint == print_:
        return
    run = parse_run(receipt.run)
    there, held = receipt.rows, rows_of(print_)
    told = f"its newest receipt says {there} rows, and the table holds {held}"
    told += "" if there != held else " of other content"
    yield _rewritten(step, run, told, since=receipt.committed_at, receipt=receipt.fingerprint, found=print_)


def _without_receipt(step: Step, run: Run, result: Result, receipt: Receipt | None) -> Iterator[Finding]:
    """Find a report of a write that the warehouse does not know, or knows otherwise."""
    if receipt is None:
        told = f"token {result.order:.0f} was reported, and the warehouse has no receipt of the partition"
    elif receipt.token < result.order:
        told = f"token {result.order:.0f} was reported, and the newest receipt is of token {receipt.token}"
    elif (
        receipt.token == result.order
        and receipt.write_id == result.write_id
        and receipt.fingerprint != result.stamp.fingerprint
    ):
        told = f"{_rows(result.rows)} were reported, and the receipt says {receipt.rows}"
    else:
        return
    yield _rewritten(step, run, told, since=result.at, write_id=result.write_id)


def _foreign_rows(step: Step, run: Run, print_: str, witness: DocumentFacts) -> Iterator[Finding]:
    """Find rows of an external step that nobody reported."""
    rows = rows_of(print_)
    if step.kind == "external" and rows:
        opened_at = witness.phases[run.date][step.phase, run.mode].opened_at
        told = f"the table holds {rows} rows, and nobody reported them"
        yield _found("PG005", step, run, told, since=opened_at, rows=str(rows), found=print_)


def _rewritten(step: Step, run: Run, text: str, *, since: float, **evidence: str) -> Finding:
    """Return a PG006 about a write of ours. An external step's rows are written again by whoever writes them."""
    guarded, command = "", ""
    if step.kind == "external":
        guarded, command = "yes", f"phasegate begin {run} --step {step.name} -- COMMAND"
    return _found("PG006", step, run, text, since=since, command=command, **evidence, guarded=guarded)


def _found(code: str, step: Step, run: Run, text: str, *, since: float, command: str = "", **evidence: str) -> Finding:
    assert step.table is not None
    told = {"phase": step.phase, "run": str(run), "step": step.name, "table": step.table.name, **evidence}
    return Finding(
        code=code, subject=f"{run} {step.phase}.{step.name}", text=text, since=since,
        command=command or fix_of(run.date), cause=f"{step.table.name}/{run.date}",
        evidence={name: value for name, value in told.items() if value},
    )  # fmt: skip


def duplicates(step: Step, found: Mapping[str, Repeats], *, receipts: Mapping[str, Receipt]) -> Iterator[Finding]:
    """Say of partitions with repeated keys whether they can be mended (PG010).

    Phasegate builds its own steps again. In a table of somebody else's that is written through the fence it keeps the
    newest version; where none tells which is newer, or nothing guards the table, its owner must decide.
    """
    assert step.table is not None
    key = ", ".join(step.table.key)
    for date, one in sorted(found.items()):
        receipt = receipts.get(date)
        mend = "rebuild" if step.kind != "external" else "deduplicate" if _tells(step.table, one) else ""
        mend = "" if receipt is None else mend
        told = f"{one.rows - one.keys} of {one.rows} rows repeat a key ({key})"
        command = fix_of(date) if mend else f"have {step.table.name} written again for {date} by whoever owns it"
        counts = {"rows": str(one.rows), "keys": str(one.keys), "contents": str(one.contents)}
        where = {"phase": step.phase, "step": step.name, "table": step.table.name, "partition": date, "mend": mend}
        where["run"] = "" if receipt is None else receipt.run
        yield Finding(code="PG010", subject=f"{step.table.name}/{date}", text=told, command=command,
                      cause=f"{step.table.name}/{date}", evidence={**where, **counts})  # fmt: skip


def _tells(table: Table, one: Repeats) -> bool:
    """Tell whether it is known which of the repeated rows is to be kept: the newest, or any of equal ones."""
    return table.version is not None or one.contents == one.keys


def identities(step: Step, found: Mapping[str, Repeats], keys: Mapping[str, Repeats]) -> Iterator[Finding]:
    """Find one thing under two keys (PG011): the identity that the plan declares repeats where the key does not."""
    assert step.table is not None
    names = ", ".join(step.identity)
    for date, one in sorted(found.items()):
        extra = (keys[date].keys if date in keys else one.rows) - one.keys
        if extra > 0:
            told = f"{extra} keys are there under an identity ({names}) that another key has: one thing, two keys"
            where = {"phase": step.phase, "step": step.name, "table": step.table.name, "partition": date}
            mend = f"correct what names it twice, then: phasegate backfill --from {date} --to {date}"
            yield Finding(code="PG011", subject=f"{step.table.name}/{date}", text=told, command=mend,
                          cause=f"identity:{step.table.name}/{date}",
                          evidence={**where, "rows": str(one.rows), "identities": str(one.keys)})  # fmt: skip


def fences(found: Mapping[Part, Fence], *, store_id: str, tokens: Mapping[Part, int]) -> Iterator[Finding]:
    """Find fences of another store, and those ahead of our leases (PG016): the store was lost, replaced or put back.

    ``tokens``: those of our leases. One finding for each other store, however many partitions it has.
    """
    foreign: dict[str, list[Part]] = {}
    for part, fence in sorted(found.items()):
        if fence.store_id != store_id:
            foreign.setdefault(fence.store_id, []).append(part)
        elif fence.token > tokens.get(part, 0):
            foreign.setdefault("", []).append(part)
    for other, parts in foreign.items():
        shown = ", ".join(f"{part.table}/{part.partition}" for part in parts[:SHOWN_MAX])
        many = f"{len(parts)} partition{'' if len(parts) == 1 else 's'}"
        told = f"{many} obey store {other}, not this one: what this one writes is refused"
        if not other:
            told = f"the fences of {many} are ahead of this store's leases: it was put back from an older copy"
        yield Finding(code="PG016", subject=f"store {other or store_id}", text=told, command="phasegate adopt --yes",
                      cause="store", evidence={"store": store_id, "partitions": shown})  # fmt: skip


def expired(key: str, lease: Lease, *, now: float) -> Iterator[Finding]:
    """Find a lease that ran out and was not given back (PG009): its holder died, or owes a report."""
    if lease.holder is not None and lease.until < now:
        told = f"held for {lease.purpose or 'something'} with token {lease.token}, and not given back"
        yield Finding(code="PG009", subject=key, text=told, command="phasegate sweep", since=lease.until, cause=key,
                      evidence={"key": key, "holder": lease.holder, "owner": lease.owner})  # fmt: skip


def _rows(number: int | None) -> str:
    return "rows not counted" if number is None else f"{number} rows"
