"""The checks that compare tables with documents. Pure.

Receipts record what Phasegate wrote, fingerprints are of what a table holds, documents record what was reported. A
partition that is held is not judged: its report may be on its way.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from phasegate.base.backoff import is_ahead
from phasegate.base.findings import Finding
from phasegate.base.fingerprint import EMPTY, rows_of
from phasegate.base.keys import Run, parse_run
from phasegate.base.receipt import Fence, Part, Receipt, Stamp
from phasegate.base.table import Dependency, Disagreement, Repeats, Table, Uncovered, unequal
from phasegate.base.wording import count, counted_rows, days_ahead, deliver, have, listed, were
from phasegate.check.documents import reconcile_command
from phasegate.gate.phase import Phase
from phasegate.gate.records import Result
from phasegate.ledger import has_rows
from phasegate.plan.model import Plan, Step, Total
from phasegate.warehouse import Sums
from phasegate.write.lease import TTL_MAX_S, WHOLE, Lease
from phasegate.write.preconditions import (
    UNKNOWN_HOLDER,
    disagreement_text,
    total_text,
    write_command,
)

SHOWN_MAX = 5

Phases = Mapping[str, Mapping[tuple[str, str], Phase]]


class TableContent(msgspec.Struct, frozen=True, kw_only=True):
    """The receipts and fingerprints of one step's table, by date."""

    receipts: Mapping[str, Receipt] = {}
    prints: Mapping[str, str] = {}


class BrokenIdentities(msgspec.Struct, kw_only=True):
    """What was read of a step's identities.

    ``keys``: those that have several values. ``sums``: of both sides, by partition and group.
    """

    keys: list[tuple[Dependency, Sequence[Disagreement]]] = []
    sums: list[tuple[Total, Sums, Sums]] = []


class DocumentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The stored phases by date.

    ``busy``: partitions that are held. ``unreadable``: date -> (phase, mode).
    """

    plan: Plan
    phases: Phases
    busy: Collection[Part] = ()
    unreadable: Mapping[str, Collection[tuple[str, str]]] = {}


def reports(step: Step, content: TableContent, facts: DocumentFacts) -> Iterator[Finding]:
    """Compare a table with its reports.

    PG005: written and not reported. PG006: reported, and the table holds something else.
    """
    assert step.table is not None
    for date in sorted({*content.receipts, *content.prints, *_reported(step, facts)}):
        if Part(step.table.name, date) in facts.busy:
            continue
        receipt, fingerprint = content.receipts.get(date), content.prints.get(date, EMPTY)
        if receipt is not None and facts.plan.steps.get(receipt.step) is step:
            yield from _unreported(step, receipt, facts)
            yield from _bypassed(step, receipt, fingerprint)
        for run, result in _results(step, date, facts).items():
            if result is None:
                if receipt is None:
                    yield from _foreign_rows(step, run, fingerprint, facts)
            elif result.write_id:
                yield from _without_receipt(step, run, result, receipt)
            elif receipt is None and result.stamp.fingerprint != fingerprint and _was_read(result):
                now = rows_of(fingerprint)
                text = f"{_rows_were(result.rows)} reported, and its {count(now, 'row')} {have(now)} changed since"
                yield _found("PG006", step, run, text, since=result.at, reported=result.stamp.fingerprint,
                             found=fingerprint)  # fmt: skip


def _was_read(result: Result) -> bool:
    """Return whether a result's stamp is a fingerprint of rows, not an id."""
    return has_rows(result.stamp) or result.stamp.fingerprint == EMPTY


def _reported(step: Step, facts: DocumentFacts) -> Iterator[str]:
    """Yield the dates with a result of the step."""
    for date, phases in facts.phases.items():
        if any(name == step.phase and step.name in phase.members for (name, _), phase in phases.items()):
            yield date


def _results(step: Step, date: str, facts: DocumentFacts) -> dict[Run, Result | None]:
    """Return the result of a step in each open run of a date.

    Of runs with results of the same write only the first is included.
    """
    found: dict[Run, Result | None] = {}
    writes: set[str] = set()
    for mode in facts.plan.phases[step.phase].modes:
        phase = facts.phases.get(date, {}).get((step.phase, mode))
        if phase is None or phase.void is not None or step.name not in phase.gate.members:
            continue
        result = phase.result_of(step.name)
        if result is None or not result.write_id or result.write_id not in writes:
            found[Run(date, mode)] = result
        writes |= set() if result is None else {result.write_id}
    return found


