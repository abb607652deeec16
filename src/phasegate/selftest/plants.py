"""The faults that the self-test plants, one function each: what was lost, changed or left, and a look at it."""

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

Looks = tuple[CheckResult, ...]
LEASE = keys.lease_key("main", Part("raw.rows", DATE))
# Two kinds of finding are about documents that Phasegate has not written: doctor reports them, health never does.
ELSEWHERE = ("PG025", "PG026")


class Plant(NamedTuple):
    """A fault: the code that must be found, what it is, and how it comes about."""

    code: str
    fault: str
    plant: Callable[[ScratchPipeline], Looks]


def _miscounted(scene: ScratchPipeline) -> Looks:
    mirror = keys.mirror_key("scratch", f"loaded/{DATE}")
    return scene.play().rewrite(mirror, lambda body: body["data"].update(_completed_count=0)).look()


def _unfired(scene: ScratchPipeline) -> Looks:
    scene.play().rewrite(LOAD, lambda body: body.update(firings=[], outbox=[]))
    return scene.forget(REPORT).look()


def _unsent(scene: ScratchPipeline) -> Looks:
    scene.play().rewrite(LOAD, lambda body: body["outbox"][0].update(state="unsent", sends=0))
    return scene.forget(REPORT).look()


def _unbegun(scene: ScratchPipeline) -> Looks:
    scene.play().rewrite(LOAD, lambda body: body["outbox"][0].update(state="sent"))
    return scene.forget(REPORT).look()


def _unreported(scene: ScratchPipeline) -> Looks:
    def lose(body: Document) -> None:
        body["members"].pop("rows")
        body.update(firings=[], outbox=[])

    return scene.play().rewrite(LOAD, lose).forget(REPORT).look()


def _changed(scene: ScratchPipeline) -> Looks:
    scene.play().place.sql("UPDATE raw.rows SET amount = 3 WHERE day = ?", DATE)
    return scene.look()


def _absent(scene: ScratchPipeline) -> Looks:
    return scene.play().forget(LOAD, REPORT).look()


def _quarantined(scene: ScratchPipeline) -> Looks:
    with scene.play().open() as pipeline:
        body = {"kind": "completion", "step": "no_such", "run": RUN}
        pipeline.runs.quarantine.put("scratch.completions", body, reason="unknown step")
    return scene.look()


def _left(scene: ScratchPipeline) -> Looks:
    def leave(body: Document) -> None:
        body.update(holder="dead", until=body["since"] + 60.0, purpose="write")

    return scene.play().rewrite(LEASE, leave).look()


def _doubled(scene: ScratchPipeline) -> Looks:
    scene.play().place.sql("INSERT INTO raw.rows SELECT * FROM raw.rows WHERE day = ?", DATE)
    return scene.look()


def _renamed(scene: ScratchPipeline) -> Looks:
    again = "INSERT INTO raw.rows SELECT * REPLACE (99 AS id) FROM raw.rows WHERE day = ? AND id = 0"
    scene.play().place.sql(again, DATE)
    return scene.look()


def _stale(scene: ScratchPipeline) -> Looks:
    with scene.play().open(clock=AFTERNOON) as pipeline:
        load(pipeline, 1, 3)
        pipeline.serve_one()  # the report begins anew; its builds are asked for, and nobody comes
    return scene.look()


def _drifted(scene: ScratchPipeline) -> Looks:
    with scene.play().open(clock=AFTERNOON) as pipeline:
        load(pipeline, 1, 3, date=EARLIER)
        pipeline.work_until_idle()
    return scene.look()


def _replanned(scene: ScratchPipeline) -> Looks:
    with scene.play().open() as pipeline:
        pipeline.runs.doubt("report", Run(DATE, "daily"), step="totals")
    return scene.rewrite(REPORT, lambda body: body["gate"].update(hash="older")).look()


