"""January 2025 of the reference pipeline, on invented nights, with faults in it: what the page is looked at with.

No name in it is a real player's. The clock stands on the morning after, when the last night still lacks its box scores.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from nba_props import PLAN
from nba_props.replay.scrapers import GAMEBOOK, PROPS, SCHEDULE
from nba_props.sources.synthetic import SyntheticSource
from phasegate import Pipeline, SkippingClock, connect, parse_run, read_plan
from phasegate.audit import About, AuditLog
from phasegate.base import keys
from phasegate.base.receipt import Part
from phasegate.observe.counting import CountingObserver
from phasegate.web.page.acts import place_of
from tests.support.commands import StillClock
from tests.support.service import Served, served

FIRST, LAST = date(2025, 1, 1), date(2025, 1, 31)
RESTED = date(2025, 1, 20)
NEW_YORK = ZoneInfo("America/New_York")
PIPELINE, SHOTS, LOG = "nba", "nbac_shot_chart", "scraper_execution_log"
FORECAST = "player_daily_cache"
# a part of its last phase cannot be built
DEAD_DAY = date(2025, 1, 22)
DEAD_RUN, OPEN_RUN = f"{DEAD_DAY}.overnight", "2025-01-31.overnight"
# the file of a step that names a table which is not there
BROKEN = "SELECT * FROM nba_analytics.player_game_summary_v1 WHERE game_date = $run_date"


class January(SyntheticSource):
    """Invented nights from FIRST on, but for one date on which no one plays."""

    def dates(self, first: date, last: date) -> list[date]:
        return [day for day in super().dates(max(first, FIRST), last) if day != RESTED]


class Scene(NamedTuple):
    """The folder of the pipeline, its clock, which stands still, and the last part of the path of an act's page."""

    folder: Path
    clock: StillClock
    act: str

    @property
    def span(self) -> str:
        return f"from={LAST - timedelta(days=12)}&to={LAST}"

    @contextmanager
    def served(self, **more: object) -> Iterator[Served]:
        """Serve it; ``more``: settings."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NBA_DATA", f"{__name__}:{January.__name__}")
            with served(self.folder, clock=self.clock, **more) as service:
                yield service

    def copied(self, folder: Path) -> "Scene":
        """Copy it into a folder; what is done there stays there."""
        shutil.copytree(self.folder, folder)
        return self._replace(folder=folder)

    def address(self, path: str) -> str:
        """Return the address of a page of the scene, by its path with parameters."""
        query = f"?{self.span}" if path in ("/runs", "/findings") else ""
        return path.format_map({"run": DEAD_RUN, "act": self.act}) + query


def at(day: date, clock: str) -> float:
    """Return a time in New York in epoch seconds."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=NEW_YORK).timestamp()


def january(folder: Path, *, first: date = date(2025, 1, 19)) -> Scene:
    """Play the dates from ``first`` on into a folder, and plant faults."""
    shutil.copy(PLAN, folder / "plan.toml")
    shutil.copytree(PLAN.parent / "sql", folder / "sql")
    clock = SkippingClock(at(first - timedelta(days=1), "18:00"))
    days = January().dates(first, LAST)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBA_DATA", f"{__name__}:{January.__name__}")
        for day in days[:-1]:
            with _broken(folder, day=day), _opened(folder, clock) as pipeline:
                _evening(pipeline, clock, day)
                _night(pipeline, clock, day)
                for _ in range(20 if day == DEAD_DAY else 0):
                    clock.skip_to(clock.now() + 600)
                    pipeline.work_until_idle()
        with _opened(folder, clock) as pipeline:
            _evening(pipeline, clock, LAST)
            _last_night(pipeline, clock)
            act = _plant(pipeline, clock)
            _evaluate(pipeline)
    still = StillClock()
    still.at = at(LAST + timedelta(days=1), "08:40")
    return Scene(folder, still, act.rpartition("/")[2])


@contextmanager
def _opened(folder: Path, clock: SkippingClock) -> Iterator[Pipeline]:
    plan, quiet = read_plan(folder / "plan.toml"), CountingObserver()
    with closing(connect(plan, clock=clock, observer=quiet, state=folder / ".phasegate")) as pipeline:
        yield pipeline


@contextmanager
def _broken(folder: Path, *, day: date) -> Iterator[None]:
    """Break the SQL of a step on DEAD_DAY."""
    file = folder / "sql" / f"{FORECAST}.sql"
    text = file.read_text()
    if day == DEAD_DAY:
        file.write_text(BROKEN)
    yield
    file.write_text(text)


def _deliver(pipeline: Pipeline, day: date, mode: str, delivered: dict[str, list[dict[str, object]]]) -> None:
    for step, rows in delivered.items():
        with pipeline.begin(f"{day}.{mode}", step=step) as begun:
            begun.write(rows)
            begun.complete()
    pipeline.work_until_idle()


