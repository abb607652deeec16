"""What the documents say, at a scrape: the same as the commands, and nothing when the store does not answer."""

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from phasegate import Pipeline, connect
from phasegate.base.findings import CheckResult, Finding
from phasegate.errors import Unavailable
from phasegate.observe.metrics import COUNTED, MetricsObserver
from phasegate.web.gauges import READ, Gauges
from tests.support.commands import HOUR, PLAN, RUN, SQL, StillClock
from tests.support.pipelines import Told

DAY = 24 * HOUR
Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Away:
    """A store that fails, or that does not return until it is let go."""

    def __init__(self, inner: Any) -> None:
        self._inner, self.fails, self.held = inner, False, threading.Event()
        self.calls = 0
        self.held.set()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)

        def call(*given: Any, **named: Any) -> Any:
            self.calls += 1
            self.held.wait(30)
            if self.fails:
                raise Unavailable("the store postgresql://user:secret@host is away")
            return found(*given, **named)

        return call if name in ("read", "scan", "due", "next_due") else found


class Scene:
    """A pipeline, its clock, and what a scrape gives."""

    def __init__(self, folder: Path, *, within_s: float = 5.0, plan: str = PLAN, sql: str = SQL) -> None:
        (folder / "plan.toml").write_text(plan)
        (folder / "player_game.sql").write_text(sql)
        self.clock, self.told = StillClock(), Told()
        self.pipeline = self._opened(folder)
        store: Any = self.pipeline.ports.store
        self.store: Away = store
        self.registry = CollectorRegistry()
        self.registry.register(Gauges(self.pipeline, within_s=within_s))

    def _opened(self, folder: Path) -> Pipeline:
        return connect(folder / "plan.toml", state=folder, observer=self.told, clock=self.clock,
                       wrap=lambda ports: replace(ports, store=Away(ports.store)))  # fmt: skip

    def scrape(self) -> Values:
        return {(sample.name, frozenset(sample.labels.items() - {("pipeline", "nba")})): sample.value
                for family in self.registry.collect() for sample in family.samples}  # fmt: skip

    def deliver(self, run: str = RUN) -> None:
        with self.pipeline.begin(run, step="gamebook") as step:
            step.write([{"game_date": step.date, "player": "a", "points": 1.0, "updated": 1}])
            step.complete()

    def whole(self, run: str = RUN) -> None:
        self.deliver(run)
        self.pipeline.complete({"step": "odds", "run": run, "execution_id": "o"})
        self.pipeline.work_until_idle()
        with self.pipeline.begin(run, step="report") as step:
            step.complete(execution_id="r")
        self.pipeline.work_until_idle()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    with closing(made.pipeline):
        yield made


def of(values: Values, name: str, **labels: str) -> float:
    return values["phasegate_" + name, frozenset(labels.items())]


def test_a_whole_run_leaves_no_age_and_an_open_gate_grows_older(scene: Scene) -> None:
    scene.whole()
    scene.clock.at += HOUR
    values = scene.scrape()
    assert of(values, "up") == 1
    assert of(values, "runs", phase="analytics", state="complete") == 1
    assert of(values, "gate_age_seconds", phase="raw") == 0
    assert of(values, "outbox_age_seconds", phase="raw") == 0
    scene.deliver("2026-02-04.overnight")
    scene.clock.at += 2 * HOUR
    values = scene.scrape()
    assert of(values, "gate_age_seconds", phase="raw") == 2 * HOUR
    assert of(values, "runs", phase="raw", state="waiting") == 1
    assert of(values, "gate_age_seconds", phase="analytics") == 0, "it is not open yet"


