"""Google's side of the night: what Terraform makes of the rendered manifest, and what calls the services.

Messages are those of the emulator. The emulator signs nothing, so the front issues the token of a push as its
subscription has it. The front also plays what Cloud Run does before a service: it checks the token, refuses an account
without `run.invoker` on the service, removes the signature of the token, and only then passes the call on.
"""

import base64
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from benchmarks.id_tokens import Issuer
from benchmarks.night_services import Service, call
from benchmarks.rendered import ACCOUNT, JOB, SERVICE, SUBSCRIPTION, TOPIC, Rendered
from nba_props.processor import PHASE
from tests.support.postgres import HOST

DELIVERIES, BETWEEN_S = 3, 0.2
INVOKER, SIGNER = "roles/run.invoker", "roles/iam.serviceAccountTokenCreator"
REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"
KEPT_MAX_S = 7 * 86_400
"""How long the emulator keeps messages at most; Google keeps them for 31 days."""
EVERY_MINUTE = "* * * * *"


class Answer(NamedTuple):
    """What a call was answered with."""

    status: int
    body: bytes = b""

    def __str__(self) -> str:
        return f"{self.status}: {self.body.decode(errors='replace')[:500]}"


class Front:
    """What a call reaches first; ``delivered``: each push that was passed on, as often as it was.

    A push is passed on three times, to the instances in turn. ``second_writer``: gets each completion of phase 3 before
    it is passed on.
    """

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self.second_writer: Callable[[Mapping[str, Any]], object] = lambda _: None
        self.instances: dict[str, list[Service]] = {}
        self.delivered: list[dict[str, Any]] = []
        self._services: dict[str, dict[str, Any]] = {}
        self._pushed: dict[str, dict[str, Any]] = {}
        self.invokers: set[tuple[str, str]] = set()
        self._signs: set[str] = set()
        front, self._lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                answer = front.called(self.path, raw, authorization=self.headers["Authorization"])
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://{HOST}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def apply(self, rendered: Rendered) -> None:
        """Take the services, their invokers, and whose tokens Pub/Sub may have."""
        self._services = {one["name"]: one for one in rendered.all(SERVICE)}
        self._pushed = {one["name"]: one for one in rendered.all(SUBSCRIPTION) if "push_config" in one}
        self.invokers = {
            (one["name"], one["member"]) for one in rendered.all(f"{SERVICE}_iam_member") if one["role"] == INVOKER
        }
        self._signs = {
            one["service_account_id"].rpartition("/")[2] for one in rendered.all(f"{ACCOUNT}_iam_member")
            if one["role"] == SIGNER and one["member"].endswith("@gcp-sa-pubsub.iam.gserviceaccount.com")
        }  # fmt: skip

    @property
    def pushed_to(self) -> set[str]:
        """Return the services that a subscription pushes to."""
        return {urlsplit(one["push_config"]["push_endpoint"]).path.split("/")[1] for one in self._pushed.values()}

    def called(self, path: str, raw: bytes, *, authorization: str | None) -> Answer:
        """Answer a call: the worst answer of those that a push got."""
        name, _, rest = path.removeprefix("/").partition("/")
        pushed = authorization is None and "subscription" in json.loads(raw)
        token = self._token_of_push(json.loads(raw)["subscription"]) if pushed else _bearer(authorization)
        if status := self.refused(name, token):
            return Answer(status)
        token = f"{token.rpartition('.')[0]}.{REMOVED}"
        if pushed:
            return self._pass_on(name, f"/{rest}", raw, token)
        return Answer(*call(self.instances[name][0], f"/{rest}", raw, token=token))

    def refused(self, name: str, token: str) -> int:
        """Return what Cloud Run answers a token with; 0: the call is passed on."""
        audiences = [f"{self.url}/{name}", *self._services[name].get("custom_audiences", ())]
        account = self.issuer.account_of(token, audiences=audiences)
        if account is None:
            return 401
        return 0 if (name, f"serviceAccount:{account}") in self.invokers else 403

    def _token_of_push(self, subscription: str) -> str:
        config = self._pushed[subscription.rpartition("/")[2]]["push_config"]
        oidc = config.get("oidc_token")
        if oidc is None or oidc["service_account_email"] not in self._signs:
            return ""
        audience = oidc.get("audience") or config["push_endpoint"]
        return self.issuer.token(account=oidc["service_account_email"], audience=audience)

    def _pass_on(self, name: str, path: str, raw: bytes, token: str) -> Answer:
        """Deliver a push three times, a moment apart."""
        instances, body = list(self.instances[name]), json.loads(base64.b64decode(json.loads(raw)["message"]["data"]))
        if body.get("phase") == PHASE:
            self.second_writer(body)
        with ThreadPoolExecutor(DELIVERIES) as pool:
            answers = []
            for number in range(DELIVERIES):
                with self._lock:
                    self.delivered.append(body)
                answers.append(pool.submit(call, instances[number % len(instances)], path, raw, token=token))
                time.sleep(BETWEEN_S)
            return max((Answer(*one.result()) for one in answers), key=lambda one: one.status)

    def close(self) -> None:
        """Take no more calls."""
        self._server.shutdown()
        self._server.server_close()


