"""Build the distribution and use it in bare environments, of each version of Python that it promises.

No development tools, another folder. The repository's own source is not importable: only the wheel's content is used. A
version that this machine lacks is named, and with CI=true it is an error.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
VERSIONS = ("3.11", "3.12", "3.13")
NIGHT = "2026-02-03"
TIMEOUT_S = 300


def main() -> int:
    """Return 0 when the wheel is complete and its commands run.

    The first failure exits with its output.
    """
    with tempfile.TemporaryDirectory(prefix="phasegate-smoke-") as name:
        folder = Path(name)
        wheel = build_wheel(folder / "dist")
        missing = missing_from(wheel, ROOT / "src")
        if missing:
            print("not in the wheel: " + ", ".join(missing), file=sys.stderr)
            return 1
        pythons = {version: python_of(version) for version in VERSIONS}
        for version, python in pythons.items():
            if python is not None:
                use(wheel, python, folder / version)
    ran, lacking = ([v for v, found in pythons.items() if (found is not None) is here] for here in (True, False))
    print(f"smoke: the wheel installs and runs in a bare environment of Python {', '.join(ran)}")
    if lacking:
        print(f"smoke: NO PYTHON {', '.join(lacking)}: install it, so that it is tried too", file=sys.stderr)
    return 1 if not ran or (lacking and os.environ.get("CI") == "true") else 0


def python_of(version: str) -> str | None:
    """Return an interpreter of a version that runs, None for none.

    It is on the path, or of pyenv.
    """
    of_pyenv = sorted(
        Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/{version}.*/bin/python")
    )
    for candidate in (shutil.which(f"python{version}"), *map(str, of_pyenv)):
        if candidate and subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


def use(wheel: Path, python: str, folder: Path) -> None:
    """Install the wheel with one interpreter, and run its commands."""
    commands = install(wheel, python, folder / "venv")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    for command in (
        ["phasegate", "--version"],
        ["phasegate", "--help"],
        ["nba-props", "--help"],
        ["nba-props", "run", "--synthetic", "--from", NIGHT, "--to", NIGHT, "--state", str(elsewhere / "state")],
    ):
        run([str(commands / command[0]), *command[1:]], cwd=elsewhere)


def build_wheel(folder: Path) -> Path:
    """Build the sdist, and the wheel from it, to check that both are whole."""
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)], cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


def missing_from(wheel: Path, source: Path) -> list[str]:
    """Return the files below `source` that the wheel lacks.

    Code, SQL, plans, py.typed.
    """
    files = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        return sorted(files - set(archive.namelist()))


def install(wheel: Path, python: str, folder: Path) -> Path:
    """Install the wheel with its runtime dependencies; return their folder.

    The dependencies have the locked versions; the folder has the wheel's commands.
    """
    run([python, "-m", "venv", str(folder)], cwd=wheel.parent)
    commands = folder / "bin"
    pip = [str(commands / "python"), "-m", "pip", "--disable-pip-version-check"]
    run([*pip, "install", "--quiet", "--constraint", str(LOCK), str(wheel)], cwd=folder)
    run([*pip, "check"], cwd=folder)
    return commands


def run(command: Sequence[str], *, cwd: Path) -> None:
    """Run a command without this environment's Python settings.

    On failure print its output and exit.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    print("smoke: " + " ".join(Path(word).name if word.startswith("/") else word for word in command), flush=True)
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        print(done.stdout, file=sys.stderr)
        sys.exit(f"smoke: exit {done.returncode} from: {' '.join(command)}")


if __name__ == "__main__":
    sys.exit(main())
