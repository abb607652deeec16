"""The commands of gcloud that read a state, judge commands, or mend.

Only those of ``reads`` are ever run on a project, and they only read. What changes a project is printed for a person.
"""

import json
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from phasegate.deploy.faults import Fault
from phasegate.deploy.manifest import Manifest
from phasegate.errors import Unavailable

LIVE = "live"
TIMEOUT_S = 120.0
ABSENT = ("NOT_FOUND", "was not found", "Not found", "not found", "does not exist")
WITHOUT = "install the Google Cloud CLI (https://cloud.google.com/sdk/docs/install), or leave this out with --part"


class StateRead(NamedTuple):
    """One command that reads, and the name under which its answer is recorded."""

    name: str
    command: tuple[str, ...]

    def line(self, path: Path | None = None) -> str:
        """Return the line to paste, which records the answer in a file."""
        return f"{shlex.join(self.command)} > {shlex.quote(str(path or f'{self.name}.json'))}"


class ProjectState(NamedTuple):
    """What was read of a project, by name.

    ``errors``: why something could not be read.
    """

    found: Mapping[str, object]
    errors: Mapping[str, str]


def reads(manifest: Manifest, /) -> list[StateRead]:
    """Return the commands that read all that a manifest names."""
    project = f"--project={manifest.project}"
    region, location = f"--region={manifest.region}", f"--location={manifest.region}"
    lists: dict[str, tuple[str, ...]] = {
        "services": ("run", "services", "list", project, region),
        "topics": ("pubsub", "topics", "list", project),
        "subscriptions": ("pubsub", "subscriptions", "list", project),
        "jobs": ("scheduler", "jobs", "list", project, location),
        "functions": ("functions", "list", project),
        "accounts": ("iam", "service-accounts", "list", project),
        "project-iam": ("projects", "get-iam-policy", manifest.project),
        "metrics": ("logging", "metrics", "list", project),
        "channels": ("beta", "monitoring", "channels", "list", project),
        "policies": ("alpha", "monitoring", "policies", "list", project),
    }
    if manifest.firestore is not None:
        database = f"--database={manifest.firestore.database}"
        lists["indexes"] = ("firestore", "indexes", "composite", "list", project, database)
        lists["fields"] = ("firestore", "indexes", "fields", "list", project, database)
    for name, one in manifest.subscription.items():
        if one.dead_letter:  # Pub/Sub's own agent moves what was given up, if it may
            lists[f"topic-iam.{one.dead_letter}"] = ("pubsub", "topics", "get-iam-policy", one.dead_letter, project)
            lists[f"subscription-iam.{name}"] = ("pubsub", "subscriptions", "get-iam-policy", name, project)
    for name in manifest.service:
        lists[f"service-iam.{name}"] = ("run", "services", "get-iam-policy", name, project, region)
    for name in manifest.dataset:
        lists[f"dataset.{name}"] = ("alpha", "bq", "datasets", "describe", name, project)
    return [StateRead(name, ("gcloud", *words, "--format=json")) for name, words in lists.items()]


def read_state(manifest: Manifest, where: str, /, *, only: str | None = None) -> ProjectState:
    """Return the state of a project: recorded in a folder, or live.

    ``only``: one part of it. What is not there is None. Raises Unavailable if the folder or gcloud is absent.
    """
    if where != LIVE:
        if not Path(where).is_dir():
            raise Unavailable(f"there is no folder {where}; record one: phasegate deploy diff --commands")
    elif shutil.which("gcloud") is None:
        raise Unavailable("there is no gcloud; install the Google Cloud CLI, or name a recorded state: --state DIR")
    found: dict[str, object] = {}
    errors: dict[str, str] = {}
    for one in reads(manifest):
        if only not in (None, one.name):
            continue
        try:
            found[one.name] = _shaped(one, _live(one) if where == LIVE else _recorded(Path(where), one))
        except Unavailable as e:
            errors[one.name] = str(e)
    return ProjectState(found, errors)


def _shaped(one: StateRead, found: object) -> object:
    """Return an answer; raise Unavailable for one of another shape."""
    is_list = "list" in one.command
    objects = found if is_list and isinstance(found, list) else [found]
    if (is_list and not isinstance(found, list | None)) or not all(isinstance(item, dict | None) for item in objects):
        wanted = "a list of objects" if is_list else "an object"
        raise Unavailable(f"{one.name}: wanted {wanted}, as it is printed by: {shlex.join(one.command)}")
    return found


def _recorded(folder: Path, one: StateRead) -> object:
    path = folder / f"{one.name}.json"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Unavailable(f"{path} is absent; record it: {one.line(path)}") from None
    except (OSError, UnicodeDecodeError) as e:
        raise Unavailable(f"{path} cannot be read: {e}") from None
    if not text.strip():
        raise Unavailable(f"{path} is empty: the command failed; run it again: {one.line(path)}")
    return _parsed(text, what=str(path))


