from datetime import UTC, datetime

import pytest

from phasegate.base.keys import Run
from phasegate.plan.load import load_plan
from phasegate.plan.model import TimeRule

NEW_YORK = "America/New_York"
PLAN = """\
pipeline = "a"
timezone = "America/New_York"
[phase.p]
modes.daily = {{ expect = "*", deadline = "{}" }}
[step.s]
phase = "p"
external = true
"""


def at(text: str, *, day: str, opened_at: float = 0.0) -> str:
    """Return the deadline of a run as UTC, read through the whole plan."""
    gate = load_plan(PLAN.format(text)).gate("p", run=Run(day, "daily"), opened_at=opened_at)
    assert gate.deadline is not None
    return datetime.fromtimestamp(gate.deadline, UTC).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("text", "day", "utc"),
    [
        ("10:00", "2026-02-03", "2026-02-03 15:00"),  # winter: UTC - 5 h
        ("10:00", "2026-07-03", "2026-07-03 14:00"),  # summer: UTC - 4 h
        ("10:00 +1d", "2026-02-03", "2026-02-04 15:00"),
        ("23:59+0d", "2026-02-28", "2026-03-01 04:59"),
        ("00:00 +1d", "2026-12-31", "2027-01-01 05:00"),
        ("22:00 -1d", "2026-03-01", "2026-03-01 03:00"),  # in the evening before
        ("10:00 - 1d", "2026-03-08", "2026-03-07 15:00"),
        ("06:00 +1d", "2026-03-07", "2026-03-08 10:00"),  # the clocks moved in the night before
        ("06:00 +1d", "2026-10-31", "2026-11-01 11:00"),
        ("02:30", "2026-03-08", "2026-03-08 07:30"),  # does not exist: moves forward, to 03:30
        ("02:00", "2026-03-08", "2026-03-08 07:00"),  # the first that does not exist
        ("01:59", "2026-03-08", "2026-03-08 06:59"),
        ("03:00", "2026-03-08", "2026-03-08 07:00"),
        ("01:30", "2026-11-01", "2026-11-01 06:30"),  # happens twice: the later
        ("00:59", "2026-11-01", "2026-11-01 04:59"),
        ("02:00", "2026-11-01", "2026-11-01 07:00"),
    ],
)
def test_a_local_deadline_is_of_the_pipelines_zone_and_the_runs_date(text: str, day: str, utc: str) -> None:
    assert at(text, day=day) == utc


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("open + 8h", "2026-03-08 13:00"),  # hours that pass, whatever the clocks on the wall do
        ("open+90m", "2026-03-08 06:30"),
        ("open + 1.5h", "2026-03-08 06:30"),
        ("open + 2d", "2026-03-10 05:00"),
    ],
)
def test_a_deadline_after_opening_counts_time_that_passes(text: str, utc: str) -> None:
    midnight = datetime(2026, 3, 8, 5, 0, tzinfo=UTC).timestamp()
    assert at(text, day="2026-03-08", opened_at=midnight) == utc


def test_a_later_run_never_has_an_earlier_deadline() -> None:
    deadline = TimeRule(local="01:30", days=1)
    days = [f"2026-{month:02}-{day:02}" for month in (3, 11) for day in range(1, 29)]
    moments = [deadline.at(Run(day, "daily"), timezone=NEW_YORK, opened_at=0.0) for day in days]
    assert moments == sorted(moments)
