"""A bus that misbehaves as far as its contract allows, under one seed.

``--faults`` runs a pipeline on it.
"""

import random
from collections.abc import Sequence

from phasegate.bus import Bus, Delivery, Message
from phasegate.errors import BadInput

DELAY_S_MAX = 2.0
REORDERED = 0.5


class FaultyBus:
    """Delivers a message up to ``duplicate`` times, perhaps out of order.

    Both are allowed; messages are out of order with ``reorder``. An acknowledged message may be delivered again within
    ``delay_s_max``; a new one may be postponed once, for a random time, before it is first delivered. The number of
    deliveries of a message is read from the bus, so several processes, each with its own wrapper, stay within
    ``duplicate`` too. The same calls under the same ``rng`` give the same results.
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
        """Publish the message once.

        Copies are made where it is received, so its id stays the same.
        """
        self._bus.publish(message)

    def accept(self, message: Message, /) -> None:
        """Accept the message once."""
        self._bus.accept(message)

    def receive(self, topics: Sequence[str], /, *, limit: int = 1) -> Sequence[Delivery]:
        """Return deliveries in a random order.

        Those that are postponed for now are left out.
        """
        taken = [self._seen(one) for one in self._bus.receive(topics, limit=limit) if not self._puts_back(one)]
        if self._reorder:
            self._rng.shuffle(taken)
        return taken

    def ack(self, delivery: Delivery, /) -> None:
        """Acknowledge the message, or postpone it to be delivered once more.

        The last of ``duplicate`` deliveries is always acknowledged.
        """
        if delivery.tries < self._rng.randint(1, self._duplicate):
            self._bus.postpone(delivery, delay_s=self._delay_s())
            return
        self._put_back.discard(_name(delivery))
        self._bus.ack(delivery)

    def postpone(self, delivery: Delivery, /, *, delay_s: float) -> None:
        """Postpone a message, as asked."""
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
        """Postpone a new message, or not; each at most once."""
        if not self._reorder or delivery.tries > 1:
            return False
        # A first delivery: an entry of this id is of an earlier message, which another process acknowledged.
        self._put_back.discard(_name(delivery))
        if self._rng.random() >= REORDERED:
            return False
        self._put_back.add(_name(delivery))
        self._bus.postpone(delivery, delay_s=self._delay_s())
        return True

    def _seen(self, delivery: Delivery) -> Delivery:
        """Return the delivery with the number of deliveries that were returned."""
        hidden = _name(delivery) in self._put_back
        return Delivery(delivery.message, delivery.handle, delivery.tries - hidden)

    def _delay_s(self) -> float:
        return self._rng.uniform(0.0, self._delay_s_max)


def _name(delivery: Delivery) -> tuple[str, str]:
    return delivery.message.topic, delivery.message.id
