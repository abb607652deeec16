"""What a date, an idle hour and a start cost on Google's services: the documents in Firestore, messages by Pub/Sub.

Run: python -m benchmarks google. The same dates are played in files, and on Google's emulators with the tables in a
file; what Firestore bills is counted where its client is called: a document read, and a query that found none, is one
read. Then an idle worker waits for an hour of the replay's clock. Then a fresh process imports what a trigger needs,
next to Firestore's client alone, --rounds N times (default 15). With NBA_DATA (default ../shared/nba): a week of
January 2025; without it, or with --quick, synthetic nights. --first and --last: other dates. --bigquery: the tables in
BigQuery, on local-bigquery unless --project is given; its jobs are counted too. --project NAME: in this project of
Google Cloud in place of the emulators; its database, topics and datasets must be empty. --push: messages are pushed to
`phasegate serve`, and nothing is counted but these.

Exits with 1 if the tables differ, if something is left undone, or if an idle hour asks more than twice a minute; with
--push, if a caller is let in who must not be.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from benchmarks import google_push
from benchmarks.disturbed import calm, settled_in
from benchmarks.servers import NoServer
from benchmarks.sources import NIGHT, chosen
from nba_props import PLAN
from nba_props.replay.runner import Runner
from nba_props.replay.tally import Replay
from nba_props.sources import Source
from phasegate.buses.pubsub import create_topics
from phasegate.wiring import read_plan
from tests.support.bigquery import bigquery_server
from tests.support.google import FIRESTORE, PUBSUB, emulator, new_project

SPAN = (date(2025, 1, 1), date(2025, 1, 7))
HOUR_S, ASKED_MAX = 3600.0, 120
READS, EMPTY, QUERIES = "reads", "of them queries that found none", "queries"
WRITES, DELETES, REFUSED = "writes", "deletes", "writes refused"
SENT, TAKEN = "messages sent", "messages taken"
HEADS = (READS, QUERIES, EMPTY, WRITES, REFUSED, DELETES, SENT, TAKEN)
JOBS, LOADS, DRY, TABLES, BILLED = "jobs", "load jobs", "dry runs", "tables named, by statement", "MB billed"
KINDS = ("stage", "commit", "create", "fence", "read")
OF_BIGQUERY = (JOBS, *(f"{JOBS}: {kind}" for kind in KINDS), LOADS, DRY, TABLES, BILLED)
_TABLE = re.compile(r"`[^`]+`\.`[^`]+`")
BARE = "from google.cloud import firestore"
TRIGGER = "import phasegate.pipeline, phasegate.wiring, phasegate.buses.opening, phasegate.stores.firestore"
# As the orchestrator of deploy/gcp imports it. A service does not end then, but goes on to collect garbage.
ENTRY = f"import gc\ngc.disable()\n{TRIGGER}\n{BARE}\ngc.freeze()\ngc.enable()"
END = "import gc, os\ngc.collect(0)\nos._exit(0)"
IMPORTS = {"Firestore's client": BARE, "what a trigger needs": ENTRY}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks google")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--first", type=date.fromisoformat, default=SPAN[0])
    parser.add_argument("--last", type=date.fromisoformat, default=SPAN[1])
    parser.add_argument("--rounds", type=int, default=15, metavar="N")
    parser.add_argument("--bigquery", action="store_true", help="the tables in BigQuery")
    parser.add_argument("--project", help="a project of Google Cloud in place of the emulators")
    parser.add_argument("--push", action="store_true", help="messages are pushed to phasegate serve")
    given = parser.parse_args(argv)
    if given.push and (given.bigquery or given.project):
        parser.error("--push plays on the emulators, with the tables in a file")
    source, real = chosen(quick=given.quick)
    span = (given.first, given.last) if real else NIGHT
    files = calm(source, first=span[0], last=span[1])
    if given.push:
        pushed(source, span=span, files=files, nba_data=str(real.resolve()) if real else google_push.INVENTED)
        return
    house = in_bigquery(real=bool(given.project)) if given.bigquery else nullcontext()
    with services(given.project) as project, house:
        warehouse = {"warehouse": f"bigquery://{project}/phasegate"} if given.bigquery else {}
        played, idle, done = play(source, span=span, project=project, **warehouse)
    print(f"{'':<34}{'a date':>12}{'an idle hour':>14}")
    for head in (*HEADS, *(OF_BIGQUERY if given.bigquery else ())):
        print(f"{head:<34}{played[head] / done.dates:>12.1f}{idle[head]:>14}")
    print(f"{'seconds':<34}{done.seconds / done.dates:>12.1f}   (in files {files.seconds / files.dates:.1f})")
    print(f"{'tables as in files':<34}{sum(done.tables[name] == files.tables[name] for name in files.tables):>12}")
    imports(rounds=1 if given.quick else given.rounds)
    if problems := list(wrong(files, done, idle)):
        sys.exit("\n".join(problems))


def pushed(source: Source, *, span: tuple[date, date], files: Replay, nba_data: str) -> None:
    """Play the dates with pushed messages, and compare them with those in files."""
    with services(None) as project, tempfile.TemporaryDirectory(prefix="push") as folder:
        played = google_push.play(source, folder=Path(folder), span=span, project=project, nba_data=nba_data)
    done, deliveries = played.replay, played.deliveries
    statuses = ", ".join(f"{number} x {status or 'none'}" for status, number in sorted(deliveries.by_status.items()))
    print(f"{'':<34}{done.dates:>8} date(s)")
    for name, text in {
        "messages pushed": len(deliveries.by_message),
        "deliveries, by answer": statuses,
        "forged tokens, all refused": deliveries.forged,
        "calls of /sweep": played.sweeps,
        "seconds a date": f"{done.seconds / done.dates:.1f}   (in files {files.seconds / files.dates:.1f})",
        "tables as in files": sum(done.tables[name] == files.tables[name] for name in files.tables),
    }.items():
        print(f"{name:<34}{text:>8}")
    if problems := [*wrong(files, done, Counter()), *played.wrong]:
        sys.exit("\n".join(problems))


def wrong(files: Replay, done: Replay, idle: Counter[str]) -> Iterator[str]:
    """Yield what is wrong."""
    yield from (f"{table}: the rows differ" for table in files.tables if files.tables[table] != done.tables[table])
    yield from (f"{phase}: fired otherwise" for phase in files.gates if files.gates[phase] != done.gates[phase])
    yield from done.unsettled
    if done.dead_letters:
        yield f"{done.dead_letters} dead letter(s)"
    if idle[QUERIES] > ASKED_MAX:
        yield f"an idle hour asks {idle[QUERIES]} queries, at most {ASKED_MAX} are wanted"


@contextmanager
def services(project: str | None) -> Iterator[str]:
    """Give a project with the plan's topics: of the emulators, or a real one.

    Raises NoServer.
    """
    with ExitStack() as stack:
        if project is None:
            try:
                for component in (FIRESTORE, PUBSUB):
                    stack.enter_context(emulator(component))
            except pytest.skip.Exception as missing:
                raise NoServer(str(missing)) from None
            except pytest.fail.Exception as missing:
                sys.exit(str(missing))
        plan, name = read_plan(PLAN), project or new_project()
        sent = {send.topic for phase in plan.phases.values() for send in phase.sends}
        create_topics(f"pubsub://{name}", pipeline=plan.pipeline, received=plan.topics(), sent=sent)
        yield name


@contextmanager
def in_bigquery(*, real: bool) -> Iterator[None]:
    """Have clients of BigQuery reach a server of this benchmark's own, or else Google's.

    Raises NoServer.
    """
    if real:
        yield
        return
    with ExitStack() as stack:
        try:
            address = stack.enter_context(bigquery_server())
        except pytest.skip.Exception as missing:
            raise NoServer(str(missing)) from None
        except pytest.fail.Exception as missing:
            sys.exit(str(missing))
        stack.enter_context(patch.dict(os.environ, {"BIGQUERY_EMULATOR_HOST": address}))
        yield


def play(
    source: Source, *, span: tuple[date, date], project: str, **settings: str
) -> tuple[Counter[str], Counter[str], Replay]:
    """Play the dates, then wait for an hour; return what each was billed, and what is left."""
    played, idle = Counter[str](), Counter[str]()
    house = settled_in(store=f"firestore://{project}", bus=f"pubsub://{project}", **settings)
    with tempfile.TemporaryDirectory() as state, house:
        runner = Runner(source, state=Path(state), workers=2)
        try:
            with counted(played):
                done = runner.run(*span)
            wait(runner, HOUR_S / 4)  # the first look asks more, and begins to listen
            with counted(idle):
                wait(runner, HOUR_S)
            return played, idle, done
        finally:
            runner.close()


def wait(runner: Runner, seconds: float) -> None:
    """Let a worker wait for some time of the replay's clock."""
    clock, ends = runner.clock, runner.clock.now() + seconds
    looked = [0]

    def passes(_bus: object, timeout_s: float, /) -> bool:
        clock.sleep(timeout_s)
        return False

    def stop() -> bool:
        looked[0] += 1
        return clock.now() >= ends and looked[0] > 1

    with patch("phasegate.buses.wake.WakeSocket.wait", passes):
        runner.pipeline.work(stop)


