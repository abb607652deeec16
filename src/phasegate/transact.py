"""The compare-and-set loop: the only retry loop over a store."""

from typing import TypeVar

from phasegate.base.backoff import contention_s
from phasegate.base.codec import Decision, State, decode, encode
from phasegate.errors import Ambiguous, Conflict, Contended
from phasegate.ports import ReadPorts

TRIES_MAX = 48

S = TypeVar("S", bound=State)
A = TypeVar("A")


def transact(ports: ReadPorts, key: str, *, kind: type[S], decide: Decision[S, A]) -> A:
    """Apply a pure decision to one document; return its answer.

    The effect is exactly once. ``decide`` may run several times, so it must be pure, and deciding again on its own
    result must change nothing and answer the same: a write whose outcome is unknown is then simply decided again. A
    decision that returns None for a missing document leaves it missing.

    Raises Contended after TRIES_MAX tries, BadDocument when the stored body cannot be understood (it is not
    overwritten), and whatever the decision raises.
    """
    for attempt in range(TRIES_MAX):
        doc = ports.store.read(key)
        old = None if doc is None else decode(kind, doc.body, key=key)
        new, answer = decide(old)
        if new is None or new == old:
            return answer
        body = encode(new, over=None if doc is None else doc.body)
        try:
            ports.store.write(key, body, due=new.due, expect=None if doc is None else doc.version)
        except (Conflict, Ambiguous):
            ports.clock.sleep(contention_s(key, attempt))
        else:
            return answer
    raise Contended(key, TRIES_MAX)
