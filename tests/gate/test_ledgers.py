"""Ledgers that cannot be read: they are derived again, and hold up nothing."""

import pytest

from phasegate.base.findings import listed
from phasegate.store import Doc
from tests.support.pipelines import Shop, settle
from tests.support.windows import builds, cell, load, many_days, play

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