@contextmanager
def counted(billed: Counter[str]) -> Iterator[None]:
    """Count what the clients are asked during the block."""
    from google.cloud.firestore_v1.document import DocumentReference
    from google.cloud.firestore_v1.query import Query
    from google.pubsub_v1 import PublisherClient, SubscriberClient

    from phasegate.warehouses.bigquery import rows, staging
    from phasegate.warehouses.bigquery.jobs import Jobs

    def calling(real: Callable[..., Any], count: Callable[[Any], None], refused: str = "") -> Callable[..., Any]:
        def counting(*given: Any, **named: Any) -> Any:
            try:
                answer = real(*given, **named)
            except Exception:
                billed[refused] += bool(refused)
                raise
            count(answer)
            return answer

        return counting

    def streamed(real: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*given: Any, **named: Any) -> Any:
            found = list(real(*given, **named))
            billed.update({QUERIES: 1, READS: max(1, len(found)), EMPTY: not found})
            return iter(found)

        return counting

    def one(head: str) -> Callable[[Any], None]:
        return lambda _answer: billed.update({head: 1})

    spied = [
        (DocumentReference, "get", calling(DocumentReference.get, one(READS))),
        (DocumentReference, "create", calling(DocumentReference.create, one(WRITES), REFUSED)),
        (DocumentReference, "update", calling(DocumentReference.update, one(WRITES), REFUSED)),
        (DocumentReference, "delete", calling(DocumentReference.delete, one(DELETES), REFUSED)),
        (Query, "stream", streamed(Query.stream)),
        (PublisherClient, "publish", calling(PublisherClient.publish, one(SENT))),
        (SubscriberClient, "acknowledge", _acknowledged(SubscriberClient.acknowledge, billed)),
        (Jobs, "run", _run(Jobs.run, billed)),
        (Jobs, "described", calling(Jobs.described, one(DRY))),
        (staging, "load", calling(rows.load, one(LOADS))),
    ]  # fmt: skip
    with ExitStack() as stack:
        for owner, name, replacement in spied:
            stack.enter_context(patch.object(owner, name, replacement))
        yield


