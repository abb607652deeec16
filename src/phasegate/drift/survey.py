"""Judges all services by all evidence."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from phasegate.base.findings import CheckResult
from phasegate.build import History
from phasegate.drift.evidence import Recorded, Sighting
from phasegate.drift.judge import Desired, ServiceDrift, judge
from phasegate.drift.manifest import DeployedService


class BuildEvidence(NamedTuple):
    """What names builds.

    ``seen``: in documents, None if they are not read. ``answers`` and ``states``: by service. ``errors``: by service,
    what of it could not be read; ``general``: by the name of a check, what could not be read of all.
    """

    seen: Sequence[Sighting] | None
    answers: Mapping[str, Sighting]
    states: Mapping[str, Recorded]
    errors: Mapping[str, str]
    general: dict[str, str]


class Drift(NamedTuple):
    """How all services stand.

    ``others``: services that documents name, and that were not asked for.
    """

    services: tuple[ServiceDrift, ...]
    others: tuple[str, ...]
    general: tuple[CheckResult, ...]

    @property
    def outcomes(self) -> tuple[CheckResult, ...]:
        """Return all checks."""
        return (*(one.result for one in self.services), *self.general)


def survey(
    services: Mapping[str, DeployedService], evidence: BuildEvidence, *, desired: Desired, history: History
) -> Drift:  # fmt: skip
    """Judge the services; without any, those that the evidence names.

    A build that names no service counts for none of them.
    """
    seen = evidence.seen or ()
    named = {one.build.service for one in seen}
    asked = services or {name: DeployedService(name) for name in sorted({*named, *evidence.answers, *evidence.states})}
    judged = [
        judge(service, _of(name, evidence), desired=desired, history=history, state=evidence.states.get(name),
              error=evidence.errors.get(name, ""))
        for name, service in asked.items()
    ]  # fmt: skip
    general = [CheckResult(check=check, error=error) for check, error in evidence.general.items()]
    if not judged and not general:
        general = [CheckResult(check="documents", error="no document names a build; deploy with PHASEGATE_BUILD")]
    return Drift(tuple(judged), tuple(sorted(named - {*asked, ""})), tuple(general))


def _of(name: str, evidence: BuildEvidence) -> list[Sighting]:
    found = [one for one in evidence.seen or () if one.build.service == name]
    if (answer := evidence.answers.get(name)) is not None:
        found.append(answer)
    state = evidence.states.get(name)
    deployed = None if found or state is None else state.sighting
    return found if deployed is None else [deployed]
