"""One table must cover another: what is missing is named, the gate waits for it, and it is compared again."""

from collections.abc import Callable

import pytest

from phasegate.base.dates import local_time
from phasegate.base.keys import parse_run
from phasegate.calendar.calendar import Dates
from phasegate.calendar.month import Day
from phasegate.errors import BadInput
from phasegate.explain.member_view import MemberView
from phasegate.gate.phase import Phase
from phasegate.warehouses.memory.warehouse import MemoryWarehouse
from phasegate.write.builder import PythonStep
from tests.support.pipelines import DAY, RUN, Shop, settle, shop, state

PLAN = """
pipeline = "shop"
timezone = "UTC"

[phase.load]
modes.daily = { expect = "*", deadline = "12:00 +1d" }
[phase.report]
after = "load"

[step.schedule]
phase = "load"
external = true
table = "raw.schedule"
key = ["day", "game"]
partition = "day"
write = "replace"
shrink_max = 1.0
columns = { day = "VARCHAR", game = "INTEGER", postponed = "BOOLEAN" }

[step.boxes]
phase = "load"
external = true
table = "raw.boxes"
key = ["day", "game"]
partition = "day"
write = "replace"
columns = { day = "VARCHAR", game = "INTEGER", points = "INTEGER" }
covers = { step = "schedule", on = ["game"], where = "not postponed" }

[step.totals]
phase = "report"
needs = ["load.boxes"]
python = "made:totals"
table = "out.totals"
key = ["day"]
partition = "day"
columns = { day = "VARCHAR", amount = "INTEGER" }
"""
Cells = dict[str, object]
NEXT = "2026-02-04"


def _played(read: Callable[[str], list[Cells]], params: object) -> list[Cells]:
    del params
    return [row for row in read("raw.schedule") if not row["postponed"]]


def _one_row(run: object) -> list[Cells]:
    del run
    return [{"day": DAY, "amount": 1}]


def league(plan: str = PLAN, *, build: PythonStep = _one_row, dates: Dates | None = None) -> Shop:
    warehouse = MemoryWarehouse(functions={"not postponed": _played})
    return shop({"made:totals": build}, plan=plan, warehouse=warehouse, dates=dates)


def deliver(made: Shop, step: str, *games: int, postponed: tuple[int, ...] = (), day: str = DAY) -> None:
    value: Callable[[int], Cells] = (
        (lambda game: {"postponed": game in postponed}) if step == "schedule" else (lambda game: {"points": game})
    )
    with made.pipeline.begin(f"{day}.daily", step=step) as run:
        run.write([{"day": day, "game": game, **value(game)} for game in games])
        run.complete()
    settle(made)


def member(made: Shop, name: str, *, day: str = DAY) -> MemberView:
    views = [one for view in made.pipeline.views.why(f"{day}.daily") for one in view.members]
    return next(one for one in views if one.name == name)


def test_half_the_rows_are_partial_and_named_and_the_gate_waits() -> None:
    made = league()
    deliver(made, "schedule", *range(1, 9))
    deliver(made, "boxes", 1, 2, 3, 4)
    assert state(made, "load") == "waiting"
    (load,) = (view for view in made.pipeline.views.why(RUN) if view.phase == "load")
    assert load.reason == "waiting for boxes (lacks 4 of load.schedule: 5, 6, 7, 8)"
    assert member(made, "boxes").state == "partial"
    assert load.missing == ("boxes",)
    deliver(made, "boxes", *range(1, 9))
    assert (state(made, "load"), state(made, "report")) == ("complete", "complete")


def test_after_the_deadline_it_fires_degraded_without_the_partial_member() -> None:
    made = league()
    deliver(made, "schedule", 1, 2)
    deliver(made, "boxes", 1)
    settle(made, until_s=3 * 86400.0)
    (load, *_) = made.pipeline.views.why(RUN)
    assert (load.state, load.generations[-1].missing) == ("degraded", ("boxes",))
    assert load.reason == "generation 1 fired without boxes (lacks 1 of load.schedule: 2)"
    deliver(made, "boxes", 1, 2)
    assert (state(made, "load"), state(made, "report")) == ("complete", "complete")


