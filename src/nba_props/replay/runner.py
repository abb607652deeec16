"""Replays dates through Phasegate.

Scrapers write, workers work, and time skips ahead when nothing can be done. A date is played in two modes, as a props
team runs it: same_day, before the games, with the schedule and the lines; overnight, after them, with the box scores
and the recorded shots. The mode tomorrow, with the forecast of the evening before, is played on request.

A fetch that fails ends nothing: its line in the log has the reason, its step is reported as failed, and the gates that
need it stay closed. On a clock that runs by itself, as for a live source, nothing is skipped: what is not due yet is
left.

Several workers process a date while the next is fetched, as on any morning; with faults, date after date. A replay
that was killed is started again with the same arguments; finished work is not repeated.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TypeVar

from nba_props import PLAN
from nba_props.calendar import days
from nba_props.raw import RawRow
from nba_props.replay.faults import Faults, misbehaving
from nba_props.replay.options import MODE, USUAL
from nba_props.replay.processes import Processes
from nba_props.replay.scrapers import LOG_TABLE, Scrapers
from nba_props.replay.spool import Spool
from nba_props.replay.tally import Replay, Tally
from nba_props.sources import Source
from phasegate import PhasegateError, Pipeline, Plan, SkippingClock, SystemClock, connect, parse_run, read_plan

HORIZON_S = 12 * 3600.0
HORIZON_LIVE_S = 60.0
ROUNDS_MAX = 2_000
LATE_S = 8 * 3600.0
IDLE_S = 0.02
STORE, WAREHOUSE = "sqlite:///STATE/phasegate.db", "duckdb:///STATE/warehouse.duckdb"

A = TypeVar("A")


class Runner:
    """One replay into one state directory.

    `modes`: which of MODES are played; `workers`: how many work at once. `clock`: one that skips idle time, from now
    on, unless another is given. `in_files`: whatever database the environment names, in the state directory.
    """

    def __init__(  # noqa: PLR0913  one for each option
        self,
        source: Source,
        *,
        state: Path,
        faults: Faults | None = None,
        plan: Plan | None = None,
        clock: SkippingClock | SystemClock | None = None,
        modes: Sequence[str] = USUAL,
        workers: int = 1,
        in_files: bool = False,
    ) -> None:
        self.faults, self._modes = faults or Faults(), tuple(modes)
        self._workers = max(workers, self.faults.concurrent)
        # Disturbed dates are played one by one: a fault then affects one date alone.
        self._overlaps = self.faults == Faults() and workers > 1
        self.clock, self.tally = clock or SkippingClock(), Tally()
        self._lines = Spool(state / "fetches")
        if isinstance(self.clock, SkippingClock):  # lines of a killed replay must not be in the future
            self.clock.skip_to(self._lines.newest())
        self._crashes, bus = misbehaving(self.faults, rng=random.Random(self.faults.seed))
        self._processes = Processes(self._crashes, clock=self.clock)
        self.pipeline: Pipeline = connect(
            plan or read_plan(PLAN),
            clock=self.clock,
            observer=self.tally,
            wrap=lambda ports: self._crashes.wrap(replace(ports, bus=bus(ports.bus))),
            dates=lambda first, last: days(source, first, last),
            state=state,
            store=STORE if in_files else None,
            warehouse=WAREHOUSE if in_files else None,
        )
        self._scrapers = Scrapers(source, pipeline=self.pipeline, modes=self._modes, faults=self.faults,
                                  processes=self._processes, lines=self._lines)  # fmt: skip

    def run(self, first: date, last: date, *, progress: Callable[[date, int], None] | None = None) -> Replay:
        """Replay the dates with games from `first` to `last`.

        `progress` is called after each date with it and its number of games.
        """
        begun, dates = time.perf_counter(), self._scrapers.dates(first, last)
        late: list[tuple[int, date]] = []  # the number of the date after which it arrives
        for n, day in enumerate(dates):
            self._follow(day, before=dates[n - 1] if n and self._overlaps else None)
            if not self._overlaps:
                self.work()
            if day in self._scrapers.held_back:
                late.append((n + self.faults.late_days, day))
            while late and late[0][0] <= n:
                self.come_late(late.pop(0)[1])
            if progress is not None:
                progress(day, len(self._scrapers.games.get(day, ())))
        for _, day in late:
            self.come_late(day)
        self.work()
        if self._scrapers.bring_blocked():
            self.work()
        games = sum(len(self._scrapers.games.get(day, ())) for day in dates)
        return self.summary(dates=len(dates), games=games, seconds=time.perf_counter() - begun)

    def bring(self, first: date, last: date) -> list[date]:
        """Bring the dates from `first` to `last` in, and leave the work to others.

        Return those with games.
        """
        dates = self._scrapers.dates(first, last)
        for day in dates:
            self._processes.at_once([partial(self._brought, day)])
        return dates

    def _brought(self, day: date) -> bool:
        self._scrapers.bring(day)
        return True

    def play(self, day: date, batches: list[list[RawRow]]) -> None:
        """Bring a date in; its box scores arrive in `batches`.

        Each batch is processed before the next arrives.
        """
        self._follow(day, partial(list, batches[0]))
        self.work()
        for rows in batches[1:] if MODE in self._modes else ():
            self.come_late(day, rows)

    def _follow(self, day: date, box: Callable[[], list[RawRow]] | None = None, *, before: date | None = None) -> None:
        """Bring a date in, mode by mode, while workers process it.

        They process the date before, too. Returns when that one has fired.
        """
        fetched, stopping = threading.Event(), self._processes.stopping

        def scrape() -> bool:
            try:
                self._scrapers.bring(day, box)
            finally:
                fetched.set()
            return True

        def work() -> bool:
            while not (fetched.is_set() or stopping.is_set()):
                if not self.pipeline.work_one():
                    fetched.wait(IDLE_S)  # real time: without a socket the bus would wait on the replay's clock
            while not (stopping.is_set() or self._has_fired(before)) and self.pipeline.work_until_idle(units_max=1):
                pass
            return True

        self._processes.at_once([scrape, *[work] * self._workers])
        if not self._has_fired(before):
            self.work()

    def _has_fired(self, day: date | None) -> bool:
        """Return whether the last phase of a date has fired.

        In every mode that is played.
        """
        if day is None:
            return True
        last = list(self.pipeline.plan.phases)[-1]
        runs = [parse_run(f"{day}.{mode}") for mode in self._modes]
        phases = [self.pipeline.runs.read(last, run) for run in runs]
        return all(phase is not None and phase.generation for phase in phases)

    def come_late(self, day: date, rows: list[RawRow] | None = None) -> None:
        """Bring the whole box scores of a date in, hours later.

        `rows` None: the source has them.
        """
        self._processes.wait_until(self.clock.now() + LATE_S)
        self._scrapers.bring_late(day, rows)
        self.work()

    def work(self) -> None:
        """Run workers until everything is settled.

        Or until only the daily check of unsettled documents remains.
        """
        horizon_s = HORIZON_S if isinstance(self.clock, SkippingClock) else HORIZON_LIVE_S
        for _ in range(ROUNDS_MAX):
            self._processes.at_once([self._work_until_idle] * self._workers)
            due = self.pipeline.next_due(ignoring="calendar")
            if due is None or due > self.clock.now() + horizon_s:
                return
            self._processes.wait_until(due)
        raise PhasegateError(f"the replay did not settle in {ROUNDS_MAX} rounds; see: phasegate status")

    def _work_until_idle(self) -> bool:
        while not self._processes.stopping.is_set() and self.pipeline.work_until_idle(units_max=1):
            pass
        return True

    def summary(self, *, dates: int, games: int, seconds: float) -> Replay:
        """Count the current tables, gates and unsettled runs."""
        return self.in_thread(lambda: self._summary(dates=dates, games=games, seconds=seconds))

    def in_thread(self, body: Callable[[], A]) -> A:
        """Run a body that reads the tables in a separate thread.

        So that it can be stopped.
        """
        return self._processes.at_once([body])[0]

    def _summary(self, *, dates: int, games: int, seconds: float) -> Replay:
        gates: dict[str, tuple[int, int]] = dict.fromkeys(self.pipeline.plan.phases, (0, 0))
        unsettled, drifted = list(self._scrapers.refused), list[tuple[str, str]]()
        for view in self.pipeline.views.phases():
            fired, generations = gates[view.phase]
            number = view.generations[-1].number if view.generations else 0
            gates[view.phase] = (fired + (number > 0), generations + number)
            if view.state not in ("complete", "void"):
                unsettled.append(f"{view.phase} of {view.run} is {view.state}: {view.reason}")
            if view.drifted and view.state != "void":
                drifted.append((parse_run(view.run).date, f"{view.phase} of {view.run}: {view.reason}"))
        return Replay(
            dates=dates,
            games=games,
            tables={
                name: (table.rows, table.digest) for name, table in self.pipeline.tables().items() if name != LOG_TABLE
            },
            gates=gates,
            tally=self.tally,
            dead_letters=len(self.pipeline.views.dead()),
            crashes=self._crashes.count,
            unsettled=tuple(unsettled),
            drifted=tuple(drifted),
            seconds=seconds,
        )

    def close(self) -> None:
        """Close the files."""
        self._lines.close()
        self.pipeline.close()