def _dead(scene: ScratchPipeline) -> Looks:
    def kill(body: Document) -> None:
        member = body["members"]["totals"]
        member["unsure"] = True
        body["requests"]["totals"] = {
            "id": "request.scratch.report.gone", "inputs": member["result"]["built_from"], "state": "dead",
            "opened_at": member["result"]["at"], "due": member["result"]["at"], "reason": "the disk was full",
            "failures": 5,
        }  # fmt: skip

    return scene.play().rewrite(REPORT, kill).look()


def _another_store(scene: ScratchPipeline) -> Looks:
    scene.play().place.sql("UPDATE phasegate.fence SET store_id = 'another'")
    return scene.look()


def _unknown(scene: ScratchPipeline) -> Looks:
    return scene.play().forget("calendar:scratch:dates:2026-02").look()


def _damaged(scene: ScratchPipeline) -> Looks:
    for file in scene.play().place.folder.glob("*.duckdb"):
        file.write_bytes(b"this is no database" * 1_000)
    return scene.look()


def _put_off(scene: ScratchPipeline) -> Looks:
    def fail(body: Document) -> None:
        body["_failures"] = 4
        body["members"]["totals"]["unsure"] = True

    return scene.play().rewrite(REPORT, fail, days_due=DAYS_LATER + 2).look()


def _late(scene: ScratchPipeline) -> Looks:
    with scene.open(clock=AFTERNOON) as pipeline:
        load(pipeline, 1)
    return scene.look(work=True)


def _never(scene: ScratchPipeline) -> Looks:
    with scene.open() as pipeline:
        pipeline.runs.open("load", Run(DATE, "daily"))
    return scene.look(work=True)


def _overdue(scene: ScratchPipeline) -> Looks:
    with scene.open() as pipeline:
        pipeline.runs.open("load", Run(DATE, "daily"))
        with pipeline.begin(RUN, step="rows") as run:
            run.fail("the source is down")
    return scene.look(work=True)


def _ahead(scene: ScratchPipeline) -> Looks:
    with scene.open(days=DAYS_LATER + 1) as pipeline:
        load(pipeline, 1)
    return scene.look()


def _full(scene: ScratchPipeline) -> Looks:
    return scene.play().look(disk=Disk(path=str(scene.place.folder), free=0, total=10**12))


PLANTS = (
    Plant("PG001", "an old readers' document with a count that lies", _miscounted),
    Plant("PG002", "all reported, and nobody looked whether to fire", _unfired),
    Plant("PG003", "fired, and the trigger never sent", _unsent),
    Plant("PG004", "a trigger that was sent and lost", _unbegun),
    Plant("PG005", "rows whose report was lost", _unreported),
    Plant("PG006", "rows that somebody changed past Phasegate", _changed),
    Plant("PG007", "a run that was never opened", _absent),
    Plant("PG008", "a message of an unknown step", _quarantined),
    Plant("PG009", "a lease that a dead process left", _left),
    Plant("PG010", "every row twice", _doubled),
    Plant("PG011", "one name under two ids", _renamed),
    Plant("PG012", "newer rows, and nobody builds on them", _stale),
    Plant("PG013", "a date of a window changed, too long ago to build anew", _drifted),
    Plant("PG014", "an open run that follows an older plan", _replanned),
    Plant("PG015", "a build that was given up", _dead),
    Plant("PG016", "a warehouse that obeys another store", _another_store),
    Plant("PG017", "a calendar that was lost", _unknown),
    Plant("PG018", "the warehouse's file is damaged", _damaged),
    Plant("PG019", "a document whose handling raises", _put_off),
    Plant("PG020", f"rows that came at {AFTERNOON}, four hours and more after they were expected", _late),
    Plant("PG021", "a run that was opened, and whose rows never came", _never),
    Plant("PG022", "a phase that failed until its deadline had passed", _overdue),
    Plant("PG023", f"documents from a clock that is a day ahead, written at {MORNING}", _ahead),
    Plant("PG024", "a full disk", _full),
)
