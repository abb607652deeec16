"""``phasegate deploy``: render, check and compare a deployment."""

import re
from typing import TYPE_CHECKING

import click

from phasegate.base.wording import count
from phasegate.cli.kit.app import FINE, App, pass_app
from phasegate.cli.kit.found import check_lines
from phasegate.cli.kit.options import F, example, json_option
from phasegate.cli.kit.output import emit, emit_json, talk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from phasegate.base.findings import CheckResult
    from phasegate.deploy.faults import Fault
    from phasegate.deploy.manifest import Manifest
    from phasegate.deploy.reading import ManifestLines
    from phasegate.deploy.terraform import Entries

MANIFEST = "deploy/gcp/manifest.toml"
BUILD_FORM = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,99}")
PARTS = ("manifest", "rules", "roles", "alerts", "provider", "messages", "gcloud")


def manifest_option(command: F, /) -> F:
    """Add ``--manifest``."""
    return click.option("--manifest", "path", default=MANIFEST, metavar="FILE", show_default=True,
                        help="The manifest of the deployment.")(command)  # fmt: skip


@click.group(
    epilog=example("phasegate deploy check", "phasegate deploy diff --state live"),
    short_help="Render, check and compare a deployment on Google Cloud.",
    invoke_without_command=True,
)
@click.pass_context
def deploy(ctx: click.Context) -> int:
    """Render, check and compare a deployment on Google Cloud.

    A manifest names services, messages, accounts, schedules and alerts. No command changes a project: Terraform does.
    """
    if ctx.invoked_subcommand is None:
        emit([ctx.get_help()])
    return FINE


@deploy.command(
    epilog=example("phasegate deploy check", "phasegate deploy check --part rules --part roles"),
    short_help="Check a manifest, offline: types, rules, Terraform's and Google's own schemas.",
)
@manifest_option
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), metavar="PART",
              help=f"Only this part; repeatable: {', '.join(PARTS)}. Default: all.")  # fmt: skip
@json_option
@pass_app
def check(_app: App, /, *, path: str, parts: tuple[str, ...], as_json: bool) -> int:
    """Check a manifest: its keys, what must hold, and what Google would get.

    Nothing is sent. The parts messages and gcloud need Google's libraries, and its command line: where they are absent
    these are not evaluated, and the exit code is 2.
    """
    from phasegate.answers.deployed import PARTS as ALL
    from phasegate.answers.deployed import checked
    from phasegate.base.findings import exit_code

    wanted = [part for part in ALL if not parts or part in parts]
    outcomes = checked(*_read(path), parts=wanted, settings=variables())
    _show(outcomes, path=path, state=None, as_json=as_json)
    return exit_code(outcomes)


@deploy.command(
    epilog=example(
        "phasegate deploy render --first --out infra",
        "phasegate deploy render --state live --out infra --build 4f2c9e1",
    ),
    short_help="Write a manifest as Terraform JSON.",
)
@manifest_option
@click.option("--out", default="infra", metavar="DIR", show_default=True, help="Where to write the *.tf.json files.")
@click.option("--state", metavar="DIR|live", help="The state whose other variables are kept: recorded, or read now.")
@click.option("--first", is_flag=True, help="Nothing is deployed yet: there are no variables to keep.")
@click.option("--build", metavar="LABEL", help="The commit: the tag of the images, and in PHASEGATE_BUILD.")
@json_option
@pass_app
def render(
    _app: App, /, *, path: str, out: str, state: str | None, first: bool, build: str | None, as_json: bool
) -> int:  # fmt: skip
    """Write a manifest as Terraform JSON, for the provider hashicorp/google.

    Terraform sets the variables of a service as a whole. So those of the live service that the manifest does not name
    are written beside ours, and none is lost: that is what --state is for. Those in env_removed are left out.
    """
    from pathlib import Path

    from phasegate.deploy.terraform import render as rendered
    from phasegate.errors import BadInput

    if first == (state is not None):
        raise BadInput("deploy render: give --state DIR, or --state live, to keep the variables of what runs; "
                       "or --first if nothing does")  # fmt: skip
    if build is not None and not BUILD_FORM.fullmatch(build):
        raise BadInput(f"deploy render: --build {build!r}: give a commit, such as 4f2c9e1 or 4f2c9e1+dirty")
    _, manifest = _valid(path)
    kept = {} if state is None else _kept(manifest, state)
    files = _write(Path(out), rendered(manifest, kept=kept, build=build))
    names = {service: tuple(str(one["name"]) for one in found) for service, found in kept.items() if found}
    if as_json:
        from phasegate.printed.deployments import RenderedJson

        emit_json(RenderedJson(manifest=path, folder=out, files=files, build=build, kept=names))
    else:
        emit([f"{out}/{name}" for name in files])
        for service, variables in names.items():
            talk(f"{service}: kept {', '.join(variables)}; add them to env of the manifest, or to env_removed")
    return FINE


