"""A mirror where the platform's own readers look: in step with its phase, whatever fails between the two."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import pytest
from google.cloud import firestore as sdk

from phasegate.base.findings import CheckResult
from phasegate.base.keys import Run, phase_key
from phasegate.check.inspector import Inspector
from phasegate.errors import Ambiguous, BadInput, PhasegateError, Unavailable
from phasegate.foreign import ForeignDoc, ForeignDocuments
from phasegate.stores.foreign_files import FileDocuments
from phasegate.stores.foreign_firestore import FirestoreDocuments
from phasegate.stores.memory import MemoryStore
from tests.support.google import new_project
from tests.support.pipelines import DAY, LETTERS, RUN, Shop, load, settle, shop

PLAN = LETTERS.replace("[phase.load]\n", '[phase.load]\nmirror = "phase2_completion/{game_date}"\n').replace(
    "[phase.report]\n", '[phase.report]\nmirror = "phase3_completion/{game_date}"\n'
)
PATH, NEXT = f"phase2_completion/{DAY}", f"phase3_completion/{DAY}"
HERE, KEY = f"mirror:shop:phase2_completion:{DAY}", phase_key("shop", "load", run=Run(DAY, "daily"))

# An emulator takes its time for the first answer.
PATIENCE_S = 60.0


class Place:
    """A place of foreign documents that tests break, and watch."""

    def __init__(self, inner: ForeignDocuments) -> None:
        self.inner = inner
        self.away = self.killing = self.unanswered = False
        self.asked = 0
        self.bodies: list[Mapping[str, object]] = []

    @property
    def has_times(self) -> bool:
        return self.inner.has_times

    def read(self, path: str, /) -> ForeignDoc | None:
        self.asked += 1
        if self.away:
            raise Unavailable("the place is away")
        return self.inner.read(path)

    def write(self, path: str, body: Mapping[str, object], /, *, over: ForeignDoc | None) -> None:
        if self.killing:
            raise KeyboardInterrupt
        self.inner.write(path, body, over=over)
        self.bodies.append(body)
        if self.unanswered:
            raise Ambiguous("no answer")

    def documents(self, *, first: str = "", last: str = "") -> Iterator[object]:
        return iter(self.inner.documents(first=first, last=last))

    def close(self) -> None:
        self.inner.close()


@pytest.fixture(params=["files", "firestore"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "files":
        place = Place(FileDocuments(tmp_path / "out"))
    else:
        request.getfixturevalue("firestore")
        place = Place(FirestoreDocuments(f"firestore://{new_project()}", timeout_s=PATIENCE_S))
    yield place
    place.close()


def mirrored(place: Place, *, store: MemoryStore | None = None) -> Shop:
    return shop(plan=PLAN, foreign=place, store=store)  # type: ignore[arg-type]


def there(place: Place, path: str = PATH) -> dict[str, object]:
    found = place.inner.read(path)
    assert found is not None
    return dict(found.body)


def here(made: Shop) -> Mapping[str, object]:
    doc = made.store.read(HERE)
    assert doc is not None
    return doc.body


def rates(made: Shop, number: int) -> None:
    made.pipeline.complete({"step": "rates", "run": RUN, "execution_id": f"r{number}", "sequence": number,
                            "rows": number})  # fmt: skip


def truth(body: Mapping[str, object]) -> tuple[bool, bool]:
    """Return, as the platform's own readers do, whether the count is right and whether it has triggered."""
    entries = {name: value for name, value in body.items() if not name.startswith("_")}
    for entry in entries.values():
        assert isinstance(entry, dict)
        assert entry.keys() >= {"completed_at", "status", "record_count", "correlation_id"}
        assert entry["status"] in ("success", "partial", "no_data")
    assert body["_mode"] == "daily"
    return body["_completed_count"] == len(entries), bool(body["_triggered"])


def test_readers_of_the_old_document_read_the_truth_at_every_step(place: Place) -> None:
    made = mirrored(place)
    made.pipeline.runs.open("load", Run(DAY, "daily"))
    assert truth(there(place)) == (True, False)
    assert (there(place)["_triggered_at"], there(place)["_trigger_reason"]) == (None, None)
    load(made, 1, 2)
    assert truth(there(place)) == (True, False)
    rates(made, 1)
    assert truth(there(place)) == (True, True)
    assert there(place)["_trigger_reason"] == "all_complete"
    settle(made)
    assert truth(there(place, NEXT)) == (True, False)
    made.pipeline.complete({"step": "letter", "run": RUN, "execution_id": "l", "rows": 0, "status": "empty"})
    body = there(place, NEXT)
    assert truth(body) == (True, True)
    letter = body["letter"]
    assert isinstance(letter, dict)
    assert (letter["status"], letter["record_count"]) == ("no_data", 0)
    assert letter["correlation_id"] == f"trigger.shop.load.{RUN}.1.report"
    assert all(truth(body)[0] for body in place.bodies)


