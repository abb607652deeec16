"""What each action on dates would do, and doing it: fix, rebuild, work."""

from typing import TYPE_CHECKING

from phasegate.actions.action import FORMS, OperatorAction
from phasegate.actions.deed import Deed, DeedResult, done
from phasegate.actions.watched import SHOWN, WatchedWork
from phasegate.answers.checks import Span, span_of
from phasegate.answers.runs import check_near
from phasegate.answers.times import Times
from phasegate.audit import About
from phasegate.base.dates import distance
from phasegate.base.findings import FOUND, UNCHECKED, exit_code, listed
from phasegate.base.wording import count
from phasegate.errors import BadDocument, BadInput, Unavailable
from phasegate.work.backfill import BackfillJob
from phasegate.work.pool import Stop

if TYPE_CHECKING:
    from phasegate.pipeline import Pipeline

FAR = "type the command with --yes"
DATES_MAX = 370
"""How many dates an action may span: to say what it would do takes time for each, also for a reader."""


def fix(pipeline: "Pipeline", action: OperatorAction, stop: Stop) -> Deed:
    """Do what a reconciliation of these dates would.

    Raises Unavailable if nothing could be evaluated that can be fixed.
    """
    first, last = _span(pipeline, action)
    phase = action.get("--phase")
    outcomes = pipeline.checks.inspector.inspect(first, last, phase=phase)
    fixes = pipeline.checks.reconciler.fixes_for(outcomes)
    unchecked = [f"check {one.check} could not be evaluated: {one.error}" for one in outcomes if one.error]
    if not fixes and exit_code(outcomes) == UNCHECKED:
        raise Unavailable("; ".join(unchecked) or "no check could be evaluated")

    def do() -> DeedResult:
        work = WatchedWork(pipeline, stop=stop)
        fixed = pipeline.checks.reconciler.fix(outcomes, first=first, last=last, phase=phase, work=work.go_on)
        failed = [f"failed: {one.text}: {one.error}" for one in fixed.applied if one.error]
        left, code = listed(fixed.after), exit_code(fixed.after)
        run = f"{count(len(fixed.applied) - len(failed), 'command')} run, {len(failed)} failed"
        checked = f"checked again: {count(len(left), 'finding')} left" if left else "checked again: nothing is left"
        named = [f"left: {one.code} {one.subject}: {one.text}; next: {one.command}" for one in left[:SHOWN]]
        failed += work.failed()
        return done([run, *failed, checked, *named], failed=bool(failed) or code in (FOUND, UNCHECKED))

    return Deed(
        f"Fix what is found on {_words(first, last)}",
        _cut([*unchecked, *(one.text for one in fixes)]),
        do,
        About(first=first, last=last),
    )


def rebuild(pipeline: "Pipeline", action: OperatorAction, stop: Stop) -> Deed:
    """Bring dates up to date, oldest first."""
    first, last = _span(pipeline, action)
    mode, steps = action.get("--mode"), action.get("--steps") or ""
    job = BackfillJob(first=first, last=last, modes=(mode,) if mode else (), cascade=action.has("--cascade"),
                      steps=tuple(name.strip() for name in steps.split(",") if name.strip()))  # fmt: skip
    backfill = pipeline.backfill(job)
    backfill.check()
    check_near(pipeline, first, last, where="backfill", mend=FAR)
    items = backfill.items()
    lacking = [f"{item.phase} of {item.run}: no data from {', '.join(item.lacking)}" for item in items if item.lacking]

    def do() -> DeedResult:
        work, broken = WatchedWork(pipeline, stop=stop), list[BadDocument]()
        backfill.carry_out(items, work=work.go_on, progress=lambda _number, _total, _day: None)
        runs = {str(item.run) for item in items if item.reasons}
        views = pipeline.views.phases(first=first, last=last, broken=broken)
        left = [f"not settled: {view.phase} of {view.run} is {view.state}: {view.reason}" for view in views
                if view.run in runs and view.state not in ("complete", "void", "paused")]  # fmt: skip
        failed = [*work.failed(), *left[:SHOWN], *lacking[:SHOWN]]
        handled = [] if stop() else [f"{count(len(runs), 'run')} handled"]
        return done([*handled, *failed], failed=bool(failed or broken))

    lines = [f"{item.phase} of {item.run}: "
             + "; ".join([*item.reasons, *([f"no data from {', '.join(item.lacking)}"] if item.lacking else [])])
             for item in items]  # fmt: skip
    return Deed(f"Bring {_words(first, last)} up to date", _cut(lines), do, About(first=first, last=last))


def work(pipeline: "Pipeline", action: OperatorAction, stop: Stop) -> Deed:
    """Sweep, and work until nothing is left to do; or sweep only."""
    builds = action.verb == "work"

    def do() -> DeedResult:
        watched = WatchedWork(pipeline, stop=stop)
        swept = f"{count(pipeline.sweep(), 'document')} handled"
        goes_on = watched.go_on() if builds else True
        failed = watched.failed()
        ended = ", then worked until nothing was left" if builds and goes_on else ""
        return done([f"{swept}{ended}", *failed], failed=bool(failed))

    if not builds:
        swept = (
            "What is due is handled once: what was not answered is sent again, and deadlines and leases are looked at."
        )
        return Deed("Handle what is due, once", (swept, "Nothing is built: that is a worker's work."), do)
    lines = ("What is due is handled now, and what is requested is built, in this service; the page waits for it.",)
    return Deed("Work now, until nothing is left to do", lines, do)


def _span(pipeline: "Pipeline", action: OperatorAction) -> Span:
    times = Times(pipeline.plan.timezone, now=pipeline.ports.clock.now())
    command = FORMS[action.verb].words[0]
    span = span_of(times, days=None, first=action.get("--from"), last=action.get("--to"), command=command)
    if distance(span.first, span.last) >= DATES_MAX:
        raise BadInput(f"{command}: {_words(*span)} is more than {DATES_MAX} dates; type the command")
    return span


def _words(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"


def _cut(lines: list[str]) -> tuple[str, ...]:
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return (*lines[:SHOWN], *more)
