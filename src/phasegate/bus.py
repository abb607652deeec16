"""The Bus: messages that arrive at least once. Pure: a contract and its values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from phasegate.store import Body


@dataclass(frozen=True, slots=True)
class Message:
    """What a bus carries. The id is the sender's and the same at every sending."""

    id: str
    topic: str
    body: Body


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message handed out; ``handle`` is the bus's own, ``tries`` counts deliveries of it (1: the first)."""

    message: Message
    handle: object
    tries: int


class Bus(Protocol):
    """At-least-once messages. Late, twice, out of order: all allowed."""

    def publish(self, message: Message, /) -> None:
        """Hand the message over. On any error it may or may not be delivered: publish it again, same id."""
        ...

    def receive(self, topics: Sequence[str], /, *, limit: int = 1) -> Sequence[Delivery]:
        """Return up to ``limit`` messages, hidden from others for the bus's visibility time; do not wait."""
        ...

    def ack(self, delivery: Delivery, /) -> None:
        """Forget a message that was handled. Acknowledging twice, or too late, is no error."""
        ...

    def postpone(self, delivery: Delivery, /, *, delay_s: float) -> None:
        """Give a message back, to be delivered again after ``delay_s``."""
        ...

    def wait(self, timeout_s: float, /) -> bool:
        """Wait until something may have been published, or until the time is over; return which."""
        ...

    def next_due(self, *, topics: Sequence[str] | None = None) -> float | None:
        """Return when the next message can be received (epoch seconds), or None when the bus is empty.

        With ``topics``, of these only: a worker that waits for messages which nobody takes would never wait at all.
        """
        ...

    def close(self) -> None:
        """Release sockets and connections."""
        ...
