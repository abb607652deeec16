"""Writes one partition in one fenced transaction, retried as a whole.

Before it the rows are staged, counted and judged, with the stamps of the inputs in the same snapshot. The transaction
compares these stamps again (warehouses.sql.commits has its order). There is no second path to a table.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from phasegate.base.backoff import contention_s
from phasegate.base.keys import Run
from phasegate.base.receipt import ABSENT, Part, Receipt, Stamp
from phasegate.base.table import Draft, Table
from phasegate.code.translated import written
from phasegate.errors import (
    Ambiguous,
    BadInput,
    Conflict,
    Contended,
    Fenced,
    ForeignStore,
    InputsChanged,
    PhasegateError,
)
from phasegate.plan.gate import season_start
from phasegate.plan.model import Plan, Step
from phasegate.ports import Ports
from phasegate.warehouse import (
    Disagreeing,
    EqualSums,
    FenceRefused,
    InputRead,
    InputsMoved,
    Params,
    Row,
    SeenInput,
    Shrunk,
    Staging,
    Write,
    WriteAnswer,
    Written,
)
from phasegate.write import preconditions
from phasegate.write.inputs import folded, part_of, reads_of
from phasegate.write.leases import HeldLease

TRIES_MAX = 16


@dataclass(frozen=True)
class WriteJob:
    """One partition to write: by the step's SQL, or with these ``rows``.

    ``inputs``: the requested stamps. ``before``: the stamps taken before a Python step's first read. ``rewrites``: the
    stamp of the partition itself, where its own rows are written again.
    """

    step: Step
    run: Run
    inputs: Mapping[str, Stamp]
    rows: Sequence[Row] | None = None
    before: Mapping[str, Stamp] = field(default_factory=dict)
    rewrites: Stamp | None = None
    allow_shrink: bool = False

    @property
    def table(self) -> Table:
        """Return the table that is written."""
        assert self.step.table is not None
        return self.step.table

    @cached_property
    def part(self) -> Part:
        """Return the partition that is written."""
        return part_of(self.step, self.run)

    @property
    def params(self) -> Params:
        """Return the parameters of the step's SELECT."""
        first = season_start(self.step.needs, inputs=self.inputs, date=self.run.date)
        return {"run_date": self.run.date} | ({} if first is None else {"season_start": first})


