"""The reference plan through the hours of real days: the evening before, a dead scraper, a date without work.

Needs the real data. The clock is set by hand to hours of December 2024, and workers look every hour.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from nba_props import PLAN
from nba_props.calendar import days
from nba_props.raw import RawRow
from nba_props.replay.scrapers import GAMEBOOK
from nba_props.sources.parquet import ParquetSource
from phasegate import CalendarDay, PhaseView, Pipeline, connect, parse_run, read_plan
from phasegate.base.keys import Run
from phasegate.plan.model import TimeRule
from tests.support.commands import StillClock

pytestmark = pytest.mark.slow

SCHEDULE, ODDS, SHOTS = "nbac_schedule", "odds_api_player_points_props", "nbac_shot_chart"
BEFORE, NIGHT, NEXT = date(2024, 12, 5), date(2024, 12, 6), date(2024, 12, 7)
FEATURES = "nba_precompute.ml_feature_store_v2"


def eastern(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York")).timestamp()


class Days:
    """A pipeline on real dates, whose scrapers come when a test says so."""

    def __init__(self, source: ParquetSource, *, state: Path, at: str) -> None:
        self.source, self.clock = source, StillClock()
        self.clock.at = eastern(at)
        self.pipeline: Pipeline = connect(read_plan(PLAN), clock=self.clock, dates=partial(days, source), state=state)

    def until(self, text: str, *, step_s: float = 3600.0) -> None:
        """Let time pass, with a worker that looks every hour."""
        while self.clock.at < eastern(text):
            self.clock.at = min(self.clock.at + step_s, eastern(text))
            self.pipeline.sweep()
            self.pipeline.work_until_idle()

    def scrape(self, day: date, mode: str, *steps: str) -> None:
        fetch: dict[str, Callable[[], list[RawRow]]] = {
            SCHEDULE: lambda: self.source.schedule(day, day), ODDS: lambda: self.source.props(day),
            SHOTS: lambda: self.source.shots(day), GAMEBOOK: lambda: self.source.batch(day),
        }  # fmt: skip
        for step in steps:
            with self.pipeline.begin(f"{day}.{mode}", step=step) as run:
                run.write(fetch[step]())
                run.complete()
        self.pipeline.work_until_idle()

    def view(self, day: date, mode: str, *, phase: str) -> PhaseView | None:
        known = self.pipeline.views.phases(first=str(day), last=str(day))
        views = [view for view in known if (view.phase, view.run) == (phase, f"{day}.{mode}")]
        return views[0] if views else None

    def state(self, day: date, mode: str, *, phase: str) -> str:
        view = self.view(day, mode, phase=phase)
        return "absent" if view is None else view.state

    def features(self, day: date) -> list[dict[str, object]]:
        sql = f"SELECT * FROM {FEATURES} WHERE game_date = CAST($day AS DATE) ORDER BY player_lookup"
        return list(self.pipeline.query(sql, {"day": str(day)}))


Open = Callable[[str], Days]


@pytest.fixture
def opened(nba_data: Path, tmp_path: Path) -> Iterator[Open]:
    made: list[Days] = []

    def open_(at: str) -> Days:
        made.append(Days(ParquetSource(nba_data), state=tmp_path, at=at))
        return made[-1]

    yield open_
    for one in made:
        one.pipeline.close()


def overnight(days: Days, day: date) -> None:
    days.scrape(day, "overnight", SCHEDULE, ODDS, SHOTS, GAMEBOOK)


def test_tomorrows_features_are_there_this_evening_and_again_when_tonights_games_are_over(opened: Open) -> None:
    days = opened("2024-12-06T02:00")
    overnight(days, BEFORE)
    days.until("2024-12-06T18:30")
    days.scrape(NEXT, "tomorrow", SCHEDULE, ODDS)
    days.until("2024-12-06T19:00")
    assert days.state(NIGHT, "overnight", phase="raw") == "absent", "tonight's games have not begun"
    assert days.state(NEXT, "tomorrow", phase="precompute") == "complete"
    evening = days.features(NEXT)
    assert evening
    days.until("2024-12-07T01:30")
    overnight(days, NIGHT)
    days.until("2024-12-07T02:00")
    view = days.view(NEXT, "tomorrow", phase="precompute")
    assert view is not None
    assert (view.state, view.generation) == ("complete", 2)
    night = days.features(NEXT)
    assert night != evening
    played_tonight = {str(row["player_lookup"]) for row in days.source.batch(NIGHT)}
    assert {str(row["player_lookup"]) for row in night} > {str(row["player_lookup"]) for row in evening}
    assert {str(row["player_lookup"]) for row in night} & played_tonight


def test_same_day_waits_for_a_night_that_is_still_to_come_in(opened: Open) -> None:
    days = opened("2024-12-07T02:00")
    overnight(days, BEFORE)
    days.until("2024-12-07T02:30")
    days.scrape(NEXT, "same_day", SCHEDULE, ODDS)
    assert days.state(NEXT, "same_day", phase="analytics") == "waiting"
    overnight(days, NIGHT)
    days.until("2024-12-07T03:00")
    assert days.state(NEXT, "same_day", phase="precompute") == "complete"


@pytest.mark.parametrize(
    ("mode", "morning", "over"), [("tomorrow", "2024-12-05T17:00", "2024-12-05T23:30"),
                                  ("same_day", "2024-12-06T09:00", "2024-12-06T19:00"),
                                  ("overnight", "2024-12-06T23:00", "2024-12-07T08:00")])  # fmt: skip
def test_scrapers_that_are_dead_leave_a_run_that_is_open_overdue_and_found(
    mode: str, morning: str, over: str, opened: Open
) -> None:
    days = opened(morning)
    days.pipeline.sweep()
    days.until(over)
    view = days.view(NIGHT, mode, phase="raw")
    assert view is not None
    assert (view.state, view.overdue) == ("waiting", True)
    assert SCHEDULE in view.missing
    found = [f.subject for outcome in days.pipeline.checks.health.evaluate(str(NIGHT)) for f in outcome.findings]
    assert f"raw of {NIGHT}.{mode}" in found
    never = {row.step for row in days.pipeline.views.lateness.rows(str(NIGHT), str(NIGHT))
             if row.run == f"{NIGHT}.{mode}" and row.verdict == "never"}  # fmt: skip
    assert SCHEDULE in never


def test_dead_odds_alone_do_not_keep_the_forecast_back_and_are_found(opened: Open) -> None:
    days = opened("2024-12-06T09:00")
    days.until("2024-12-06T10:30")
    days.scrape(NIGHT, "same_day", SCHEDULE)
    assert days.state(NIGHT, "same_day", phase="raw") == "waiting"
    days.until("2024-12-06T18:30")
    view = days.view(NIGHT, "same_day", phase="raw")
    assert view is not None
    assert (view.state, view.missing) == ("degraded", (ODDS,))
    assert days.state(NIGHT, "same_day", phase="precompute") != "absent"


def test_on_no_real_date_is_a_run_past_its_deadline_when_the_clock_opens_it(nba_data: Path) -> None:
    """The earliest games begin at noon, as on Christmas; of 178 dates no tip-off is known."""
    plan, source = read_plan(PLAN), ParquetSource(nba_data)
    known = [day for day in days(source, date(2022, 10, 1), date(2025, 6, 1)) if day.state == "work"]
    assert len(known) == 487
    hours_left: dict[str, list[float]] = {}
    for day in known:
        for name, mode in plan.phases["raw"].modes.items():
            run = parse_run(f"{day.date}.{name}")

            def at(moment: TimeRule | None, run: Run = run, day: CalendarDay = day) -> float:
                assert moment is not None
                return moment.at(run, timezone=plan.timezone, opened_at=0.0, anchors=day.anchors)

            begins, ends = at(mode.start.at), at(mode.deadline)
            hours_left.setdefault(name, []).append((ends - begins) / 3600)
            for step in mode.expect:
                if wanted := plan.steps[step].expected_by.get(name):
                    assert begins <= at(wanted) < ends, f"{step} of {run}"
    assert {name: min(left) for name, left in hours_left.items()} == {
        "overnight": 6.0,
        "same_day": 1.0,
        "tomorrow": 3.0,
    }


def test_on_christmas_the_first_game_begins_at_noon_and_the_lines_of_the_morning_are_in_the_forecast(
    opened: Open,
) -> None:
    hours, on = opened("2024-12-25T09:00"), date(2024, 12, 25)
    hours.until("2024-12-25T10:20", step_s=600.0)
    assert hours.state(on, "same_day", phase="raw") == "waiting"
    found = [str(f) for outcome in hours.pipeline.checks.health.evaluate(str(on)) for f in outcome.findings]
    assert [text for text in found if "same_day" in text] == [], "twenty minutes after the clock opened the run"
    overnight(hours, date(2024, 12, 23))
    hours.scrape(on, "same_day", SCHEDULE)
    assert hours.state(on, "same_day", phase="raw") == "waiting"
    hours.scrape(on, "same_day", ODDS)
    view = hours.view(on, "same_day", phase="raw")
    assert view is not None
    assert (view.state, view.generation) == ("complete", 1)


def test_a_day_without_games_opens_nothing_and_nobody_is_told_of_anything(opened: Open) -> None:
    """24 December 2024: the league plays on the 23rd and the 25th."""
    days = opened("2024-12-23T09:00")
    on = date(2024, 12, 23)
    days.scrape(on, "same_day", SCHEDULE, ODDS)
    days.until("2024-12-24T02:00")
    overnight(days, on)
    days.until("2024-12-24T16:30")
    assert [view.run for view in days.pipeline.views.phases(first="2024-12-24", last="2024-12-24")] == []
    outcomes = days.pipeline.checks.health.evaluate("2024-12-24")
    assert [f for outcome in outcomes for f in outcome.findings if "2024-12-24" in f.subject] == []
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    taken = days.pipeline.alerts
    taken.take(outcomes, started=taken.start())
    assert [one for _, one in taken.listed() if "2024-12-24" in str(one)] == []
    rows = days.pipeline.views.lateness.rows("2024-12-24", "2024-12-24")
    assert {row.verdict for row in rows} == {"no work"}
