"""The engines whose SQL a step may be written in, or run on. Pure."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

Engine = Literal["duckdb", "postgresql", "bigquery"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
ENGINE_NAMES: Mapping[Engine, str] = {"duckdb": "DuckDB", "postgresql": "PostgreSQL", "bigquery": "BigQuery"}
PARAMETERS: Mapping[Engine, str] = {"duckdb": "${}", "postgresql": "%({})s", "bigquery": "@{}"}
"""How a client of the engine spells a parameter; psycopg's form wants every other percent sign doubled."""
TableTypes = Mapping[str, Mapping[str, str]]
"""The columns of tables, and their types in DuckDB's words: table -> column -> type, "" if it is not known."""


class Untranslated(NamedTuple):
    """A part of a text that does not translate.

    ``line``: of the text, from 1. ``what``: the construct, and what the engine does with it. ``mend``: what to write.
    """

    line: int
    what: str
    mend: str

    @property
    def text(self) -> str:
        """Return it as one line."""
        return f"line {self.line}: {self.what}; {self.mend}"
