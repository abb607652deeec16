"""Mutants of what watches: a check that raises, lateness, an alert. The platform's monitors stayed green by these."""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from phasegate.alerts import incident as incidents
from phasegate.alerts.delivery import delivered
from phasegate.alerts.incident import Context, Incident
from phasegate.base import findings
from phasegate.base.findings import CheckResult
from phasegate.base.keys import Run
from phasegate.calendar.month import Day
from phasegate.check.health import Health, Look
from phasegate.explain import lateness
from phasegate.explain.lateness import DateFacts, Lateness
from phasegate.plan.model import Plan, Step
from tests.mutants.swap import swapped
from tests.mutants.wrong_gates import Patch


def takes_what_raises_for_passed() -> Patch:
    def checked(self: Health, name: str, found: Look) -> CheckResult:
        return replace(right(self, name, found), error="")

    right = Health._checked
    return swapped(Health, "_checked", checked)


def takes_nothing_looked_at_for_passed() -> Patch:
    def exit_code(outcomes: Iterable[CheckResult]) -> int:
        looked = list(outcomes)
        return right(looked) if looked else findings.FINE

    right = findings.exit_code
    return swapped(findings, "exit_code", exit_code)


def judges_in_utc() -> Patch:
    def late_at(plan: Plan, step: Step, *, run: Run, day: Day | None) -> tuple[float, float]:
        return right(plan, replace(step, expected_zone="UTC"), run=run, day=day)

    right = lateness.late_at
    return swapped(lateness, "late_at", late_at)


def takes_never_for_on_time() -> Patch:
    def judged(plan: Plan, step: Step, *, run: Run, known: DateFacts, now: float) -> Lateness:
        row = right(plan, step, run=run, known=known, now=now)
        return replace(row, verdict="on time") if row.verdict == "never" else row

    right = lateness._judge
    return swapped(lateness, "_judge", judged)


def takes_claimed_for_told() -> Patch:
    def claim(
        channel: str, *, attempt: str, context: Context
    ) -> Callable[[Incident | None], tuple[Incident | None, str]]:  # fmt: skip
        def decide(old: Incident | None) -> tuple[Incident | None, str]:
            new, what = right(channel, attempt=attempt, context=context)(old)
            if new is None or not what:
                return new, what
            post = delivered(new.notifications[channel], what, attempt=attempt, ref="", now=context.now)
            return replace(new, notifications={**new.notifications, channel: post}), what

        return decide

    right = incidents.claim
    return swapped(incidents, "claim", claim)
