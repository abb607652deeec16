"""The repository that a process runs from, asked through git.

It is only read; without git, and without a repository, nothing is known. Every question has a limit of time.
"""

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from phasegate.build import LOCK_DIGITS, LOCKS, Commit, is_build, parse_build, spelled_build
from phasegate.errors import BadInput, NotFound

GIT_S = 20.0
# Set by Cloud Run, and by functions on it: the name of the service.
SERVICE_VARIABLE = "K_SERVICE"


def git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints; None if it fails, is absent or is too slow."""
    found = _run(folder, *arguments)
    return None if found is None else found.decode(errors="replace")


def _run(folder: Path, *arguments: str) -> bytes | None:
    command, environment = ["git", *arguments], {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=GIT_S, check=False)  # noqa: S603  no shell
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def lock_digest(content: bytes, /) -> str:
    """Return the digest of a lock file, as a build names it."""
    return hashlib.sha256(content).hexdigest()[:LOCK_DIGITS]


def build_of_tree(folder: Path, /, *, service: str = "") -> str:
    """Return the build of the working tree that a folder is in, "" for none.

    It is dirty if a file that git tracks has changed; others are not looked at.
    """
    found = git(folder, "rev-parse", "--show-toplevel", "HEAD")
    if found is None or len(lines := found.splitlines()) != 2:
        return ""
    changed = git(folder, "status", "--porcelain", "--untracked-files=no")
    root, lock = Path(lines[0]), ""
    for name in LOCKS:
        if (file := root / name).is_file():
            lock = lock_digest(file.read_bytes())
            break
    return spelled_build(commit=lines[1], dirty=changed is None or bool(changed.strip()), lock=lock, service=service)


def installed_build() -> str:
    """Return the commit that was installed, else the version."""
    try:
        text = distribution("phasegate").read_text("direct_url.json")
        found = json.loads(text or "{}")["vcs_info"]["commit_id"]
    except (PackageNotFoundError, KeyError, TypeError, ValueError):
        found = None
    return found if isinstance(found, str) and is_build(found) else f"v{_version()}"


def _version() -> str:
    try:
        return version("phasegate")
    except PackageNotFoundError:
        return "0"


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text)


class GitHistory:
    """The commits of the repository that a folder is in.

    Raises BadInput if it is in none, NotFound for what git cannot answer.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if git(folder, "rev-parse", "--git-dir") is None:
            raise BadInput(f"{folder}: git finds no repository there; name the folder of one with --repository")

    @property
    def is_shallow(self) -> bool:
        """Return whether older commits are left out here."""
        return git(self._folder, "rev-parse", "--is-shallow-repository") == "true\n"

    def full(self, name: str, /) -> str:
        """Return the id of a commit, a branch or a tag, "" if it is unknown."""
        if name.startswith("-"):
            return ""
        return (git(self._folder, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}") or "").strip()

    def between(self, old: str, new: str, /, *, paths: Sequence[str] = ()) -> Sequence[Commit]:
        """Return the commits of ``new`` that ``old`` lacks, the newest first."""
        below = [f":(top,literal){path}" for path in paths]
        found = git(
            self._folder, "-c", "log.showSignature=false", "log", "--format=%H %s", f"{old}..{new}", "--", *below
        )
        if found is None:
            raise NotFound(f"git does not answer what lies between {old[:12]} and {new[:12]}; try: git fsck")
        return [Commit(line[:40], line[41:]) for line in map(_printable, found.split("\n")) if line]

    def lock(self, commit: str, /) -> str:
        """Return the digest of the lock file of a commit, "" without one."""
        for name in LOCKS:
            content = _run(self._folder, "show", f"{commit}:{name}")
            if content is not None:
                return lock_digest(content)
        return ""


class ProcessBuild:
    """The build of this process.

    It is the one that was ``given``; else that of the working tree that ``folder`` is in, which is asked once, when the
    build is first needed; else what is installed. Where the build names no service, that of Cloud Run is added.
    """

    def __init__(self, given: str | None, *, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder, self._service = folder, environ.get(SERVICE_VARIABLE, "")
        self.known = "" if given is None else self._with_service(given)

    def name(self) -> str:
        """Return it; the first call may ask git."""
        if not self.known:
            found = build_of_tree(self._folder) or installed_build()
            self.known = self._with_service(found)
        return self.known

    def _with_service(self, build: str) -> str:
        named = f"{self._service}@{build}"
        return named if self._service and not parse_build(build).service and is_build(named) else build