def test_a_gate_past_its_deadline_and_a_trigger_that_is_not_taken_are_shown(scene: Scene) -> None:
    scene.deliver()
    scene.pipeline.complete({"step": "odds", "run": RUN, "execution_id": "o"})
    scene.clock.at += HOUR
    values = scene.scrape()
    assert of(values, "outbox_triggers", phase="raw") == 1
    assert of(values, "outbox_age_seconds", phase="raw") == HOUR
    assert of(values, "inbox_age_seconds") == HOUR, "nothing has taken the message from the bus"
    assert of(values, "due_age_seconds") > 0, "nothing has swept"
    scene.pipeline.work_until_idle()
    assert of(scene.scrape(), "inbox_age_seconds") == 0
    assert of(scene.scrape(), "due_age_seconds") == 0


def test_dead_letters_are_those_of_the_command_by_kind(tmp_path: Path) -> None:
    scene = Scene(tmp_path, sql=SQL.replace("points", "nope"))
    with closing(scene.pipeline):
        scene.deliver()
        scene.pipeline.complete({"step": "odds", "run": RUN, "execution_id": "o"})
        scene.pipeline.work_until_idle()
        scene.pipeline.runs.quarantine.put("nba.completions", {"kind": "x"}, reason="no kind")
        values = scene.scrape()
        assert [of(values, "dead_letters", kind=kind) for kind in ("request", "trigger", "message")] == [1, 0, 1]
        assert len(scene.pipeline.views.dead()) == 2
        assert of(values, "runs", phase="analytics", state="dead") == 1


def test_the_newest_expected_result_of_a_step_is_late_until_a_newer_one_is_expected(tmp_path: Path) -> None:
    expected = 'attempts_max = 1\nexpected_by.overnight = "04:00 +1d"'
    scene = Scene(tmp_path, plan=PLAN.replace("attempts_max = 1", expected))
    with closing(scene.pipeline):
        late = {"phase": "analytics", "step": "player_game"}
        assert of(scene.scrape(), "result_late_seconds", **late) == 4.2 * HOUR, "it is 08:12, and nothing came"
        scene.clock.at += HOUR
        scene.whole()
        scene.clock.at += HOUR
        assert of(scene.scrape(), "result_late_seconds", **late) == 5.2 * HOUR, "it came at 09:12"
        scene.clock.at += 22 * HOUR
        assert of(scene.scrape(), "result_late_seconds", **late) == 4.2 * HOUR, "that of the next date is missing"


def test_a_lease_that_is_held_has_an_age_and_one_that_expired_counts_apart(scene: Scene) -> None:
    with scene.pipeline.begin(RUN, step="gamebook") as step:
        scene.clock.at += 10
        values = scene.scrape()
        assert (of(values, "leases_held"), of(values, "lease_age_seconds"), of(values, "leases_expired")) == (1, 10, 0)
        scene.clock.at += 120
        values = scene.scrape()
        assert (of(values, "leases_held"), of(values, "lease_age_seconds"), of(values, "leases_expired")) == (0, 0, 1)
        scene.clock.at -= 120
        step.complete(execution_id="x")
    assert of(scene.scrape(), "leases_held") == 0


def test_findings_are_those_of_open_incidents(scene: Scene) -> None:
    finding = Finding(code="PG022", subject="s", text="t", cause="c", command="phasegate why x")
    scene.pipeline.alerts.take(
        [CheckResult(check="deadlines", findings=(finding,), evaluated=1)], started=scene.clock.at
    )
    values = scene.scrape()
    assert of(values, "findings", code="PG022") == 1
    assert sum(value for (name, _), value in values.items() if name == "phasegate_incidents_open") == 1
    assert of(values, "last_evaluation_timestamp_seconds") == scene.clock.at


def test_a_document_that_cannot_be_read_is_counted_and_the_others_are_shown(scene: Scene) -> None:
    scene.whole()
    store = scene.pipeline.ports.store
    doc = store.read(f"phase:nba:raw:{RUN}")
    assert doc is not None
    store.write(doc.key, {**doc.body, "opened_at": "yesterday"}, due=doc.due, expect=doc.version)
    values = scene.scrape()
    assert of(values, "unreadable_documents") == 1
    assert of(values, "runs", phase="analytics", state="complete") == 1


