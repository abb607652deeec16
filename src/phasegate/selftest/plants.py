"""The faults that the self-test plants, one function each.

Each damages a scratch pipeline and returns the outcomes of its checks.
"""

from collections.abc import Callable
from typing import NamedTuple

from phasegate.base import keys
from phasegate.base.disk import Disk
from phasegate.base.findings import CheckResult
from phasegate.base.keys import Run
from phasegate.base.receipt import Part
from phasegate.selftest.scene import (
    AFTERNOON,
    DATE,
    DAYS_LATER,
    EARLIER,
    LOAD,
    MORNING,
    REPORT,
    RUN,
    Document,
    ScratchPipeline,
    load,
)

Outcomes = tuple[CheckResult, ...]
LEASE = keys.lease_key("main", Part("raw.rows", DATE))
# Two kinds of finding are about documents of other systems, and five about the code that serves: doctor and drift
# report them, health never does.
ELSEWHERE = ("PG025", "PG026", "PG028", "PG029", "PG030", "PG031", "PG032")


class Plant(NamedTuple):
    """A fault: the code to be found, a description, and how to plant it."""

    code: str
    fault: str
    plant: Callable[[ScratchPipeline], Outcomes]


def _miscounted(scene: ScratchPipeline) -> Outcomes:
    mirror = keys.mirror_key("scratch", f"loaded/{DATE}")
    return scene.run_normally().rewrite(mirror, lambda body: body["data"].update(_completed_count=0)).check()


def _unfired(scene: ScratchPipeline) -> Outcomes:
    scene.run_normally().rewrite(LOAD, lambda body: body.update(firings=[], outbox=[]))
    return scene.forget(REPORT).check()


def _unsent(scene: ScratchPipeline) -> Outcomes:
    scene.run_normally().rewrite(LOAD, lambda body: body["outbox"][0].update(state="unsent", sends=0))
    return scene.forget(REPORT).check()


def _unbegun(scene: ScratchPipeline) -> Outcomes:
    scene.run_normally().rewrite(LOAD, lambda body: body["outbox"][0].update(state="sent"))
    return scene.forget(REPORT).check()


def _unreported(scene: ScratchPipeline) -> Outcomes:
    def lose(body: Document) -> None:
        body["members"].pop("rows")
        body.update(firings=[], outbox=[])

    return scene.run_normally().rewrite(LOAD, lose).forget(REPORT).check()


def _changed(scene: ScratchPipeline) -> Outcomes:
    scene.run_normally().place.sql("UPDATE raw.rows SET amount = 3 WHERE day = ?", DATE)
    return scene.check()


def _absent(scene: ScratchPipeline) -> Outcomes:
    return scene.run_normally().forget(LOAD, REPORT).check()


def _quarantined(scene: ScratchPipeline) -> Outcomes:
    with scene.run_normally().open() as pipeline:
        body = {"kind": "completion", "step": "no_such", "run": RUN}
        pipeline.runs.quarantine.put("scratch.completions", body, reason="unknown step")
    return scene.check()


def _abandoned(scene: ScratchPipeline) -> Outcomes:
    def leave(body: Document) -> None:
        body.update(holder="dead", until=body["since"] + 60.0, purpose="write")

    return scene.run_normally().rewrite(LEASE, leave).check()


def _doubled(scene: ScratchPipeline) -> Outcomes:
    scene.run_normally().place.sql("INSERT INTO raw.rows SELECT * FROM raw.rows WHERE day = ?", DATE)
    return scene.check()


def _renamed(scene: ScratchPipeline) -> Outcomes:
    again = "INSERT INTO raw.rows SELECT * REPLACE (99 AS id) FROM raw.rows WHERE day = ? AND id = 0"
    scene.run_normally().place.sql(again, DATE)
    return scene.check()


def _stale(scene: ScratchPipeline) -> Outcomes:
    with scene.run_normally().open(clock=AFTERNOON) as pipeline:
        load(pipeline, 1, 3)
        pipeline.serve_one()  # the report begins again; its builds are requested, and no worker builds them
    return scene.check()


def _drifted(scene: ScratchPipeline) -> Outcomes:
    with scene.run_normally().open(clock=AFTERNOON) as pipeline:
        load(pipeline, 1, 3, date=EARLIER)
        pipeline.work_until_idle()
    return scene.check()


def _replanned(scene: ScratchPipeline) -> Outcomes:
    with scene.run_normally().open() as pipeline:
        pipeline.runs.mark_stale("report", Run(DATE, "daily"), step="totals")
    return scene.rewrite(REPORT, lambda body: body["gate"].update(hash="older")).check()


