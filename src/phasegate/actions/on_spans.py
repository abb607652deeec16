"""What each action on dates would do, and doing it: fix, rebuild, work."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from phasegate.actions.action import FORMS, OperatorAction
from phasegate.actions.deed import Deed, DeedResult, done
from phasegate.answers.checks import Span, span_of
from phasegate.answers.runs import check_near
from phasegate.answers.times import Times
from phasegate.audit import About
from phasegate.base.findings import listed
from phasegate.base.wording import count
from phasegate.work.backfill import BackfillJob
from phasegate.work.pool import Stop

if TYPE_CHECKING:
    from phasegate.pipeline import Pipeline

SHOWN = 200
FAR = "type the command with --yes"


def fix(pipeline: "Pipeline", action: OperatorAction, stop: Stop) -> Deed:
    """Do what a reconciliation of these dates would."""
    first, last = _span(pipeline, action)
    phase = action.get("--phase")
    outcomes = pipeline.checks.inspector.inspect(first, last, phase=phase)
    fixes, errors = pipeline.checks.reconciler.fixes_for(outcomes), list[str]()

    def do() -> DeedResult:
        fixed = pipeline.checks.reconciler.fix(
            outcomes, first=first, last=last, phase=phase, work=_worker(pipeline, errors, stop)
        )
        failed = [f"failed: {one.text}: {one.error}" for one in fixed.applied if one.error]
        left = listed(fixed.after)
        run = f"{count(len(fixed.applied) - len(failed), 'command')} run, {len(failed)} failed"
        checked = f"checked again: {count(len(left), 'finding')} left" if left else "checked again: nothing is left"
        named = [f"left: {one.code} {one.subject}: {one.text}; next: {one.command}" for one in left[:SHOWN]]
        return done([run, *failed, *errors, checked, *named], failed=bool(failed or errors or left))

    return Deed(
        f"Fix what is found on {_words(first, last)}",
        _cut([one.text for one in fixes]),
        do,
        About(first=first, last=last),
    )


def rebuild(pipeline: "Pipeline", action: OperatorAction, stop: Stop) -> Deed:
    """Bring dates up to date, oldest first."""
    first, last = _span(pipeline, action)
    mode, steps = action.get("--mode"), action.get("--steps") or ""
    job = BackfillJob(first=first, last=last, modes=(mode,) if mode else (), cascade=action.has("--cascade"),
                      steps=tuple(name.strip() for name in steps.split(",") if name.strip()))  # fmt: skip
    backfill, errors = pipeline.backfill(job), list[str]()
    backfill.check()
    check_near(pipeline, first, last, where="backfill", mend=FAR)
    items = backfill.items()
    work = _worker(pipeline, errors, stop)

    def do() -> DeedResult:
        def goes_on() -> bool:
            work()
            return not errors and not stop()

        backfill.carry_out(items, work=goes_on, progress=lambda _number, _total, _day: None)
        runs = {str(item.run) for item in items if item.reasons}
        views = pipeline.views.phases(first=first, last=last)
        left = [f"not settled: {view.phase} of {view.run} is {view.state}: {view.reason}" for view in views
                if view.run in runs and view.state not in ("complete", "void", "paused")]  # fmt: skip
        return done([f"{count(len(runs), 'run')} handled", *errors, *left[:SHOWN]], failed=bool(errors or left))

    lines = [f"{item.phase} of {item.run}: {'; '.join(item.reasons) or 'no data from ' + ', '.join(item.lacking)}"
             for item in items]  # fmt: skip
    return Deed(f"Bring {_words(first, last)} up to date", _cut(lines), do, About(first=first, last=last))


def work(pipeline: "Pipeline", _action: OperatorAction, stop: Stop) -> Deed:
    """Sweep, and work until nothing is left to do."""
    errors = list[str]()

    def do() -> DeedResult:
        swept = pipeline.sweep()
        _worker(pipeline, errors, stop)()
        return done([f"{count(swept, 'document')} handled, then worked until nothing was left", *errors],
                    failed=bool(errors))  # fmt: skip

    lines = ("What is due is handled now, and what is requested is built, in this service; the page waits for it.",)
    return Deed("Work now, until nothing is left to do", lines, do)


def _worker(pipeline: "Pipeline", errors: list[str], stop: Stop) -> Callable[[], None]:
    return lambda: errors.extend(pipeline.run_workers(until_idle=True, stop=stop))


def _span(pipeline: "Pipeline", action: OperatorAction) -> Span:
    times = Times(pipeline.plan.timezone, now=pipeline.ports.clock.now())
    command = FORMS[action.verb].words[0]
    return span_of(times, days=None, first=action.get("--from"), last=action.get("--to"), command=command)


def _words(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"


def _cut(lines: list[str]) -> tuple[str, ...]:
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return (*lines[:SHOWN], *more)
