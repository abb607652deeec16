"""DuckDB as a warehouse: one file, whose process serves the others.

All threads work in snapshot-isolated transactions. The file is opened per unit of work under a lock between processes,
and stays open while more work is queued (turns.py). Other processes work through a socket of the one that has it open
(owner.py, remote.py), or take turns where there is none. It does not retry and does not decide. Every error is raised
as one clear line (errors.py).
"""

import atexit
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from phasegate.base.receipt import Part, Receipt
from phasegate.base.table import Draft, DraftShape, Table
from phasegate.errors import NotFound, Unavailable
from phasegate.warehouse import Params, Reader, Transaction
from phasegate.warehouses.duckdb import errors
from phasegate.warehouses.duckdb.interrupts import import_whole
from phasegate.warehouses.duckdb.owner import Owner
from phasegate.warehouses.duckdb.reader import Catalog, DuckDBReader
from phasegate.warehouses.duckdb.remote import Remote
from phasegate.warehouses.duckdb.shapes import shapes
from phasegate.warehouses.duckdb.transaction import DuckDBTransaction
from phasegate.warehouses.duckdb.turns import PAUSE_MAX_S, PAUSE_MIN_S, Elsewhere, Turns
from phasegate.warehouses.duckdb.wire import Gone, NotServed, socket_of
from phasegate.warehouses.sql import own_tables as own
from phasegate.warehouses.sql.cells import check_shape

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

A = TypeVar("A")
LOCK_TIMEOUT_S = 60.0
# Longer than the pause between two writes of one worker, short for another process that waits.
HOLD_MS = 100


