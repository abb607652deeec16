"""``phasegate health`` as a user types it, and the proof that its checks can fail."""

import pytest

from phasegate.base.disk import Disk
from phasegate.base.findings import CODES, CheckResult
from phasegate.check import machine
from phasegate.selftest.plants import ELSEWHERE, PLANTS, Plant
from phasegate.selftest.scene import ScratchPipeline
from phasegate.selftest.scratch import scratch
from phasegate.selftest.selftest import self_test
from tests.support.commands import RUN, Night

DATE = RUN[:10]


def test_a_date_that_is_fine_says_so_check_by_check(night: Night) -> None:
    night.scrape(10)
    night("complete", "odds", "--run", RUN)
    night("worker", "--until-idle")
    done = night("health", "--date", DATE)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == f"nba, {DATE}"
    for check in ("store", "warehouse", "deadlines", "clock", "disk"):
        assert any(line.startswith(f"{check} ") and " OK " in line for line in lines), check


def test_json_has_checks_and_findings(night: Night) -> None:
    night.scrape(10)
    document = night("health", "--date", DATE, "--json").json
    assert document["date"] == DATE
    assert {check["check"] for check in document["checks"]} >= {"store", "warehouse", "deadlines", "clock", "disk"}
    assert {tuple(sorted(check)) for check in document["checks"]} == {
        ("check", "error", "evaluated", "findings", "settling", "verdict")
    }


def test_without_a_state_nothing_is_made_and_nothing_is_fine(night: Night) -> None:
    done = night("health")
    assert (done.code, done.out) == (2, "")
    assert "there is no state at" in done.err


def test_what_is_no_date_is_refused(night: Night) -> None:
    night.scrape(10)
    done = night("health", "--date", "tomorrow")
    assert (done.code, done.out) == (2, "")
    assert "tomorrow" in done.err


@pytest.mark.slow
def test_the_self_test_plants_each_fault_and_finds_it(night: Night) -> None:
    done = night("health", "--self-test", "--json")
    assert done.code == 0, done.out
    proofs = done.json["proofs"]
    assert all(proof["found"] for proof in proofs)
    # What only a stranger's documents can have is doctor's to find, and proven in tests/interop/test_doctor.py.
    assert sorted([*(proof["code"] for proof in proofs), *ELSEWHERE]) == list(CODES)


def some(*codes: str) -> list[Plant]:
    return [plant for plant in PLANTS if plant.code in codes]


def test_the_self_test_notices_a_check_that_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "deadlines", lambda _: ())
    proofs = self_test(scratch, plants=some("PG010", "PG022"))
    assert [(proof.code, proof.found, proof.text) for proof in proofs] == [
        ("PG010", True, "2 of 4 rows repeat a key (day, id)"),
        ("PG022", False, "nothing"),
    ]


def test_the_self_test_notices_a_check_that_always_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    full = machine.disk
    monkeypatch.setattr(machine, "disk", lambda there: full(Disk(path=there.path, free=0, total=there.total)))
    proofs = self_test(scratch, plants=some("PG010", "PG024"))
    assert [(proof.code, proof.found) for proof in proofs] == [("PG010", True), ("PG024", False)]
    assert proofs[1].text.startswith("found without the fault too: ")


def test_a_fault_that_cannot_be_planted_is_not_found_and_the_others_go_on() -> None:
    def broken(_: ScratchPipeline) -> tuple[CheckResult, ...]:
        raise RuntimeError("no such table")

    proofs = self_test(scratch, plants=[Plant("PG010", "rows twice", broken), *some("PG020")])
    assert [(proof.code, proof.found) for proof in proofs] == [("PG010", False), ("PG020", True)]
    assert proofs[0].text == "it could not be planted: RuntimeError: no such table"


def test_health_inspects_what_reconcile_inspects(night: Night) -> None:
    night.scrape(10)
    found = night("health", "--date", DATE, "--json").json["checks"]
    inspected = night("reconcile", "--from", DATE, "--to", DATE, "--json").json["checks"]
    assert {check["check"] for check in found} >= {check["check"] for check in inspected} > {"firing", "receipts"}
