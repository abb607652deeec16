"""Foreign documents in root collections of a Firestore database.

Compare-and-set on a document's update time, as in stores.firestore. Of collections it yields those of the platform's
completion documents only.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from phasegate.base.exported import Exported
from phasegate.errors import NotFound
from phasegate.foreign import ForeignDoc
from phasegate.gcp.address import FIRESTORE, place_of
from phasegate.gcp.failures import TIMEOUT_S, call_errors, reading, unusable
from phasegate.gcp.firestore import FirestoreClient, meant

if TYPE_CHECKING:
    from collections.abc import Callable

COLLECTIONS = re.compile(r"phase\w*_completion")
ID = "__name__"
PAGE = 300


class FirestoreDocuments:
    """Documents of others in a project's database.

    Each call takes at most ``timeout_s``.
    """

    has_times = True

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """Connect to nothing yet.

        Raises BadInput for a wrong address.
        """
        place = place_of(url, form=FIRESTORE)
        self._what, self._timeout_s = f"firestore://{place.project}/{place.database}", timeout_s
        self._client = FirestoreClient(place, what=self._what)

    def read(self, path: str, /) -> ForeignDoc | None:
        """Return the newest document, or None."""
        place = self._client.opened().document(path)
        found = self._asked(lambda: place.get(retry=reading(self._timeout_s), timeout=self._timeout_s))
        return _doc(path, found) if found.exists else None

    def write(self, path: str, body: Mapping[str, object], /, *, over: ForeignDoc | None) -> None:
        """Replace the whole document if it is still as it was read."""
        from google.api_core.datetime_helpers import DatetimeWithNanoseconds
        from google.cloud.firestore import DELETE_FIELD

        client = self._client.opened()
        place, given = client.document(path), {"retry": None, "timeout": self._timeout_s}
        try:
            if over is None:
                place.create(dict(body), **given)
            else:
                # an update leaves the other fields, and a set knows no condition
                fields = {**dict.fromkeys(over.body, DELETE_FIELD), **body}
                condition = client.write_option(last_update_time=DatetimeWithNanoseconds.from_rfc3339(over.version))
                place.update({client.field_path(name): value for name, value in fields.items()}, condition, **given)
        except call_errors() as error:
            raise meant(error, what=self._what, document=path) from error

    def documents(self, *, first: str = "", last: str = "") -> Iterator[Exported]:
        """Yield the completion documents whose ids begin with these dates.

        Raises NotFound where no collection has the name of one.
        """
        client = self._client.opened()
        retry, timeout_s = reading(self._timeout_s), self._timeout_s
        found = self._asked(lambda: sorted(one.id for one in client.collections(retry=retry, timeout=timeout_s)))
        names = [name for name in found if COLLECTIONS.fullmatch(name)]
        if not names:
            raise NotFound(
                f"{self._what}: no collection phaseN_completion; name the project and database that has them"
            )
        for name in names:
            yield from self._in(client.collection(name), first=first, last=last)

    def _in(self, collection: Any, *, first: str, last: str) -> Iterator[Exported]:
        from google.cloud.firestore import FieldFilter

        query = collection.order_by(ID)
        if first:
            query = query.where(filter=FieldFilter(ID, ">=", collection.document(first)))
        if last:
            query = query.where(filter=FieldFilter(ID, "<=", collection.document(f"{last}~")))
        after = None
        while True:
            asked = (query if after is None else query.start_after(after)).limit(PAGE)
            page = self._page(asked)
            for one in page:
                yield Exported(place=f"{collection.id}/{one.id}", collection=collection.id, id=one.id,
                               body=one.to_dict() or {})  # fmt: skip
            if len(page) < PAGE:
                return
            after = page[-1]

    def close(self) -> None:
        """Release the connections; a later use makes a new client."""
        self._client.close()

    def _page(self, query: Any) -> list[Any]:
        retry, timeout_s = reading(self._timeout_s), self._timeout_s
        return self._asked(lambda: list(query.stream(retry=retry, timeout=timeout_s)))  # type: ignore[no-any-return]

    def _asked(self, ask: "Callable[[], Any]") -> Any:
        try:
            return ask()
        except call_errors() as error:
            raise unusable(error, what=self._what) from error


def _doc(path: str, found: Any) -> ForeignDoc:
    return ForeignDoc(path, str(found.update_time.rfc3339()), found.to_dict() or {})
