"""A DuckDB file as one process opens it, shared by its threads."""

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from phasegate.base.receipt import Part
from phasegate.base.table import Difference, Draft, Table
from phasegate.errors import NotFound
from phasegate.warehouse import Params
from phasegate.warehouses.duckdb import errors
from phasegate.warehouses.duckdb.interrupts import import_whole
from phasegate.warehouses.duckdb.owner import Owner
from phasegate.warehouses.duckdb.session import WRITES, Catalog, DuckDBSession
from phasegate.warehouses.duckdb.staging import OWN, SQL, DuckDBStaging, reader_of
from phasegate.warehouses.duckdb.turns import Turns
from phasegate.warehouses.duckdb.wire import socket_of
from phasegate.warehouses.sql.cells import check_shape
from phasegate.warehouses.sql.reader import SqlReader
from phasegate.warehouses.sql.transaction import SqlTransaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LOCK_TIMEOUT_S = 60.0


class DuckDBFile:
    """The file as this process opens it, shared by its threads."""

    def __init__(self, path: Path, *, lock_timeout_s: float, hold_ms: float) -> None:
        self._path = path
        self.openings = 0
        # Two threads creating the same table would conflict; processes never have the file open together.
        self._creating = threading.Lock()
        self._prepared_in: DuckDBPyConnection | None = None
        self._prepared: set[Part] = set()
        self._shaped: set[str] = set()
        self._known_in: DuckDBPyConnection | None = None
        self._catalog = Catalog()
        self._reshaping = False
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
            return connect(self._path)
        except BaseException:
            self.owner.stop()
            raise

    def _close(self, root: "DuckDBPyConnection") -> None:
        self.owner.stop()
        root.close()

    def prepare(
        self, draft: Draft, /, *, partition: str, store_id: str, params: Params, beside: Collection[str] = ()
    ) -> None:
        """Create schema, tables, fence rows and the table itself, where absent.

        What was found while this process has the file open is not checked again: no other process can remove it. The
        fence rows of a partition are created together: a commit for each is 14 of the 30 that a date of the reference
        pipeline takes.

        Raises BadInput, with the table's name, when it cannot be guarded or its shape is not given.
        """
        table, part = draft.table, Part(draft.table.name, partition)
        with self.turns.use() as root:
            if self._prepared_in is not root:
                self._prepared_in, self._prepared, self._shaped = root, set(), set()
            prepared, shaped = self._prepared, self._shaped
            if part in prepared:
                return
            if table.name not in shaped:
                with self._reading(root) as reader:
                    if reader.is_prepared(part):
                        check_shape(table, reader.types_of(table))
                        shaped.add(table.name)
                        prepared.add(part)
                        return
            names = {table.name, *(name for name in beside if name in shaped)}
            with self._creating, self._writing(root) as tx:
                if table.name not in shaped:
                    tx.create(table, sql=draft.sql or None, params=params)
                tx.add_fences(names, partition=partition, store_id=store_id)
            shaped.add(table.name)
            prepared.update(Part(name, partition) for name in names)

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
    def staging(self, table: Table, /, *, partition: str, version_max: float) -> Iterator[DuckDBStaging]:
        """Open a staging, which is filled and committed by its verbs."""
        with self.turns.use() as root:
            catalog = partial(self._catalog_of, root)
            staging = DuckDBStaging(root.cursor(), path=self._path, catalog=catalog, table=table,
                                    partition=partition, version_max=version_max)  # fmt: skip
            try:
                yield staging
            finally:
                staging.session.close()
                if staging.session.broken:
                    self.turns.discard()

    @contextmanager
    def snapshot(self) -> Iterator[SqlReader]:
        """Open a read-only snapshot."""
        with self.turns.use() as root, self._reading(root) as reader:
            yield reader

    def change_fence(self, part: Part, /, *, token: int, store_id: str, holders: Sequence[str]) -> bool:
        """Change a fence row, and nothing else; return whether."""
        with self.turns.use() as root, self._writing(root) as tx:
            return tx.change_fence(part, token=token, store_id=store_id, holders=holders)

    def adopt(self, parts: Iterable[Part] | None, /, *, store_id: str, holder: str) -> dict[Part, int]:
        """Write our store id into the existing fence rows; return their tokens.

        ``parts`` None: into all.
        """
        with self.turns.use() as root, self._writing(root) as tx:
            return tx.adopt(parts, store_id=store_id, holder=holder)

    def reshape(self, table: Table, change: Difference, /, *, columns: Mapping[str, str], store_id: str) -> bool:
        """Change the columns and the recorded key; see ``Warehouse.reshape``."""
        with self.turns.use() as root, self._creating:
            self._reshaping = True
            try:
                with self._writing(root) as tx:
                    if not tx.reshape(table, change, columns=columns, store_id=store_id):
                        raise _ForeignFence
            except _ForeignFence:
                return False
            finally:
                self._known_in, self._reshaping = None, False
        return True

    def _catalog_of(self, root: "DuckDBPyConnection") -> Catalog:
        """Return what was found since the file was last opened.

        Before that, another process may have changed it. While columns are changed, none is shared.
        """
        if self._reshaping:
            return Catalog()
        if self._known_in is not root:
            self._catalog = Catalog()
            self._known_in = root
        return self._catalog

    @contextmanager
    def _reading(self, root: "DuckDBPyConnection") -> Iterator[SqlReader]:
        session = DuckDBSession(root.cursor(), path=self._path, catalog=self._catalog_of(root))
        try:
            yield reader_of(session)
        finally:
            session.close()
            if session.broken:
                self.turns.discard()

    @contextmanager
    def _writing(self, root: "DuckDBPyConnection") -> Iterator[SqlTransaction]:
        session = DuckDBSession(root.cursor(), path=self._path, catalog=self._catalog_of(root), mode=WRITES)
        try:
            yield SqlTransaction(session, sql=SQL, own_sql=OWN)
            session.commit()
        finally:
            session.close()
            if session.broken:
                self.turns.discard()


class _ForeignFence(Exception):
    """A fence of the table is of another store."""


@contextmanager
def empty() -> Iterator[SqlReader]:
    """Open a snapshot of a warehouse without tables."""
    with (
        closing(connect(None)) as root,
        closing(DuckDBSession(root.cursor(), path=Path(":memory:"), catalog=Catalog())) as session,
    ):
        yield reader_of(session)


@contextmanager
def read_only(path: Path, /) -> Iterator[SqlReader]:
    """Open a snapshot of a foreign file without changing a byte of it.

    A file that Phasegate writes to is locked against its writers; beside any other file nothing is created.

    Raises NotFound, Unavailable.
    """
    if not path.is_file():
        raise NotFound(f"{path}: there is no such file; name the DuckDB file of your tables")
    if all(path.with_name(path.name + suffix).exists() for suffix in (".lock", ".turn")):
        turns = Turns(path, lock_timeout_s=LOCK_TIMEOUT_S, hold_s=0, close_thing=lambda root: root.close(),
                      open_thing=lambda: connect(path, read_only=True))  # fmt: skip
        with turns.use() as root, closing(DuckDBSession(root.cursor(), path=path, catalog=Catalog())) as session:
            yield reader_of(session)
    else:
        with (
            closing(connect(path, read_only=True)) as root,
            closing(DuckDBSession(root.cursor(), path=path, catalog=Catalog())) as session,
        ):
            yield reader_of(session)


def connect(path: Path | None, *, read_only: bool = False) -> "DuckDBPyConnection":
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