@pytest.mark.parametrize("first", ["schedule", "boxes"])
def test_the_order_of_arrival_does_not_matter(first: str) -> None:
    made = league()
    for step in sorted(("schedule", "boxes"), key=lambda step: step != first):
        deliver(made, step, *((1, 2, 3) if step == "schedule" else (1, 2)))
    assert member(made, "boxes").state == "partial"
    assert "lacks 1 of load.schedule: 3" in member(made, "boxes").reason


def test_a_postponed_game_is_not_missing_and_an_added_one_is() -> None:
    made = league()
    deliver(made, "schedule", 1, 2, 3)
    deliver(made, "boxes", 1, 2)
    assert state(made, "load") == "waiting"
    deliver(made, "schedule", 1, 2, 3, postponed=(3,))
    assert state(made, "load") == "complete"
    deliver(made, "schedule", 1, 2, 3, 4, postponed=(3,))
    assert "lacks 1 of load.schedule: 4" in member(made, "boxes").reason
    deliver(made, "boxes", 1, 2, 4)
    assert state(made, "load") == "complete"


def test_the_message_of_an_older_comparison_compares_nothing() -> None:
    made = league()
    deliver(made, "boxes", 1, 2)
    made.warehouse.functions.pop("not postponed")  # so that the comparison stays asked for
    deliver(made, "schedule", 1, 2)
    document = made.pipeline.runs.read("load", parse_run(RUN))
    assert document is not None
    assert "boxes" in document.requests
    made.warehouse.functions["not postponed"] = _played
    boxes = made.pipeline.plan.steps["boxes"]
    assert made.pipeline._worker._builder.serve(boxes, parse_run(RUN), request_id="an older one") == "not asked for"
    assert made.pipeline.runs.read("load", parse_run(RUN)) == document
    asked = document.requests["boxes"].id
    made.pipeline.runs.redrive("load", parse_run(RUN), step="boxes")
    assert made.pipeline._worker._builder.serve(boxes, parse_run(RUN), request_id=asked) == "confirmed"
    document = made.pipeline.runs.read("load", parse_run(RUN))
    assert document is not None
    result = document.result_of("boxes")
    assert result is not None
    assert result.request == asked


def test_without_a_schedule_nothing_counts_as_covered() -> None:
    made = league()
    deliver(made, "boxes", 1, 2)
    assert member(made, "boxes").reason == "waits for load.schedule, which it must cover"
    deliver(made, "schedule")
    assert state(made, "load") == "complete"


def test_a_table_that_is_written_past_phasegate_is_compared_when_it_is_reported() -> None:
    made = league()
    deliver(made, "schedule", 1, 2)
    boxes = made.pipeline.plan.steps["boxes"].table
    assert boxes is not None
    for games in ((1,), (1, 2)):
        made.warehouse.create(boxes)
        rows = [{"day": DAY, "game": game, "points": game} for game in games]
        made.warehouse.put_rows(boxes, rows, partition=DAY)
        made.pipeline.complete({"step": "boxes", "run": RUN})
        settle(made)
        assert member(made, "boxes").state == ("partial" if len(games) < 2 else "fresh")


def test_a_condition_that_cannot_be_evaluated_is_shown_and_never_green() -> None:
    made = league()
    del made.warehouse.functions["not postponed"]
    deliver(made, "schedule", 1, 2)
    deliver(made, "boxes", 1, 2)
    assert member(made, "boxes").state == "dead"
    assert "not postponed" in member(made, "boxes").reason
    assert state(made, "load") == "dead"


def test_many_missing_keys_are_counted_and_the_first_are_stored() -> None:
    made = league()
    deliver(made, "schedule", *range(100, 200))
    deliver(made, "boxes", 100)
    phase = made.pipeline.runs.read("load", parse_run(RUN))
    assert phase is not None
    result = phase.members["boxes"].result
    assert result is not None
    assert result.lacks is not None
    assert (result.status, result.lacks.count, len(result.lacks.missing)) == ("partial", 99, 20)
    assert result.lacks.missing[0] == "101"


def test_covering_in_a_circle_is_refused() -> None:
    circle = PLAN.replace('[step.schedule]\nphase = "load"', '[step.schedule]\nphase = "load"\nneeds = ["boxes"]')
    with pytest.raises(BadInput, match="covers: cycle"):
        league(circle)