class Writer:
    """Writes partitions of one warehouse, fenced with one store's id.

    ``sql_of``: returns a step's SELECT in the warehouse's SQL.
    """

    def __init__(self, plan: Plan, ports: Ports, *, store_id: str, sql_of: Callable[[Step], str] = written) -> None:
        self._plan, self._ports, self.store_id, self._sql_of = plan, ports, store_id, sql_of
        self._created: set[str] = set()
        self._prepared: dict[str, None] = {}

    def create_inputs(self, step: Step, run: Run) -> None:
        """Create the tables that a step reads and that do not exist yet.

        On the first date of a pipeline its windows are then empty, not an error. A table whose columns the plan does
        not give is left out.
        """
        for need in step.needs:
            read = self._plan.steps[need.step]
            if read.table is None or read.table.name in self._created or read.name == step.name:
                continue
            self._created.add(read.table.name)
            if read.sql or read.table.columns:
                self.create_inputs(read, run)
                params = {"run_date": run.date, "season_start": run.date}  # for its columns alone: it stays empty
                self._ports.warehouse.create(read.table, sql=self._sql_of(read) or None, params=params)

    def write(self, work: WriteJob, *, held: HeldLease) -> Receipt:
        """Write a partition and return the receipt.

        Raises InputsChanged (nothing was written), Fenced (a newer holder), ForeignStore, Partial (would lose rows, or
        break an identity of the plan), BadInput (rows that must not be written), LeaseLost, Contended after TRIES_MAX
        conflicts.
        """
        write_id = self._ports.ids()
        self._ports.observer.event("writing", step=work.step.name, run=str(work.run), token=held.token)
        for attempt in range(TRIES_MAX):
            held.check()
            try:
                self._prepare(work)
                answer = self._attempt(work, held=held, write_id=write_id)
                if isinstance(answer, Written):
                    return self._observed(answer.receipt)
                if not isinstance(answer, InputsMoved) or work.rows is not None:
                    raise self._refusal(answer, work, token=held.token)
                # A SELECT is staged again; whether its inputs still are those of the request is judged then.
                self._ports.observer.event("write conflict", part=work.part, attempt=attempt)
            except Fenced as e:
                self._ports.observer.event("write refused", step=work.step.name, run=str(work.run), token=held.token,
                                           newest=e.newest)  # fmt: skip
                if not held.beat():
                    raise
                # The lease is ours but the fence has a newer token: the store was restored from an older copy.
                ahead = f"is fenced with token {e.newest}, ahead of our lease with token {e.token}"
                raise ForeignStore(e.resource, found=ahead) from e
            except Conflict:
                self._ports.observer.event("write conflict", part=work.part, attempt=attempt)
            except Ambiguous:
                found = self._ports.warehouse.find_write(write_id)
                if found is not None:
                    return self._observed(found)
            self._ports.clock.sleep(contention_s(write_id, attempt))
        raise Contended(f"{work.part.table}/{work.part.partition}", TRIES_MAX)

    def _prepare(self, work: WriteJob) -> None:
        """Create the table and the fence rows of the date.

        Those of all tables that were prepared before, too: writes of them usually follow.
        """
        sql = self._sql_of(work.step) if work.rows is None else ""
        self._ports.warehouse.prepare(
            Draft(table=work.table, sql=sql), partition=work.run.date, store_id=self.store_id, params=work.params,
            beside=tuple(self._prepared),
        )  # fmt: skip
        self._prepared.setdefault(work.table.name)

    def _observed(self, receipt: Receipt) -> Receipt:
        self._ports.observer.event(
            "written", step=receipt.step, run=receipt.run, token=receipt.token, rows=receipt.rows,
            changed=receipt.inserted + receipt.updated + receipt.deleted, duplicates=receipt.duplicates,
            undecided=receipt.undecided, refused=receipt.refused, fingerprint=receipt.fingerprint,
        )  # fmt: skip
        return receipt

    def _attempt(self, work: WriteJob, *, held: HeldLease, write_id: str) -> WriteAnswer:
        """Stage, judge, commit; return the warehouse's answer."""
        warehouse, reads = self._ports.warehouse, reads_of(self._plan, asked=work.inputs, run=work.run)
        read = [*reads.values(), *([_own(work)] if work.rewrites is not None else [])]
        ahead = self._ports.clock.now() + preconditions.VERSION_AHEAD_MAX_S
        staging = warehouse.stage(
            work.table, partition=work.run.date, version_max=ahead, reads=read,
            sql=self._sql_of(work.step) if work.rows is None else None, params=work.params, rows=work.rows or (),
        )  # fmt: skip
        held.on_lost = staging.interrupt
        try:
            try:
                with staging:
                    stamps = self._checked(work, reads, staging)
                    preconditions.check_staged(staging.counts, table=work.table, part=work.part)
                    write = self._write(work, reads, staging, stamps=stamps, held=held, write_id=write_id)
                    with _committing(held) as answers:
                        answers.append(warehouse.commit(write, staging))
                    return answers[0]
            except BadInput:
                # of other inputs than those of the request, it is no failure
                if staging.stamps:
                    self._checked(work, reads, staging)
                raise
        finally:
            held.on_lost = None

    def _checked(self, work: WriteJob, reads: Mapping[str, InputRead], staging: Staging) -> dict[str, Stamp]:
        """Return the stamps of the inputs at the staging.

        Raises InputsChanged if they are not those of the request.
        """
        now = folded(self._plan, reads, staging.stamps[: len(reads)], asked=work.inputs)
        changed = preconditions.changed_inputs(work.inputs, now) or preconditions.written_since(work.before, now)
        if work.rewrites is not None and staging.stamps[-1].get(work.run.date) != work.rewrites:
            changed = (*changed, work.table.name)
        if changed:
            raise InputsChanged(_moved(work, changed))
        return {name: asked if asked == ABSENT else now[name] for name, asked in work.inputs.items()}

    def _write(
        self, work: WriteJob, reads: Mapping[str, InputRead], staging: Staging, *, stamps: dict[str, Stamp],
        held: HeldLease, write_id: str,
    ) -> Write:  # fmt: skip
        names = {**reads, **({work.table.name: _own(work)} if work.rewrites is not None else {})}
        receipt = Receipt(
            write_id=write_id,
            table=work.part.table,
            partition=work.part.partition,
            run=str(work.run),
            step=work.step.name,
            token=held.token,
            fingerprint="",
            built_from=stamps,
            code=work.step.code,
            build=self._ports.build.name(),
            committed_at=self._ports.clock.now(),
            rows_in=staging.counts.rows,
            duplicates=staging.counts.duplicates,
            undecided=staging.counts.undecided,
            allow_shrink=work.allow_shrink,
        )
        return Write(
            table=work.table,
            receipt=receipt,
            store_id=self.store_id,
            holders=tuple(held.writers),
            inputs=tuple(
                SeenInput(name=name, read=read, stamps=dict(found))
                for (name, read), found in zip(names.items(), staging.stamps, strict=True)
            ),
            shrink_max=None if work.allow_shrink else work.step.shrink_max,
            determines=tuple(work.step.determines),
            sums=tuple(
                EqualSums(column=total.column, by=total.by, table=self._table(total.step), other=total.other)
                for total in work.step.sums
            ),
        )

    def _table(self, step: str) -> Table:
        table = self._plan.steps[step].table
        assert table is not None, f"{step} has no table"
        return table

    def _refusal(self, answer: WriteAnswer, work: WriteJob, *, token: int) -> PhasegateError:
        """Return why nothing was written."""
        match answer:
            case FenceRefused(fence):
                return preconditions.refusal(work.part, fence=fence, token=token, store_id=self.store_id)
            case InputsMoved(names):
                return InputsChanged(_moved(work, names))
            case Shrunk():
                return preconditions.shrunk(answer, step=work.step, run=work.run)
            case Disagreeing(dependency, found):
                return preconditions.disagreeing(dependency, found, step=work.step, run=work.run)
            case _:
                assert not isinstance(answer, Written)
                total = work.step.sums[answer.number]
                return preconditions.unequal_sums(total, ours=answer.ours, theirs=answer.theirs, part=work.part)


def _own(work: WriteJob) -> InputRead:
    return InputRead(table=work.table, first=work.run.date, last=work.run.date)


def _moved(work: WriteJob, names: Sequence[str]) -> str:
    return f"{work.step.name}: {', '.join(names)} changed since the request; nothing was written"


@contextmanager
def _committing(held: HeldLease) -> Iterator[list[WriteAnswer]]:
    """Mark the lease as owing a report, unless nothing was written.

    What the block appends is the warehouse's answer.
    """
    held.check()
    before, answers = (held.unreported, held.fenced), list[WriteAnswer]()
    held.unreported = held.fenced = True
    try:
        yield answers
    except Ambiguous:
        raise
    except PhasegateError:
        held.unreported, held.fenced = before
        raise
    if not isinstance(answers[0], Written):
        held.unreported, held.fenced = before
