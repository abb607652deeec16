"""Compares services with what runs: variables, traffic, CPU, callers.

``gcloud run services list`` prints the form of Knative, so these names are its. Variables of what runs that the
manifest does not name are someone's work: they are reported, kept by ``render``, and never taken away.
"""

from collections.abc import Iterator, Mapping, Sequence

from phasegate.base.wording import listed
from phasegate.deploy.faults import Fault
from phasegate.deploy.gcloud import Repairs
from phasegate.deploy.manifest import Manifest, ServiceSpec
from phasegate.deploy.reading import ManifestLines
from phasegate.deploy.rules import looks_secret
from phasegate.deploy.terraform import BUILD, Entries, Json, literal
from phasegate.errors import Unavailable
from phasegate.plan.toml_lines import Place, spell

APPLY = "phasegate deploy render --state live, then terraform apply"
THROTTLED = "run.googleapis.com/cpu-throttling"
CONTAINER = ("spec", "template", "spec", "containers", 0)
INVOKER = "roles/run.invoker"


def at(found: object, /, *path: str | int) -> object:
    """Return what is at a path of JSON, or None.

    >>> at({"a": [{"b": 1}]}, "a", 0, "b"), at({}, "a", 0)
    (1, None)
    """
    for step in path:
        if isinstance(step, int):
            found = found[step] if isinstance(found, list) and len(found) > step else None
        else:
            found = found.get(step) if isinstance(found, Mapping) else None
    return found


def items(found: object, /) -> list[Mapping[str, object]]:
    """Return the objects of a list of JSON."""
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def tail(name: object, /) -> str:
    """Return the last part of a resource's name."""
    return str(name or "").rpartition("/")[2]


def running(found: object, /) -> dict[str, Mapping[str, object]]:
    """Return the services by name."""
    return {str(at(one, "metadata", "name")): one for one in items(found)}


def urls(service: Mapping[str, object], /) -> set[str]:
    """Return the addresses of a service: that of its status, and its others."""
    more = str(at(service, "metadata", "annotations", "run.googleapis.com/urls") or "")
    found = {str(at(service, "status", "url") or ""), *(one.strip('"[] ') for one in more.split(","))}
    return {one for one in found if one.startswith("https://")}


def env_of(service: Mapping[str, object], /) -> dict[str, str]:
    """Return the variables of what runs; a secret as ``secret NAME``."""
    found = {}
    for one in items(at(service, *CONTAINER, "env")):
        secret = at(one, "valueFrom", "secretKeyRef", "name")
        found[str(one.get("name"))] = str(one.get("value") or "") if secret is None else f"secret {secret}"
    return found


def kept_of(manifest: Manifest, found: object, /) -> dict[str, Entries]:
    """Return what each live service has that the manifest does not name.

    Raises Unavailable for what is no answer of gcloud's: what is not understood would be lost.
    """
    if found is not None and not isinstance(found, list):
        raise Unavailable("the services that run: no list; record them again: phasegate deploy diff --commands")
    there = running(found)
    for name in there.keys() & manifest.service.keys():
        entries = at(there[name], *CONTAINER, "env")
        if not isinstance(at(there[name], *CONTAINER), Mapping) or not isinstance(entries, list | None):
            raise Unavailable(f"the variables of {name} cannot be read; record them again: "
                              "phasegate deploy diff --commands")  # fmt: skip
    return {name: _foreign(manifest, name, there[name]) for name in manifest.service if name in there}


def _foreign(manifest: Manifest, name: str, service: Mapping[str, object]) -> tuple[Json, ...]:
    spec = manifest.service[name]
    ours = {*manifest.env_of(name), *spec.secrets, *spec.env_removed, BUILD}
    entries: list[Json] = []
    for one in items(at(service, *CONTAINER, "env")):
        if str(one.get("name")) in ours:
            continue
        secret, version = (at(one, "valueFrom", "secretKeyRef", key) for key in ("name", "key"))
        reference = {"secret_key_ref": {"secret": str(secret), "version": str(version or "latest")}}
        entries.append({"name": str(one.get("name")), "value": literal(str(one.get("value") or ""))} if secret is None
                       else {"name": str(one.get("name")), "value_source": reference})  # fmt: skip
    return tuple(entries)


def compare_services(
    source: ManifestLines, manifest: Manifest, found: object, /, *, change: Repairs
) -> Iterator[Fault]:
    """Give how the services that run differ from the manifest's."""
    there = running(found)
    for name, spec in manifest.service.items():
        place: Place = ("service", name)
        if name not in there:
            yield source.fault("DP040", place, "no such service runs", APPLY)
            continue
        yield from _traffic(source, there[name], place, change=change)
        yield from _env(source, manifest, there[name], place)
        yield from _settings(source, manifest, spec, there[name])


