"""How waiting processes are woken after a publication.

A wake-up is a hint and may be lost; polling bounds the delay that this costs. Nothing here decides or carries a
message.
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
    """Wakes all waiting processes."""

    def poke(self) -> None:
        """Wake the processes that wait, as far as possible; never raise."""
        ...

    def wait(self, timeout_s: float, /) -> bool:
        """Wait for a wake-up, or until the timeout.

        Return whether something may have been published.
        """
        ...

    def close(self) -> None:
        """Stop listening; a later ``wait`` listens again."""
        ...


class NoWake:
    """Polling alone, for one process, tests and the simulator.

    Waits for at most ``poll_s`` on the given clock.
    """

    def __init__(self, clock: Clock, *, poll_s: float = POLL_S) -> None:
        self._clock, self._poll_s = clock, poll_s

    def poke(self) -> None:
        """Do nothing: waiting processes poll."""

    def wait(self, timeout_s: float, /) -> bool:
        """Sleep until the next poll, or until the timeout.

        Return whether something may have been published.
        """
        self._clock.sleep(max(0.0, min(timeout_s, self._poll_s)))
        return self._poll_s < timeout_s

    def close(self) -> None:
        """Release nothing."""


class WakeSocket:
    """A datagram socket per waiting process, all in one folder.

    ``poke`` writes to all of them. The first ``wait`` creates the socket and returns at once, because something may
    have been published before. Where no socket can be created (another system, a path beyond the 104 to 108 bytes of an
    AF_UNIX address, a read-only folder), waiting polls every ``poll_s``, and ``polling_because`` has the reason.
    """

    def __init__(self, folder: str | os.PathLike[str], *, clock: Clock, poll_s: float = POLL_S) -> None:
        self.folder, self.polling_because = Path(folder), ""
        self._polling, self._poll_s = NoWake(clock, poll_s=poll_s), poll_s
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._path: Path | None = None
        self._pid = 0

    def poke(self) -> None:
        """Wake every process that waits in this folder; never raise.

        Removes the sockets of processes that have ended.
        """
        try:
            paths = [path for path in self.folder.iterdir() if path.name.endswith(ENDING)]
            if paths:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                    sender.setblocking(False)
                    for path in paths:
                        _send(sender, path)
        except (OSError, AttributeError):
            # No folder: no process waits. No sockets on this system: waiting processes poll.
            return

    def wait(self, timeout_s: float, /) -> bool:
        """Wait for a wake-up, the next poll or the timeout.

        Return whether something may have been published.
        """
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
        """Stop listening, and wake waiting threads; ``wait`` listens again."""
        with self._lock:
            listening, path, ours = self._socket, self._path, self._pid == os.getpid()
            self._socket = self._path = None
        if listening is not None and path is not None and ours:
            path.unlink(missing_ok=True)
            # A shutdown wakes threads in poll(); a close would not. (macOS shuts down connected sockets only.)
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()

    def _is_listening(self) -> bool:
        """Return whether wake-ups reach this process.

        False for the socket of its parent process, and for one that was removed.
        """
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
        # A socket file without a listener: its process has ended.
        path.unlink(missing_ok=True)
    except OSError:
        # Full: it has wake-ups to read already. Gone, or another user's: its owner polls.
        return


def _poked(listening: socket.socket, timeout_s: float) -> bool:
    """Read one wake-up, if one arrives in time; return whether it did.

    Only one: each of several published messages then wakes one more waiting thread.
    """
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
