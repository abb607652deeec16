"""What a Python step may read: the run, and attested rows."""

from collections.abc import Mapping

import pytest

from phasegate.base.keys import Run
from phasegate.base.receipt import ABSENT
from phasegate.errors import LeaseLost
from phasegate.warehouses.memory.warehouse import MemoryWarehouse
from phasegate.write.reading import Reading
from tests.support.pipelines import DAY, Shop, load, shop

OF_DAY, OF_SEASON, PLAIN = "rows of $run_date", "rows from $season_start to $run_date", "rows"


class Kept:
    """A warehouse's function that remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[Mapping[str, object]] = []

    def __call__(self, read: object, params: Mapping[str, object]) -> list[dict[str, object]]:
        del read
        self.given.append(params)
        return [{"n": len(self.given)}]


def made_with(kept: Kept) -> Shop:
    return shop(warehouse=MemoryWarehouse(functions=dict.fromkeys((OF_DAY, OF_SEASON, PLAIN), kept)))


def reading(made: Shop, *, lost: bool = False) -> Reading:
    def check() -> None:
        if lost:
            raise LeaseLost("lease:main:out.totals", 1)

    return Reading(made.pipeline.plan, made.warehouse, asked={"load.orders": ABSENT}, run=Run(DAY, "daily"),
                   check=check, params={"run_date": DAY, "season_start": "2025-10-01"})  # fmt: skip


def test_a_read_binds_the_parameters_that_its_select_uses_and_those_that_are_given() -> None:
    kept = Kept()
    run = reading(made_with(kept))
    assert [run.read(sql) for sql in (PLAIN, OF_DAY, OF_SEASON)] == [[{"n": 1}], [{"n": 2}], [{"n": 3}]]
    run.read(OF_DAY, {"run_date": "2026-02-01", "team": 7})
    run.read(PLAIN, {"team": 7})
    day, season = {"run_date": DAY}, {"season_start": "2025-10-01"}
    assert kept.given == [{}, day, {**day, **season}, {"run_date": "2026-02-01", "team": 7}, {"team": 7}]


def test_a_reading_names_its_run_and_the_stamps_from_before_its_first_read() -> None:
    made = made_with(Kept())
    first = reading(made)
    assert (first.date, first.mode) == (DAY, "daily")
    assert first.before["load.orders"].token == 0
    load(made, 1, 2)
    assert first.before["load.orders"].token == 0
    assert reading(made).before["load.orders"].token == 1


def test_nothing_is_read_once_the_lease_is_lost() -> None:
    kept = Kept()
    run = reading(made_with(kept), lost=True)
    with pytest.raises(LeaseLost):
        run.read(PLAIN)
    assert kept.given == []