def _evening(pipeline: Pipeline, clock: SkippingClock, day: date) -> None:
    """Bring the schedule and the lines, before the games."""
    source = January()
    clock.skip_to(at(day - timedelta(days=1), "18:05"))
    pipeline.sweep()
    pipeline.runs.void("raw", parse_run(f"{day}.tomorrow"), reason="no forecast is made the evening before")
    clock.skip_to(at(day, "10:05"))
    pipeline.sweep()
    _deliver(pipeline, day, "same_day", {SCHEDULE: source.schedule(day, day), PROPS: source.props(day)})


def _night(pipeline: Pipeline, clock: SkippingClock, day: date) -> None:
    """Bring the box scores, after the games."""
    source = January()
    clock.skip_to(at(day + timedelta(days=1), "01:30"))
    pipeline.sweep()
    _deliver(pipeline, day, "overnight", {SCHEDULE: source.schedule(day, day), GAMEBOOK: source.batch(day),
                                          PROPS: source.props(day), SHOTS: []})  # fmt: skip
    _deliver(pipeline, day, "log", {LOG: []})


def _last_night(pipeline: Pipeline, clock: SkippingClock) -> None:
    """Bring all but the box scores, whose service does not answer."""
    source = January()
    clock.skip_to(at(LAST + timedelta(days=1), "01:30"))
    pipeline.sweep()
    _deliver(pipeline, LAST, "overnight", {SCHEDULE: source.schedule(LAST, LAST), SHOTS: []})
    clock.skip_to(at(LAST + timedelta(days=1), "07:55"))
    with pipeline.begin(OPEN_RUN, step=GAMEBOOK) as begun:
        begun.fail("the league's service answered 503 to 3 tries; the last one at 07:54")
    pipeline.sweep()
    pipeline.work_until_idle()


def _plant(pipeline: Pipeline, clock: SkippingClock) -> str:
    """Damage one thing on each of some dates; return the path of the page of one act."""
    acted = _acted(pipeline, "pause", "2025-01-25.overnight", "the lines of this date are disputed")
    pipeline.runs.pause("precompute", parse_run("2025-01-25.overnight"), reason="the lines of this date are disputed")
    _acted(pipeline, "cancel", "2025-01-21.same_day", "all its games were postponed")
    pipeline.runs.void("precompute", parse_run("2025-01-21.same_day"), reason="all its games were postponed")
    body = {"kind": "completion", "step": "odds_api_player_points_prop", "run": "2025-01-26.overnight"}
    pipeline.runs.quarantine.put("nba.completions", body, reason="unknown step odds_api_player_points_prop")
    raw = keys.phase_key(PIPELINE, "raw", run=parse_run("2025-01-24.overnight"))
    _rewrite(pipeline, raw, lambda body: body["outbox"][0].update(state="sent"))
    for phase in ("analytics", "precompute"):
        _forget(pipeline, keys.phase_key(PIPELINE, phase, run=parse_run("2025-01-24.overnight")))
    _correct(pipeline, date(2025, 1, 27))
    since = clock.now() - 7200

    def leave(body: dict[str, Any]) -> None:
        body.update(holder="worker-3", since=since, until=since + 600, purpose="write")

    lease = keys.lease_key("main", Part("nba_analytics.player_game_summary", "2025-01-28"))
    _rewrite(pipeline, lease, leave, due=since + 600)
    return acted


def _acted(pipeline: Pipeline, verb: str, run: str, reason: str) -> str:
    log = AuditLog(PIPELINE, pipeline.ports)
    command = f'phasegate {verb} {run} --reason "{reason}"'
    with log.acting(command, by="an-operator", via="command line", about=About(run=run)) as act:
        act.outcome = "paused" if verb == "pause" else "void"
    return place_of(act.key)


def _evaluate(pipeline: Pipeline) -> None:
    """Record what the checks find of the last nights as incidents, as a monitor does."""
    for day in (DEAD_DAY, LAST - timedelta(days=1), LAST):
        started = pipeline.alerts.start()
        pipeline.alerts.take(pipeline.checks.health.evaluate(day.isoformat()), started=started)


def _correct(pipeline: Pipeline, day: date) -> None:
    """Deliver the box scores of a date again, without one player: too long ago to rebuild all that used them."""
    updated = datetime.fromtimestamp(at(LAST + timedelta(days=1), "07:30"), UTC)
    rows = [{**row, "source_updated_at": updated} for row in January().batch(day)[:-1]]
    _deliver(pipeline, day, "overnight", {GAMEBOOK: rows})


def _rewrite(
    pipeline: Pipeline, key: str, change: Callable[[dict[str, Any]], object], *, due: float | None = None
) -> None:
    store = pipeline.ports.store
    doc = store.read(key)
    assert doc is not None, key
    body = json.loads(json.dumps(doc.body))
    change(body)
    store.write(key, body, due=due or doc.due, expect=doc.version)


def _forget(pipeline: Pipeline, key: str) -> None:
    doc = pipeline.ports.store.read(key)
    assert doc is not None, key
    pipeline.ports.store.delete(key, expect=doc.version)