def _dead(scene: ScratchPipeline) -> Outcomes:
    def kill(body: Document) -> None:
        member = body["members"]["totals"]
        at = member["result"]["at"]
        member["stale"] = "unknown"
        member["attempt"] = {"status": "failed", "at": at, "error": "the disk was full", "count": 5}
        body["requests"]["totals"] = {
            "id": "request.scratch.report.gone", "inputs": member["result"]["built_from"], "state": "dead",
            "opened_at": at, "due": at,
        }  # fmt: skip

    return scene.run_normally().rewrite(REPORT, kill).check()


def _another_store(scene: ScratchPipeline) -> Outcomes:
    scene.run_normally().place.sql("UPDATE phasegate.fence SET store_id = 'another'")
    return scene.check()


def _unknown(scene: ScratchPipeline) -> Outcomes:
    return scene.run_normally().forget("calendar:scratch:dates:2026-02").check()


def _damaged(scene: ScratchPipeline) -> Outcomes:
    for file in scene.run_normally().place.folder.glob("*.duckdb"):
        file.write_bytes(b"this is no database" * 1_000)
    return scene.check()


def _postponed(scene: ScratchPipeline) -> Outcomes:
    def fail(body: Document) -> None:
        body["_failures"] = 4
        body["members"]["totals"]["stale"] = "unknown"

    return scene.run_normally().rewrite(REPORT, fail, days_due=DAYS_LATER + 2).check()


def _late(scene: ScratchPipeline) -> Outcomes:
    with scene.open(clock=AFTERNOON) as pipeline:
        load(pipeline, 1)
    return scene.check(work=True)


def _never(scene: ScratchPipeline) -> Outcomes:
    with scene.open() as pipeline:
        pipeline.runs.open("load", Run(DATE, "daily"))
    return scene.check(work=True)


def _overdue(scene: ScratchPipeline) -> Outcomes:
    with scene.open() as pipeline:
        pipeline.runs.open("load", Run(DATE, "daily"))
        with pipeline.begin(RUN, step="rows") as run:
            run.fail("the source is down")
    return scene.check(work=True)


def _ahead(scene: ScratchPipeline) -> Outcomes:
    with scene.open(days=DAYS_LATER + 1) as pipeline:
        load(pipeline, 1)
    return scene.check()


def _full(scene: ScratchPipeline) -> Outcomes:
    return scene.run_normally().check(disk=Disk(path=str(scene.place.folder), free=0, total=10**12))


def _uncovered(scene: ScratchPipeline) -> Outcomes:
    scene.run_normally().place.sql("DELETE FROM out.totals WHERE day = ?", DATE)
    return scene.check()


PLANTS = (
    Plant("PG001", "an old readers' document with a wrong count", _miscounted),
    Plant("PG002", "all reported, and not evaluated", _unfired),
    Plant("PG003", "fired, and the trigger never sent", _unsent),
    Plant("PG004", "a trigger that was sent and lost", _unbegun),
    Plant("PG005", "rows whose report was lost", _unreported),
    Plant("PG006", "rows that were changed past Phasegate", _changed),
    Plant("PG007", "a run that was never opened", _absent),
    Plant("PG008", "a message of an unknown step", _quarantined),
    Plant("PG009", "a lease that a crashed process left", _abandoned),
    Plant("PG010", "every row twice", _doubled),
    Plant("PG011", "one name under two ids", _renamed),
    Plant("PG012", "newer rows, and nothing is built of them", _stale),
    Plant("PG013", "a date of a window changed, too long ago to rebuild", _drifted),
    Plant("PG014", "an open run that follows an older plan", _replanned),
    Plant("PG015", "a build that was given up", _dead),
    Plant("PG016", "a warehouse that obeys another store", _another_store),
    Plant("PG017", "a calendar that was lost", _unknown),
    Plant("PG018", "the warehouse's file is damaged", _damaged),
    Plant("PG019", "a document whose processing raises", _postponed),
    Plant("PG020", f"rows that arrived at {AFTERNOON}, more than four hours after they were expected", _late),
    Plant("PG021", "a run that was opened, and whose rows never arrived", _never),
    Plant("PG022", "a phase that failed until its deadline had passed", _overdue),
    Plant("PG023", f"documents from a clock that is a day ahead, written at {MORNING}", _ahead),
    Plant("PG024", "a full disk", _full),
    Plant("PG027", "rows whose date another table lacks", _uncovered),
)
