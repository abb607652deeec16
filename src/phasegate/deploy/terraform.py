"""Renders a manifest as Terraform JSON for hashicorp/google. Pure.

Variables of a live service that the manifest does not name are kept: they are passed in as ``foreign``, and written
beside ours. It creates no secret, no image and no table: the first two are others' work, and tables are made by
``phasegate tables``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from phasegate.deploy.manifest import AlertSpec, Manifest, ServiceSpec
from phasegate.plan.toml_lines import Place

Json: TypeAlias = Mapping[str, object]
# Variables as Terraform writes them.
Entries: TypeAlias = Sequence[Json]
BUILD = "PHASEGATE_BUILD"
# A kind of resource -> the API that must be enabled before it.
APIS = {
    "google_bigquery_dataset": "bigquery",
    "google_cloud_run_v2_service": "run",
    "google_cloud_scheduler_job": "cloudscheduler",
    "google_firestore_database": "firestore",
    "google_logging_metric": "logging",
    "google_monitoring_alert_policy": "monitoring",
    "google_monitoring_notification_channel": "monitoring",
    "google_pubsub_topic": "pubsub",
    "google_service_account": "iam",
}
SECTIONS = (
    "project", "account", "service", "topic", "subscription", "job", "firestore", "dataset", "metric", "channel",
    "alert",
)  # fmt: skip
PUBSUB_AGENT = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"


class Resource(NamedTuple):
    """One resource: its kind, its name, its place in the manifest, its body."""

    kind: str
    name: str
    place: Place
    body: Json


def render(
    manifest: Manifest, /, *, kept: Mapping[str, Entries] | None = None, build: str | None = None
) -> dict[str, dict[str, object]]:
    """Return the files by name.

    ``kept``: by service, what a live one has and the manifest does not name. ``build``: the label of a build, which
    becomes the tag of the images and PHASEGATE_BUILD.
    """
    head: dict[str, object] = {
        "terraform": {
            "required_version": ">= 1.5",
            "required_providers": {"google": {"source": "hashicorp/google", "version": "~> 8.7"}},
            **({"backend": {"gcs": {"bucket": manifest.state_bucket, "prefix": "phasegate"}}} if manifest.state_bucket
               else {}),
        },
        "provider": {"google": {"project": manifest.project, "region": manifest.region}},
        "data": {"google_project": {"this": {"project_id": manifest.project}}},
    }  # fmt: skip
    files: dict[str, dict[str, object]] = {"main.tf.json": head}
    for section in SECTIONS:  # also those that are empty now: a file of an earlier render must not stay
        files[f"{section}.tf.json"] = {"resource": {}}
    for one in resources(manifest, kept=kept or {}, build=build):
        kinds = files[f"{one.place[0]}.tf.json"]["resource"]
        assert isinstance(kinds, dict)
        kinds.setdefault(one.kind, {})[one.name] = one.body
    return files


def resources(
    manifest: Manifest, /, *, kept: Mapping[str, Entries] | None = None, build: str | None = None
) -> Iterator[Resource]:
    """Give all resources."""
    made = [
        *_accounts(manifest), *_services(manifest, kept or {}, build), *_topics(manifest), *_subscriptions(manifest),
        *_jobs(manifest), *_firestore(manifest), *_datasets(manifest), *_monitoring(manifest),
    ]  # fmt: skip
    apis = sorted({APIS[one.kind] for one in made if one.kind in APIS})
    for api in apis:
        yield Resource("google_project_service", api, ("project",),
                       {"service": f"{api}.googleapis.com", "disable_on_destroy": False})  # fmt: skip
    for one in made:
        own = one.body.get("depends_on", ())
        assert isinstance(own, Sequence)
        needs = [f"google_project_service.{APIS[one.kind]}", *own] if one.kind in APIS else []
        yield one if not needs else one._replace(body={**one.body, "depends_on": needs})


def label(name: str, /) -> str:
    """Return a name as Terraform takes it in an address.

    >>> label("push.nba-completions"), label("2nd")
    ('push_nba-completions', '_2nd')
    """
    text = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return text if re.match(r"[A-Za-z_]", text) else f"_{text}"


def literal(text: str, /) -> str:
    """Return a text in which Terraform replaces nothing."""
    return text.replace("${", "$${").replace("%{", "%%{")


def _email(account: str) -> str:
    return f"${{google_service_account.{label(account)}.email}}"


def _member(account: str) -> str:
    return account if account.startswith("all") else f"serviceAccount:{account if '@' in account else _email(account)}"


def _accounts(manifest: Manifest) -> Iterator[Resource]:
    for name, account in manifest.account.items():
        place: Place = ("account", name)
        yield Resource("google_service_account", label(name), place,
                       {"account_id": name, "display_name": literal(account.purpose)})  # fmt: skip
        for role in account.roles:
            yield Resource("google_project_iam_member", label(f"{name}-{role}"), (*place, "roles"),
                           {"project": manifest.project, "role": role, "member": _member(name)})  # fmt: skip
    for name in sorted({one.account for one in manifest.subscription.values() if one.push and one.account}):
        # Pub/Sub signs its pushes as this account
        yield Resource("google_service_account_iam_member", label(f"{name}-signed-by-pubsub"), ("account", name), {
            "service_account_id": f"${{google_service_account.{label(name)}.name}}",
            "role": "roles/iam.serviceAccountTokenCreator", "member": PUBSUB_AGENT,
        })  # fmt: skip


def _services(manifest: Manifest, kept: Mapping[str, Entries], build: str | None) -> Iterator[Resource]:
    for name, service in manifest.service.items():
        place: Place = ("service", name)
        env = env_entries(manifest, name, kept=kept.get(name, ()), build=build)
        yield Resource("google_cloud_run_v2_service", label(name), place, _service(manifest, name, env, build))
        for account in service.invokers:
            yield Resource("google_cloud_run_v2_service_iam_member", label(f"{name}-{account}"), (*place, "invokers"), {
                "name": f"${{google_cloud_run_v2_service.{label(name)}.name}}", "location": manifest.region,
                "role": "roles/run.invoker", "member": _member(account),
            })  # fmt: skip
        for secret in sorted(set(service.secrets.values())):
            yield Resource("google_secret_manager_secret_iam_member", label(f"{name}-{secret}"), (*place, "secrets"), {
                "secret_id": secret, "role": "roles/secretmanager.secretAccessor", "member": _member(service.account),
            })  # fmt: skip


def env_entries(manifest: Manifest, service: str, /, *, kept: Entries, build: str | None) -> list[Json]:
    """Return all variables of a service: the manifest's, then those kept."""
    spec = manifest.service[service]
    ours = manifest.env_of(service) | ({BUILD: f"{service}@{build}"} if build else {})
    plain: list[Json] = [{"name": name, "value": literal(value)} for name, value in ours.items()]
    secret: list[Json] = [
        {"name": name, "value_source": {"secret_key_ref": {"secret": given, "version": "latest"}}}
        for name, given in spec.secrets.items()
    ]
    named = {*ours, *spec.secrets, *spec.env_removed}
    return [*plain, *secret, *(one for one in kept if one["name"] not in named)]


