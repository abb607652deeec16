"""Dates that are likely typos, which ``--yes`` confirms."""

from typing import TYPE_CHECKING

import click

from phasegate.cli.kit.options import F

if TYPE_CHECKING:
    from phasegate.pipeline import Pipeline

FAR_DAYS = 366


def yes_option(command: F, /) -> F:
    """Add ``--yes``."""
    return click.option("--yes", is_flag=True, help="Take a date that is more than a year away.")(command)


def check_near(pipeline: "Pipeline", *dates: str, yes: bool, command: str) -> None:
    """Refuse a date that is more than a year away, unless it is meant.

    One on which the calendar has work is meant, as is one within a year of a run that is open. Raises BadInput.
    """
    from phasegate.errors import BadInput

    for date in () if yes else dates:
        if not _is_near(pipeline, date):
            wrong = f"{command}: {date} is more than a year from today, and no run is open within a year of it"
            raise BadInput(f"{wrong}; if it is no typo, add --yes")


def _is_near(pipeline: "Pipeline", date: str) -> bool:
    from datetime import UTC, datetime

    from phasegate.base.dates import shift

    first, last = shift(date, -FAR_DAYS), shift(date, FAR_DAYS)
    if first <= datetime.fromtimestamp(pipeline.ports.clock.now(), UTC).date().isoformat() <= last:
        return True
    if pipeline.plan.calendar is not None:
        day = pipeline.calendar.foresee(date)
        if day is not None and day.state == "work":
            return True
    prefixes = [f"phase:{pipeline.plan.pipeline}:{phase}:" for phase in pipeline.plan.phases]
    return any(pipeline.ports.store.scan(one, after=one + first, until=f"{one}{last}~", limit=1) for one in prefixes)
