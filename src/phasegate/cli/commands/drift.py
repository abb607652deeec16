"""``phasegate drift``: compare what serves with what is desired."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phasegate.cli.kit.app import FINDINGS, FINE, App, pass_app
from phasegate.cli.kit.found import WORDS, finding_lines
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json, paint, table, talk

if TYPE_CHECKING:
    from phasegate.answers.times import Times
    from phasegate.drift.manifest import DeployedService
    from phasegate.drift.survey import BuildEvidence, Drift
    from phasegate.plan.model import Plan

DAYS = 7
STATE_BYTES_MAX = 2_000_000
HEADER = ("service", "verdict", "commit", "last served", "behind", "touching", "ahead")


@click.command(
    epilog=example(
        "phasegate drift",
        "phasegate drift --manifest deploy/gcp/manifest.toml --desired origin/main",
        "phasegate drift scores --url scores=https://scores.example.org --diff",
    ),
    short_help="Compare the code that serves with the code that is desired.",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@click.option("--manifest", metavar="FILE", help="The services: [service.NAME] with paths, source and url.")
@click.option("--desired", default="HEAD", show_default=True, metavar="COMMIT", help="What should serve.")
@click.option("--repository", default=".", show_default=True, metavar="DIR", help="The repository of the code.")
@click.option("--days", type=click.IntRange(1, 400), default=DAYS, show_default=True, metavar="N",
              help="Look at the documents of this many dates.")  # fmt: skip
@click.option("--no-documents", is_flag=True, help="Ask the services and the states only.")
@click.option("--url", "urls", multiple=True, metavar="SERVICE=URL", help="Where a service answers /build; repeatable.")
@click.option(
    "--state",
    metavar="DIR",
    help="SERVICE.json: what gcloud run services describe printed; SERVICE.build.json: what /build answered.",
)
@click.option("--diff", is_flag=True, help="List the commits that a service lacks and that touch it.")
@click.option("--stamp", is_flag=True, help="Print the build of the working tree for one SERVICE, and its source.")
@json_option
@pass_app
def drift(  # noqa: PLR0913  one parameter for each option
    app: App, /, *, services: tuple[str, ...], manifest: str | None, desired: str, repository: str, days: int,
    no_documents: bool, urls: tuple[str, ...], state: str | None, diff: bool, stamp: bool, as_json: bool,
) -> int:  # fmt: skip
    """Compare the builds that served the last requests with what is desired.

    A build that served is one that documents, receipts or the service's /build name. Found are services that lack
    commits which touch them, have commits that are not desired, or run what no commit holds; traffic that goes to an
    older revision; and two builds at once. Without services, all that the manifest names, or else the documents.
    Changes nothing.
    """
    from phasegate.answers.drift import drift_json
    from phasegate.base.findings import exit_code
    from phasegate.drift.judge import Desired
    from phasegate.drift.survey import survey
    from phasegate.errors import BadInput
    from phasegate.repository import GitHistory

    known = _services(services, manifest=manifest)
    if stamp:
        return _stamp(services, known, repository=repository, as_json=as_json)
    history = GitHistory(Path(repository))
    commit = history.full(desired)
    if not commit:
        raise BadInput(f"drift: --desired {desired}: git knows no such commit; fetch it, or name another")
    plan = app.plan()
    times = app.times(plan)
    known = _with_urls(known, urls)
    found_in = _evidence(app, plan, known, days=0 if no_documents else days, state=state)
    if history.is_shallow:
        found_in.general["repository"] = "older commits are not here; fetch them: git fetch --unshallow"
    aim = Desired(desired, commit)
    found = survey(known, found_in, desired=aim, history=history)
    if as_json:
        emit_json(drift_json(plan.pipeline, found, desired=aim, times=times))
    else:
        emit(_lines(found, times=times, diff=diff))
    if found.others:
        why = "they were not asked for" if services else "the manifest does not name them"
        talk(f"not judged, because {why}: {', '.join(found.others)}")
    return exit_code(found.outcomes)


def _services(names: tuple[str, ...], *, manifest: str | None) -> "dict[str, DeployedService]":
    """Return the services that were asked for; {} for all that there are."""
    from phasegate.drift.manifest import DeployedService, check_service, services_of
    from phasegate.errors import BadInput
    from phasegate.plan.toml_lines import suggest
    from phasegate.settings import text_of

    if manifest is None:
        return {name: DeployedService(check_service(name)) for name in names}
    try:
        text = text_of(Path(manifest))
    except OSError as e:
        raise BadInput(f"drift: --manifest {manifest}: {e.strerror}; name a file that can be read") from None
    known = services_of(text, name=Path(manifest).name)
    for name in names:
        if name not in known:
            raise BadInput(f"drift: {manifest} has no service {name!r}{suggest(name, known=known)}")
    return {name: known[name] for name in names or known}


def _with_urls(known: "dict[str, DeployedService]", urls: tuple[str, ...]) -> "dict[str, DeployedService]":
    from phasegate.drift.manifest import DeployedService, check_service, check_url
    from phasegate.errors import BadInput

    for one in urls:
        name, equals, url = one.partition("=")
        if not equals:
            raise BadInput("drift: --url is no SERVICE=URL; write, for example, scores=https://scores.example.org")
        known[check_service(name)] = known.get(name, DeployedService(name))._replace(url=check_url(url))
    return known


def _stamp(
    names: tuple[str, ...], known: "Mapping[str, DeployedService]", *, repository: str, as_json: bool
) -> int:  # fmt: skip
    from phasegate.build import parse_build
    from phasegate.errors import BadInput
    from phasegate.printed.builds import StampJson
    from phasegate.repository import build_of_tree

    if len(names) != 1:
        raise BadInput("drift: --stamp is for one SERVICE; name it")
    build = build_of_tree(Path(repository), service=names[0])
    if not build:
        raise BadInput(f"drift: --stamp: git finds no commit in {repository}; name a repository with --repository")
    one = StampJson(service=names[0], build=build, dirty=parse_build(build).dirty, source=known[names[0]].source)
    if as_json:
        emit_json(one)
    else:
        emit([f"{one.build} {one.source}".strip()])
    return FINDINGS if one.dirty else FINE


def _evidence(
    app: App, plan: "Plan", known: "Mapping[str, DeployedService]", *, days: int, state: str | None
) -> "BuildEvidence":  # fmt: skip
    """Read what names builds: documents of ``days`` dates, services, states."""
    from phasegate.drift.evidence import Recorded, Sighting, answered, recorded, seen_in_documents
    from phasegate.drift.survey import BuildEvidence
    from phasegate.errors import BadDocument, PhasegateError

    general, errors = dict[str, str](), dict[str, str]()
    seen: list[Sighting] | None = None
    if days:
        broken = list[BadDocument]()
        try:
            _, ports = app.reading()
            seen = list(seen_in_documents(plan, ports, days=days, broken=broken))
        except PhasegateError as e:
            general["documents"] = str(e)
        if broken:
            general["documents"] = "; ".join(map(str, broken[:10]))
    answers, states = dict[str, Sighting](), dict[str, Recorded]()
    for name, service in known.items():
        now, place = app.clock.now(), f"{service.url}/build" if service.url else f"{name}.build.json"
        try:
            answer = _asked(service.url) if service.url else _state(state, f"{name}.build.json")
            if answer is not None:
                answers[name] = answered(answer, service=name, place=place, now=now)
            if (body := _state(state, f"{name}.json")) is not None:
                states[name] = recorded(body, service=name, now=now)
        except PhasegateError as e:
            errors[name] = str(e)
    return BuildEvidence(seen, answers, states, errors, general)


def _asked(url: str) -> object:
    from phasegate.channels.http import request
    from phasegate.errors import Unavailable

    answer = request(f"{url}/build")
    if answer.error:
        raise Unavailable(f"{url}/build: {answer.error}")
    return _json(answer.body, where=f"{url}/build")


def _state(folder: str | None, name: str) -> object:
    """Return what a file of ``--state`` holds, None if there is none."""
    from phasegate.errors import BadInput

    if folder is None:
        return None
    file = Path(folder) / name
    try:
        with file.open("rb") as opened:
            raw = opened.read(STATE_BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise BadInput(f"{file}: {e.strerror}; name a folder that can be read") from None
    if len(raw) > STATE_BYTES_MAX:
        raise BadInput(f"{file}: more than {STATE_BYTES_MAX:,} bytes; the state of a service is small")
    return _json(raw, where=str(file))


def _json(raw: bytes, *, where: str) -> object:
    from phasegate.errors import BadInput

    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise BadInput(f"{where}: is no JSON; look what answers there") from None


def _lines(found: "Drift", *, times: "Times", diff: bool) -> list[str]:
    from phasegate.base.findings import listed

    rows, lines = [], list[str]()
    for one in found.services:
        build = one.build
        named = "" if build is None else f"{build.commit[:12]}{' dirty' if build.dirty else ''}" or build.text
        judged = (f"{len(one.behind)}", f"{len(one.touching)}", f"{len(one.ahead)}") if one.commit else ("", "", "")
        rows.append((one.service.label, paint(WORDS[one.result.verdict]), named,
                     times.since(one.last.at) if one.last else "", *judged))  # fmt: skip
        if diff and one.touching:
            lines += ["", f"{one.service.label}:"]
            lines += [f"  {commit.id[:12]} {commit.subject}" for commit in one.touching]
    shown = finding_lines(listed(found.outcomes), times=times, verbose=False)
    return [*(table(HEADER, rows) if rows else []), *lines, *(["", *shown] if shown else [])]
