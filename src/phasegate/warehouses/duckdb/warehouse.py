"""DuckDB as a warehouse: one file, whose process serves the others.

All threads work in snapshot-isolated transactions. The file is opened per unit of work under a lock between processes,
and stays open while more work is queued (turns.py). Other processes work through a socket of the one that has it open
(owner.py, remote.py), or take turns where there is none. It does not retry and does not decide. Every error is raised
as one clear line (errors.py).
"""

import atexit
import time
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, TypeVar, cast

from phasegate.base.receipt import Part, Receipt, Staged, Stamp
from phasegate.base.table import Difference, Draft, DraftShape, Table
from phasegate.errors import Unavailable
from phasegate.warehouse import InputRead, Params, Reader, Row, Scope, Staging, Write, WriteAnswer
from phasegate.warehouses.duckdb.file import LOCK_TIMEOUT_S, DuckDBFile, connect, empty, read_only
from phasegate.warehouses.duckdb.remote import Remote
from phasegate.warehouses.duckdb.session import COLUMNS
from phasegate.warehouses.duckdb.shapes import shapes
from phasegate.warehouses.duckdb.turns import PAUSE_MAX_S, PAUSE_MIN_S, Elsewhere
from phasegate.warehouses.duckdb.wire import Gone, NotServed
from phasegate.warehouses.sql.reader import SqlReader

__all__ = ["DuckDBWarehouse", "read_only"]

A = TypeVar("A")
# Longer than the pause between two writes of one worker, short for another process that waits.
HOLD_MS = 100


@dataclass(frozen=True)
class StagingSource:
    """What is staged: the rows of a SELECT, or these rows."""

    table: Table
    reads: Sequence[InputRead]
    sql: str | None
    params: Params
    rows: Iterable[Row]


class StagingVerbs(Protocol):
    """The verbs of a staging, in their order."""

    def open(self, reads: Sequence[InputRead], /) -> list[dict[str, Stamp]]:
        """Return the stamps of the reads."""
        ...

    def fill_query(self, sql: str, params: Params, /) -> Staged:
        """Stage the rows of a SELECT."""
        ...

    def fill_rows(self, rows: Iterable[Row], /) -> Staged:
        """Stage given rows."""
        ...

    def commit(self, write: Write, /) -> WriteAnswer:
        """Write the staged rows."""
        ...

    def interrupt(self) -> None:
        """Stop what runs, from any thread."""
        ...