def _bearer(authorization: str | None) -> str:
    return (authorization or "").removeprefix("Bearer ")


class Scheduler:
    """Cloud Scheduler: calls what the rendered jobs name, as their accounts."""

    def __init__(self, rendered: Rendered, issuer: Issuer) -> None:
        self._issuer = issuer
        jobs = list(rendered.all(JOB))
        self.every_minute = [one for one in jobs if one["schedule"] == EVERY_MINUTE]
        self.daily = [one for one in jobs if one["schedule"] != EVERY_MINUTE]

    def run(self, job: Mapping[str, Any]) -> Answer:
        """Make the call of a job."""
        target = job["http_target"]
        url, oidc = urlsplit(target["uri"]), target.get("oidc_token")
        headers = dict(target.get("headers", {}))
        if oidc is not None:
            audience = oidc.get("audience") or target["uri"]
            token = self._issuer.token(account=oidc["service_account_email"], audience=audience)
            headers["Authorization"] = f"Bearer {token}"
        deadline_s = float(job["attempt_deadline"].removesuffix("s"))
        connection = http.client.HTTPConnection(url.netloc, timeout=deadline_s)
        try:
            connection.request(target["http_method"], url.path, body=base64.b64decode(target["body"]), headers=headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())
        finally:
            connection.close()


def create_messages(rendered: Rendered) -> tuple[int, int]:
    """Make the topics and subscriptions, field by field as they are rendered; return how many of each."""
    from google.pubsub_v1 import PublisherClient, SubscriberClient
    from google.pubsub_v1.types import Subscription, Topic

    publisher, subscriber = PublisherClient(), SubscriberClient()
    topics, subscriptions = list(rendered.all(TOPIC)), list(rendered.all(SUBSCRIPTION))
    for one in topics:
        body = {**one, "name": publisher.topic_path(rendered.project, one["name"])}
        publisher.create_topic(request=Topic.from_json(json.dumps(body), ignore_unknown_fields=False))
    for one in subscriptions:
        never = {name: value for name, value in one["expiration_policy"].items() if value}  # "": never
        kept_s = min(int(one["message_retention_duration"].removesuffix("s")), KEPT_MAX_S)
        body = {**one, "expiration_policy": never, "name": subscriber.subscription_path(rendered.project, one["name"]),
                "message_retention_duration": f"{kept_s}s"}  # fmt: skip
        subscriber.create_subscription(request=Subscription.from_json(json.dumps(body), ignore_unknown_fields=False))
    publisher.transport.close()
    subscriber.transport.close()
    return len(topics), len(subscriptions)


def strangers(rendered: Rendered, front: Front) -> Iterator[str]:
    """Yield each caller that is let in and must not be: an account without the right, a token of no use."""
    accounts = [f"{one['account_id']}@{rendered.project}.iam.gserviceaccount.com" for one in rendered.all(ACCOUNT)]
    may = {(one["name"], one["member"]) for one in rendered.all(f"{SERVICE}_iam_member")}
    for service in rendered.all(SERVICE):
        name, audience = service["name"], service["custom_audiences"][0]
        mine = [one for one in accounts if (name, f"serviceAccount:{one}") in may]
        calls = {f"a token of {one}": (front.issuer.token(account=one, audience=audience), 403)
                 for one in accounts if one not in mine}  # fmt: skip
        calls["no token"] = ("", 401)
        for one in mine:
            calls[f"a forged token of {one}"] = (front.issuer.token(account=one, audience=audience, forged=True), 401)
            calls[f"a token of {one} for another"] = (front.issuer.token(account=one, audience="other"), 401)
        for text, (token, must) in calls.items():
            status = front.called(f"/{name}/", b"{}", authorization=f"Bearer {token}").status
            if status != must:
                yield f"{name}: {text} is answered with {status}"
