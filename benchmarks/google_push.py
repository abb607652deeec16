"""The same dates with messages that Pub/Sub pushes to `phasegate serve`, whose callers are checked.

`python -m benchmarks google --push`. Scrapers write and report in this process; everything else is done by the service,
in a process of its own, by what is pushed to it. The emulator signs nothing, so a relay stands where Google's front is:
it takes each push, adds an ID token, and passes body, status and failures on unchanged. Tokens are signed by a key of
this benchmark, which the relay publishes where the service is told to find Google's keys. The first delivery of each
tenth message has a token of another key: the service refuses it, and Pub/Sub sends the message again.
"""

import http.client
import json
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from benchmarks.disturbed import settled_in
from benchmarks.id_tokens import Issuer
from benchmarks.night_services import BIN, CALL_S, Service, call
from benchmarks.pull_refused import refused
from benchmarks.sources import NIGHT
from nba_props import PLAN
from nba_props.raw import RawRow
from nba_props.replay.runner import Runner
from nba_props.replay.tally import Replay
from nba_props.sources import Source
from nba_props.sources.synthetic import SyntheticSource
from phasegate import SystemClock, read_plan
from phasegate.gcp.carried import subscription_of
from tests.support.postgres import HOST
from tests.support.real_data import ROOT

ACCOUNT = "push@demo.iam.gserviceaccount.com"
PATH, CERTS = "/pubsub/push", "/certs"
FORGED_EVERY = 10
HORIZON_S, LOOK_S, SETTLED_S = 3600.0, 0.05, 300.0
OK, UNKNOWN = 204, 401
INVENTED = "benchmarks.google_push:UntilTheNight"


class UntilTheNight(SyntheticSource):
    """Invented nights until that of a quick run.

    The service's clock is the machine's, and must open no run of today.
    """

    def coverage(self, first: date, last: date) -> list[tuple[date, date]]:
        """Return the span of which it knows the schedule."""
        return super().coverage(first, min(last, NIGHT[1]))

    def schedule(self, first: date, last: date) -> list[RawRow]:
        """Return the games between two dates."""
        return super().schedule(first, min(last, NIGHT[1]))


class Deliveries:
    """What the relay has passed on: pushes by status, and how often each message came."""

    def __init__(self) -> None:
        self.by_status, self.by_message = Counter[int](), Counter[str]()
        self.forged, self._taken = 0, set[str]()
        self._lock = threading.Lock()

    def came(self, number: str) -> bool:
        """Note a push; return whether its token is to be a forged one."""
        with self._lock:
            self.by_message[number] += 1
            forged = self.by_message[number] == 1 and len(self.by_message) % FORGED_EVERY == 1
            self.forged += forged
            return forged

    def answered(self, number: str, status: int) -> None:
        """Note what a push was answered with; 0: with nothing."""
        with self._lock:
            self.by_status[status] += 1
            if status == OK:
                self._taken.add(number)

    def untaken(self) -> set[str]:
        """Return the messages that the service has not taken yet."""
        with self._lock:
            return self.by_message.keys() - self._taken


