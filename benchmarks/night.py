"""The night of 3 February 2026 on the cloud's own parts, and the same messages through the old hand-off.

Run: python -m benchmarks night. The entry points of deploy/gcp run as they are deployed: the orchestrator under
functions-framework, two instances of the processors' service, whose clocks are 18 seconds apart, and the monitor, which
a scheduler calls. Documents are in Google's emulator of Firestore, messages are pushed by that of Pub/Sub, each three
times, and the tables are in local-bigquery. The gamebooks of two games come at once, those of all ten eight hours
later; then the instance that builds player_game_summary is killed. A second writer reports what a processor has
already reported. The box scores are invented, the counts are those of the night.

--quick: the tables are in a DuckDB file. Exits with 1 if anything is not as it must be.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.disturbed import settled_in
from benchmarks.night_services import (
    BIN,
    SWEEP_EVERY_S,
    Front,
    Service,
    call,
    function,
    repeated,
    run_service,
)
from benchmarks.night_watch import Watch, old_handoff
from benchmarks.servers import NoServer
from nba_props import PLATFORM_PLAN
from nba_props.raw import RawRow
from nba_props.sources.batches import restamp, split_games
from nba_props.sources.synthetic import THE_NIGHT, SyntheticSource
from phasegate import Pipeline, SystemClock, connect, read_plan
from tests.support.bigquery import PROJECT, bigquery_server
from tests.support.deployed import pulled
from tests.support.google import FIRESTORE, PUBSUB, emulator, new_project
from tests.support.real_data import ROOT

RUN = f"{THE_NIGHT}.overnight"
EARLY_GAMES, ROWS = 2, 348
EARLY = datetime(2026, 2, 4, 2, 30, tzinfo=UTC)
LATE_BY, APART_S = timedelta(hours=8), 18
HEARTBEAT_S = 2
SETTLED_S = 240.0
PUSHED = {"nba.completions": "orchestrator", "nba-phase3-trigger": "analytics", "nba-phase3-requests": "analytics"}
KILLED_AT, PHASE4, SHOTS = "player_game_summary", "player_daily_cache", "nbac_shot_chart"
COMMANDS = ("bin/maintenance/reconcile_phase3_completion.py --days 7", "bin/monitoring/phase3_health_check.sh")


class OneNight(SyntheticSource):
    """The night alone: no other date has games."""

    def dates(self, first: date, last: date) -> list[date]:
        """Return the night's date, if it is between the two."""
        return [day for day in super().dates(first, last) if day == THE_NIGHT]


