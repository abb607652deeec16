"""A copied or restored store never writes beside the other: the fence names the holder, and `adopt` takes over."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from phasegate import ForeignStore, Pipeline
from phasegate.base.receipt import Part
from phasegate.write import lease
from phasegate.write.lease import WRITERS_MAX, Lease
from tests.support.day_sums import DAY, RUN, connected


@contextmanager
def opened(folder: Path, state: str = "one") -> Iterator[Pipeline]:
    """Open a store of its own name on the one warehouse."""
    pipeline = connected(folder, state=state, file="warehouse.duckdb")
    try:
        yield pipeline
    finally:
        pipeline.close()


def write(folder: Path, value: int, state: str = "one") -> None:
    with opened(folder, state) as pipeline:
        with pipeline.begin(str(RUN), step="a") as run:
            run.write([{"d": DAY, "k": 1, "v": value}])
            run.complete()
        pipeline.work_until_idle()


def back_up(folder: Path, to: str) -> None:
    (folder / to).mkdir()
    shutil.copy(folder / "one" / "phasegate.db", folder / to / "phasegate.db")


def restore(folder: Path, backup: str) -> None:
    for file in (folder / "one").glob("phasegate.db*"):
        file.unlink()
    shutil.copy(folder / backup / "phasegate.db", folder / "one" / "phasegate.db")


def values(pipeline: Pipeline) -> tuple[list[object], list[object]]:
    raw, sums = pipeline.query("SELECT v FROM raw.a"), pipeline.query("SELECT s FROM an.t")
    return [row["v"] for row in raw], [row["s"] for row in sums]


def test_of_two_copies_of_a_store_one_writes_and_the_other_is_refused_each_time(tmp_path: Path) -> None:
    write(tmp_path, 1)
    back_up(tmp_path, "two")
    write(tmp_path, 5)
    for _ in range(4):  # its tokens grow past the fence's, and it is refused all the same
        with pytest.raises(ForeignStore, match="copy of this store"):
            write(tmp_path, 6, state="two")
    write(tmp_path, 7)
    with opened(tmp_path) as pipeline:
        assert values(pipeline) == ([7], [7])


def test_a_restored_store_is_refused_until_it_adopts_and_then_has_what_the_tables_hold(tmp_path: Path) -> None:
    write(tmp_path, 1)
    back_up(tmp_path, "backup")
    write(tmp_path, 3)
    restore(tmp_path, "backup")
    for _ in range(3):
        with pytest.raises(ForeignStore, match="phasegate adopt"):
            write(tmp_path, 2)
    with opened(tmp_path) as pipeline:
        assert values(pipeline) == ([3], [3])
        found = [f.code for each in pipeline.checks.inspector.inspect(DAY, DAY) for f in each.findings]
        assert "PG016" in found
        adopted = pipeline.adopt()
        assert adopted.reported == {Part("raw.a", DAY): "accepted", Part("an.t", DAY): "accepted"}
        assert adopted.lost == {}
        pipeline.work_until_idle()
        assert values(pipeline) == ([3], [3])
    write(tmp_path, 1)
    with opened(tmp_path) as pipeline:
        assert values(pipeline) == ([1], [1])
        assert not [f for each in pipeline.checks.inspector.inspect(DAY, DAY, grace_s=0) for f in each.findings]


def test_after_a_copy_has_adopted_the_store_it_was_copied_from_is_refused(tmp_path: Path) -> None:
    write(tmp_path, 1)
    back_up(tmp_path, "two")
    with opened(tmp_path, "two") as pipeline:
        pipeline.adopt()
    with pytest.raises(ForeignStore):
        write(tmp_path, 2)
    write(tmp_path, 3, state="two")


def test_an_adoption_requests_rows_again_that_differ_from_their_receipt(tmp_path: Path) -> None:
    write(tmp_path, 4)
    with opened(tmp_path) as pipeline, pipeline.ports.warehouse.snapshot():
        pass
    import duckdb

    with duckdb.connect(tmp_path / "warehouse.duckdb") as connection:
        connection.execute("UPDATE an.t SET s = 40")
        connection.execute("UPDATE raw.a SET v = 4 WHERE v = 4")
    with opened(tmp_path) as pipeline:
        assert pipeline.adopt().lost == {Part("an.t", DAY): "requested again"}
        pipeline.work_until_idle()
        assert values(pipeline) == ([4], [4])


def test_a_warehouse_of_an_older_version_gets_the_holder_s_column(tmp_path: Path) -> None:
    write(tmp_path, 1)
    import duckdb

    with duckdb.connect(tmp_path / "warehouse.duckdb") as connection:
        connection.execute(
            "CREATE TABLE kept AS SELECT table_name, partition, store_id, token, changes FROM phasegate.fence"
        )
        connection.execute("DROP TABLE phasegate.fence")
        connection.execute("CREATE TABLE phasegate.fence (table_name VARCHAR NOT NULL, partition VARCHAR NOT NULL, "
                           "store_id VARCHAR NOT NULL, token BIGINT NOT NULL, changes BIGINT NOT NULL, "
                           "PRIMARY KEY (table_name, partition))")  # fmt: skip
        connection.execute("INSERT INTO phasegate.fence FROM kept")
        connection.execute("DROP TABLE kept")
    with opened(tmp_path) as pipeline:
        assert not [f for each in pipeline.checks.inspector.inspect(DAY, DAY, grace_s=0) for f in each.findings]
    write(tmp_path, 2)
    with opened(tmp_path) as pipeline:
        assert values(pipeline) == ([2], [2])


def test_a_holder_that_crashed_stays_known_and_one_that_wrote_nothing_does_not() -> None:
    state: Lease | None = None
    seen: list[tuple[str, ...]] = []
    for decide in (
        lease.acquire("crashed", ttl_s=60.0, now=0.0),
        lease.acquire("idle", ttl_s=60.0, now=100.0),
        lease.release("idle", token=2),
        lease.acquire("wrote", ttl_s=60.0, now=200.0),
        lease.release("wrote", token=3, fenced=True),
    ):
        state, _ = decide(state)
        assert state is not None
        seen.append(state.writers)
    assert seen == [("crashed",), ("crashed", "idle"), ("crashed",), ("crashed", "wrote"), ("wrote",)]


def test_a_holder_that_wrote_before_an_adoption_does_not_take_back_its_name() -> None:
    state: Lease | None = None
    for decide in (
        lease.acquire("wrote", ttl_s=60.0, now=0.0),
        lease.raise_to(1, holder="adopter"),
        lease.release("wrote", token=1, fenced=True),
        lease.acquire("next", ttl_s=60.0, now=10.0),
    ):
        state, _ = decide(state)
    assert state is not None
    assert state.writers == ("wrote", "adopter", "next")


def test_a_lease_keeps_a_bounded_number_of_holders_and_the_oldest_of_them() -> None:
    state: Lease | None = None
    for number in range(WRITERS_MAX + 50):
        state, _ = lease.acquire(f"h{number}", ttl_s=1.0, now=10.0 * number)(state)
    assert state is not None
    assert len(state.writers) == WRITERS_MAX
    assert (state.writers[0], state.writers[-1]) == ("h0", f"h{WRITERS_MAX + 49}")
