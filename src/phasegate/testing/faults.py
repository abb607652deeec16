"""Ports that misbehave as far as their contract allows, under one seed: what ``--faults`` runs a pipeline on."""

import random
from collections.abc import Sequence

from phasegate.bus import Bus, Delivery, Message
from phasegate.errors import BadInput

DELAY_S_MAX = 2.0
REORDERED = 0.5


class FaultyBus:
    """Delivers each message up to ``duplicate`` times and, with ``reorder``, out of order: both are allowed.

    An acknowledged message may be kept and come again within ``delay_s_max``; a new one may be put back once for
    a random time before anybody sees it. How often a message has come is read from the bus, so several processes,
    each with a wrapper of its own, keep to ``duplicate`` too. The same calls under the same ``rng`` answer the same.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        rng: random.Random,
        duplicate: int = 1,
        reorder: bool = False,
        delay_s_max: float = DELAY_S_MAX,
    ) -> None:
        if duplicate < 1:
            raise BadInput(f"duplicate={duplicate}: each message is delivered at least once; use 1 or more")
        self._bus, self._rng, self._duplicate, self._reorder = bus, rng, duplicate, reorder
        self._delay_s_max = delay_s_max
        self._put_back: set[tuple[str, str]] = set()

    def publish(self, message: Message, /) -> None:
        """Hand the message over, once: copies are made where it is received, so its id stays the same."""
        self._bus.publish(message)

    def receive(self, topics: Sequence[str], /, *, limit: int = 1) -> Sequence[Delivery]:
        """Return deliveries in a random order, without those that are put back for now."""
        taken = [self._seen(one) for one in self._bus.receive(topics, limit=limit) if not self._puts_back(one)]
        if self._reorder:
            self._rng.shuffle(taken)
        return taken

    def ack(self, delivery: Delivery, /) -> None:
        """Forget the message, or keep it to deliver it once more; the last of ``duplicate`` deliveries is the last."""
        if delivery.tries < self._rng.randint(1, self._duplicate):
            self._bus.postpone(delivery, delay_s=self._delay_s())
            return
        self._put_back.discard(_name(delivery))
        self._bus.ack(delivery)

    def postpone(self, delivery: Delivery, /, *, delay_s: float) -> None:
        """Give a message back, as asked."""
        self._bus.postpone(delivery, delay_s=delay_s)

    def wait(self, timeout_s: float, /) -> bool:
        """Wait as the bus does."""
        return self._bus.wait(timeout_s)

    def close(self) -> None:
        """Close the bus."""
        self._bus.close()

    def next_due(self, *, topics: Sequence[str] | None = None) -> float | None:
        """Return when the next message can be received, copies included."""
        return self._bus.next_due(topics=topics)

    def _puts_back(self, delivery: Delivery) -> bool:
        """Put a new message back, or not; each at most once."""
        if not self._reorder or delivery.tries > 1:
            return False
        # A first delivery: what we remember of this id is of a message that another process acknowledged.
        self._put_back.discard(_name(delivery))
        if self._rng.random() >= REORDERED:
            return False
        self._put_back.add(_name(delivery))
        self._bus.postpone(delivery, delay_s=self._delay_s())
        return True

    def _seen(self, delivery: Delivery) -> Delivery:
        """Count only the deliveries that somebody saw."""
        hidden = _name(delivery) in self._put_back
        return Delivery(delivery.message, delivery.handle, delivery.tries - hidden)

    def _delay_s(self) -> float:
        return self._rng.uniform(0.0, self._delay_s_max)


def _name(delivery: Delivery) -> tuple[str, str]:
    return delivery.message.topic, delivery.message.id