def _service(manifest: Manifest, name: str, env: Sequence[Json], build: str | None) -> Json:
    service = manifest.service[name]
    return {
        "name": name, "location": manifest.region, "ingress": "INGRESS_TRAFFIC_ALL",
        **({"custom_audiences": [service.audience]} if service.audience else {}),
        "template": {
            "service_account": _email(service.account), "timeout": f"{service.timeout_s}s",
            "max_instance_request_concurrency": service.concurrency,
            "scaling": {"min_instance_count": service.instances_min, "max_instance_count": service.instances_max},
            "containers": [{
                "image": image_of(service, build), "env": list(env),
                "resources": {"limits": {"cpu": service.cpu, "memory": service.memory},
                              "cpu_idle": not service.cpu_always},
            }],
        },
        "traffic": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}],
    }  # fmt: skip


def image_of(service: ServiceSpec, build: str | None, /) -> str:
    """Return the image of a service: that of a build, or as it is written.

    A tag has no "+", which a build from changed files has.
    """
    named = ":" in service.image.rpartition("/")[2]
    return service.image if build is None or named else f"{service.image}:{build.replace('+', '-')}"


def _topics(manifest: Manifest) -> Iterator[Resource]:
    dead = {one.dead_letter for one in manifest.subscription.values() if one.dead_letter}
    for name, topic in manifest.topic.items():
        place: Place = ("topic", name)
        kept = {} if topic.retention_s is None else {"message_retention_duration": f"{topic.retention_s}s"}
        yield Resource("google_pubsub_topic", label(name), place, {"name": name, **kept})
        if name in dead:
            yield Resource("google_pubsub_topic_iam_member", label(f"{name}-dead-letters"), place, {
                "topic": f"${{google_pubsub_topic.{label(name)}.name}}", "role": "roles/pubsub.publisher",
                "member": PUBSUB_AGENT,
            })  # fmt: skip


