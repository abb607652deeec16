"""Compares a manifest with what was read of a project.

Named is what is gone, doubled, paused, lost or someone else's. What could not be read is not evaluated. Each list of
gcloud is one check.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeAlias

from phasegate.base.findings import CheckResult
from phasegate.base.wording import listed
from phasegate.deploy import messages
from phasegate.deploy.faults import Fault
from phasegate.deploy.gcloud import ProjectState, Repairs, changes
from phasegate.deploy.manifest import Manifest
from phasegate.deploy.reading import ManifestLines
from phasegate.deploy.services import (
    APPLY,
    at,
    compare_invokers,
    compare_services,
    items,
    members,
    running,
    tail,
    urls,
)
from phasegate.plan.toml_lines import Place, spell

Compared: TypeAlias = Iterator[Fault]
AGENT = re.compile(r"serviceAccount:service-\d+@gcp-sa-pubsub\.iam\.gserviceaccount\.com")
DATASET_ROLES = {
    "writers": ("roles/bigquery.dataEditor", "WRITER"),
    "readers": ("roles/bigquery.dataViewer", "READER"),
}


class Comparison:
    """One manifest beside one state."""

    def __init__(self, source: ManifestLines, manifest: Manifest, state: ProjectState) -> None:
        self._source, self._manifest, self._state = source, manifest, state
        self._change: Repairs = changes(manifest)
        # the addresses of each service that runs; empty where they could not be read
        self._urls = {name: urls(one) for name, one in running(state.found.get("services")).items()}

    def results(self) -> list[CheckResult]:
        """Return one check for each list that was read, or could not be."""
        m = self._manifest
        checks: dict[str, Callable[[object], Compared]] = {
            "services": lambda found: compare_services(self._source, m, found, change=self._change),
            "topics": lambda found: self._names("topic", m.topic, {tail(one.get("name")) for one in items(found)}),
            "subscriptions": self._subscriptions,
            "functions": self._functions,
            "jobs": self._jobs,
            "accounts": lambda found: self._names(
                "account", m.account, {str(one.get("email")).partition("@")[0] for one in items(found)}
            ),
            "project-iam": self._roles,
            "metrics": self._metrics,
            "channels": lambda found: self._names(
                "channel", m.channel, {one.get("displayName") for one in items(found)}
            ),
            "policies": self._policies,
        }
        if m.firestore is not None:
            checks |= {"indexes": self._indexes, "fields": self._fields}
        for name, one in m.subscription.items():
            if one.dead_letter:
                topic, role = one.dead_letter, "roles/pubsub.publisher"
                checks[f"topic-iam.{topic}"] = partial(self._agent, ("topic", topic), role)
                checks[f"subscription-iam.{name}"] = partial(
                    self._agent, ("subscription", name, "dead_letter"), "roles/pubsub.subscriber"
                )
        for name in m.service:
            checks[f"service-iam.{name}"] = partial(self._invokers, name)
        for name in m.dataset:
            checks[f"dataset.{name}"] = partial(self._dataset, name)
        return [self._result(name, check) for name, check in checks.items()]

    def _result(self, name: str, check: Callable[[object], Compared]) -> CheckResult:
        error = self._state.errors.get(name)
        if error is not None:
            return CheckResult(check=name, error=error)
        found = self._state.found.get(name)
        return CheckResult(
            check=name, findings=tuple(check(found)), evaluated=len(found) if isinstance(found, list) else 1
        )

    def _fault(self, code: str, place: Place, text: str, mend: str = APPLY) -> Fault:
        return self._source.fault(code, place, text, mend)

    def _names(self, kind: str, ours: Mapping[str, object], there: "set[object] | set[str]") -> Compared:
        for name in ours:
            if name not in there:
                yield self._fault("DP040", (kind, name), f"there is no such {kind}")

    def _differs(self, place: Place, wanted: Mapping[str, object], found: Mapping[str, object]) -> Compared:
        for key, value in wanted.items():
            if str(found.get(key)) != str(value):
                yield self._fault("DP042", place, f"{key} is {found.get(key)}, wanted {value}")

    # Messages

    def _subscriptions(self, found: object) -> Compared:
        there = {tail(one.get("name")): one for one in items(found)}
        yield from self._names("subscription", self._manifest.subscription, {*there})
        for name in self._manifest.subscription:
            if name in there:
                yield from self._subscription(name, there[name])
        yield from self._doubled(there)

    def _subscription(self, name: str, live: Mapping[str, object]) -> Compared:
        place: Place = ("subscription", name)
        one, wanted = self._manifest.subscription[name], messages.subscription(self._manifest, name)
        if "retryPolicy" in wanted and not live.get("retryPolicy"):
            yield self._fault("DP010", (*place, "retry_min_s"), "has no back-off any more")
        elif "retryPolicy" in wanted and live["retryPolicy"] != wanted["retryPolicy"]:
            yield self._fault("DP042", (*place, "retry_min_s"), f"the back-off is {_spelled(live['retryPolicy'])}")
        dead = tail(at(live, "deadLetterPolicy", "deadLetterTopic"))
        if one.dead_letter and not dead:
            yield self._fault("DP012", (*place, "dead_letter"), "has no dead letter any more")
        elif dead != one.dead_letter:
            code, mend = ("DP042", APPLY) if one.dead_letter else ("DP013", APPLY)
            yield self._fault(code, (*place, "dead_letter"), f"dead letters go to {dead}", mend)
        elif one.dead_letter and at(live, "deadLetterPolicy", "maxDeliveryAttempts") != one.attempts:
            attempts = at(live, "deadLetterPolicy", "maxDeliveryAttempts")
            yield self._fault("DP042", (*place, "attempts"), f"is {attempts}, wanted {one.attempts}")
        if at(live, "expirationPolicy", "ttl"):
            ttl = at(live, "expirationPolicy", "ttl")
            yield self._fault("DP042", place, f"is deleted when it was not used for {ttl}")
        keys = ("topic", "ackDeadlineSeconds", "messageRetentionDuration")
        yield from self._differs(place, {key: wanted[key] for key in keys}, live)
        yield from self._push(place, one.push, live)

    def _push(self, place: Place, service: str, live: Mapping[str, object]) -> Compared:
        endpoint = str(at(live, "pushConfig", "pushEndpoint") or "")
        if bool(endpoint) != bool(service):
            text = f"is pushed to {endpoint}" if endpoint else "is not pushed any more"
            yield self._fault("DP042", (*place, "push"), text)
            return
        if not service:
            return
        one = self._manifest.subscription[str(place[1])]
        known = self._urls.get(service, set())
        if known and not any(endpoint.rstrip("/") == f"{url}{one.path}".rstrip("/") for url in known):
            yield self._fault("DP042", (*place, "push"), f"pushes to {endpoint}, wanted {service} at {one.path}")
        audience = self._manifest.audience_of(service, one.audience)
        yield from self._token(place, at(live, "pushConfig", "oidcToken"), one.account, audience, code="DP011")

    def _token(self, place: Place, token: object, account: str, audience: str, *, code: str) -> Compared:
        if not at(token, "serviceAccountEmail"):
            yield self._fault(code, place, "is sent without an ID token")
            return
        if at(token, "serviceAccountEmail") != self._manifest.email(account):
            yield self._fault("DP042", (*place, "account"), f"calls as {at(token, 'serviceAccountEmail')}")
        if audience and at(token, "audience") != audience:
            yield self._fault("DP016", place, f"the audience is {at(token, 'audience')}, wanted {audience}")

    def _doubled(self, there: Mapping[str, Mapping[str, object]]) -> Compared:
        """Give what reaches one place twice, and foreign pushes of our topics."""
        ours, m = self._manifest.subscription, self._manifest
        pushed: dict[tuple[str, str], list[str]] = defaultdict(list)
        for name, live in there.items():
            endpoint = str(at(live, "pushConfig", "pushEndpoint") or "").rstrip("/")
            if endpoint:
                pushed[tail(live.get("topic")), endpoint].append(name)
        for (topic, endpoint), names in pushed.items():
            foreign = [name for name in names if name not in ours]
            if len(names) > 1:
                text = f"{listed(names)} push it to {endpoint}: each message comes {len(names)} times"
                mend = self._change.drop_subscription((foreign or names)[-1])
                yield self._fault("DP043", ("topic", topic), text, mend)
            elif foreign and topic in m.topic:
                text = f"{foreign[0]} pushes it to {endpoint}"
                mend = f"add it to the manifest, or: {self._change.drop_subscription(foreign[0])}"
                yield self._fault("DP049", ("topic", topic), text, mend)

    def _functions(self, found: object) -> Compared:
        """Give functions that still listen to a topic of ours."""
        for one in items(found):
            topic, name = tail(at(one, "eventTrigger", "pubsubTopic")), tail(one.get("name"))
            if topic not in self._manifest.topic:
                continue
            mend = self._change.drop_function(name)
            if at(one, "eventTrigger", "retryPolicy") != "RETRY_POLICY_RETRY":
                text = f"the function {name} listens to it without retry: what it fails at is lost"
                yield self._fault("DP010", ("topic", topic), text, mend)
            yield self._fault("DP049", ("topic", topic), f"the function {name} listens to it", mend)

    # Schedules

    def _jobs(self, found: object) -> Compared:
        there = {tail(one.get("name")): one for one in items(found)}
        yield from self._names("job", self._manifest.job, {*there})
        for name, one in self._manifest.job.items():
            live, place = there.get(name), ("job", name)
            if live is None:
                continue
            if live.get("state") not in (None, "ENABLED"):
                yield self._fault("DP041", place, f"is {str(live.get('state')).lower()}", self._change.resume(name))
            wanted = messages.job(self._manifest, name)
            if live.get("timeZone") != one.timezone:
                yield self._fault("DP017", (*place, "timezone"), f"is {live.get('timeZone')}, wanted {one.timezone}")
            yield from self._differs(place, {key: wanted[key] for key in ("schedule", "attemptDeadline")}, live)
            body = (at(live, "httpTarget", "body"), at(wanted, "httpTarget", "body"))
            if body[0] != body[1]:
                yield self._fault("DP042", (*place, "body"), "the body is another one")
            uri, known = str(at(live, "httpTarget", "uri") or ""), self._urls.get(one.service, set())
            if known and uri not in {f"{url}{one.path}" for url in known}:
                yield self._fault("DP042", (*place, "path"), f"calls {uri}, wanted {one.service} at {one.path}")
            audience = self._manifest.audience_of(one.service, one.audience)
            yield from self._token(place, at(live, "httpTarget", "oidcToken"), one.account, audience, code="DP015")

    # Rights

    def _roles(self, found: object) -> Compared:
        for name, account in self._manifest.account.items():
            member, place = f"serviceAccount:{self._manifest.email(name)}", ("account", name, "roles")
            roles = {str(one.get("role")) for one in items(at(found, "bindings"))}
            there = {role for role in roles if member in members(found, role=role)}
            for role in account.roles:
                if role not in there:
                    yield self._fault("DP044", place, f"has lost {role}")
            for role in sorted(there - {*account.roles}):
                mend = self._change.drop_role(self._manifest.email(name), role)
                yield self._fault("DP045", place, f"has {role} too", mend)

    def _agent(self, place: Place, role: str, found: object) -> Compared:
        """Give the right to move dead letters, if Pub/Sub itself has lost it."""
        if not any(AGENT.fullmatch(one) for one in members(found, role=role)):
            yield self._fault("DP044", place, f"Pub/Sub's agent has lost {role}: no dead letter is moved")

    def _invokers(self, service: str, found: object) -> Compared:
        return compare_invokers(self._source, self._manifest, found, service=service, change=self._change)

    def _dataset(self, name: str, found: object) -> Compared:
        if found is None:
            yield self._fault("DP040", ("dataset", name), "there is no such dataset")
            return
        access = items(at(found, "access"))
        for key, roles in DATASET_ROLES.items():
            there = {
                str(one.get("userByEmail")) for one in access if one.get("role") in roles and one.get("userByEmail")
            }
            ours = {self._manifest.email(one) for one in getattr(self._manifest.dataset[name], key)}
            mine = {self._manifest.email(one) for one in self._manifest.account}
            for email in sorted(ours - there):
                yield self._fault("DP044", ("dataset", name, key), f"{email} has lost {roles[0]}")
            for email in sorted((there & mine) - ours):
                yield self._fault("DP045", ("dataset", name, key), f"{email} has {roles[0]} too")

    # Documents

    def _indexes(self, found: object) -> Compared:
        firestore = self._manifest.firestore
        for number, index in enumerate(() if firestore is None else firestore.index):
            place: Place = ("firestore", "index", number)
            wanted = messages.index_fields(index.fields)
            alike = [one for one in items(found) if f"/collectionGroups/{index.collection}/" in str(one.get("name"))
                     and [_plain(field) for field in items(one.get("fields")) if field.get("fieldPath") != "__name__"]
                     == wanted]  # fmt: skip
            if not alike:
                yield self._fault("DP023", place, f"there is no index of {index.collection} on {listed(index.fields)}")
            elif not any(one.get("state") == "READY" for one in alike):
                yield self._fault("DP041", place, f"is {str(alike[0].get('state')).lower()}",
                                  "wait until it is built, then compare again")  # fmt: skip

    def _fields(self, found: object) -> Compared:
        firestore = self._manifest.firestore
        exempt = {} if firestore is None else firestore.exempt
        there = {str(one.get("name")).partition("/collectionGroups/")[2]: one for one in items(found)}
        for collection, names in exempt.items():
            for field in names:
                one = there.get(f"{collection}/fields/{field}")
                if one is None or at(one, "indexConfig", "indexes"):
                    yield self._fault("DP042", ("firestore", "exempt", collection),
                                      f"{field} is indexed: each write costs more")  # fmt: skip

    # Alerts

    def _metrics(self, found: object) -> Compared:
        there = {str(one.get("name")): one for one in items(found)}
        yield from self._names("metric", self._manifest.metric, {*there})
        for name, one in self._manifest.metric.items():
            if name in there and _words(there[name].get("filter")) != _words(one.filter):
                yield self._fault("DP042", ("metric", name, "filter"), f"is {spell(there[name].get('filter'))}")
            if name in there and there[name].get("disabled"):
                yield self._fault("DP041", ("metric", name), "is disabled")

    def _policies(self, found: object) -> Compared:
        there = {str(one.get("displayName")): one for one in items(found)}
        yield from self._names("alert", self._manifest.alert, {*there})
        for name, one in self._manifest.alert.items():
            live, place = there.get(name), ("alert", name)
            if live is None:
                continue
            if live.get("enabled") in (False, {"value": False}):
                yield self._fault("DP041", place, "is disabled", self._change.enable_policy(str(live.get("name"))))
            if one.channels and not live.get("notificationChannels"):
                yield self._fault("DP025", (*place, "channels"), "notifies no one any more")
            kind = "conditionThreshold" if one.absent_s is None else "conditionAbsent"
            condition = at(live, "conditions", 0, kind)
            if _words(at(condition, "filter")) != _words(one.filter):
                yield self._fault("DP042", (*place, "filter"), f"is {spell(at(condition, 'filter'))}")
            seconds = one.duration_s if one.absent_s is None else one.absent_s
            wanted: dict[str, object] = {"duration": f"{seconds}s"}
            if isinstance(condition, Mapping):
                yield from self._differs(place, wanted, condition)
            threshold = at(condition, "thresholdValue") or 0
            if one.threshold is not None and threshold != one.threshold:
                yield self._fault("DP042", (*place, "threshold"), f"is {threshold}, wanted {one.threshold:g}")


def _plain(field: Mapping[str, object]) -> dict[str, object]:
    return {key: field[key] for key in ("fieldPath", "arrayConfig", "order") if key in field}


def _words(text: object) -> list[str]:
    return str(text or "").split()


def _spelled(policy: object) -> str:
    return f"{at(policy, 'minimumBackoff')} to {at(policy, 'maximumBackoff')}"
