"""Which builds served, as documents, services and recorded states say.

Each is a fact that names its place. What comes from outside is checked here, before it is compared.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, NamedTuple

import msgspec

from phasegate.base.codec import decode
from phasegate.base.dates import local_date, shift
from phasegate.base.keys import phase_of
from phasegate.build import Build, is_build, parse_build
from phasegate.errors import BadDocument, BadInput
from phasegate.gate.phase import Phase
from phasegate.plan.model import Plan
from phasegate.ports import ReadPorts
from phasegate.scan import scanned

VARIABLE = "PHASEGATE_BUILD"
REGION = "cloud.googleapis.com/location"
_REGION = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)


class Sighting(NamedTuple):
    """A build that served: since when, when last, and where that is recorded.

    ``answered``: the service itself has just named it.
    """

    build: Build
    since: float
    at: float
    place: str
    answered: bool = False


class Recorded(NamedTuple):
    """What a platform records of a service.

    ``latest``: the newest revision that is ready. ``serving``: revision to percent of the traffic. ``follows``: whether
    the traffic follows new revisions. ``build``: that was deployed last. It and ``region`` are "" if unknown. ``at``:
    when it was read.
    """

    latest: str
    serving: Mapping[str, int]
    follows: bool
    build: str = ""
    region: str = ""
    at: float = 0.0

    @property
    def sighting(self) -> "Sighting | None":
        """Return the build that gets all requests from now on, if that is known."""
        if not self.build or set(self.serving) != {self.latest}:
            return None
        return Sighting(parse_build(self.build), self.at, self.at, f"revision {self.latest}, which has all traffic")


def seen_in_documents(
    plan: Plan, ports: ReadPorts, *, days: int, broken: list[BadDocument]
) -> Iterator[Sighting]:  # fmt: skip
    """Yield what the documents of the last ``days`` dates record.

    A document that cannot be read goes to ``broken``.
    """
    today = local_date(ports.clock.now(), timezone=plan.timezone)
    first = shift(today, 1 - days)
    for name in plan.phases:
        prefix = f"phase:{plan.pipeline}:{name}:"
        for doc in scanned(ports.store, prefix, after=prefix + first):
            try:
                phase = decode(Phase, doc.body, key=doc.key)
            except BadDocument as e:
                broken.append(e)
                continue
            place = f"{name} of {phase_of(doc.key)[2]}"
            for build, one in phase.served.items():
                yield Sighting(parse_build(build), one.since, one.at, f"{place}: {one.what}")


def answered(body: object, /, *, service: str, place: str, now: float) -> Sighting:
    """Return the build that a service answers at ``/build``; raise BadInput."""
    text = body.get("build") if isinstance(body, dict) else None
    if not isinstance(text, str) or not is_build(text):
        raise BadInput(f"{service}: {place} names no build; it runs an older Phasegate, or something else")
    return Sighting(parse_build(text), now, now, place, answered=True)


def recorded(body: object, /, *, service: str, now: float) -> Recorded:
    """Return what ``gcloud run services describe --format json`` printed.

    Raises BadInput for what has another form.
    """
    try:
        found = msgspec.convert(body, _CloudRunService)
    except msgspec.ValidationError as e:
        form = f"record it with: gcloud run services describe {service} --format json"
        raise BadInput(f"the state of {service} is no service of Cloud Run ({e}); {form}") from None
    latest, serving = found.status.latest_ready_revision_name, dict[str, int]()
    for one in found.status.traffic:
        revision = one.revision_name or latest
        serving[revision] = serving.get(revision, 0) + one.percent
    variables = {pair.name: pair.value for one in found.spec.template.spec.containers for pair in one.env}
    build, region = variables.get(VARIABLE, ""), found.metadata.labels.get(REGION, "")
    return Recorded(
        latest, {revision: percent for revision, percent in serving.items() if percent},
        follows=any(one.latest_revision for one in found.status.traffic), build=build if is_build(build) else "",
        region=region if _REGION.fullmatch(region) else "", at=now,
    )  # fmt: skip


class _Traffic(msgspec.Struct, rename="camel"):
    revision_name: str = ""
    percent: int = 0
    latest_revision: bool = False


class _Status(msgspec.Struct, rename="camel"):
    latest_ready_revision_name: str
    traffic: Annotated[list[_Traffic], msgspec.Meta(max_length=100)]


class _Variable(msgspec.Struct):
    name: str
    value: str = ""


class _Container(msgspec.Struct):
    env: list[_Variable] = []


class _Containers(msgspec.Struct):
    containers: list[_Container] = []


class _Template(msgspec.Struct):
    spec: _Containers


class _Spec(msgspec.Struct):
    template: _Template


class _Metadata(msgspec.Struct):
    labels: dict[str, str] = {}


class _CloudRunService(msgspec.Struct):
    """The part of a Knative service that is read."""

    status: _Status
    spec: _Spec
    metadata: _Metadata