def _acknowledged(real: Callable[..., Any], billed: Counter[str]) -> Callable[..., Any]:
    def counting(*given: Any, ack_ids: list[str], **named: Any) -> Any:
        billed[TAKEN] += len(ack_ids)
        return real(*given, ack_ids=ack_ids, **named)

    return counting


def _run(real: Callable[..., Any], billed: Counter[str]) -> Callable[..., Any]:
    def counting(self: Any, job: Any, /, **named: Any) -> Any:
        done = real(self, job, **named)
        # BigQuery bills 10 MB at least for each table of a statement.
        billed[TABLES] += sum(len(set(_TABLE.findall(one))) for one in job.script.split(";\n"))
        billed.update({JOBS: 1, f"{JOBS}: {job.labels['phasegate']}": 1, BILLED: done.bytes_billed / 1e6})
        return done

    return counting


def imports(*, rounds: int) -> None:
    """Print what a fresh process spends on imports: the least time of the processor."""
    spent: dict[str, list[float]] = {name: [] for name in IMPORTS}
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        for number in range(rounds + 1):
            for name, code in IMPORTS.items():
                before = _processor_s()
                subprocess.run([sys.executable, "-c", f"{code}\n{END}"], env=environ, check=True)
                if number:
                    spent[name].append(_processor_s() - before)
    bare = min(spent["Firestore's client"])
    for name, seconds in spent.items():
        print(f"{f'imports: {name}':<34}{1000 * min(seconds):>9.0f} ms{min(seconds) / bare:>14.2f}")


def _processor_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
