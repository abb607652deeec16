"""Windows that reach to the first date of the season, from the plan to what is built of them."""

from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from phasegate import CalendarDay, Pipeline, connect, parse_run
from phasegate.base.keys import Run
from phasegate.errors import BadInput
from phasegate.plan.gate import Gate, Need, season_start
from phasegate.plan.load import load_plan
from phasegate.plan.model import Plan
from tests.support.commands import StillClock
from tests.support.good_plans import TIMED, TIMED_FILES

NEW_YORK = ZoneInfo("America/New_York")
WINDOW = '{ step = "team_game", back = "20d" }'
SEASON = TIMED.replace(WINDOW, '{ step = "team_game", back = "season" }')
EVENING = 1_770_180_000.0


def load(text: str = SEASON) -> Plan:
    return load_plan(text, files=TIMED_FILES.__getitem__)


def noon(day: str) -> float:
    return datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=NEW_YORK).timestamp()


def gate_of(plan: Plan, day: str, **anchors: float) -> Gate:
    given = {"last_game_end": EVENING} | anchors
    return plan.gate("analytics", run=Run(day, "overnight"), opened_at=0.0, anchors=given)


def windows_of(gate: Gate) -> list[str]:
    return [str(need) for spec in gate.members.values() for need in spec.needs if need.back]


def test_a_run_pins_the_days_from_the_season_s_first_date_that_its_calendar_gives() -> None:
    plan = load()
    assert [str(need) for need in plan.steps["player_game"].needs if need.back] == ["analytics.team_game@season"]
    one = gate_of(plan, "2020-08-14", season_start=noon("2019-10-22"))
    assert windows_of(one) == ["analytics.team_game@297d"]
    other = gate_of(plan, "2019-11-01", season_start=noon("2019-10-22"))
    assert windows_of(other) == ["analytics.team_game@10d"]
    assert one.hash == other.hash  # one plan has one hash on every date
    assert one.hash != gate_of(load(TIMED), "2020-08-14").hash


def test_on_the_season_s_first_date_the_window_is_the_day_before() -> None:
    assert windows_of(gate_of(load(), "2019-10-22", season_start=noon("2019-10-22"))) == ["analytics.team_game@1d"]


@pytest.mark.parametrize(
    ("anchors", "error"),
    [
        ({}, r"2020-02-01: the calendar gives no season_start \(it gives last_game_end\); it must, because the plan"),
        ({"season_start": noon("2020-02-02")}, "2020-02-01: the calendar gives 2020-02-02 as season_start"),
        ({"season_start": noon("2018-12-27")}, "2018-12-27 as season_start, and a window reaches at most 400 days"),
    ],
)
def test_a_run_is_refused_while_the_calendar_does_not_say_when_its_season_began(
    anchors: dict[str, float], error: str
) -> None:
    with pytest.raises(BadInput, match=error):
        gate_of(load(), "2020-02-01", **anchors)


def test_a_plan_that_has_no_calendar_to_ask_is_refused() -> None:
    def refused(old: str, new: str, error: str) -> None:
        with pytest.raises(BadInput, match=error):
            load_plan(PLAN.replace(old, new), files={"total.sql": TOTAL_SQL}.__getitem__)

    refused('calendar = "made:dates"\n', "", "begins at the season_start of a calendar, and this plan has none; write")
    any_date = 'modes.daily = { expect = "*", any_date = true }'
    refused('modes.daily = { expect = "*" }', any_date, 'mode "daily" of "out" has any_date; write a number of days')


def test_its_first_date_is_that_of_the_window_that_was_read() -> None:
    needs = (Need("a", "x"), Need("a", "x", 401), Need("a", "y", 7))
    inputs = ["a.x", "a.x@12d", "a.y@7d"]
    assert season_start(needs, inputs=inputs, date="2026-02-13") == "2026-02-01"
    assert season_start(needs[:1], inputs=inputs, date="2026-02-13") is None


PLAN = """
pipeline = "shop"
timezone = "America/New_York"
calendar = "made:dates"
cascade_days = 2

[phase.raw]
modes.daily = { expect = "*" }
[phase.out]
after = "raw"
modes.daily = { expect = "*" }

[step.box]
phase = "raw"
external = true
table = "raw.box"
key = ["day", "id"]
partition = "day"
write = "replace"
columns = { day = "DATE", id = "INTEGER", amount = "INTEGER" }

[step.total]
phase = "out"
needs = ["raw.box", { step = "raw.box", back = "season" }]
sql = "total.sql"
table = "out.total"
key = ["day"]
partition = "day"

[step.python_total]
phase = "out"
needs = ["raw.box", { step = "raw.box", back = "season" }]
python = "tests.support.season_steps:total"
table = "out.python_total"
key = ["day"]
partition = "day"
columns = { day = "DATE", amount = "INTEGER" }
"""
TOTAL_SQL = """
SELECT CAST($run_date AS DATE) AS day, CAST($season_start AS DATE) AS since, sum(amount) AS amount
FROM raw.box WHERE day >= CAST($season_start AS DATE) AND day <= CAST($run_date AS DATE)
"""
OLD, FIRST = date(2025, 6, 20), date(2025, 10, 21)


