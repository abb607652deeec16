"""Ledgers that cannot be read: they are derived again, and hold up nothing."""

import pytest
from msgspec.structs import replace

from phasegate.base.findings import listed
from phasegate.base.receipt import Stamp
from phasegate.gate.records import Notice
from phasegate.store import Doc
from tests.support.pipelines import Shop, settle
from tests.support.windows import builds, cell, load, many_days, phase, play

DAMAGED: list[dict[str, object]] = [
    {"_unreadable": "Expected `object`, got `array`", "_text": "[1]"}, {"stamps": 3}, {"stamps": {}, "changes": "many"},
    {"stamps": {"2026-02-01": {"fingerprint": 1, "token": "x"}}},
]  # fmt: skip
LEDGER = "ledger:shop:sum:2026-02"


def damage(made: Shop, body: dict[str, object]) -> None:
    doc = made.pipeline.runs._ports.store.read(LEDGER)
    assert isinstance(doc, Doc)
    made.pipeline.runs._ports.store.write(LEDGER, body, due=None, expect=doc.version)


@pytest.mark.parametrize("body", DAMAGED)
def test_a_ledger_that_cannot_be_read_is_derived_again_by_the_first_that_needs_it(body: dict[str, object]) -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4})
    damage(made, body)
    play(made, {4: 8})
    assert cell(made, "out.trend", 4) == 7
    load(made, 3, 104)
    settle(made)
    assert cell(made, "out.trend", 4) == 107, "a change after the damage is newer than what was read before it"
    assert [builds(made, "trend", day) for day in (1, 2, 3, 4)] == [1, 1, 2, 2], "day 3 has new rows of its own"
    assert made.pipeline.next_due() is None
    assert made.told.of("ledger derived") == [{"key": LEDGER}]


def test_a_result_is_recorded_in_a_ledger_that_cannot_be_read() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4})
    damage(made, DAMAGED[0])
    load(made, 2, 102)
    settle(made)
    assert [cell(made, "out.trend", day) for day in (2, 3)] == [1, 103]
    assert made.pipeline.next_due() is None


def test_a_ledger_of_a_newer_version_is_left_alone() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2})
    damage(made, {"_schema": 99})
    load(made, 2, 3)
    settle(made)
    doc = made.pipeline.runs._ports.store.read(LEDGER)
    assert doc is not None
    assert doc.body == {"_schema": 99}


def test_a_date_that_no_document_shows_is_put_right_by_the_build_that_reads_it() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4})
    store = made.pipeline.runs._ports.store
    doc = store.read("phase:shop:out:2026-02-01.night")
    assert doc is not None
    store.delete(doc.key, expect=doc.version)
    damage(made, DAMAGED[0])
    play(made, {4: 8})
    assert cell(made, "out.trend", 4) == 7


def test_a_result_is_unrecorded_until_the_ledger_has_it_or_a_newer_one() -> None:
    made = many_days()
    play(made, {1: 1})
    reader, now = made.pipeline.runs._propagator.windows, phase(made, 1)
    result = now.result_of("sum")
    assert result is not None

    def unrecorded(stamp: Stamp, *, date: str = "2026-02-01", steps: tuple[str, ...] = ("sum", "trend")) -> bool:
        members = {**now.members, "sum": replace(now.members["sum"], result=replace(result, stamp=stamp))}
        noticed = replace(now, members=members, notices={"sum": Notice(order=1.0, at=0.0)})
        return reader._is_unrecorded(noticed, date, steps=steps)

    stamp = result.stamp
    assert not unrecorded(stamp)
    assert unrecorded(replace(stamp, token=stamp.token + 1)), "a newer write"
    assert not unrecorded(replace(stamp, token=stamp.token + 1), steps=("trend",)), "of a step that is not asked for"
    assert unrecorded(stamp, date="2026-02-02"), "a date that the ledger does not have"
    assert unrecorded(stamp, date="2026-03-01"), "a month without a ledger"
    assert unrecorded(Stamp("1-other", 0)), "another read of a foreign table"
    assert not unrecorded(Stamp(stamp.fingerprint, 0)), "the same read"
    assert not reader._is_unrecorded(replace(now, notices={}), "2026-02-02", steps=("sum",)), "no notice"


@pytest.mark.parametrize("body", DAMAGED)
def test_reconcile_names_a_ledger_that_cannot_be_read_and_derives_it(body: dict[str, object]) -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4})
    damage(made, body)
    checks = made.pipeline.checks
    outcomes = checks.inspector.inspect("2026-02-01", "2026-02-03")
    (finding,) = (one for one in listed(outcomes) if one.code != "PG018")
    assert (finding.code, finding.subject) == ("PG019", LEDGER)
    assert finding.command == "phasegate reconcile --from 2026-02-01 --to 2026-02-03 --fix"
    fixed = checks.reconciler.fix(outcomes, first="2026-02-01", last="2026-02-03", work=made.pipeline.sweep)
    assert [one.error for one in fixed.applied] == [""]
    assert {one.code for one in listed(fixed.after)} <= {"PG018"}