def test_checks_of_the_tables_name_what_is_missing_until_it_is_there() -> None:
    made = league()
    deliver(made, "schedule", *range(1, 9))
    assert _uncovered(made) == []
    deliver(made, "boxes", 1, 2, 3, 4)
    assert _uncovered(made) == [f"{RUN} load.boxes: lacks 4 of load.schedule: 5, 6, 7, 8"]
    deliver(made, "boxes", *range(1, 9))
    assert _uncovered(made) == []


def _uncovered(made: Shop) -> list[str]:
    made.clock.at += 600.0
    outcomes = made.pipeline.checks.health.evaluate(DAY)
    return [f"{one.subject}: {one.text}" for outcome in outcomes for one in outcome.findings if one.code == "PG027"]


def test_a_source_without_a_table_may_name_what_is_missing_itself() -> None:
    made = league(PLAN + '\n[step.feed]\nphase = "load"\nexternal = true\n')
    deliver(made, "schedule", 1)
    deliver(made, "boxes", 1)
    report = {"step": "feed", "run": RUN, "execution_id": "one", "sequence": 1}
    made.pipeline.complete({**report, "status": "partial", "missing": ["1", "2"]})
    settle(made)
    assert (member(made, "feed").state, state(made, "load")) == ("partial", "waiting")
    assert member(made, "feed").reason.endswith("lacks 2: 1, 2")
    made.pipeline.complete({**report, "sequence": 2})
    settle(made)
    assert state(made, "load") == "complete"
    with pytest.raises(BadInput, match="must not say what is missing"):
        made.pipeline.complete({"step": "boxes", "run": RUN, "status": "partial", "missing": ["1"], "sequence": 1})


IN_PHASE = PLAN.replace('phase = "report"\nneeds = ["load.boxes"]', 'phase = "load"\nneeds = ["boxes"]').replace(
    '[phase.report]\nafter = "load"\n', ""
)


def test_within_a_phase_nothing_is_built_of_a_part_before_the_deadline() -> None:
    made = league(IN_PHASE.replace('expect = "*"', 'expect = ["schedule", "totals"]'))
    deliver(made, "schedule", 1, 2)
    deliver(made, "boxes", 1)
    assert member(made, "totals").reason == "waits for load.boxes"
    assert not made.warehouse.tables.get("out.totals")
    settle(made, until_s=3 * 86400.0)
    assert made.warehouse.tables["out.totals"][DAY], "past the deadline it is built of what is there"
    (load,) = made.pipeline.views.why(RUN)
    assert (load.state, load.missing) == ("degraded", ("totals",))
    deliver(made, "boxes", 1, 2)
    assert state(made, "load") == "complete"


BUILT = IN_PHASE.replace(
    'needs = ["boxes"]', 'needs = ["boxes"]\ncovers = { step = "schedule", on = ["day"], where = "not postponed" }'
)


@pytest.mark.parametrize("order", [("schedule", "boxes"), ("boxes", "schedule")])
def test_a_step_that_a_worker_builds_is_compared_when_it_is_built_and_when_the_other_changes(
    order: tuple[str, str],
) -> None:
    built: list[Cells] = []
    plan = BUILT.replace('covers = { step = "schedule", on = ["game"], where = "not postponed" }\n', "")
    made = league(plan, build=lambda _: built)
    for step in order:
        deliver(made, step, 1, 2)
    assert member(made, "totals").reason == f"0 rows; lacks 1 of load.schedule: {DAY}"
    deliver(made, "schedule", 1, 2, postponed=(1, 2))
    assert (member(made, "totals").state, state(made, "load")) == ("fresh", "complete")
    deliver(made, "schedule", 1, 2, 3)
    assert member(made, "totals").state == "partial"
    built.append({"day": DAY, "amount": 1})
    deliver(made, "boxes", 1, 2, 3)
    assert state(made, "load") == "complete"


