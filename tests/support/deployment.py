"""The manifest of the repository with mistakes planted, and a project whose state is as gcloud prints it."""

import base64
import json
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from phasegate.deploy import gcloud
from phasegate.deploy.manifest import Manifest
from phasegate.deploy.reading import ManifestLines, read
from tests.support.real_data import ROOT

PATH = ROOT / "deploy" / "gcp" / "manifest.toml"
TEXT = PATH.read_text()
PROJECT, REGION = "nba-props-prod", "us-central1"
COLLECTION = f"projects/{PROJECT}/databases/(default)/collectionGroups/phasegate"
State: TypeAlias = dict[str, Any]
Decay: TypeAlias = Callable[[State], None]


def manifest(text: str = TEXT) -> tuple[ManifestLines, Manifest]:
    """Return a manifest whose types are right."""
    source, found, faults = read(text, name="manifest.toml")
    assert faults == ()
    assert found is not None
    return source, found


def planted(old: str, new: str) -> tuple[str, int]:
    """Return the manifest with one change, and the line where it begins."""
    assert TEXT.count(old) == 1, f"{old!r} stands {TEXT.count(old)} times"
    return TEXT.replace(old, new), TEXT[: TEXT.index(old)].count("\n") + 1


def url_of(service: str) -> str:
    """Return the address that Cloud Run gave a service."""
    return f"https://{service}-abc123-uc.a.run.app"


def as_meant() -> State:
    """Return what gcloud prints of a project where everything is as the manifest says."""
    _, found = manifest()
    state: State = {
        "services": [_service(found, name) for name in found.service],
        "topics": [{"name": f"projects/{PROJECT}/topics/{name}"} for name in found.topic],
        "subscriptions": [_subscription(found, name) for name in found.subscription],
        "jobs": [_job(found, name) for name in found.job],
        "functions": [],
        "accounts": [{"email": found.email(name), "displayName": one.purpose, "uniqueId": "1078"}
                     for name, one in found.account.items()],
        "project-iam": {"bindings": _bindings(found), "etag": "BwYd", "version": 1},
        "indexes": [{
            "name": f"{COLLECTION}/indexes/CICAgJim14AK",
            "queryScope": "COLLECTION", "state": "READY", "density": "SPARSE_ALL",
            "fields": [{"arrayConfig": "CONTAINS", "fieldPath": "p"}, {"fieldPath": "due", "order": "ASCENDING"},
                       {"fieldPath": "__name__", "order": "ASCENDING"}],
        }],
        "fields": [{"indexConfig": {}, "name": f"{COLLECTION}/fields/{name}"} for name in ("b", "due", "p", "w")],
        "metrics": [{"name": name, "filter": one.filter, "metricDescriptor": {"metricKind": "DELTA"}}
                    for name, one in found.metric.items()],
        "channels": [{"displayName": name, "type": one.type, "labels": dict(one.labels), "enabled": True,
                      "name": f"projects/{PROJECT}/notificationChannels/{number}"}
                     for number, (name, one) in enumerate(found.channel.items())],
        "policies": [_policy(found, name) for name in found.alert],
    }  # fmt: skip
    agent = "serviceAccount:service-1078@gcp-sa-pubsub.iam.gserviceaccount.com"
    state["topic-iam.nba.dead"] = {"bindings": [{"members": [agent], "role": "roles/pubsub.publisher"}], "etag": "BwYd"}
    for name in [name for name, one in found.subscription.items() if one.push]:
        binding = {"members": [agent], "role": "roles/pubsub.subscriber"}
        state[f"subscription-iam.{name}"] = {"bindings": [binding], "etag": "BwYd"}
    for name, service in found.service.items():
        callers = [f"serviceAccount:{found.email(one)}" for one in service.invokers]
        state[f"service-iam.{name}"] = {"bindings": [{"members": callers, "role": "roles/run.invoker"}], "etag": "BwYd"}
    for name, dataset in found.dataset.items():
        state[f"dataset.{name}"] = {"id": f"{PROJECT}:{name}", "location": dataset.location, "access": [
            {"role": "OWNER", "specialGroup": "projectOwners"},
            *({"role": "WRITER", "userByEmail": found.email(one)} for one in dataset.writers),
            *({"role": "READER", "userByEmail": found.email(one)} for one in dataset.readers),
        ]}  # fmt: skip
    return state


