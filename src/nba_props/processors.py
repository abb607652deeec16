"""The platform's five processors of phase 3, on `platform.toml`.

Each calculates by the SELECT of its step, which it stamps with the time of its processing: of two records of one key
the newest is stored. `build_with` gives them to a pipeline, which then builds a step when it is requested.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from nba_props.processor import AnalyticsProcessor, Record
from nba_props.sources import season_of_date
from phasegate import Pipeline

SQL = Path(__file__).with_name("sql")


class SelectProcessor(AnalyticsProcessor):
    """A processor whose records are the rows of its step's SELECT."""

    version_field = "processed_at"

    def calculate_analytics(self, game_date: str) -> Sequence[Record]:
        """Return the rows of the date, with the time of their processing."""
        text = (SQL / f"{self.step}.sql").read_text(encoding="utf-8")
        at = datetime.now(UTC)
        # no season begins before October, so its first date is not asked for
        begins = f"{season_of_date(date.fromisoformat(game_date))[:4]}-10-01"
        given = {name: value for name, value in {"run_date": game_date, "season_start": begins}.items()
                 if f"${name}" in text}  # fmt: skip
        return [{**_in_utc(row), self.version_field: at} for row in self.pipeline.query(text, given)]


class TeamOffenseGameSummaryProcessor(SelectProcessor):
    """What each team did."""

    step = "team_offense_game_summary"
    PRIMARY_KEY_FIELDS: ClassVar[Sequence[str]] = ("game_date", "team_abbr")


class TeamDefenseGameSummaryProcessor(SelectProcessor):
    """What each team allowed."""

    step = "team_defense_game_summary"
    PRIMARY_KEY_FIELDS: ClassVar[Sequence[str]] = ("game_date", "defending_team_abbr")


class PlayerGameSummaryProcessor(SelectProcessor):
    """What each player did: the table of the night."""

    step = "player_game_summary"
    PRIMARY_KEY_FIELDS: ClassVar[Sequence[str]] = ("game_date", "player_lookup")


class UpcomingTeamGameContextProcessor(SelectProcessor):
    """The past of each team before its game."""

    step = "upcoming_team_game_context"
    PRIMARY_KEY_FIELDS: ClassVar[Sequence[str]] = ("game_date", "team_abbr")


class UpcomingPlayerGameContextProcessor(SelectProcessor):
    """The past of each player before his game."""

    step = "upcoming_player_game_context"
    PRIMARY_KEY_FIELDS: ClassVar[Sequence[str]] = ("game_date", "player_lookup")


def _in_utc(row: Record) -> Record:
    """Return a row whose times have their zone: in the tables all are UTC."""
    times = {name: value.replace(tzinfo=UTC) for name, value in row.items() if isinstance(value, datetime)}
    return {**row, **times}


PROCESSORS: Sequence[type[AnalyticsProcessor]] = (
    TeamOffenseGameSummaryProcessor,
    TeamDefenseGameSummaryProcessor,
    PlayerGameSummaryProcessor,
    UpcomingTeamGameContextProcessor,
    UpcomingPlayerGameContextProcessor,
)


def build_with(pipeline: Pipeline, processors: Sequence[type[AnalyticsProcessor]] = PROCESSORS) -> Pipeline:
    """Have a pipeline build the steps of processors when it is requested.

    What each has saved it also reports by message, as the platform's processors do. Return the pipeline.
    """
    pipeline.build_with({one.step: partial(_built, pipeline, one) for one in processors})
    return pipeline


def _built(pipeline: Pipeline, processor: type[AnalyticsProcessor], run: Any) -> bool:
    one = processor(pipeline, mode=run.mode)
    done = one.run(run.date)
    if one.receipt is not None:
        pipeline.publish(one.completion(), number=f"completion.{one.receipt.write_id}")
    return done
