"""The checks of a write on counts and stamps, and the reasons that it gives."""

from decimal import Decimal

import pytest

from phasegate.base.keys import Run
from phasegate.base.receipt import ABSENT, Fence, Part, Staged, Stamp
from phasegate.base.table import Dependency, Disagreement, Table
from phasegate.errors import BadInput, Fenced, ForeignStore, PhasegateError
from phasegate.plan.model import Step, Total
from phasegate.warehouse import Shrunk
from phasegate.write.preconditions import (
    VALUES_MAX,
    changed_inputs,
    check_staged,
    disagreeing,
    disagreement_text,
    refusal,
    shrunk,
    unequal_sums,
    write_command,
    written_since,
)
from tests.support.pipelines import DAY, shop

PART, RUN = Part("raw.orders", DAY), Run(DAY, "daily")
ONE, SAME, OTHER = Stamp("1-a", 1), Stamp("1-a", 2), Stamp("1-b", 3)


@pytest.fixture
def step() -> Step:
    return shop().pipeline.plan.steps["orders"]


@pytest.fixture
def table(step: Step) -> Table:
    assert step.table is not None
    return step.table


def test_an_input_changes_by_its_content_and_not_by_being_written_again() -> None:
    assert changed_inputs({"b": ONE, "a": ONE}, {"a": SAME, "b": SAME}) == ()
    assert changed_inputs({"b": ONE, "c": ONE, "a": ONE}, {"a": OTHER, "c": ONE}) == ("a", "b")
    assert changed_inputs({"a": ABSENT, "b": ABSENT, "c": ABSENT}, {"a": Stamp("0-x", 1), "b": ONE}) == ("b",)
    assert changed_inputs({"a": ONE}, {"a": Stamp("0-x", 1)}) == ("a",)


def test_what_a_step_read_is_written_since_when_its_token_differs() -> None:
    assert written_since({"b": ONE, "a": ONE}, {"a": ONE, "b": ONE}) == ()
    assert written_since({"b": ONE, "a": ONE, "c": ABSENT}, {"a": SAME}) == ("a", "b")


def test_a_write_that_changed_no_fence_says_why() -> None:
    def refused(fence: Fence | None) -> PhasegateError:
        return refusal(PART, fence=fence, token=2, store_id="ours")

    assert str(refused(None)) == (
        f"raw.orders/{DAY} has no fence row; it is created before a write: run the step again"
    )
    theirs, newer, unknown = (refused(fence) for fence in (Fence(3, "theirs"), Fence(3, "ours"), Fence(2, "ours", "x")))
    assert isinstance(theirs, ForeignStore)
    assert f"raw.orders/{DAY} is fenced by store theirs, this is store ours" in str(theirs)
    assert isinstance(newer, Fenced)
    assert (newer.resource, newer.token, newer.newest) == (f"raw.orders/{DAY}", 2, 3)
    assert isinstance(unknown, ForeignStore)
    assert "was written by a copy of this store" in str(unknown)


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"outside": 2}, f"2 of 9 rows have another day than {DAY}: select the run's own rows only"),
        ({"null_keys": 1}, r"1 of 9 rows have no value in the key \(day, id\): filter or repair them"),
        ({"null_versions": 1}, "1 of 9 rows have no None: every row of a merge needs its version"),
        ({"future_versions": 3}, "3 of 9 rows have a None more than an hour ahead"),
        ({"not_finite": 1}, "1 of 9 rows hold NaN or infinity: write NULL instead"),
    ],
)
def test_rows_that_must_not_be_written_are_counted(table: Table, counts: dict[str, int], text: str) -> None:
    with pytest.raises(BadInput, match=f"raw.orders/{DAY}: {text}"):
        check_staged(Staged(rows=9, **counts), table=table, part=PART)


def test_rows_that_may_be_written_are_not_refused(table: Table) -> None:
    check_staged(Staged(rows=9, duplicates=2, undecided=1), table=table, part=PART)


def test_a_key_with_several_values_is_named_with_what_to_write_again(step: Step) -> None:
    rule = Dependency(("day", "id"), "amount")
    here = Disagreement(key=("d", "7"), values=("1", "2"), partitions=(DAY,))
    there = Disagreement(key=("d", "7"), values=("1", "2"), partitions=("2026-02-01", DAY, "2026-02-04"))
    assert "day d, id 7 has amount 1 and 2, which the plan excludes" in str(
        disagreeing(rule, [here], step=step, run=RUN)
    )
    assert str(disagreeing(rule, [here], step=step, run=RUN)).endswith("; correct its rows, and write them again")
    text = str(disagreeing(rule, [there, here, here], step=step, run=RUN))
    assert "1 and 2 (and 2 more), which" in text
    assert f"if {DAY} is right, write 2026-02-01 and 2026-02-04 again without it, then this date again: " in text
    assert text.endswith(f"phasegate begin 2026-02-01.daily --step {step.name} -- COMMAND")
    many = Disagreement(key=("d", "7"), values=tuple("123456"), partitions=())
    assert disagreement_text(rule, many).endswith(" and ".join("123456"[:VALUES_MAX]))


def test_each_kind_of_step_is_written_again_by_its_own_command(step: Step) -> None:
    built = shop().pipeline.plan.steps["totals"]
    assert write_command(step, RUN) == f"phasegate begin {RUN} --step orders -- COMMAND"
    assert write_command(built, RUN) == f"phasegate backfill --from {DAY} --to {DAY}"
    assert write_command(built, RUN, last="2026-02-05") == f"phasegate backfill --from {DAY} --to 2026-02-05"


def test_sums_that_differ_are_named_with_both_values() -> None:
    total = Total(column="pts", by=("team", "half"), step="raw.teams", other="points")
    first, second = (DAY, "BOS", "1"), (DAY, "NYK", "2")
    text = str(unequal_sums(total, ours={first: Decimal(3), second: Decimal(5)},
                            theirs={first: Decimal(4), second: Decimal(5)}, part=PART))  # fmt: skip
    assert text.startswith(f"raw.orders/{DAY}: the pts of team BOS, half 1 are 3, and 4 in raw.teams.points, which")
    text = str(unequal_sums(total, ours={first: Decimal(3), second: Decimal(5)},
                            theirs={first: Decimal(4), second: Decimal(6)}, part=PART))  # fmt: skip
    assert "(and 1 more)" in text


def test_a_partition_that_would_shrink_names_the_rows_the_bound_and_the_command(step: Step) -> None:
    text = str(shrunk(Shrunk(rows=1, present=9), step=step, run=RUN))
    assert f"raw.orders/{DAY} would shrink from 9 to 1 row, more than" in text
    assert text.endswith(f"run: phasegate redrive {RUN} --step orders --force")
