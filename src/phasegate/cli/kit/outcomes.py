"""The outcome of a report, in words."""

from typing import TYPE_CHECKING

from phasegate.cli.kit.app import FINDINGS, FINE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phasegate.base.keys import Run
    from phasegate.cli.printed.runs import CompletedJson
    from phasegate.explain.member_view import MemberView
    from phasegate.explain.phase_view import PhaseView
    from phasegate.pipeline import Pipeline

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
REFUSED = ("older", "void")


class Reported:
    """A processed report, and the present state of its step and phase."""

    def __init__(self, pipeline: "Pipeline", run: "Run", *, phase: str, step: str | None, outcome: str) -> None:
        self.step, self.run, self.outcome = step, run, outcome
        self.view: PhaseView = next(view for view in pipeline.views.why(run) if view.phase == phase)
        self.member: MemberView | None = next((one for one in self.view.members if one.name == step), None)

    @property
    def rows(self) -> int | None:
        """Return the rows of the step's newest accepted result."""
        return None if self.member is None else self.member.rows

    @property
    def exit_code(self) -> int:
        """Return 1 for a report that was refused."""
        return FINDINGS if self.outcome in REFUSED else FINE

    def differs(self, rows: int | None) -> str:
        """Return the difference between reported and stored rows, in words.

        "" if they are equal.
        """
        if rows is None or self.outcome not in ("accepted", "duplicate") or self.rows in (None, rows):
            return ""
        return f"{self.step} of {self.run}: {rows} rows were reported, its table holds {self.rows}"

    def lines(self) -> "Sequence[str]":
        """Return the report as text."""
        rows = "" if self.outcome != "accepted" or self.rows is None else f", {self.rows:,} rows"
        view = self.view
        return [
            f"{self.step or 'trigger'} of {self.run}: {WORDS.get(self.outcome, self.outcome)}{rows}.",
            f"{view.phase} is {view.state}: {view.reason}.",
            *(f"next: {command}" for command in view.commands),
        ]

    def document(self) -> "CompletedJson":
        """Return the report for programs."""
        from phasegate.cli.printed.runs import CompletedJson

        return CompletedJson(
            run=str(self.run),
            phase=self.view.phase,
            step=self.step,
            outcome=self.outcome,
            refused=self.outcome in REFUSED,
            rows=self.rows,
            generation=self.view.generation,
            state=self.view.state,
            next=self.view.commands,
        )
