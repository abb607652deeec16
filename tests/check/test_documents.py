"""What an inspection judges from documents and tables alone, and which commands it makes of it."""

import re
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from phasegate.base.findings import CODES, GRACE_S, Finding
from phasegate.base.keys import Run
from phasegate.base.receipt import Fence, Part, Receipt, Stamp
from phasegate.base.table import Repeats
from phasegate.check.documents import (
    ANSWER_S,
    StoredPhase,
    aged,
    dead,
    postponed,
    stale,
    unbegun,
    unfired,
    unlike,
    unsent,
)
from phasegate.check.fixes import VERBS, Fix, fixes_for, fixes_of
from phasegate.check.tables import DocumentFacts, TableContent, duplicates, expired, fences, identities, reports
from phasegate.gate.phase import Phase
from phasegate.gate.records import Attempt, Claim, Entry, Firing, Member, Request, Result
from phasegate.plan.gate import Gate, Need, Receiver, Spec
from phasegate.plan.load import load_plan
from phasegate.write.lease import Lease
from tests.support.real_data import ROOT

NOW = 1_770_000_000.0
RUN = Run("2026-02-03", "daily")
KEY = f"phase:shop:load:{RUN}"
A, B = Stamp("a", 1), Stamp("b", 2)
PLAN = load_plan("""
pipeline = "shop"
timezone = "UTC"
[phase.load]
[step.orders]
phase = "load"
external = true
table = "raw.orders"
key = ["day", "id"]
partition = "day"
write = "replace"
identity = ["name"]
[step.totals]
phase = "load"
needs = ["orders"]
sql = "t.sql"
table = "out.totals"
key = ["day"]
partition = "day"
""", files={"t.sql": "SELECT 1"}.__getitem__)  # fmt: skip
ORDERS, TOTALS = PLAN.steps["orders"], PLAN.steps["totals"]
EMPTY_HELD = TableContent()


def result(stamp: Stamp = A, *, order: float = 1.0, write_id: str = "w", **fields: Any) -> Result:
    return Result(stamp=stamp, sequence=order, built_from=fields.pop("built_from", {}), counted=3, at=NOW - 3600,
                  write_id=write_id, **fields)  # fmt: skip


def looked(**fields: Any) -> StoredPhase:
    gate = Gate(
        members={"orders": Spec(asks=False), "totals": Spec(needs=(Need("load", "orders"),))},
        expect=("orders", "totals"), receivers=(Receiver("report", "t", "begin"),),
    )  # fmt: skip
    members = {"orders": Member(result=result()), "totals": Member(result=result(B, built_from={"load.orders": A}))}
    phase = Phase(gate=gate, opened_at=NOW - 7200, looked_at=NOW - 3600, members=members)
    return StoredPhase(key=KEY, run=RUN, phase=replace(phase, **fields))


def fired(state: str, *, ack: str = "begin", at: float = NOW - 1200) -> StoredPhase:
    firing = Firing(generation=1, stamps={"orders": A, "totals": B}, at=at, by="x")
    entry = Entry(generation=1, receiver="report", state=state, due=NOW, sends=2, at=at)  # type: ignore[arg-type]
    one = looked(firings=(firing,), outbox=(entry,))
    gate = replace(one.phase.gate, receivers=(Receiver("report", "t", ack),))  # type: ignore[arg-type]
    return replace(one, phase=replace(one.phase, gate=gate))


def codes(found: Any) -> list[str]:
    return [finding.code for finding in found]


def test_what_a_look_would_fire_is_a_finding_and_what_is_held_is_not() -> None:
    (finding,) = unfired(looked(), now=NOW)
    assert (finding.code, finding.since) == ("PG002", NOW - 3600)
    assert finding.evidence["run"] == str(RUN)
    assert list(unfired(looked(paused="by hand"), now=NOW)) == []
    assert list(unfired(looked(claims={"operator": Claim(void="postponed")}), now=NOW)) == []
    assert list(unfired(fired("acked"), now=NOW)) == []


