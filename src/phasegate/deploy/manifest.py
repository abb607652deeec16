"""What a manifest says: services, and all that they need. Pure.

The fields are described on the page docs/reference/manifest.md, which a test compares with these types.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

Use: TypeAlias = Literal["documents", "publish", "receive", "tables"]
Heartbeats: TypeAlias = Literal["in requests", "always"]
Id = Annotated[str, Meta(pattern=r"^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$")]
Text = Annotated[str, Meta(min_length=1)]
Path = Annotated[str, Meta(pattern="^/")]
Roles = Annotated[str, Meta(pattern=r"^(roles/|projects/|organizations/)")]


class ManifestTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table of the manifest."""


class ServiceSpec(ManifestTable, frozen=True, kw_only=True):
    """One service on Cloud Run."""

    image: Text
    account: str
    uses: tuple[Use, ...]
    timeout_s: Annotated[int, Meta(ge=1, le=3600)]
    source: str = ""
    paths: tuple[str, ...] = ()
    url: str = ""
    concurrency: Annotated[int, Meta(ge=1, le=1000)] = 8
    cpu: str = "1"
    memory: str = "1Gi"
    cpu_always: bool = False
    heartbeats: Heartbeats = "in requests"
    instances_min: Annotated[int, Meta(ge=0, le=100)] = 0
    instances_max: Annotated[int, Meta(ge=1, le=1000)] = 10
    invokers: tuple[str, ...] = ()
    audience: str = ""
    env: Mapping[str, str] = {}
    secrets: Mapping[str, str] = {}
    env_removed: tuple[str, ...] = ()


class TopicSpec(ManifestTable, frozen=True, kw_only=True):
    """One topic of Pub/Sub."""

    external: bool = False
    retention_s: Annotated[int, Meta(ge=600, le=2_678_400)] | None = None


class SubscriptionSpec(ManifestTable, frozen=True, kw_only=True):
    """One subscription: pushed to a service, or pulled."""

    topic: str
    push: str = ""
    path: Path = "/"
    account: str = ""
    audience: str = ""
    ack_deadline_s: Annotated[int, Meta(ge=10, le=600)] = 60
    retry_min_s: Annotated[int, Meta(ge=0, le=600)] | None = None
    retry_max_s: Annotated[int, Meta(ge=0, le=600)] | None = None
    dead_letter: str = ""
    attempts: Annotated[int, Meta(ge=5, le=100)] = 100
    inbox: bool = False
    retention_s: Annotated[int, Meta(ge=600, le=2_678_400)] = 604_800


class AccountSpec(ManifestTable, frozen=True, kw_only=True):
    """One service account, with its roles on the project."""

    purpose: Text
    roles: tuple[Roles, ...] = ()


class JobSpec(ManifestTable, frozen=True, kw_only=True):
    """One job of Cloud Scheduler: a POST to a service."""

    schedule: Annotated[str, Meta(pattern=r"^\S+( \S+){4}$", examples=["0 8 * * *"])]
    service: str
    path: Path
    timezone: str = "Etc/UTC"
    body: str = "{}"
    account: str = ""
    audience: str = ""
    deadline_s: Annotated[int, Meta(ge=15, le=1800)] = 600
    retries: Annotated[int, Meta(ge=0, le=5)] = 0


class IndexSpec(ManifestTable, frozen=True, kw_only=True):
    """One composite index: its fields, each with its order."""

    collection: Text
    fields: tuple[Annotated[str, Meta(pattern=r"^\S+ (ASCENDING|DESCENDING|CONTAINS)$")], ...]


class FirestoreSpec(ManifestTable, frozen=True, kw_only=True):
    """The database of the documents."""

    location: Text
    database: str = "(default)"
    index: tuple[IndexSpec, ...] = ()
    exempt: Mapping[str, tuple[str, ...]] = {}


class DatasetSpec(ManifestTable, frozen=True, kw_only=True):
    """One dataset of BigQuery."""

    location: Text
    writers: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()


class MetricSpec(ManifestTable, frozen=True, kw_only=True):
    """One metric that counts lines of the log."""

    filter: Text
    purpose: Text


class ChannelSpec(ManifestTable, frozen=True, kw_only=True):
    """One notification channel of Cloud Monitoring."""

    type: Text
    labels: Mapping[str, str]


class AlertSpec(ManifestTable, frozen=True, kw_only=True):
    """One alert policy with one condition: above a threshold, or absent."""

    filter: Text
    text: Text
    channels: tuple[str, ...] = ()
    threshold: float | None = None
    absent_s: int | None = None
    comparison: str = "COMPARISON_GT"
    duration_s: int = 0
    align_s: Annotated[int, Meta(ge=60, le=86_400)] = 300
    aligner: str = "ALIGN_DELTA"
    reducer: str = "REDUCE_SUM"
    close_s: Annotated[int, Meta(ge=1800, le=604_800)] = 86_400


class Manifest(ManifestTable, frozen=True, kw_only=True):
    """One deployment."""

    project: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$")]
    region: Text
    timezone: Text
    service: Mapping[Id, ServiceSpec]
    account: Mapping[Id, AccountSpec]
    state_bucket: str = ""
    env: Mapping[str, str] = {}
    topic: Mapping[str, TopicSpec] = {}
    subscription: Mapping[str, SubscriptionSpec] = {}
    job: Mapping[Id, JobSpec] = {}
    firestore: FirestoreSpec | None = None
    dataset: Mapping[str, DatasetSpec] = {}
    metric: Mapping[str, MetricSpec] = {}
    channel: Mapping[Id, ChannelSpec] = {}
    alert: Mapping[Id, AlertSpec] = {}

    def email(self, account: str, /) -> str:
        """Return the address of an account of the manifest."""
        return f"{account}@{self.project}.iam.gserviceaccount.com"

    def env_of(self, service: str, /) -> dict[str, str]:
        """Return the variables of a service, the shared ones included."""
        return {**self.env, **self.service[service].env}

    def audience_of(self, service: str, given: str, /) -> str:
        """Return the audience of a call: the one given, else the service's."""
        one = self.service.get(service)
        return given or ("" if one is None else one.audience)
