"""A manifest as messages of Google's own interfaces.

Its libraries say whether they take them. They refuse an unknown field, a value that is none of an enumeration, and a
duration that is none. What needs the service itself, such as whether a cron line is valid, they do not know.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from phasegate.deploy.faults import Fault
from phasegate.deploy.manifest import AlertSpec, Manifest, ServiceSpec
from phasegate.deploy.reading import ManifestLines
from phasegate.errors import Unavailable
from phasegate.plan.toml_lines import Place

INSTALL = "pip install 'phasegate[deploy,google]'"


class Given(NamedTuple):
    """One message: which, its place in the manifest, its JSON."""

    kind: str
    place: Place
    body: Mapping[str, object]


def given(manifest: Manifest, /) -> Iterator[Given]:
    """Give the manifest's messages."""
    for name, service in manifest.service.items():
        yield Given("service", ("service", name), _service(manifest, name, service))
    for name in manifest.subscription:
        yield Given("subscription", ("subscription", name), subscription(manifest, name))
    for name in manifest.job:
        yield Given("job", ("job", name), job(manifest, name))
    for number, index in enumerate(() if manifest.firestore is None else manifest.firestore.index):
        yield Given("index", ("firestore", "index", number),
                    {"queryScope": "COLLECTION", "fields": index_fields(index.fields)})  # fmt: skip
    for name, alert in manifest.alert.items():
        yield Given("alert", ("alert", name), _alert(manifest, name, alert))


def check_messages(source: ManifestLines, manifest: Manifest, /) -> Iterator[Fault]:
    """Give what Google's libraries refuse.

    Raises Unavailable where they are not installed.
    """
    types = message_types()
    for one in given(manifest):
        if (wrong := refused(types[one.kind], one.body)) is not None:
            yield source.fault("DP006", one.place, wrong, "change the value that it names")


def message_types() -> Mapping[str, Any]:
    """Return Google's own types.

    Raises Unavailable where they are not installed.
    """
    try:  # half a second, for this check alone
        from google.cloud.firestore_admin_v1 import Index
        from google.cloud.monitoring_v3 import AlertPolicy
        from google.cloud.run_v2 import Service
        from google.cloud.scheduler_v1 import Job
        from google.pubsub_v1 import Subscription
    except ImportError as e:
        raise Unavailable(f"Google's libraries are absent ({e}); {INSTALL}") from None
    return {"service": Service, "subscription": Subscription, "job": Job, "index": Index, "alert": AlertPolicy}


def refused(message: Any, body: Mapping[str, object], /) -> str | None:
    """Return why a message is refused, or None."""
    from google.protobuf.json_format import ParseError  # type: ignore[import-untyped]  # has no types

    try:
        message.from_json(json.dumps(body), ignore_unknown_fields=False)
    except ParseError as e:
        return " ".join(str(e).split())
    return None


def address(manifest: Manifest, service: str, path: str, /) -> str:
    """Return an address of a service; the real one is known later."""
    return f"https://{service}-{manifest.project}.{manifest.region}.run.app{path}"


def _token(manifest: Manifest, account: str, service: str, audience: str) -> dict[str, str]:
    given_for = manifest.audience_of(service, audience)
    return {"serviceAccountEmail": manifest.email(account), **({"audience": given_for} if given_for else {})}


def subscription(manifest: Manifest, name: str, /) -> dict[str, object]:
    """Return a subscription."""
    one = manifest.subscription[name]
    body: dict[str, object] = {
        "name": f"projects/{manifest.project}/subscriptions/{name}",
        "topic": f"projects/{manifest.project}/topics/{one.topic}",
        "ackDeadlineSeconds": one.ack_deadline_s, "messageRetentionDuration": f"{one.retention_s}s",
        "expirationPolicy": {},
    }  # fmt: skip
    if one.push:
        token = _token(manifest, one.account, one.push, one.audience) if one.account else None
        body["pushConfig"] = {"pushEndpoint": address(manifest, one.push, one.path),
                              **({"oidcToken": token} if token else {})}  # fmt: skip
    if one.retry_min_s is not None and one.retry_max_s is not None:
        body["retryPolicy"] = {"minimumBackoff": f"{one.retry_min_s}s", "maximumBackoff": f"{one.retry_max_s}s"}
    if one.dead_letter:
        body["deadLetterPolicy"] = {"deadLetterTopic": f"projects/{manifest.project}/topics/{one.dead_letter}",
                                    "maxDeliveryAttempts": one.attempts}  # fmt: skip
    return body