def _unreported(step: Step, receipt: Receipt, facts: DocumentFacts) -> Iterator[Finding]:
    """Find a write that was not reported to its own run."""
    run = parse_run(receipt.run)
    place = (step.phase, run.mode)
    phase = facts.phases.get(run.date, {}).get(place)
    if place in facts.unreadable.get(run.date, ()) or run.mode not in facts.plan.phases[step.phase].modes:
        return
    if phase is not None and (phase.void is not None or step.name not in phase.gate.members):
        return
    result = None if phase is None else phase.result_of(step.name)
    if result is not None and result.write_id and result.order >= receipt.token:
        return
    known = "the run is not open" if phase is None else "nothing was reported" if result is None else (
        f"the newest report is of token {result.order:.0f}" if result.write_id else "an older read was reported last"
    )  # fmt: skip
    text = f"{count(receipt.rows, 'row')} {were(receipt.rows)} written with token {receipt.token}, and {known}"
    yield _found("PG005", step, run, text, since=receipt.committed_at, write_id=receipt.write_id,
                 token=str(receipt.token), rows=str(receipt.rows))  # fmt: skip


def _bypassed(step: Step, receipt: Receipt, fingerprint: str) -> Iterator[Finding]:
    """Find a partition that was changed without a receipt."""
    if receipt.fingerprint == fingerprint:
        return
    run = parse_run(receipt.run)
    written, rows = receipt.rows, rows_of(fingerprint)
    text = f"its newest receipt has {count(written, 'row')}, and the table holds {rows}"
    text += "" if written != rows else " of other content"
    yield _rewritten(step, run, text, since=receipt.committed_at, receipt=receipt.fingerprint, found=fingerprint)


def _without_receipt(step: Step, run: Run, result: Result, receipt: Receipt | None) -> Iterator[Finding]:
    """Find a report of a write whose receipt is missing or different."""
    if receipt is None:
        text = f"token {result.order:.0f} was reported, and the warehouse has no receipt of the partition"
    elif receipt.token < result.order:
        text = f"token {result.order:.0f} was reported, and the newest receipt is of token {receipt.token}"
    elif (
        receipt.token == result.order
        and receipt.write_id == result.write_id
        and receipt.fingerprint != result.stamp.fingerprint
    ):
        text = f"{_rows_were(result.rows)} reported, and the receipt has {receipt.rows}"
    else:
        return
    yield _rewritten(step, run, text, since=result.at, write_id=result.write_id)


def _foreign_rows(step: Step, run: Run, fingerprint: str, facts: DocumentFacts) -> Iterator[Finding]:
    """Find rows of an external step that were not reported."""
    rows = rows_of(fingerprint)
    if step.kind == "external" and rows:
        opened_at = facts.phases[run.date][step.phase, run.mode].opened_at
        text = f"the table holds {count(rows, 'row')} that {were(rows)} not reported"
        yield _found("PG005", step, run, text, since=opened_at, rows=str(rows), found=fingerprint)


def _rewritten(step: Step, run: Run, text: str, *, since: float, **evidence: str) -> Finding:
    """Return a PG006 about a write through the fence.

    An external step's rows can be written again by its own program only.
    """
    guarded, command = "", ""
    if step.kind == "external":
        guarded, command = "yes", f"start the program that writes {step.name} again, for {run}"
    return _found("PG006", step, run, text, since=since, command=command, **evidence, guarded=guarded)


def _found(code: str, step: Step, run: Run, text: str, *, since: float, command: str = "", **evidence: str) -> Finding:
    assert step.table is not None
    shared = {"phase": step.phase, "run": str(run), "step": step.name, "table": step.table.name, **evidence}
    return Finding(
        code=code, subject=f"{run} {step.phase}.{step.name}", text=text, since=since,
        command=command or reconcile_command(run.date), cause=f"{step.table.name}/{run.date}",
        evidence={name: value for name, value in shared.items() if value},
    )  # fmt: skip


def duplicates(step: Step, found: Mapping[str, Repeats], *, receipts: Mapping[str, Receipt]) -> Iterator[Finding]:
    """Find partitions with repeated keys (PG010), and their fix.

    Also those whose write had to choose between rows of one key that no version orders: only their source can say which
    is right.

    Phasegate rebuilds its own steps. In an external step's table that is written through the fence it keeps the newest
    version of each key; without a version column, or without the fence, the table's owner must decide.
    """
    assert step.table is not None
    key = ", ".join(step.table.key)
    for date, one in sorted(found.items()):
        receipt = receipts.get(date)
        fix = "rebuild" if step.kind != "external" else "deduplicate" if _can_choose(step.table, one) else ""
        fix = "" if receipt is None else fix
        text = f"{one.rows - one.keys} of {one.rows} rows repeat a key ({key})"
        command = reconcile_command(date) if fix else f"have the owner of {step.table.name} write {date} again"
        counts = {"rows": str(one.rows), "keys": str(one.keys), "contents": str(one.contents)}
        where = {"phase": step.phase, "step": step.name, "table": step.table.name, "partition": date, "fix": fix}
        where["run"] = "" if receipt is None else receipt.run
        yield Finding(code="PG010", subject=f"{step.table.name}/{date}", text=text, command=command,
                      cause=f"{step.table.name}/{date}", evidence={**where, **counts})  # fmt: skip
    for date, receipt in sorted(receipts.items()):
        if receipt.undecided and date not in found:
            came = f"{count(receipt.undecided, 'key')} ({key}) came with different rows"
            text = f"{came}, none newer; which is right is not known"
            again = f"phasegate backfill --from {date} --to {date} --steps {step.name}"
            command = f"correct what {step.name} is built from, then: {again}"
            command = deliver(step.name, parse_run(receipt.run)) if step.kind == "external" else command
            where = {"phase": step.phase, "step": step.name, "table": step.table.name, "partition": date, "fix": ""}
            yield Finding(code="PG010", subject=f"{step.table.name}/{date}", text=text, command=command,
                          cause=f"{step.table.name}/{date}",
                          evidence={**where, "run": receipt.run, "undecided": str(receipt.undecided)})  # fmt: skip


