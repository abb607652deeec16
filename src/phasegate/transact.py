"""The compare-and-set loop: the only retry loop over a store."""

from typing import TypeVar

from phasegate.base.backoff import contention_s
from phasegate.base.codec import Decision, State, decode, encode
from phasegate.errors import Ambiguous, BadDocument, Conflict, Contended
from phasegate.ports import ReadPorts
from phasegate.store import Doc, Store

TRIES_MAX = 48

S = TypeVar("S", bound=State)
A = TypeVar("A")


class AtHand:
    """One document as this action last read or wrote it; nothing at first.

    A decision may begin with it in place of a read: what it changes is compared and set all the same.
    """

    def __init__(self) -> None:
        self._found: tuple[Doc | None] | None = None

    def doc(self, store: Store, key: str) -> Doc | None:
        """Return the document; read it if it is not known."""
        found = self._found
        if found is None:
            found = self._found = (store.read(key),)
        return found[0]

    def put(self, doc: Doc | None) -> None:
        """Remember what was read or written."""
        self._found = (doc,)

    def forget(self) -> None:
        """Read the document again at the next use."""
        self._found = None

    @property
    def is_known(self) -> bool:
        """Return whether the next use reads nothing."""
        return self._found is not None


def transact(
    ports: ReadPorts, key: str, *, kind: type[S], decide: Decision[S, A], derived: bool = False,
    known: AtHand | None = None,
) -> A:  # fmt: skip
    """Apply a pure decision to one document; return its answer.

    The effect is exactly once. ``decide`` may run several times, so it must be pure, and deciding again on its own
    result must change nothing and answer the same: a write whose outcome is unknown is then simply decided again. A
    decision that returns None for a missing document leaves it missing. ``derived``: all of the document can be derived
    again, so that one that cannot be read counts as missing. ``known``: what the caller knows of the document, which is
    tried first; then it holds what is stored. It must have been read or written in the same action.

    Raises Contended after TRIES_MAX tries, BadDocument when the stored body cannot be understood (it is not
    overwritten), BadInput when the new one could not be, and whatever the decision raises.
    """
    known = known or AtHand()
    for attempt in range(TRIES_MAX):
        was_known = known.is_known
        doc = known.doc(ports.store, key)
        old = None if doc is None else read_derived(kind, doc) if derived else decode(kind, doc.body, key=key)
        new, answer = decide(old)
        if new is None or new == old:
            return answer
        body = encode(new, over=None if doc is None or old is None else doc.body)
        try:
            version = ports.store.write(key, body, due=new.due, expect=None if doc is None else doc.version)
        except (Conflict, Ambiguous):
            known.forget()
            if not was_known:  # else it is read now for the first time
                ports.clock.sleep(contention_s(key, attempt))
        else:
            known.put(Doc(key, version, body, new.due))
            return answer
    raise Contended(key, TRIES_MAX)


def read_derived(kind: type[S], doc: Doc) -> S | None:
    """Return a document that can be derived again, None if it cannot be read.

    Raises BadDocument for one that a newer version wrote: that version is still at work.
    """
    try:
        return decode(kind, doc.body, key=doc.key)
    except BadDocument as e:
        if e.newer:
            raise
        return None
