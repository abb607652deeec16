"""A real Prometheus scrapes a service, a worker and a process of one's own; its alerts fire on planted faults."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from phasegate import Fenced, Pipeline, connect, read_plan
from phasegate.errors import Unavailable
from phasegate.observe.metrics import MetricsObserver, serving
from phasegate.web.gauges import Gauges
from tests.support.commands import PLAN, RUN, SQL, Night, StillClock
from tests.support.postgres import HOST, Program, absent, free_port
from tests.support.real_data import ROOT

RULES = ROOT / "deploy" / "prometheus" / "alerts.yaml"
WITHIN_S = 90.0
READY = "Server is ready to receive web requests"
# None of the processes here is on the machine's present date, and none runs for an hour.
AT_ONCE = {"PhasegateDeadLetter", "PhasegateGateOverdue", "PhasegateStaleWriteRefused", "PhasegateStoreAway",
           "PhasegateWorkerBlocked", "PhasegateTargetAway"}  # fmt: skip


@pytest.fixture
def prometheus() -> str:
    found = shutil.which("prometheus", path=os.environ.get("PATH", "") + os.pathsep + "/usr/bin")
    if found is None:
        absent("Prometheus; apt-get install --no-install-recommends prometheus")
    return found


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Night:
    (tmp_path / "night").mkdir()
    return Night.empty(tmp_path / "night", monkeypatch, capsys)


class Away:
    """A store that fails when it is told to."""

    def __init__(self, inner: Any) -> None:
        self._inner, self.fails = inner, False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)

        def call(*given: Any, **named: Any) -> Any:
            if self.fails:
                raise Unavailable("the store is away")
            return found(*given, **named)

        return call if name in ("read", "write", "scan", "due", "next_due") else found


class OwnProcess:
    """A pipeline in a program of the user's, with what it counts and what its documents say at one address."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        folder.mkdir()
        (folder / "plan.toml").write_text(PLAN.replace('"nba"', '"own"', 1))
        (folder / "player_game.sql").write_text(SQL)
        self.clock = StillClock()
        observer = MetricsObserver(read_plan(folder / "plan.toml"))
        opened = connect(
            folder / "plan.toml", state=folder, observer=observer, clock=self.clock,
            wrap=lambda ports: replace(ports, store=Away(ports.store)),
        )  # fmt: skip
        self.pipeline = stack.enter_context(closing(opened))
        observer.registry.register(Gauges(self.pipeline))
        self.url = stack.enter_context(serving(observer, f"{HOST}:0"))

    def write_stale(self) -> None:
        """Let another holder take the lease before a write."""
        with self.pipeline.begin(RUN, step="gamebook") as late:
            at, self.clock.at = self.clock.at, self.clock.at + 120
            self._deliver(self.pipeline)
            self.clock.at = at
            with pytest.raises(Fenced):
                late.write([{"game_date": late.date, "player": "a", "points": 1.0, "updated": 1}])
            late.complete(execution_id="x")

    @staticmethod
    def _deliver(pipeline: Pipeline) -> None:
        with pipeline.begin(RUN, step="gamebook") as step:
            step.write([{"game_date": step.date, "player": "a", "points": 1.0, "updated": 1}])
            step.complete()

    def lose_the_store(self) -> None:
        """Let a worker meet a store that is away, again and again."""
        store: Any = self.pipeline.ports.store
        store.fails = True
        turns = iter(range(6))
        self.pipeline.work(lambda: next(turns, None) is None)