def job(manifest: Manifest, name: str, /) -> dict[str, object]:
    """Return a job of Cloud Scheduler."""
    one = manifest.job[name]
    target: dict[str, object] = {
        "uri": address(manifest, one.service, one.path), "httpMethod": "POST",
        "headers": {"Content-Type": "application/json"}, "body": base64.b64encode(one.body.encode()).decode(),
    }  # fmt: skip
    if one.account:
        target["oidcToken"] = _token(manifest, one.account, one.service, one.audience)
    return {
        "name": f"projects/{manifest.project}/locations/{manifest.region}/jobs/{name}", "schedule": one.schedule,
        "timeZone": one.timezone, "attemptDeadline": f"{one.deadline_s}s", "httpTarget": target,
        "retryConfig": {"retryCount": one.retries},
    }  # fmt: skip


def index_fields(fields: tuple[str, ...], /) -> list[dict[str, str]]:
    """Return the fields of an index.

    >>> index_fields(("p CONTAINS", "due ASCENDING"))
    [{'fieldPath': 'p', 'arrayConfig': 'CONTAINS'}, {'fieldPath': 'due', 'order': 'ASCENDING'}]
    """
    named = [field.split() for field in fields]
    return [{"fieldPath": path, "arrayConfig" if kind == "CONTAINS" else "order": kind} for path, kind in named]


def _service(manifest: Manifest, name: str, one: ServiceSpec) -> dict[str, object]:
    secrets = [{"name": key, "valueSource": {"secretKeyRef": {"secret": value, "version": "latest"}}}
               for key, value in one.secrets.items()]  # fmt: skip
    return {
        "name": f"projects/{manifest.project}/locations/{manifest.region}/services/{name}",
        "ingress": "INGRESS_TRAFFIC_ALL", "customAudiences": [one.audience] if one.audience else [],
        "template": {
            "serviceAccount": manifest.email(one.account), "timeout": f"{one.timeout_s}s",
            "maxInstanceRequestConcurrency": one.concurrency,
            "scaling": {"minInstanceCount": one.instances_min, "maxInstanceCount": one.instances_max},
            "containers": [{
                "image": one.image,
                "env": [*({"name": key, "value": value} for key, value in manifest.env_of(name).items()), *secrets],
                "resources": {"limits": {"cpu": one.cpu, "memory": one.memory}, "cpuIdle": not one.cpu_always},
            }],
        },
        "traffic": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}],
    }  # fmt: skip


def _alert(manifest: Manifest, name: str, one: AlertSpec) -> dict[str, object]:
    shared = {"filter": one.filter, "aggregations": [{
        "alignmentPeriod": f"{one.align_s}s", "perSeriesAligner": one.aligner, "crossSeriesReducer": one.reducer,
    }]}  # fmt: skip
    condition: dict[str, object] = (
        {"conditionAbsent": {**shared, "duration": f"{one.absent_s}s"}} if one.absent_s is not None else
        {"conditionThreshold": {**shared, "comparison": one.comparison, "thresholdValue": one.threshold or 0,
                                "duration": f"{one.duration_s}s"}}
    )  # fmt: skip
    return {
        "displayName": name, "combiner": "OR", "enabled": True,
        "conditions": [{"displayName": name, **condition}],
        "notificationChannels": [f"projects/{manifest.project}/notificationChannels/{one}" for one in one.channels],
        "documentation": {"content": one.text, "mimeType": "text/markdown"},
        "alertStrategy": {"autoClose": f"{one.close_s}s"},
    }  # fmt: skip
