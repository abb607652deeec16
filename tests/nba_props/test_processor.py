"""The platform's processor API: its lock excludes, its save writes once and reports what it wrote."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest

from nba_props.processor import AnalyticsProcessor, Record
from nba_props.processors import build_with
from phasegate import BadInput, NotFound, Pipeline, connect, load_plan

DATE = "2026-02-03"
PLAN = """
pipeline = "nba"
timezone = "America/New_York"

[phase.analytics]
[phase.precompute]
after = "analytics"

[step.player_game_summary]
phase = "analytics"
external = true
table = "nba_analytics.player_game_summary"
key = ["game_date", "game_id", "player_id"]
partition = "game_date"
write = "replace"
columns = { game_date = "VARCHAR", game_id = "VARCHAR", player_id = "INTEGER", points = "INTEGER" }

[step.cache]
phase = "precompute"
needs = ["analytics.player_game_summary"]
sql = "cache.sql"
table = "nba_precompute.cache"
key = ["game_date"]
partition = "game_date"
"""
SQL = """
SELECT game_date, sum(points) AS points FROM nba_analytics.player_game_summary WHERE game_date = $run_date GROUP BY 1
"""


class Summary(AnalyticsProcessor):
    step = "player_game_summary"
    PRIMARY_KEY_FIELDS: ClassVar[Sequence[str]] = ("game_id", "player_id")

    def calculate_analytics(self, game_date: str) -> Sequence[Record]:
        rows = [{"game_date": game_date, "game_id": "1", "player_id": n, "points": n} for n in (1, 2, 3)]
        return [*rows, rows[-1]]


class Versioned(Summary):
    version_field = "at"


class Broken(Summary):
    def calculate_analytics(self, game_date: str) -> Sequence[Record]:
        raise RuntimeError(f"no box scores on {game_date}")


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    with closing(connect(load_plan(PLAN, files={"cache.sql": SQL}.__getitem__), state=tmp_path)) as made:
        yield made


def test_a_run_locks_removes_duplicates_writes_reports_and_the_next_phase_follows(pipeline: Pipeline) -> None:
    processor = Summary(pipeline, mode="daily")
    assert processor.run(DATE)
    assert processor.duplicates_removed == 1
    assert processor.receipt is not None
    assert processor.receipt.rows == 3
    pipeline.work_until_idle()
    assert pipeline.query("SELECT points FROM nba_precompute.cache") == [{"points": 6}]
    assert pipeline.views.leases() == []


def test_two_at_once_one_works_and_the_other_is_told(pipeline: Pipeline) -> None:
    first, second = Summary(pipeline, mode="daily"), Summary(pipeline, mode="daily")
    assert first.acquire_processing_lock(DATE)
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(second.run(DATE)))
    thread.start()
    thread.join()
    assert answers == [False]
    first.records = list(first.calculate_analytics(DATE))
    assert first.save_analytics().rows == 3
    first.release_processing_lock()
    assert second.run(DATE)
    (view,) = [v for v in pipeline.views.phases() if v.phase == "analytics"]
    assert view.generation == 1, "the same content again fires nothing"


def test_an_error_is_reported_raised_and_leaves_no_lock(pipeline: Pipeline) -> None:
    with pytest.raises(RuntimeError, match="no box scores on 2026-02-03"):
        Broken(pipeline, mode="daily").run(DATE)
    assert pipeline.views.leases() == []
    (view,) = pipeline.views.phases()
    assert "no box scores" in view.members[0].reason
    assert Summary(pipeline, mode="daily").run(DATE)


def test_what_would_write_by_another_key_or_without_the_lock_is_refused(pipeline: Pipeline) -> None:
    class Wrong(Summary):
        PRIMARY_KEY_FIELDS = ("player_id",)

    class Unknown(Summary):
        step = "cache"

    with pytest.raises(BadInput, match=r"are not the key of nba_analytics.player_game_summary"):
        Wrong(pipeline, mode="daily")
    with pytest.raises(BadInput, match="'cache' is no external step with a table"):
        Unknown(pipeline, mode="daily")
    processor = Summary(pipeline, mode="daily")
    with pytest.raises(BadInput, match="without the lock"):
        processor.save_analytics()
    assert processor.acquire_processing_lock(DATE)
    with pytest.raises(BadInput, match="holds a lock already"):
        processor.acquire_processing_lock(DATE)
    processor.release_processing_lock()
    assert pipeline.views.leases() == []


@pytest.mark.parametrize(
    ("older", "newer"),
    [("9", "10"), ("2026-02-04T06:00:00Z", "2026-02-04T06:00:00.5Z"), (9, 10)],
)
def test_the_newest_record_is_stored_and_what_no_version_decides_is_counted(
    pipeline: Pipeline, older: object, newer: object
) -> None:
    processor = Versioned(pipeline, mode="daily")
    row = {"game_date": DATE, "game_id": "1", "player_id": 1}
    new, old = {**row, "at": newer, "points": 2}, {**row, "at": older, "points": 1}
    assert processor.deduplicate_before_write([new, old], Versioned.PRIMARY_KEY_FIELDS) == [new]
    assert (processor.duplicates_removed, processor.duplicates_undecided) == (1, 0)
    processor.deduplicate_before_write([new, {**new, "points": 3}], Versioned.PRIMARY_KEY_FIELDS)
    assert (processor.duplicates_removed, processor.duplicates_undecided) == (1, 1)
    with pytest.raises(BadInput, match="row 1: version 'at' is the text 'soon'"):
        processor.deduplicate_before_write([{**row, "at": "soon"}], Versioned.PRIMARY_KEY_FIELDS)


def test_without_a_version_field_the_version_of_the_plans_table_decides(tmp_path: Path) -> None:
    text = PLAN.replace('write = "replace"', 'write = "merge"\nversion = "version"')
    text = text.replace('points = "INTEGER" }', 'points = "INTEGER", version = "INTEGER" }')
    with closing(connect(load_plan(text, files={"cache.sql": SQL}.__getitem__), state=tmp_path)) as pipeline:
        processor = Summary(pipeline, mode="daily")
        rows = [{"game_date": DATE, "game_id": "1", "player_id": 1, "version": n, "points": n} for n in (2, 1)]
        assert processor.deduplicate_before_write(rows, Summary.PRIMARY_KEY_FIELDS) == rows[:1]


def test_a_processor_builds_its_step_when_it_is_requested_and_reports_by_message_too(tmp_path: Path) -> None:
    text = PLAN.replace("[phase.analytics]\n", '[phase.raw]\n[phase.analytics]\nafter = "raw"\n')
    text = text.replace('partition = "game_date"\nwrite', 'partition = "game_date"\ntopic = "wanted"\n'
                        'needs = ["raw.box"]\nwrite')  # fmt: skip
    text += '[platform]\n[step.box]\nphase = "raw"\nexternal = true\n'
    with closing(connect(load_plan(text, files={"cache.sql": SQL}.__getitem__), state=tmp_path)) as pipeline:
        build_with(pipeline, [Summary])
        pipeline.complete({"step": "box", "run": f"{DATE}.daily", "execution_id": "1"})
        pipeline.work_until_idle()
        asked = [one.message.body for one in pipeline.ports.bus.receive(["wanted"])]
        assert [one["step"] for one in asked] == ["player_game_summary"]
        outcomes = [pipeline.take(asked[0], topic="wanted", number=f"m{number}") for number in range(3)]
        assert outcomes == ["built", "not asked for", "not asked for"]
        (report,) = [one.message.body for one in pipeline.ports.bus.receive(["nba.completions"])]
        assert (report["processor_name"], report["status"], report["record_count"]) == ("Summary", "success", 3)
        assert str(report["correlation_id"]).startswith(f"trigger.nba.raw.{DATE}.daily.1.")
        body = {**report, "processor_name": "PlayerGameSummaryProcessor"}
        (tmp_path / "warehouse.duckdb").rename(tmp_path / "away")  # a report of the accepted write reads no table
        assert pipeline.take(body, topic="nba.completions", number="m") == "duplicate"
        (tmp_path / "away").rename(tmp_path / "warehouse.duckdb")
        partial = {**body, "status": "partial", "missing": ["4"]}
        for message in (partial, body):  # what is missing is no matter of the write
            assert pipeline.take(message, topic="nba.completions", number="m") == "confirmed"
        again = Summary(pipeline, mode="daily")
        assert again.run(DATE)
        assert again.receipt is None, "there is a result of these inputs"
        with pytest.raises(BadInput, match="completion\\(\\) without a save"):
            again.completion()
        (view,) = [v for v in pipeline.views.phases() if v.phase == "analytics"]
        assert view.generation == 1


def test_only_external_steps_are_built_by_code_of_ones_own(pipeline: Pipeline) -> None:
    with pytest.raises(BadInput, match="step cache is built by Phasegate"):
        pipeline.build_with({"cache": lambda _run: True})
    with pytest.raises(NotFound, match="unknown step 'nothing'"):
        pipeline.build_with({"nothing": lambda _run: True})