def _can_choose(table: Table, one: Repeats) -> bool:
    """Return whether it is clear which of the repeated rows to keep.

    It is the newest version, or any if they are equal.
    """
    return table.version is not None or one.contents == one.keys


def identities(step: Step, found: Mapping[str, Repeats], keys: Mapping[str, Repeats]) -> Iterator[Finding]:
    """Find one thing under two keys (PG011).

    The identity that the plan declares repeats where the key does not.
    """
    assert step.table is not None
    names = ", ".join(step.identity)
    for date, one in sorted(found.items()):
        extra = (keys[date].keys if date in keys else one.rows) - one.keys
        if extra > 0:
            text = (
                f"{count(extra, 'key')} {have(extra)} the identity ({names}) of another key: one thing under two keys"
            )
            where = {"phase": step.phase, "step": step.name, "table": step.table.name, "partition": date}
            advice = f"correct the source of the second key, then: phasegate backfill --from {date} --to {date}"
            yield Finding(code="PG011", subject=f"{step.table.name}/{date}", text=text, command=advice,
                          cause=f"identity:{step.table.name}/{date}",
                          evidence={**where, "rows": str(one.rows), "identities": str(one.keys)})  # fmt: skip


def rebuilt_later(receipts: Mapping[str, Receipt], *, need: str, now: Mapping[str, Stamp]) -> set[str]:
    """Return the dates that were not built from a need's present content.

    Their sums may differ until they are rebuilt, which is another finding (PG012).
    """
    built = {date: one.built_from[need].fingerprint for date, one in receipts.items() if need in one.built_from}
    return {date for date, stamp in now.items() if built.get(date, stamp.fingerprint) != stamp.fingerprint}


def broken(step: Step, found: BrokenIdentities, *, mode: str) -> Iterator[Finding]:
    """Find identities of the plan that a table breaks (PG011).

    One finding for each identity and its dates. ``mode``: of the runs that write the table.
    """
    for dependency, keys in found.keys:
        by_dates: dict[tuple[str, ...], list[Disagreement]] = {}
        for one in keys:
            by_dates.setdefault(one.partitions, []).append(one)
        for dates, those in sorted(by_dates.items()):
            text = "; ".join(disagreement_text(dependency, one) for one in those[:SHOWN_MAX])
            command = write_command(step, Run(dates[0], mode), last=dates[-1])
            if len(dates) > 1:
                command = f"write the date that is wrong again, without it: {command}"
            yield _broken(step, dates[0], text, len(those), identity=dependency.text, command=command)
    for total, ours, theirs in found.sums:
        groups: dict[str, list[tuple[str, ...]]] = {}
        for group in unequal(ours, theirs):
            groups.setdefault(group[0], []).append(group)
        for date, differ in groups.items():
            text = "; ".join(total_text(total, one, ours=ours, theirs=theirs) for one in differ[:SHOWN_MAX])
            command = write_command(step, Run(date, mode), last=date)
            yield _broken(step, date, text, len(differ), identity=total.text, command=command)


def _broken(step: Step, date: str, text: str, number: int, *, identity: str, command: str) -> Finding:
    assert step.table is not None
    more = f"; and {number - SHOWN_MAX} more" if number > SHOWN_MAX else ""
    where = {"phase": step.phase, "step": step.name, "table": step.table.name, "partition": date}
    return Finding(
        code="PG011", subject=f"{step.table.name}/{date}", text=f"{text}{more}; the plan excludes it: {identity}",
        command=command, cause=f"identity:{step.table.name}/{date}",
        evidence={**where, "identity": identity, "keys": str(number)},
    )  # fmt: skip


