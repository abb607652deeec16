"""What the shared row logic needs of an engine."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from phasegate.warehouse import Params, Row
from phasegate.warehouses.sql.dialect import Types

Bound = Mapping[str, object]


class ReadingSession(Protocol):
    """A connection inside a snapshot.

    A text names its parameters as ``$name``; values are bound. ``what`` names a statement in the text of its error.
    After the first error, and after an interrupt, every statement raises it again.
    """

    def run(self, sql: str, bound: Bound | None = None, /, *, what: str) -> list[tuple[Any, ...]]:
        """Run a SELECT and return its rows."""
        ...

    def has(self, name: str, /) -> bool:
        """Return whether a table exists."""
        ...

    def columns(self, name: str, /) -> Types:
        """Return all columns of a table and their types; {} for a missing one."""
        ...

    def select(self, sql: str, params: Params, /, *, what: str, why: str = "") -> tuple[str, dict[str, object]]:
        """Return the text of one SELECT that can be a subquery.

        With the parameters that it names. Raises BadInput for any other text.
        """
        ...

    def query(self, text: str, bound: Bound, /, *, what: str) -> list[dict[str, object]]:
        """Return the rows of a SELECT as dicts; zoned timestamps are in UTC."""
        ...

    def interrupt(self) -> None:
        """Stop a running statement, from any thread."""
        ...


class Session(ReadingSession, Protocol):
    """A connection inside a snapshot-isolated transaction that writes."""

    def change(self, sql: str, bound: Bound | None = None, /, *, what: str) -> int:
        """Run any other statement and return how many rows it changed."""
        ...

    def describe(self, text: str, bound: Bound, /, *, what: str) -> dict[str, str]:
        """Return the columns of a SELECT and their types."""
        ...

    def keep(self, name: str, text: str, bound: Bound, /, *, what: str) -> int:
        """Store the rows of a SELECT as a staging table; return how many.

        No other session sees them, and they are there until the session's connection is released.
        """
        ...

    def load(self, rows: Iterable[Row], types: Types, /, *, what: str) -> tuple[str, Bound]:
        """Return a SELECT of given rows, and its parameters.

        The rows are checked as they are read; the cells have these types.
        """
        ...

    def stage_name(self, kind: str, /) -> str:
        """Return a name for a staging table that no other use has."""
        ...
