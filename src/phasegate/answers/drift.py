"""The code that serves, compared with the code that is desired."""

from phasegate.answers.checks import checked_json, found_json
from phasegate.answers.times import Times
from phasegate.base.findings import listed
from phasegate.drift.judge import Desired, ServiceDrift
from phasegate.drift.survey import Drift
from phasegate.printed.builds import CommitJson, DriftJson, ServiceJson

COMMITS_MAX = 50


def drift_json(pipeline: str, found: Drift, *, desired: Desired, times: Times) -> DriftJson:
    """Return how all services stand, for programs."""
    return DriftJson(
        pipeline=pipeline,
        now=times.iso(times.now),
        desired=desired.name,
        commit=desired.commit,
        services=tuple(_service(one, times=times) for one in found.services),
        others=found.others,
        checks=checked_json(found.outcomes),
        findings=found_json(listed(found.outcomes), times=times),
    )


def _service(one: ServiceDrift, *, times: Times) -> ServiceJson:
    return ServiceJson(
        service=one.service.name,
        verdict=one.result.verdict,
        build=one.build.text if one.build else "",
        commit=one.commit,
        dirty=one.build is not None and one.build.dirty,
        served_at=times.iso(one.last.at) if one.last else None,
        place=one.last.place if one.last else "",
        deployed=one.deployed,
        behind=len(one.behind),
        touching=len(one.touching),
        ahead=len(one.ahead),
        commits=tuple(CommitJson(id=c.id, subject=c.subject) for c in one.touching[:COMMITS_MAX]),
    )