def uncovered(step: Step, found: Mapping[str, Uncovered], facts: DocumentFacts, *, now: float) -> Iterator[Finding]:
    """Find dates on which a table lacks rows that it must cover (PG027).

    Before the step has reported, and before the deadline, rows are awaited rather than missing.
    """
    assert step.table is not None
    assert step.covers is not None
    for date, one in sorted(found.items()):
        if Part(step.table.name, date) in facts.busy:
            continue
        for run, result in _results(step, date, facts).items():
            deadline = facts.phases[date][step.phase, run.mode].gate.deadline
            ended = deadline if deadline is not None and now >= deadline else None
            since = ended if result is None else result.at
            if since is not None:
                keys = listed(one.keys, most=SHOWN_MAX, of=one.count)
                text = f"lacks {one.count} of {step.covers.need}: {keys}"
                command = f"correct what {step.name} or {step.covers.need} is built from: phasegate why {run}"
                command = deliver(step.name, run) if step.kind == "external" else command
                command = f"phasegate rerun {run} --step {step.name}" if step.kind == "command" else command
                yield _found("PG027", step, run, text, since=since, command=command,
                             missing=", ".join(one.keys), keys=str(one.count))  # fmt: skip


def fences(
    found: Mapping[Part, Fence], *, store_id: str, before: Mapping[Part, Lease], leases: Mapping[Part, Lease],
    written: Collection[Part] = (),
) -> Iterator[Finding]:  # fmt: skip
    """Find fences of another store, ahead of our leases, or gone (PG016).

    ``written``: the partitions with a receipt; each was written through a fence row. ``before`` and ``leases``: as they
    were read before the fences and after. The holder in the fence of a partition that was taken in between is not
    judged: it may have written, and another one since.

    The store was lost, replaced, copied or restored; or a fence table was deleted. There is one finding for each other
    store, however many partitions it has.
    """
    lost = sorted(part for part in written if part not in found)
    if lost:
        text = f"{count(len(lost), 'partition')} {have(len(lost))} no fence row any more: any store may write there"
        yield _of_fences(lost, text, subject=f"store {store_id}", store_id=store_id)
    foreign: dict[str, list[Part]] = {}
    for part, fence in sorted(found.items()):
        if fence.store_id != store_id:
            foreign.setdefault(fence.store_id, []).append(part)
            continue
        was, ours = before.get(part, Lease()), leases.get(part, Lease())
        is_known = was.token != ours.token or fence.holder in ("", *was.writers, *ours.writers)
        if fence.token > ours.token or not is_known:
            foreign.setdefault("", []).append(part)
    for other, parts in foreign.items():
        many = f"{len(parts)} partition{'' if len(parts) == 1 else 's'}"
        obey = "obeys" if len(parts) == 1 else "obey"
        text = f"{many} {obey} store {other}, not this one: writes of this one are refused"
        gone = f"if store {other} is gone for good: " if other else ""
        if not other:
            text = f"{many} {UNKNOWN_HOLDER if len(parts) == 1 else UNKNOWN_HOLDER.replace('was', 'were', 1)}"
        yield _of_fences(parts, text, subject=f"store {other or store_id}", store_id=store_id, gone=gone)


def _of_fences(parts: Sequence[Part], text: str, *, subject: str, store_id: str, gone: str = "") -> Finding:
    shown = ", ".join(f"{part.table}/{part.partition}" for part in parts[:SHOWN_MAX])
    return Finding(code="PG016", subject=subject, text=text, cause="store", command=f"{gone}phasegate adopt --yes",
                   evidence={"store": store_id, "partitions": shown})  # fmt: skip


def expired(key: str, lease: Lease, *, now: float) -> Iterator[Finding]:
    """Find a lease that expired and was not released (PG009).

    Its holder crashed, or owes a report. The same for one that ends later than any lease can.
    """
    if lease.holder is not None and is_ahead(lease.until, now=now, bound_s=TTL_MAX_S):
        text = f"held for {lease.purpose or 'something'} until {days_ahead(lease.until, now=now)}: a clock was ahead"
        yield Finding(code="PG009", subject=key, text=text, command="phasegate sweep", cause=key, since=None,
                      evidence={"key": key, "holder": lease.holder, "owner": lease.owner})  # fmt: skip
    if lease.holder is not None and lease.until < now:
        text = f"held for {lease.purpose or 'something'} with token {lease.token}, and not released"
        place = key.rpartition(":")[2]
        command = "phasegate sweep" if place == WHOLE else reconcile_command(place)
        yield Finding(code="PG009", subject=key, text=text, command=command, since=lease.until, cause=key,
                      evidence={"key": key, "holder": lease.holder, "owner": lease.owner})  # fmt: skip


def _rows_were(number: int | None) -> str:
    return f"{counted_rows(number)} {were(number)}"
