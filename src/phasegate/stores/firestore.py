"""A store in one collection of Google's Firestore.

Compare-and-set on a document's update time, one write at a time: never a transaction, whose locks outlive a process
that died, and never a listener. The client is made at the first use.

A document's field ``b`` is the body as JSON; ``due`` and ``p``, the prefixes of the key that end with a colon, answer
what is due; ``w`` is drawn for each write: without it, a write of the same body would keep the update time, and by it
an unanswered write is recognised. Its id is made of the key, so that ids are in the order of keys.
"""

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from phasegate.errors import Ambiguous, PhasegateError
from phasegate.gcp.address import FIRESTORE, place_of
from phasegate.gcp.failures import TIMEOUT_S, call_errors, reading, unusable
from phasegate.gcp.firestore import FirestoreClient, conflict, meant
from phasegate.store import ALL, Body, Doc
from phasegate.stores.rules import check_key, check_limit, checked_due, decode, encode, prefix_end

COLLECTION = "phasegate"
BODY, DUE, PREFIXES, NONCE, ID = "b", "due", "p", "w", "__name__"
# Of a query with array_contains_any.
VALUES_MAX = 30
# Deep enough for all that is asked: message:PIPELINE:TOPIC:
COLONS_MAX = 3
# Where "/" is in the order of texts, after ".~" and before "0"; an id must not have one.
_SLASH = ".\x7f"
_PAGE_FILTERED = 100


class FirestoreStore:
    """Documents in one collection of a project's database.

    Each verb is one call, which takes at most ``timeout_s``. A forked child makes a client of its own.
    """

    def __init__(self, url: str, *, collection: str = COLLECTION, timeout_s: float = TIMEOUT_S) -> None:
        """Connect to nothing yet.

        Raises BadInput for a wrong address.
        """
        self.place = place_of(url, form=FIRESTORE)
        self._name, self._timeout_s = collection, timeout_s
        self._what = f"store firestore://{self.place.project}/{self.place.database}"
        self._client = FirestoreClient(self.place, what=self._what)

    def read(self, key: str, /) -> Doc | None:
        """Return the newest committed document, or None."""
        found = self._found(key)
        return _doc(found) if found.exists else None

    def write(self, key: str, body: Body, /, *, due: float | None, expect: str | None) -> str:
        """Store the body if ``expect`` is its version; see ports.Store."""
        check_key(key)
        nonce = secrets.token_hex(8)
        fields = {
            BODY: encode(key, body).decode(),
            DUE: checked_due(key, due),
            PREFIXES: [] if due is None else prefixes_of(key),
            NONCE: nonce,
        }
        place, given = self._place(key), {"retry": None, "timeout": self._timeout_s}
        condition = None if expect is None else self._condition(key, expect)
        try:
            done = place.create(fields, **given) if condition is None else place.update(fields, condition, **given)
        except call_errors() as error:
            why = meant(error, what=self._what, document=key)
            version = self._unanswered(key, nonce) if isinstance(why, Ambiguous) else None
            if version is None:
                raise why from error
            return version
        return str(done.update_time.rfc3339())

    def delete(self, key: str, /, *, expect: str) -> None:
        """Remove the document if ``expect`` is still its version; see ports.Store."""
        try:
            self._place(key).delete(self._condition(key, expect), retry=None, timeout=self._timeout_s)
        except call_errors() as error:
            raise meant(error, what=self._what, document=key) from error

    def scan(self, prefix: str, /, *, after: str = "", until: str | None = None, limit: int = 100) -> Sequence[Doc]:
        """Return documents by key order; see ports.Store."""
        check_limit(limit)
        query = self._documents.order_by(ID)
        if prefix:
            query = self._where(query, ID, ">=", self._place(prefix))
        if after and after >= prefix:
            query = self._where(query, ID, ">", self._place(after))
        ends = [end for end in (prefix_end(prefix), until) if end is not None]
        if ends:
            query = self._where(query, ID, "<", self._place(min(ends)))
        return [_doc(found) for found in self._page(query.limit(limit))]

    def due(
        self, now: float, /, *, prefixes: Sequence[str] = ALL, after: tuple[float, str] | None = None, limit: int = 100
    ) -> Sequence[Doc]:
        """Return the documents that are due, the oldest first; see ports.Store."""
        check_limit(limit)
        found = list[Doc]()
        for one in self._due(prefixes, now=now, after=after, limit=limit):
            found.append(_doc(one))
            if len(found) == limit:
                break
        return found

    def next_due(self, *, prefixes: Sequence[str] = ALL) -> float | None:
        """Return the earliest ``due``, or None; see ports.Store."""
        first = next(self._due(prefixes, now=None, after=None, limit=1), None)
        return None if first is None else float(first.get(DUE))

    def close(self) -> None:
        """Release the connections; a later use makes a new client."""
        self._client.close()

    def _due(
        self, prefixes: Sequence[str], *, now: float | None, after: tuple[float, str] | None, limit: int
    ) -> Iterator[Any]:
        """Yield what is due, ``limit`` or more in a query.

        Where the prefixes asked for are shorter than the given ones, what has none of these is left out here.
        """
        asked, wanted = asked_for(prefixes), tuple(prefixes)
        if not asked:
            return
        exact = set(asked) == set(wanted)
        size = limit if exact else max(limit, _PAGE_FILTERED)
        query = self._where(self._documents, PREFIXES, "array_contains_any", asked)
        query = self._where(query, DUE, "<=", float("inf") if now is None else now).order_by(DUE).order_by(ID)
        while True:
            page = self._page((query if after is None else query.start_after(self._cursor(after))).limit(size))
            yield from (one for one in page if exact or key_of(one.id).startswith(wanted))
            if len(page) < size:
                return
            after = (page[-1].get(DUE), key_of(page[-1].id))

    def _cursor(self, after: tuple[float, str]) -> dict[str, object]:
        return {DUE: after[0], ID: self._place(after[1])}

    @staticmethod
    def _where(query: Any, field: str, operator: str, value: object) -> Any:
        from google.cloud.firestore import FieldFilter

        return query.where(filter=FieldFilter(field, operator, value))

    def _page(self, query: Any) -> list[Any]:
        try:
            return list(query.stream(retry=reading(self._timeout_s), timeout=self._timeout_s))
        except call_errors() as error:
            raise unusable(error, what=self._what) from error

    def _found(self, key: str) -> Any:
        try:
            return self._place(key).get(retry=reading(self._timeout_s), timeout=self._timeout_s)
        except call_errors() as error:
            raise unusable(error, what=self._what) from error

    def _unanswered(self, key: str, nonce: str) -> str | None:
        """Return the version that a write without an answer has made.

        None if it is not what is stored: it may still come.
        """
        try:
            found = self._found(key)
        except PhasegateError:
            return None
        written = found.exists and (found.to_dict() or {}).get(NONCE) == nonce
        return str(found.update_time.rfc3339()) if written else None

    def _condition(self, key: str, expect: str) -> Any:
        from google.api_core.datetime_helpers import DatetimeWithNanoseconds

        try:
            time = DatetimeWithNanoseconds.from_rfc3339(expect)
        except ValueError:
            raise conflict(key) from None
        return self._client.opened().write_option(last_update_time=time)

    @property
    def _documents(self) -> Any:
        return self._client.opened().collection(self._name)

    def _place(self, key: str) -> Any:
        return self._documents.document(id_of(key))