def test_times_are_times_in_firestore_and_iso_in_files(place: Place) -> None:
    made = mirrored(place)
    load(made, 1, 2)
    rates(made, 1)
    entry, body = there(place)["orders"], there(place)
    assert isinstance(entry, dict)
    times = [entry["completed_at"], body["_last_update"], body["_triggered_at"]]
    if place.has_times:
        assert all(isinstance(at, datetime) and at.timestamp() == made.clock.at for at in times)
    else:
        assert set(times) == {"2026-02-02T02:40:00.000000+00:00"}


def test_the_same_again_writes_nothing_and_reads_it_once(place: Place) -> None:
    made = mirrored(place)
    load(made, 1, 2)
    before, version, asked = len(place.bodies), made.store.read(HERE), place.asked
    made.pipeline.runs.flush(KEY)
    assert (len(place.bodies), made.store.read(HERE), place.asked) == (before, version, asked + 1)


def test_a_date_costs_one_write_there_for_each_change_and_none_in_the_store(place: Place) -> None:
    made = mirrored(place)
    made.pipeline.runs.open("load", Run(DAY, "daily"))
    version = made.store.read(HERE)
    for number in range(1, 6):
        rates(made, number)
    assert len(place.bodies) == 6
    assert made.store.read(HERE) == version
    assert here(made)["data"] == {}


def killed(made: Shop, place: Place) -> None:
    """Report, and end before the mirror is written."""
    place.killing = True
    with contextlib.suppress(KeyboardInterrupt):
        rates(made, 1)
    place.killing = False


def test_killed_between_phase_and_mirror_the_sweep_writes_it(place: Place) -> None:
    made = mirrored(place)
    made.pipeline.runs.open("load", Run(DAY, "daily"))
    killed(made, place)
    assert there(place)["_completed_count"] == 0
    settle(made, until_s=2 * 3600)
    assert there(place)["_completed_count"] == 1


def test_a_place_that_is_away_delays_no_gate_and_is_caught_up_soon(place: Place) -> None:
    made = mirrored(place)
    made.pipeline.runs.open("load", Run(DAY, "daily"))
    place.away = True
    asked = place.asked
    load(made, 1, 2)
    rates(made, 1)
    assert place.asked == asked + 1  # the first call found that out, and no other waited for it
    phase = made.pipeline.runs.read("load", Run(DAY, "daily"))
    assert phase is not None
    assert phase.generation == 1
    assert here(made)["behind_since"] == made.clock.at
    assert [event["path"] for event in made.told.of("mirror not written")] == [PATH]
    settle(made, until_s=600)
    assert here(made)["behind_since"] is not None
    place.away = False
    settle(made, until_s=1300)
    assert truth(there(place)) == (True, True)
    assert here(made).get("behind_since") is None


def test_a_write_without_an_answer_is_not_waited_for_twice_and_is_found_a_minute_later(place: Place) -> None:
    made = mirrored(place)
    made.pipeline.runs.open("load", Run(DAY, "daily"))
    place.unanswered, written = True, len(place.bodies)
    rates(made, 1)
    assert len(place.bodies) == written + 1
    assert here(made)["behind_since"] == made.clock.at
    settle(made, until_s=60)
    assert (len(place.bodies), here(made).get("behind_since")) == (written + 1, None)


@pytest.mark.parametrize(("error", "waits"), [(Unavailable("away"), True), (BadInput("too long"), False)])
def test_a_document_that_is_refused_holds_up_no_other(place: Place, error: PhasegateError, *, waits: bool) -> None:
    made = mirrored(place)

    def refused(path: str, body: Mapping[str, object], /, *, over: ForeignDoc | None) -> None:
        del body, over
        if path == PATH:
            raise error
        place.bodies.append({})

    place.write = refused  # type: ignore[method-assign]
    made.pipeline.runs.open("load", Run(DAY, "daily"))
    made.pipeline.runs.open("report", Run(DAY, "daily"))
    assert len(place.bodies) == (0 if waits else 1)