class Relay:
    """The front of a service: adds the token of the account that pushes. ``port``: where the service listens."""

    def __init__(self) -> None:
        self.deliveries, self.port = Deliveries(), 0
        self._issuer, relay = Issuer(), self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(200, json.dumps({"keys": [relay._issuer.public()]}).encode())

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                number = json.loads(raw)["message"]["messageId"]
                try:
                    status, body = relay.posted(raw, token=relay.token(forged=relay.deliveries.came(number)))
                except (OSError, http.client.HTTPException):
                    relay.deliveries.answered(number, 0)
                    self.close_connection = True  # as the service did
                    return
                relay.deliveries.answered(number, status)
                self._answer(status, body)

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                if status != OK:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://{HOST}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def token(self, *, forged: bool = False, **claims: object) -> str:
        """Return an ID token as Pub/Sub sends it."""
        audience, account = str(claims.pop("aud", f"{self.url}{PATH}")), str(claims.pop("email", ACCOUNT))
        return self._issuer.token(account=account, audience=audience, forged=forged, **claims)

    def posted(self, raw: bytes, *, token: str | None) -> tuple[int, bytes]:
        """Post a body to the service with a token, or without; return what it answers.

        Raises what the connection raises.
        """
        headers = {"Content-Type": "application/json"}
        headers |= {} if token is None else {"Authorization": f"Bearer {token}"}
        connection = http.client.HTTPConnection(HOST, self.port, timeout=CALL_S)
        try:
            connection.request("POST", PATH, body=raw, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def close(self) -> None:
        """Take no more pushes."""
        self._server.shutdown()
        self._server.server_close()


class Pushed(Runner):
    """A replay whose scrapers work here, and nothing else: the rest is pushed.

    ``sweep``: what a scheduler calls when something is due.
    """

    def __init__(self, source: Source, *, state: Path, sweep: Callable[[], None]) -> None:
        super().__init__(source, state=state, clock=SystemClock())
        self._sweep = sweep

    def _follow(self, day: date, box: Callable[[], list[RawRow]] | None = None, *, before: date | None = None) -> None:
        del before
        self._processes.at_once([lambda: self._scrapers.bring(day, box)])

    def work(self) -> None:
        """Wait until nothing is due within an hour."""
        ends = time.monotonic() + SETTLED_S
        while time.monotonic() < ends:
            due, now = self.pipeline.next_due(ignoring="calendar"), self.clock.now()
            if due is None or due > now + HORIZON_S:
                return
            if due <= now:
                self._sweep()
            time.sleep(LOOK_S)
        raise RuntimeError(f"not settled in {SETTLED_S:.0f} s: {self.pipeline.next_due(ignoring='calendar')} is due")


class Played(NamedTuple):
    """What the pushed dates ended with; ``wrong``: what the service did otherwise than it must."""

    replay: Replay
    deliveries: Deliveries
    sweeps: int
    wrong: list[str]


def play(source: Source, *, folder: Path, span: tuple[date, date], project: str, nba_data: str) -> Played:
    """Play the dates; everything but scraping is done by a service that is pushed to."""
    house = settled_in(
        state=str(folder), store=f"firestore://{project}", bus=f"pubsub://{project}", plan=str(PLAN), heartbeat_s="15"
    )
    with (
        house, refused(), relayed() as relay, served(folder, relay=relay, nba_data=nba_data) as (service, operator)
    ):  # fmt: skip
        wrong = list(let_in(relay))
        push_all(project, to=f"{relay.url}{PATH}")
        swept = Counter[int]()

        def sweep() -> None:
            swept[call(service, "/sweep", token=operator)[0]] += 1

        runner = Pushed(source, state=folder, sweep=sweep)
        try:
            replay = runner.run(*span)
            until_taken(relay.deliveries)
        finally:
            runner.close()
    return Played(replay, relay.deliveries, swept.total(), [*wrong, *undelivered(relay.deliveries)])


@contextmanager
def relayed() -> Iterator[Relay]:
    relay = Relay()
    try:
        yield relay
    finally:
        relay.close()


@contextmanager
def served(folder: Path, *, relay: Relay, nba_data: str) -> Iterator[tuple[Service, str]]:
    """Run the service; give it, and the access token of an operator."""
    env = {
        "PHASEGATE_AUDIENCE": f"{relay.url}{PATH}",
        "PHASEGATE_GOOGLE_KEYS": f"{relay.url}{CERTS}",
        "PHASEGATE_LOG_FORMAT": "json",
        "NBA_DATA": nba_data,
        "PYTHONPATH": f"{ROOT / 'benchmarks' / 'push_only'}:{ROOT}",
    }
    env = {**os.environ, **env}
    tokens = [str(BIN / "phasegate"), "tokens", "add"]
    account = [*tokens, "push", "--role", "reporter", "--all-steps", "--google-account", ACCOUNT]
    subprocess.run(account, check=True, capture_output=True, cwd=folder)
    operator = subprocess.run(
        [*tokens, "scheduler", "--role", "operator"], check=True, capture_output=True, text=True, cwd=folder
    )
    command = [str(BIN / "phasegate"), "serve", "--port", "$PORT"]
    service = Service(command, folder=folder, log=folder / "serve.log", env=env)
    try:
        service.ready()
        relay.port = service.port
        yield service, operator.stdout.strip()
    finally:
        service.end()


def push_all(project: str, *, to: str) -> None:
    """Have Pub/Sub push what it has let be pulled until now."""
    from google.pubsub_v1 import PushConfig, SubscriberClient

    subscriber, plan = SubscriberClient(), read_plan(PLAN)
    config = PushConfig(push_endpoint=to, oidc_token=PushConfig.OidcToken(service_account_email=ACCOUNT))
    for topic in plan.topics():
        path = subscriber.subscription_path(project, subscription_of(topic, pipeline=plan.pipeline))
        subscriber.modify_push_config(subscription=path, push_config=config)
    subscriber.transport.close()


def let_in(relay: Relay) -> Iterator[str]:
    """Yield each token that lets one in and must not."""
    body = json.dumps({"message": {"messageId": "probe", "data": ""}}).encode()
    tokens = {
        "no token": None,
        "a token of another key": relay.token(forged=True),
        "a token for another service": relay.token(aud="https://other.example.org"),
        "a token of another account": relay.token(email="stranger@demo.iam.gserviceaccount.com"),
        "a token that has expired": relay.token(exp=int(time.time()) - 3_600),
    }
    for name, token in tokens.items():
        status, _ = relay.posted(body, token=token)
        if status != UNKNOWN:
            yield f"{name} is answered with {status}"


def until_taken(deliveries: Deliveries) -> None:
    """Wait for the pushes under way: of what changes nothing any more, such as a request that was repeated."""
    ends = time.monotonic() + CALL_S
    while deliveries.untaken() and time.monotonic() < ends:
        time.sleep(LOOK_S)


def undelivered(deliveries: Deliveries) -> Iterator[str]:
    """Yield what was pushed otherwise than it must be."""
    if not deliveries.forged:
        yield "no push had a forged token"
    if deliveries.by_status[UNKNOWN] != deliveries.forged:
        yield f"{deliveries.forged} forged tokens, and {deliveries.by_status[UNKNOWN]} pushes were refused"
    if untaken := deliveries.untaken():
        yield f"{len(untaken)} message(s) were not taken"