class NightClock(SystemClock):
    """The clock that the night's processes have: the machine's, and what a file says."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(EARLY)

    def now(self) -> float:
        """Return epoch seconds."""
        return super().now() + float(self._file.read_text())

    def set(self, moment: datetime) -> None:
        """Let it be this moment now."""
        aside = self._file.with_suffix(".new")
        aside.write_text(repr(moment.timestamp() - time.time()))
        aside.replace(self._file)

    def skip(self, seconds: float) -> None:
        """Move on."""
        self.set(datetime.fromtimestamp(self.now() + seconds, UTC))


class Night:
    """The services of one night, and what is done to them."""

    def __init__(self, folder: Path, *, env: Mapping[str, str], clock: NightClock, pipeline: Pipeline) -> None:
        self.folder, self._env, self.clock, self.pipeline = folder, env, clock, pipeline
        self.front, self.killed = Front(self._second_writer), ""
        self.second: list[str] = []
        self._ahead_s = 0
        self.front.instances["orchestrator"] = [self._start("orchestrator")]
        self.front.instances["analytics"] = [self._start("analytics"), self._start("analytics", ahead_s=APART_S)]
        self._monitor = self._start("monitor")
        for one in [*self.services, self._monitor]:
            one.ready()
        self._token = self.command("phasegate tokens add scheduler --role operator")[1].strip()

    @property
    def services(self) -> list[Service]:
        """Return what is pushed to."""
        return [one for instances in self.front.instances.values() for one in instances]

    def _second_writer(self, body: Mapping[str, object]) -> None:
        """Report what a processor reports, before its own message arrives."""
        self.second.append(self.pipeline.complete(body, where="second writer").outcome)

    def _start(self, name: str, *, ahead_s: int = 0) -> Service:
        command = function("phase3_to_phase4", target="orchestrate") if name == "orchestrator" else run_service(name)
        where = ROOT / "deploy" / "gcp" / name
        env = {**self._env, "NIGHT_AHEAD_S": str(ahead_s)}
        log = self.folder / f"{name}-{ahead_s}.log"
        return Service(command, folder=where if where.is_dir() else self.folder, log=log, env=env)

    def command(self, text: str) -> tuple[int, str]:
        """Run a command in the night's folder; return its exit code and what it printed."""
        env = {**os.environ, **self._env, "PATH": f"{BIN}:{os.environ['PATH']}"}
        done = subprocess.run(text.split(), cwd=self.folder, env=env, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout or done.stderr

    def sweep(self) -> None:
        """Call the monitor, as Cloud Scheduler does every minute."""
        status, answer = call(self._monitor, "/sweep", token=self._token)
        if status not in (200, 429, 503):
            raise RuntimeError(f"/sweep was answered with {status}: {answer.decode(errors='replace')[:500]}")

    def bring(self, rows: Mapping[str, list[RawRow]]) -> None:
        """Write raw tables and report them in the platform's form, as its scrapers do."""
        for step, batch in rows.items():
            with self.pipeline.begin(RUN, step=step) as begun:
                receipt = begun.write(batch)
                begun.complete()
            body = {
                "processor_name": f"{step.title().replace('_', '')}Processor", "phase": "phase_2_raw",
                "execution_id": receipt.write_id, "game_date": str(THE_NIGHT), "status": "success",
                "record_count": receipt.rows, "timestamp": datetime.fromtimestamp(self.clock.now(), UTC).isoformat(),
            }  # fmt: skip
            self.pipeline.publish(body, number=f"raw.{receipt.write_id}")

    def kill_in_the_middle(self) -> None:
        """Kill the instance that holds KILLED_AT, and start another in its place."""
        instances = self.front.instances["analytics"]
        for one in instances:
            list(one.events())
        ends = time.monotonic() + SETTLED_S
        while time.monotonic() < ends:
            for number, one in enumerate(instances):
                begun = [e for e in one.events() if e.get("event") == "attempt begun" and e.get("step") == KILLED_AT]
                if begun:
                    one.kill()
                    self.killed = f"token {begun[0].get('token')}"
                    instances[number] = self._start("analytics", ahead_s=APART_S * number)
                    instances[number].ready()
                    self.clock.skip(90)  # its lease has expired, and its request is sent again
                    return
            time.sleep(0.01)
        raise RuntimeError(f"no instance began {KILLED_AT}")

    def settle(self, generation: int) -> None:
        """Wait until phase 4 has ended on a generation of phase 3."""
        ends = time.monotonic() + SETTLED_S
        while time.monotonic() < ends:
            views = {view.phase: view for view in self.pipeline.views.why(RUN)}
            last = views.get("precompute")
            if last and last.inputs.get("analytics") == generation and last.state == "complete":
                return
            time.sleep(0.1)
        raise RuntimeError(f"generation {generation} did not settle:\n{self.command(f'phasegate why {RUN}')[1]}")

    def close(self) -> None:
        """End the services."""
        self.front.close()
        for one in [*self.services, self._monitor]:
            one.end()


@contextmanager
def cloud(folder: Path, *, quick: bool) -> Iterator[tuple[dict[str, str], NightClock]]:
    """Start the emulators; give the environment of the night's processes, and their clock.

    Raises NoServer.
    """
    with ExitStack() as stack:
        try:
            hosts = {one.variable: stack.enter_context(emulator(one)) for one in (FIRESTORE, PUBSUB)}
            if not quick:
                hosts["BIGQUERY_EMULATOR_HOST"] = stack.enter_context(bigquery_server({}))
        except pytest.skip.Exception as missing:
            raise NoServer(str(missing)) from None
        except pytest.fail.Exception as missing:
            sys.exit(str(missing))
        project = new_project()
        env = {
            **hosts,
            "PHASEGATE_STATE": str(folder / "state"),
            "PHASEGATE_PLAN": str(folder / "plan.toml"),
            "PHASEGATE_STORE": f"firestore://{project}",
            "PHASEGATE_BUS": f"pubsub://{project}",
            "PHASEGATE_HEARTBEAT_S": str(HEARTBEAT_S),
            "PHASEGATE_LOG_LEVEL": "all",
            "PHASEGATE_LOG_FORMAT": "json",
            "NBA_DATA": "benchmarks.night:OneNight",
            "NIGHT_CLOCK": str(folder / "clock"),
            "PYTHONPATH": f"{ROOT / 'benchmarks' / 'shifted'}:{ROOT}",
        }
        if not quick:
            env["PHASEGATE_WAREHOUSE"] = f"bigquery://{PROJECT}/phasegate"
        (folder / "plan.toml").write_text(plan_text(), encoding="utf-8")
        yield env, NightClock(folder / "clock")


def plan_text() -> str:
    """Return the platform's plan as it was then.

    What the schedule lists was not waited for. Of phase 4 one step is enough to see what it was handed; it needs no
    shots.
    """
    text = PLATFORM_PLAN.read_text(encoding="utf-8").replace('sql = "sql/', f'sql = "{PLATFORM_PLAN.parent}/sql/')
    head, *steps = re.split(r"(?m)^(?=\[step\.\w+(?:\.\w+)?\]$)", text)
    left_out = {name for name, step in read_plan(PLATFORM_PLAN).steps.items() if step.phase == "precompute"}
    left_out = left_out - {PHASE4} | {SHOTS}
    kept = [step for step in steps if re.split(r"[.\]]", step)[1] not in left_out]
    return "\n".join(line for line in "".join([head, *kept]).splitlines() if not line.startswith("covers = "))


def subscribe(project: str, front: Front) -> None:
    """Have Pub/Sub push the topics to the services."""
    from google.pubsub_v1 import PushConfig, SubscriberClient

    subscriber = SubscriberClient()
    for topic, name in PUSHED.items():
        subscriber.create_subscription(
            request={
                "name": subscriber.subscription_path(project, f"push.{topic}"),
                "topic": f"projects/{project}/topics/{topic}",
                "push_config": PushConfig(push_endpoint=f"{front.url}/{name}"),
                "ack_deadline_seconds": 600,
            }
        )
    subscriber.transport.close()


def batches() -> tuple[dict[str, list[RawRow]], dict[str, list[RawRow]]]:
    """Return what comes at once, and what comes eight hours later."""
    source = OneNight()
    early, late = split_games(source.batch(THE_NIGHT), early=EARLY_GAMES)
    early = restamp(early, at=EARLY - timedelta(minutes=10))
    tables = {
        "nbac_schedule": source.schedule(THE_NIGHT, THE_NIGHT),
        "odds_api_player_points_props": source.props(THE_NIGHT),
        "nbac_gamebook_player_stats": early,
    }
    return tables, {"nbac_gamebook_player_stats": [*early, *restamp(late, at=EARLY + LATE_BY)]}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks night")
    parser.add_argument("--quick", action="store_true", help="the tables in a DuckDB file")
    given = parser.parse_args(argv)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="night") as folder:
        watch = play(Path(folder), quick=given.quick)
    print(f"{time.monotonic() - began:.0f} s")
    if watch.wrong:
        sys.exit("\n".join(watch.wrong))


