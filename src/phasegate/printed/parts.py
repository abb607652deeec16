"""Parts that several documents share."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from phasegate.base.findings import Severity, Verdict

Time = Annotated[str, Meta(description="ISO 8601 in UTC.", extra_json_schema={"format": "date-time"})]
Date = Annotated[str, Meta(description="YYYY-MM-DD.", extra_json_schema={"format": "date"})]
Anything = Annotated[object, Meta(extra_json_schema={"description": "Any JSON value."})]


class PrintedJson(msgspec.Struct, frozen=True, kw_only=True):
    """A part of what a command prints, or all of it."""


class CheckedJson(PrintedJson, frozen=True, kw_only=True):
    """One check; its findings are listed elsewhere.

    ``findings`` and ``settling``: how many there are. ``error``: why it could not be evaluated, or empty.
    """

    check: str
    verdict: Verdict
    evaluated: int
    findings: int
    settling: int
    error: str


class FoundJson(PrintedJson, frozen=True, kw_only=True):
    """One finding.

    ``since``: the time of the evidence, null if it is not known. ``command``: what to type.
    """

    code: str
    severity: Severity
    subject: str
    text: str
    since: Time | None
    evidence: Mapping[str, str]
    command: str


class InTablesJson(PrintedJson, frozen=True, kw_only=True):
    """What only the tables show."""

    checks: tuple[CheckedJson, ...]
    findings: tuple[FoundJson, ...]
    settling: tuple[FoundJson, ...]


class UndoneJson(PrintedJson, frozen=True, kw_only=True):
    """What is left undone, and what to type."""

    text: str
    next: str
