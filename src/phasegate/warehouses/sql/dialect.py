"""The Dialect: how an engine spells names, types, cells and digests.

A module can be a dialect.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from phasegate.base.table import Table

Types = Mapping[str, str]


class Dialect(Protocol):
    """The spelling of one engine; base.fingerprint defines the texts."""

    def quoted(self, name: str, /) -> str:
        """Return an identifier in quotes."""

    def reference(self, name: str, /) -> str:
        """Return the quoted full name of a table.

        Raises BadInput for a name that the engine cannot have.
        """

    def type_of(self, declared: str, /) -> str:
        """Return a type of a plan, or of our own tables, in the engine's words."""

    def text(self, cell: str, sql_type: str, /, *, scale: int) -> str:
        """Return the SQL of a cell's canonical text, ordered by code points.

        Raises BadInput for a type that has none.
        """

    def row_hash(self, table: Table, types: Types, /, *, alias: str) -> str:
        """Return the SQL of the SHA-256, in hex, of a row's canonical text."""

    def piece(self, digest: str, number: int, /) -> str:
        """Return the SQL of the digest's piece of this number, from 0.

        Its type is one whose sums hold 2^63.
        """

    def is_not_finite(self, cell: str, /) -> str:
        """Return the condition that a float is NaN or infinite."""

    def try_cast(self, text: str, sql_type: str, /) -> str:
        """Return the SQL of a text as a value of this type, NULL if it is none."""

    def as_one(self, cells: Iterable[str], /) -> str:
        """Return the SQL of one value that is equal if all cells are.

        A NULL is equal to a NULL.
        """