def _service(found: Manifest, name: str) -> dict[str, Any]:
    one = found.service[name]
    env = [{"name": key, "value": value} for key, value in found.env_of(name).items()]
    return {
        "apiVersion": "serving.knative.dev/v1", "kind": "Service",
        "metadata": {"name": name, "annotations": {"run.googleapis.com/ingress": "all"}},
        "spec": {
            "template": {
                "metadata": {"annotations": {"run.googleapis.com/cpu-throttling": str(not one.cpu_always).lower()}},
                "spec": {"containerConcurrency": one.concurrency, "timeoutSeconds": one.timeout_s,
                         "serviceAccountName": found.email(one.account),
                         "containers": [{"image": one.image, "env": env}]},
            },
            "traffic": [{"latestRevision": True, "percent": 100}],
        },
        "status": {"url": url_of(name), "latestReadyRevisionName": f"{name}-00007-abc",
                   "latestCreatedRevisionName": f"{name}-00007-abc"},
    }  # fmt: skip


def _subscription(found: Manifest, name: str) -> dict[str, Any]:
    one = found.subscription[name]
    body: dict[str, Any] = {
        "name": f"projects/{PROJECT}/subscriptions/{name}", "topic": f"projects/{PROJECT}/topics/{one.topic}",
        "ackDeadlineSeconds": one.ack_deadline_s, "messageRetentionDuration": f"{one.retention_s}s",
        "expirationPolicy": {}, "state": "ACTIVE", "pushConfig": {},
    }  # fmt: skip
    if one.push:
        body["pushConfig"] = {
            "pushEndpoint": f"{url_of(one.push)}/",
            "oidcToken": {"serviceAccountEmail": f"push@{PROJECT}.iam.gserviceaccount.com", "audience": one.push},
        }
        body["retryPolicy"] = {"maximumBackoff": "600s", "minimumBackoff": "10s"}
        body["deadLetterPolicy"] = {
            "deadLetterTopic": f"projects/{PROJECT}/topics/nba.dead",
            "maxDeliveryAttempts": 100,
        }
    return body


def _job(found: Manifest, name: str) -> dict[str, Any]:
    one = found.job[name]
    return {
        "name": f"projects/{PROJECT}/locations/{REGION}/jobs/{name}", "schedule": one.schedule, "state": "ENABLED",
        "timeZone": one.timezone, "attemptDeadline": "600s", "lastAttemptTime": "2026-11-30T13:00:00Z",
        "httpTarget": {
            "uri": f"{url_of(one.service)}{one.path}", "httpMethod": "POST",
            "headers": {"Content-Type": "application/json", "User-Agent": "Google-Cloud-Scheduler"},
            "body": base64.b64encode(one.body.encode()).decode(),
            "oidcToken": {"serviceAccountEmail": f"scheduler@{PROJECT}.iam.gserviceaccount.com",
                          "audience": "phasegate-monitor"},
        },
    }  # fmt: skip


def _bindings(found: Manifest) -> list[dict[str, Any]]:
    roles: dict[str, list[str]] = {"roles/owner": ["user:owner@nba-props.example"]}
    for name, one in found.account.items():
        for role in one.roles:
            roles.setdefault(role, []).append(f"serviceAccount:{found.email(name)}")
    return [{"members": members, "role": role} for role, members in roles.items()]


def _policy(found: Manifest, name: str) -> dict[str, Any]:
    one = found.alert[name]
    condition: dict[str, Any] = {"filter": one.filter, "trigger": {"count": 1}}
    kind = "conditionThreshold" if one.absent_s is None else "conditionAbsent"
    condition["duration"] = f"{one.duration_s if one.absent_s is None else one.absent_s}s"
    return {
        "name": f"projects/{PROJECT}/alertPolicies/{sum(map(ord, name))}", "displayName": name, "combiner": "OR",
        "enabled": True, "notificationChannels": [f"projects/{PROJECT}/notificationChannels/0"],
        "conditions": [{"displayName": name, kind: condition}],
    }  # fmt: skip


def recorded(folder: Path, state: Mapping[str, Any]) -> Path:
    """Write a state as its commands record it."""
    folder.mkdir(exist_ok=True)
    for name, body in state.items():
        (folder / f"{name}.json").write_text(json.dumps(body))
    return folder


def fake_gcloud(folder: Path, state: Path) -> Path:
    """Write a gcloud that prints recorded answers, notes how it was called, and knows nothing else."""
    _, found = manifest()
    answers = {" ".join([*one.command[1:], "--quiet"]): str(state / f"{one.name}.json") for one in gcloud.reads(found)}
    folder.mkdir(exist_ok=True)
    program = folder / "gcloud"
    program.write_text(f"""#!{sys.executable}
import sys
from pathlib import Path
asked = " ".join(sys.argv[1:])
with open({str(folder / "asked")!r}, "a") as notes:
    notes.write(asked + "\\n")
answer = {answers!r}.get(asked)
if answer is None:
    sys.exit(f"ERROR: (gcloud) Invalid choice: {{asked}}")
if not Path(answer).exists():
    sys.exit("ERROR: (gcloud) PERMISSION_DENIED: Permission denied on resource.")
text = Path(answer).read_text()
if text == "null":
    sys.exit("ERROR: (gcloud) NOT_FOUND: it was not found.")
print(text)
""")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder
