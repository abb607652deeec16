"""Lets Ctrl-C end a call that blocks inside DuckDB.

Python runs signal handlers in the main thread, between its own instructions: a query that runs there in C would delay
them to its end. So the main thread waits for its queries, which another thread runs. Other threads get no signals.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
AGAIN_S = 0.1


def interruptible(work: Callable[[], T], /, *, interrupt: Callable[[], None]) -> T:
    """Do some work and return its result; whatever ends the wait ends it.

    ``interrupt`` makes the work stop. A second signal does not wait for that.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as e:  # noqa: BLE001  it is raised where the work was asked for
            failures.append(e)
        finally:
            done.set()

    done = threading.Event()  # not join(): interrupted once, it takes a thread that still runs for one that has ended
    threading.Thread(target=run, name="phasegate-query", daemon=True).start()
    try:
        done.wait()
    except BaseException:
        interrupt()
        while not done.wait(AGAIN_S):  # it may not have begun when it was interrupted
            interrupt()
        raise
    for failure in failures:
        raise failure
    return results[0]
