"""A backfill by a build that is older than what built the tables warns."""

from pathlib import Path

import pytest

from phasegate.build import Build, parse_build
from phasegate.drift.stale import last_builds, warning_of
from phasegate.repository import GitHistory
from tests.support.pipelines import DAY, Shop, load, settle, shop
from tests.support.repositories import Repository

TABLE = "out.totals"


def built(*builds: str) -> dict[str, Build]:
    return {f"{TABLE}{number or ''}": parse_build(build) for number, build in enumerate(builds)}


def test_behind_dirty_and_unknown_are_named_and_the_same_or_a_newer_one_is_fine(tmp_path: Path) -> None:
    made = Repository(tmp_path / "made")
    first, second = made.commit("one", a="1"), made.commit("two", a="2")
    history = GitHistory(made.folder)
    ours = parse_build(f"scores@{first}")
    assert warning_of(ours, built(first, f"odds@{first}"), history) == ""
    assert warning_of(parse_build(second), built(first, "v1.2.0"), history) == ""
    assert warning_of(ours, {}, history) == warning_of(ours, {}, None) == ""
    behind = f"this process runs {first[:12]}, 1 commit behind {second[:12]}, which built {TABLE}1; update it first"
    assert warning_of(ours, built(first, second), history) == behind
    dirty = warning_of(parse_build(f"{second}+dirty"), built(second), history)
    assert dirty == f"this process runs changed files, beside commit {second[:12]}; commit them first"
    unknown = f"this process runs v1.3.0, whose commit is unknown here, and {TABLE} was built by v1.2.0"
    assert warning_of(parse_build("v1.3.0"), built("v1.2.0"), None) == unknown
    assert warning_of(parse_build("v1.2.0"), built("v1.2.0"), None) == ""
    assert "0badf00, whose commit is unknown here" in warning_of(parse_build("0badf00"), built(first), history)


def test_the_last_build_of_a_table_is_that_of_its_newest_receipt(monkeypatch: pytest.MonkeyPatch) -> None:
    made = shop()
    load(made, 1)
    settle(made)
    assert found(made) == {}, "no receipt names one"
    monkeypatch.setattr(made.pipeline.ports.build, "known", "scores@3f2a9c1")
    load(made, 1, 2)
    settle(made)
    assert found(made) == {TABLE: "scores@3f2a9c1"}, "and not of what another job writes"


def found(made: Shop) -> dict[str, str]:
    pipeline = made.pipeline
    with pipeline.ports.warehouse.snapshot() as reader:
        return {table: one.text for table, one in last_builds(pipeline.plan, reader, first=DAY, last=DAY).items()}
