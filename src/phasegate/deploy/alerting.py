"""Which alert policies can fire, and notify someone. Pure.

Cloud Monitoring takes a policy whose filter matches nothing, and never says so. Its limits are those of its
documentation: one metric type in a filter, durations in whole minutes up to 23.5 hours, two comparisons.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from phasegate.deploy.faults import Fault
from phasegate.deploy.manifest import AlertSpec, Manifest
from phasegate.deploy.reading import ManifestLines
from phasegate.plan.toml_lines import Place, spell, suggest

DURATION_MAX_S = 84_600
ABSENT_MIN_S = 120
FILTER_CHARS_MAX = 2048
COMPARISONS = ("COMPARISON_GT", "COMPARISON_LT")
LOGGED = "logging.googleapis.com/user/"


class Measured(NamedTuple):
    """A metric of Google's: what it is measured on, and its kind."""

    resource: str
    kind: str


METRICS: Mapping[str, Measured] = {
    "pubsub.googleapis.com/subscription/dead_letter_message_count": Measured("pubsub_subscription", "DELTA"),
    "pubsub.googleapis.com/subscription/num_undelivered_messages": Measured("pubsub_subscription", "GAUGE"),
    "pubsub.googleapis.com/subscription/oldest_unacked_message_age": Measured("pubsub_subscription", "GAUGE"),
    "run.googleapis.com/request_count": Measured("cloud_run_revision", "DELTA"),
    "run.googleapis.com/request_latencies": Measured("cloud_run_revision", "DELTA"),
}
DELTAS = ("ALIGN_DELTA", "ALIGN_RATE")
_CLAUSE = re.compile(r'\b(metric\.type|resource\.type|resource\.labels?\.\w+)\s*=\s*"([^"]*)"')


def check_alerts(source: ManifestLines, manifest: Manifest, /) -> Iterator[Fault]:
    """Give what keeps an alert from firing, or from reaching someone."""
    for name, alert in manifest.alert.items():
        place: Place = ("alert", name)
        yield from _filter(source, manifest, alert, (*place, "filter"))
        yield from _condition(source, alert, place)
        if not alert.channels:
            yield source.fault("DP025", place, "names no channel", 'add channels = ["…"]')
    watched = " ".join(alert.filter for alert in manifest.alert.values())
    kept = {one.dead_letter for one in manifest.subscription.values() if one.dead_letter}
    for topic in sorted(kept):
        holding = [name for name, one in manifest.subscription.items() if one.topic == topic]
        if holding and not any(f'"{name}"' in watched for name in holding):
            yield source.fault("DP029", ("topic", topic), "no alert watches its subscription",
                               f'add an alert on num_undelivered_messages of "{holding[0]}"')  # fmt: skip


def clauses(text: str, /) -> dict[str, str]:
    """Return what a filter compares with.

    >>> clauses('metric.type="a/b" AND resource.label.job_id = "x"')
    {'metric.type': 'a/b', 'resource.labels.job_id': 'x'}
    """
    return {key.replace(".label.", ".labels."): value for key, value in _CLAUSE.findall(text)}


def _filter(source: ManifestLines, manifest: Manifest, alert: AlertSpec, place: Place) -> Iterator[Fault]:
    found = clauses(alert.filter)
    for key in ("metric.type", "resource.type"):
        if not found.get(key):
            yield source.fault("DP024", place, f"names no {key}, so it matches no time series and never fires",
                               f'add {key}="…"')  # fmt: skip
    if len(alert.filter) > FILTER_CHARS_MAX:
        yield source.fault("DP024", place, f"has {len(alert.filter)} characters", f"keep to {FILTER_CHARS_MAX}")
    metric, resource = found.get("metric.type", ""), found.get("resource.type", "")
    if metric.startswith(LOGGED) and metric.removeprefix(LOGGED) not in manifest.metric:
        name = metric.removeprefix(LOGGED)
        yield source.fault("DP024", place, f"there is no metric {spell(name)}{suggest(name, known=manifest.metric)}",
                           f'add [metric."{name}"]')  # fmt: skip
    known = METRICS.get(metric)
    if known is not None and resource and resource != known.resource:
        yield source.fault("DP024", place, f"{metric} is measured on {known.resource}, not on {resource}",
                           f'write resource.type="{known.resource}"')  # fmt: skip
    if known is not None and known.kind == "GAUGE" and alert.aligner in DELTAS:
        yield source.fault("DP024", (*place[:-1], "aligner"), f"{metric} is a gauge, which {alert.aligner} refuses",
                           'write aligner = "ALIGN_MAX"')  # fmt: skip
    labels: dict[str, Mapping[str, object]] = {
        "service_name": manifest.service, "subscription_id": manifest.subscription, "topic_id": manifest.topic,
        "job_id": manifest.job,
    }  # fmt: skip
    for label, there in labels.items():
        name = found.get(f"resource.labels.{label}", "")
        if name and name not in there:
            text = f"{label} {spell(name)} is not in the manifest{suggest(name, known=there)}"
            yield source.fault("DP024", place, text, "name one that is")


def _condition(source: ManifestLines, alert: AlertSpec, place: Place) -> Iterator[Fault]:
    if (alert.threshold is None) == (alert.absent_s is None):
        both = "both threshold and absent_s" if alert.threshold is not None else "neither threshold nor absent_s"
        yield source.fault("DP024", place, f"has {both}", "write one of them")
    if alert.comparison not in COMPARISONS:
        yield source.fault("DP024", (*place, "comparison"), f"Cloud Monitoring refuses {alert.comparison}",
                           f"write {' or '.join(map(spell, COMPARISONS))}")  # fmt: skip
    for key, low in (("duration_s", 0), ("absent_s", ABSENT_MIN_S)):
        value = getattr(alert, key)
        if value is not None and (value % 60 or not low <= value <= DURATION_MAX_S):
            text = f"is {value}, wanted whole minutes from {low} to {DURATION_MAX_S}"
            yield source.fault("DP026", (*place, key), text,
                               f"write a multiple of 60 from {low} to {DURATION_MAX_S}")  # fmt: skip
