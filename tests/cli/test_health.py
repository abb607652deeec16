"""``phasegate health`` as a user types it, and the proof that its checks can fail."""

import pytest

from phasegate.core import vitals
from phasegate.core.findings import CODES
from phasegate.scratch import scratch
from phasegate.service.selftest import self_test
from tests.cli.given import RUN, Night

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
        ("check", "error", "evaluated", "findings", "verdict")
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


def test_the_self_test_plants_each_fault_and_finds_it(night: Night) -> None:
    done = night("health", "--self-test", "--json")
    assert done.code == 0, done.out
    proofs = done.json["proofs"]
    assert len(proofs) >= 6
    assert all(proof["found"] for proof in proofs)
    assert {proof["code"] for proof in proofs} <= CODES.keys()


def test_the_self_test_notices_a_check_that_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vitals, "deadlines", lambda _: ())
    assert {proof.code for proof in self_test(scratch) if not proof.found} == {"PG022"}


def test_the_self_test_notices_a_check_that_always_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    full = vitals.disk
    monkeypatch.setattr(vitals, "disk", lambda there: full(vitals.Disk(path=there.path, free=0, total=there.total)))
    assert {proof.code for proof in self_test(scratch) if not proof.found} == {"PG024"}
