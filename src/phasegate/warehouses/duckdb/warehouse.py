"""DuckDB as a warehouse: one file, one process at a time.

The threads of that process work in snapshot-isolated transactions. The file is opened per unit of work under a lock
between processes, and stays open while more work is queued (turns.py). It does not retry and does not decide. Every
error is raised as one clear line (errors.py).
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from phasegate.base.receipt import Part, Receipt
from phasegate.base.table import Table
from phasegate.errors import NotFound
from phasegate.warehouse import Params
from phasegate.warehouses.duckdb import errors
from phasegate.warehouses.duckdb.reader import Catalog, DuckDBReader
from phasegate.warehouses.duckdb.transaction import DuckDBTransaction
from phasegate.warehouses.duckdb.turns import Turns
from phasegate.warehouses.sql.cells import check_shape

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LOCK_TIMEOUT_S = 60.0
# Longer than the pause between two writes of one worker, short for another process that waits.
HOLD_MS = 100


class DuckDBWarehouse:
    """Tables of one DuckDB file, shared by threads, used by one process.

    ``lock_timeout_s`` bounds the wait for another process; ``hold_ms`` is how long the file stays open unused.
    """

    def __init__(self, path: str | Path, *, lock_timeout_s: float = LOCK_TIMEOUT_S, hold_ms: float = HOLD_MS) -> None:
        self._path = Path(path).absolute()
        # Two threads creating the same table would conflict; processes never have the file open together.
        self._creating = threading.Lock()
        self._prepared_in: DuckDBPyConnection | None = None
        self._prepared: set[Part] = set()
        self._writers: dict[str, str] = {}
        self._known_in: DuckDBPyConnection | None = None
        self._catalog = Catalog()
        self._turns: Turns[DuckDBPyConnection] = Turns(
            self._path,
            lock_timeout_s=lock_timeout_s,
            hold_s=hold_ms / 1000,
            open_thing=lambda: _connect(self._path),
            close_thing=lambda root: root.close(),
        )

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
        with self._turns.use() as root:
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
        with self._turns.use() as root:
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
        with self._turns.use() as root, self._writing(root) as tx:
            yield tx

    @contextmanager
    def snapshot(self) -> Iterator[DuckDBReader]:
        """Open a read-only snapshot.

        A file that does not exist yet reads as an empty warehouse, and is not created.
        """
        if self._path.exists():
            with self._turns.use() as root, self._reading(root) as reader:
                yield reader
        else:
            empty = _connect(None)
            try:
                with self._reading(empty) as reader:
                    yield reader
            finally:
                empty.close()

    def find_write(self, write_id: str, /) -> Receipt | None:
        """Return the receipt of a write, if it was committed."""
        with self.snapshot() as reader:
            return reader.find_write(write_id)

    def adopt(self, parts: Iterable[Part] | None, /, *, store_id: str, holder: str) -> dict[Part, int]:
        """Write our store id into the existing fence rows; return their tokens.

        ``parts`` None: into all.
        """
        if not self._path.exists():
            return {}
        with self.transaction() as tx:
            return tx.adopt(parts, store_id=store_id, holder=holder)

    def close(self) -> None:
        """Close the file after its last use; a later use opens it again."""
        self._turns.discard()

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
                self._turns.discard()

    @contextmanager
    def _writing(self, root: "DuckDBPyConnection") -> Iterator[DuckDBTransaction]:
        catalog = self._catalog_of(root)
        tx = DuckDBTransaction(root.cursor(), path=self._path, catalog=catalog)
        try:
            yield tx
            tx.commit()
        finally:
            tx.close()
            if tx.broken:
                self._turns.discard()


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