def dates(first: date, last: date) -> Iterator[CalendarDay]:
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        start = FIRST if day >= FIRST else date(2024, 10, 22)
        yield CalendarDay(date=day.isoformat(), state="work", anchors={"season_start": noon(start.isoformat())})


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Pipeline]:
    path, clock = tmp_path / "plan.toml", StillClock()
    path.write_text(PLAN)
    (tmp_path / "total.sql").write_text(TOTAL_SQL)
    clock.at = noon("2026-10-01")  # no date is waited for any more
    with closing(connect(path, clock=clock, dates=dates, state=tmp_path / "state")) as made:
        yield made


def bring(shop: Pipeline, day: date, amount: int) -> None:
    with shop.begin(f"{day}.daily", step="box") as run:
        run.write([{"day": day, "id": 1, "amount": amount}])
        run.complete()
    shop.work_until_idle()


def test_what_is_built_holds_the_season_and_nothing_before_it(shop: Pipeline) -> None:
    later = FIRST + timedelta(days=297)
    for day, amount in ((OLD, 1), (FIRST, 10), (FIRST + timedelta(days=1), 100), (later, 1000)):
        bring(shop, day, amount)
    rows = shop.query("SELECT day, since, amount FROM out.total ORDER BY day")
    assert [(row["day"], str(row["since"]), row["amount"]) for row in rows] == [
        (OLD, "2024-10-22", 1),
        (FIRST, "2025-10-20", 10),
        (FIRST + timedelta(days=1), "2025-10-21", 110),
        (later, "2025-10-21", 1110),
    ]
    python = shop.query("SELECT amount FROM out.python_total ORDER BY day")
    assert [row["amount"] for row in python] == [0, 0, 10, 110]


def test_a_corrected_date_reaches_the_later_runs_of_its_season_only(shop: Pipeline) -> None:
    near, far = FIRST + timedelta(days=1), FIRST + timedelta(days=297)
    for day, amount in ((OLD, 1), (FIRST, 10), (near, 100), (far, 1000)):
        bring(shop, day, amount)
    bring(shop, OLD, 2)
    bring(shop, FIRST, 20)
    amounts = [row["amount"] for row in shop.query("SELECT amount FROM out.total ORDER BY day")]
    assert amounts == [2, 20, 120, 1110]  # within cascade_days it is rebuilt, further away it has drifted
    drifted = {day: shop.runs.read("out", parse_run(f"{day}.daily")) for day in (FIRST, near, far)}
    assert {day: [w.drifted for w in phase.windows.values()] for day, phase in drifted.items() if phase} == {
        FIRST: [()], near: [()], far: [(FIRST.isoformat(),)],
    }  # fmt: skip


def test_a_date_that_was_answered_before_the_plan_had_such_a_window_is_asked_for_again(tmp_path: Path) -> None:
    path, clock = tmp_path / "plan.toml", StillClock()
    (tmp_path / "total.sql").write_text(TOTAL_SQL)
    clock.at = noon("2026-10-01")

    def old(first: date, last: date) -> Iterator[CalendarDay]:
        return (CalendarDay(date=day.date, state="work") for day in dates(first, last))

    path.write_text(PLAN.replace('back = "season"', 'back = "20d"'))
    with closing(connect(path, clock=clock, dates=old, state=tmp_path / "state")) as shop:
        shop.calendar.refresh("2025-10")
    path.write_text(PLAN)
    for source, clock.at in ((old, noon("2026-10-02")), (dates, noon("2026-10-03"))):
        with closing(connect(path, clock=clock, dates=source, state=tmp_path / "state")) as shop:
            run = parse_run(f"{FIRST}.daily")
            if source is old:
                with pytest.raises(BadInput, match="the calendar gives no season_start"):
                    shop.runs.open("out", run)
            else:
                shop.runs.open("out", run)
                opened = shop.runs.read("out", run)
                assert opened is not None
                assert windows_of(opened.gate) == ["raw.box@1d", "raw.box@1d"]
