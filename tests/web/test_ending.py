"""What a signal does to a service, also in the middle of a request. Named pipes keep both sides in step."""

import os
import signal
import time
from collections.abc import Iterator
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.support.commands import RUN, Night
from tests.support.service import WAIT_S, add_callers

STEP = """
[step.slow]
phase = "raw"
python = "web_given_slow:build"
table = "nba_raw.slow"
key = ["day"]
partition = "day"
columns = { day = "DATE" }
"""
MODULE = """
def build(run):
    open("started", "w").close()   # opens when the test reads: both are here
    open("go").read()              # ends when the test has written
    return [{"day": run.date}]
"""
ENDS_S = 10.0
WORKERS_MAX = 10
TTL_S = 1.0


class Process:
    """A service in a process of its own."""

    def __init__(self, night: Night) -> None:
        with night.pipeline() as pipeline:
            self.tokens = add_callers(pipeline)
        self._night, self.answers = night, list[httpx.Response | str]()
        self._client = httpx.Client(verify=False, trust_env=False, timeout=WAIT_S)  # noqa: S501  no TLS on 127.0.0.1
        self.start()

    def close(self) -> None:
        self._client.close()
        self.process.kill()
        self.process.communicate()

    def start(self) -> None:
        self.process = self._night.start("serve", "--port", "0")
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert "serving nba on http://127.0.0.1:" in line
        self.url = line.split()[-1]

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response | str:
        """Return the answer, or the name of the error where there is none."""
        headers = {"Authorization": f"Bearer {self.tokens['operator']}"}
        try:
            return self._client.post(f"{self.url}{path}", json=body, headers=headers)
        except httpx.TransportError as e:
            return type(e).__name__

    def later(self, path: str, body: dict[str, Any]) -> Thread:
        thread = Thread(target=lambda: self.answers.append(self.post(path, body)))
        thread.start()
        return thread

    def wait_until_it_stops(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if "finishing what is in hand" in line:
                return
        raise AssertionError("the service ended without a word")


@pytest.fixture
def process(night: Night, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    monkeypatch.setenv("PHASEGATE_LEASE_TTL_S", f"{TTL_S:g}")
    monkeypatch.setenv("PHASEGATE_HEARTBEAT_S", "0.2")
    (night.folder / "web_given_slow.py").write_text(MODULE)
    for name in ("started", "go"):
        os.mkfifo(night.folder / name)
    with (night.folder / "plan.toml").open("a") as plan:
        plan.write(STEP)
    assert night("begin", RUN).code == 0
    one = Process(night)
    yield one
    one.close()


def slow_request(process: Process, night: Night) -> Thread:
    """Send a request whose step waits; return when it has begun."""
    thread = process.later("/steps/slow/run", {"run": RUN})
    (night.folder / "started").read_text()
    return thread


def test_a_request_in_hand_is_finished_and_no_other_is_begun(process: Process, night: Night) -> None:
    thread = slow_request(process, night)
    process.process.send_signal(signal.SIGTERM)
    process.wait_until_it_stops()
    (night.folder / "go").write_text("")
    thread.join(WAIT_S)
    (answer,) = process.answers
    assert isinstance(answer, httpx.Response)
    assert (answer.status_code, answer.json()["outcome"]) == (200, "accepted")
    assert process.process.wait(ENDS_S) == 0
    assert process.post("/sweep", {}) == "ConnectError"


@pytest.mark.slow
def test_what_does_not_end_in_time_is_not_answered_with_success_and_is_left_to_its_lease(
    process: Process, night: Night
) -> None:
    thread = slow_request(process, night)
    began = time.monotonic()
    process.process.send_signal(signal.SIGTERM)
    thread.join(WAIT_S)
    (answer,) = process.answers
    assert isinstance(answer, httpx.Response)
    assert (answer.status_code, answer.json()["kind"], "retry-after" in answer.headers) == (503, "stopping", True)
    assert process.process.wait(ENDS_S) == 0
    assert time.monotonic() - began < ENDS_S
    as_undisturbed(process, night)


def test_a_second_signal_ends_it_at_once(process: Process, night: Night) -> None:
    thread = slow_request(process, night)
    process.process.send_signal(signal.SIGTERM)
    process.wait_until_it_stops()
    process.process.send_signal(signal.SIGTERM)
    assert process.process.wait(3) == -signal.SIGTERM
    thread.join(WAIT_S)
    (answer,) = process.answers
    assert isinstance(answer, str), "a request that was not finished is not answered"
    as_undisturbed(process, night)


def test_ctrl_c_exits_with_130(process: Process) -> None:
    process.process.send_signal(signal.SIGINT)
    assert process.process.wait(ENDS_S) == 130


def test_a_killed_service_leaves_what_an_undisturbed_one_leaves(process: Process, night: Night) -> None:
    thread = slow_request(process, night)
    process.process.kill()
    thread.join(WAIT_S)
    assert process.answers == ["RemoteProtocolError"]
    as_undisturbed(process, night)


def test_completions_of_a_service_that_is_killed_are_neither_lost_nor_doubled(process: Process, night: Night) -> None:
    bodies = [{"step": "odds", "run": RUN, "execution_id": f"e{n}", "sequence": n, "rows": n} for n in range(1, 25)]
    threads = [process.later("/complete", body) for body in bodies[:12]]
    while not process.answers:
        threads[0].join(0.001)
    process.process.kill()
    for thread in threads:
        thread.join(WAIT_S)
    process.process.communicate()
    process.start()
    again = [process.post("/complete", body) for body in bodies]
    assert all(isinstance(one, httpx.Response) and one.status_code in (200, 409) for one in again), again
    with night.pipeline() as pipeline:
        (raw,) = [view for view in pipeline.views.why(RUN) if view.phase == "raw"]
        (odds,) = [member for member in raw.members if member.name == "odds"]
    assert (odds.rows, odds.state) == (24, "fresh")


def as_undisturbed(process: Process, night: Night) -> None:
    """Work until nothing is left: the step is built once, and its lease is free."""
    process.process.kill()
    process.process.communicate()
    for name in ("started", "go"):
        (night.folder / name).unlink()
        (night.folder / name).write_text("")
    time.sleep(TTL_S)  # a worker that finds the lease held leaves the request until it is sent again
    for _ in range(WORKERS_MAX):
        with night.start("worker", "--until-idle") as worker:
            worker.communicate()
        if holder(night) is None and state_of_slow(night) == "fresh":
            break
    assert holder(night) is None
    assert state_of_slow(night) == "fresh"
    with night.pipeline() as pipeline:
        assert len(pipeline.query("SELECT day FROM nba_raw.slow")) == 1


def state_of_slow(night: Night) -> str:
    with night.pipeline() as pipeline:
        (raw,) = [view for view in pipeline.views.why(RUN) if view.phase == "raw"]
    (slow,) = [member for member in raw.members if member.name == "slow"]
    return slow.state


def holder(night: Night) -> object:
    body = night.documents()["lease:main:nba_raw.slow:2026-02-03"][0]
    assert isinstance(body, dict)
    return body["holder"]