class AnywhereStaging:
    """A staging; see ``warehouse.Staging``.

    ``opened``: opens the verbs on a stack, here or there.
    """

    def __init__(self, source: StagingSource, *, opened: Callable[[ExitStack], StagingVerbs]) -> None:
        self._source, self._opened = source, opened
        self._stack = ExitStack()
        self._verbs: StagingVerbs | None = None
        self._stopped = False
        self.stamps: Sequence[Mapping[str, Stamp]] = []
        self.counts = Staged(rows=0)

    def __enter__(self) -> Self:
        """Open it, take the stamps, stage the rows and count them."""
        source = self._source
        try:
            verbs = self._verbs = self._opened(self._stack)
            self._check()
            self.stamps = verbs.open(source.reads) if source.reads else []
            if source.sql is None:
                self.counts = verbs.fill_rows(source.rows)
            else:
                self.counts = verbs.fill_query(source.sql, source.params)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Release the connection, and with it the staged rows."""
        self._stack.close()

    def interrupt(self) -> None:
        """Stop what runs, from any thread; staging and commit then fail."""
        self._stopped = True
        if self._verbs is not None:
            self._verbs.interrupt()

    def commit(self, write: Write, /) -> WriteAnswer:
        """Write the staged rows."""
        self._check()
        assert self._verbs is not None, "a commit is inside the block of its staging"
        return self._verbs.commit(write)

    def _check(self) -> None:
        if self._stopped:
            raise Unavailable("the transaction was interrupted; nothing was written")


class DuckDBWarehouse:
    """Tables of one DuckDB file, shared by threads and processes.

    ``lock_timeout_s`` bounds the wait for another process; ``hold_ms`` is how long the file stays open unused.
    """

    def __init__(self, path: str | Path, *, lock_timeout_s: float = LOCK_TIMEOUT_S, hold_ms: float = HOLD_MS) -> None:
        self._path, self._timeout_s = Path(path).absolute(), lock_timeout_s
        self._file = DuckDBFile(self._path, lock_timeout_s=lock_timeout_s, hold_ms=hold_ms)
        self._turns = self._file.turns
        self._remote = Remote(self._path, timeout_s=lock_timeout_s)
        # A process ends when the others have left its file; the weak reference does not keep this object alive.
        atexit.register(_close_at_exit, weakref.ref(self))

    scope: Scope = "partition"

    def prepare(
        self, draft: Draft, /, *, partition: str, store_id: str, params: Params, beside: Collection[str] = ()
    ) -> None:
        """Create what a write needs, where it is absent; see ``DuckDBFile``."""
        self._call("prepare", draft, partition=partition, store_id=store_id, params=params, beside=tuple(beside))

    def create(self, table: Table, /, *, sql: str | None = None, params: Params | None = None) -> None:
        """Create an empty table to be read, if it is absent."""
        self._call("create", table, sql=sql, params=params)

    def stage(
        self, table: Table, /, *, partition: str, version_max: float, reads: Sequence[InputRead] = (),
        sql: str | None = None, params: Params | None = None, rows: Iterable[Row] = (),
    ) -> "AnywhereStaging":  # fmt: skip
        """Return a staging of the rows of a SELECT, or of these rows.

        It is in this process or in the one that has the file open. If that one ends before the commit, the staging or
        the commit raises Conflict.
        """
        source = StagingSource(table, reads=reads, sql=sql, params=params or {}, rows=rows)

        def opened(stack: ExitStack) -> StagingVerbs:
            return self._anywhere(
                stack,
                here=lambda: cast("StagingVerbs", stack.enter_context(
                    self._file.staging(table, partition=partition, version_max=version_max))),
                there=lambda: stack.enter_context(
                    self._remote.staging(table, partition=partition, version_max=version_max)),
            )  # fmt: skip

        return AnywhereStaging(source, opened=opened)

    def commit(self, write: Write, staging: Staging, /) -> WriteAnswer:
        """Write the staged rows in one transaction; see ``Warehouse.commit``."""
        return cast("AnywhereStaging", staging).commit(write)

    def change_fence(self, part: Part, /, *, token: int, store_id: str, holders: Sequence[str]) -> bool:
        """Change a fence row, and nothing else; return whether."""
        return bool(self._call("change_fence", part, token=token, store_id=store_id, holders=tuple(holders)))

    def reshape(self, table: Table, change: Difference, /, *, columns: Mapping[str, str], store_id: str) -> bool:
        """Change the columns and the recorded key; see ``Warehouse.reshape``."""
        return bool(self._call("reshape", table, change, columns=dict(columns), store_id=store_id))

    @contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """Open a read-only snapshot.

        A file that does not exist yet reads as an empty warehouse, and is not created.
        """
        with ExitStack() as stack:
            yield self._snapshot(stack)

    def shapes(self, drafts: Sequence[Draft], params: Params, /) -> list[DraftShape]:
        """Return the shape of each draft, tried in memory; see ``Warehouse``.

        The file is opened only for the columns of tables that no draft gives.
        """
        with closing(connect(None)) as root:
            return shapes(root, drafts, params=params, stored=self._stored_columns)

    def _stored_columns(self) -> dict[str, dict[str, str]]:
        """Return the columns of every stored table and view."""
        found: dict[str, dict[str, str]] = {}
        with self.snapshot() as reader:
            for row in reader.query(COLUMNS, {}):
                table = found.setdefault(f"{row['schema_name']}.{row['table_name']}", {})
                table[str(row["column_name"])] = str(row["data_type"])
        return found

    def find_write(self, write_id: str, /) -> Receipt | None:
        """Return the receipt of a write, if it was committed."""
        with self.snapshot() as reader:
            return cast("SqlReader", reader).find_write(write_id)

    def adopt(self, parts: Iterable[Part] | None, /, *, store_id: str, holder: str) -> dict[Part, int]:
        """Write our store id and a holder into fence rows; return their tokens.

        ``parts`` None: into all.
        """
        if not self._path.exists():
            return {}
        return cast("dict[Part, int]", self._call("adopt", parts, store_id=store_id, holder=holder))

    def close(self) -> None:
        """Close the file after its last use; a later use opens it again.

        What other processes do with it here is waited for.
        """
        self._remote.close()
        self._turns.discard()
        self._file.owner.leave(timeout_s=self._timeout_s)

    @property
    def openings(self) -> int:
        """Return how often this process has opened the file."""
        return self._file.openings

    def _snapshot(self, stack: ExitStack) -> Reader:
        if not self._path.exists():
            return stack.enter_context(empty())
        return self._anywhere(
            stack,
            here=lambda: stack.enter_context(self._file.snapshot()),
            there=lambda: cast(
                "Reader", stack.enter_context(self._remote.snapshot(reopen=lambda: self._snapshot(stack)))
            ),
        )

    def _call(self, verb: str, *args: object, **kwargs: object) -> object:
        """Run a verb that may be run twice, here or in another process."""
        with ExitStack() as stack:
            return self._anywhere(
                stack,
                here=lambda: getattr(self._file, verb)(*args, **kwargs),
                there=lambda: self._remote.call(verb, *args, **kwargs),
            )

    def _anywhere(self, stack: ExitStack, *, here: Callable[[], A], there: Callable[[], A]) -> A:
        """Return the answer of this process, or of the one with the file open.

        That one may close it at any time: then it is tried again, for ``lock_timeout_s``.
        """
        deadline, pause, patient = time.monotonic() + self._timeout_s, PAUSE_MIN_S, False
        while True:
            try:
                stack.enter_context(self._turns.use(patient=patient))
            except Elsewhere:
                try:
                    return there()
                except NotServed:
                    patient = True
                except Gone:
                    patient = False
            else:
                return here()
            if time.monotonic() >= deadline:
                raise Unavailable(self._turns.busy())
            time.sleep(pause)
            pause = min(pause * 1.5, PAUSE_MAX_S)


def _close_at_exit(warehouse: "weakref.ref[DuckDBWarehouse]") -> None:
    living = warehouse()
    if living is not None:
        living.close()
