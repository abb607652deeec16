"""The scene of the storm: its plan, what its reporters deliver, and how it is judged.

A reporter delivers in any order, some things twice, old versions after new ones, and each again until it is taken:
tables by the library, reports over HTTP if there is a service. It is a process: python -m benchmarks.storm_scene
NUMBER, in the storm's folder. What it has delivered is in a file, so that one that was killed goes on.
"""

import json
import os
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from http.client import HTTPException
from itertools import count
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import phasegate
from phasegate import PhasegateError, Pipeline, SkippingClock

FIRST = date(2026, 2, 1)
REPORTERS = 2
PLAYERS = 20
# The step `checked` of this date fails: the one dead letter that there must be.
BROKEN = "2026-02-02"
PLAN = """
pipeline = "storm"
timezone = "UTC"
[phase.raw]
[phase.analytics]
after = "raw"
[phase.precompute]
after = "analytics"

[step.points]
phase = "raw"
external = true
table = "raw.points"
key = ["game_date", "player"]
partition = "game_date"
columns = { game_date = "DATE", player = "VARCHAR", points = "INTEGER", version = "BIGINT" }
version = "version"

[step.feed]
phase = "raw"
external = true
"""
STEP = """
[step.{name}]
phase = "{phase}"
needs = {needs}
sql = "{name}.sql"
table = "{phase}.{name}"
key = {key}
partition = "game_date"
shrink_max = 1
"""
POINTS = "FROM raw.points WHERE game_date = CAST($run_date AS DATE)"
BY_DATE, BY_PLAYER = '["game_date"]', '["game_date", "player"]'
# name -> phase, needs, key, SELECT
STEPS: Mapping[str, tuple[str, str, str, str]] = {
    "totals": (
        "analytics", '["raw.points", "raw.feed"]', BY_DATE,
        f"SELECT game_date, CAST(sum(points) AS BIGINT) AS points {POINTS} GROUP BY game_date",
    ),
    "tens": (
        "analytics", '["raw.points"]', BY_PLAYER,
        f"SELECT game_date, player, points {POINTS} AND points >= 10",
    ),
    "shares": (
        "analytics", '["raw.points", "totals"]', BY_PLAYER,
        """SELECT p.game_date, p.player, CAST(p.points AS DOUBLE) / t.points AS share FROM raw.points AS p
        JOIN analytics.totals AS t ON t.game_date = p.game_date WHERE p.game_date = CAST($run_date AS DATE)""",
    ),
    "form": (
        "precompute", '["analytics.totals", { step = "totals", back = "2d" }]', BY_DATE,
        """SELECT t.game_date, t.points, CAST((SELECT sum(b.points) FROM analytics.totals AS b
        WHERE b.game_date BETWEEN CAST($run_date AS DATE) - 2 AND CAST($run_date AS DATE) - 1) AS BIGINT) AS before
        FROM analytics.totals AS t WHERE t.game_date = CAST($run_date AS DATE)""",
    ),
    "checked": (
        "precompute", '["form", "analytics.shares"]', BY_DATE,
        f"""SELECT game_date, CAST(CASE WHEN game_date = DATE '{BROKEN}' THEN 'broken' ELSE '1' END AS INTEGER) AS fine
        FROM precompute.form WHERE game_date = CAST($run_date AS DATE)""",
    ),
}  # fmt: skip
SETTLE_ROUNDS_MAX, HORIZON_S = 500, 12 * 3600.0
AGAIN_S = 0.1
# the names of what a reporter finds in its environment: the services' addresses, and its access token
SERVICES, TOKEN = "STORM_SERVICES", "STORM_TOKEN"
SWEEP_EVERY, ANSWER_S = 4, 30.0


@dataclass(frozen=True)
class Delivery:
    """One message or one load of a reporter; a lower version is older."""

    step: str
    day: str
    version: int


@dataclass(frozen=True)
class End:
    """What a scene has come to.

    ``findings``: of reconcile, but those of the one broken date. ``dead``: what the dead letters are of.
    """

    tables: dict[str, tuple[int, str]]
    states: dict[str, str]
    dead: frozenset[str]
    findings: tuple[str, ...]


def days(dates: int) -> list[str]:
    return [(FIRST + timedelta(days=number)).isoformat() for number in range(dates)]


def make(folder: Path) -> None:
    """Write the plan and its SQL files."""
    plan = PLAN + "".join(
        STEP.format(name=name, phase=phase, needs=needs, key=key) for name, (phase, needs, key, _) in STEPS.items()
    )
    (folder / "plan.toml").write_text(plan)
    for name, (_, _, _, sql) in STEPS.items():
        (folder / f"{name}.sql").write_text(sql)


