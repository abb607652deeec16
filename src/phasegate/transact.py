"""The compare-and-set loop: the only retry loop over a store."""

from typing import TypeVar

from phasegate.base.backoff import contention_s
from phasegate.base.codec import Decision, State, decode, encode
from phasegate.errors import Ambiguous, BadDocument, Conflict, Contended
from phasegate.ports import ReadPorts
from phasegate.store import Doc

TRIES_MAX = 48

S = TypeVar("S", bound=State)
A = TypeVar("A")


def transact(ports: ReadPorts, key: str, *, kind: type[S], decide: Decision[S, A], derived: bool = False) -> A:
    """Apply a pure decision to one document; return its answer.

    The effect is exactly once. ``decide`` may run several times, so it must be pure, and deciding again on its own
    result must change nothing and answer the same: a write whose outcome is unknown is then simply decided again. A
    decision that returns None for a missing document leaves it missing. ``derived``: all of the document can be derived
    again, so that one that cannot be read counts as missing.

    Raises Contended after TRIES_MAX tries, BadDocument when the stored body cannot be understood (it is not
    overwritten), BadInput when the new one could not be, and whatever the decision raises.
    """
    for attempt in range(TRIES_MAX):
        doc = ports.store.read(key)
        old = None if doc is None else read_derived(kind, doc) if derived else decode(kind, doc.body, key=key)
        new, answer = decide(old)
        if new is None or new == old:
            return answer
        body = encode(new, over=None if doc is None or old is None else doc.body)
        try:
            ports.store.write(key, body, due=new.due, expect=None if doc is None else doc.version)
        except (Conflict, Ambiguous):
            ports.clock.sleep(contention_s(key, attempt))
        else:
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
