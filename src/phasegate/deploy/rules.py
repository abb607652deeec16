"""What must hold in a manifest beyond its types. Pure.

Nothing is lost, no one else may call, and what holds leases has CPU to renew them.
"""

import re
from collections.abc import Collection, Iterator

from phasegate.deploy.faults import Fault
from phasegate.deploy.grants import SETTINGS
from phasegate.deploy.manifest import Manifest, ServiceSpec, SubscriptionSpec
from phasegate.deploy.reading import ManifestLines
from phasegate.plan.toml_lines import Place, spell, suggest

COLLECTION = "phasegate"
INDEX = ("p CONTAINS", "due ASCENDING")
_SECRET_NAME = re.compile(
    r"(?i)(secret|passw|token|api_?key|private_?key|credential|auth_?key|service_key|^PHASEGATE_(ALERTS|POST)_)"
)
_SECRET_VALUE = re.compile(
    r"-----BEGIN |\bAIza[\w-]{35}|\bxox[abeprs]-|\bgh[pousr]_\w{20}|\bsk-\w{20}|\bAKIA[A-Z0-9]{16}|\bpg_[0-9a-f]{16}_"
    r"|://[^/\s:@]+:[^/\s@]+@"
)
_EVERY_DAY_ALIKE = re.compile(r"^\S+ \*(/\d+)? \* \* \*$")


def check_rules(source: ManifestLines, manifest: Manifest, /, *, settings: Collection[str]) -> Iterator[Fault]:
    """Give each rule that a manifest breaks, with its line.

    ``settings``: the variables that Phasegate knows; one that ends with ``_`` begins the names of several.
    """
    for name, service in manifest.service.items():
        yield from _service(source, manifest, service, name)
    for name, one in manifest.subscription.items():
        yield from _subscription(source, manifest, one, ("subscription", name))
    received = {one.topic for one in manifest.subscription.values()}
    for name, topic in manifest.topic.items():
        if name not in received and not topic.external:
            yield source.fault("DP020", ("topic", name), "has no subscription: what is published there is lost",
                               "add a subscription, or external = true if it is another program's")  # fmt: skip
    yield from _jobs(source, manifest)
    yield from _index(source, manifest)
    yield from _variables(source, manifest, settings)


def _service(source: ManifestLines, manifest: Manifest, service: ServiceSpec, name: str) -> Iterator[Fault]:
    place: Place = ("service", name)
    if service.heartbeats == "always" and not service.cpu_always:
        yield source.fault("DP022", place, "renews leases outside of requests, where it has no CPU: they expire",
                           "add cpu_always = true")  # fmt: skip
    env = manifest.env_of(name)
    for use in service.uses:
        setting, begins = SETTINGS[use]
        if not env.get(setting, "").startswith(begins) and setting not in service.secrets:
            yield source.fault("DP028", place, f"uses {use}, and {setting} is {spell(env.get(setting, ''))}",
                               f'set env.{setting} = "{begins}…"')  # fmt: skip
    given = env.get("PHASEGATE_AUDIENCE")
    if given is not None and env.get("PHASEGATE_GOOGLE_FRONT") != "cloud-run":
        yield source.fault("DP032", place, "checks ID tokens, and Cloud Run removes their signatures: it refuses all",
                           'add env.PHASEGATE_GOOGLE_FRONT = "cloud-run"')  # fmt: skip
    if given is not None and given != service.audience:
        at: Place = (*place, "env", "PHASEGATE_AUDIENCE") if "PHASEGATE_AUDIENCE" in service.env else ("env",)
        yield source.fault("DP016", at, f"is {spell(given)}, and the service's audience {spell(service.audience)}",
                           "write the same in both")  # fmt: skip


def _subscription(source: ManifestLines, manifest: Manifest, one: SubscriptionSpec, place: Place) -> Iterator[Fault]:
    if not one.push:
        if one.inbox and one.dead_letter:
            text = "what arrives in an inbox is stored, and comes often only while the store is away"
            yield source.fault("DP013", (*place, "dead_letter"), text, "remove dead_letter")
        return
    service = manifest.service.get(one.push)
    if not one.account:
        yield source.fault("DP011", place, "pushes without an ID token", 'add account = "…"')
    if one.retry_min_s is None or one.retry_max_s is None:
        yield source.fault("DP010", place, "has no back-off: a failing push is repeated at once, without pause",
                           "add retry_min_s = 10 and retry_max_s = 600")  # fmt: skip
    elif one.retry_min_s > one.retry_max_s:
        yield source.fault("DP010", (*place, "retry_max_s"), f"{one.retry_max_s} is less than retry_min_s",
                           "swap the two")  # fmt: skip
    if not one.dead_letter:
        text = "what the service never takes is lost after retention_s, and no alert says so"
        yield source.fault("DP012", place, text, "add dead_letter with a topic of its own")  # fmt: skip
    elif one.dead_letter == one.topic:
        yield source.fault("DP012", (*place, "dead_letter"), "is the subscription's own topic: a circle",
                           "name another topic")  # fmt: skip
    if service is None:
        return
    if one.ack_deadline_s < min(service.timeout_s, 600):
        text = (
            f"is {one.ack_deadline_s}, and {one.push} may take {service.timeout_s} s: it is pushed again before the end"
        )
        yield source.fault("DP014", (*place, "ack_deadline_s"), text,
                           f"write ack_deadline_s = {min(service.timeout_s, 600)}")  # fmt: skip
    yield from _audience(source, manifest, place, service=one.push, given=one.audience)


