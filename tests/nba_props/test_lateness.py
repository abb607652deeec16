"""Lateness over real tip-offs, daylight saving included. Needs the real data."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pytest

from nba_props import PLAN
from nba_props.calendar import days
from nba_props.raw import RawRow
from nba_props.replay.scrapers import GAMEBOOK
from nba_props.sources.parquet import ParquetSource
from phasegate import BadInput, CalendarDay, Pipeline, connect, load_plan
from phasegate.explain.lateness import Lateness
from tests.support.commands import StillClock

HOUR, MINUTE = 3600.0, 60.0
EXPECTED = 'expected_by.overnight = "last_game_end + 2h"'
Morning = Callable[..., "Played"]


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


class Played:
    """The reference plan with the real schedule, on a clock that is set by hand."""

    def __init__(self, pipeline: Pipeline, source: ParquetSource, clock: StillClock) -> None:
        self.pipeline, self.source, self.clock = pipeline, source, clock

    def deliver(self, on: str, *, at: float, rows: list[RawRow] | None = None, error: str = "") -> None:
        """Have the scraper of the box scores come at a time, with what it found of a date."""
        self.clock.at = at
        with self.pipeline.begin(f"{on}.overnight", step=GAMEBOOK) as run:
            if error:
                run.fail(error)
            else:
                run.write(self.source.batch(date.fromisoformat(on)) if rows is None else rows)
                run.complete()

    def last_game_end(self, on: str) -> float:
        day = self.pipeline.calendar.day(on)
        assert day is not None
        return day.anchors["last_game_end"]

    def gamebook(self, on: str, *, at: float | None = None) -> Lateness:
        """Return what is said of the box scores of a date; ``at``: when it is asked, else now."""
        self.clock.at = self.clock.at if at is None else at
        self.pipeline.calendar.day(on)
        rows = self.pipeline.views.lateness.rows(on, on)
        [found] = [row for row in rows if row.step == GAMEBOOK and row.run == f"{on}.overnight"]
        return found


@pytest.fixture(scope="module")
def source(nba_data: Path) -> ParquetSource:
    return ParquetSource(nba_data)


@pytest.fixture
def morning(source: ParquetSource, nba_data: Path, tmp_path: Path) -> Iterator[Morning]:
    """Return a function that opens the reference plan.

    ``expected``: the line of the gamebook's expectation. ``team``: the schedule of this team alone.
    """
    opened: list[Pipeline] = []

    def connected(expected: str = EXPECTED, *, team: str | None = None) -> Played:
        text = PLAN.read_text()
        assert text.count(f"{EXPECTED}\n") == 1
        plan = load_plan(
            text.replace(f"{EXPECTED}\n", f"{expected}\n"), files=lambda name: (PLAN.parent / name).read_text()
        )
        clock = StillClock()
        schedule = source if team is None else OneTeam(nba_data, team)
        pipeline = connect(plan, clock=clock, dates=partial(days, schedule), state=tmp_path)
        opened.append(pipeline)
        return Played(pipeline, source, clock)

    yield connected
    for pipeline in opened:
        pipeline.close()


class OneTeam(ParquetSource):
    """The schedule of one team."""

    def __init__(self, folder: Path, team: str) -> None:
        super().__init__(folder)
        self._team = team

    def schedule(self, first: date, last: date) -> list[RawRow]:
        rows = super().schedule(first, last)
        return [row for row in rows if self._team in (row["team_a_abbr"], row["team_b_abbr"])]


# Date, when its last game ended (UTC) by the real tip-offs. The clocks of New York went back at 06:00 UTC on
# 3 November 2024 and forward at 07:00 UTC on 9 March 2025.
NIGHTS = [
    ("2024-11-02", "2024-11-03T05:00:00"),
    ("2024-11-03", "2024-11-04T03:00:00"),
    ("2025-03-08", "2025-03-09T04:00:00"),
    ("2025-03-09", "2025-03-10T04:00:00"),
    ("2025-01-03", "2025-01-04T06:00:00"),
]


@pytest.mark.parametrize(("on", "ended"), NIGHTS)
@pytest.mark.parametrize(
    ("after", "verdict", "minutes"),
    [(0, "on time", 0), (239, "on time", 239), (240, "on time", 240), (241, "late", 241), (480, "late", 480)],
)
def test_late_is_more_than_four_hours_after_two_hours_after_the_last_game(
    morning: Morning, *, on: str, ended: str, after: int, verdict: str, minutes: int
) -> None:
    played = morning()
    expected = utc(ended) + 2 * HOUR
    played.deliver(on, at=expected + after * MINUTE)
    row = played.gamebook(on)
    assert (row.verdict, row.expected_at, row.late_at) == (verdict, expected, expected + 4 * HOUR)
    assert row.late_s == minutes * MINUTE
    assert row.rows


@pytest.mark.parametrize(
    ("on", "expected", "at"),
    [
        ("2024-11-02", '"07:00 +1d"', "2024-11-03T12:00:00"),  # the clocks went back: 07:00 is an hour later
        ("2024-11-01", '"07:00 +1d"', "2024-11-02T11:00:00"),
        ("2025-03-08", '"07:00 +1d"', "2025-03-09T11:00:00"),  # they went forward: an hour earlier
        ("2025-03-07", '"07:00 +1d"', "2025-03-08T12:00:00"),
        ("2024-11-02", '"01:30 +1d"', "2024-11-03T06:30:00"),  # shown twice: the later
        ("2025-03-08", '"02:30 +1d"', "2025-03-09T07:30:00"),  # skipped: 03:30
        ("2025-03-08", '"01:30 +1d"\nexpected_zone = "America/Los_Angeles"', "2025-03-09T09:30:00"),
    ],
)
@pytest.mark.parametrize(("after", "verdict"), [(239, "on time"), (241, "late")])
def test_a_local_time_is_that_of_the_clock_on_the_wall(
    morning: Morning, *, on: str, expected: str, at: str, after: int, verdict: str
) -> None:
    played = morning(f"expected_by.overnight = {expected}")
    played.deliver(on, at=utc(at) + after * MINUTE)
    row = played.gamebook(on)
    assert (row.expected_at, row.verdict, row.late_s) == (utc(at), verdict, after * MINUTE)


def test_a_game_on_the_west_coast_that_ends_the_day_after_in_utc_belongs_to_its_own_evening(morning: Morning) -> None:
    played = morning()
    assert played.last_game_end("2025-01-03") == utc("2025-01-04T06:00:00")
    played.deliver("2025-01-03", at=utc("2025-01-04T11:59:00"))
    assert played.gamebook("2025-01-03").verdict == "on time"
    assert played.gamebook("2025-01-04", at=utc("2025-01-04T12:00:00")).verdict == "awaited"


def test_what_never_came_is_awaited_until_it_would_be_late_and_has_never_run_from_then_on(morning: Morning) -> None:
    played = morning()
    late = played.last_game_end("2025-01-03") + 6 * HOUR
    assert played.gamebook("2025-01-03", at=late).verdict == "awaited"
    row = played.gamebook("2025-01-03", at=late + 1)
    assert (row.verdict, row.reason) == ("never", "its run was never opened")
    command = "phasegate complete nbac_gamebook_player_stats --run 2025-01-03.overnight"
    assert row.command == f"deliver nbac_gamebook_player_stats of 2025-01-03, then: {command}"


def test_a_run_that_found_nothing_of_the_date_or_failed_does_not_count(morning: Morning) -> None:
    played = morning()
    ended = played.last_game_end("2025-01-03")
    played.deliver("2025-01-03", at=ended + HOUR, error="TimeoutError: no answer")
    row = played.gamebook("2025-01-03", at=ended + 7 * HOUR)
    assert (row.verdict, row.reason) == ("never", "the last try failed: TimeoutError: no answer")
    played.deliver("2025-01-03", at=ended + 8 * HOUR, rows=[])
    row = played.gamebook("2025-01-03")
    assert (row.verdict, row.reason) == ("never", "reported empty: no rows of this date")
    played.deliver("2025-01-03", at=ended + 9 * HOUR)
    assert played.gamebook("2025-01-03").late_s == 7 * HOUR


def test_a_scraper_that_finds_another_date_writes_nothing_and_does_not_count(morning: Morning) -> None:
    played = morning()
    ended = played.last_game_end("2025-01-03")
    wrong = played.source.batch(date(2025, 1, 2))
    with pytest.raises(BadInput, match="131 of 131 rows have another game_date than 2025-01-03"):
        played.deliver("2025-01-03", at=ended + HOUR, rows=wrong)
    assert played.gamebook("2025-01-03", at=ended + 7 * HOUR).verdict == "never"


def test_a_later_run_leaves_an_early_result_on_time_whether_or_not_it_changes_something(morning: Morning) -> None:
    played = morning()
    ended = played.last_game_end("2025-01-03")
    rows = played.source.batch(date(2025, 1, 3))
    for after, some in ((1, rows), (12, rows), (24, [{**row, "points": 1} for row in rows])):
        played.deliver("2025-01-03", at=ended + after * HOUR, rows=some)
        row = played.gamebook("2025-01-03")
        assert (row.verdict, row.arrived_at) == ("on time", ended + HOUR)
    assert played.gamebook("2025-01-03").last_at == ended + 24 * HOUR


def test_a_postponed_game_keeps_nobody_waiting(morning: Morning) -> None:
    # Charlotte at Los Angeles, 03:30 UTC, was put off for the fires; the last of the others began at 02:00
    played = morning()
    assert played.last_game_end("2025-01-09") == utc("2025-01-10T04:30:00")
    played.deliver("2025-01-09", at=utc("2025-01-10T10:31:00"))
    assert played.gamebook("2025-01-09").late_s == 4 * HOUR + MINUTE
    assert played.gamebook("2025-01-09").verdict == "late"


def test_a_date_whose_games_are_all_postponed_expects_nothing(morning: Morning) -> None:
    lakers = morning(team="LAL")
    row = lakers.gamebook("2025-01-09", at=utc("2025-01-11T12:00:00"))
    assert (row.verdict, row.reason) == ("void", "postponed: CHA at LAL (0022400524)")
    assert lakers.pipeline.views.lateness.evaluate("2025-01-09", "2025-01-09").verdict == "ok"


def test_the_all_star_break_expects_nothing(morning: Morning) -> None:
    played = morning()
    for day in range(14, 19):
        row = played.gamebook(f"2025-02-{day}", at=utc("2025-02-20T12:00:00"))
        assert row.verdict == "no work"
    assert played.pipeline.views.lateness.evaluate("2025-02-14", "2025-02-18").verdict == "ok"


def test_a_date_that_the_schedule_does_not_cover_is_not_evaluated(morning: Morning) -> None:
    played = morning()
    played.gamebook("2025-08-01", at=utc("2025-08-02T12:00:00"))
    found = played.pipeline.views.lateness.evaluate("2025-08-01", "2025-08-01")
    assert found.verdict == "not evaluated"
    assert "the calendar has no answer for 2025-08-01" in found.error


def test_a_dead_scraper_is_found_on_every_date_with_games_and_on_no_other(morning: Morning) -> None:
    played = morning('expected_by.overnight = "09:00 +1d"')
    first, last = "2025-02-10", "2025-02-21"
    played.gamebook(first, at=utc("2025-02-23T12:00:00"))
    findings = [f for f in played.pipeline.views.lateness.evaluate(first, last).findings if GAMEBOOK in f.subject]
    played_on = {str(day) for day in played.source.dates(date.fromisoformat(first), date.fromisoformat(last))}
    assert {finding.subject[:10] for finding in findings} == played_on
    assert {finding.code for finding in findings} == {"PG021"}
    assert {finding.cause for finding in findings} == {f"never raw.{GAMEBOOK}"}


def test_a_date_that_was_voided_by_hand_expects_nothing(morning: Morning) -> None:
    played = morning()
    played.clock.at = utc("2025-01-05T12:00:00")
    played.pipeline.put_dates([CalendarDay(date="2025-01-03", state="void", reason="snow")])
    assert played.gamebook("2025-01-03").verdict == "void"
