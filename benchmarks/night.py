"""The night of 3 February 2026 as it is deployed, and the same messages through the old hand-off.

Run: python -m benchmarks night. Nothing of the deployment is written here: deploy/gcp/manifest.toml, for a project of
this run's own, is rendered by `phasegate deploy render`, and what Terraform would make of it is made. Topics and
subscriptions are in Google's emulator of Pub/Sub, which pushes. Each service is started by the command of its Procfile
with the rendered variables, those that are pushed to twice, 18 seconds apart. A front plays Cloud Run: it lets in whom
the rendered rights let in. A stubbed issuer signs the tokens of pushes and of the scheduler's jobs, which are called as
they are rendered. What an operator types once is taken from docs/how-to/deploy.md. Documents are in Google's emulator
of Firestore, the tables in local-bigquery.

Each push is delivered three times. The gamebooks of two games come at once, those of all ten eight hours later; then
the instance that builds player_game_summary is killed. A second writer reports what a processor has already reported.
The box scores are invented, the counts are those of the night.

--quick: the tables are in a DuckDB file. Exits with 1 if anything is not as it must be.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.disturbed import settled_in
from benchmarks.id_tokens import Issuer
from benchmarks.night_google import Front, Scheduler, create_messages, strangers
from benchmarks.night_services import BIN, SWEEP_EVERY_S, Service, command_of, repeated
from benchmarks.night_watch import Watch, old_handoff
from benchmarks.rendered import SERVICE, Rendered
from benchmarks.servers import NoServer
from nba_props import PLATFORM_PLAN
from nba_props.raw import RawRow
from nba_props.sources.batches import restamp, split_games
from nba_props.sources.synthetic import THE_NIGHT, SyntheticSource
from phasegate import Pipeline, SystemClock, connect, read_plan
from tests.support.bigquery import bigquery_server
from tests.support.deployed import pulled
from tests.support.google import FIRESTORE, PUBSUB, emulator, new_project
from tests.support.real_data import ROOT

RUN = f"{THE_NIGHT}.overnight"
EARLY_GAMES, ROWS = 2, 348
EARLY = datetime(2026, 2, 4, 2, 30, tzinfo=UTC)
LATE_BY, APART_S = timedelta(hours=8), 18
HEARTBEAT_S = 2
SETTLED_S = 240.0
MANIFEST, PAGE, BUILD = ROOT / "deploy" / "gcp" / "manifest.toml", ROOT / "docs" / "how-to" / "deploy.md", "4f2c9e1"
TYPED_ONCE = "Then make what Phasegate makes itself"
OF_THE_PLATFORM = "nba-props-prod"
BASH = shutil.which("bash") or "bash"
OURS = ("PHASEGATE_", "NBA_", "NIGHT_")
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

    def __init__(
        self, folder: Path, *, rendered: Rendered, front: Front, stand_ins: Mapping[str, str], clock: NightClock
    ) -> None:
        self.folder, self.front, self.clock, self.killed = folder, front, clock, ""
        self.scheduler = Scheduler(rendered, front.issuer)
        self.second: list[str] = []
        self._stand_ins, self._started, self._failed = stand_ins, 0, ""
        self._specs = {one["name"]: one for one in rendered.all(SERVICE)}
        self._sources = {
            name: ROOT / one["source"] for name, one in tomllib.loads(MANIFEST.read_text())["service"].items()
        }
        front.apply(rendered)

    def start(self, pipeline: Pipeline) -> None:
        """Start all services: two instances of those that are pushed to, if they may have as many."""
        self.pipeline, self.front.second_writer = pipeline, self._second_writer
        for name, spec in self._specs.items():
            many = min(2, spec["template"]["scaling"]["max_instance_count"]) if name in self.front.pushed_to else 1
            self.front.instances[name] = [self._start(name, ahead_s=APART_S * number) for number in range(many)]
        for one in self.services:
            one.ready()

    @property
    def services(self) -> list[Service]:
        """Return all instances."""
        return [one for instances in self.front.instances.values() for one in instances]

    def _second_writer(self, body: Mapping[str, object]) -> None:
        """Report what a processor reports, before its own message arrives."""
        self.second.append(self.pipeline.complete(body, where="second writer").outcome)

    def _start(self, name: str, *, ahead_s: int = 0) -> Service:
        """Start an instance in a folder of its own, as a container has it."""
        self._started += 1
        where = self.folder / f"{name}.{self._started}"
        shutil.copytree(self._sources[name], where)
        (container,) = self._specs[name]["template"]["containers"]
        env = {**machine(), **{one["name"]: one["value"] for one in container["env"]}, **self._stand_ins,
               "K_SERVICE": name, "NIGHT_AHEAD_S": str(ahead_s)}  # fmt: skip
        return Service(command_of(where), folder=where, log=self.folder / f"{where.name}.log", env=env)

    def command(self, text: str) -> tuple[int, str]:
        """Run a command in the night's folder; return its exit code and what it printed."""
        done = subprocess.run(
            text.split(), cwd=self.folder, env={**os.environ, "NIGHT_CLOCK": self._stand_ins["NIGHT_CLOCK"]},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout or done.stderr

    def every_minute(self) -> None:
        """Run the jobs that Cloud Scheduler runs each minute."""
        for job in self.scheduler.every_minute:
            answer = self.scheduler.run(job)
            if answer.status not in (200, 429, 503):
                self._failed = f"job {job['name']} was answered with {answer}"
                raise RuntimeError(self._failed)

    def daily(self) -> Iterator[str]:
        """Run the other jobs; yield what is wrong."""
        for job in self.scheduler.daily:
            answer = self.scheduler.run(job)
            print(f"job {job['name']}: {answer.status}")
            if answer.status != 200:
                yield f"job {job['name']} was answered with {answer}"

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
        for one in self.services:
            list(one.events())
        ends = time.monotonic() + SETTLED_S
        while time.monotonic() < ends:
            for name, instances in self.front.instances.items():
                for number, one in enumerate(instances):
                    begun = [
                        e for e in one.events() if e.get("event") == "attempt begun" and e.get("step") == KILLED_AT
                    ]
                    if begun:
                        one.kill()
                        self.killed = f"token {begun[0].get('token')}"
                        instances[number] = self._start(name, ahead_s=APART_S * number)
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
            if self._failed:
                raise RuntimeError(self._failed)
            time.sleep(0.1)
        raise RuntimeError(f"generation {generation} did not settle:\n{self.command(f'phasegate why {RUN}')[1]}")

    def close(self) -> None:
        """End the services."""
        for one in self.services:
            one.end()


@contextmanager
def cloud(folder: Path, *, quick: bool) -> Iterator[dict[str, str]]:
    """Start the emulators; give what stands in for the cloud in the environment of every process.

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
        (folder / "plan.toml").write_text(plan_text(), encoding="utf-8")
        tables = {"PHASEGATE_WAREHOUSE": f"duckdb:///{folder / 'tables.duckdb'}"} if quick else {}
        yield {
            **hosts,
            **tables,
            "PHASEGATE_STATE": str(folder / "state"),
            "PHASEGATE_HEARTBEAT_S": str(HEARTBEAT_S),
            "PHASEGATE_LOG_LEVEL": "all",
            "NBA_DATA": "benchmarks.night:OneNight",
            "NIGHT_CLOCK": str(folder / "clock"),
            "NIGHT_PLAN": str(folder / "plan.toml"),
            "PYTHONPATH": f"{ROOT / 'benchmarks' / 'shifted'}:{ROOT}",
        }


def machine() -> dict[str, str]:
    """Return the environment of this machine, without what is ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


def rendered_for(project: str, *, folder: Path, front: Front) -> Rendered:
    """Render the manifest of the platform for another project, as a team would."""
    manifest, out = folder / "manifest.toml", folder / "infra"
    manifest.write_text(MANIFEST.read_text(encoding="utf-8").replace(OF_THE_PLATFORM, project), encoding="utf-8")
    command = [str(BIN / "phasegate"), "deploy", "render", "--manifest", str(manifest), "--first", "--out", str(out),
               "--build", BUILD]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, cwd=folder, env=machine())
    return Rendered(out, front=front.url)


