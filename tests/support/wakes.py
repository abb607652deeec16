"""What every wake does, and a process that waits for one."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import phasegate
from phasegate.bus import Message
from phasegate.buses.local import LocalBus
from phasegate.buses.wake import Wake
from phasegate.store import Store
from phasegate.system import SystemClock
from tests.support.bus_ports import Recorder

# Far beyond what a test takes: what returns before was woken.
LONG_S = 60.0
RECEIVE = """
import sys
from phasegate.buses.local import LocalBus
from phasegate.observe.counting import CountingObserver
from phasegate.system import SystemClock
{imports}
clock = SystemClock()
wake = {wake}
bus = LocalBus({store}, clock, pipeline="nba", wake=wake, observer=CountingObserver())
assert bus.wait(60.0)
assert not bus.receive(["t"])
print("ready", flush=True)
assert bus.wait(60.0)
print(bus.receive(["t"])[0].message.id, flush=True)
"""


def another_process_is_woken(receive: str, place: str, *, store: Store, wake: Wake) -> None:
    """Assert that a process running ``receive`` on a place gets a message long before it would poll."""
    environment = {**os.environ, "PYTHONPATH": str(Path(phasegate.__file__).parent.parent)}
    with subprocess.Popen(
        [sys.executable, "-c", receive, place], env=environment, stdout=subprocess.PIPE, text=True
    ) as receiver:
        assert receiver.stdout
        assert receiver.stdout.readline() == "ready\n"
        sender = LocalBus(store, SystemClock(), pipeline="nba", wake=wake, observer=Recorder())
        sender.publish(Message("request.1", "t", {}))
        assert receiver.communicate(timeout=120)[0] == "request.1\n"
        sender.close()


def each_poke_wakes_one_more_thread(wake: Wake) -> None:
    """Assert that as many pokes as threads wake all of them."""
    wake.wait(0.0)
    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(wake.wait, LONG_S) for _ in range(4)]
        while not all(one.done() for one in waiting):
            wake.poke()
    assert [one.result() for one in waiting] == [True] * 4


def waiting_ends_with_the_time_or_with_the_next_look(wake: Wake) -> None:
    """Assert it of a wake that polls often."""
    wake.wait(0.0)
    assert wake.wait(LONG_S), "time to look again"
    assert not wake.wait(0.001), "time over"
    wake.close()


def closing_wakes_a_thread_that_waits(wake: Wake) -> None:
    """Assert it, and that a wake can be closed twice."""
    wake.wait(0.0)
    started = threading.Event()

    def wait() -> bool:
        started.set()
        return wake.wait(LONG_S)

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(wait)
        started.wait()
        wake.close()
        assert waiting.result(timeout=60)
    wake.close()
