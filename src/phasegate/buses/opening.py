"""Opens the wake-up that goes with a store."""

from pathlib import Path

from phasegate.buses.wake import Wake, WakeSocket
from phasegate.ports import Clock


def wake_of(store: str, /, *, folder: Path, clock: Clock, poll_s: float, connect_timeout_s: float) -> Wake:
    """Return what wakes the processes that wait on a store at a URL.

    PostgreSQL itself; for another store, sockets in a folder of this machine.
    """
    if store.startswith("postgresql:"):
        from phasegate.buses.postgres import PostgresWake

        return PostgresWake(store, clock=clock, poll_s=poll_s, connect_timeout_s=connect_timeout_s)
    return WakeSocket(folder, clock=clock, poll_s=poll_s)
