"""Has Pub/Sub refuse to be pulled where it pushes, as Google's own does; its emulator hands out the messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

PUSHED_ONLY = "This method is not supported for this subscription type."


@contextmanager
def refused() -> Iterator[None]:
    """Let every pull of this process be refused within the block."""
    from google.api_core.exceptions import FailedPrecondition
    from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport

    def pull(*_: Any, **__: Any) -> NoReturn:
        raise FailedPrecondition(PUSHED_ONLY)

    real = SubscriberGrpcTransport.pull
    SubscriberGrpcTransport.pull = property(lambda _transport: pull)  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        SubscriberGrpcTransport.pull = real  # type: ignore[method-assign]
