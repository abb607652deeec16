"""Writes one partition in one fenced transaction, retried as a whole.

The order inside: change the fence, compare the inputs, stage, check, deduplicate, write, store the receipt, commit.
There is no second path to a table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from phasegate.base.backoff import contention_s
from phasegate.base.fingerprint import rows_of
from phasegate.base.keys import Run
from phasegate.base.receipt import ABSENT, Changes, Part, Receipt, Staged, Stamp
from phasegate.base.table import Table
from phasegate.errors import Ambiguous, Conflict, Contended, Fenced, ForeignStore, InputsChanged
from phasegate.plan.gate import season_start
from phasegate.plan.model import Plan, Step
from phasegate.ports import Ports
from phasegate.warehouse import Params, Row, Transaction
from phasegate.write import preconditions
from phasegate.write.inputs import part_of, stamps_now
from phasegate.write.leases import HeldLease

TRIES_MAX = 16


@dataclass(frozen=True)
class WriteJob:
    """One partition to write: by the step's SQL, or with these ``rows``.

    ``inputs``: the requested stamps. ``before``: the stamps taken before a Python step's first read.
    """

    step: Step
    run: Run
    inputs: Mapping[str, Stamp]
    rows: Sequence[Row] | None = None
    before: Mapping[str, Stamp] = field(default_factory=dict)
    allow_shrink: bool = False
    build: str = ""

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
    """Writes partitions of one warehouse, fenced with one store's id."""

    def __init__(self, plan: Plan, ports: Ports, *, store_id: str) -> None:
        self._plan, self._ports, self.store_id = plan, ports, store_id
        self._created: set[str] = set()

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
                self._ports.warehouse.create(read.table, sql=read.sql or None, params=params)

    def write(self, work: WriteJob, *, held: HeldLease) -> Receipt:
        """Write a partition and return the receipt.

        Raises InputsChanged (nothing was written), Fenced (a newer holder), ForeignStore, Partial (would lose rows, or
        break an identity of the plan), BadInput (rows that must not be written), LeaseLost, Contended after TRIES_MAX
        conflicts.
        """
        warehouse, write_id = self._ports.warehouse, self._ports.ids()
        self._ports.observer.event("writing", step=work.step.name, run=str(work.run), token=held.token)
        sql = work.step.sql if work.rows is None else None
        warehouse.prepare(
            work.table, partition=work.run.date, store_id=self.store_id, sql=sql or None, params=work.params
        )
        for attempt in range(TRIES_MAX):
            held.check()
            try:
                return self._observed(self._transaction(work, held=held, write_id=write_id))
            except Fenced as e:
                if not held.beat():
                    raise
                # The lease is ours but the fence has a newer token: the store was restored from an older copy.
                ahead = f"is fenced with token {e.newest}, ahead of our lease with token {e.token}"
                raise ForeignStore(e.resource, found=ahead) from e
            except Conflict:
                held.unreported = held.fenced = False
                self._ports.observer.event("write conflict", part=work.part, attempt=attempt)
            except Ambiguous:
                found = warehouse.find_write(write_id)
                if found is not None:
                    return self._observed(found)
            self._ports.clock.sleep(contention_s(write_id, attempt))
        raise Contended(f"{work.part.table}/{work.part.partition}", TRIES_MAX)

    def _observed(self, receipt: Receipt) -> Receipt:
        self._ports.observer.event(
            "written", step=receipt.step, run=receipt.run, token=receipt.token, rows=receipt.rows,
            duplicates=receipt.duplicates, undecided=receipt.undecided, refused=receipt.refused,
            fingerprint=receipt.fingerprint,
        )  # fmt: skip
        return receipt

    def _transaction(self, work: WriteJob, *, held: HeldLease, write_id: str) -> Receipt:
        with self._ports.warehouse.transaction() as tx:
            held.on_lost = tx.interrupt
            try:
                inputs = self._enter(tx, work, held=held)
                staged = self._stage(tx, work)
                receipt = self._fill(tx, work, staged=staged, inputs=inputs, token=held.token, write_id=write_id)
                tx.put_receipt(receipt)
                held.check()
                held.unreported = held.fenced = True
            finally:
                held.on_lost = None
        return receipt

    def _enter(self, tx: Transaction, work: WriteJob, *, held: HeldLease) -> dict[str, Stamp]:
        """Pass the fence and check the inputs; return their stamps."""
        if not tx.change_fence(work.part, token=held.token, store_id=self.store_id, holders=held.writers):
            fence = tx.fence(work.part)
            raise preconditions.refusal(work.part, fence=fence, token=held.token, store_id=self.store_id)
        now = stamps_now(self._plan, tx, asked=work.inputs, run=work.run)
        changed = preconditions.changed_inputs(work.inputs, now) or preconditions.written_since(work.before, now)
        if changed:
            names = ", ".join(changed)
            raise InputsChanged(f"{work.step.name}: {names} changed since the request; nothing was written")
        return {name: asked if asked == ABSENT else now[name] for name, asked in work.inputs.items()}

    def _stage(self, tx: Transaction, work: WriteJob) -> Staged:
        if work.rows is None:
            tx.stage_query(work.table, work.step.sql, work.params)
        else:
            tx.stage_rows(work.table, work.rows)
        ahead = self._ports.clock.now() + preconditions.VERSION_AHEAD_MAX_S
        staged = tx.inspect(work.table, partition=work.run.date, version_max=ahead)
        preconditions.check_staged(staged, table=work.table, part=work.part)
        return staged

    def _fill(
        self, tx: Transaction, work: WriteJob, *, staged: Staged, inputs: Mapping[str, Stamp], token: int, write_id: str
    ) -> Receipt:
        duplicates = tx.deduplicate(work.table)
        changes = self._change(tx, work, staged=staged, kept=staged.rows - duplicates, token=token)
        self._check_identities(tx, work)
        fingerprint = tx.fingerprint(work.table, partition=work.run.date)
        return Receipt(
            write_id=write_id,
            table=work.part.table,
            partition=work.part.partition,
            run=str(work.run),
            step=work.step.name,
            token=token,
            fingerprint=fingerprint,
            built_from=dict(inputs),
            code=work.step.code,
            build=work.build,
            committed_at=self._ports.clock.now(),
            rows_in=staged.rows,
            rows=rows_of(fingerprint),
            duplicates=duplicates,
            inserted=changes.inserted,
            updated=changes.updated,
            deleted=changes.deleted,
            unchanged=changes.unchanged,
            refused=changes.refused,
            allow_shrink=work.allow_shrink,
            undecided=staged.undecided,
        )

    def _check_identities(self, tx: Transaction, work: WriteJob) -> None:
        """Raise Partial if the written partition breaks an identity."""
        table, date = work.table, work.run.date
        for dependency in work.step.determines:
            found = tx.disagreements(table, dependency, first=date, last=date)
            preconditions.check_dependency(dependency, found, step=work.step, run=work.run)
        for total in work.step.sums:
            other = self._plan.steps[total.step].table
            assert other is not None, f"{total.step} has no table"
            ours = tx.sums(table, column=total.column, by=total.by, first=date, last=date)
            theirs = tx.sums(other, column=total.other, by=total.by, first=date, last=date)
            preconditions.check_total(total, ours=ours, theirs=theirs, part=work.part)

    @staticmethod
    def _change(tx: Transaction, work: WriteJob, *, staged: Staged, kept: int, token: int) -> Changes:
        if work.table.write == "merge":
            return tx.merge(work.table, partition=work.run.date, token=token)
        if not work.allow_shrink:
            preconditions.check_shrink(rows=kept, present=staged.present, step=work.step, run=work.run)
        return tx.replace(work.table, partition=work.run.date, token=token)
