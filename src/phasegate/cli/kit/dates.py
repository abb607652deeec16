"""Dates that are likely typos, which ``--yes`` confirms."""

from typing import TYPE_CHECKING

import click

from phasegate.cli.kit.options import F

if TYPE_CHECKING:
    from phasegate.pipeline import Pipeline


def yes_option(command: F, /) -> F:
    """Add ``--yes``."""
    return click.option("--yes", is_flag=True, help="Take a date that is more than a year away.")(command)


def check_near(pipeline: "Pipeline", *dates: str, yes: bool, command: str) -> None:
    """Refuse a date that is more than a year away, unless it is meant.

    One on which the calendar has work is meant, as is one within a year of a run that is open. Raises BadInput.
    """
    if not yes:
        from phasegate.answers import runs

        runs.check_near(pipeline, *dates, where=command, mend="add --yes")
