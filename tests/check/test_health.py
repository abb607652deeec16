"""The checks of a date: each has an outcome of its own, and one that raises is never fine."""

import pytest

from phasegate.base.dates import shift
from phasegate.base.disk import Disk
from phasegate.base.findings import CheckResult, exit_code, listed, merged
from phasegate.base.keys import parse_run
from phasegate.check.health import Health
from phasegate.errors import BadInput, Unavailable
from tests.support.pipelines import DAY, PLAN, Shop, load, settle, shop

STRICT = PLAN.replace(
    "[phase.load]", '[phase.load]\nmodes.daily = { expect = "*", critical = ["orders"], deadline = "12:00" }'
)


def verdicts(made: Shop, on: str = DAY) -> dict[str, str]:
    return {outcome.check: outcome.verdict for outcome in made.pipeline.checks.health.evaluate(on)}


def test_a_date_that_is_done_is_fine() -> None:
    made = shop()
    load(made, 1, 2)
    settle(made)
    for delivery in made.pipeline.ports.bus.receive(["mailer"]):
        made.pipeline.complete({"trigger_id": delivery.message.id, "status": "success"})
    assert set(verdicts(made).values()) == {"ok"}
    assert {"store", "warehouse", "deadlines", "clock"} <= verdicts(made).keys()


def test_yesterday_is_of_the_pipelines_zone() -> None:
    made = shop(plan=PLAN.replace('timezone = "UTC"', 'timezone = "America/New_York"'))
    made.clock.at = 1_770_170_400.0  # 2026-02-04 02:00 UTC, still the 3rd in New York
    assert made.pipeline.checks.health.yesterday() == "2026-02-02"


def test_a_missed_deadline_and_a_clock_from_the_past_are_findings() -> None:
    made = shop(plan=STRICT)
    with made.pipeline.begin(f"{DAY}.daily", step="orders") as run:
        run.fail("down")
    made.clock.at += 3 * 86400.0
    made.pipeline.work_until_idle()
    assert verdicts(made)["deadlines"] == "finding"
    made.clock.at -= 4 * 86400.0
    assert verdicts(made)["clock"] == "finding"


def test_what_cannot_be_reached_is_not_evaluated_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    made = shop(plan=STRICT)
    load(made, 1)

    def gone() -> None:
        raise Unavailable("warehouse.duckdb is in use by process 7")

    monkeypatch.setattr(made.warehouse, "snapshot", gone)
    outcomes = {outcome.check: outcome for outcome in made.pipeline.checks.health.evaluate(DAY)}
    assert outcomes["warehouse"].verdict == "not evaluated"
    assert "in use by process 7" in outcomes["warehouse"].error
    assert outcomes["deadlines"].verdict == "ok"
    assert exit_code(outcomes.values()) == 2


def test_a_part_that_raises_is_not_evaluated_and_a_full_disk_is_a_finding() -> None:
    made = shop()

    def broken(first: str, last: str, /) -> list[CheckResult]:
        raise RuntimeError(f"no such table in {first} to {last}")

    disks = [Disk(path=path, free=1, total=10**12) for path in ("/d", "/e")]
    made_by = Health(made.pipeline.plan, made.pipeline.ports, overview=made.pipeline.views,
                     spans=[("reconcile", broken)], disks=lambda: disks)  # fmt: skip
    outcomes = {outcome.check: outcome for outcome in made_by.evaluate(DAY)}
    assert outcomes["reconcile"].error == "RuntimeError: no such table in 2026-02-03 to 2026-02-03"
    assert [(f.code, f.subject) for f in outcomes["disk"].findings] == [("PG024", "/d"), ("PG024", "/e")]
    assert len({f.cause for f in outcomes["disk"].findings}) == 2, "the one may be mended before the other"


EXPECTED = PLAN.replace("external = true", 'external = true\nexpected_by = "07:00 +1d"', 1)
ON_DEMAND = PLAN.replace("[phase.load]", '[phase.load]\nmodes.daily = { expect = "*", start = "run" }')
TWO = PLAN.replace(
    "[phase.load]",
    '[phase.load]\nmodes.daily = { expect = "*" }\nmodes.early = { expect = "*" }',
).replace("external = true", 'external = true\nexpected_by.daily = "07:00 +1d"', 1)