def test_what_stays_behind_is_a_finding_and_the_check_is_not_evaluated(place: Place) -> None:
    made = mirrored(place)
    made.pipeline.runs.open("load", Run(DAY, "daily"))
    place.away = True
    rates(made, 1)
    made.clock.at += 1800
    (checked,) = [one for one in inspected(made) if one.check == "mirrors"]
    assert checked.error == "the place is away"
    assert [(one.code, one.evidence["path"]) for one in checked.findings] == [("PG001", PATH)]
    place.away = False
    made.clock.at += 60
    made.pipeline.sweep()
    (checked,) = [one for one in inspected(made) if one.check == "mirrors"]
    assert (checked.findings, checked.error) == ((), "")


def inspected(made: Shop) -> tuple[CheckResult, ...]:
    plan, ports = made.pipeline.plan, made.pipeline.ports
    inspector = Inspector(plan, ports, warehouse_name="main", store_id=made.pipeline.store_id)
    return inspector.inspect(DAY, DAY)


def test_an_edit_there_is_a_finding_is_fixed_and_is_overwritten_at_the_next_look(place: Place) -> None:
    made = mirrored(place)
    load(made, 1, 2)
    rates(made, 1)
    good = there(place)
    edited = {**good, "_completed_count": 3, "_triggered": False, "orders": True, "_by_hand": "x"}
    place.inner.write(PATH, edited, over=place.inner.read(PATH))
    made.clock.at += 1800
    (checked,) = [one for one in inspected(made) if one.check == "mirrors"]
    assert [one.code for one in checked.findings] == ["PG001"]
    assert "_completed_count = 3, and the phase has 2" in checked.findings[0].text
    made.pipeline.runs.mirror.keep(KEY)
    assert there(place) == good
    place.inner.write(PATH, edited, over=place.inner.read(PATH))
    settle(made, until_s=25 * 3600)
    assert there(place) == good


@pytest.mark.parametrize("verb", ["read", "write"])
def test_a_process_that_stalls_never_writes_an_older_phase_over_a_newer_one(place: Place, verb: str) -> None:
    made = mirrored(place)
    made.pipeline.runs.open("load", Run(DAY, "daily"))
    killed(made, place)
    stalled = Place(place.inner)
    calls: list[str] = []

    def after_another(*given: object, **named: object) -> object:
        if not calls:
            calls.append(verb)
            rates(made, 2)  # while the other process waits for this call
        return getattr(place.inner, verb)(*given, **named)

    setattr(stalled, verb, after_another)
    other = mirrored(stalled, store=made.store)
    other.pipeline.runs.mirror.keep(KEY)
    entry = there(place)["rates"]
    assert calls
    assert isinstance(entry, dict)
    assert entry["record_count"] == 2


def test_two_processes_race_for_many_rounds_and_it_never_goes_back(place: Place) -> None:
    rounds, store = 30, MemoryStore()
    first, second = mirrored(place, store=store), mirrored(place, store=store)
    first.pipeline.runs.open("load", Run(DAY, "daily"))
    seen, over = list[int](), threading.Event()

    def watch() -> None:
        while not over.is_set():
            entry = there(place).get("rates")
            seen.append(int(entry["record_count"]) if isinstance(entry, dict) else 0)

    def report(made: Shop, numbers: range) -> None:
        for number in numbers:
            rates(made, number)

    watcher = threading.Thread(target=watch)
    reporters = [threading.Thread(target=report, args=(made, range(start, 2 * rounds, 2)))
                 for made, start in ((first, 1), (second, 2))]  # fmt: skip
    for thread in (watcher, *reporters):
        thread.start()
    for thread in reporters:
        thread.join()
    over.set()
    watcher.join()
    assert seen == sorted(seen)
    assert len(set(seen)) > 1
    entry = there(place)["rates"]
    assert isinstance(entry, dict)
    assert entry["record_count"] == 2 * rounds - 1


def test_old_writers_in_firestore_find_times_that_their_client_compares(firestore: str) -> None:
    assert firestore
    project = new_project()
    place = Place(FirestoreDocuments(f"firestore://{project}", timeout_s=PATIENCE_S))
    made = mirrored(place)
    load(made, 1, 2)
    client = sdk.Client(project=project)
    found = client.document(PATH).get().to_dict()
    assert found is not None
    assert found["_last_update"] <= datetime.fromisoformat("2026-02-02T02:40:00+00:00")
    client.document(PATH).set({"orders": {"completed_at": sdk.SERVER_TIMESTAMP, "status": "success"}}, merge=True)
    made.pipeline.runs.mirror.keep(KEY)
    assert there(place)["orders"] == found["orders"]
    client.close()
    place.close()
