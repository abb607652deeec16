"""What a pipeline stands on: when a deadline, a clock and a disk are findings."""

from phasegate.base.disk import Disk
from phasegate.base.keys import Run
from phasegate.check.machine import RecordedTime, clock, deadlines, disk
from phasegate.explain.phase_view import explain
from tests.support.pipelines import PLAN, RUN, load, settle, shop

STRICT = PLAN.replace(
    "[phase.load]", '[phase.load]\nmodes.daily = { expect = "*", critical = ["orders"], deadline = "12:00" }'
)
NOW = 1_770_000_000.0


def test_a_phase_past_its_deadline_that_never_fired_is_named_with_what_is_missing() -> None:
    made = shop(plan=STRICT)
    with made.pipeline.begin(RUN, step="orders") as run:
        run.fail("the source is down")
    assert deadlines(made.pipeline.views.phases()) == ()
    made.clock.at += 3 * 86400.0
    settle(made)
    (found,) = deadlines(made.pipeline.views.phases())
    assert (found.code, found.subject) == ("PG022", f"load of {RUN}")
    assert found.evidence["missing"] == "orders"
    assert found.command == f"deliver orders of {RUN[:10]}, then: phasegate complete orders --run {RUN}"
    load(made, 1)
    settle(made)
    assert deadlines(made.pipeline.views.phases()) == ()


def test_a_phase_that_is_not_due_yet_is_no_finding() -> None:
    made = shop(plan=STRICT)
    made.pipeline.runs.open("load", Run("2026-02-03", "daily"))
    there = made.pipeline.runs.read("load", Run("2026-02-03", "daily"))
    assert there is not None
    assert deadlines([explain(there, name="load", run=Run("2026-02-03", "daily"), now=made.clock.at)]) == ()


def test_a_time_from_the_future_says_that_a_clock_is_off_and_a_little_ahead_does_not() -> None:
    assert clock([], now=NOW) == ()
    assert clock([RecordedTime(at=NOW + 299, where="a lease"), RecordedTime(at=NOW - 1, where="b")], now=NOW) == ()
    (found,) = clock([RecordedTime(at=NOW + 301, where="lease x"), RecordedTime(at=NOW, where="b")], now=NOW)
    assert found.code == "PG023"
    assert "lease x" in found.text
    assert "301 s" in found.text


def test_a_disk_is_full_below_a_gigabyte_or_a_twentieth_of_it_whichever_is_less() -> None:
    assert disk(Disk(path="/d", free=1_000_000_000, total=500_000_000_000)) == ()
    (found,) = disk(Disk(path="/d", free=999_999_999, total=500_000_000_000))
    assert (found.code, found.subject) == ("PG024", "/d")
    assert disk(Disk(path="/d", free=60_000_000, total=1_000_000_000)) == ()
    assert len(disk(Disk(path="/d", free=40_000_000, total=1_000_000_000))) == 1
