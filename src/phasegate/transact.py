"""The only retry loop over a store in this package."""

from collections.abc import Callable
from typing import TypeVar

from phasegate.base.backoff import contention_s
from phasegate.base.codec import State, decode, encode
from phasegate.errors import Ambiguous, Conflict, Contended
from phasegate.ports import Clock
from phasegate.store import Store

TRIES_MAX = 48

S = TypeVar("S", bound=State)
A = TypeVar("A")
Decide = Callable[[S | None], tuple[S | None, A]]


def transact(store: Store, key: str, *, kind: type[S], decide: Decide[S, A], clock: Clock) -> A:
    """Apply a pure decision to one document, exactly once in effect; return its answer.

    ``decide`` may run several times, so it must be pure, and deciding again on its own result must change
    nothing and answer the same: that makes an unanswered write harmless. A decision that returns None for a
    missing document leaves it missing.

    Raises Contended after TRIES_MAX tries, BadDocument when the stored body cannot be understood (it is not
    overwritten), and whatever the decision raises.
    """
    for attempt in range(TRIES_MAX):
        doc = store.read(key)
        old = None if doc is None else decode(kind, doc.body, key=key)
        new, answer = decide(old)
        if new is None or new == old:
            return answer
        body = encode(new, over=None if doc is None else doc.body)
        try:
            store.write(key, body, due=new.due, expect=None if doc is None else doc.version)
        except (Conflict, Ambiguous):
            clock.sleep(contention_s(key, attempt))
        else:
            return answer
    raise Contended(key, TRIES_MAX)