def deliveries(dates: int, *, reporter: int) -> list[Delivery]:
    """Return what a reporter delivers: in no order, and a third of it twice."""
    rng = random.Random(reporter)
    each = [
        Delivery(step, day, version)
        for day in days(dates)[reporter::REPORTERS]
        for step in ("points", "feed")
        for version in (1, 2)
    ]
    each += rng.sample(each, len(each) // 3)
    rng.shuffle(each)
    return each


def rows_of(one: Delivery) -> list[dict[str, object]]:
    rng = random.Random(f"{one.day} {one.version}")
    return [
        {"game_date": one.day, "player": f"p{number}", "points": rng.randrange(40), "version": one.version}
        for number in range(PLAYERS)
    ]


class Services:
    """The services of a storm, asked in turn; false if there is none."""

    def __init__(self, urls: Sequence[str], token: str) -> None:
        self._urls, self._token, self._numbers = urls, token, count()

    def __bool__(self) -> bool:
        return bool(self._urls)

    def post(self, path: str, body: Mapping[str, object]) -> None:
        """Send one request; raises PhasegateError unless it was done, or is older than what was."""
        url = self._urls[next(self._numbers) % len(self._urls)] + path
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=ANSWER_S):  # noqa: S310  our own
                return
        except HTTPError as error:
            if error.code != 409:
                raise PhasegateError(f"{path}: {error.code} {error.read().decode()}") from None
        except (OSError, HTTPException) as error:
            raise PhasegateError(f"{path}: {error!r}") from None


NO_SERVICES = Services((), "")


def deliver(pipeline: Pipeline, one: Delivery, *, services: Services = NO_SERVICES) -> None:
    """Write and report, or only report; raises PhasegateError if it was not taken."""
    run = f"{one.day}.daily"
    if one.step == "feed":
        body = {"step": "feed", "run": run, "sequence": one.version, "execution_id": f"feed-{one.day}-{one.version}"}
        if services:
            services.post("/complete", body)
        else:
            pipeline.complete(body)
        return
    with pipeline.begin(run, step="points") as begun:
        begun.write(rows_of(one))
        begun.complete()


def connected() -> Pipeline:
    """Open the pipeline, as soon as its server can be reached."""
    while True:
        try:
            return phasegate.connect(log_level="none")
        except PhasegateError:
            time.sleep(AGAIN_S)


def report(number: int, *, dates: int, every_s: float) -> None:
    """Deliver everything that is not delivered yet, each until it is taken."""
    done = Path(f"delivered-{number}")
    begin = len(done.read_text()) if done.exists() else 0
    services = Services(os.environ.get(SERVICES, "").split(), os.environ.get(TOKEN, ""))
    with closing(connected()) as pipeline:
        for index, one in enumerate(deliveries(dates, reporter=number)[begin:]):
            while True:
                try:
                    deliver(pipeline, one, services=services)
                    if services and index % SWEEP_EVERY == 0:
                        services.post("/sweep", {})
                    break
                except PhasegateError as error:
                    print(json.dumps([type(error).__name__, str(error)]), flush=True)
                    time.sleep(AGAIN_S)
            with done.open("a") as file:
                file.write(".")
            time.sleep(every_s)


def settle(pipeline: Pipeline, clock: SkippingClock) -> None:
    """Work and sweep until nothing is due; the clock skips what is not due yet."""
    for _ in range(SETTLE_ROUNDS_MAX):
        if errors := pipeline.run_workers(until_idle=True):
            raise PhasegateError("; ".join(errors))
        due = pipeline.next_due()
        if due is None or due > clock.now() + HORIZON_S:
            return
        clock.skip_to(due)
    raise PhasegateError(f"the storm did not settle in {SETTLE_ROUNDS_MAX} rounds")


def end_of(pipeline: Pipeline, *, dates: int) -> End:
    outcomes = pipeline.checks.inspector.inspect(days(dates)[0], days(dates)[-1], phase=None)
    findings = [f"{found.code} of {found.subject}: {found.text}" for one in outcomes for found in one.findings]
    findings += [f"an error in {one.check}: {one.error}" for one in outcomes if one.error]
    return End(
        tables={name: (table.rows, table.digest) for name, table in pipeline.tables().items()},
        states={f"{view.phase} of {view.run}": view.state for view in pipeline.views.phases()},
        dead=frozenset(f"{letter.kind} {letter.subject} {letter.run}" for letter in pipeline.views.dead()),
        findings=tuple(text for text in findings if BROKEN not in text),
    )


def undisturbed(folder: Path, *, dates: int) -> End:
    """Return what the same deliveries come to on SQLite and DuckDB: in order, once each, by one worker."""
    clock = SkippingClock()
    make(folder)
    each = {one for number in range(REPORTERS) for one in deliveries(dates, reporter=number)}
    with closing(
        phasegate.connect(folder / "plan.toml", state=folder / "state", clock=clock, log_level="none")
    ) as pipeline:
        for one in sorted(each, key=lambda one: (one.day, one.version)):
            deliver(pipeline, one)
        settle(pipeline, clock)
        return end_of(pipeline, dates=dates)


def differences(end: End, wanted: End) -> Iterator[str]:
    """Yield what is not as without a storm."""
    for name, table in wanted.tables.items():
        if end.tables.get(name) != table:
            yield f"{name}: {end.tables.get(name)}, and undisturbed it is {table}"
    for name in sorted(wanted.states.keys() | end.states.keys()):
        if end.states.get(name) != wanted.states.get(name):
            yield f"{name} is {end.states.get(name)}, and undisturbed it is {wanted.states.get(name)}"
    yield from (f"dead, and nothing reported a failure: {one}" for one in sorted(end.dead - wanted.dead))
    yield from (f"its failure was reported, and it is not dead: {one}" for one in sorted(wanted.dead - end.dead))
    yield from (f"reconcile finds {text}" for text in end.findings)


def main(argv: Sequence[str]) -> None:
    number, dates, every_s = argv
    report(int(number), dates=int(dates), every_s=float(every_s))


if __name__ == "__main__":
    main(sys.argv[1:])
