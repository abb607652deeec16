"""Which roles an account needs for what it does, and what is too much. Pure.

A role on the project stands with the account; that on a service, dataset or secret stands there.
"""

from collections.abc import Iterator, Mapping

from phasegate.base.wording import listed
from phasegate.deploy.faults import Fault
from phasegate.deploy.manifest import Manifest, ServiceSpec, Use
from phasegate.deploy.reading import ManifestLines
from phasegate.plan.toml_lines import Place, spell

# As docs/how-to/on-google-cloud.md and on-bigquery.md say: a test compares.
ROLES: Mapping[Use, str] = {
    "documents": "roles/datastore.user",
    "publish": "roles/pubsub.publisher",
    "receive": "roles/pubsub.subscriber",
    "tables": "roles/bigquery.jobUser",
}
# What each use is configured by, and the beginning of it that is meant here.
SETTINGS: Mapping[Use, tuple[str, str]] = {
    "documents": ("PHASEGATE_STORE", "firestore://"),
    "publish": ("PHASEGATE_BUS", "pubsub://"),
    "receive": ("PHASEGATE_BUS", "pubsub://"),
    "tables": ("PHASEGATE_WAREHOUSE", "bigquery://"),
}


def needed(manifest: Manifest, account: str, /) -> dict[str, str]:
    """Return the roles on the project that an account needs, and why."""
    return {
        ROLES[use]: f"service {name} uses {use}"
        for name, service in manifest.service.items() if service.account == account
        for use in service.uses
    }  # fmt: skip


def callers(manifest: Manifest, service: str, /) -> dict[str, str]:
    """Return the accounts that call a service, each with its reason."""
    pushed = {one.account: f"subscription {name} pushes as it" for name, one in manifest.subscription.items()
              if one.push == service and one.account}  # fmt: skip
    called = {one.account: f"job {name} calls as it" for name, one in manifest.job.items()
              if one.service == service and one.account}  # fmt: skip
    return pushed | called


def dataset_of(url: str, /) -> str:
    """Return the dataset of Phasegate's own tables, or an empty text.

    >>> dataset_of("bigquery://nba-props/phasegate?location=EU")
    'phasegate'
    """
    return url.partition("?")[0].removeprefix("bigquery://").partition("/")[2] if url.startswith("bigquery://") else ""


def check_grants(source: ManifestLines, manifest: Manifest, /) -> Iterator[Fault]:
    """Give each role that an account lacks, or has for nothing."""
    for name, account in manifest.account.items():
        needs = needed(manifest, name)
        for role, why in needs.items():
            if role not in account.roles:
                yield source.fault("DP018", ("account", name, "roles"), f"lacks {role}: {why}",
                                   f"add {spell(role)} to roles")  # fmt: skip
        for role in account.roles:
            if role not in needs:
                yield source.fault("DP019", ("account", name, "roles"), f"has {role}, which nothing needs",
                                   f"remove {spell(role)} from roles")  # fmt: skip
    for name, service in manifest.service.items():
        yield from _invokers(source, service, callers(manifest, name), ("service", name, "invokers"))
    yield from _datasets(source, manifest)


def _invokers(source: ManifestLines, service: ServiceSpec, calls: Mapping[str, str], place: Place) -> Iterator[Fault]:
    for caller, why in calls.items():
        if caller not in service.invokers:
            yield source.fault("DP018", place, f"account {caller} may not call it: {why}",
                               f"add {spell(caller)} to invokers")  # fmt: skip
    for caller in service.invokers:
        if caller.startswith("all"):
            yield source.fault("DP021", place, f"{caller} may call it: that is anyone",
                               f"remove {spell(caller)}; name the accounts that call it")  # fmt: skip
        elif caller not in calls:
            yield source.fault("DP019", place, f"account {caller} may call it, and does not",
                               f"remove {spell(caller)} from invokers")  # fmt: skip


def _datasets(source: ManifestLines, manifest: Manifest) -> Iterator[Fault]:
    tables = {service.account for service in manifest.service.values() if "tables" in service.uses}
    own = {dataset_of(manifest.env_of(name).get("PHASEGATE_WAREHOUSE", "")): service.account
           for name, service in manifest.service.items() if "tables" in service.uses}  # fmt: skip
    for dataset in own:
        if dataset and dataset not in manifest.dataset:
            text = f"there is no dataset {spell(dataset)}, which PHASEGATE_WAREHOUSE names"
            yield source.fault("DP004", ("env", "PHASEGATE_WAREHOUSE"), text, f"add [dataset.{dataset}]")  # fmt: skip
    for name, one in manifest.dataset.items():
        writers = tables if name in own else set[str]()
        for account in sorted(writers - {*one.writers}):
            yield source.fault("DP018", ("dataset", name, "writers"),
                               f"account {account} may not write it: receipts and fences are here",
                               f"add {spell(account)} to writers")  # fmt: skip
        for key, accounts in (("writers", one.writers), ("readers", one.readers)):
            idle = sorted({*accounts} - tables)
            twice = sorted({*one.writers} & {*accounts}) if key == "readers" else []
            if idle:
                yield source.fault("DP019", ("dataset", name, key),
                                   f"no service with tables in its uses runs as {listed(idle)}",
                                   f"remove {listed([*map(spell, idle)])} from {key}")  # fmt: skip
            if twice:
                yield source.fault("DP019", ("dataset", name, key), f"{listed(twice)} may write it, and so read it",
                                   f"remove {listed([*map(spell, twice)])} from readers")  # fmt: skip
