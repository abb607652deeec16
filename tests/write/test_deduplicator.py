"""One row per key again, in an ordinary fenced write, where rows came past Phasegate."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from phasegate import Pipeline
from phasegate.base.keys import Run, lease_key
from phasegate.base.receipt import Part
from phasegate.base.table import Table
from phasegate.errors import BadInput, Busy, InputsChanged
from phasegate.warehouses.memory.staging import MemoryStaging
from phasegate.warehouses.memory.warehouse import MemoryWarehouse
from phasegate.write.deduplicator import Deduplicator
from phasegate.write.writer import Writer
from tests.support.day_sums import DAY, RUN, connected
from tests.support.pipelines import load, orders, shop

PART = Part("raw.a", DAY)


def deduplicator(pipeline: Pipeline) -> Deduplicator:
    return Deduplicator(
        pipeline.plan,
        pipeline.ports,
        gatekeeper=pipeline.runs,
        leases=pipeline._leases,
        writer=Writer(pipeline.plan, pipeline.ports, store_id=pipeline.store_id),
    )


def deliver(pipeline: Pipeline, *values: int) -> None:
    with pipeline.begin(str(RUN), step="a") as run:
        run.write([{"d": DAY, "k": number, "v": value} for number, value in enumerate(values)])
        run.complete()
    pipeline.work_until_idle()


def past_phasegate(folder: Path, sql: str) -> None:
    with closing(duckdb.connect(folder / "w.duckdb")) as db:
        db.execute(sql)


def values(pipeline: Pipeline) -> list[object]:
    return [row["v"] for row in pipeline.query("SELECT v FROM raw.a ORDER BY v")]


def test_repeated_rows_go_and_the_receipt_is_reported_and_the_partition_is_free(tmp_path: Path) -> None:
    with closing(connected(tmp_path)) as pipeline:
        deliver(pipeline, 1, 2, 4, 8)
    past_phasegate(
        tmp_path, "INSERT INTO raw.a SELECT * FROM raw.a; INSERT INTO raw.a (d, k, v) VALUES ('2026-02-04', 1, 16)"
    )
    with closing(connected(tmp_path)) as pipeline:
        assert len(values(pipeline)) == 9
        receipt = deduplicator(pipeline).deduplicate("a", RUN)
        assert values(pipeline) == [1, 2, 4, 8, 16]
        assert receipt.rows == 4
        phase = pipeline.runs.read("raw", RUN)
        assert phase is not None
        result = phase.result_of("a")
        assert result is not None
        assert (result.stamp, result.write_id) == (receipt.stamp, receipt.write_id)
        with pipeline._leases.hold(PART, purpose="next") as held:
            assert held is not None


def test_a_step_that_phasegate_builds_keeps_the_inputs_of_its_rows(tmp_path: Path) -> None:
    with closing(connected(tmp_path)) as pipeline:
        deliver(pipeline, 1, 2)
        with pipeline.ports.warehouse.snapshot() as reader:
            before = reader.receipts([Part("an.t", DAY)])[Part("an.t", DAY)]
    past_phasegate(tmp_path, "INSERT INTO an.t SELECT * FROM an.t")
    with closing(connected(tmp_path)) as pipeline:
        receipt = deduplicator(pipeline).deduplicate("t", RUN)
        assert pipeline.query("SELECT s FROM an.t") == [{"s": 3}]
        assert (receipt.built_from, receipt.fingerprint) == (before.built_from, before.fingerprint)


def test_a_partition_that_is_held_or_has_no_receipt_is_left_as_it_is(tmp_path: Path) -> None:
    with closing(connected(tmp_path)) as pipeline:
        with pytest.raises(BadInput, match=r"raw\.a/2026-02-03 has no receipt; its owner must write it again"):
            deduplicator(pipeline).deduplicate("a", RUN)
        lease = pipeline._leases.read(lease_key("main", PART))
        assert lease is not None
        assert (lease.purpose, lease.owner, lease.holder) == ("deduplicate", f"phase:nba:raw:{RUN}", None)
        with (
            pipeline._leases.hold(PART, purpose="scraper"),
            pytest.raises(Busy, match=r"raw\.a/2026-02-03 is being written by another process"),
        ):
            deduplicator(pipeline).deduplicate("a", RUN)


def test_its_events_say_step_run_and_token() -> None:
    rows = 'SELECT * FROM raw.orders WHERE "day" = $run_date'
    made = shop(warehouse=MemoryWarehouse(functions={rows: lambda read, _: read("raw.orders")}))
    load(made, 1, 2)
    made.told.clear()
    deduplicator(made.pipeline).deduplicate("orders", Run(RUN.date, "daily"))
    for name in ("writing", "written", "decided", "lease held"):
        (one,) = made.told.in_context(name)
        assert (one["step"], one["run"]) == ("orders", "2026-02-03.daily")
    assert made.told.in_context("lease held")[0]["token"] == made.told.in_context("written")[0]["token"] == 2


class Overtaken(MemoryWarehouse):
    """Something happens between the reading of a receipt and the staging of its rows, once."""

    meanwhile: Callable[[], object] | None = None

    def stage(self, table: Table, /, **given: Any) -> MemoryStaging:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return super().stage(table, **given)


def test_rows_that_a_late_holder_writes_in_the_meantime_are_not_rewritten_as_those_of_the_receipt() -> None:
    rows = 'SELECT * FROM raw.orders WHERE "day" = $run_date'
    warehouse = Overtaken(functions={rows: lambda read, _: read("raw.orders")})
    made = shop(warehouse=warehouse)
    load(made, 1, 2)
    late = made.pipeline.begin(f"{DAY}.daily", step="orders")
    run = late.__enter__()
    made.clock.at += 61

    def write() -> None:
        made.clock.at -= 61  # its own clock is behind: it believes to hold the lease still
        run.write(orders(4, 8))
        made.clock.at += 61

    warehouse.meanwhile = write
    with pytest.raises(InputsChanged, match=r"orders: raw\.orders changed since the request; nothing was written"):
        deduplicator(made.pipeline).deduplicate("orders", Run(DAY, "daily"))
    assert [receipt.token for receipt in made.warehouse.commits] == [1, 2]
    del late