def _subscriptions(manifest: Manifest) -> Iterator[Resource]:
    for name, one in manifest.subscription.items():
        place: Place = ("subscription", name)
        body: dict[str, object] = {
            "name": name, "topic": f"${{google_pubsub_topic.{label(one.topic)}.id}}",
            "ack_deadline_seconds": one.ack_deadline_s, "message_retention_duration": f"{one.retention_s}s",
            "expiration_policy": {"ttl": ""},
        }  # fmt: skip
        if one.push:
            audience = manifest.audience_of(one.push, one.audience)
            token = {"oidc_token": {"service_account_email": _email(one.account),
                                    **({"audience": literal(audience)} if audience else {})}}  # fmt: skip
            body["push_config"] = {
                "push_endpoint": f"${{google_cloud_run_v2_service.{label(one.push)}.uri}}{literal(one.path)}",
                **(token if one.account else {}),
            }
        if one.retry_min_s is not None and one.retry_max_s is not None:
            body["retry_policy"] = {"minimum_backoff": f"{one.retry_min_s}s", "maximum_backoff": f"{one.retry_max_s}s"}
        if one.dead_letter:
            body["dead_letter_policy"] = {"dead_letter_topic": f"${{google_pubsub_topic.{label(one.dead_letter)}.id}}",
                                          "max_delivery_attempts": one.attempts}  # fmt: skip
        yield Resource("google_pubsub_subscription", label(name), place, body)
        if one.dead_letter:
            yield Resource("google_pubsub_subscription_iam_member", label(f"{name}-dead-letters"), place, {
                "subscription": f"${{google_pubsub_subscription.{label(name)}.name}}",
                "role": "roles/pubsub.subscriber", "member": PUBSUB_AGENT,
            })  # fmt: skip


def _jobs(manifest: Manifest) -> Iterator[Resource]:
    for name, job in manifest.job.items():
        audience = manifest.audience_of(job.service, job.audience)
        token = {"oidc_token": {"service_account_email": _email(job.account),
                                **({"audience": literal(audience)} if audience else {})}}  # fmt: skip
        yield Resource("google_cloud_scheduler_job", label(name), ("job", name), {
            "name": name, "region": manifest.region, "schedule": job.schedule, "time_zone": job.timezone,
            "attempt_deadline": f"{job.deadline_s}s", "paused": False,
            "http_target": {
                "uri": f"${{google_cloud_run_v2_service.{label(job.service)}.uri}}{literal(job.path)}",
                "http_method": "POST", "headers": {"Content-Type": "application/json"},
                "body": f"${{base64encode({_quoted(job.body)})}}",
                **(token if job.account else {}),
            },
            "retry_config": {"retry_count": job.retries},
        })  # fmt: skip


