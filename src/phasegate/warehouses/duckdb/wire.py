"""Messages between the process that has a DuckDB file open and the others.

A message is a length and a pickle of a fixed list of classes, over a socket beside the file that only the file's own
user may open. Nothing is decided here.
"""

import io
import pickle
import select
import socket
import struct
from contextlib import suppress
from pathlib import Path

from phasegate import warehouse
from phasegate.base.receipt import Fence, Part, Receipt, Staged, Stamp
from phasegate.base.table import Dependency, Difference, Disagreement, Draft, Repeats, Table, Uncovered
from phasegate.errors import BadInput

_LENGTH = struct.Struct(">Q")
_PLAIN = {
    "datetime": {"date", "datetime", "time", "timedelta", "timezone"},
    "decimal": {"Decimal"},
    "msgspec._utils": {"rebuild"},
    "uuid": {"SafeUUID", "UUID"},
}
_OWN = (
    Dependency, Difference, Disagreement, Draft, Fence, Receipt, Repeats, Staged, Stamp, Table, Uncovered,
    warehouse.InputRead, warehouse.SeenInput, warehouse.EqualSums, warehouse.Write, *warehouse.WriteAnswer.__args__,
)  # fmt: skip
# Processes of two versions that send other fields do not serve each other; they take turns.
HELLO = ("phasegate duckdb 3", Part._fields, *((kind.__name__, kind.__struct_fields__) for kind in _OWN))


class Gone(Exception):
    """The other process has closed the connection, or ended."""


class Unsent(Gone):
    """The connection was closed before a message had been sent.

    The other process has no whole message to act on.
    """


class NotServed(Gone):
    """The process that has the file open does not serve this one."""


def socket_of(file: Path) -> Path:
    """Return the path of the socket beside a file."""
    return file.with_name(file.name + ".sock")


class Wire:
    """One connection between two processes.

    ``is_between``: what was sent last is answered, and the connection goes on.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._read = end.makefile("rb")
        self.is_between, self._over = True, False

    def send(self, message: object) -> None:
        """Send a message.

        Raises Unsent, and BadInput for a value that has no form outside its process.
        """
        try:
            body = pickle.dumps(message, protocol=5)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise BadInput(f"a value cannot be sent to the process that has the file open: {error}") from error
        self.is_between = False
        try:
            self._end.sendall(_LENGTH.pack(len(body)) + body)
        except OSError as error:
            raise Unsent from error

    def receive(self) -> object:
        """Wait for a message and return it.

        Raises Gone, and BadInput for a class that is not on the list.
        """
        try:
            head = self._read.read(_LENGTH.size)
            body = self._read.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else b""
        except (OSError, ValueError) as error:
            raise Gone from error
        if not body:
            raise Gone
        self.is_between = not self._over
        return _Unpickler(io.BytesIO(body)).load()

    def arrives(self, timeout_s: float) -> bool:
        """Return whether a message arrives, or the connection ends, in time."""
        poller = select.poll()
        poller.register(self._end, select.POLLIN)
        return bool(poller.poll(timeout_s * 1000))

    @property
    def descriptor(self) -> int:
        """Return the descriptor of the socket, for polling."""
        return self._end.fileno()

    def hang_up(self) -> None:
        """End the connection for both sides, from any thread."""
        self.is_between, self._over = False, True
        with suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Release the connection."""
        self._read.close()
        self._end.close()


class _Unpickler(pickle.Unpickler):
    """Reads the classes of the list only."""

    def find_class(self, module: str, name: str, /) -> object:
        if module.startswith("phasegate.base.") or module == warehouse.__name__ or name in _PLAIN.get(module, ()):
            return super().find_class(module, name)
        raise BadInput(f"a value of {module}.{name} cannot be sent to the process that has the file open")
