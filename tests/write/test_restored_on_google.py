"""On Firestore and BigQuery: a restored export, a second project on the same dataset, a deleted fence table.

Each is refused, found by the checks, and mended by what the finding says.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from phasegate import ForeignStore, Pipeline, Unavailable, connect, load_plan
from phasegate.check.fixes import fixes_of
from phasegate.store import Doc
from phasegate.warehouses.bigquery.warehouse import BigQueryWarehouse
from tests.support.bigquery import PROJECT, bigquery_server
from tests.support.google import new_project

DAY, RUN, DATASET = "2026-02-03", "2026-02-03.daily", "restored"
PLAN = load_plan("""
pipeline = "nba"
timezone = "UTC"
[phase.raw]
[step.a]
phase = "raw"
external = true
table = "restored.a"
key = ["d", "k"]
partition = "d"
write = "replace"
columns = { d = "DATE", k = "BIGINT", v = "BIGINT" }
""")


@pytest.fixture
def bigquery(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with bigquery_server() as address:
        if address:
            monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", address)
        yield


def write(pipeline: Pipeline, value: int) -> None:
    with pipeline.begin(RUN, step="a") as run:
        run.write([{"d": DAY, "k": 1, "v": value}])
        run.complete()


def stored(pipeline: Pipeline) -> list[dict[str, object]]:
    return list(pipeline.query("SELECT v FROM restored.a"))


def found(pipeline: Pipeline) -> str:
    """Return the text of what the fences show, and mend it by what the finding says."""
    (text,) = (
        one.text
        for check in pipeline.checks.inspector.inspect(DAY, DAY, grace_s=0)
        for one in check.findings
        if one.code == "PG016" and one.command.endswith("phasegate adopt --yes") and fixes_of(one)
    )
    pipeline.adopt()
    return text


def exported(pipeline: Pipeline) -> list[Doc]:
    return list(pipeline.ports.store.scan("", limit=1_000))


def put_back(pipeline: Pipeline, docs: list[Doc]) -> None:
    """Write exported documents over those of today, as an import does; later ones stay."""
    store = pipeline.ports.store
    for doc in docs:
        now = store.read(doc.key)
        store.write(doc.key, doc.body, due=doc.due, expect=None if now is None else now.version)


def opened(folder: Path, stack: ExitStack) -> Pipeline:
    """Open a pipeline whose documents are in a project of its own."""
    project = new_project()
    pipeline = connect(PLAN, state=folder / project, store=f"firestore://{project}", log_level="none",
                       warehouse=f"bigquery://{PROJECT}/{DATASET}")  # fmt: skip
    stack.callback(pipeline.close)
    return pipeline


@pytest.mark.slow
@pytest.mark.usefixtures("firestore", "bigquery")
def test_what_was_lost_is_refused_found_and_mended(tmp_path: Path) -> None:
    with ExitStack() as stack:
        first = opened(tmp_path, stack)
        write(first, 1)
        export = exported(first)
        write(first, 2)

        put_back(first, export)
        with pytest.raises(ForeignStore, match="phasegate adopt"):
            write(first, 3)
        assert found(first).startswith("1 partition was written by a copy of this store")
        assert stored(first) == [{"v": 2}]
        write(first, 3)

        second = opened(tmp_path, stack)
        with pytest.raises(ForeignStore, match=f"is fenced by store {first.store_id}"):
            write(second, 4)
        assert found(second).startswith(f"1 partition obeys store {first.store_id}")
        write(second, 4)
        with pytest.raises(ForeignStore, match=f"is fenced by store {second.store_id}"):
            write(first, 5)

        warehouse = second.ports.warehouse
        assert isinstance(warehouse, BigQueryWarehouse)
        warehouse.jobs.client.delete_table(f"{PROJECT}.{DATASET}.phasegate_fence_{DATASET}-a")
        with pytest.raises(Unavailable, match=r"the fence table of restored\.a is gone"):
            write(second, 6)
        assert found(second) == "1 partition has no fence row any more: any store may write there"
        with pytest.raises(ForeignStore, match=f"is fenced by store {second.store_id}"):
            write(first, 7)
        write(second, 8)
        assert stored(second) == [{"v": 8}]
