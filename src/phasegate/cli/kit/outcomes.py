"""The outcome of a report, in words."""

from typing import TYPE_CHECKING

from phasegate.base.wording import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phasegate.answers.reports import Reported

WORDS = {
    "accepted": "accepted",
    "acknowledged": "acknowledged",
    "duplicate": "known already, nothing changes",
    "older": "refused: a newer report was accepted before",
    "void": "refused: the run is void",
    "noted": "recorded",
    "failed": "recorded, it is requested again",
    "dead": "recorded, it is dead and not requested again",
    "parked": "recorded, it waits for other inputs",
    "skipped": "recorded, nothing changes",
}


def reported_lines(reported: "Reported") -> "Sequence[str]":
    """Return a processed report as text."""
    rows = "" if reported.outcome != "accepted" or reported.rows is None else f", {count(reported.rows, 'row')}"
    view = reported.view
    return [
        f"{reported.step or 'trigger'} of {reported.run}: {WORDS.get(reported.outcome, reported.outcome)}{rows}.",
        f"{view.phase} is {view.state}: {view.reason}.",
        *(f"next: {command}" for command in view.commands),
    ]