def id_of(key: str, /) -> str:
    """Return the id of a key's document, in the order of keys.

    No id may be ``.``, ``..`` or ``__x__``: hence its first letter.

    >>> sorted(["a0", "a/b", "a.b"]) == sorted(["a0", "a/b", "a.b"], key=id_of) and "/" not in id_of("a/b")
    True
    """
    return "k" + key.replace("/", _SLASH)


def key_of(name: str, /) -> str:
    """Return the key of an id.

    >>> key_of(id_of("lease:main:a/b"))
    'lease:main:a/b'
    """
    return name[1:].replace(_SLASH, "/")


def prefixes_of(key: str, /) -> list[str]:
    """Return the prefixes that a document of this key is found by.

    >>> prefixes_of("phase:nba:raw:2026-02-03.overnight:shard")
    ['', 'phase:', 'phase:nba:', 'phase:nba:raw:']
    """
    words = key.split(":")[:-1][:COLONS_MAX]
    return ["", *("".join(f"{word}:" for word in words[: end + 1]) for end in range(len(words)))]


def asked_for(prefixes: Sequence[str], /) -> list[str]:
    """Return what one query asks for: each given prefix begins with one.

    They end with a colon, and are at most VALUES_MAX: too many are shortened, the longest first.

    >>> asked_for(["message:nba:raw.requests:", "message:nba:nightly"])
    ['message:nba:', 'message:nba:raw.requests:']
    """
    asked = {prefixes_of(prefix)[-1] for prefix in prefixes}
    for colons in range(COLONS_MAX, 0, -1):
        if len(asked) <= VALUES_MAX:
            break
        asked = {prefixes_of(one[:-1])[-1] if one.count(":") == colons else one for one in asked}
    return sorted(asked)


def _doc(found: Any) -> Doc:
    fields = found.to_dict() or {}
    body, due, key = fields.get(BODY), fields.get(DUE), key_of(found.id)
    text = body if isinstance(body, str) else f"field {BODY} is no text: {body!r}"
    return Doc(key, str(found.update_time.rfc3339()), decode(text), None if due is None else float(due))
