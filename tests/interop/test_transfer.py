"""Documents that go from one store to another, whole or not at all, and the platform's that become messages."""

import io
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest

from phasegate.audit import AuditLog
from phasegate.base.exported import Exported
from phasegate.base.keys import parse_run
from phasegate.errors import BadInput, NotFound
from phasegate.interop.transfer import Imported, Source, Transfer, send_arrivals
from phasegate.stores.memory import MemoryStore
from tests.support.pipelines import DAY, RUN, Shop, generation, load, settle, shop, state, total

PHASE = f"phase:shop:load:{RUN}"
LEASE = f"lease:main:out.totals:{DAY}"


def built() -> Shop:
    made = shop()
    load(made, 1, 2)
    settle(made)
    with AuditLog("shop", made.pipeline.ports).acting("phasegate sweep", by="ada", via="page"):
        pass
    return made


def transfer(made: Shop, store: MemoryStore | None = None) -> Transfer:
    return Transfer(made.pipeline.plan, store or made.store, made.clock, warehouse="main")


def exported(made: Shop, **bounds: str) -> list[str]:
    return list(transfer(made).export(store_id="old", **bounds))


def source(lines: list[str]) -> Source:
    return Source("file.jsonl", lambda: io.BytesIO("\n".join(lines).encode()))


def bring(made: Shop, lines: list[str], store: MemoryStore, *, dry_run: bool = False) -> Imported:
    return transfer(made, store).import_from(source(lines), dry_run=dry_run)


def bodies(store: MemoryStore) -> dict[str, object]:
    docs = store.scan("", limit=10_000)
    return {doc.key: (dict(doc.body), doc.due) for doc in docs if not doc.key.startswith("identity:")}


def edited(lines: list[str], key: str, change: Callable[[dict[str, object]], object]) -> list[str]:
    """Return the file with one document's body changed."""
    found = []
    for line in lines:
        said = msgspec.json.decode(line)
        if said.get("key") == key:
            change(said["body"])
        found.append(msgspec.json.encode(said, order="sorted").decode())
    assert found != lines
    return found


def test_another_store_holds_the_same_and_goes_on_from_there() -> None:
    made, store = built(), MemoryStore()
    found = bring(made, exported(made), store)
    assert (found.created, found.unchanged, found.kept) == (found.documents, 0, ())
    assert bodies(store) == bodies(made.store)
    there = shop(store=store, warehouse=made.warehouse)
    there.pipeline.adopt()
    load(there, 1, 2, 3)
    settle(there)
    assert generation(there, "report") == 2
    assert total(there) == 6


def test_the_same_import_again_changes_nothing() -> None:
    made, store = built(), MemoryStore()
    lines = exported(made)
    bring(made, lines, store)
    before = {doc.key: doc.version for doc in store.scan("", limit=10_000)}
    again = bring(made, lines, store)
    assert (again.created, again.unchanged) == (0, again.documents)
    assert {doc.key: doc.version for doc in store.scan("", limit=10_000)} == before


def test_a_dry_run_tells_the_same_and_writes_nothing() -> None:
    made, store = built(), MemoryStore()
    lines = exported(made)
    told = bring(made, lines, store, dry_run=True)
    assert bodies(store) == {}
    assert told == bring(made, lines, store)


def test_what_the_store_has_otherwise_is_kept_and_named_with_its_line() -> None:
    made = built()
    old = exported(made)
    made.clock.at += 60
    load(made, 1, 2, 3)
    settle(made)
    before = bodies(made.store)
    found = bring(made, old, made.store)
    assert bodies(made.store) == before
    (kept,) = [one for one in found.kept if one.key == PHASE]
    assert msgspec.json.decode(old[kept.line - 1])["key"] == PHASE
    assert kept.why == "the store's is newer (generation 2, the file's 1), and was kept"


def test_tokens_grow_and_never_go_back() -> None:
    made, store = built(), MemoryStore()
    lines = exported(made)
    bring(made, lines, store)
    high = edited(lines, LEASE, lambda body: body.update(token=9))
    assert bring(made, high, store).raised == 1
    assert bring(made, lines, store).raised == 0
    doc = store.read(LEASE)
    assert doc is not None
    assert doc.body["token"] == 9


