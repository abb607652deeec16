"""A bound on the time of any call: name lookups, slow servers, libraries."""

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(total_s: float, call: Callable[[], T], /) -> T | None:
    """Return the result of ``call``, or None after ``total_s``.

    The call may then still be running. What it raises is raised here. A socket's timeout is no such bound: it is of one
    read, and a server that sends a byte now and then would block for ever.
    """
    results: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            results.put((call(), None))
        except BaseException as e:  # noqa: BLE001  it is raised again where the caller waits
            results.put((None, e))

    threading.Thread(target=run, name="phasegate-alert", daemon=True).start()
    try:
        result, error = results.get(timeout=total_s)
    except queue.Empty:
        return None
    if error is not None:
        raise error
    return result