@pytest.mark.parametrize(
    ("plan", "hint"),
    [
        (PLAN, 'add expected_by, such as "07:00 +1d", to [step.orders], or a calendar'),
        (ON_DEMAND, "no run of mode daily is open"),
        (TWO, "no run of mode early is open"),
    ],
)
def test_a_date_on_which_nothing_happened_and_nothing_was_expected_is_not_evaluated(plan: str, hint: str) -> None:
    made = shop(plan=plan)
    made.clock.at += 5 * 86400.0
    outcomes = {outcome.check: outcome for outcome in made.pipeline.checks.health.evaluate("2026-02-04")}
    assert outcomes["runs"].verdict == "not evaluated"
    assert hint in outcomes["runs"].error
    assert exit_code(outcomes.values()) == 2


def test_what_is_expected_and_never_came_is_a_finding_and_no_unknown() -> None:
    made = shop(plan=EXPECTED)
    load(made, 1)
    made.clock.at += 5 * 86400.0
    found = verdicts(made, "2026-02-04")
    assert (found["runs"], found["lateness"]) == ("finding", "finding")
    assert "not evaluated" not in found.values()


def test_of_a_date_that_has_not_begun_nothing_is_known() -> None:
    made = shop(plan=EXPECTED)
    load(made, 1)
    assert verdicts(made, "2027-02-04")["runs"] == "not evaluated"


def test_a_run_that_waits_for_what_nothing_expects_is_not_evaluated_once_its_date_is_long_past() -> None:
    made = shop()
    made.pipeline.runs.open("load", parse_run(f"{DAY}.daily"))
    made.clock.at += 86400.0
    assert verdicts(made)["deadlines"] == "ok"
    made.clock.at += 3 * 86400.0
    outcomes = {outcome.check: outcome for outcome in made.pipeline.checks.health.evaluate(DAY)}
    assert outcomes["deadlines"].verdict == "not evaluated"
    assert "add expected_by to [step.orders], or a deadline to mode daily" in outcomes["deadlines"].error


def test_several_dates_at_once_have_what_each_has() -> None:
    made = shop()
    later = shift(DAY, 1)
    for on in (DAY, later):
        made.pipeline.runs.open("load", parse_run(f"{on}.daily"))
    made.clock.at += 5 * 86400.0
    health = made.pipeline.checks.health
    whole = {outcome.check: outcome for outcome in health.evaluate(DAY, last=later)}
    assert set(whole) == set(verdicts(made))
    each = merged([health.evaluate(DAY), health.evaluate(later)])
    assert whole["deadlines"] == next(one for one in each if one.check == "deadlines")
    assert whole["deadlines"].error.count("add expected_by") == 2
    assert {one.subject for one in listed(list(whole.values()))} == {one.subject for one in listed(each)}
    with pytest.raises(BadInput, match="is after"):
        health.evaluate(later, last=DAY)


def test_what_is_younger_than_the_grace_period_is_settling_and_neither_fine_nor_a_finding() -> None:
    made = shop()
    load(made, 1)
    made.clock.at += 60.0
    outcomes = {outcome.check: outcome for outcome in made.pipeline.checks.inspector.inspect(DAY, DAY)}
    assert outcomes["triggers"].verdict == "settling"
    assert [finding.code for finding in outcomes["triggers"].settling] == ["PG004"]
    assert exit_code(outcomes.values()) == 3
    made.clock.at += 600.0
    assert exit_code(made.pipeline.checks.inspector.inspect(DAY, DAY)) == 1
    settle(made)
    for delivery in made.pipeline.ports.bus.receive(["mailer"]):
        made.pipeline.complete({"trigger_id": delivery.message.id, "status": "success"})
    assert exit_code(made.pipeline.checks.inspector.inspect(DAY, DAY)) == 0
