"""Bounds a call from outside, whatever goes on inside it: looking up a name, a server that dribbles, a library."""

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(total_s: float, call: Callable[[], T], /) -> T | None:
    """Return what ``call`` returns, None when it takes longer than ``total_s``. It may then still be at work.

    What it raises is raised here. The timeout of a socket is no such bound: it is of one read, and a server that
    sends a byte now and then would hold us for ever.
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