class DuckDBFile:
    """The file as this process opens it, shared by its threads."""

    def __init__(self, path: Path, *, lock_timeout_s: float, hold_ms: float) -> None:
        self._path = path
        self.openings = 0
        # Two threads creating the same table would conflict; processes never have the file open together.
        self._creating = threading.Lock()
        self._prepared_in: DuckDBPyConnection | None = None
        self._prepared: set[Part] = set()
        self._writers: dict[str, str] = {}
        self._known_in: DuckDBPyConnection | None = None
        self._catalog = Catalog()
        self.turns: Turns[DuckDBPyConnection] = Turns(
            path,
            lock_timeout_s=lock_timeout_s,
            hold_s=hold_ms / 1000,
            open_thing=self._open,
            close_thing=self._close,
            is_served=socket_of(path).exists,
        )
        self.owner = Owner(path, local=self, joined=partial(self.turns.use, opens=False))

    def _open(self) -> "DuckDBPyConnection":
        # Before the file, which takes a while: another process then waits for it here, and does not queue up.
        self.openings += 1
        self.owner.start()
        try:
            return _connect(self._path)
        except BaseException:
            self.owner.stop()
            raise

    def _close(self, root: "DuckDBPyConnection") -> None:
        self.owner.stop()
        root.close()

    def prepare(
        self, table: Table, /, *, partition: str, store_id: str, sql: str | None = None, params: Params | None = None
    ) -> None:
        """Create schema, tables, fence row and the table itself, where absent.

        What was found while this process has the file open is not checked again: no other process can remove it. A
        partition's fence rows are created for all tables that this store has prepared so far: writes to them usually
        follow, and a commit for each is 14 of the 30 that a date of the reference pipeline takes.

        Raises BadInput, with the table's name, when it cannot be guarded or its shape is not given.
        """
        part = Part(table.name, partition)
        with self.turns.use() as root:
            if self._prepared_in is not root:
                self._prepared_in, self._prepared, self._writers = root, set(), {}
            prepared, writers = self._prepared, self._writers
            if part in prepared:
                return
            shaped = table.name in writers
            if not shaped:
                with self._reading(root) as reader:
                    if reader.is_prepared(part):
                        check_shape(table, reader.types_of(table))
                        writers[table.name] = store_id
                        prepared.add(part)
                        return
            with self._creating, self._writing(root) as tx:
                if not shaped:
                    tx.create(table, sql=sql, params=params or {})
                ours = {name for name, writer in list(writers.items()) if writer == store_id} | {table.name}
                tx.add_fences(ours, partition=partition, store_id=store_id)
            writers[table.name] = store_id
            prepared.update(Part(name, partition) for name in ours)

    def create(self, table: Table, /, *, sql: str | None = None, params: Params | None = None) -> None:
        """Create an empty table to be read, if it is absent.

        An existing table is not changed.
        """
        with self.turns.use() as root:
            with self._reading(root) as reader:
                if reader.types_of(table):
                    return
            with self._creating, self._writing(root) as tx:
                if not tx.types_of(table):
                    tx.create(table, sql=sql, params=params or {})

    @contextmanager
    def transaction(self) -> Iterator[DuckDBTransaction]:
        """Open a transaction; leaving the block commits, an exception rolls back.

        Raises Conflict, Ambiguous (an I/O error at the commit), Unavailable (the file cannot be opened, or stayed
        locked).
        """
        with self.turns.use() as root, self._writing(root) as tx:
            yield tx

    @contextmanager
    def snapshot(self) -> Iterator[DuckDBReader]:
        """Open a read-only snapshot."""
        with self.turns.use() as root, self._reading(root) as reader:
            yield reader

    def adopt(self, parts: Iterable[Part] | None, /, *, store_id: str, holder: str) -> dict[Part, int]:
        """Write our store id into the existing fence rows; return their tokens.

        ``parts`` None: into all.
        """
        with self.transaction() as tx:
            return tx.adopt(parts, store_id=store_id, holder=holder)

    def _catalog_of(self, root: "DuckDBPyConnection") -> Catalog:
        """Return what was found since the file was last opened.

        Before that, another process may have changed it.
        """
        if self._known_in is not root:
            self._catalog = Catalog()
            self._known_in = root
        return self._catalog

    @contextmanager
    def _reading(self, root: "DuckDBPyConnection") -> Iterator[DuckDBReader]:
        reader = DuckDBReader(root.cursor(), path=self._path, catalog=self._catalog_of(root))
        try:
            yield reader
        finally:
            reader.close()
            if reader.broken:
                self.turns.discard()

    @contextmanager
    def _writing(self, root: "DuckDBPyConnection") -> Iterator[DuckDBTransaction]:
        catalog = self._catalog_of(root)
        tx = DuckDBTransaction(root.cursor(), path=self._path, catalog=catalog)
        try:
            yield tx
            tx.commit()
            if tx.reshaped:
                self._known_in = None
        finally:
            tx.close()
            if tx.broken:
                self.turns.discard()


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

    def prepare(
        self, table: Table, /, *, partition: str, store_id: str, sql: str | None = None, params: Params | None = None
    ) -> None:
        """Create what a write needs, where it is absent; see ``DuckDBFile``."""
        self._call("prepare", table, partition=partition, store_id=store_id, sql=sql, params=params)

    def create(self, table: Table, /, *, sql: str | None = None, params: Params | None = None) -> None:
        """Create an empty table to be read, if it is absent."""
        self._call("create", table, sql=sql, params=params)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open a transaction; leaving the block commits, an exception rolls back.

        Raises Conflict, also when the process that has the file open ends before the commit; Ambiguous (no answer to
        the commit), Unavailable (the file cannot be opened, or stayed locked).
        """
        with ExitStack() as stack:
            yield self._anywhere(
                stack,
                here=lambda: stack.enter_context(self._file.transaction()),
                there=lambda: cast("Transaction", stack.enter_context(self._remote.transaction())),
            )

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
        with closing(_connect(None)) as root:
            return shapes(root, drafts, params=params, stored=self._stored_columns)

    def _stored_columns(self) -> dict[str, dict[str, str]]:
        """Return the columns of every stored table and view."""
        found: dict[str, dict[str, str]] = {}
        with self.snapshot() as reader:
            for row in reader.query(own.COLUMNS, {}):
                table = found.setdefault(f"{row['schema_name']}.{row['table_name']}", {})
                table[str(row["column_name"])] = str(row["data_type"])
        return found

    def find_write(self, write_id: str, /) -> Receipt | None:
        """Return the receipt of a write, if it was committed."""
        with self.snapshot() as reader:
            return cast("DuckDBReader", reader).find_write(write_id)

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
            return stack.enter_context(_empty())
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


@contextmanager
def _empty() -> Iterator[DuckDBReader]:
    """Open a snapshot of a warehouse without tables."""
    with (
        closing(_connect(None)) as root,
        closing(DuckDBReader(root.cursor(), path=Path(":memory:"), catalog=Catalog())) as reader,
    ):
        yield reader


@contextmanager
def read_only(path: Path, /) -> Iterator[DuckDBReader]:
    """Open a snapshot of a foreign file without changing a byte of it.

    A file that Phasegate writes to is locked against its writers; beside any other file nothing is created.

    Raises NotFound, Unavailable.
    """
    if not path.is_file():
        raise NotFound(f"{path}: there is no such file; name the DuckDB file of your tables")
    if all(path.with_name(path.name + suffix).exists() for suffix in (".lock", ".turn")):
        turns = Turns(path, lock_timeout_s=LOCK_TIMEOUT_S, hold_s=0, close_thing=lambda root: root.close(),
                      open_thing=lambda: _connect(path, read_only=True))  # fmt: skip
        with turns.use() as root, closing(DuckDBReader(root.cursor(), path=path, catalog=Catalog())) as reader:
            yield reader
    else:
        with (
            closing(_connect(path, read_only=True)) as root,
            closing(DuckDBReader(root.cursor(), path=path, catalog=Catalog())) as reader,
        ):
            yield reader


def _connect(path: Path | None, *, read_only: bool = False) -> "DuckDBPyConnection":
    """Open a file with all sessions in UTC.

    ``path`` None: an empty warehouse in memory.
    """
    # 110 ms: imported when the first warehouse is opened, not with the package.
    import_whole("duckdb")
    import duckdb

    try:
        root = duckdb.connect(":memory:" if path is None else str(path), read_only=read_only)
    except duckdb.Error as error:
        raise errors.of_open(error, path=path or Path(":memory:")) from error
    # As configuration of connect() this needs an extension; as a statement it does not. GLOBAL: cursors do not inherit.
    root.execute("SET GLOBAL TimeZone = 'UTC'")
    # A write is 20 small statements: workers inside one cost it 15 %, and two writers at once 30 % (measured).
    root.execute("SET threads = 1")
    return root