def test_a_gate_past_its_deadline_would_fire_without_the_rest() -> None:
    one = looked()
    gate = replace(one.phase.gate, deadline=NOW - 1000, critical=("orders",))
    members = {"orders": one.phase.members["orders"]}
    (finding,) = unfired(StoredPhase(key=KEY, run=RUN, phase=replace(one.phase, gate=gate, members=members)), now=NOW)
    assert (finding.since, finding.evidence["missing"]) == (NOW - 1000, "totals")
    early = replace(gate, deadline=NOW + 1000)
    one = StoredPhase(key=KEY, run=RUN, phase=replace(one.phase, gate=early, members=members))
    assert list(unfired(one, now=NOW)) == []


def test_a_trigger_is_unsent_or_not_followed_never_both() -> None:
    assert codes(unsent(fired("unsent"))) == ["PG003"]
    assert codes(unsent(fired("sent"))) == []
    assert codes(unbegun(fired("sent"), after={}, now=NOW)) == ["PG004"]
    assert codes(unbegun(fired("unsent"), after={}, now=NOW)) == []
    assert codes(unbegun(fired("held"), after={"report": None}, now=NOW)) == []


def test_a_consumer_outside_has_more_time_to_answer() -> None:
    assert codes(unbegun(fired("sent", ack="completion"), after={}, now=NOW)) == []
    late = fired("sent", ack="completion", at=NOW - ANSWER_S)
    assert codes(unbegun(late, after={}, now=NOW)) == ["PG004"]


def test_an_acknowledged_trigger_whose_effect_is_gone_is_found() -> None:
    there = looked().phase
    assert codes(unbegun(fired("acked"), after={"report": None}, now=NOW)) == ["PG004"]
    assert codes(unbegun(fired("acked"), after={"report": there}, now=NOW)) == ["PG004"]
    assert codes(unbegun(fired("acked"), after={}, now=NOW)) == [], "what cannot be read is no evidence"
    assert (
        codes(
            unbegun(
                fired("acked"), after={"report": replace(there, claims={"calendar": Claim(void="no work")})}, now=NOW
            )
        )
        == []
    )


def test_a_stale_result_is_found_unless_somebody_works_on_it_or_it_waits() -> None:
    changed = {**looked().phase.members, "orders": Member(result=result(Stamp("new", 2), order=2.0))}
    (finding,) = stale(looked(members=changed), busy=(), now=NOW)
    assert (finding.code, finding.evidence["stale_against"]) == ("PG012", "load.orders")
    assert list(stale(looked(members=changed), busy=("totals",), now=NOW)) == []
    assert list(stale(looked(), busy=(), now=NOW)) == []


def test_a_dead_request_is_dead_and_not_stale_as_well() -> None:
    request = Request(id="r", inputs={"load.orders": A}, state="dead", opened_at=NOW - 60, due=NOW)
    failed = Attempt(status="failed", at=NOW - 30, error="boom", count=1)
    members = {"orders": Member(result=result()), "totals": Member(attempt=failed)}
    one = looked(members=members, requests={"totals": request})
    assert codes(stale(one, busy=(), now=NOW)) == []
    (finding,) = dead(one, now=NOW)
    assert (finding.code, finding.text) == ("PG015", "given up: boom")


def test_a_document_is_put_off_only_while_the_stores_time_is_later_than_its_own() -> None:
    one = looked()
    due = one.phase.due
    assert due is not None
    put_off = StoredPhase(key=KEY, run=RUN, phase=one.phase, due=due + 60, failures=2)
    assert codes(postponed(put_off, now=NOW)) == ["PG019"]
    assert codes(postponed(StoredPhase(key=KEY, run=RUN, phase=one.phase, due=due, failures=2), now=NOW)) == []


def test_the_old_readers_count_is_compared_with_the_derived_one() -> None:
    derived = {"_completed_count": 5, "_triggered": True, "a": {"rows": 1}}
    assert list(unlike(looked(), path="p/1", derived=derived, stored=dict(derived))) == []
    (finding,) = unlike(looked(), path="p/1", derived=derived, stored={**derived, "_completed_count": 3})
    assert (finding.code, finding.text) == ("PG001", "p/1 has _completed_count = 3, and the phase has 5")


@pytest.mark.parametrize("code", sorted(CODES))
def test_evidence_must_outlive_the_grace_period_unless_it_is_so_at_any_age(code: str) -> None:
    young = Finding(code=code, subject="s", text="t", command="c", since=NOW - GRACE_S + 1)
    settled = {"PG008", "PG010", "PG011", "PG013", "PG014", "PG015", "PG016", "PG017", "PG019"}
    assert bool(aged([young], now=NOW, grace_s=GRACE_S)) == (code in settled)
    assert aged([replace(young, since=NOW - GRACE_S)], now=NOW, grace_s=GRACE_S)