@contextmanager
def ended(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def address(process: "subprocess.Popen[str]", word: str) -> str:
    """Return the host and port that a process says it listens on."""
    assert process.stderr is not None
    for line in process.stderr:
        found = re.search(rf"{word}.*http://([0-9.]+:\d+)", line)
        if found is not None:
            return found[1]
    raise AssertionError("it ended without an address")


def configured(folder: Path, *, token: str, targets: list[str], service: str) -> Path:
    """Write a configuration that scrapes each second, with the rules as they are but without waiting."""
    rules = re.sub(r"^(\s+for: ).*$", r"\g<1>0s", RULES.read_text(), flags=re.MULTILINE)
    (folder / "alerts.yaml").write_text(rules)
    (folder / "token").write_text(token)
    job = {"job_name": "phasegate", "authorization": {"credentials_file": "token"}}
    (folder / "prometheus.yaml").write_text(yaml.safe_dump({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["alerts.yaml"],
        "scrape_configs": [
            {**job, "static_configs": [{"targets": [service]}]},
            {"job_name": "others", "static_configs": [{"targets": targets}],
             "relabel_configs": [{"target_label": "job", "replacement": "phasegate"}]},
        ],
    }))  # fmt: skip
    return folder / "prometheus.yaml"


class Server:
    """A Prometheus with a configuration."""

    def __init__(self, binary: str, configuration: Path, stack: ExitStack) -> None:
        self._url = f"{HOST}:{free_port()}"
        data = configuration.parent / "data"
        data.mkdir()
        command = [binary, f"--config.file={configuration}", f"--storage.tsdb.path={data}",
                   f"--web.listen-address={self._url}"]  # fmt: skip
        program = Program(command, ready=READY, stop=signal.SIGTERM, any_user=True)
        stack.callback(program.end)

    def ask(self, what: str) -> Any:
        with urllib.request.urlopen(f"http://{self._url}/api/v1/{what}", timeout=10) as answer:
            return json.load(answer)["data"]

    def firing(self) -> dict[str, dict[str, str]]:
        """Return the labels of an alert that fires, by its name."""
        return {alert["labels"]["alertname"]: alert["labels"] for alert in self.ask("alerts")["alerts"]
                if alert["state"] == "firing"}  # fmt: skip

    def health(self) -> dict[str, str]:
        return {target["scrapeUrl"]: target["health"] for target in self.ask("targets")["activeTargets"]}

    def wait(self, seen: Callable[[], bool]) -> None:
        until = time.monotonic() + WITHIN_S
        while not seen():
            assert time.monotonic() < until, (self.firing(), self.ask("targets")["activeTargets"])
            time.sleep(0.5)


def test_alerts_fire_on_planted_faults_and_not_before(
    prometheus: str, night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut = 'modes.overnight = { expect = "*", critical = ["gamebook"], deadline = "06:00 +1d" }'
    (night.folder / "plan.toml").write_text(PLAN.replace("[phase.raw]", f"[phase.raw]\n{shut}"))
    (night.folder / "player_game.sql").write_text(SQL.replace("points", "nope"))
    token = night("tokens", "add", "prometheus", "--role", "reader").out.strip()
    with ExitStack() as stack:
        own = OwnProcess(tmp_path / "own", stack)
        service = stack.enter_context(ended(night.start("serve", "--port", "0")))
        at = address(service, "serving")
        monkeypatch.setenv("PHASEGATE_METRICS", f"{HOST}:0")
        worker = stack.enter_context(ended(night.start("worker")))
        folder = tmp_path / "prometheus"
        folder.mkdir()
        targets = [address(worker, "metrics"), own.url.removeprefix("http://").removesuffix("/metrics")]
        server = Server(prometheus, configured(folder, token=token, targets=targets, service=at), stack)
        server.wait(lambda: list(server.health().values()) == ["up"] * 3)
        server.wait(lambda: len(server.ask("query?query=phasegate_up%3D%3D1")["result"]) == 2)
        server.wait(lambda: len(server.ask("query?query=phasegate_sweep_seconds_count%3E1")["result"]) >= 1)
        assert set(server.firing()) & AT_ONCE == set()

        night.clock.at = time.time()  # the service and the worker sweep up a lease of the past
        night.scrape(3)
        for run in (RUN, "2026-02-04.overnight"):
            assert night("complete", "odds", "--run", run, "--rows", "7").code == 0
        own.write_stale()
        server.wait(lambda: {"PhasegateDeadLetter", "PhasegateGateOverdue", "PhasegateStaleWriteRefused"}
                    <= set(server.firing()))  # fmt: skip
        firing = server.firing()
        assert firing["PhasegateDeadLetter"]["kind"] == "request"
        overdue = firing["PhasegateGateOverdue"]
        assert (overdue["pipeline"], overdue["phase"]) == ("nba", "raw")
        assert firing["PhasegateStaleWriteRefused"]["step"] == "gamebook"

        own.lose_the_store()
        server.wait(lambda: {"PhasegateStoreAway", "PhasegateWorkerBlocked"} <= set(server.firing()))
        assert server.firing()["PhasegateStoreAway"]["pipeline"] == "own"
        worker.send_signal(signal.SIGKILL)
        server.wait(lambda: "PhasegateTargetAway" in server.firing())
