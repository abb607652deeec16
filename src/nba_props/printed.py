"""What ``nba-props run --json`` prints, as a type, and its JSON Schema."""

from collections.abc import Mapping
from inspect import cleandoc

import msgspec


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a table."""

    rows: int
    digest: str


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """The firings of a phase: in how many runs, and how often in all."""

    fired: int
    generations: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a replay.

    ``missing_dates`` and ``unknown_dates``: YYYY-MM-DD, only where no date was replayed. ``builds`` and ``seconds``: by
    step.
    """

    dates: int
    games: int
    tables: Mapping[str, Table]
    gates: Mapping[str, Gate]
    duplicates_removed: int
    refused_as_stale: int
    inputs_changed: int
    dead_letters: int
    unsettled: tuple[str, ...]
    drifted: tuple[str, ...]
    missing_dates: tuple[str, ...]
    unknown_dates: tuple[str, ...]
    not_fetched: tuple[str, ...]
    held_back: tuple[str, ...]
    to_check: tuple[str, ...]
    crashes: int
    builds: Mapping[str, int]
    seconds: Mapping[str, float]
    seconds_total: float


def schema() -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of a summary."""
    made = msgspec.json.schema(Summary)
    for part in made["$defs"].values():
        part["description"] = cleandoc(part["description"]).replace("``", "`")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "nba-props run --json"}
    return {**head, **made}