def receipt(step: str, *, token: int = 1, fingerprint: str = "a", rows: int = 3) -> Receipt:
    table = PLAN.steps[step].table
    assert table is not None
    return Receipt(write_id="w", table=table.name, partition=RUN.date, run=str(RUN), step=step, token=token, rows=rows,
                   fingerprint=fingerprint, built_from={}, committed_at=NOW - 1000)  # fmt: skip


def witness(**members: Member) -> DocumentFacts:
    phase = replace(looked().phase, members=members)
    return DocumentFacts(plan=PLAN, phases={RUN.date: {("load", "daily"): phase}})


PRINT = "3-" + "0" * 32
OTHER = "4-" + "1" * 32


def test_a_table_that_is_as_it_was_reported_is_fine() -> None:
    held = TableContent(receipts={RUN.date: receipt("totals", fingerprint=PRINT)}, prints={RUN.date: PRINT})
    assert list(reports(TOTALS, held, witness(totals=Member(result=result(Stamp(PRINT, 1)))))) == []


def test_a_newer_receipt_is_unreported_also_where_its_run_is_not_open() -> None:
    held = TableContent(receipts={RUN.date: receipt("totals", token=2, fingerprint=PRINT)}, prints={RUN.date: PRINT})
    assert codes(reports(TOTALS, held, witness(totals=Member(result=result(Stamp(PRINT, 1)))))) == ["PG005"]
    assert codes(reports(TOTALS, held, witness())) == ["PG005"]
    (finding,) = reports(TOTALS, held, DocumentFacts(plan=PLAN, phases={}))
    assert "the run is not open" in finding.text
    busy = DocumentFacts(plan=PLAN, phases={}, busy={Part("out.totals", RUN.date)})
    assert list(reports(TOTALS, held, busy)) == [], "whoever holds it may be about to report"
    unread = DocumentFacts(plan=PLAN, phases={}, unreadable={RUN.date: {("load", "daily")}})
    assert list(reports(TOTALS, held, unread)) == []


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (EMPTY_HELD, "the warehouse has no receipt"),
        (TableContent(receipts={RUN.date: receipt("totals", fingerprint=PRINT)}), "the table holds 0"),
        (TableContent(receipts={RUN.date: receipt("totals", fingerprint=PRINT)}, prints={RUN.date: OTHER}), "holds 4"),
    ],
)
def test_a_report_that_the_warehouse_does_not_bear_out_is_found(held: TableContent, said: str) -> None:
    (finding,) = reports(TOTALS, held, witness(totals=Member(result=result(Stamp(PRINT, 1)))))
    assert finding.code == "PG006"
    assert said in finding.text


def test_a_report_of_a_newer_token_or_other_rows_than_the_receipt_says_is_found() -> None:
    held = TableContent(receipts={RUN.date: receipt("totals", fingerprint=PRINT)}, prints={RUN.date: PRINT})
    newer = witness(totals=Member(result=result(Stamp(PRINT, 5), order=5.0)))
    assert [f.text for f in reports(TOTALS, held, newer)] == [
        "token 5 was reported, and the newest receipt is of token 1"
    ]
    other = witness(totals=Member(result=result(Stamp(PRINT.replace("3-", "5-"), 1))))
    assert [f.text for f in reports(TOTALS, held, other)] == ["5 rows were reported, and the receipt has 3"]


def test_rows_of_a_foreign_table_are_compared_with_what_was_read() -> None:
    held = TableContent(prints={RUN.date: PRINT})
    assert codes(reports(ORDERS, held, witness())) == ["PG005"]
    same = witness(orders=Member(result=result(Stamp(PRINT), write_id="")))
    assert codes(reports(ORDERS, held, same)) == []
    changed = witness(orders=Member(result=result(Stamp(OTHER), write_id="")))
    assert codes(reports(ORDERS, held, changed)) == ["PG006"]
    by_id = witness(orders=Member(result=result(Stamp("0-none"), write_id="")))
    assert codes(reports(ORDERS, held, by_id)) == [], "an id that stood in for content is no fingerprint"