def _traffic(source: ManifestLines, service: Mapping[str, object], place: Place, *, change: Repairs) -> Iterator[Fault]:
    targets = [one for one in items(at(service, "spec", "traffic")) if one.get("percent")]
    pinned = [
        f"{one.get('percent')} % to {one.get('revisionName')}" for one in targets if not one.get("latestRevision")
    ]
    if pinned:
        yield source.fault(
            "DP046", place, f"{listed(pinned)}: a new revision serves nothing", change.to_latest(str(place[1]))
        )
    latest, ready = (at(service, "status", key) for key in ("latestCreatedRevisionName", "latestReadyRevisionName"))
    if latest != ready and not pinned:
        yield source.fault("DP046", place, f"the latest revision {latest} is not ready, {ready} serves",
                           "read its log, and deploy one that starts")  # fmt: skip


def _env(source: ManifestLines, manifest: Manifest, service: Mapping[str, object], place: Place) -> Iterator[Fault]:
    name = str(place[1])
    spec, there = manifest.service[name], env_of(service)
    ours = {**manifest.env_of(name), **{key: f"secret {value}" for key, value in spec.secrets.items()}}
    for key, value in ours.items():
        at_key: Place = (*place, "env", key) if key in spec.env else ("env", key) if key in manifest.env else place
        text = f"{name} has no {key}" if key not in there else f"{name} has {key} = {_shown(there[key])}"
        if there.get(key) != value:
            yield source.fault("DP047", at_key, f"{text}, wanted {spell(value)}", APPLY)
    for key in there:
        if key in spec.env_removed:
            yield source.fault("DP048", (*place, "env_removed"), f"{key} is still there", APPLY)
        elif key not in ours and key != BUILD:
            yield source.fault("DP048", place, f"has {key}, which is kept", "add it to env, or to env_removed")
            if not there[key].startswith("secret ") and looks_secret(key, there[key]):
                yield source.fault("DP027", place, f"{key} is in plain text: every reader of the project sees it",
                                   f'put it into Secret Manager, and write secrets.{key} = "NAME"')  # fmt: skip


def _shown(value: str) -> str:
    """Return the beginning of a value that is not ours."""
    return spell(value if len(value) <= 40 else value[:40] + "…")


def _settings(
    source: ManifestLines, manifest: Manifest, spec: ServiceSpec, service: Mapping[str, object]
) -> Iterator[Fault]:
    name = str(at(service, "metadata", "name"))
    place: Place = ("service", name)
    template = at(service, "spec", "template")
    throttled = str(at(template, "metadata", "annotations", THROTTLED) or "true") != "false"
    if spec.cpu_always and throttled:
        yield source.fault("DP022", (*place, "cpu_always"), "has CPU within requests only: its leases expire", APPLY)
    wanted: dict[str, tuple[object, object]] = {
        "account": (manifest.email(spec.account), at(template, "spec", "serviceAccountName")),
        "timeout_s": (spec.timeout_s, at(template, "spec", "timeoutSeconds")),
        "concurrency": (spec.concurrency, at(template, "spec", "containerConcurrency")),
    }
    containers = at(template, "spec", "containers")
    if isinstance(containers, list) and len(containers) > 1:
        yield source.fault("DP042", place, f"runs {len(containers)} containers, and the manifest has one",
                           "end the others, or deploy this service by other means")  # fmt: skip
    for key, (ours, theirs) in wanted.items():
        if str(ours) != str(theirs):
            yield source.fault("DP042", (*place, key), f"is {theirs}, wanted {ours}", APPLY)


def compare_invokers(
    source: ManifestLines, manifest: Manifest, found: object, /, *, service: str, change: Repairs
) -> Iterator[Fault]:
    """Give who may call a service and should not, and the other way round."""
    place: Place = ("service", service, "invokers")
    there = members(found, role=INVOKER)
    ours = {f"serviceAccount:{manifest.email(one)}" for one in manifest.service[service].invokers}
    for member in sorted(ours - there):
        yield source.fault("DP044", place, f"{member} may not call it any more", APPLY)
    for member in sorted(there - ours):
        code = "DP021" if member.startswith("all") else "DP045"
        yield source.fault(code, place, f"{member} may call it", change.drop_invoker(service, member))


def members(policy: object, /, *, role: str) -> set[str]:
    """Return who has a role, without a condition."""
    bindings: Sequence[Mapping[str, object]] = items(at(policy, "bindings"))
    listed_members = [one.get("members") for one in bindings if one.get("role") == role and not one.get("condition")]
    return {str(one) for found in listed_members if isinstance(found, list) for one in found}
