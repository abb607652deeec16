"""A date that comes before the one before it is done waits for it, by the real plan and schedule. Needs the real data.

25 and 26 October 2024: the first Friday and Saturday of a season, with ten teams that played on both.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pytest

from nba_props import PLAN
from nba_props.calendar import days
from nba_props.replay.scrapers import GAMEBOOK
from nba_props.replay.tally import Tally
from nba_props.sources.parquet import ParquetSource
from phasegate import Pipeline, connect, parse_run
from tests.support.commands import StillClock

pytestmark = pytest.mark.slow

FRIDAY, SATURDAY = "2024-10-25", "2024-10-26"
NIGHT = datetime(2024, 10, 26, 6, tzinfo=UTC).timestamp()
FRIDAY_ENDS = datetime(2024, 10, 26, 4, 30, tzinfo=UTC).timestamp()
DEADLINE = FRIDAY_ENDS + 8 * 3600.0
TEAMS = f"SELECT * FROM nba_analytics.upcoming_team_game_context WHERE game_date = DATE '{SATURDAY}'"
FORECASTS = ("upcoming_team_game_context", "upcoming_player_game_context", "player_daily_cache", "ml_feature_store_v2")
WINDOWS = {"analytics.team_offense_game_summary@4d", "analytics.team_defense_game_summary@4d",
           "analytics.player_game_summary@4d"}  # fmt: skip


class Shop:
    """The reference pipeline on the night between the two dates, by a clock that stands still."""

    def __init__(self, source: ParquetSource, state: Path) -> None:
        self.source, self.clock, self.tally = source, StillClock(), Tally()
        self.clock.at = NIGHT
        self.pipeline: Pipeline = connect(
            PLAN, clock=self.clock, observer=self.tally, dates=partial(days, source), state=state
        )
        # the forecast of the evening before waits for nothing: here nobody wants it
        self.pipeline.runs.void("raw", parse_run(f"{SATURDAY}.tomorrow"), reason="not wanted")

    def bring(self, on: str, mode: str) -> None:
        """Have the scrapers of a mode write what they found of a date, and the workers work."""
        day = date.fromisoformat(on)
        fetched = {"nbac_schedule": self.source.schedule(day, day),
                   "odds_api_player_points_props": self.source.props(day)}  # fmt: skip
        if mode == "overnight":
            fetched |= {"nbac_shot_chart": self.source.shots(day), GAMEBOOK: self.source.batch(day)}
        for step, rows in fetched.items():
            with self.pipeline.begin(f"{on}.{mode}", step=step) as run:
                run.write(rows)
                run.complete()
        self.work()

    def work(self, *, at: float | None = None) -> None:
        self.clock.at = self.clock.at if at is None else at
        self.pipeline.work_until_idle()

    def awaited(self) -> dict[str, dict[str, float]]:
        phase = self.pipeline.runs.read("analytics", parse_run(f"{SATURDAY}.same_day"))
        assert phase is not None
        return {name: window.awaited for name, window in phase.windows.items()}

    def why(self) -> dict[str, str]:
        """Return what each step of Saturday's analytics waits for, as `phasegate why` tells it."""
        views = self.pipeline.views.phases(first=SATURDAY, last=SATURDAY)
        [told] = [view for view in views if (view.phase, view.run) == ("analytics", f"{SATURDAY}.same_day")]
        return {member.name: member.reason for member in told.members}

    def builds(self) -> Mapping[str, int]:
        rows = self.pipeline.query(
            f"SELECT step, count(*) AS n FROM phasegate.receipts WHERE partition = '{SATURDAY}' GROUP BY 1"
        )
        return {str(row["step"]): int(str(row["n"])) for row in rows}

    def rested(self) -> dict[str, object]:
        return {str(row["team_abbr"]): row["days_rest"] for row in self.pipeline.query(TEAMS)}


@pytest.fixture(scope="module")
def source(nba_data: Path) -> ParquetSource:
    return ParquetSource(nba_data)


@pytest.fixture
def shop(source: ParquetSource, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(source, tmp_path)
    yield made
    made.pipeline.close()


@pytest.fixture
def twice(shop: Shop) -> set[str]:
    """Give the teams that played on both dates."""
    friday, saturday = ({str(row["team_abbr"]) for row in shop.source.batch(date.fromisoformat(on))}
                        for on in (FRIDAY, SATURDAY))  # fmt: skip
    return friday & saturday


def test_saturday_waits_for_a_friday_that_is_not_done_and_is_then_built_of_it_once(shop: Shop, twice: set[str]) -> None:
    shop.bring(SATURDAY, "same_day")
    # the dates before Friday are not there either: their deadlines are over
    assert shop.awaited() == {window: {FRIDAY: DEADLINE} for window in WINDOWS}
    assert not shop.builds().keys() & set(FORECASTS)
    assert shop.why() == {
        "upcoming_team_game_context": f"waits for analytics.team_offense_game_summary of {FRIDAY}, "
        f"analytics.team_defense_game_summary of {FRIDAY}",
        "upcoming_player_game_context": "waits for analytics.upcoming_team_game_context, "
        f"analytics.player_game_summary of {FRIDAY}",
    }
    shop.bring(FRIDAY, "overnight")
    assert shop.awaited() == {window: {} for window in WINDOWS}
    assert {step: shop.builds()[step] for step in FORECASTS} == dict.fromkeys(FORECASTS, 1)
    assert len(twice) == 10
    assert {team for team, days_ in shop.rested().items() if days_ == 1} == twice


def test_saturday_waits_no_longer_than_friday_s_deadline(shop: Shop) -> None:
    shop.bring(SATURDAY, "same_day")
    shop.work(at=DEADLINE - 60.0)
    assert not shop.builds().keys() & set(FORECASTS)
    shop.work(at=DEADLINE + 60.0)
    assert {step: shop.builds()[step] for step in FORECASTS} == dict.fromkeys(FORECASTS, 1)
    assert set(shop.rested().values()) == {None}