def test_duplicates_are_fixed_only_where_it_is_known_which_row_is_right() -> None:
    twice = {RUN.date: Repeats(rows=5, keys=3, contents=4)}
    equal = {RUN.date: Repeats(rows=5, keys=3, contents=3)}
    known = {RUN.date: receipt("orders")}
    fixes = [
        [f.evidence["fix"] for f in duplicates(step, found, receipts=receipts)]
        for step, found, receipts in (
            (TOTALS, twice, {RUN.date: receipt("totals")}), (ORDERS, twice, known), (ORDERS, equal, known),
            (ORDERS, equal, {}),
        )
    ]  # fmt: skip
    assert fixes == [["rebuild"], [""], ["deduplicate"], [""]]


def test_keys_that_no_version_decided_are_named_and_left_to_their_source() -> None:
    undecided = msgspec.structs.replace(receipt("totals"), undecided=2)
    (found,) = duplicates(TOTALS, {}, receipts={RUN.date: undecided})
    assert found.code == "PG010"
    assert found.text.startswith("2 keys (")
    assert found.command.endswith(f"then: phasegate backfill --from {RUN.date} --to {RUN.date} --steps totals")
    (of_external,) = duplicates(ORDERS, {}, receipts={RUN.date: msgspec.structs.replace(undecided, step="orders")})
    assert of_external.command.startswith("deliver orders of ")
    assert [fixes_of(one) for one in (found, of_external)] == [(), ()]


def test_an_identity_counts_only_what_the_key_does_not() -> None:
    by_name = {RUN.date: Repeats(rows=5, keys=3, contents=5)}
    assert codes(identities(ORDERS, by_name, {})) == ["PG011"]
    assert codes(identities(ORDERS, by_name, {RUN.date: Repeats(rows=5, keys=3, contents=3)})) == []


def test_fences_of_another_store_are_one_finding_however_many() -> None:
    part = Part("out.totals", RUN.date)

    def found(fence: Fence, before: Lease, after: Lease) -> list[str]:
        return [
            one.text for one in fences({part: fence}, store_id="mine", before={part: before}, leases={part: after})
        ]  # fmt: skip

    parts = {Part("out.totals", f"2026-02-0{day}"): Fence(3, "other") for day in range(1, 8)}
    (finding,) = fences(parts, store_id="mine", before={}, leases={})
    assert finding.text.startswith("7 partitions obey store other")
    assert found(Fence(3, "mine"), Lease(token=3), Lease(token=3)) == []
    assert len(found(Fence(3, "mine"), Lease(token=2), Lease(token=2))) == 1
    held = Lease(token=3, writers=("h1",))
    assert found(Fence(3, "mine", "h2"), held, held)[0].startswith("1 partition was written by a copy of this store")
    assert found(Fence(0, "mine"), Lease(), Lease()) == []


def test_written_partitions_without_a_fence_row_are_one_finding() -> None:
    kept, *lost = (Part("out.totals", f"2026-02-0{day}") for day in (1, 2, 3))
    known = {kept: Fence(3, "mine")}
    leases = {kept: Lease(token=3)}
    (finding,) = fences(known, store_id="mine", before=leases, leases=leases, written=[kept, *lost])
    assert (finding.code, finding.command) == ("PG016", "phasegate adopt --yes")
    assert finding.text == "2 partitions have no fence row any more: any store may write there"
    assert finding.evidence["partitions"] == "out.totals/2026-02-02, out.totals/2026-02-03"
    assert codes(fences(known, store_id="mine", before=leases, leases=leases, written=[kept])) == []


def test_a_fence_that_this_store_s_own_writers_change_meanwhile_is_no_other_store_s() -> None:
    part, fence = Part("out.totals", RUN.date), {Part("out.totals", RUN.date): Fence(3, "mine", "first")}
    writing = Lease(token=4, holder="next", writers=("first", "next"))
    written = Lease(token=4, writers=("next",))
    assert codes(fences(fence, store_id="mine", before={part: writing}, leases={part: written})) == []
    idle = Lease(token=2, writers=("older",))
    assert codes(fences(fence, store_id="mine", before={part: idle}, leases={part: written})) == []
    assert codes(fences(fence, store_id="mine", before={part: written}, leases={part: written})) == ["PG016"]


