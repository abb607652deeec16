"""Compares what serves with what is desired, by a given history."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from phasegate.base.findings import CheckResult, Finding
from phasegate.base.wording import count
from phasegate.build import Build, Commit, History, parse_build
from phasegate.drift.evidence import Recorded, Sighting
from phasegate.drift.manifest import DeployedService

WINDOW_S = 3600.0
# How long an older build may go on after a newer one began: a rolling restart, and clocks that differ.
OVERLAP_S = 60.0
SUBJECTS_MAX = 10


class Desired(NamedTuple):
    """The commit that should serve, and the name by which it was asked for."""

    name: str
    commit: str


class ServiceDrift(NamedTuple):
    """How a service stands.

    ``build``: that served last, None if nothing names one; ``last``: where that is recorded. ``commit``: its whole id,
    "" if unknown. ``behind``: the desired commits that it lacks; ``touching``: those that change its own paths;
    ``ahead``: its commits that are not desired. ``deployed``: the build that was deployed last, "" if unknown.
    """

    service: DeployedService
    build: Build | None
    last: Sighting | None
    commit: str
    behind: tuple[Commit, ...]
    touching: tuple[Commit, ...]
    ahead: tuple[Commit, ...]
    deployed: str
    result: CheckResult


def judge(
    service: DeployedService, sightings: Sequence[Sighting], *, desired: Desired, history: History,
    state: Recorded | None = None, error: str = "",
) -> ServiceDrift:  # fmt: skip
    """Judge a service by what names its build.

    ``error``: what of its evidence could not be read; it is then not evaluated, whatever else is found.
    """
    found = _pinned(service, state)
    last = max(sightings, key=lambda one: (one.at, one.answered, one.since, one.build.text), default=None)
    if last is None:
        missing = (
            error or f"nothing names the build of {service.label}; deploy it with PHASEGATE_BUILD, or give its url"
        )
        result = CheckResult(check=service.label, findings=tuple(found), error=missing)
        return ServiceDrift(service, None, None, "", (), (), (), state.build if state else "", result)
    build = last.build
    commit = history.full(build.commit) if build.commit else ""
    behind = tuple(history.between(commit, desired.commit)) if commit else ()
    touching = tuple(history.between(commit, desired.commit, paths=service.paths)) if behind else ()
    ahead = tuple(history.between(desired.commit, commit)) if commit else ()
    found += _unknown(service, last, commit, history=history)
    found += _behind(service, last, desired, behind=behind, touching=touching)
    found += _ahead(service, last, desired, ahead=ahead)
    found += _two(service, sightings, newest=last.at)
    if state is not None and all(one.code != "PG030" for one in found):
        found += _older_than_deployed(service, last, state, history=history)
    result = CheckResult(check=service.label, findings=tuple(found), error=error, evaluated=len(sightings))
    return ServiceDrift(service, build, last, commit, behind, touching, ahead, state.build if state else "", result)


def _pinned(service: DeployedService, state: Recorded | None) -> list[Finding]:
    if state is None:
        return []
    older = {revision: percent for revision, percent in state.serving.items() if revision != state.latest}
    region = f" --region {state.region}" if state.region else ""
    mend = f"gcloud run services update-traffic {service.name}{region} --to-latest"
    evidence = {"latest": state.latest, "traffic": _shares(state.serving)}
    if older:
        text = f"{_shares(older)} of its traffic, and the newest revision is {state.latest}"
        return [_finding("PG030", service, f"older revisions have {text}", mend, since=None, evidence=evidence)]
    if not state.follows:
        text = f"its traffic is bound to {state.latest}, so the next revision will get none"
        return [_finding("PG030", service, text, mend, since=None, evidence=evidence)]
    return []


def _older_than_deployed(
    service: DeployedService, last: Sighting, state: Recorded, *, history: History
) -> list[Finding]:  # fmt: skip
    """Return the finding of an answer by an older build than was deployed."""
    deployed = parse_build(state.build)
    ours, theirs = (history.full(one.commit) if one.commit else "" for one in (last.build, deployed))
    if not last.answered or not ours or not theirs or ours == theirs or not history.between(ours, theirs):
        return []
    text = f"answers {last.build.text}, and {state.build} was deployed"
    mend = "look where its address leads: gcloud run services describe, and the load balancer in front of it"
    return [
        _finding(
            "PG030", service, text, mend, since=last.at, evidence={"deployed": state.build, "answered": last.build.text}
        )
    ]


def _unknown(service: DeployedService, last: Sighting, commit: str, *, history: History) -> list[Finding]:
    build = last.build
    if not build.commit:
        text, mend = f"its build {build.text} names no commit", _deploy(service)
    elif not commit:
        text = f"its commit {build.commit[:12]} is not in this repository"
        mend = f"git fetch --all; if it is still unknown, {_deploy(service)}"
    elif build.dirty:
        text, mend = f"it was made from changed files, beside commit {build.commit[:12]}", _deploy(service)
    elif build.lock and build.lock != (locked := history.lock(commit)):
        text = f"its lock file is {build.lock}, and that of its commit is {locked or 'absent'}"
        mend = _deploy(service)
    else:
        return []
    return [_finding("PG029", service, text, mend, since=last.at, evidence=_evidence(last))]


def _behind(
    service: DeployedService, last: Sighting, desired: Desired, *, behind: Sequence[Commit], touching: Sequence[Commit]
) -> list[Finding]:  # fmt: skip
    if not touching:
        return []
    which = "touches it" if len(touching) == 1 else "touch it"
    text = f"{count(len(behind), 'commit')} behind {desired.name}, of which {len(touching)} {which}"
    evidence = {**_evidence(last), **_subjects(touching)}
    return [_finding("PG028", service, text, _deploy(service), since=last.at, evidence=evidence)]


def _ahead(service: DeployedService, last: Sighting, desired: Desired, *, ahead: Sequence[Commit]) -> list[Finding]:
    if not ahead:
        return []
    text = f"{count(len(ahead), 'commit')} of what serves {'is' if len(ahead) == 1 else 'are'} not in {desired.name}"
    mend = f"merge what serves into {desired.name}, or {_deploy(service)}"
    return [_finding("PG032", service, text, mend, since=last.at, evidence={**_evidence(last), **_subjects(ahead)})]


def _two(service: DeployedService, sightings: Sequence[Sighting], *, newest: float) -> list[Finding]:
    """Return the finding that an older build goes on after a newer one began."""
    spans: dict[str, tuple[float, float]] = {}
    for one in sightings:
        since, at = spans.get(one.build.text, (one.since, one.at))
        spans[one.build.text] = min(since, one.since), max(at, one.at)
    recent = {build: span for build, span in spans.items() if span[1] >= newest - WINDOW_S}
    for (old, (_, until)), (new, (since, _)) in combinations(sorted(recent.items(), key=lambda one: one[1]), 2):
        if until >= since + OVERLAP_S:
            text = f"{old} and {new} both served within an hour"
            mend = "end what still runs the build that is not wanted: an instance, a worker, a tagged revision"
            return [_finding("PG031", service, text, mend, since=since, evidence={"builds": f"{old}, {new}"})]
    return []


def _shares(serving: Mapping[str, int]) -> str:
    return ", ".join(f"{revision} {percent} %" for revision, percent in sorted(serving.items()))


def _evidence(last: Sighting) -> dict[str, str]:
    return {"build": last.build.text, "place": last.place}


def _subjects(commits: Sequence[Commit]) -> dict[str, str]:
    return {commit.id[:12]: commit.subject[:120] for commit in commits[:SUBJECTS_MAX]}


def _deploy(service: DeployedService) -> str:
    if not service.name:
        return "start it again from a commit, with PHASEGATE_BUILD where there is no git"
    return f"deploy {service.name} again, such as with bin/deploy-service.sh {service.name}"


def _finding(
    code: str, service: DeployedService, text: str, command: str, *, since: float | None, evidence: Mapping[str, str]
) -> Finding:  # fmt: skip
    return Finding(code=code, subject=service.label, text=text, command=command, cause=service.label, since=since,
                   evidence=evidence)  # fmt: skip
