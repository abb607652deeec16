"""Make a release: `make release VERSION=0.2.0`, in two steps, since a person reads what is committed in between.

First, on a clean tree whose version is older, the version is written into `pyproject.toml`, `src/phasegate/__init__.py`
and `CHANGELOG.md`, and that is all: read the difference, and commit it.

Then, on a clean tree of that version, the files are made in `dist/`: the sdist and the wheel, each built twice from
what is committed and equal byte for byte; the tests are run from the unpacked sdist; a list of what an installed wheel
brings along (SBOM, CycloneDX); and the checksums. Nothing is published: the commands for that are printed.
"""

import argparse
import filecmp
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from packaging.version import InvalidVersion, Version

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
UNRELEASED = "## [Unreleased]"
PLACES = (("pyproject.toml", r'^version = "([^"]+)"$'), ("src/phasegate/__init__.py", r'^__version__ = "([^"]+)"$'))


class NotReadyError(Exception):
    """A release cannot be made now; the text says what to do."""


def main() -> int:
    """Return 0 when the step is done; the output says what comes next."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", help="the version, such as 0.2.0")
    parser.add_argument("--tests", default="make test", help="what is run in the unpacked sdist; default: make test")
    parser.add_argument("--cyclonedx", default="cyclonedx-py", help="the program that lists what the wheel brings")
    options = parser.parse_args()
    try:
        return release(options.version, tests=options.tests, cyclonedx=options.cyclonedx)
    except NotReadyError as e:
        print(f"release: {e}", file=sys.stderr)
        return 1


def release(version: str, *, tests: str, cyclonedx: str, root: Path = ROOT) -> int:
    """Do the step that is next."""
    if git(root, "status", "--porcelain"):
        raise NotReadyError("the tree has changes; commit them, or put them away, first")
    now = current(root)
    if now != version:
        prepare(root, version, now=now, on=datetime.now(UTC).date().isoformat())
        print(f"release: {now} is {version} now. Read it, commit it, and type the same again:\n"
              f"  git diff\n  git commit -am 'Release {version}'")  # fmt: skip
        return 0
    if not notes(root, version):
        raise NotReadyError(
            f"CHANGELOG.md has no section [{version}]; go back to the commit before it, and begin again"
        )
    files = build(root)
    try_sdist(files[0], tests)
    files.append(inventory(files[1], cyclonedx, root=root))
    sums = checksums(files)
    print(f"release: {', '.join(file.name for file in (*files, sums))} are in dist/. To publish them:\n"
          f"  git tag -a v{version} -m 'Phasegate {version}'\n  git push origin v{version}\n"
          f"  twine upload dist/*.tar.gz dist/*.whl")  # fmt: skip
    return 0


def current(root: Path) -> str:
    """Return the version; raise NotReadyError if the places differ."""
    found = {}
    for name, pattern in PLACES:
        match = re.search(pattern, (root / name).read_text(), re.MULTILINE)
        found[name] = match[1] if match else "none"
    if len(set(found.values())) != 1:
        raise NotReadyError(f"the versions differ: {', '.join(f'{name} has {one}' for name, one in found.items())}")
    return found["pyproject.toml"]


def prepare(root: Path, version: str, *, now: str, on: str) -> None:
    """Write a new version, and its section of the changelog."""
    try:
        newer = Version(version) > Version(now) and str(Version(version)) == version
    except InvalidVersion:
        newer = False
    if not newer:
        raise NotReadyError(f"{version!r} is no version after {now}; give one such as 0.2.0")
    changelog = root / "CHANGELOG.md"
    text = changelog.read_text()
    if not section(text, UNRELEASED):
        raise NotReadyError("CHANGELOG.md has nothing under [Unreleased]; write what a user can notice first")
    changelog.write_text(text.replace(UNRELEASED, f"{UNRELEASED}\n\n## [{version}] - {on}", 1))
    for name, pattern in PLACES:
        file = root / name
        spelled = pattern.strip("^$").replace('([^"]+)', version)
        file.write_text(re.sub(pattern, spelled, file.read_text(), count=1, flags=re.MULTILINE))


def notes(root: Path, version: str) -> str:
    """Return what the changelog says of a version; "" for nothing."""
    return section((root / "CHANGELOG.md").read_text(), f"## [{version}] - ")


def section(text: str, heading: str) -> str:
    r"""Return the text below a heading, up to the next of its rank.

    >>> section("## [Unreleased]\n\n## [0.1.0] - 2026-01-01\n\n- All.\n", "## [0.1.0] - ")
    '- All.'
    """
    _, found, after = f"\n{text}".partition(f"\n{heading}")
    return "" if not found else after.partition("\n")[2].partition("\n## ")[0].strip()


def build(root: Path, dist: Path | None = None) -> list[Path]:
    """Build sdist and wheel from what is committed, twice, into an empty folder.

    Raises NotReadyError if the two differ.
    """
    dist = root / "dist" if dist is None else dist
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir()
    at = git(root, "log", "-1", "--format=%ct")
    with tempfile.TemporaryDirectory(prefix="phasegate-release-") as folder:
        for turn in ("first", "second"):
            source = Path(folder) / turn / "source"
            git(root, "clone", "--quiet", "--no-hardlinks", str(root), str(source))
            out = Path(folder) / turn / "dist"
            run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)], epoch=at)
        first, second = ({file.name: file for file in (Path(folder) / turn / "dist").iterdir()}
                         for turn in ("first", "second"))  # fmt: skip
        for name, file in first.items():
            if not filecmp.cmp(file, second[name], shallow=False):
                raise NotReadyError(f"two builds of {name} differ; see which file with diffoscope")
            shutil.copy(file, dist)
    (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    return [sdist, wheel]


def try_sdist(sdist: Path, tests: str) -> None:
    """Run the tests in what the sdist has, and nothing beside it."""
    with tempfile.TemporaryDirectory(prefix="phasegate-sdist-") as folder:
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        (source,) = Path(folder).iterdir()
        run(["bash", "-c", tests], cwd=source)


def inventory(wheel: Path, cyclonedx: str, *, root: Path) -> Path:
    """Write what an environment with the wheel has, in the locked versions."""
    out = wheel.with_name(wheel.name.partition("-py3")[0] + ".cdx.json")
    with tempfile.TemporaryDirectory(prefix="phasegate-sbom-") as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        run([*pip, "install", "--constraint", str(root / "requirements.lock"), str(wheel)])
        run([*pip, "uninstall", "--yes", "setuptools", "pip"])
        run([cyclonedx, "environment", "--output-reproducible", "--pyproject", str(root / "pyproject.toml"),
             "--mc-type", "library", "--output-file", str(out), python],
            epoch=git(root, "log", "-1", "--format=%ct"))  # fmt: skip
    return out


def checksums(files: Sequence[Path]) -> Path:
    """Write the checksums of some files beside them, as `sha256sum --check` reads them."""
    out = files[0].with_name("SHA256SUMS")
    out.write_text("".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(files)))
    return out


def git(root: Path, *arguments: str) -> str:
    """Return what a command of git prints."""
    command = ["git", *arguments]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def run(command: Sequence[str], *, cwd: Path | None = None, epoch: str | None = None) -> None:
    """Run a command with its output on ours; raise NotReadyError if it fails."""
    environment = os.environ if epoch is None else {**os.environ, "SOURCE_DATE_EPOCH": epoch}
    done = subprocess.run(command, cwd=cwd, env=environment, stdout=sys.stderr, check=False)
    if done.returncode:
        raise NotReadyError(f"exit {done.returncode} from: {' '.join(command)}")


if __name__ == "__main__":
    sys.exit(main())
