"""The contract of ports.Warehouse on BigQuery's stand-in, and what this adapter promises besides.

Each script that is run is judged by Google's own analyser too. A commit runs the cases in CHOSEN;
``BIGQUERY_CONTRACT=all`` runs the whole contract, and ``BIGQUERY_CONTRACT_PROJECT`` names a project of Google's to run
it in: its dataset ``contract`` is deleted.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from msgspec.structs import replace

from phasegate.base.receipt import Fence
from phasegate.errors import Ambiguous, BadInput, Unavailable
from phasegate.testing.warehouse_contract import WarehouseContract
from phasegate.testing.warehouse_fences import PART
from phasegate.testing.warehouse_rows import (
    DAY,
    GAMES,
    LINES,
    STORE,
    TYPED,
    commit,
    counts,
    fence,
    game,
    prepare,
    typed_rows,
    write,
)
from phasegate.warehouse import FenceRefused, Written
from phasegate.warehouses.bigquery import jobs as jobs_module
from phasegate.warehouses.bigquery import rows as rows_module
from phasegate.warehouses.bigquery.dialect import stored_word
from phasegate.warehouses.bigquery.jobs import Done, Job, Jobs, Running
from phasegate.warehouses.bigquery.warehouse import BigQueryWarehouse, create_own_tables
from tests.support.bigquery import PROJECT, REAL, bigquery_server
from tests.support.commands import RUN, Night
from tests.support.googlesql import Analyser, Scripts

pytestmark = pytest.mark.slow

CHOSEN = {
    "test_a_write_that_is_refused_leaves_nothing",
    "test_inputs_that_moved_after_the_staging_are_not_written",
    "test_the_stamps_of_a_staging_are_of_the_snapshot_of_its_rows",
    "test_receipts_and_rows_are_of_one_snapshot",
    "test_a_receipt_comes_back_whole",
    "test_replace_counts_by_key_and_content",
    "test_merge_adds_and_replaces_by_key",
    "test_a_tombstone_deletes_and_is_never_stored",
    "test_an_older_delivery_of_a_group_deletes_and_restores_nothing",
    "test_the_fingerprint_equals_the_reference",
    "test_a_write_that_breaks_an_identity_changes_nothing",
    "test_a_write_with_other_sums_than_a_rule_says_changes_nothing",
    "test_keys_that_another_table_lacks_are_named_by_partition",
    "test_a_holder_that_the_store_does_not_know_cannot_change_the_fence",
    "test_of_two_stagings_of_one_partition_the_older_token_is_refused",
    "test_an_adopted_warehouse_has_no_room_for_another_store",
    "test_a_new_column_and_a_wider_type_change_no_fingerprint",
    "test_a_removed_column_and_another_type_are_named",
    "test_rows_staged_before_a_change_of_columns_conflict",
    "test_an_interrupted_staging_fails",
}

LINES_LIKE_GAMES = replace(GAMES, name=LINES.name)


@pytest.fixture(scope="module")
def server(monkeypatch_module: pytest.MonkeyPatch) -> Iterator[str]:
    with bigquery_server() as address:
        if address:
            monkeypatch_module.setenv("BIGQUERY_EMULATOR_HOST", address)
        yield address


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser()


@pytest.fixture
def warehouse(server: str, analyser: Analyser, monkeypatch: pytest.MonkeyPatch) -> Iterator[BigQueryWarehouse]:
    assert bool(server) or REAL, "it is where the client looks"
    made, scripts = BigQueryWarehouse(f"bigquery://{PROJECT}/phasegate_{uuid4().hex[:8]}"), Scripts(analyser)
    run = Jobs.run

    def recorded(self: Jobs, job: Job, /, *, running: Running | None = None) -> Done:
        done = run(self, job, running=running)
        scripts.ran(job)
        return done

    monkeypatch.setattr(Jobs, "run", recorded)
    yield made
    for name in ("contract", "nba", made.jobs.address.dataset):
        made.jobs.client.delete_dataset(f"{PROJECT}.{name}", delete_contents=True, not_found_ok=True)
    made.close()
    scripts.judge()


class TestBigQueryWarehouse(WarehouseContract):
    def select_all(self, table_name: str, /) -> str:
        return f"SELECT * FROM {table_name}"

    def stored_type(self, declared: str, /) -> str:
        return stored_word(declared)


for name in dir(WarehouseContract):
    if name.startswith("test_") and name not in CHOSEN and os.environ.get("BIGQUERY_CONTRACT") != "all":
        setattr(TestBigQueryWarehouse, name, None)


def test_every_chosen_case_is_one_of_the_contract() -> None:
    assert {name for name in dir(WarehouseContract) if name in CHOSEN} == CHOSEN


def jobs_of(warehouse: BigQueryWarehouse, work: Callable[[], object]) -> int:
    """Count the jobs that some work runs."""
    before = warehouse.jobs.count
    work()
    return warehouse.jobs.count - before


def test_a_write_is_two_jobs_and_one_more_of_a_new_partition(warehouse: BigQueryWarehouse) -> None:
    again = [partial(write, warehouse, GAMES, [game("a", n)], token=n) for n in (1, 2)]
    assert [jobs_of(warehouse, one) for one in again] == [3, 2]
    sql = f"SELECT * FROM {GAMES.name} WHERE game_date = CAST($run_date AS DATE)"

    def copy(token: int) -> None:
        prepare(warehouse, LINES_LIKE_GAMES, sql=sql)
        assert isinstance(commit(warehouse, LINES_LIKE_GAMES, sql=sql, token=token), Written)

    assert [jobs_of(warehouse, partial(copy, token)) for token in (1, 2)] == [3, 2]


def test_a_table_has_the_partitions_and_the_clusters_of_its_plan(warehouse: BigQueryWarehouse) -> None:
    prepare(warehouse, GAMES)
    found = warehouse.jobs.client.get_table(f"{PROJECT}.{GAMES.name}")
    assert (found.time_partitioning.field, found.time_partitioning.type_) == ("game_date", "DAY")
    assert found.clustering_fields == ["player"]


def test_a_job_says_what_it_is_for(warehouse: BigQueryWarehouse) -> None:
    write(warehouse, GAMES, [game("a")], write_id="w:1")
    jobs = {job.job_id: job for job in warehouse.jobs.client.list_jobs(max_results=20)}
    (written,) = (job for name, job in jobs.items() if name.startswith("phasegate_w-1_"))
    assert written.labels == {"phasegate": "commit", "phasegate-table": "contract-games", "phasegate-step": "step"}


class Cut:
    """A network that loses answers: a request is done, and nothing comes back."""

    def __init__(self, warehouse: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch, *, times: int) -> None:
        self._http = warehouse.jobs.client._http
        self._request, self._times, self.lost = self._http.request, times, 0
        monkeypatch.setattr(self._http, "request", self.request)

    def request(self, method: str, url: str, **options: Any) -> Any:
        answer = self._request(method, url, **options)
        if "phasegate_cut-" in f"{url}{options.get('data')}" and self.lost < self._times:
            self.lost += 1
            if method == "POST" and answer.ok:
                self._wait(f"{url.partition('?')[0]}/{answer.json()['jobReference']['jobId']}")
            raise requests.ConnectionError("the answer is lost")
        return answer

    def _wait(self, job: str) -> None:
        """Wait until a job has ended."""
        while self._request("GET", job).json()["status"]["state"] != "DONE":
            pass


def test_an_unanswered_commit_is_found_by_its_job_and_not_run_again(
    warehouse: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(warehouse, GAMES, [game("a")])
    monkeypatch.setattr(jobs_module, "PAUSE_S", 0.0)
    cut = Cut(warehouse, monkeypatch, times=2)
    receipt = write(warehouse, GAMES, [game("b")], token=2, write_id="cut-1")
    assert (cut.lost, receipt.inserted, receipt.deleted) == (2, 1, 1)
    assert sum("phasegate_cut-1_" in job.job_id for job in warehouse.jobs.client.list_jobs(max_results=20)) == 1


def test_a_commit_without_any_answer_is_ambiguous_and_found_by_its_receipt(
    warehouse: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(warehouse, GAMES, [game("a")])
    monkeypatch.setattr(jobs_module, "PAUSE_S", 0.0)
    with monkeypatch.context() as while_cut:
        Cut(warehouse, while_cut, times=1_000)
        with pytest.raises(Ambiguous, match="may or may not"):
            write(warehouse, GAMES, [game("b")], token=2, write_id="cut-2")
    found = warehouse.find_write("cut-2")
    assert found is not None
    assert found.inserted == 1


def test_more_rows_than_a_request_takes_are_loaded(
    warehouse: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = typed_rows(1, 40)
    by_parameter = write(warehouse, TYPED, rows)
    monkeypatch.setattr(rows_module, "PARAMETER_BYTES_MAX", 1_000)
    again = []
    assert jobs_of(warehouse, lambda: again.append(write(warehouse, TYPED, rows, token=2))) == 3
    assert (again[0].fingerprint, again[0].unchanged) == (by_parameter.fingerprint, 40)
    left = [one.table_id for one in warehouse.jobs.client.list_tables(f"{PROJECT}.{warehouse.jobs.address.dataset}")]
    assert not [name for name in left if "stage" in name or "rows" in name]


def test_a_deleted_fence_table_is_named_and_made_again(warehouse: BigQueryWarehouse) -> None:
    write(warehouse, GAMES, [game("a")])
    name = f"{PROJECT}.{warehouse.jobs.address.dataset}.phasegate_fence_contract-games"
    warehouse.jobs.client.delete_table(name)
    with pytest.raises(Unavailable, match=r"the fence table of contract\.games is gone"):
        counts(warehouse, GAMES, [game("b")])
    prepare(warehouse, GAMES)
    # It goes on from the receipts: who held an older token is refused.
    assert commit(warehouse, GAMES, [game("b")], token=0) == FenceRefused(Fence(1, STORE))
    assert write(warehouse, GAMES, [game("b")], token=2, write_id="w:2").inserted == 1


def test_an_adoption_makes_a_lost_fence_table_again(warehouse: BigQueryWarehouse) -> None:
    write(warehouse, GAMES, [game("a")], token=3)
    warehouse.jobs.client.delete_table(f"{PROJECT}.{warehouse.jobs.address.dataset}.phasegate_fence_contract-games")
    with warehouse.snapshot() as reader:
        assert (reader.fences(first=DAY, last=DAY), {*reader.receipts([PART])}) == ({}, {PART})
    assert warehouse.adopt(None, store_id="new", holder="h") == {PART: 3}
    assert fence(warehouse, PART) == Fence(3, "new", "h")
    assert commit(warehouse, GAMES, [game("b")], token=4) == FenceRefused(Fence(3, "new", "h"))


def test_only_one_select_is_a_query(warehouse: BigQueryWarehouse) -> None:
    with warehouse.snapshot() as reader:
        assert reader.query("SELECT ';' AS a;", {}) == [{"a": ";"}]
        for sql in ("DROP TABLE contract.games", "SELECT 1; DROP TABLE contract.games"):
            with pytest.raises(BadInput, match="must be one SELECT"):
                reader.query(sql, {})


def test_its_own_tables_are_created_once(server: str) -> None:
    assert bool(server) or REAL
    url = f"bigquery://{PROJECT}/phasegate_{uuid4().hex[:8]}"
    assert [create_own_tables(url) for _ in range(2)] == [(url, 0, 1), (url, 1, 1)]


@pytest.fixture
def night(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Night]:
    """Give a pipeline with its documents in a file and its tables in BigQuery."""
    assert bool(server) or REAL
    night, url = Night.empty(tmp_path, monkeypatch, capsys), f"bigquery://{PROJECT}/phasegate_{uuid4().hex[:8]}"
    monkeypatch.setenv("PHASEGATE_WAREHOUSE", url)
    yield night
    with closing(BigQueryWarehouse(url)) as made:
        for name in ("nba_raw", "nba_analytics", made.jobs.address.dataset):
            made.jobs.client.delete_dataset(f"{PROJECT}.{name}", delete_contents=True, not_found_ok=True)


def test_a_night_with_its_tables_in_bigquery_ends_clean(night: Night) -> None:
    night.whole()
    assert night("reconcile", "--from", RUN[:10], "--to", RUN[:10]).code == 0
    found = night("query", "SELECT count(*) AS n FROM nba_analytics.player_game", "--json")
    assert found.code == 0, found.err
    assert found.json["rows"] == [{"n": 10}]
    cost = night("plan", "check", "--cost", RUN[:10], "--json")
    assert cost.code == 0, cost.err
    assert cost.json["bytes_read"] == {"player_game": 0}
    assert night("plan", "check", "--cost").out.splitlines()[-1] == "the SELECTs of a date read 0.0 MB in BigQuery"
    assert "wanted a date" in night("plan", "check", "--cost", "soon").err
    assert night("tables").code == 0