def _audience(source: ManifestLines, manifest: Manifest, place: Place, *, service: str, given: str) -> Iterator[Fault]:
    audience = manifest.audience_of(service, given)
    if audience != manifest.service[service].audience:
        text = f"{spell(audience)} is not that of {service}, {spell(manifest.service[service].audience)}: it is refused"
        yield source.fault("DP016", (*place, "audience"), text, "remove audience, or write that of the service")


def _jobs(source: ManifestLines, manifest: Manifest) -> Iterator[Fault]:
    for name, job in manifest.job.items():
        place: Place = ("job", name)
        if not job.account:
            yield source.fault("DP015", place, "calls without an ID token: it is refused", 'add account = "…"')
        if job.timezone != manifest.timezone and not _EVERY_DAY_ALIKE.match(job.schedule):
            text = f"is {job.timezone}, and the deployment {manifest.timezone}"
            yield source.fault("DP017", (*place, "timezone"), text, f'write timezone = "{manifest.timezone}"')
        if job.service in manifest.service:
            yield from _audience(source, manifest, place, service=job.service, given=job.audience)
    receiving = [name for name, service in manifest.service.items() if "receive" in service.uses]
    sweeping = {job.service for job in manifest.job.values() if job.path == "/sweep"}
    for name in receiving:
        if name not in sweeping:
            yield source.fault("DP030", ("service", name), "no job calls /sweep: deadlines pass and nothing is retried",
                               f'add a job with service = "{name}", path = "/sweep"')  # fmt: skip


def _index(source: ManifestLines, manifest: Manifest) -> Iterator[Fault]:
    uses = any("documents" in service.uses for service in manifest.service.values())
    there = () if manifest.firestore is None else manifest.firestore.index
    if uses and not any((one.collection, one.fields) == (COLLECTION, INDEX) for one in there):
        fields = ", ".join(map(spell, INDEX))
        text = f"no index of {COLLECTION} on {fields}: what is due is never found"
        yield source.fault(
            "DP023",
            ("firestore",),
            text,
            f'add [[firestore.index]] with collection = "{COLLECTION}", fields = [{fields}]',
        )


def looks_secret(name: str, value: str, /) -> bool:
    """Return whether a variable in plain text looks like a secret.

    >>> looks_secret("ODDS_API_KEY", "4f2c"), looks_secret("TZ", "UTC")
    (True, False)
    """
    return bool(value and (_SECRET_NAME.search(name) or _SECRET_VALUE.search(value)))


def _variables(source: ManifestLines, manifest: Manifest, settings: Collection[str]) -> Iterator[Fault]:
    """Give what is a secret, and what no process would start with."""
    places: dict[Place, str] = {("env", name): value for name, value in manifest.env.items()}
    for service, spec in manifest.service.items():
        places |= {("service", service, "env", name): value for name, value in spec.env.items()}
        names = {("service", service, "secrets", name): name for name in spec.secrets}
        yield from (fault for place, name in names.items() for fault in _unknown(source, place, name, settings))
    for place in places:
        yield from _unknown(source, place, str(place[-1]), settings)
    for channel, one in manifest.channel.items():
        places |= {("channel", channel, "labels", name): value for name, value in one.labels.items()}
    for place, value in places.items():
        if looks_secret(str(place[-1]), value):
            mend = (f'put it into Secret Manager, and write secrets.{place[-1]} = "NAME"' if place[0] != "channel"
                    else "make the channel by hand, outside of the manifest")  # fmt: skip
            yield source.fault("DP027", place, "looks like a secret, and every reader of the project sees it", mend)


def _unknown(source: ManifestLines, place: Place, name: str, settings: Collection[str]) -> Iterator[Fault]:
    if not name.startswith("PHASEGATE_") or name in settings:
        return
    if not any(one.endswith("_") and name.startswith(one) for one in settings):
        yield source.fault("DP031", place, f"the service does not start with it{suggest(name, known=settings)}",
                           "spell it as one of the settings, or remove it")  # fmt: skip
