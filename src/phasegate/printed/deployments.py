"""The documents of the commands about a deployment."""

from collections.abc import Mapping

from phasegate.base.findings import Severity
from phasegate.printed.parts import CheckedJson, PrintedJson


class FaultJson(PrintedJson, frozen=True, kw_only=True):
    """One thing that is wrong with a deployment.

    ``place``: file and line of the manifest, or where it was read. ``mend``: what to change, or to type.
    """

    code: str
    severity: Severity
    subject: str
    place: str
    text: str
    mend: str


class JudgedJson(PrintedJson, frozen=True, kw_only=True):
    """What was checked of a deployment, and what is wrong.

    ``state``: what the manifest was compared with, null for a check of the manifest alone.
    """

    manifest: str
    state: str | None
    checks: tuple[CheckedJson, ...]
    faults: tuple[FaultJson, ...]


class RenderedJson(PrintedJson, frozen=True, kw_only=True):
    """The files that were written.

    ``kept``: by service, the variables of the live one that the manifest does not name.
    """

    manifest: str
    folder: str
    files: tuple[str, ...]
    build: str | None
    kept: Mapping[str, tuple[str, ...]]


class StateCommandJson(PrintedJson, frozen=True, kw_only=True):
    """A command that reads a part of the state, and the file that records it."""

    file: str
    command: str


class StateCommandsJson(PrintedJson, frozen=True, kw_only=True):
    """The commands that read the state of a project; they change nothing."""

    manifest: str
    commands: tuple[StateCommandJson, ...]
