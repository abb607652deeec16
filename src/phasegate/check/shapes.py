"""Compares the columns of the tables with the plan, and changes tables.

Each table is changed in one transaction that passes all its fences. What would change the content of partitions that
are written already is done only if the caller asks for it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, Protocol

import msgspec
from msgspec.structs import replace

from phasegate.base.backoff import contention_s
from phasegate.base.table import Difference, Draft, DraftShape, Table
from phasegate.code.translated import condition_of, known_types, written
from phasegate.dialects.engines import ENGINE_NAMES, Engine, TableTypes
from phasegate.dialects.translate import select_of, untranslated
from phasegate.errors import Ambiguous, Conflict, Contended, ForeignStore
from phasegate.plan.model import Plan, Step
from phasegate.ports import Ports
from phasegate.warehouse import Params, Reader
from phasegate.write.inputs import is_foreign

TRIES_MAX = 16
# A date for which each SELECT is bound; no row of it is read.
SOME_DATE = "2000-01-01"
SOME_PARAMS = {"run_date": SOME_DATE, "season_start": SOME_DATE}

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


class SqlProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with the SELECT of a step.

    ``sql``: it cannot run. ``engine``: it does not translate for the engine that was asked about; then ``line`` is of
    the file's text, and ``mend`` what to write. ``needs``: it reads a table that the step does not need. ``note``:
    nothing to fix.
    """

    step: str
    kind: Literal["sql", "engine", "needs", "note"]
    text: str
    line: int | None = None
    mend: str | None = None


class Shapes:
    """Compares and changes the tables of one plan.

    ``store_id``: the store that their fences must obey. ``sql_of``: returns a step's SELECT in the warehouse's SQL.
    """

    def __init__(self, plan: Plan, ports: Ports, *, store_id: str, sql_of: Callable[[Step], str] = written) -> None:
        self._plan, self._ports, self._store_id, self._sql_of = plan, ports, store_id, sql_of

    def compare(self) -> list[TableShape]:
        """Return every table of the plan against the stored one."""
        shapes = planned(self._plan, self._ports.warehouse, sql_of=self._sql_of)
        with self._ports.warehouse.snapshot() as reader:
            return [_compared(self._plan.steps[name], shape, reader) for name, shape in shapes.items()]

    def apply(self, *, content: bool = False) -> Iterator[tuple[str, Difference]]:
        """Make or change each table that differs; yield its name and the change.

        A table is made if the plan, or its SELECT, gives its columns. ``content``: also what changes the content of
        partitions: removed columns, other types, another key. Raises BadInput for a cell that does not fit its new
        type, ForeignStore, Contended; tables before it are changed.
        """
        for name, shape in planned(self._plan, self._ports.warehouse, sql_of=self._sql_of).items():
            step = self._plan.steps[name]
            assert step.table is not None
            change = self._made(step, step.table, shape)
            if not change and shape.columns:
                change = self._changed(step.table, shape, content=content)
            if change:
                yield step.table.name, change

    def _made(self, step: Step, table: Table, shape: DraftShape) -> Difference:
        """Make a table that is absent; return its columns as added."""
        warehouse = self._ports.warehouse
        with warehouse.snapshot() as reader:
            if not reader.compare(table, {}).missing:
                return Difference()
        if not shape.columns:
            # Its SELECT may read a table that was made since.
            [shape] = warehouse.shapes([Draft(table=table, sql=self._sql_of(step))], SOME_PARAMS)
        if not shape.columns:
            return Difference()
        warehouse.create(table, sql=self._sql_of(step) or None, params=SOME_PARAMS)
        return Difference(missing=True, added=shape.columns)

    def _changed(self, table: Table, shape: DraftShape, *, content: bool) -> Difference:
        """Change one table in one transaction; return what was changed."""
        done = Difference()
        for attempt in range(TRIES_MAX):
            with self._ports.warehouse.snapshot() as reader:
                found = reader.compare(table, shape.columns)
            change = found if content else found.kept_content
            if not change:
                return done
            # The key of the stored rows stays recorded until its change is asked for.
            recorded = table if content or not found.key else replace(table, key=found.key)
            done = change
            try:
                ours = self._ports.warehouse.reshape(recorded, change, columns=shape.columns, store_id=self._store_id)
            except Conflict:
                done = Difference()
            except Ambiguous:
                pass  # the next comparison shows whether it happened
            else:
                if not ours:
                    raise ForeignStore(table.name, found="has fences of another store")
                return done
            self._ports.clock.sleep(contention_s(table.name, attempt))
        raise Contended(table.name, TRIES_MAX)


