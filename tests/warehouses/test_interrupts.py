"""Ctrl-C in calls into DuckDB: nothing is left running, and no import is cut in two: either can abort."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from functools import partialmethod
from pathlib import Path
from types import FrameType

import pytest

from phasegate.warehouses.duckdb.interrupts import import_whole, interruptible

NAME = "phasegate-query"


@pytest.fixture(autouse=True)
def _slow_to_end() -> Iterator[None]:
    """Make the thread of a query end a moment after its work."""

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "return" and frame.f_code.co_name == "run" and threading.current_thread().name == NAME:
            threading.Event().wait(0.1)

    threading.setprofile(profile)
    yield
    threading.setprofile(None)


def alive() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == NAME]


def test_no_thread_is_left_after_a_result() -> None:
    assert interruptible(lambda: 3, interrupt=lambda: None) == 3
    assert alive() == []


def test_no_thread_is_left_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 // 0, interrupt=lambda: None)
    assert alive() == []


def test_no_thread_is_left_after_ctrl_c() -> None:
    stopped = threading.Event()

    def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert stopped.wait(10)

    with pytest.raises(KeyboardInterrupt):
        interruptible(work, interrupt=stopped.set)
    assert alive() == []


def test_ctrl_c_inside_an_import_takes_effect_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    text = (
        "import os, signal, threading\nos.kill(os.getpid(), signal.SIGINT)\nthreading.Event().wait(0.2)\nwhole = True\n"
    )
    (tmp_path / "interrupted_while_imported.py").write_text(text)
    with pytest.raises(KeyboardInterrupt):
        import_whole("interrupted_while_imported")
    assert sys.modules["interrupted_while_imported"].whole


def test_ctrl_c_while_the_thread_starts_leaves_nothing_running(monkeypatch: pytest.MonkeyPatch) -> None:
    start, calls = threading.Thread.start, list[int]()

    def interrupted(self: threading.Thread, *, begins: bool) -> None:
        if begins:
            start(self)
        raise KeyboardInterrupt

    stopped = threading.Event()
    for begins in (True, False):
        monkeypatch.setattr(threading.Thread, "start", partialmethod(interrupted, begins=begins))
        with pytest.raises(KeyboardInterrupt):
            interruptible(lambda: calls.append(stopped.wait(10)), interrupt=stopped.set)
        assert alive() == []
    assert False not in calls
