"""Windows over earlier dates, and modes that share tables: what later runs and sister runs hear, and when."""

import pytest
from msgspec.structs import replace

from phasegate.base.keys import Run
from phasegate.base.receipt import Stamp
from phasegate.calendar.month import Day
from phasegate.gate.phase import Phase
from phasegate.gate.propagation import DateChange
from phasegate.plan.gate import Need
from tests.support.pipelines import settle, shop
from tests.support.windows import PLAN, STEPS, builds, cell, expecting, load, many_days, phase, play


def test_a_step_is_built_of_the_days_before_its_date() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4, 4: 8})
    assert [cell(made, "out.trend", day) for day in (1, 2, 3, 4)] == [0, 1, 3, 7]
    assert [builds(made, "trend", day) for day in (1, 2, 3, 4)] == [1, 1, 1, 1]


def test_a_changed_day_is_built_into_the_next_two_and_drifts_from_the_others() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4, 4: 8, 5: 16})
    load(made, 1, 101)
    settle(made)
    assert [cell(made, "out.trend", day) for day in (2, 3, 4, 5)] == [101, 103, 7, 15]
    assert phase(made, 4).windows["out.sum@5d"].drifted == ("2026-02-01",)
    assert phase(made, 3).windows["out.sum@5d"].drifted == ()
    assert made.pipeline.next_due() is None


def test_a_refresh_builds_what_has_drifted_once() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4, 4: 8, 5: 16})
    load(made, 1, 101)
    settle(made)
    assert made.pipeline.runs.refresh("out", Run("2026-02-05", "night"))
    settle(made)
    assert cell(made, "out.trend", 5) == 115
    assert builds(made, "trend", 5) == 2
    assert phase(made, 5).windows["out.sum@5d"].drifted == ()


def test_what_is_built_anew_for_another_reason_takes_a_drifted_window_along() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4, 4: 8})
    load(made, 1, 101)
    settle(made)
    load(made, 4, 9)
    settle(made)
    assert cell(made, "out.trend", 4) == 107
    assert made.pipeline.next_due() is None


def test_the_same_data_again_builds_nothing_later() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4})
    load(made, 1, 1)
    settle(made)
    assert [builds(made, "trend", day) for day in (2, 3)] == [1, 1]


def test_both_modes_hear_of_a_table_that_one_of_them_wrote() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2})
    made.pipeline.runs.open("raw", Run("2026-02-02", "day"))
    settle(made)
    assert phase(made, 2, mode="day").generation == 1
    assert builds(made, "trend", 2) == 1
    load(made, 2, 3)
    settle(made)
    for mode in ("day", "night"):
        one = phase(made, 2, mode=mode).members["trend"].result
        assert one is not None
        assert one.stamp.token == 2
    assert builds(made, "trend", 2) == 2
    assert made.pipeline.next_due() is None


