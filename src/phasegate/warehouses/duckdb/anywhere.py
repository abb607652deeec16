"""A staging in this process, or in the one that has the DuckDB file open."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol, Self

from phasegate.base.receipt import Staged, Stamp
from phasegate.base.table import Table
from phasegate.errors import Unavailable
from phasegate.warehouse import InputRead, Params, Row, Write, WriteAnswer


@dataclass(frozen=True)
class StagingSource:
    """What is staged: the rows of a SELECT, or these rows."""

    table: Table
    reads: Sequence[InputRead]
    sql: str | None
    params: Params
    rows: Sequence[Row]


class StagingVerbs(Protocol):
    """The verbs of a staging, in their order."""

    def open(self, reads: Sequence[InputRead], /) -> list[dict[str, Stamp]]:
        """Return the stamps of the reads."""
        ...

    def fill_query(self, sql: str, params: Params, /) -> Staged:
        """Stage the rows of a SELECT."""
        ...

    def fill_rows(self, rows: Sequence[Row], /) -> Staged:
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