def test_a_store_that_fails_leaves_nothing_but_up_0_and_the_next_scrape_reads_again(scene: Scene) -> None:
    scene.whole()
    assert of(scene.scrape(), "up") == 1
    scene.store.fails = True
    assert scene.scrape() == {("phasegate_up", frozenset()): 0}
    assert len(scene.told.of("gauges not read")) == 1
    assert "secret" not in generate_latest(scene.registry).decode()
    scene.store.fails = False
    scene.deliver("2026-02-04.overnight")
    assert of(scene.scrape(), "runs", phase="raw", state="waiting") == 1


def test_a_store_that_hangs_costs_each_scrape_its_bound_and_one_thread_in_all(tmp_path: Path) -> None:
    scene = Scene(tmp_path, within_s=0.2)
    with closing(scene.pipeline):
        scene.store.held.clear()
        before, scene.store.calls = threading.active_count(), 0
        assert scene.scrape() == {("phasegate_up", frozenset()): 0}
        scene.clock.at += 1
        for _ in range(3):
            assert scene.scrape() == {("phasegate_up", frozenset()): 0}
        assert (threading.active_count(), scene.store.calls) == (before + 1, 1)
        reading = next(thread for thread in threading.enumerate() if thread.name == "phasegate-gauges")
        scene.store.held.set()
        reading.join(10)
        assert of(scene.scrape(), "up") == 1


def test_scrapes_at_once_share_one_reading(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    with closing(scene.pipeline):
        scene.store.held.clear()
        scene.store.calls, found = 0, list[Values]()
        threads = [threading.Thread(target=lambda: found.append(scene.scrape())) for _ in range(4)]
        for thread in threads:
            thread.start()
        while scene.store.calls == 0:
            threading.Event().wait(0.01)
        assert scene.store.calls == 1
        scene.store.held.set()
        for thread in threads:
            thread.join(10)
        assert [of(values, "up") for values in found] == [1, 1, 1, 1]


def test_more_dates_make_no_more_time_series_and_no_more_than_a_month_is_read(scene: Scene) -> None:
    for day in range(1, 4):
        scene.whole(f"2026-02-0{day}.overnight")
    before = scene.scrape()
    for day in range(4, 6):
        scene.whole(f"2026-02-0{day}.overnight")
    after = scene.scrape()
    assert after.keys() == before.keys()
    assert of(after, "runs", phase="raw", state="complete") == 5
    scene.clock.at += 40 * DAY
    assert ("phasegate_runs", frozenset({("phase", "raw"), ("state", "complete")})) not in scene.scrape()


def test_a_run_of_a_date_long_ago_is_read_until_it_is_settled(tmp_path: Path) -> None:
    scene, old = Scene(tmp_path, sql=SQL.replace("points", "nope")), "2025-02-03.overnight"
    with closing(scene.pipeline):
        scene.deliver(old)
        scene.pipeline.complete({"step": "odds", "run": old, "execution_id": "o"})
        scene.pipeline.work_until_idle()
        values = scene.scrape()
        assert of(values, "dead_letters", kind="request") == 1
        assert of(values, "runs_overdue", phase="analytics") == len(
            [view for view in scene.pipeline.views.why(old) if view.overdue]
        )
        assert ("phasegate_runs", frozenset({("phase", "raw"), ("state", "complete")})) not in values


def test_every_gauge_is_declared_and_shown(scene: Scene) -> None:
    scene.whole()
    shown = {name for name, _ in scene.scrape()}
    sparse = {"phasegate_findings", "phasegate_result_late_seconds"}
    assert shown | sparse == {metric.name for metric in READ}
    assert all(metric.name.startswith("phasegate_") and not metric.name.endswith("_total") for metric in READ)


def test_gauges_and_counters_share_a_registry_and_no_name(scene: Scene) -> None:
    counted = MetricsObserver(scene.pipeline.plan)
    counted.registry.register(Gauges(scene.pipeline))
    names = [family.name for family in counted.registry.collect()]
    assert len(names) == len(set(names)) > len(COUNTED)