class Binder(Protocol):
    """What a SELECT is bound by: a warehouse, or DuckDB without a table."""

    def shapes(self, drafts: Sequence[Draft], params: Params, /) -> list[DraftShape]:
        """Return the shape of each draft; see ``Warehouse.shapes``."""
        ...


def planned(
    plan: Plan, binder: Binder, *, engine: Engine | None = None, sql_of: Callable[[Step], str] = written
) -> dict[str, DraftShape]:
    """Return the shape of each step's table, by step; nothing is changed.

    ``engine``: whose SQL is bound, None: what ``sql_of`` returns is in the binder's.
    """
    bound = {step.name: sql_of(step) if engine in (None, step.dialect) else "" for step in plan.steps.values()}
    drafts = {name: Draft(table=step.table, sql=bound[name]) for name, step in plan.steps.items() if step.table}
    found = binder.shapes(list(drafts.values()), SOME_PARAMS)
    return dict(zip(drafts, found, strict=True))


def problems(plan: Plan, shapes: Mapping[str, DraftShape]) -> list[SqlProblem]:
    """Return what is wrong with the SELECTs of a plan.

    ``shapes``: by step, as the warehouse gives them.
    """
    found = []
    for name, shape in shapes.items():
        step = plan.steps[name]
        if shape.error:
            found.append(SqlProblem(step=name, kind="sql", text=shape.error))
        elif step.dialect != "duckdb":
            found.append(
                SqlProblem(step=name, kind="note", text=f"not checked: its SQL is {ENGINE_NAMES[step.dialect]}'s own")
            )
        elif not shape.columns and step.sql:
            text = f"not checked: the columns of a table that it reads ({', '.join(shape.reads)}) are not known"
            found.append(SqlProblem(step=name, kind="note", text=text))
        unneeded = _unneeded(plan, step, shape.reads)
        # Of a SELECT that cannot run, a table that no step writes may be a misspelt one.
        found += [one for one in unneeded if one.kind == "needs" or not shape.error]
    return found


def engine_problems(plan: Plan, shapes: Mapping[str, DraftShape], *, engine: Engine) -> list[SqlProblem]:
    """Return what of a plan's SELECTs does not translate for an engine.

    ``shapes``: as for ``problems``; their columns say which names are of two columns. Raises BadInput without sqlglot.
    """
    if engine == "duckdb" and all(step.dialect == engine for step in plan.steps.values()):
        return []
    bound = {step.table.name: shapes[name].columns for name, step in plan.steps.items() if step.table is not None}
    # As when the plan is loaded for the engine, and again with what DuckDB knows besides.
    ways: list[TableTypes] = [known_types(plan), {table: columns for table, columns in bound.items() if columns}]
    found = []
    for step, what, sql, dialect in _texts(plan):
        lines = {one: None for types in ways
                 for one in untranslated(sql, engine=engine, dialect=dialect, types=types)}  # fmt: skip
        found += [
            SqlProblem(
                step=step.name, kind="engine", line=one.line, mend=one.mend,
                text=f"{ENGINE_NAMES[engine]}: {what} {one.text}",
            )
            for one in sorted(lines)
        ]  # fmt: skip
    return found


def _texts(plan: Plan) -> Iterator[tuple[Step, str, str, Engine]]:
    """Yield the SQL of each step, what it is called, and its dialect."""
    for step in plan.steps.values():
        if step.sql:
            yield step, step.sql_file, step.sql, step.dialect
        if found := condition_of(plan, step):
            sql = select_of(found[0], table=found[1])
            yield step, "covers.where", sql, step.dialect if step.sql else "duckdb"


def _unneeded(plan: Plan, step: Step, reads: Iterable[str]) -> Iterator[SqlProblem]:
    """Yield the tables that a SELECT reads and its step does not need."""
    writers = {other.table.name: other for other in plan.steps.values() if other.table is not None}
    needed = {need.step for need in step.needs}
    for table in reads:
        writer = writers.get(table)
        if writer is None:
            text = f"reads {table}, which no step of the plan writes: a change of it rebuilds nothing"
            yield SqlProblem(step=step.name, kind="note", text=text)
        elif writer.name not in needed:
            window = f'{{ step = "{writer.name}", back = "1d" }}'
            need = window if writer is step else f'"{writer.phase}.{writer.name}"'
            text = f"reads {table}, which is not in needs: a change of it rebuilds nothing; add {need} to needs"
            yield SqlProblem(step=step.name, kind="needs", text=text)


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
        external=is_foreign(step),
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
