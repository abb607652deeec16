"""How a waiting process learns that something was published: a poke, with polling behind it.

A poke is a hint and may be lost; polling bounds what that costs. Nothing here decides or carries a message.
"""

import contextlib
import os
import secrets
import select
import socket
import threading
from pathlib import Path
from typing import Protocol

from phasegate.ports import Clock

POLL_S = 0.25
ENDING = ".sock"


class Wake(Protocol):
    """Pokes everybody who waits."""

    def poke(self) -> None:
        """Wake whoever waits, as far as that is possible. Never raises."""
        ...

    def wait(self, timeout_s: float, /) -> bool:
        """Wait until something may have been published, or until the time is over; return which."""
        ...

    def close(self) -> None:
        """Stop listening; waiting again listens again."""
        ...


class NoWake:
    """Polling alone: waits for ``poll_s`` at most on the given clock. For one process, tests and the simulator."""

    def __init__(self, clock: Clock, *, poll_s: float = POLL_S) -> None:
        self._clock, self._poll_s = clock, poll_s

    def poke(self) -> None:
        """Do nothing: whoever waits looks by itself."""

    def wait(self, timeout_s: float, /) -> bool:
        """Sleep until the next look, or until the time is over; return which."""
        self._clock.sleep(max(0.0, min(timeout_s, self._poll_s)))
        return self._poll_s < timeout_s

    def close(self) -> None:
        """Release nothing."""


class WakeSocket:
    """A datagram socket per waiting process in one folder; ``poke`` writes to all of them.

    The socket is made by the first ``wait``, which returns at once: something may have been published before.
    Where sockets cannot be had (another system, a path beyond the 104 to 108 bytes of an AF_UNIX address, a
    read-only folder), waiting is polling every ``poll_s``, and ``polling_because`` says why.
    """

    def __init__(self, folder: str | os.PathLike[str], *, clock: Clock, poll_s: float = POLL_S) -> None:
        self.folder, self.polling_because = Path(folder), ""
        self._polling, self._poll_s = NoWake(clock, poll_s=poll_s), poll_s
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._path: Path | None = None
        self._pid = 0

    def poke(self) -> None:
        """Wake every process that waits in this folder; remove what dead ones left behind. Never raises."""
        try:
            paths = [path for path in self.folder.iterdir() if path.name.endswith(ENDING)]
            if paths:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                    sender.setblocking(False)
                    for path in paths:
                        _send(sender, path)
        except (OSError, AttributeError):
            # No folder: nobody waits. No sockets here: those who wait are polling.
            return

    def wait(self, timeout_s: float, /) -> bool:
        """Wait for a poke, for the next look at the latest, or until the time is over; return which."""
        with self._lock:
            fresh = not self._is_listening() and self._listen()
            listening = self._socket
        if fresh:
            return True
        if listening is None:
            return self._polling.wait(timeout_s)
        nap_s = max(0.0, min(timeout_s, self._poll_s))
        return _poked(listening, nap_s) or nap_s < timeout_s

    def close(self) -> None:
        """Stop listening, and wake the threads that wait; waiting again listens again."""
        with self._lock:
            listening, path, ours = self._socket, self._path, self._pid == os.getpid()
            self._socket = self._path = None
        if listening is not None and path is not None and ours:
            path.unlink(missing_ok=True)
            # Threads in poll() hear a shutdown; they would not hear a close. (macOS shuts down connected sockets only.)
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()

    def _is_listening(self) -> bool:
        """Tell whether pokes can reach this very process: neither its parent's socket nor one that was removed."""
        return self._path is not None and self._pid == os.getpid() and self._path.exists()

    def _listen(self) -> bool:
        if self.polling_because:
            return False
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        path = self.folder / f"{os.getpid()}-{secrets.token_hex(4)}{ENDING}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        except (OSError, AttributeError) as error:
            self.polling_because = str(error)
            return False
        try:
            listening.bind(str(path))
        except OSError as error:
            listening.close()
            self.polling_because = str(error)
            return False
        listening.setblocking(False)
        self._socket, self._path, self._pid = listening, path, os.getpid()
        return True


def _send(sender: socket.socket, path: Path) -> None:
    try:
        sender.sendto(b"!", str(path))
    except ConnectionRefusedError:
        # A socket file that nobody listens on: its process died.
        path.unlink(missing_ok=True)
    except OSError:
        # Full: it has pokes to read already. Gone, or another user's: its owner polls.
        return


def _poked(listening: socket.socket, timeout_s: float) -> bool:
    """Read one poke only: each of several published messages then wakes one more waiting thread."""
    poller = select.poll()
    poller.register(listening, select.POLLIN)
    if not poller.poll(timeout_s * 1000):
        return False
    try:
        listening.recv(1)
    except BlockingIOError:
        # Another thread took it.
        return True
    except OSError:
        # Closed while waiting.
        return True
    return True