def test_a_crash_before_later_runs_were_notified_is_repaired_by_the_next_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4})
    propagator = made.pipeline.runs._propagator

    def dies(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(propagator, "deliver", dies)
        with pytest.raises(RuntimeError):
            load(made, 1, 101)
    settle(made, until_s=7200.0)
    assert cell(made, "out.trend", 2) == 101


def test_a_day_that_the_calendar_expects_is_waited_for_until_its_deadline() -> None:
    made = expecting()
    days = [Day(date=f"2026-02-{n:02d}", state="work" if n in (1, 2) else "none") for n in range(1, 29)]
    made.pipeline.put_dates(days)
    load(made, 2, 2)
    settle(made)
    assert "trend" not in phase(made, 2).requests
    assert phase(made, 2).windows["out.sum@5d"].awaited.keys() == {"2026-02-01"}
    load(made, 1, 1)
    settle(made)
    assert cell(made, "out.trend", 2) == 1
    assert builds(made, "trend", 2) == 1


def test_a_mode_that_awaits_no_windows_is_built_at_once_and_again_when_the_day_comes() -> None:
    made = expecting(await_windows=False)
    days = [Day(date=f"2026-02-{n:02d}", state="work" if n in (1, 2) else "none") for n in range(1, 29)]
    made.pipeline.put_dates(days)
    load(made, 2, 2)
    settle(made)
    assert cell(made, "out.trend", 2) == 0
    assert phase(made, 2).generation == 1
    load(made, 1, 1)
    settle(made)
    assert cell(made, "out.trend", 2) == 1
    assert phase(made, 2).generation == 2


def test_a_day_that_never_comes_is_waited_for_no_longer_than_its_deadline() -> None:
    made = expecting()
    made.pipeline.put_dates([Day(date=f"2026-02-{n:02d}", state="work" if n < 3 else "none") for n in (1, 2)])
    load(made, 2, 2)
    settle(made, until_s=13 * 3600.0)
    assert cell(made, "out.trend", 2) == 0


def test_a_day_that_is_cancelled_is_waited_for_no_longer() -> None:
    made = expecting()
    made.pipeline.put_dates([Day(date=f"2026-02-{n:02d}", state="work" if n < 3 else "none") for n in (1, 2)])
    load(made, 2, 2)
    settle(made, until_s=60.0)
    assert phase(made, 2).windows["out.sum@5d"].awaited.keys() == {"2026-02-01"}
    made.pipeline.put_dates([Day(date="2026-02-01", state="void", reason="snow storm")])
    settle(made, until_s=60.0)
    assert cell(made, "out.trend", 2) == 0


def test_a_window_that_the_plan_gains_later_knows_the_days_before_it() -> None:
    old = PLAN.replace('{ step = "sum", back = "5d" }, ', "").replace("cascade_days = 2\n", "")
    made = many_days(old)
    play(made, {1: 1, 2: 2})
    grown = shop(STEPS, plan=PLAN, store=made.store, warehouse=made.warehouse)
    grown.pipeline.runs.replan("out", Run("2026-02-02", "night"))
    load(grown, 3, 4)
    settle(grown)
    assert [cell(grown, "out.trend", day) for day in (2, 3)] == [1, 3]
    assert grown.pipeline.next_due() is None


def test_old_news_that_are_told_late_change_nothing_for_a_run_that_holds_them() -> None:
    made = many_days()
    play(made, {1: 1, 2: 2, 3: 4})
    propagator = made.pipeline.runs._propagator
    held = made.store.read("ledger:shop:sum:2026-02")
    assert held is not None
    number = held.body["numbers"]["2026-02-02"]  # type: ignore[index]
    assert number, "the ledger counts its changes"
    # somebody has noted a newer write, and is still to tell of it
    newer = propagator.record("sum", "2026-02-02", stamp=Stamp("1-9", 99))
    before = phase(made, 3)
    assert propagator.propagate_later("sum", DateChange("2026-02-02", int(str(number)), origin="2026-02-02")) == []
    assert phase(made, 3) == before
    assert propagator.propagate_later("sum", DateChange("2026-02-02", newer, origin="2026-02-02"))
    assert set(phase(made, 3).requests) == {"trend"}


def test_a_table_found_newer_than_its_report_counts_as_changed_by_the_date_that_led_to_it() -> None:
    """A worker that finds the second trend newer than its request says must not have the fourth date rebuilt."""
    plan = PLAN + (
        '\n[phase.last]\nafter = "out"\nmodes.night = { expect = "*" }\n'
        '\n[step.form]\nphase = "last"\nneeds = ["out.trend", { step = "out.trend", back = "5d" }]\n'
        'python = "made:trend"\ntable = "last.form"\nkey = ["day"]\npartition = "day"\n'
        'columns = { day = "VARCHAR", amount = "INTEGER" }\n'
    )
    made = many_days(plan)
    play(made, {1: 1, 2: 2, 3: 4, 4: 8})
    load(made, 1, 101)
    settle(made)
    before = phase(made, 4, name="last")
    assert before.windows["out.trend@5d"].drifted == ("2026-02-02", "2026-02-03")
    result = phase(made, 2).result_of("trend")
    assert result is not None
    assert result.origin == "2026-02-01"
    repair = made.pipeline._commands._read_repair
    repair._correct_date(Need("out", "trend", 5), "2026-02-02", result.stamp)
    assert phase(made, 4, name="last") == before


LAST = """
[phase.last]
after = "out"
modes.night = { expect = "*" }

[step.form]
phase = "last"
needs = ["out.sum", { step = "raw.box", back = "5d" }]
python = "made:trend"
table = "last.form"
key = ["day"]
partition = "day"
columns = { day = "VARCHAR", amount = "INTEGER" }
"""


def test_a_phase_that_is_read_again_for_a_later_one_is_of_the_same_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """The third date's rows change and not their sum: only the last phase hears of it, when all else is at rest."""
    made = many_days(PLAN + LAST)
    play(made, {1: 1, 2: 2, 3: 4, 4: 8})
    load(made, 1, 101)
    settle(made)
    assert phase(made, 4).windows["out.sum@5d"].drifted == ("2026-02-01",)
    propagator = made.pipeline.runs._propagator
    deliver = propagator.deliver

    def dies(key: str, phase: Phase) -> object:
        if key.startswith("phase:shop:raw:"):
            raise RuntimeError("killed")
        return deliver(key, phase)

    with monkeypatch.context() as patched:
        patched.setattr(propagator, "deliver", dies)
        with pytest.raises(RuntimeError):
            load(made, 3, 1, 3)
        made.pipeline.work_until_idle()
    settle(made, until_s=7200.0)
    assert cell(made, "out.trend", 4) == 107
    results = phase(made, 4).result_of("trend"), phase(made, 4, name="last").result_of("form")
    assert [None if result is None else result.origin for result in results] == ["2026-02-03"] * 2


def test_a_result_that_a_sister_run_takes_over_is_of_the_code_that_built_it() -> None:
    coded = PLAN.replace('python = "made:trend"\n', 'python = "made:trend"\ncode = "first"\n')
    made = many_days(coded)
    play(made, {1: 1})
    load(made, 1, 1, mode="day")
    settle(made)
    built = phase(made, 1).result_of("trend")
    assert built is not None
    assert built.code == made.pipeline.plan.steps["trend"].code != ""
    assert phase(made, 1, mode="day").result_of("trend") == replace(built, request="")
    again = many_days(coded.replace("first", "second"), store=made.store, warehouse=made.warehouse)
    again.pipeline.runs.replan("out", Run("2026-02-01", "day"))
    assert phase(again, 1, mode="day").members["trend"].stale == "code_changed"


def test_a_day_that_has_ended_is_waited_for_until_its_deadline() -> None:
    made = expecting()
    made.clock.at += 11 * 3600.0
    made.pipeline.put_dates([Day(date=f"2026-02-{n:02d}", state="work") for n in (1, 2)])
    load(made, 2, 2)
    settle(made, until_s=60.0)
    assert phase(made, 2).windows["out.sum@5d"].awaited == {"2026-02-01": made.clock.at + 3600.0}
    settle(made, until_s=3600.0)
    assert cell(made, "out.trend", 2) == 0
