"""Replays dates through Phasegate: scrapers write, workers work, and time skips ahead when nothing can be done.

A date is played in two modes, as a props team runs it: same_day, before the games, with the schedule and the lines;
overnight, after them, with the box scores and whatever shots were recorded. Whoever asks for it has the forecast of the
evening before too: tomorrow. The modes that a replay leaves out are void: nobody need expect them.

A fetch that fails ends nothing: its line in the log says why, its step is reported as failed, and the gates that need
it stay shut. On a clock that goes by itself, as for a live source, nothing is skipped: what is not due yet is left.

Several workers are at a date while the next is brought in, as on any morning; with faults, date after date.

It knows what a scraper does and nothing of how a hand-off works: that is Phasegate's. A replay that was killed is
started again with the same arguments; what is done already is found done.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar, cast
from zoneinfo import ZoneInfo

from nba_props.calendar import days
from nba_props.faults import Faults, misbehaving
from nba_props.processes import Processes
from nba_props.raw import RawRow
from nba_props.scrapes import Recorder
from nba_props.sources import Source
from nba_props.sources.batches import split_late
from nba_props.spool import Spool
from nba_props.tally import Replay, Tally
from phasegate import (
    BadInput,
    Busy,
    Contended,
    Fenced,
    LeaseLost,
    PhasegateError,
    Pipeline,
    Plan,
    SkippingClock,
    SystemClock,
    connect,
    parse_run,
    read_plan,
)

PLAN = Path(__file__).with_name("plan.toml")
MODE = "overnight"
MODES = ("tomorrow", "same_day", "overnight")
USUAL = ("same_day", "overnight")
LEFT_OUT = "this replay does not play it"
GAMEBOOK = "nbac_gamebook_player_stats"
LOG = "scraper_execution_log"
ASKING = "dates"
LOG_TABLE = "nba_raw.scraper_execution_log"
SCHEDULE = "nbac_schedule"
PROPS = "odds_api_player_points_props"
HORIZON_S = 12 * 3600.0
HORIZON_LIVE_S = 60.0
TRIES_MAX = 1_000
RETRY_S = 5.0
ROUNDS_MAX = 2_000
LATE_S = 8 * 3600.0
IDLE_S = 0.02

A = TypeVar("A")
Fetch: TypeAlias = tuple[str, Callable[[], list[RawRow]]]


class Run(NamedTuple):
    """A date in a mode, as Phasegate spells it."""

    date: str
    mode: str

    def __str__(self) -> str:
        return f"{self.date}.{self.mode}"


class Stopped(Exception):
    """Raised in the threads of a replay that is to end."""


class Runner:
    """One replay into one state directory. `modes`: which of MODES are played; `workers`: how many work at once.

    `clock`: one that skips idle time, from now on, unless another is given.
    """

    def __init__(
        self,
        source: Source,
        *,
        state: Path,
        faults: Faults | None = None,
        plan: Plan | None = None,
        clock: SkippingClock | SystemClock | None = None,
        modes: Sequence[str] = USUAL,
        workers: int = 1,
    ) -> None:
        self._source, self.faults, self._modes = source, faults or Faults(), tuple(modes)
        self._workers = max(workers, self.faults.concurrent)
        # Disturbed dates are played one by one: what a fault does to a date then shows in that date alone.
        self._overlaps = self.faults == Faults() and workers > 1
        self.clock, self.tally = clock or SkippingClock(), Tally()
        self._games: dict[date, set[object]] = {}
        self._held_back: set[date] = set()
        self._refused: dict[str, None] = {}
        self._lines = Spool(state / "fetches")
        self._written: tuple[date, list[RawRow] | None] | None = None
        self._crashes, bus = misbehaving(self.faults, rng=random.Random(self.faults.seed))
        self._processes = Processes(self._crashes)
        self.pipeline: Pipeline = connect(
            plan or read_plan(PLAN),
            clock=self.clock,
            observer=self.tally,
            wrap=lambda ports: self._crashes.wrap(replace(ports, bus=bus(ports.bus))),
            dates=lambda first, last: days(source, first, last),
            state=state,
        )

    def run(self, first: date, last: date, *, told: Callable[[date, int], None] | None = None) -> Replay:
        """Replay the dates with games from `first` to `last`; `told` hears of each brought in, and its games."""
        begun = time.perf_counter()
        self._catch_up()
        dates = self._dates(first, last)
        late: list[tuple[int, date]] = []  # the number of the date that it comes with
        for n, day in enumerate(dates):
            self._follow(day, partial(self._box, day), before=dates[n - 1] if n and self._overlaps else None)
            if not self._overlaps:
                self.work()
            if day in self._held_back:
                late.append((n + self.faults.late_days, day))
            while late and late[0][0] <= n:
                self.come_late(late.pop(0)[1])
            if told is not None:
                told(day, len(self._games.get(day, ())))
        for _, day in late:
            self.come_late(day)
        self.work()
        games = sum(len(self._games.get(day, ())) for day in dates)
        return self.summary(dates=len(dates), games=games, seconds=time.perf_counter() - begun)

    def _catch_up(self) -> None:
        """Skip to when a replay that was killed had come to: what it has fetched must not lie ahead of the clock."""
        lines = [line for lines in self._lines.held().values() for line in lines]
        if lines and isinstance(self.clock, SkippingClock):
            self.clock.skip_to(max(cast("datetime", line["completed_at"]).timestamp() for line in lines))

    def _dates(self, first: date, last: date) -> list[date]:
        """Ask the source which dates have games: a fetch too, whose line comes with the first of them.

        Raises what the source raises, when its line is written.
        """
        fetched = self._recorder(ASKING).fetch(SCHEDULE, first, call=lambda: self._source.dates(first, last))
        self._lines.add(fetched.log | {"game_date": fetched.rows[0] if fetched.rows else first})
        if not fetched.rows:
            self._write_log()
        if fetched.error is not None:
            raise fetched.error
        return fetched.rows or []

    def _recorder(self, workflow: str) -> Recorder:
        return Recorder.of(self._source, workflow, now=self.clock.now)

    def play(self, day: date, batches: list[list[RawRow]]) -> None:
        """Bring a date in; its box scores in `batches`, each worked off before the next comes."""
        self._follow(day, partial(list, batches[0]), before=None)
        self.work()
        for rows in batches[1:] if MODE in self._modes else ():
            self.come_late(day, rows)

    def _follow(self, day: date, box: Callable[[], list[RawRow]], *, before: date | None) -> None:
        """Bring a date in, mode by mode, while workers are at it and at the date before; return when that has fired."""
        fetched, stopping = threading.Event(), self._processes.stopping

        def scrape() -> bool:
            try:
                is_said = self._leave_out(day)
                try:
                    for mode, fetches in self._fetches(day, box):
                        self._scrape(day, mode, fetches)
                finally:
                    self._write_log()
                if not is_said:  # the calendar did not know the date at first
                    self._leave_out(day)
            finally:
                fetched.set()
            return True

        def work() -> bool:
            while not (fetched.is_set() or stopping.is_set()):
                if not self.pipeline.work_one():
                    fetched.wait(IDLE_S)  # of real time: without a socket the bus would wait by the replay's clock
            while not (stopping.is_set() or self._has_fired(before)) and self.pipeline.work_until_idle(units_max=1):
                pass
            return True

        self._processes.at_once([scrape, *[work] * self._workers])
        if not self._has_fired(before):
            self.work()

    def _has_fired(self, day: date | None) -> bool:
        """Tell whether the last phase of a date has handed on, in every mode that is played."""
        if day is None:
            return True
        last = list(self.pipeline.plan.phases)[-1]
        runs = [parse_run(f"{day}.{mode}") for mode in self._modes]
        phases = [self.pipeline.gatekeeper.read(last, run) for run in runs]
        return all(phase is not None and phase.generation for phase in phases)

    def _fetches(self, day: date, box: Callable[[], list[RawRow]]) -> Iterator[tuple[str, list[Fetch]]]:
        """Give what is fetched in each mode that is played, one after the other.

        The schedule comes before the games, and after them only if nobody has written it then; the lines come in each
        mode, as they were when its run began: after the games all of them.
        """
        # what is critical comes last: the deadlines of a date long past are over, and gates would fire without the rest
        schedule: Fetch = (SCHEDULE, lambda: self._source.schedule(day, day))
        after: list[Fetch] = [("nbac_shot_chart", lambda: self._source.shots(day)), (GAMEBOOK, box)]
        for mode in self._modes:
            fetches: list[Fetch] = [(PROPS, partial(self._source.props, day, at=self._begins(day, mode)))]
            fetches += [schedule] if mode != MODE or not self._is_written(day, SCHEDULE) else []
            yield mode, [*fetches, *after] if mode == MODE else fetches

    def _is_written(self, day: date, step: str) -> bool:
        """Tell whether a run of a mode before the games has a step's result: the run after them hears of it then."""
        for mode in self._modes:
            there = self.pipeline.gatekeeper.read("raw", parse_run(f"{day}.{mode}"))
            if mode != MODE and there is not None and there.void is None and there.result_of(step) is not None:
                return True
        return False

    def _begins(self, day: date, mode: str) -> datetime | None:
        """Return when the run of a mode before the games is opened by the clock; None for the one after them."""
        at = self.pipeline.plan.phases["raw"].modes[mode].start.at
        if mode == MODE or at is None or at.local is None:
            return None
        zone = self.pipeline.plan.timezone
        moment = at.at(parse_run(f"{day}.{mode}"), timezone=zone, opened_at=0.0)
        return datetime.fromtimestamp(moment, ZoneInfo(zone))

    def _box(self, day: date) -> list[RawRow]:
        """Fetch the box scores of a date; when faults ask for it some games are held back, and come late."""
        rows = self._source.batch(day)
        rng = random.Random(f"{self.faults.seed} {day}")  # of the date: a replay that is begun anew cuts alike
        self._held_back.discard(day)
        if not self.faults.late or rng.random() >= self.faults.late_dates:
            return rows
        early, late = split_late(rows, share=self.faults.late, rng=rng)
        if late:
            self._held_back.add(day)
        return early

    def _leave_out(self, day: date) -> bool:
        """Say of the modes that are not played that nobody need expect them; take it back of those that are.

        Nothing is said of a date that the calendar refuses: the reports are refused too, and tell it. Answer whether
        all was said.
        """
        with suppress(BadInput):
            self._void_and_back(day)
            return True
        return False

    def _void_and_back(self, day: date) -> None:
        for mode in self.pipeline.plan.phases["raw"].modes:
            run = parse_run(f"{day}.{mode}")
            known = self.pipeline.gatekeeper.read("raw", run)
            # opened and no more: whoever was about to say it was killed
            if mode not in self._modes and (known is None or not (known.members or known.void)):
                self.pipeline.gatekeeper.void("raw", run, reason=LEFT_OUT)
            elif mode in self._modes and known is not None and known.void == LEFT_OUT:
                self.pipeline.gatekeeper.void("raw", run, reason=None)

    def come_late(self, day: date, rows: list[RawRow] | None = None) -> None:
        """Bring the whole box scores of a date in, hours later than some of them; `rows` None: the source has them."""
        self._wait_until(self.clock.now() + LATE_S)
        box = partial(self._source.batch, day) if rows is None else partial(list, rows)
        self._scrape(day, MODE, [(GAMEBOOK, box)])
        self._write_log()
        self.work()

    def _scrape(self, day: date, mode: str, fetches: Sequence[Fetch]) -> None:
        """Fetch, write and report; keep the line of each fetch for the log."""
        recorder = self._recorder(mode)
        for step, call in fetches:
            self._go_on()
            fetched = recorder.fetch(step, day, call=call)
            self._lines.add(fetched.log)
            if step == GAMEBOOK or (step == SCHEDULE and MODE not in self._modes):
                self._games[day] = {row["game_id"] for row in fetched.rows or () if not row.get("postponed")}
            # what a scraper has written for another mode it does not write again: that run hears of it
            known = step == PROPS and self._written == (day, fetched.rows) and self._is_written(day, step)
            if not (known and mode == MODE):
                error = str(fetched.log["error_message"])
                self._deliver(Run(day.isoformat(), mode), step, rows=fetched.rows, error=error)
            self._written = (day, fetched.rows) if step == PROPS else self._written

    def _go_on(self) -> None:
        if self._processes.stopping.is_set():
            raise Stopped

    def _write_log(self) -> None:
        """Write the lines of fetches once a date: those that a killed replay has left too."""
        for day, lines in self._lines.held().items():
            self._deliver(Run(day.isoformat(), "log"), LOG, rows=lines)
        self._lines.clear()

    def work(self) -> None:
        """Let workers work until everything is settled, or only the daily look at what is not remains."""
        horizon_s = HORIZON_S if isinstance(self.clock, SkippingClock) else HORIZON_LIVE_S
        for _ in range(ROUNDS_MAX):
            self._processes.at_once([self._work_until_idle] * self._workers)
            due = self.pipeline.next_due(apart_from="calendar")
            if due is None or due > self.clock.now() + horizon_s:
                return
            self._wait_until(due)
        raise PhasegateError(f"the replay did not settle in {ROUNDS_MAX} rounds; see: phasegate status")

    def _work_until_idle(self) -> bool:
        while not self._processes.stopping.is_set() and self.pipeline.work_until_idle(units_max=1):
            pass
        return True

    def _wait_until(self, moment: float) -> None:
        if isinstance(self.clock, SkippingClock):
            self.clock.skip_to(moment)
        else:
            self._processes.stopping.wait(max(0.0, moment - self.clock.now()))

    def summary(self, *, dates: int, games: int, seconds: float) -> Replay:
        """Count what is there now."""
        return self.apart(lambda: self._summary(dates=dates, games=games, seconds=seconds))

    def apart(self, body: Callable[[], A]) -> A:
        """Run something that reads the tables so that it can be stopped: in a thread of its own."""
        return self._processes.at_once([body])[0]

    def _summary(self, *, dates: int, games: int, seconds: float) -> Replay:
        gates: dict[str, tuple[int, int]] = dict.fromkeys(self.pipeline.plan.phases, (0, 0))
        unsettled = list(self._refused)
        for view in self.pipeline.overview.phases():
            fired, generations = gates[view.phase]
            number = view.generations[-1].number if view.generations else 0
            gates[view.phase] = (fired + (number > 0), generations + number)
            if view.state not in ("complete", "void"):
                unsettled.append(f"{view.phase} of {view.run} is {view.state}: {view.reason}")
        return Replay(
            dates=dates,
            games=games,
            tables={
                name: (table.rows, table.digest) for name, table in self.pipeline.tables().items() if name != LOG_TABLE
            },
            gates=gates,
            tally=self.tally,
            dead_letters=len(self.pipeline.overview.dead()),
            crashes=self._crashes.count,
            unsettled=tuple(unsettled),
            seconds=seconds,
        )

    def close(self) -> None:
        """Let go of files."""
        self.pipeline.close()

    def _deliver(self, run: Run, step: str, *, rows: list[RawRow] | None, error: str = "") -> None:
        """Have every instance of a scraper write and report; one that could not tries again a little later.

        Time moves on between the tries only: a clock that ran while somebody writes would take his lease away.
        """
        left = self.faults.concurrent
        for tries in range(TRIES_MAX):
            if tries:
                self._go_on()
            left -= sum(self._processes.at_once([lambda: self._report(run, step, rows=rows, error=error)] * left))
            if not left:
                return
            # a run that was killed may have left its lease at a time that it had skipped to
            left_s = min((lease.left_s for lease in self.pipeline.overview.leases()), default=0.0)
            self._wait_until(self.clock.now() + max(RETRY_S, left_s + 1.0))
        raise PhasegateError(f"{step} of {run} could not be written in {TRIES_MAX} tries; see: phasegate leases")

    def _report(self, run: Run, step: str, *, rows: list[RawRow] | None, error: str) -> bool:
        """Write rows and report them, or that there are none; tell whether it could: somebody else may be at it.

        A report that is refused, such as of a date of which the calendar knows nothing, is told in the summary.
        """
        try:
            with self.pipeline.begin(str(run), step=step) as begun:
                if rows is None:
                    begun.fail(error)
                else:
                    begun.write(rows)
                    begun.complete()
        except (Busy, Contended, LeaseLost, Fenced):
            return False
        except PhasegateError as e:
            self._refused[f"{step} of {run} was refused: {e}"] = None
        return True
