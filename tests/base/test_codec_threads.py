"""Threads that decode their first document at once, in processes that have decoded nothing yet."""

import subprocess
import sys
from pathlib import Path

from tests.support.real_data import ROOT

STARTS = 200
CONNECTS = 40  # of 60 starts without protection 13 crashed
FEW = 40  # of 200 unprotected starts 55 crashed
# Calls ``start(number)`` as often as is said, and prints how many crashed. Each is in a process forked for it: what one
# start builds is not there in the next.
STARTED = """
import os, sys, threading

def at_once(work, count):
    sys.setswitchinterval(1e-5)
    together = threading.Barrier(count)

    def begin():
        together.wait()
        work()

    threads = [threading.Thread(target=begin) for _ in range(count)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()

crashed = 0
for number in range(int(sys.argv[1])):
    child = os.fork()
    if not child:
        start(number)
        os._exit(0)
    crashed += os.waitpid(child, 0)[1] != 0
print(crashed)
"""
DECODING = """
import sys
from phasegate.base import codec
from phasegate.gate.phase import Phase

BODY = {"gate": {"members": {"a": {}}, "expect": ["a"]}, "opened_at": 1.0, "looked_at": 1.0,
        "members": {"a": {"result": {"stamp": {"fingerprint": "x"}, "built_from": {}, "at": 1.0}}}}

def start(number):
    if sys.argv[2] == "built":
        codec.build_types()

    def decode():
        for _ in range(50):
            codec.decode(Phase, BODY, key="k")

    at_once(decode, 4)
"""


def crashes(starts: int, *, types: str) -> int:
    """Return how many of the starts crashed."""
    command = [sys.executable, "-c", DECODING + STARTED, str(starts), types]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_threads_that_decode_at_once_do_not_crash_the_process() -> None:
    assert crashes(STARTS, types="built") == 0


def test_the_starts_crash_where_the_types_are_built_by_the_threads() -> None:
    assert crashes(FEW, types="not built") > 0


CONNECTING = """
import sys
import phasegate.buses.local, phasegate.pipeline, phasegate.stores.sqlite, phasegate.warehouses.duckdb
from phasegate import connect, load_plan

PLAN = load_plan('pipeline = "p"\\ntimezone = "UTC"\\n[phase.raw]\\n[step.a]\\nphase = "raw"\\nexternal = true')

def start(number):
    def use():
        pg = connect(PLAN, state=f"{sys.argv[2]}/{number}", log_level="none")
        pg.complete({"step": "a", "run": "2026-02-03.daily", "execution_id": "1"})
        pg.close()

    at_once(use, 8)
"""


def test_threads_that_connect_at_once_do_not_crash_the_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CONNECTING + STARTED, str(CONNECTS), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_every_type_is_built_before_a_pipeline_is_used() -> None:
    assert built("") >= {"Phase", "Lease", "Month", "_Envelope", "TriggerMessage", "Receipt"}
    assert "Incident" not in built("")
    assert "Incident" in built(".views")


def built(asked_for: str) -> set[str]:
    """Return the structs whose types are built when a pipeline is made and something of it is asked for."""
    code = f"""
import msgspec
from phasegate.base import codec
from phasegate.gate.phase import Phase
converted = []
codec.msgspec.convert, right = lambda body, kind: converted.append(kind) or right(body, kind), msgspec.convert
from tests.support.pipelines import shop
shop().pipeline{asked_for}
print(*sorted(kind.__name__ for kind in converted))
"""
    command = [sys.executable, "-c", code]
    return {*subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()}
