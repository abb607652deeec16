"""What ``nba-props`` prints with ``--json``, as types with a schema."""

from collections.abc import Mapping
from inspect import cleandoc
from typing import Final

import msgspec

from nba_props.witness.printed import WitnessedBoxes, WitnessedBySecond


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


# A command with several types prints one of them, as its options say.
PRINTED: Final[Mapping[str, tuple[type[msgspec.Struct], ...]]] = {
    "run": (Summary,),
    "witness": (WitnessedBoxes, WitnessedBySecond),
}


def schema(command: str, /) -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of what a command prints."""
    (*choices,), parts = msgspec.json.schema_components(PRINTED[command], ref_template="#/$defs/{name}")
    for part in parts.values():
        part["description"] = cleandoc(part["description"]).replace("``", "`")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"nba-props {command} --json"}
    return {**head, **(choices[0] if len(choices) == 1 else {"anyOf": choices}), "$defs": parts}