def test_leases_are_there_before_any_document_that_knows_their_tokens() -> None:
    class Dies(MemoryStore):
        """Takes no document of a phase: as if killed there."""

        def write(self, key: str, *args: object, **kwargs: object) -> str:
            if key.startswith("phase:"):
                raise KeyboardInterrupt
            return super().write(key, *args, **kwargs)  # type: ignore[arg-type]

    made, store = built(), Dies()
    lines = exported(made)
    with pytest.raises(KeyboardInterrupt):
        bring(made, lines, store)
    there = {key.partition(":")[0] for key in bodies(store)}
    assert "lease" in there
    assert "phase" not in there
    whole = MemoryStore()
    for doc in store.scan("", limit=1_000):
        whole.write(doc.key, doc.body, due=doc.due, expect=None)
    assert bring(made, lines, whole).kept == ()
    assert bodies(whole) == bodies(made.store)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda lines: lines[:-1], "it has no last line: it was cut off"),
        (lambda lines: [*lines[:2], *lines[3:]], "the last line promises"),
        (lambda lines: [*lines, lines[1]], "there is more after the last line"),
        (lambda lines: [*lines[:2], lines[1], *lines[2:]], "is in line 2 already"),
        (lambda lines: [lines[0], "{", *lines[1:]], "line 2: not a JSON object"),
        (lambda lines: [lines[0], '{"key": 1}', *lines[1:]], "line 2: wanted an object with key, due and body"),
        (lambda lines: [line.replace("phase:shop:load", "phase:mall:load") for line in lines], "of pipeline 'mall'"),
        (
            lambda lines: [line.replace("phase:shop:load", "phase:shop:no") for line in lines],
            "the plan has no phase no",
        ),
        (lambda lines: [line.replace("lease:main", "lease:other") for line in lines], "of warehouse 'other'"),
        (lambda lines: [line.replace('"phase:shop', '"face:shop') for line in lines], "unknown kind of document"),
        (lambda lines: edited(lines, PHASE, lambda body: body.update(_schema=2)), "upgrade phasegate"),
        (lambda lines: edited(lines, PHASE, lambda body: body.pop("gate")), "cannot be read"),
        (lambda lines: [lines[0].replace("shop", "mall"), *lines[1:]], "documents of pipeline 'mall'"),
        (lambda lines: [lines[0].replace('"form":1', '"form":2'), *lines[1:]], "upgrade phasegate"),
        (lambda lines: lines[1:], "--from-platform"),
        (lambda _: [], "line 1: not a JSON object"),
    ],
)
def test_a_file_with_one_wrong_line_is_refused_whole_and_the_line_is_named(
    spoil: Callable[[list[str]], list[str]], told: str
) -> None:
    made, store = built(), MemoryStore()
    with pytest.raises(BadInput, match="line") as refused:
        bring(made, spoil(exported(made)), store)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    assert bodies(store) == {}


def test_fields_of_a_later_build_travel_along() -> None:
    made, store = built(), MemoryStore()
    bring(made, edited(exported(made), PHASE, lambda body: body.update(later=7)), store)
    doc = store.read(PHASE)
    assert doc is not None
    assert doc.body["later"] == 7


def test_some_dates_or_one_phase_with_what_belongs_to_them() -> None:
    made = built()
    other = "2026-02-10.daily"
    made.pipeline.runs.open("load", parse_run(other))
    keys = {msgspec.json.decode(line)["key"] for line in exported(made, first="2026-02-05")[1:-1]}
    assert keys == {f"phase:shop:load:{other}"}
    keys = {msgspec.json.decode(line)["key"] for line in exported(made, last=DAY, phase="report")[1:-1]}
    assert keys == {f"phase:shop:report:{RUN}", LEASE}
    with pytest.raises(NotFound, match="unknown phase 'no'"):
        exported(made, phase="no")


