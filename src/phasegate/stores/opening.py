"""Opens the places of foreign documents."""

from phasegate.errors import BadInput
from phasegate.foreign import ForeignDocuments


def foreign_of(url: str, /) -> ForeignDocuments:
    """Return the foreign documents at a URL: in Firestore, or in files.

    Raises BadInput.
    """
    if url.startswith("firestore:"):
        from phasegate.stores.foreign_firestore import FirestoreDocuments

        return FirestoreDocuments(url)
    from pathlib import Path

    from phasegate.stores.foreign_files import FileDocuments

    scheme, slashes, path = url.partition(":///")
    if scheme != "file" or not slashes or not path:
        raise BadInput(f"{scheme}:…: wanted file:///PATH or firestore://PROJECT")
    return FileDocuments(Path(path))


def mirror_of(url: str | None, /, *, store: str) -> ForeignDocuments | None:
    """Return where mirrors are, None for the store itself.

    Without a URL that is the database of a store in Firestore: there old readers look.
    """
    if url is None and not store.startswith("firestore:"):
        return None
    return foreign_of(url or store)
