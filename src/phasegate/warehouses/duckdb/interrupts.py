"""Lets Ctrl-C end a call that blocks inside DuckDB.

Python runs signal handlers in the main thread, between its own instructions: a query that runs there in C would delay
them to its end. So the main thread waits for its queries, which another thread runs. Other threads get no signals. That
thread has ended when the main thread goes on: one that still refers to DuckDB's objects when the interpreter ends can
abort it.
"""

import sys
import threading
from collections.abc import Callable
from importlib import import_module
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
    # Events, not join(): interrupted once, that takes a thread that still runs for one that has ended.
    begun, cancelled, done = threading.Event(), threading.Event(), threading.Event()

    def run() -> None:
        begun.set()
        try:
            if not cancelled.is_set():
                results.append(work())
        except BaseException as e:  # noqa: BLE001  it is raised where the work was asked for
            failures.append(e)
        finally:
            done.set()

    thread = threading.Thread(target=run, name="phasegate-query", daemon=True)
    try:
        thread.start()
        done.wait()
    except BaseException:
        cancelled.set()  # if it has not begun yet, it does nothing
        while begun.is_set() and not done.is_set():
            interrupt()  # again and again: it may have begun its work only now
            done.wait(AGAIN_S)
        raise
    finally:
        if done.is_set():
            thread.join()
    for failure in failures:
        raise failure
    return results[0]


def import_whole(name: str, /) -> None:
    """Import a module; Ctrl-C takes effect after that.

    A KeyboardInterrupt inside the initialization of DuckDB's C++ module aborts the process, or is lost.
    """
    if name not in sys.modules:
        interruptible(lambda: import_module(name), interrupt=lambda: None)
