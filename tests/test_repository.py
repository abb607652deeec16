"""Which build a process is: as it was given, else by git, else what is installed."""

from pathlib import Path

import pytest

from phasegate import __version__
from phasegate.build import BUILD_MAX, parse_build
from phasegate.repository import ProcessBuild, build_of_tree, lock_digest
from tests.support.repositories import Repository


def test_a_tree_is_its_commit_its_changes_and_its_lock_file(tmp_path: Path) -> None:
    made = Repository(tmp_path / "made")
    assert build_of_tree(made.folder) == "", "nothing is committed yet"
    first = made.commit("one", plan="a")
    assert build_of_tree(made.folder) == first
    made.write("notes", "git does not track it")
    assert build_of_tree(made.folder) == first
    made.write("requirements.lock", "phasegate==1\n")
    lock = lock_digest(b"phasegate==1\n")
    assert build_of_tree(made.folder, service="scores") == f"scores@{first}.{lock}"
    made.write("plan", "b")
    changed = parse_build(build_of_tree(made.folder))
    assert (changed.commit, changed.dirty, changed.lock) == (first, True, lock)


def test_the_given_build_is_taken_and_git_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Repository(tmp_path / "made")
    commit = made.commit("one", plan="a")
    given = ProcessBuild("3f2a9c1", folder=made.folder, environ={})
    assert (given.known, given.name()) == ("3f2a9c1", "3f2a9c1")
    asked = ProcessBuild(None, folder=made.folder, environ={})
    assert asked.known == "", "git takes time, so it is asked when a name is needed"
    assert (asked.name(), asked.known) == (commit, commit)
    monkeypatch.setenv("PATH", "")
    assert asked.name() == commit, "it was asked once"


def test_without_a_repository_or_without_git_it_is_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = f"v{__version__}"
    assert ProcessBuild(None, folder=tmp_path, environ={}).name() == installed
    assert ProcessBuild(None, folder=tmp_path / "absent", environ={}).name() == installed
    made = Repository(tmp_path / "made")
    made.commit("one", plan="a")
    monkeypatch.setenv("PATH", "")
    assert ProcessBuild(None, folder=made.folder, environ={}).name() == installed


@pytest.mark.parametrize(
    ("given", "service", "name"),
    [
        ("3f2a9c1", "scores", "scores@3f2a9c1"),
        ("odds@3f2a9c1", "scores", "odds@3f2a9c1"),
        ("release-7", "scores", "scores@release-7"),
        ("3f2a9c1", "not a name", "3f2a9c1"),
        ("x" * BUILD_MAX, "scores", "x" * BUILD_MAX),
    ],
)
def test_the_service_of_cloud_run_is_added_where_none_is_named(given: str, service: str, name: str) -> None:
    assert ProcessBuild(given, folder=Path(), environ={"K_SERVICE": service}).name() == name
