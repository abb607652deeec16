"""Replays dates through Phasegate: scrapers write, workers work, and time skips ahead when nothing can be done.

A date is played in two modes, as a props team runs it: same_day, before the games, with the schedule and the lines;
overnight, after them, with the box scores and whatever shots were recorded. The modes that a replay leaves out are
void: nobody need expect them.

Several workers are at a date while the next is brought in, as on any morning; with faults, date after date.

It knows what a scraper does and nothing of how a hand-off works: that is Phasegate's. A replay that was killed is
started again with the same arguments; what is done already is found done.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

from nba_props.calendar import days
from nba_props.faults import Faults, misbehaving
from nba_props.raw import RawRow
from nba_props.scrapes import Recorder
from nba_props.sources import Source
from nba_props.sources.batches import split_late
from phasegate import (
    Busy,
    Contended,
    Fenced,
    LeaseLost,
    PhasegateError,
    Pipeline,
    Plan,
    SkippingClock,
    connect,
    parse_run,
    read_plan,
)

PLAN = Path(__file__).with_name("plan.toml")
MODE = "overnight"
MODES = ("same_day", "overnight")
LEFT_OUT = "this replay does not play it"
GAMEBOOK = "nbac_gamebook_player_stats"
LOG = "scraper_execution_log"
LOG_TABLE = "nba_raw.scraper_execution_log"
HORIZON_S = 12 * 3600.0
TRIES_MAX = 200
RETRY_S = 5.0
ROUNDS_MAX = 2_000
LATE_S = 8 * 3600.0
IDLE_S = 0.02

Fetch: TypeAlias = tuple[str, Callable[[], list[RawRow]]]


class Run(NamedTuple):
    """A date in a mode, as Phasegate spells it."""

    date: str
    mode: str

    def __str__(self) -> str:
        return f"{self.date}.{self.mode}"


@dataclass
class Tally:
    """Counts events of a replay, from any thread: an observer."""

    duplicates_removed: int = 0
    refused_as_stale: int = 0
    moved: int = 0
    builds: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    _since: dict[int, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def event(self, name: str, /, **fields: object) -> None:
        """Take in one event."""
        me = threading.get_ident()
        with self._lock:
            if name == "writing":
                self._since[me] = time.perf_counter()
            elif name == "written":
                step = str(fields["step"])
                took = time.perf_counter() - self._since.pop(me, time.perf_counter())
                self.builds[step] = self.builds.get(step, 0) + 1
                self.seconds[step] = self.seconds.get(step, 0.0) + took
                self.duplicates_removed += int(str(fields["duplicates"]))
                self.refused_as_stale += int(str(fields["refused"]))
            elif name == "step not done" and fields.get("status") == "moved":
                self.moved += 1


@dataclass(frozen=True)
class Replay:
    """What a replay did; `tables`: name -> (rows, digest); `gates`: name -> (runs fired, generations in all).

    The log of fetches is not among the tables: it holds times and ids, so no two replays leave the same one.
    """

    dates: int
    games: int
    tables: dict[str, tuple[int, str]]
    gates: dict[str, tuple[int, int]]
    tally: Tally
    dead_letters: int
    crashes: int
    unsettled: tuple[str, ...]
    seconds: float


class Runner:
    """One replay into one state directory. `modes`: which of MODES are played; `workers`: how many work at once."""

    def __init__(
        self,
        source: Source,
        *,
        state: Path,
        faults: Faults | None = None,
        plan: Plan | None = None,
        clock: SkippingClock | None = None,
        modes: Sequence[str] = MODES,
        workers: int = 1,
    ) -> None:
        self._source, self.faults, self._modes = source, faults or Faults(), tuple(modes)
        self._workers = max(workers, self.faults.concurrent)
        # Disturbed dates are played one by one: what a fault does to a date then shows in that date alone.
        self._overlaps = self.faults == Faults() and workers > 1
        self._rng = random.Random(self.faults.seed)
        self.clock, self.tally = clock or SkippingClock(), Tally()
        self._crashes, bus = misbehaving(self.faults, rng=self._rng)
        self.pipeline: Pipeline = connect(
            plan or read_plan(PLAN),
            clock=self.clock,
            observer=self.tally,
            wrap=lambda ports: self._crashes.wrap(replace(ports, bus=bus(ports.bus))),
            dates=lambda first, last: days(source, first, last),
            state=state,
        )

    def run(self, first: date, last: date, *, told: Callable[[date, int], None] | None = None) -> Replay:
        """Replay the dates with games from `first` to `last`; `told` hears of each date that was brought in."""
        begun, games, dates = time.perf_counter(), 0, self._source.dates(first, last)
        late: list[tuple[date, list[RawRow]]] = []
        for n, day in enumerate(dates):
            rows = Recorder(MODE, source="").fetch(GAMEBOOK, day, call=partial(self._source.batch, day)).rows or []
            if self._overlaps:
                self._follow(day, rows, before=dates[n - 1] if n else None)
            else:
                now, *later = self._batches(rows)
                self.play(day, [now] if self.faults.late_days else [now, *later])
                late += [(day, batch) for batch in later]
            while (
                late and self.faults.late_days and dates.index(day) >= dates.index(late[0][0]) + self.faults.late_days
            ):
                self.come_late(*late.pop(0))
            games += len({row["game_id"] for row in rows})
            if told is not None:
                told(day, len(rows))
        for day, batch in late if self.faults.late_days else []:
            self.come_late(day, batch)
        self.work()
        return self.summary(dates=len(dates), games=games, seconds=time.perf_counter() - begun)

    def play(self, day: date, batches: list[list[RawRow]]) -> None:
        """Bring a date in; its box scores in `batches`, each worked off before the next comes."""
        self._follow(day, batches[0], before=None)
        self.work()
        for rows in batches[1:] if MODE in self._modes else ():
            self.come_late(day, rows)

    def _follow(self, day: date, box: list[RawRow], *, before: date | None) -> None:
        """Bring a date in, mode by mode, while workers are at it and at the date before; return when that has fired."""
        fetched = threading.Event()

        def scrape() -> bool:
            try:
                self._leave_out(day)
                lines = [line for mode, fetches in self._fetches(day, box) for line in self._scrape(day, mode, fetches)]
                self._write_log(day, lines)
            finally:
                fetched.set()
            return True

        def work() -> bool:
            while not fetched.is_set():
                if not self.pipeline.work_one():
                    fetched.wait(IDLE_S)  # of real time: without a socket the bus would wait by the replay's clock
            while not self._has_fired(before) and self.pipeline.work_until_idle(units_max=1):
                pass
            return True

        self._at_once([scrape, *[work] * self._workers])
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

    def _fetches(self, day: date, box: list[RawRow]) -> list[tuple[str, list[Fetch]]]:
        """Return what is fetched in each mode that is played; what is known before the games, in the first of them."""
        shots: Fetch = ("nbac_shot_chart", lambda: self._source.shots(day))
        modes: dict[str, list[Fetch]] = {mode: [] for mode in self._modes}
        if MODE in modes:
            modes[MODE] += [shots, (GAMEBOOK, lambda: list(box) or self._source.batch(day))]
        modes[self._modes[0]][:0] = [
            ("nbac_schedule", lambda: self._source.schedule(day, day)),
            ("odds_api_player_points_props", lambda: self._source.props(day)),
        ]
        return list(modes.items())

    def _leave_out(self, day: date) -> None:
        """Say of the modes that are not played that nobody need expect them; take it back of those that are."""
        for mode in self.pipeline.plan.phases["raw"].modes:
            run = parse_run(f"{day}.{mode}")
            known = self.pipeline.gatekeeper.read("raw", run)
            # opened and no more: whoever was about to say it was killed
            if mode not in self._modes and (known is None or not (known.members or known.void)):
                self.pipeline.gatekeeper.void("raw", run, reason=LEFT_OUT)
            elif mode in self._modes and known is not None and known.void == LEFT_OUT:
                self.pipeline.gatekeeper.void("raw", run, reason=None)

    def come_late(self, day: date, rows: list[RawRow]) -> None:
        """Bring the whole box scores of a date in, hours later than some of them."""
        self.clock.skip_to(self.clock.now() + LATE_S)
        self._write_log(day, self._scrape(day, MODE, [(GAMEBOOK, partial(list, rows))]))
        self.work()

    def _scrape(self, day: date, mode: str, fetches: Sequence[Fetch]) -> list[RawRow]:
        """Fetch, write and report; return the line of each fetch in the log."""
        recorder = Recorder.of(self._source, mode, now=self.clock.now)
        lines = []
        for step, call in fetches:
            fetched = recorder.fetch(step, day, call=call)
            lines.append(fetched.log)
            self._deliver(Run(day.isoformat(), mode), step, rows=fetched.rows, error=str(fetched.log["error_message"]))
        return lines

    def _write_log(self, day: date, lines: list[RawRow]) -> None:
        self._deliver(Run(day.isoformat(), "log"), LOG, rows=lines)

    def work(self) -> None:
        """Let workers work until everything is settled, or only the daily look at what is not remains."""
        for _ in range(ROUNDS_MAX):
            self._at_once([self._work_until_idle] * self._workers)
            due = self.pipeline.next_due(apart_from="calendar")
            if due is None or due > self.clock.now() + HORIZON_S:
                return
            self.clock.skip_to(due)
        raise PhasegateError(f"the replay did not settle in {ROUNDS_MAX} rounds; see: phasegate status")

    def _work_until_idle(self) -> bool:
        return self.pipeline.work_until_idle() > 0

    def summary(self, *, dates: int, games: int, seconds: float) -> Replay:
        """Count what is there now."""
        gates: dict[str, tuple[int, int]] = dict.fromkeys(self.pipeline.plan.phases, (0, 0))
        unsettled = []
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

    def _batches(self, rows: list[RawRow]) -> list[list[RawRow]]:
        """Cut a date into what comes in time and what comes late, when faults ask for it; the late one is whole."""
        if not self.faults.late or self._rng.random() >= self.faults.late_dates:
            return [rows]
        early, late = split_late(rows, share=self.faults.late, rng=self._rng)
        return [early, rows] if late else [rows]

    def _deliver(self, run: Run, step: str, *, rows: list[RawRow] | None, error: str = "") -> None:
        """Have every instance of a scraper write and report; one that could not tries again a little later.

        Time moves on between the tries only: a clock that ran while somebody writes would take his lease away.
        """
        left = self.faults.concurrent
        for _ in range(TRIES_MAX):
            left -= sum(self._at_once([lambda: self._report(run, step, rows=rows, error=error)] * left))
            if not left:
                return
            # a run that was killed may have left its lease at a time that it had skipped to
            left_s = min((lease.left_s for lease in self.pipeline.overview.leases()), default=0.0)
            self.clock.skip_to(self.clock.now() + max(RETRY_S, left_s + 1.0))
        raise PhasegateError(f"{step} of {run} could not be written in {TRIES_MAX} tries; see: phasegate leases")

    def _report(self, run: Run, step: str, *, rows: list[RawRow] | None, error: str) -> bool:
        """Write rows and report them, or that there are none; tell whether it could: somebody else may be at it."""
        try:
            with self.pipeline.begin(str(run), step=step) as begun:
                if rows is None:
                    begun.fail(error)
                else:
                    begun.write(rows)
                    begun.complete()
        except (Busy, Contended, LeaseLost, Fenced):
            return False
        return True

    def _at_once(self, bodies: list[Callable[[], bool]]) -> list[bool]:
        """Run bodies at the same time, each as a process of its own, and return their answers in any order.

        One that died is started again.
        """
        answers: list[bool] = []
        failures: list[BaseException] = []

        def run(body: Callable[[], bool]) -> None:
            try:
                while not self._crashes.live(lambda: answers.append(body())):
                    pass  # its supervisor starts it again at once
            except BaseException as e:  # noqa: BLE001  raised again below, in the caller's thread
                failures.append(e)

        if len(bodies) == 1:
            run(bodies[0])
        else:
            threads = [threading.Thread(target=run, args=(body,)) for body in bodies]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if failures:
            raise failures[0]
        return answers
