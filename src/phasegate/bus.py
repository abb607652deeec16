"""The Bus: messages that arrive at least once. Pure."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from phasegate.store import Body


class Message(msgspec.Struct, frozen=True):
    """A message of a bus; its sender uses the same id at every sending."""

    id: str
    topic: str
    body: Body


class Delivery(msgspec.Struct, frozen=True):
    """A message as it was received.

    ``handle`` is for the bus only. ``tries``: the number of this delivery, from 1.
    """

    message: Message
    handle: object
    tries: int


class Bus(Protocol):
    """Messages that arrive at least once, maybe late, twice or out of order."""

    def publish(self, message: Message, /) -> None:
        """Send a message.

        After any error it may or may not be delivered: publish it again, with the same id.
        """
        ...

    def accept(self, message: Message, /) -> None:
        """Take a message that has arrived by another way, such as a push.

        It can be received from here on, and is not carried anywhere. Errors as of ``publish``.
        """
        ...

    def receive(self, topics: Sequence[str], /, *, limit: int = 1) -> Sequence[Delivery]:
        """Return up to ``limit`` messages, without waiting.

        They are hidden from other receivers for the bus's visibility time.
        """
        ...

    def ack(self, delivery: Delivery, /) -> None:
        """Remove a handled message; doing so twice, or too late, is no error."""
        ...

    def postpone(self, delivery: Delivery, /, *, delay_s: float) -> None:
        """Return a message to the bus, to be delivered after ``delay_s``."""
        ...

    def wait(self, timeout_s: float, /) -> bool:
        """Wait for a message for at most ``timeout_s``.

        Return True if one may have been published, False at the timeout.
        """
        ...

    def next_due(self, *, topics: Sequence[str] | None = None) -> float | None:
        """Return when the next message can be received (epoch seconds), or None.

        ``topics``: only messages of these count. A worker must name its own: one due message of another topic, which
        it does not receive, would keep it from ever waiting.
        """
        ...

    def close(self) -> None:
        """Release sockets and connections."""
        ...