def _quoted(text: str) -> str:
    """Return a text as a string of Terraform's expressions."""
    return '"' + literal(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _firestore(manifest: Manifest) -> Iterator[Resource]:
    spec = manifest.firestore
    if spec is None:
        return
    yield Resource("google_firestore_database", "documents", ("firestore",), {
        "name": spec.database, "location_id": spec.location, "type": "FIRESTORE_NATIVE",
        "delete_protection_state": "DELETE_PROTECTION_ENABLED",
    })  # fmt: skip
    database = "${google_firestore_database.documents.name}"
    for number, index in enumerate(spec.index):
        fields = [
            {"field_path": path, **({"array_config": kind} if kind == "CONTAINS" else {"order": kind})}
            for path, kind in (field.split() for field in index.fields)
        ]
        yield Resource("google_firestore_index", label(f"{index.collection}-{number}"), ("firestore", "index", number),
                       {"database": database, "collection": index.collection, "fields": fields})  # fmt: skip
    for collection, names in spec.exempt.items():
        for field in names:
            place: Place = ("firestore", "exempt", collection)
            body = {"database": database, "collection": collection, "field": field, "index_config": {}}
            yield Resource("google_firestore_field", label(f"{collection}-{field}"), place, body)


def _datasets(manifest: Manifest) -> Iterator[Resource]:
    for name, dataset in manifest.dataset.items():
        place: Place = ("dataset", name)
        yield Resource("google_bigquery_dataset", label(name), place,
                       {"dataset_id": name, "location": dataset.location})  # fmt: skip
        for key, role in (("writers", "roles/bigquery.dataEditor"), ("readers", "roles/bigquery.dataViewer")):
            for account in getattr(dataset, key):
                yield Resource("google_bigquery_dataset_iam_member", label(f"{name}-{key}-{account}"), (*place, key), {
                    "dataset_id": f"${{google_bigquery_dataset.{label(name)}.dataset_id}}", "role": role,
                    "member": _member(account),
                })  # fmt: skip


def _monitoring(manifest: Manifest) -> Iterator[Resource]:
    for name, metric in manifest.metric.items():
        yield Resource("google_logging_metric", label(name), ("metric", name), {
            "name": name, "description": literal(metric.purpose), "filter": literal(metric.filter),
            "metric_descriptor": {"metric_kind": "DELTA", "value_type": "INT64"},
        })  # fmt: skip
    for name, channel in manifest.channel.items():
        yield Resource("google_monitoring_notification_channel", label(name), ("channel", name), {
            "display_name": name, "type": channel.type,
            "labels": {key: literal(value) for key, value in channel.labels.items()},
        })  # fmt: skip
    for name, alert in manifest.alert.items():
        needs = [f"google_logging_metric.{label(one)}" for one in manifest.metric if f'/user/{one}"' in alert.filter]
        yield Resource("google_monitoring_alert_policy", label(name), ("alert", name), {
            "display_name": name, "combiner": "OR", "enabled": True,
            "conditions": [{"display_name": name, **_condition(alert)}],
            "notification_channels": [f"${{google_monitoring_notification_channel.{label(one)}.name}}"
                                      for one in alert.channels],
            "documentation": {"content": literal(alert.text), "mime_type": "text/markdown"},
            "alert_strategy": {"auto_close": f"{alert.close_s}s"},
            **({"depends_on": needs} if needs else {}),
        })  # fmt: skip


def _condition(alert: AlertSpec) -> Json:
    aggregations = [{"alignment_period": f"{alert.align_s}s", "per_series_aligner": alert.aligner,
                     "cross_series_reducer": alert.reducer}]  # fmt: skip
    if alert.absent_s is not None:
        return {"condition_absent": {"filter": literal(alert.filter), "duration": f"{alert.absent_s}s",
                                     "aggregations": aggregations}}  # fmt: skip
    return {"condition_threshold": {
        "filter": literal(alert.filter), "comparison": alert.comparison, "threshold_value": alert.threshold or 0,
        "duration": f"{alert.duration_s}s", "aggregations": aggregations,
    }}  # fmt: skip
