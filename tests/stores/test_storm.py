"""A short storm: workers, reporters and the server are killed, and the end is as undisturbed."""

from collections import Counter

import pytest

from benchmarks import storm
from benchmarks.storm_houses import OnGoogle, OnPostgres
from benchmarks.storm_scene import End, differences

CALM = End(tables={"a.b": (1, "d")}, states={"raw of x": "complete"}, dead=frozenset({"request c x"}), findings=())


@pytest.mark.slow
@pytest.mark.parametrize("where", ["postgresql", "google --workers 0 --services 2"], ids=["postgresql", "google"])
def test_killed_processes_and_servers_leave_what_an_undisturbed_pipeline_leaves(
    where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    storm.main(["--seconds", "8", "--on", *where.split()])
    counts = Counter(dict(map(counted, capsys.readouterr().out.splitlines())))
    blows = (*OnPostgres.blows, *OnGoogle.blows)
    assert counts["workers killed"] + counts["services killed"] + counts["services that ended as asked"] >= 2
    assert sum(counts[blow] for blow in blows) >= 1, "a storm that hits no server shows nothing"
    assert counts["dead letters, of reported failures"] == 1
    assert counts["differs from undisturbed"] == 0


def counted(line: str) -> tuple[str, int]:
    name, _, number = line.rpartition(" ")
    return name.strip(), int(number)


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
