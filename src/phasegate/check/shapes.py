"""Compares the columns of the tables with the plan, and changes tables.

Each table is changed in one transaction that passes all its fences. What would change the content of partitions that
are written already is done only if the caller asks for it.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
from msgspec.structs import replace

from phasegate.base.backoff import contention_s
from phasegate.base.table import Difference, Draft, DraftShape, Table
from phasegate.errors import Ambiguous, Conflict, Contended, ForeignStore
from phasegate.plan.model import Plan, Step
from phasegate.ports import Ports
from phasegate.warehouse import Reader

TRIES_MAX = 16
# A date for which each SELECT is bound; no row of it is read.
SOME_DATE = "2000-01-01"

ShapeState = Literal["same", "differs", "not made", "unknown"]


class Older(msgspec.Struct, frozen=True, kw_only=True):
    """The partitions that another code of their step has written."""

    partitions: int
    first: str
    last: str


class TableShape(msgspec.Struct, frozen=True, kw_only=True):
    """One table against its plan.

    ``unknown``: the plan gives no columns, or ``error`` says why its SELECT cannot be used.
    """

    step: str
    external: bool
    table: str
    state: ShapeState
    rows: int
    difference: Difference
    older: Older | None = None
    error: str = ""


class Shapes:
    """Compares and changes the tables of one plan.

    ``store_id``: the store that their fences must obey.
    """

    def __init__(self, plan: Plan, ports: Ports, *, store_id: str) -> None:
        self._plan, self._ports, self._store_id = plan, ports, store_id

    def planned(self) -> dict[str, DraftShape]:
        """Return the shape of each step's table, by step; nothing is changed."""
        drafts = drafts_of(self._plan)
        found = self._ports.warehouse.shapes(list(drafts.values()), {"run_date": SOME_DATE})
        return dict(zip(drafts, found, strict=True))

    def compare(self) -> list[TableShape]:
        """Return every table of the plan against the stored one."""
        shapes = self.planned()
        with self._ports.warehouse.snapshot() as reader:
            return [_compared(self._plan.steps[name], shape, reader) for name, shape in shapes.items()]

    def apply(self, *, content: bool = False) -> Iterator[tuple[str, Difference]]:
        """Change each stored table that differs; yield its name and the change.

        ``content``: also what changes the content of partitions: removed columns, other types, another key. Raises
        BadInput for a cell that does not fit its new type, ForeignStore, Contended; tables before it are changed.
        """
        for name, shape in self.planned().items():
            table = self._plan.steps[name].table
            assert table is not None
            change = self._changed(table, shape, content=content) if shape.columns else Difference()
            if change:
                yield table.name, change

    def _changed(self, table: Table, shape: DraftShape, *, content: bool) -> Difference:
        """Change one table in one transaction; return what was changed."""
        done = Difference()
        for attempt in range(TRIES_MAX):
            try:
                with self._ports.warehouse.transaction() as tx:
                    found = tx.compare(table, shape.columns)
                    change = found if content else replace(found, removed={}, retyped={}, key=())
                    if not change:
                        return done
                    if not tx.change_fences(table, store_id=self._store_id):
                        raise ForeignStore(table.name, found="has fences of another store")
                    # The key of the stored rows stays recorded until its change is asked for.
                    recorded = table if content or not found.key else replace(table, key=found.key)
                    done = change
                    tx.reshape(recorded, change)
            except Conflict:
                done = Difference()
            except Ambiguous:
                pass  # the next comparison shows whether it happened
            else:
                return done
            self._ports.clock.sleep(contention_s(table.name, attempt))
        raise Contended(table.name, TRIES_MAX)


def drafts_of(plan: Plan) -> dict[str, Draft]:
    """Return the drafts of a plan's tables by step, in the order of the steps."""
    tables = {step.name: (step.table, step.sql) for step in plan.steps.values()}
    return {name: Draft(table=table, sql=sql) for name, (table, sql) in tables.items() if table is not None}


def unneeded(plan: Plan, step: Step, reads: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return what a step's SQL reads and its needs do not name.

    First the steps of this plan, then the tables that no step writes.
    """
    writers = {other.table.name: other.name for other in plan.steps.values() if other.table is not None}
    needed = {need.step for need in step.needs}
    steps = [writers[table] for table in reads if table in writers and writers[table] not in needed]
    return steps, [table for table in reads if table not in writers]


def _compared(step: Step, shape: DraftShape, reader: Reader) -> TableShape:
    assert step.table is not None
    difference = reader.compare(step.table, shape.columns)
    state: ShapeState = "differs" if difference else "same"
    if difference.missing:
        state = "not made"
    elif not shape.columns:
        state, difference = "unknown", Difference()
    return TableShape(
        step=step.name,
        external=step.kind == "external",
        table=step.table.name,
        state=state,
        rows=reader.count(step.table, partition=None),
        difference=difference,
        older=_older(step, reader),
        error=shape.error,
    )


def _older(step: Step, reader: Reader) -> Older | None:
    assert step.table is not None
    receipts = reader.receipts_between(step.table.name, first="", last="~")
    dates = sorted(date for date, receipt in receipts.items() if receipt.code and receipt.code != step.code)
    return Older(partitions=len(dates), first=dates[0], last=dates[-1]) if dates else None
