"""Real dates with every fault at once and two workers, mended by what the findings name. Needs the real data.

`benchmarks disturbed` plays a fortnight of it, and says what it asserts of the counts.
"""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from benchmarks.disturbed import Found, disturbed
from benchmarks.rebuilt import Result, Write, builds, contents, stale
from nba_props import PLAN
from nba_props.sources.parquet import ParquetSource
from phasegate import read_plan

pytestmark = pytest.mark.slow

FIRST, LAST = date(2024, 12, 2), date(2024, 12, 5)
FAULTS = "duplicate=3,reorder,late=0.2,late_dates=0.3,late_days=3,crash=0.02,concurrent=2,seed=3"
DAY, NEXT = "2024-12-02", "2024-12-03"


@pytest.fixture(scope="module")
def found(nba_data: Path) -> Found:
    return disturbed(ParquetSource(nba_data), first=FIRST, last=LAST, faults=FAULTS)


def test_after_the_backfill_that_the_findings_name_all_digests_are_those_of_calm_dates(found: Found) -> None:
    assert found.late == [FIRST]
    assert found.before.crashes > 20
    assert found.before.tables != found.calm.tables
    assert found.after.tables == found.calm.tables
    assert len(found.calm.tables) == 14
    assert (found.after.unsettled, found.after.dead_letters) == ((), 0)


def test_what_the_findings_name_is_what_is_out_of_date_and_no_more(found: Found) -> None:
    phases = {name: step.phase for name, step in read_plan(PLAN).steps.items()}
    assert found.codes == {"PG013"}
    assert {(phase, run[:10]) for phase, run in found.named} == {(phases[step], day) for step, day in found.owed}
    assert {run for _, run in found.named} == {f"{LAST}.overnight", f"{LAST}.same_day"}
    assert found.commands == [
        f"phasegate backfill --from {LAST} --to {LAST} --mode {mode} --cascade" for mode in ("overnight", "same_day")
    ]


def test_the_backfill_builds_each_result_whose_inputs_changed_once_and_nothing_else(found: Found) -> None:
    assert set(found.filled) == found.needed
    assert set(found.filled.values()) == {1}
    assert {day for _, day in found.needed} == {str(LAST)}
    assert len(found.needed) == 7


def test_what_is_near_enough_is_built_again_by_itself_and_nothing_of_the_same_inputs(found: Found) -> None:
    assert found.again | found.owed == found.due
    assert not found.again & found.owed
    by_day = {day: sum(one.day == day for one in found.again) for day in sorted({one.day for one in found.again})}
    assert by_day == {"2024-12-03": 7, "2024-12-04": 7}, "forecasts of two dates; summaries waited for the whole date"
    assert len(found.idle) <= 1


def test_a_late_batch_that_is_the_same_again_builds_and_fires_nothing(found: Found) -> None:
    assert (found.repeated, found.fired) == ([], set())


def test_each_thing_that_is_wrong_is_a_problem(found: Found) -> None:
    one, other = sorted(found.owed)[:2]
    table, *_ = tables = found.after.tables
    wrong: dict[str, Found] = {
        f"{table}: (0, 'x')": replace(found, after=replace(found.after, tables={**tables, table: (0, "x")})),
        "raw is open": replace(found, after=replace(found.after, unsettled=("raw is open",))),
        "1 dead letter(s)": replace(found, after=replace(found.after, dead_letters=1)),
        f"not built again by itself, and should be: {one}": replace(found, owed=found.owed - {one}),
        f"built by the backfill, and need not be: {one}": replace(found, needed=found.needed - {one}),
        f"not built by the backfill, and should be: {one}": replace(found, filled={other: 1}, needed={one, other}),
        f"the backfill built 2 times: {one}": replace(found, filled={**found.filled, one: 2}),
        f"built of what it was made of already: {one}": replace(found, idle=[one, other]),
        f"built of an identical batch: {one}": replace(found, repeated=[one]),
        "reconcile finds PG001": replace(found, codes={"PG001", "PG013"}),
        "an identical batch fired analytics": replace(found, fired={"analytics"}),
    }  # fmt: skip
    assert list(found.problems(known=found.counts())) == []
    for problem, changed in wrong.items():
        assert [said for said in changed.problems(known={}) if said.startswith(problem)], problem
    assert list(found.problems(known={"late dates": 2})) == ["late dates: 1, known to be 2"]


def test_a_result_is_stale_when_what_it_is_made_of_has_changed_and_a_build_of_the_same_is_idle() -> None:
    plan = read_plan(PLAN)
    box, offense = Result("nbac_gamebook_player_stats", DAY), Result("team_offense_game_summary", DAY)
    schedule, context = Result("nbac_schedule", NEXT), Result("upcoming_team_game_context", NEXT)
    first = [Write(box, "9-a"), Write(offense, "2-a"), Write(schedule, "4-a"), Write(context, "8-a")]

    def judged(*later: Write) -> tuple[set[Result], list[Result]]:
        written = [*first, *later]
        done = builds(plan, written)
        return stale(plan, done.last, held=contents(written)), done.idle

    assert judged() == (set(), [])
    assert judged(Write(box, "9-a")) == (set(), [])
    assert judged(Write(box, "9-b")) == ({offense}, [])
    assert judged(Write(box, "9-b"), Write(offense, "2-a")) == (set(), []), "the same content: early cut-off"
    assert judged(Write(box, "9-b"), Write(offense, "2-b")) == ({context}, [])
    assert judged(Write(box, "9-b"), Write(offense, "2-b"), Write(context, "8-a")) == (set(), [])
    assert judged(Write(offense, "2-a")) == (set(), [offense])
    assert judged(Write(Result("team_offense_game_summary", NEXT), "2-a")) == (set(), []), "no date of its window"
    assert judged(Write(Result("team_defense_game_summary", DAY), "0-e")) == (set(), []), "no rows: as if not there"
