"""What is counted, by names of the plan alone, and where Prometheus reads it."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from phasegate import BadInput, Fenced, Pipeline, Transient, connect, load_plan
from phasegate.observe.metrics import COUNTED, OTHER, MetricsObserver, serving
from phasegate.plan.model import Plan
from tests.support.commands import PLAN, SQL, Night, StillClock
from tests.support.pipelines import Told

CARDINALITY_MAX = 200
SECRET = "postgresql://user:secret@host/db"


def planned() -> Plan:
    return load_plan(PLAN, files={"player_game.sql": SQL}.__getitem__)


def total(observer: MetricsObserver, name: str, **labels: str) -> float:
    """Return the sum of the series of a name that have these labels."""
    return sum(
        sample.value
        for metric in observer.registry.collect()
        for sample in metric.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def series(observer: MetricsObserver) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    return {(sample.name, frozenset(sample.labels.items()))
            for metric in observer.registry.collect() for sample in metric.samples}  # fmt: skip


def scraped(url: str) -> str:
    with urllib.request.urlopen(url) as answer:  # noqa: S310  our own server
        return str(answer.read().decode())


@pytest.fixture
def counted() -> MetricsObserver:
    return MetricsObserver(planned())


@pytest.fixture
def night(tmp_path: Path, counted: MetricsObserver) -> Iterator[Pipeline]:
    (tmp_path / "plan.toml").write_text(PLAN)
    (tmp_path / "player_game.sql").write_text(SQL)
    with closing(connect(tmp_path / "plan.toml", state=tmp_path, observer=counted, clock=StillClock())) as pipeline:
        yield pipeline


def deliver(pipeline: Pipeline, run: str, *, rows: int = 2, version: int = 1) -> None:
    with pipeline.begin(run, step="gamebook") as step:
        step.write([{"game_date": step.date, "player": f"p{n % rows}", "points": 1.0, "updated": version}
                    for n in range(rows + 1)])  # fmt: skip
        step.complete()


def whole(pipeline: Pipeline, run: str) -> None:
    deliver(pipeline, run)
    pipeline.complete({"step": "odds", "run": run, "execution_id": run})
    pipeline.work_until_idle()
    with pipeline.begin(run, step="report") as step:
        step.complete(execution_id=run)


def test_what_a_night_does_is_counted_by_step_and_phase(night: Pipeline, counted: MetricsObserver) -> None:
    whole(night, "2026-02-03.overnight")
    night.complete({"step": "odds", "run": "2026-02-03.overnight", "execution_id": "2026-02-03.overnight"})
    reports = "phasegate_completions_total"
    assert total(counted, reports, step="odds", phase="raw", outcome="accepted") == 1
    assert total(counted, reports, step="odds", outcome="duplicate") == 1
    assert total(counted, reports, step="player_game", phase="analytics", outcome="accepted") == 1
    assert {phase: total(counted, "phasegate_firings_total", phase=phase, outcome="whole")
            for phase in ("raw", "analytics", "precompute")} == {"raw": 1, "analytics": 1, "precompute": 1}  # fmt: skip
    assert total(counted, "phasegate_firings_total", outcome="degraded") == 0
    assert total(counted, "phasegate_rows_written_total", step="gamebook") == 2
    assert total(counted, "phasegate_rows_deduplicated_total", step="gamebook") == 1
    assert total(counted, "phasegate_lease_hold_seconds_count", step="gamebook") == 1
    assert total(counted, "phasegate_lease_hold_seconds_count", step="player_game") == 1
    assert total(counted, "phasegate_step_seconds_count", step="player_game", phase="analytics") == 1
    assert total(counted, "phasegate_steps_ended_total", step="report", outcome="accepted") == 1
    assert total(counted, "phasegate_message_seconds_count", kind="request") == 1
    assert total(counted, "phasegate_message_seconds_count", kind="trigger") == 2
    assert total(counted, "phasegate_sweep_seconds_count") >= 1
    assert total(counted, "phasegate_last_sweep_timestamp_seconds") > 0
    assert total(counted, "phasegate_events_total", event="fired") == 3


def test_a_gate_that_fires_at_its_deadline_without_a_step_is_degraded(tmp_path: Path) -> None:
    plan = PLAN + '[step.extra]\nphase = "analytics"\nexternal = true\n'
    (tmp_path / "plan.toml").write_text(plan)
    (tmp_path / "player_game.sql").write_text(SQL)
    counted, clock = MetricsObserver(load_plan(plan, files={"player_game.sql": SQL}.__getitem__)), StillClock()
    with closing(connect(tmp_path / "plan.toml", state=tmp_path, observer=counted, clock=clock)) as pipeline:
        deliver(pipeline, "2026-02-03.overnight")
        pipeline.complete({"step": "odds", "run": "2026-02-03.overnight", "execution_id": "o"})
        pipeline.work_until_idle()
        clock.at += 86_400.0
        pipeline.work_until_idle()
    assert total(counted, "phasegate_firings_total", phase="analytics", outcome="degraded") == 1


def test_dead_requests_and_quarantined_messages_are_counted_as_they_die(
    tmp_path: Path, counted: MetricsObserver
) -> None:
    (tmp_path / "plan.toml").write_text(PLAN)
    (tmp_path / "player_game.sql").write_text(SQL.replace("points", "nope"))
    with closing(connect(tmp_path / "plan.toml", state=tmp_path, observer=counted, clock=StillClock())) as pipeline:
        deliver(pipeline, "2026-02-03.overnight")
        pipeline.complete({"step": "odds", "run": "2026-02-03.overnight", "execution_id": "o"})
        pipeline.work_until_idle()
        pipeline.runs.quarantine.put("nba.completions", {"kind": "nope"}, reason=SECRET)
    dead = "phasegate_became_dead_total"
    assert [total(counted, dead, kind=kind) for kind in ("request", "trigger", "message")] == [1, 0, 1]
    assert total(counted, "phasegate_steps_ended_total", step="player_game", outcome="dead") == 1
    assert not any(SECRET in str(one) for one in series(counted)), "no text of an error becomes a label"


def test_a_stale_write_that_the_fence_refuses_is_counted_and_so_is_a_lost_lease(
    night: Pipeline, counted: MetricsObserver
) -> None:
    clock = night.ports.clock
    assert isinstance(clock, StillClock)
    with ExitStack() as stack:
        late = stack.enter_context(night.begin("2026-02-03.overnight", step="gamebook"))
        at, clock.at = clock.at, clock.at + 120
        deliver(night, "2026-02-03.overnight")
        clock.at = at
        with pytest.raises(Fenced):
            late.write([{"game_date": late.date, "player": "a", "points": 1.0, "updated": 1}])
    assert total(counted, "phasegate_writes_refused_total", step="gamebook") == 1
    assert total(counted, "phasegate_leases_lost_total", step="gamebook") == 1


def test_more_dates_and_errors_make_no_more_time_series(night: Pipeline, counted: MetricsObserver) -> None:
    for day in (3, 4):
        whole(night, f"2026-02-0{day}.overnight")
    before = series(counted)
    for day in (5, 6, 7):
        whole(night, f"2026-02-0{day}.overnight")
    assert series(counted) == before
    assert len(before) < CARDINALITY_MAX * len(night.plan.steps)


def test_names_that_are_not_of_the_plan_share_one_label(counted: MetricsObserver) -> None:
    for number in range(50):
        counted.event(
            "decided", key=f"phase:other:p{number}:r", command="report", subject=f"s{number}", outcome=f"o{number}"
        )
        counted.event("written", step=f"s{number}", changed=1, duplicates=0)
        counted.event("lease held", key=f"lease:main:t{number}:p", token=1, held_s=0.1)
    assert total(counted, "phasegate_completions_total", phase=OTHER, step=OTHER, outcome=OTHER) == 50
    assert total(counted, "phasegate_rows_written_total", step=OTHER) == 50
    assert total(counted, "phasegate_lease_hold_seconds_count", step=OTHER) == 50
    assert len({labels for name, labels in series(counted) if name == "phasegate_completions_total"}) == 1


def test_what_can_be_tried_again_is_counted_by_what_it_is(counted: MetricsObserver) -> None:
    for name in ("write conflict", "message failed", "heartbeat failed", "sweep failed", "alert not sent"):
        counted.event(name, error=SECRET)
    counted.event("step not built", step="player_game", status="transient")
    counted.event("step not built", step="player_game", status="failed")
    counted.event("worker blocked", error=SECRET, failures=1)
    for what in ("write", "message", "heartbeat", "sweep", "alert", "step"):
        assert total(counted, "phasegate_retries_total", what=what) == 1
    assert total(counted, "phasegate_worker_blocked_total") == 1


def test_an_event_that_cannot_be_counted_is_passed_on_and_reported() -> None:
    told = Told()
    MetricsObserver(planned(), told).event("swept")
    assert told.events == [("event not counted", {"event": "swept", "error": "KeyError: 'took_s'"}), ("swept", {})]


def test_every_metric_is_declared_once_and_by_the_conventions(counted: MetricsObserver) -> None:
    names = [metric.name for metric in COUNTED]
    assert len(names) == len(set(names))
    for metric in COUNTED:
        assert metric.name.startswith("phasegate_")
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert metric.name.endswith("_seconds") or metric.kind != "histogram", metric.name
    exposed = {metric.name for metric in counted.registry.collect()}
    assert exposed == {name.removesuffix("_total") for name in names}
    assert not any(sample.name.endswith("_created") for m in counted.registry.collect() for sample in m.samples)


def test_the_series_that_alerts_look_at_are_there_before_the_first_event(counted: MetricsObserver) -> None:
    there = {name for name, labels in series(counted) if ("pipeline", "nba") in labels}
    wanted = ("writes_refused", "became_dead", "leases_lost", "worker_blocked", "retries", "firings")
    assert {f"phasegate_{name}_total" for name in wanted} <= there


def test_the_address_answers_prometheus_during_the_block_only(counted: MetricsObserver) -> None:
    counted.event("worker blocked", error="away", failures=1)
    with serving(counted, "127.0.0.1:0") as url:
        text = scraped(url)
        taken = serving(counted, url.removeprefix("http://").removesuffix("/metrics"))
        with pytest.raises(BadInput, match=r"cannot listen there \(Address already in use\); give each worker a port"):
            taken.__enter__()
    assert 'phasegate_worker_blocked_total{pipeline="nba"} 1.0' in text
    with pytest.raises(OSError, match="refused"):
        scraped(url)


def test_a_worker_answers_prometheus_where_its_setting_says(night_of: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    night_of.scrape(3)
    monkeypatch.setenv("PHASEGATE_METRICS", "127.0.0.1:0")
    done = night_of("worker", "--until-idle")
    assert (done.code, done.err.split(":")[:2]) == (0, ["phasegate", " metrics"])
    monkeypatch.setenv("PHASEGATE_METRICS", "9464")
    done = night_of("worker", "--until-idle")
    assert (done.code, done.err) == (
        2, "phasegate: PHASEGATE_METRICS='9464': wanted HOST:PORT, such as 127.0.0.1:9464, or off\n",
    )  # fmt: skip


@pytest.fixture
def night_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Night:
    return Night.empty(tmp_path, monkeypatch, capsys)


def test_without_the_library_one_line_says_what_to_install() -> None:
    text = """
import sys
sys.modules["prometheus_client"] = None
from phasegate.observe.metrics import MetricsObserver
from phasegate import BadInput, load_plan
plan = 'pipeline = "x"\\ntimezone = "UTC"\\nphase.a = {}\\nstep.b = {phase = "a", external = true}'
try:
    MetricsObserver(load_plan(plan))
except BadInput as e:
    print(e)
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == "metrics need the library prometheus-client; run: pip install 'phasegate[service]'\n"


def test_a_transient_failure_counts_as_an_attempt_that_failed(night: Pipeline, counted: MetricsObserver) -> None:
    with pytest.raises(Transient), night.begin("2026-02-03.overnight", step="odds"):
        raise Transient("away")
    assert total(counted, "phasegate_steps_ended_total", step="odds", outcome="noted") == 1