def play(folder: Path, *, quick: bool) -> Watch:
    """Play the night and print it; return what was seen."""
    with ExitStack() as stack:
        env, clock = stack.enter_context(cloud(folder, quick=quick))
        stack.enter_context(settled_in_all(env))
        pipeline = stack.enter_context(closing(connect(clock=clock, log_level="none")))
        project = env["PHASEGATE_STORE"].rpartition("/")[2]
        init = [str(BIN / "phasegate"), "init", "--bus", env["PHASEGATE_BUS"]]
        made = subprocess.run(init, capture_output=True, check=True, cwd=folder)
        print(f"{len(made.stdout.splitlines())} topics and subscriptions")
        pipeline.ask_calendar("2026-01")  # it is known for weeks
        phase4 = stack.enter_context(pulled(project, "nba-phase4-trigger"))
        watch = stack.enter_context(closing(Watch(pipeline, project=project, run=RUN, phase4=phase4)))
        night = Night(folder, env=env, clock=clock, pipeline=pipeline)
        stack.callback(night.close)
        subscribe(project, night.front)
        played(night, watch)
        with ThreadPoolExecutor(len(COMMANDS)) as pool:  # both read all tables, one by one
            done = dict(zip(COMMANDS, pool.map(lambda text: night.command(f"{ROOT}/{text}"), COMMANDS), strict=True))
        watch.judge(done, killed=night.killed)
        watch.count(night.front.delivered, second=night.second)
        watch.show(old_handoff(night.front.delivered))
    return watch


def played(night: Night, watch: Watch) -> None:
    """Let the gamebooks come, those of two games and then all, and kill an instance in the middle."""
    early, late = batches()
    with repeated(night.sweep, every_s=SWEEP_EVERY_S), repeated(watch.look, every_s=0.1):
        night.bring(early)
        night.settle(1)
        watch.changed()
        night.clock.set(EARLY + LATE_BY)
        night.bring(late)
        night.kill_in_the_middle()
        night.settle(2)
        watch.changed()
    night.clock.skip(600)  # what is younger than some minutes is no finding yet


@contextmanager
def settled_in_all(env: Mapping[str, str]) -> Iterator[None]:
    """Set the environment of the night for the block."""
    with settled_in():
        os.environ.update({name: value for name, value in env.items() if name != "NIGHT_CLOCK"})
        yield