def test_a_lease_is_expired_only_while_somebody_stands_in_it() -> None:
    lease = Lease(token=2, holder="h", until=NOW - 1000)
    assert codes(expired("lease:x", lease, now=NOW)) == ["PG009"]
    assert codes(expired("lease:x", replace(lease, holder=None), now=NOW)) == []
    assert codes(expired("lease:x", replace(lease, until=NOW + 1), now=NOW)) == []


def finding(code: str, **evidence: str) -> Finding:
    return Finding(code=code, subject="s", text="t", command="c", evidence=evidence)


WHERE = {"phase": "load", "run": str(RUN), "step": "totals"}


@pytest.mark.parametrize(
    ("found", "verbs"),
    [
        (finding("PG001", **WHERE), ["mirror"]),
        (finding("PG002", **WHERE), ["evaluate"]),
        (finding("PG003", **WHERE), ["evaluate"]),
        (finding("PG004", ack="begin", receiver="report", generation="2", **WHERE), ["begin"]),
        (finding("PG004", ack="completion", receiver="mailer", generation="2", **WHERE), ["evaluate"]),
        (finding("PG005", **WHERE), ["report"]),
        (finding("PG006", receipt="a", **WHERE), ["rebuild"]),
        (finding("PG006", reported="a", **WHERE), ["report"]),
        (finding("PG006", receipt="a", guarded="yes", **WHERE), []),
        (finding("PG007", rows="rows in x", **WHERE), ["report"]),
        (finding("PG007", **WHERE), []),
        (finding("PG008", key="quarantine:x"), ["resend"]),
        (finding("PG009", key="lease:x"), ["rescue"]),
        (finding("PG010", fix="rebuild", **WHERE), ["deduplicate", "rebuild"]),
        (finding("PG010", fix="deduplicate", **WHERE), ["deduplicate"]),
        (finding("PG010", fix="", **WHERE), []),
        (finding("PG011", **WHERE), []),
        (finding("PG012", asks="yes", **WHERE), ["evaluate"]),
        (finding("PG012", asks="no", **WHERE), []),
        (finding("PG013", **WHERE), ["refresh"]),
        (finding("PG014", **WHERE), ["replan"]),
        (finding("PG015", **WHERE), ["redrive"]),
        (finding("PG016"), ["adopt"]),
        (finding("PG017", months="2026-01, 2026-02"), ["ask", "ask"]),
        (finding("PG018"), []),
        (finding("PG019", failures="3", **WHERE), ["evaluate"]),
        (finding("PG019"), []),
        (finding("PG022", **WHERE), []),
    ],
    ids=lambda value: f"{value.code} {sorted(value.evidence)}" if isinstance(value, Finding) else "",
)
def test_each_finding_has_its_command_or_none(found: Finding, verbs: list[str]) -> None:
    fixes = fixes_of(found)
    assert [fix.verb for fix in fixes] == verbs
    assert all("{" not in fix.text and fix.text for fix in fixes)


def test_a_plan_gives_each_command_once_the_oldest_date_first() -> None:
    older = {"phase": "report", "run": "2026-02-01.daily"}
    a, b = {"phase": "load", "run": "2026-02-01.daily", "step": "a"}, {**older, "step": "b"}
    found = [
        finding("PG002", **WHERE), finding("PG003", **WHERE), finding("PG002", **older), finding("PG016"),
        finding("PG005", **b), finding("PG005", **a),
    ]  # fmt: skip
    plan = fixes_for(found, phases=("load", "report"))
    assert [(fix.date, fix.verb, fix.phase) for fix in plan] == [
        ("", "adopt", ""), ("2026-02-01", "report", "load"), ("2026-02-01", "report", "report"),
        ("2026-02-01", "evaluate", "report"), (RUN.date, "evaluate", "load"),
    ]  # fmt: skip
    assert {fix.verb for fix in plan} <= set(VERBS)
    assert Fix(date="", verb="adopt") == plan[0]


def test_the_reference_page_has_a_section_for_every_code_and_no_other() -> None:
    page = (ROOT / "docs" / "reference" / "findings.md").read_text()
    headings = re.findall(r"^## (PG\d{3}): (.+)$", page, re.MULTILINE)
    assert headings == [(code, known.title) for code, known in CODES.items()]
    *parts, proven = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    assert proven.startswith("What is proven")
    for part in parts:
        assert re.findall(r"^- (\w+):", part, re.MULTILINE) == ["Meaning", "Evidence", "Cause", "Cure"], part[:40]
