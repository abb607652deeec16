"""A short storm: workers, reporters and the server are killed, and the end is as undisturbed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.storm import storm
from benchmarks.storm_scene import End, differences
from tests.support.postgres import PostgresServer, system_server

SECONDS = 7.0
CALM = End(tables={"a.b": (1, "d")}, states={"raw of x": "complete"}, dead=frozenset({"request c x"}), findings=())


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """Give a server of its own: the other tests must not see it killed."""
    with system_server() as started:
        yield started


@pytest.mark.slow
def test_killed_workers_reporters_and_servers_leave_what_an_undisturbed_pipeline_leaves(
    server: PostgresServer, tmp_path: Path
) -> None:
    counts, wrong = storm(server, tmp_path, seconds=SECONDS, seed=1)
    assert wrong == []
    assert counts["workers killed"] >= 3, "a storm that kills nothing shows nothing"
    assert counts["servers shut down immediately"] + counts["backends killed"] >= 1
    assert counts["dead letters, of reported failures"] == 1


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (End(tables={"a.b": (1, "e")}, states=CALM.states, dead=CALM.dead, findings=()), "a.b: (1, 'e')"),
        (End(tables=CALM.tables, states={"raw of x": "waiting"}, dead=CALM.dead, findings=()), "raw of x is waiting"),
        (End(tables=CALM.tables, states=CALM.states, dead=frozenset({"request c x", "message m"}), findings=()),
         "nothing reported a failure: message m"),
        (End(tables=CALM.tables, states=CALM.states, dead=frozenset(), findings=()), "it is not dead: request c x"),
        (End(tables=CALM.tables, states=CALM.states, dead=CALM.dead, findings=("PG001: lost",)), "PG001: lost"),
    ],
    ids=["table", "state", "dead", "alive", "finding"],
)  # fmt: skip
def test_each_difference_is_named(end: End, text: str) -> None:
    assert list(differences(CALM, CALM)) == []
    [found] = differences(end, CALM)
    assert text in found
