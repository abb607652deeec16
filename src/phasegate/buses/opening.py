"""Opens a bus, and the wake-up that goes with its store."""

from pathlib import Path

from phasegate.bus import Bus
from phasegate.buses.local import LocalBus
from phasegate.buses.wake import Wake, WakeSocket
from phasegate.ports import Clock, Observer, ReadPorts


def wake_of(store: str, /, *, folder: Path, clock: Clock, poll_s: float, connect_timeout_s: float) -> Wake:
    """Return what wakes the processes that wait on a store at a URL.

    PostgreSQL itself; for another store, sockets in a folder of this machine.
    """
    if store.startswith("postgresql:"):
        from phasegate.buses.postgres import PostgresWake

        return PostgresWake(store, clock=clock, poll_s=poll_s, connect_timeout_s=connect_timeout_s)
    return WakeSocket(folder, clock=clock, poll_s=poll_s)


def bus_of(
    url: str, /, *, reading: ReadPorts, wake: Wake, pipeline: str, observer: Observer, visibility_s: float
) -> Bus:  # fmt: skip
    """Return the bus at a URL: that in the store, or what carries to it."""
    store, clock = reading.store, reading.clock
    inbox = LocalBus(store, clock, pipeline=pipeline, wake=wake, observer=observer, visibility_s=visibility_s)
    if not url.startswith("pubsub:"):
        return inbox
    from phasegate.buses.pubsub import PubSubBus

    return PubSubBus(url, inbox, pipeline=pipeline, clock=clock)