def typed_once(project: str, *, stand_ins: Mapping[str, str]) -> str:
    """Type what the page of the deployment says after the first `apply`; return what it printed."""
    block = PAGE.read_text(encoding="utf-8").partition(TYPED_ONCE)[2].partition("$ ")[2].partition("```")[0]
    script = "set -eu\n" + block.replace("\n$ ", "\n").replace(OF_THE_PLATFORM, project)
    script = script.replace("src/nba_props/platform.toml", stand_ins["NIGHT_PLAN"])
    if tables := stand_ins.get("PHASEGATE_WAREHOUSE"):
        script = re.sub(r"(PHASEGATE_WAREHOUSE=)\S+", rf"\1{tables}", script)
        script = re.sub(r"(?m)^phasegate init --warehouse .*$", "", script)  # a file is made by the first write
    env = {**machine(), **stand_ins, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run([BASH, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{PAGE.name}: its commands end with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


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
        stand_ins = stack.enter_context(cloud(folder, quick=quick))
        clock, project = NightClock(folder / "clock"), new_project()
        front = Front(Issuer(now=clock.now))
        stack.callback(front.close)
        rendered = rendered_for(project, folder=folder, front=front)
        print("made as rendered: {} topics, {} subscriptions".format(*create_messages(rendered)))
        said = typed_once(project, stand_ins=stand_ins)
        night = Night(folder, rendered=rendered, front=front, stand_ins=stand_ins, clock=clock)
        stack.enter_context(settled_in_all(rendered, stand_ins))
        pipeline = stack.enter_context(closing(connect(clock=clock, log_level="none")))
        pipeline.ask_calendar("2026-01")  # it is known for weeks
        phase4 = stack.enter_context(pulled(project, "nba-phase4-trigger"))
        watch = stack.enter_context(closing(Watch(pipeline, project=project, run=RUN, phase4=phase4)))
        watch.wrong += [
            f"{PAGE.name}: {line}" for line in said.splitlines() if re.match("(topic|subscription) .*: created", line)
        ]
        stack.callback(night.close)
        night.start(pipeline)
        watch.wrong += strangers(rendered, front)
        played(night, watch)
        with ThreadPoolExecutor(len(COMMANDS)) as pool:  # both read all tables, one by one
            done = dict(zip(COMMANDS, pool.map(lambda text: night.command(f"{ROOT}/{text}"), COMMANDS), strict=True))
        watch.wrong += night.daily()
        watch.judge(done, killed=night.killed)
        watch.count(front.delivered, second=night.second)
        watch.show(old_handoff(front.delivered))
    return watch


def played(night: Night, watch: Watch) -> None:
    """Let the gamebooks come, those of two games and then all, and kill an instance in the middle."""
    early, late = batches()
    with repeated(night.every_minute, every_s=SWEEP_EVERY_S), repeated(watch.look, every_s=0.1):
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
def settled_in_all(rendered: Rendered, stand_ins: Mapping[str, str]) -> Iterator[None]:
    """Set what all rendered services have in common for the block, as the scrapers of the platform have it."""
    every = [{(one["name"], one["value"]) for one in service["template"]["containers"][0]["env"]}
             for service in rendered.all(SERVICE)]  # fmt: skip
    with settled_in():
        os.environ.update(dict(set.intersection(*every)) | dict(stand_ins))
        os.environ.update(PHASEGATE_PLAN=stand_ins["NIGHT_PLAN"], PATH=f"{BIN}:{os.environ['PATH']}")
        del os.environ["NIGHT_CLOCK"]
        yield