def _live(one: StateRead) -> object:
    try:
        done = subprocess.run(  # noqa: S603  the fixed words of ``reads``, and names that the manifest's types bound
            [*one.command, "--quiet"], capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{shlex.join(one.command)}: no answer within {TIMEOUT_S:g} s") from None
    except OSError as e:
        raise Unavailable(f"gcloud cannot be started: {e}") from None
    if done.returncode == 0:
        return _parsed(done.stdout, what=shlex.join(one.command))
    said = " ".join(done.stderr.split())
    if any(word in said for word in ABSENT):
        return None
    raise Unavailable(f"{shlex.join(one.command)}: {said[:300] or f'exit {done.returncode}'}")


def _parsed(text: str, *, what: str) -> object:
    try:
        found: object = json.loads(text)
    except ValueError as e:
        raise Unavailable(f"{what}: no JSON: {e}") from None
    return found


def changes(manifest: Manifest, /) -> "Repairs":
    """Return the spellings of what a person types to mend a deployment."""
    return Repairs(manifest.project, manifest.region)


class Repairs(NamedTuple):
    """The commands that mend what Terraform would not, or not alone."""

    project: str
    region: str

    def resume(self, job: str) -> str:
        """Return how a paused job goes on."""
        return self._line("scheduler", "jobs", "resume", job, f"--location={self.region}")

    def to_latest(self, service: str) -> str:
        """Return how all traffic goes to the latest revision."""
        return self._line("run", "services", "update-traffic", service, "--to-latest", f"--region={self.region}")

    def drop_subscription(self, name: str) -> str:
        """Return how a subscription is deleted."""
        return self._line("pubsub", "subscriptions", "delete", name)

    def drop_function(self, name: str) -> str:
        """Return how a function is deleted."""
        return self._line("functions", "delete", name, f"--region={self.region}")

    def drop_role(self, account: str, role: str) -> str:
        """Return how an account loses a role on the project."""
        return self._line("projects", "remove-iam-policy-binding", self.project, f"--member=serviceAccount:{account}",
                          f"--role={role}")  # fmt: skip

    def drop_invoker(self, service: str, member: str) -> str:
        """Return how a member may not call a service any more."""
        return self._line("run", "services", "remove-iam-policy-binding", service, f"--member={member}",
                          "--role=roles/run.invoker", f"--region={self.region}")  # fmt: skip

    def enable_policy(self, name: str) -> str:
        """Return how an alert policy is enabled."""
        return self._line("alpha", "monitoring", "policies", "update", name, "--enabled")

    def _line(self, *words: str) -> str:
        return shlex.join(("gcloud", *words, f"--project={self.project}"))


def commands(manifest: Manifest, /) -> list[str]:
    """Return every command that is printed for a manifest, each kind once."""
    change = changes(manifest)
    named = (manifest.service, manifest.job, manifest.subscription, manifest.account)
    service, job, subscription, account = (next(iter(one), "name") for one in named)
    return [
        *(shlex.join(one.command) for one in reads(manifest)),
        change.resume(job), change.to_latest(service), change.drop_subscription(subscription),
        change.drop_function("function"), change.drop_role(manifest.email(account), "roles/editor"),
        change.drop_invoker(service, "allUsers"),
        change.enable_policy(f"projects/{manifest.project}/alertPolicies/1"),
    ]  # fmt: skip


def check_commands(lines: Sequence[str], /, *, place: str) -> Iterator[Fault]:
    """Give the commands that gcloud's own linter refuses.

    Raises Unavailable without gcloud, or if its linter gives no answer.
    """
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        raise Unavailable(f"there is no gcloud; {WITHOUT}")
    with tempfile.TemporaryDirectory(prefix="phasegate-") as folder:
        path = Path(folder) / "commands.json"
        path.write_text(json.dumps([{"command_string": line} for line in lines]))
        try:
            done = subprocess.run(  # noqa: S603  fixed words; the commands are in the file, and are not run
                [gcloud, "meta", "lint-gcloud-commands", f"--commands-file={path}", "--quiet"],
                capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as e:
            raise Unavailable(f"gcloud's linter: {e}; {WITHOUT}") from None
    judged = _parsed(done.stdout, what="gcloud meta lint-gcloud-commands")
    if not isinstance(judged, list) or len(judged) != len(lines):
        raise Unavailable(f"gcloud's linter judged something else: {' '.join(done.stderr.split())[:300]}; {WITHOUT}")
    for line, one in zip(lines, judged, strict=True):
        if isinstance(one, dict) and one.get("error_message"):
            text = " ".join(str(one["error_message"]).split())
            yield Fault(code="DP007", subject=line, text=text, place=place,
                        command="this is a bug in Phasegate, or another release of gcloud: report it")  # fmt: skip
