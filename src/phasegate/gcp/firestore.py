"""What adapters of Firestore share: the client, what errors mean."""

import os
from typing import TYPE_CHECKING

from phasegate.errors import Ambiguous, BadInput, Conflict, PhasegateError
from phasegate.gcp.address import Place
from phasegate.gcp.failures import code_of, importing, one_line, unusable

if TYPE_CHECKING:
    from google.cloud import firestore

# What a write answers whose condition does not hold. Aborted: too many at once; nothing was written.
_CONFLICTS = ("ALREADY_EXISTS", "ABORTED")
# What a write answers that was refused before it was tried.
_REFUSALS = ("PERMISSION_DENIED", "UNAUTHENTICATED", "RESOURCE_EXHAUSTED")


class FirestoreClient:
    """The client of a database, made at its first use.

    A forked child makes one of its own. ``what``: what it is for, in errors.
    """

    def __init__(self, place: Place, *, what: str) -> None:
        self._place, self._what = place, what
        self._client: firestore.Client | None = None
        self._pid = 0

    def opened(self) -> "firestore.Client":
        """Return the client; raise BadInput, Unavailable."""
        if self._client is None or self._pid != os.getpid():
            with importing(self._what):
                from google.cloud import firestore  # 380 ms, and an extra: only who names a project needs it

                self._client = firestore.Client(project=self._place.project, database=self._place.database)
            self._pid = os.getpid()
        return self._client

    def close(self) -> None:
        """Release the connections; a later use makes a new client."""
        client, self._client = self._client, None
        if client is not None and self._pid == os.getpid():
            client.close()


def meant(error: Exception, /, *, what: str, document: str) -> PhasegateError:
    """Return what the error of a write of a document means for the caller."""
    code, text = code_of(error), one_line(error)
    if code in _CONFLICTS or is_condition(code, text):
        return conflict(document)
    if code == "INVALID_ARGUMENT":
        return BadInput(f"document {document}: {text}")
    if code in (*_REFUSALS, "NOT_FOUND", "FAILED_PRECONDITION") or not code:
        return unusable(error, what=what)
    return Ambiguous(f"{what}: {text}; the write of {document} may or may not have happened: read again")


def is_condition(code: str, text: str, /) -> bool:
    """Return whether a write was refused because its version is not stored.

    FAILED_PRECONDITION for an older one, INVALID_ARGUMENT for one that is later, of another document or of before a
    restore; NOT_FOUND for a document that is missing, but also for a database.
    """
    if code == "NOT_FOUND":
        return not text.startswith("The database")
    return code in ("FAILED_PRECONDITION", "INVALID_ARGUMENT") and "version" in text


def conflict(document: str, /) -> Conflict:
    """Return the error of a document that another writer has changed."""
    return Conflict(f"document {document} changed under us: read it again, decide again")
