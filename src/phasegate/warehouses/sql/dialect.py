"""What the SQL on guarded tables asks of an engine: how it spells names, cells, digests. A module can be a dialect."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from phasegate.base.table import Table

Types = Mapping[str, str]


class Dialect(Protocol):
    """The spelling of one engine; base.fingerprint defines the texts."""

    def quoted(self, name: str, /) -> str:
        """Return an identifier in quotes."""

    def reference(self, name: str, /) -> str:
        """Return the quoted full name of a table. Raises BadInput for a name that the engine cannot have."""

    def text(self, cell: str, sql_type: str, /, *, scale: int) -> str:
        """Return the SQL of a cell's canonical text. Raises BadInput for a type that has none."""

    def double_texts(self, cells: Iterable[str], /, *, scale: int) -> str:
        """Return the SQL of a list of the canonical texts of DOUBLE cells."""

    def digest(self, table: Table, types: Types, /, *, alias: str, floats: Mapping[int, str] | None = None) -> str:
        """Return the SQL of the SHA-256, in hex, of a row's canonical text.

        ``floats`` names a list that holds the texts of the DOUBLE columns of a scale already, as ``doubles`` orders
        them.
        """

    def piece(self, digest: str, number: int, /) -> str:
        """Return the SQL of the digest's piece of this number, from 0, in a type whose sums hold 2^63."""

    def inside(self, table: Table, types: Types, /, *, alias: str = "t") -> str:
        """Return the condition that a row is in the partition ``$partition``, by the text of its partition column."""


def doubles(table: Table, types: Types, /) -> dict[int, list[str]]:
    """Return the DOUBLE columns by their scale."""
    by_scale: dict[int, list[str]] = {}
    for column, sql_type in types.items():
        if sql_type == "DOUBLE":
            by_scale.setdefault(table.scale(column), []).append(column)
    return by_scale
