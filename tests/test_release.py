"""A release is made of what is committed, twice the same, and says what it lacks."""

import hashlib
import subprocess
import tarfile
from pathlib import Path

import pytest

from tools.release import NotReadyError, build, checksums, current, notes, release, section

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "phasegate"
version = "0.1.0"
"""
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n\n## [0.1.0] - 2026-01-01\n\n- All.\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Give a small project in git."""
    root = tmp_path / "clone"
    (root / "src" / "phasegate").mkdir(parents=True)
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "CHANGELOG.md").write_text(CHANGELOG)
    (root / ".gitignore").write_text("/dist/\n")
    (root / "src" / "phasegate" / "__init__.py").write_text('__version__ = "0.1.0"\n')
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    commit(root)
    return root


def commit(root: Path) -> None:
    for command in (["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "Change"]):
        subprocess.run(["git", *command], cwd=root, check=True)


def test_the_first_step_writes_version_and_changelog_and_nothing_else(clone: Path) -> None:
    assert release("0.2.0", tests="false", cyclonedx="false", root=clone) == 0
    assert current(clone) == "0.2.0"
    assert section((clone / "CHANGELOG.md").read_text(), "## [Unreleased]") == ""
    assert notes(clone, "0.2.0") == "### Added\n\n- A thing."
    assert notes(clone, "0.1.0") == "- All."
    assert not (clone / "dist").exists()


def test_the_second_step_makes_the_files_twice_the_same(clone: Path, tmp_path: Path) -> None:
    sdist, wheel = build(clone, tmp_path / "one")
    again = build(clone, tmp_path / "two")
    assert [file.read_bytes() for file in again] == [sdist.read_bytes(), wheel.read_bytes()]
    with tarfile.open(sdist) as archive:
        assert "phasegate-0.1.0/CHANGELOG.md" in archive.getnames()
    sums = checksums([sdist, wheel]).read_text().splitlines()
    assert sums[1] == f"{hashlib.sha256(sdist.read_bytes()).hexdigest()}  {sdist.name}"


def test_tests_that_fail_in_the_sdist_end_it(clone: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NotReadyError, match="exit 7 from: bash -c ls && exit 7"):
        release("0.1.0", tests="ls && exit 7", cyclonedx="false", root=clone)
    assert "CHANGELOG.md" in capfd.readouterr().err
    assert not (clone / "dist" / "SHA256SUMS").exists()


@pytest.mark.parametrize("version", ["0.1.0a1", "0.0.9", "next", "v0.2.0", ""])
def test_a_version_that_is_none_or_not_newer_is_refused(clone: Path, version: str) -> None:
    with pytest.raises(NotReadyError, match=r"is no version after 0\.1\.0"):
        release(version, tests="true", cyclonedx="true", root=clone)


def test_what_is_not_ready_is_said(clone: Path) -> None:
    (clone / "new").write_text("")
    with pytest.raises(NotReadyError, match="the tree has changes"):
        release("0.2.0", tests="true", cyclonedx="true", root=clone)
    (clone / "new").unlink()
    (clone / "CHANGELOG.md").write_text("## [Unreleased]\n\n## [0.0.1] - 2026-01-01\n\n- All.\n")
    commit(clone)
    with pytest.raises(NotReadyError, match=r"nothing under \[Unreleased\]"):
        release("0.2.0", tests="true", cyclonedx="true", root=clone)
    with pytest.raises(NotReadyError, match=r"no section \[0\.1\.0\]"):
        release("0.1.0", tests="true", cyclonedx="true", root=clone)
    (clone / "pyproject.toml").write_text(PYPROJECT.replace("0.1.0", "0.1.1"))
    commit(clone)
    with pytest.raises(NotReadyError, match="the versions differ"):
        release("0.1.1", tests="true", cyclonedx="true", root=clone)
