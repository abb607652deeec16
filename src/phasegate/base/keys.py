"""Keys of documents and ids of messages.

Both derive from names alone, so they are the same at every try. A key is ``kind:scope:name:run`` in ``[a-z0-9._-]``;
ids are keys with dots in place of colons. Pure.
"""

import re
from datetime import date
from typing import NamedTuple

from phasegate.base.receipt import Part
from phasegate.errors import BadInput

WORD = re.compile(r"[a-z0-9][a-z0-9._-]*")
NAME = re.compile(r"[a-z][a-z0-9_]*")
YEARS = (1990, 2100)


class Run(NamedTuple):
    """One date in one mode."""

    date: str
    mode: str

    def __str__(self) -> str:
        return f"{self.date}.{self.mode}"


def parse_run(text: str, /) -> Run:
    """Read ``2026-02-03.overnight``.

    Raises BadInput naming the text and the form expected.

    >>> parse_run("2026-02-03.overnight")
    Run(date='2026-02-03', mode='overnight')
    """
    day, dot, mode = text.partition(".")
    if not dot or not NAME.fullmatch(mode):
        raise BadInput(f"run {text!r}: write DATE.MODE, for example 2026-02-03.overnight")
    return Run(parse_date(day), mode)


def parse_date(text: str, /) -> str:
    """Return an ISO date in its one spelling.

    Raises BadInput for anything else, and for years out of bounds.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"date {text!r}: write YYYY-MM-DD, for example 2026-02-03") from None
    if not YEARS[0] <= day.year <= YEARS[1]:
        raise BadInput(f"date {text!r}: the year must be between {YEARS[0]} and {YEARS[1]}")
    return day.isoformat()


def is_date(text: str, /) -> bool:
    """Return whether ``parse_date`` accepts a text.

    >>> [is_date(text) for text in ("2026-02-03", "2026-02-30")]
    [True, False]
    """
    try:
        parse_date(text)
    except BadInput:
        return False
    return True


def phase_key(pipeline: str, phase: str, *, run: Run) -> str:
    """Return the key of a phase's document.

    >>> phase_key("nba", "analytics", run=Run("2026-02-03", "overnight"))
    'phase:nba:analytics:2026-02-03.overnight'
    """
    return f"phase:{pipeline}:{phase}:{run}"


def phase_of(key: str, /) -> tuple[str, str, Run]:
    """Return pipeline, phase and run of a phase's key."""
    kind, pipeline, phase, run = key.split(":")
    assert kind == "phase", key
    return pipeline, phase, parse_run(run)


def lease_key(warehouse: str, part: Part, /) -> str:
    """Return the key of the lease of one partition.

    It names the resource, not the pipeline: two pipelines exclude each other on one partition.
    """
    return f"lease:{warehouse}:{part.table}:{part.partition}"


def ledger_key(pipeline: str, step: str, month: str) -> str:
    """Return the key of the ledger of a step's dates in one month.

    ``month``: such as ``2026-02``.
    """
    return f"ledger:{pipeline}:{step}:{month}"


def calendar_key(pipeline: str, month: str) -> str:
    """Return the key of the calendar's answers for one month."""
    return f"calendar:{pipeline}:dates:{month}"


def log_key(pipeline: str, step: str, *, run: Run) -> str:
    """Return the key of the log of a step in a run."""
    return f"log:{pipeline}:{step}:{run}"


def mirror_key(pipeline: str, path: str, /) -> str:
    """Return the key of a mirrored document.

    ``path``: where its readers look for it, ``collection/id``.
    """
    collection, _, number = path.partition("/")
    return f"mirror:{pipeline}:{collection}:{number}"


def trigger_id(key: str, generation: int, *, receiver: str) -> str:
    """Return the id of a trigger: the same at every sending."""
    return f"trigger.{key.partition(':')[2].replace(':', '.')}.{generation}.{receiver}"


def parse_trigger(number: str, /) -> tuple[str, str, Run, int, str]:
    """Return pipeline, phase, run, generation and receiver of a trigger's id.

    Raises BadInput.

    >>> parse_trigger("trigger.nba.analytics.2026-02-03.overnight.3.precompute")
    ('nba', 'analytics', Run(date='2026-02-03', mode='overnight'), 3, 'precompute')
    """
    parts = number.split(".", 6)
    if len(parts) != 7 or parts[0] != "trigger" or not parts[5].isdecimal() or len(parts[5]) > 9:
        raise BadInput(f"trigger_id {number!r}: send back the id of the trigger message as it came")
    return parts[1], parts[2], parse_run(f"{parts[3]}.{parts[4]}"), int(parts[5]), parts[6]


def request_id(key: str, step: str, *, number: int) -> str:
    """Return the id of the ``number``-th request of a phase's document.

    It is the same each time the request is sent.
    """
    return f"request.{key.partition(':')[2].replace(':', '.')}.{step}.{number}"