@deploy.command(
    epilog=example("phasegate deploy diff --state live", "phasegate deploy diff --commands"),
    short_help="Compare a manifest with what is deployed.",
)
@manifest_option
@click.option("--state", default="live", metavar="DIR|live", show_default=True,
              help="What to compare with: read now by gcloud, or recorded.")  # fmt: skip
@click.option("--commands", is_flag=True, help="Print the commands that read the state, each into a file; run none.")
@json_option
@pass_app
def diff(_app: App, /, *, path: str, state: str, commands: bool, as_json: bool) -> int:
    """Compare a manifest with what is deployed, and name what differs.

    Jobs that are gone or paused, subscriptions that are doubled or without retry, rights that are lost, traffic that is
    pinned, variables that are missing, foreign or changed. gcloud reads, and nothing is changed. What cannot be read is
    not evaluated.
    """
    from phasegate.base.findings import exit_code
    from phasegate.deploy.compare import Comparison
    from phasegate.deploy.gcloud import read_state

    source, manifest = _valid(path)
    if commands:
        _show_commands(manifest, path=path, as_json=as_json)
        return FINE
    outcomes = Comparison(source, manifest, read_state(manifest, state)).results()
    _show(outcomes, path=path, state=state, as_json=as_json)
    return exit_code(outcomes)


def _show_commands(manifest: "Manifest", *, path: str, as_json: bool) -> None:
    from phasegate.deploy.gcloud import reads

    found = reads(manifest)
    if as_json:
        import shlex

        from phasegate.printed.deployments import StateCommandJson, StateCommandsJson

        emit_json(StateCommandsJson(manifest=path, commands=tuple(
            StateCommandJson(file=f"{one.name}.json", command=shlex.join(one.command)) for one in found
        )))  # fmt: skip
    else:
        emit([one.line() for one in found])


def _write(folder: "Path", files: "Mapping[str, object]") -> tuple[str, ...]:
    import json

    from phasegate.errors import BadInput

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, body in files.items():
            (folder / name).write_text(json.dumps(body, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as e:
        raise BadInput(f"--out {folder}: {e.strerror}; name a folder that can be written") from None
    return tuple(files)


def _read(path: str) -> "tuple[ManifestLines, Manifest | None, tuple[Fault, ...]]":
    from pathlib import Path

    from phasegate.deploy.reading import read
    from phasegate.errors import BadInput

    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as e:
        raise BadInput(f"{path}: {e.strerror}; name the manifest: --manifest FILE") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8; save it as UTF-8") from None
    return read(text, name=path)


def variables() -> frozenset[str]:
    """Return what a process of Phasegate takes of its environment.

    Those that end with ``_`` begin the names of several.
    """
    from phasegate.deploy.terraform import BUILD
    from phasegate.setting import PREFIX, SETTINGS

    return frozenset(
        {*(f"{PREFIX}{one.name.upper()}" for one in SETTINGS), BUILD, f"{PREFIX}ALERTS_", f"{PREFIX}POST_"}
    )


def _valid(path: str) -> "tuple[ManifestLines, Manifest]":
    """Return a manifest whose types and names are right.

    Raises BadInput for the first that is not.
    """
    from phasegate.errors import BadInput

    source, manifest, faults = _read(path)
    if manifest is None or faults:
        one = faults[0]
        raise BadInput(f"{one.place}: {one.subject}: {one.text}; {one.command} (all faults: phasegate deploy check)")
    return source, manifest


def _kept(manifest: "Manifest", where: str) -> "Mapping[str, Entries]":
    """Return the other variables of what runs.

    Raises Unavailable if they could not be read.
    """
    from phasegate.deploy.gcloud import read_state
    from phasegate.deploy.services import kept_of
    from phasegate.errors import Unavailable

    state = read_state(manifest, where, only="services")
    if "services" in state.errors:
        raise Unavailable(f"the variables of what runs are not known: {state.errors['services']}")
    return kept_of(manifest, state.found["services"])


def _show(outcomes: "Sequence[CheckResult]", *, path: str, state: str | None, as_json: bool) -> None:
    from phasegate.answers.checks import checked_json
    from phasegate.answers.deployed import faults_json, faults_of

    faults = faults_of(outcomes)
    if as_json:
        from phasegate.printed.deployments import JudgedJson

        emit_json(JudgedJson(manifest=path, state=state, checks=checked_json(outcomes), faults=faults_json(faults)))
        return
    lines = check_lines(outcomes)
    for one in faults:
        lines += ["", f"{one.code} {one.severity}: {one.place}: {one.subject}: {one.text}", f"    mend: {one.command}"]
    end = count(len(faults), "fault") if faults else "no fault"
    unknown = sum(bool(one.error) for one in outcomes)
    emit([*lines, "", f"{end}; {count(unknown, 'check')} not evaluated" if unknown else end])
