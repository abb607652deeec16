"""The documents of the command that compares builds."""

from phasegate.base.findings import Verdict
from phasegate.printed.parts import CheckedJson, FoundJson, PrintedJson, Time


class CommitJson(PrintedJson, frozen=True, kw_only=True):
    """A commit of the repository."""

    id: str
    subject: str


class ServiceJson(PrintedJson, frozen=True, kw_only=True):
    """How a service stands.

    ``service``: empty for builds that name none. ``build``: what served last, ``commit`` its id in the repository, and
    ``place`` where that is recorded; empty if unknown. ``served_at``: null if nothing names a build. ``deployed``: the
    build that was deployed last, empty if unknown. ``behind``: how many desired commits it lacks, of which ``touching``
    change what it is made of; ``ahead``: how many of its commits are not desired. ``commits``: the first 50 of
    ``touching``.
    """

    service: str
    verdict: Verdict
    build: str
    commit: str
    dirty: bool
    served_at: Time | None
    place: str
    deployed: str
    behind: int
    touching: int
    ahead: int
    commits: tuple[CommitJson, ...]


class DriftJson(PrintedJson, frozen=True, kw_only=True):
    """The code that serves, compared with the code that is desired.

    ``desired`` as it was given, ``commit`` its id. ``others``: services that documents name, and the manifest does not.
    """

    pipeline: str
    now: Time
    desired: str
    commit: str
    services: tuple[ServiceJson, ...]
    others: tuple[str, ...]
    checks: tuple[CheckedJson, ...]
    findings: tuple[FoundJson, ...]


class StampJson(PrintedJson, frozen=True, kw_only=True):
    """The build of the working tree, to deploy a service with.

    ``source``: the folder that is deployed, empty if the manifest names none.
    """

    service: str
    build: str
    dirty: bool
    source: str
