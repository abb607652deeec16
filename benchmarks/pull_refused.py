"""Has Pub/Sub refuse to be pulled where it pushes, as Google's own does; its emulator hands out the messages."""

from typing import Any, NoReturn

PUSHED_ONLY = "This method is not supported for this subscription type."


def refuse() -> None:
    """Let every pull of this process be refused from now on."""
    from google.api_core.exceptions import FailedPrecondition
    from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport

    def pull(*_: Any, **__: Any) -> NoReturn:
        raise FailedPrecondition(PUSHED_ONLY)

    SubscriberGrpcTransport.pull = property(lambda _transport: pull)  # type: ignore[assignment,method-assign]