PLATFORM = """
pipeline = "nba"
timezone = "UTC"
[phase.three]
[phase.four]
after = "three"
[step.player_game_summary]
phase = "three"
external = true
[step.team_game_summary]
phase = "three"
external = true
[step.cache]
phase = "four"
external = true
"""
ENTRY = {"completed_at": "2026-02-04T06:12:00Z", "status": "success", "record_count": 348}


def night(**own: object) -> Exported:
    body = {"PlayerGameSummaryProcessor": ENTRY, "team_game_summary": ENTRY, "_completed_count": 1, **own}
    return Exported(place="night.json", collection="phase3_completion", id="2026-02-03", body=body)


def test_a_night_that_never_triggered_fires_when_its_document_is_imported() -> None:
    made = shop({}, plan=PLATFORM)
    sent = send_arrivals([night()], made.pipeline.plan, made.pipeline.ports.bus)
    assert [arrival.problem for arrival in sent.arrivals] == ["", ""]
    settle(made)
    assert state(made, "three") == "complete"
    assert state(made, "four") == "waiting"


def test_importing_it_again_fires_nothing_more() -> None:
    made = shop({}, plan=PLATFORM)
    for _ in range(2):
        send_arrivals([night()], made.pipeline.plan, made.pipeline.ports.bus)
        settle(made)
    assert generation(made, "three") == 1


def test_what_the_plan_does_not_know_goes_to_quarantine_as_any_message_does() -> None:
    made = shop({}, plan=PLATFORM)
    odd = night(stranger=ENTRY, team_game_summary={**ENTRY, "completed_at": "2026-02-04T06:12:00"})
    sent = send_arrivals([odd], made.pipeline.plan, made.pipeline.ports.bus)
    settle(made)
    told = {arrival.body["step"]: arrival.problem for arrival in sent.arrivals}
    assert told["stranger"] == "the plan has no step stranger: it goes to quarantine"
    assert "names no moment (ISO without zone)" in told["team_game_summary"]
    assert len(made.store.scan("quarantine:nba:", limit=10)) == 2
    assert state(made, "three") == "waiting"


def test_an_entry_that_is_no_map_is_named_and_not_sent() -> None:
    made = shop({}, plan=PLATFORM)
    sent = send_arrivals([night(team_game_summary=True)], made.pipeline.plan, made.pipeline.ports.bus)
    told = {arrival.body["step"]: (arrival.sent, arrival.problem) for arrival in sent.arrivals}
    assert told == {
        "player_game_summary": (True, ""),
        "team_game_summary": (False, "its entry is true, not a map with a report: complete the step by hand"),
    }


def test_times_as_the_client_gives_them_are_sent_as_the_same_messages() -> None:
    made, entry = shop({}, plan=PLATFORM), {**ENTRY, "completed_at": datetime(2026, 2, 4, 6, 12, tzinfo=UTC)}
    ours = [send_arrivals([night(PlayerGameSummaryProcessor=one)], made.pipeline.plan, None) for one in (ENTRY, entry)]
    assert ours[0] == ours[1]


def test_failures_and_empty_results_are_reported_as_such() -> None:
    made = shop({}, plan=PLATFORM)
    body = night(PlayerGameSummaryProcessor={**ENTRY, "status": "error"}, team_game_summary={**ENTRY, "rows": 0})
    sent = send_arrivals([body], made.pipeline.plan, None)
    assert {arrival.body["step"]: arrival.body["status"] for arrival in sent.arrivals} == {
        "player_game_summary": "failed", "team_game_summary": "empty",
    }  # fmt: skip
    assert made.store.scan("message:", limit=10) == []


def test_a_step_that_phasegate_builds_itself_is_not_reported_for_it() -> None:
    made = shop()
    odd = Exported(place="p", id=DAY, body={"totals": ENTRY})
    (arrival,) = send_arrivals([odd], made.pipeline.plan, made.pipeline.ports.bus).arrivals
    assert not arrival.sent
    assert made.store.scan("message:", limit=10) == []