def test_modes_that_share_the_tables_show_the_same_and_a_replan_compares_by_the_new_rule() -> None:
    two = PLAN.replace(
        'modes.daily = { expect = "*", deadline = "12:00 +1d" }',
        'modes.daily = { expect = "*" }\nmodes.early = { expect = "*" }',
    )
    made = league(two)
    early = RUN.replace("daily", "early")
    made.pipeline.runs.open("load", parse_run(early))
    deliver(made, "schedule", 1, 2, 3)
    deliver(made, "boxes", 1, 2)
    views = [view for view in made.pipeline.views.why(early) if view.phase == "load"]
    assert views[0].reason == "waiting for boxes (lacks 1 of load.schedule: 3)"
    deliver(made, "schedule", 1, 2, 3, postponed=(3,))
    assert [view.state for run in (RUN, early) for view in made.pipeline.views.why(run)] == ["complete"] * 4
    whole = two.replace(', where = "not postponed"', "")
    again = shop({"made:totals": _one_row}, plan=whole, store=made.store, warehouse=made.warehouse)
    again.clock.at = made.clock.at
    again.pipeline.runs.replan("load", parse_run(RUN))
    settle(again)
    assert "lacks 1 of load.schedule: 3" in member(again, "boxes").reason


def test_a_later_run_waits_for_a_date_of_its_window_that_lacks_rows() -> None:
    plan = PLAN.replace('timezone = "UTC"', 'timezone = "UTC"\ncalendar = "made:dates"')
    plan = plan.replace('needs = ["load.boxes"]', 'needs = ["load.schedule", { step = "load.boxes", back = "2d" }]')
    work = [Day(date=DAY, state="work"), Day(date=NEXT, state="work")]
    made = league(plan, build=lambda run: [{"day": run.date, "amount": 1}], dates=lambda *_: work)
    made.clock.at = local_time("20:00", DAY, timezone="UTC")
    deliver(made, "schedule", 1, 2)
    deliver(made, "boxes", 1)
    deliver(made, "schedule", 7, day=NEXT)
    deliver(made, "boxes", 7, day=NEXT)
    assert "boxes of 2026-02-03" in member(made, "totals", day=NEXT).reason
    deliver(made, "schedule", 1, 2, postponed=(2,))
    assert member(made, "totals", day=NEXT).state == "fresh"


def document(made: Shop) -> Phase:
    found = made.pipeline.runs.read("report", parse_run(RUN))
    assert found is not None
    return found


def put_rows(made: Shop, step: str, *games: int) -> None:
    """Fill a table past Phasegate, and report it."""
    table = made.pipeline.plan.steps[step].table
    assert table is not None
    made.warehouse.create(table)
    made.warehouse.put_rows(table, [{"day": DAY, "game": game, "points": game} for game in games], partition=DAY)
    made.pipeline.complete({"step": step, "run": RUN})
    settle(made)


def test_rows_past_phasegate_that_can_no_longer_be_compared_are_shown_and_not_asked_for_in_vain() -> None:
    made = league()
    deliver(made, "schedule", 1, 2)
    put_rows(made, "boxes", 1, 2)
    assert member(made, "boxes").state == "fresh"
    made.warehouse.functions.pop("not postponed")
    deliver(made, "schedule", 1, 2, 3)
    assert member(made, "boxes").state == "dead"
    assert "not postponed" in member(made, "boxes").reason


NEEDING = (
    PLAN.replace('[step.schedule]\nphase = "load"', '[step.schedule]\nphase = "report"')
    .replace('[step.boxes]\nphase = "load"', '[step.boxes]\nphase = "report"\nneeds = ["load.feed"]')
    .replace('needs = ["load.boxes"]', 'needs = ["boxes"]')
    + '\n[step.feed]\nphase = "load"\nexternal = true\n'
)


def test_a_comparison_does_not_make_rows_those_of_inputs_that_came_meanwhile() -> None:
    made = league(NEEDING)

    def feed(content: str) -> None:
        made.pipeline.complete({"step": "feed", "run": RUN, "execution_id": content})

    def overtaken(read: Callable[[str], list[Cells]], params: object) -> list[Cells]:
        if document(made).inputs["load"].generation == 1:
            feed("two")
            made.clock.at += 86_400.0  # the trigger waits for no build any more
            made.pipeline.serve_one()
        return _played(read, params)

    feed("one")
    settle(made)
    deliver(made, "schedule", 1, 2)
    put_rows(made, "boxes", 1, 2)
    first = document(made).result_of("boxes")
    assert first is not None
    assert member(made, "boxes").state == "fresh"
    made.warehouse.functions["not postponed"] = overtaken
    deliver(made, "schedule", 1, 2, 3)
    assert document(made).inputs["load"].generation == 2
    again = document(made).result_of("boxes")
    assert again is not None
    assert again.built_from == first.built_from
    assert member(made, "boxes").state == "unreported", "its owner is to report again"
