"""The scrapers of a replay: fetch, write, report, and log each fetch.

A date is brought in mode by mode: tomorrow and same_day with the schedule and the lines, overnight with the box scores
and the recorded shots. The modes that a replay leaves out are void, so that they are not expected.

Scrapers do not depend on how a hand-off works: that is Phasegate's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import partial
from typing import NamedTuple, TypeAlias, cast
from zoneinfo import ZoneInfo

from nba_props.notices import Notice, between
from nba_props.raw import COLUMNS, TABLE, TAKEN_BACK, VERSION, RawRow
from nba_props.raw_games import hold_back
from nba_props.replay.faults import Faults
from nba_props.replay.fetch_log import Recorder
from nba_props.replay.options import MODE
from nba_props.replay.processes import Processes
from nba_props.replay.spool import Spool
from nba_props.sources import Source
from nba_props.sources.batches import split_late
from phasegate import BadInput, Busy, Contended, Fenced, LeaseLost, Partial, PhasegateError, Pipeline, Plan, parse_run

LEFT_OUT = "this replay does not play it"
GAMEBOOK = "nbac_gamebook_player_stats"
LOG = "scraper_execution_log"
ASKING = "dates"
LOG_TABLE = "nba_raw.scraper_execution_log"
SCHEDULE = "nbac_schedule"
PROPS = "odds_api_player_points_props"
TRIES_MAX = 1_000
RETRY_S = 5.0

Fetch: TypeAlias = tuple[str, Callable[[], list[RawRow]]]


class Run(NamedTuple):
    """A date in a mode, in Phasegate's spelling."""

    date: str
    mode: str

    def __str__(self) -> str:
        return f"{self.date}.{self.mode}"


class Stopped(Exception):
    """Raised in the threads of a replay that is being stopped."""


def has_table(pipeline: Pipeline, table: str) -> bool:
    """Return whether a table was ever written."""
    schema, name = table.split(".")
    return bool(pipeline.query(
        "SELECT 1 AS there FROM information_schema.tables WHERE table_schema = $schema AND table_name = $name",
        {"schema": schema, "name": name},
    ))  # fmt: skip


def begins(plan: Plan, day: date, mode: str) -> datetime | None:
    """Return when the clock opens the run of a mode before the games.

    None for the mode after them.
    """
    at = plan.phases["raw"].modes[mode].start.at
    if mode == MODE or at is None or at.local is None:
        return None
    moment = at.at(parse_run(f"{day}.{mode}"), timezone=plan.timezone, opened_at=0.0)
    return datetime.fromtimestamp(moment, ZoneInfo(plan.timezone))


class Scrapers:
    """All scrapers of one source, in the modes that are played.

    One date at a time. `games`: the ids of the games of each date that was brought in. `held_back`: dates of which
    faults have held box scores back. `refused`: the refused writes and reports with their reasons, each once.
    """

    def __init__(
        self, source: Source, *, pipeline: Pipeline, modes: Sequence[str], faults: Faults, processes: Processes,
        lines: Spool,
    ) -> None:  # fmt: skip
        self._source, self._pipeline, self._modes, self._faults = source, pipeline, tuple(modes), faults
        self._processes, self._lines = processes, lines
        self.games: dict[date, set[object]] = {}
        self.held_back: set[date] = set()
        self._blocked: dict[date, str] = {}
        self.refused = dict.fromkeys(
            f"{path} has lines of fetches that cannot be read; check them, and remove it" for path in lines.unreadable
        )
        self._impossible: dict[date, list[Notice]] = {}
        self._written: tuple[date, list[RawRow] | None] | None = None

    def dates(self, first: date, last: date) -> list[date]:
        """Fetch which dates have games, or had some that were taken back.

        The line of this fetch is written with the first of the dates.

        Raises what the source raises, after the line is stored.
        """
        fetched = self._recorder(ASKING).fetch(SCHEDULE, first, call=lambda: self._source.dates(first, last))
        self._lines.add(fetched.log | {"game_date": fetched.rows[0] if fetched.rows else first})
        if not fetched.rows:
            self._write_log()
        if fetched.error is not None:
            raise fetched.error
        return sorted({*(fetched.rows or []), *self._stored_dates(first, last)})

    def _stored_dates(self, first: date, last: date) -> list[date]:
        """Return the dates with stored box scores."""
        if not has_table(self._pipeline, TABLE):
            return []
        rows = self._pipeline.query(
            f"""SELECT DISTINCT game_date FROM {TABLE}
            WHERE game_date BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)""",
            {"first": first.isoformat(), "last": last.isoformat()},
        )
        return [cast("date", row["game_date"]) for row in rows]

    def bring(self, day: date, box: Callable[[], list[RawRow]] | None = None) -> None:
        """Bring a date in, mode by mode.

        `box` returns its box scores instead of the source.
        """
        is_left_out = self._leave_out(day)
        try:
            for mode, fetches in self._fetches(day, box or partial(self._box, day)):
                self._scrape(day, mode, fetches)
        finally:
            self._write_log()
        if not is_left_out:  # the calendar did not have the date at first
            self._leave_out(day)

    def bring_late(self, day: date, rows: list[RawRow] | None = None) -> None:
        """Bring the whole box scores of a date in.

        `rows` None: the source has them.
        """
        box = partial(self._source.batch, day) if rows is None else partial(list, rows)
        self._scrape(day, MODE, [(GAMEBOOK, box)])
        self._write_log()

    def bring_blocked(self) -> bool:
        """Bring the box scores in again that rows of another date kept out.

        Those rows may be gone by now, such as those of a moved game. Return whether there were any.
        """
        blocked, self._blocked = self._blocked, {}
        for day, refusal in blocked.items():
            self.refused.pop(refusal, None)
            self.bring_late(day)
        return bool(blocked)

    def _recorder(self, workflow: str) -> Recorder:
        return Recorder.of(self._source, workflow, now=self._processes.clock.now, notices=self._notices)

    def _notices(self, first: date, last: date) -> list[Notice]:
        held = [notice for notices in self._impossible.values() for notice in notices]
        return [*self._source.notices(first, last), *between(held, first, last)]

    def _possible(self, day: date, box: Callable[[], list[RawRow]]) -> list[RawRow]:
        """Fetch box scores; hold back the games that cannot be true.

        Each is named until the date is fetched without it. What must cover the schedule then lacks it, by its key.
        """
        rows, problems = hold_back(box())
        for notice in self._impossible.pop(day, ()):
            self.refused.pop(notice.text, None)
        notices = [Notice(TABLE, (day,), f"{GAMEBOOK} of {day} was held back: {problem.problem}; correct it at its "
                          "source, and run the date again", held_back=True) for problem in problems]  # fmt: skip
        self._impossible[day] = notices
        self.refused |= dict.fromkeys(notice.text for notice in notices)
        return rows

    def _fetches(self, day: date, box: Callable[[], list[RawRow]]) -> Iterator[tuple[str, list[Fetch]]]:
        """Yield what is fetched in each mode that is played, in order.

        The schedule is fetched before the games, and after them only if no run has written it then; the lines are
        fetched in each mode, as they were when its run began: after the games all of them.
        """
        # critical steps are last: an old date's deadlines have passed, so gates would fire without the rest
        schedule: Fetch = (SCHEDULE, lambda: self._source.schedule(day, day))
        after: list[Fetch] = [("nbac_shot_chart", lambda: self._source.shots(day)), (GAMEBOOK, box)]
        for mode in self._modes:
            fetches: list[Fetch] = [
                (PROPS, partial(self._source.props, day, at=begins(self._pipeline.plan, day, mode)))
            ]
            fetches += [schedule] if mode != MODE or not self._is_written(day, SCHEDULE) else []
            yield mode, [*fetches, *after] if mode == MODE else fetches

    def _is_written(self, day: date, step: str) -> bool:
        """Return whether a run before the games has a step's result.

        The run after the games then receives it.
        """
        for mode in self._modes:
            there = self._pipeline.runs.read("raw", parse_run(f"{day}.{mode}"))
            if mode != MODE and there is not None and there.void is None and there.result_of(step) is not None:
                return True
        return False

    def _taken_back(self, day: date, rows: list[RawRow], *, recorder: Recorder) -> list[RawRow]:
        """Return a deletion for each stored game that the date no longer has.

        Such as one that was moved to another date. A game that is not delivered stays while the source's schedule has
        it on the date, or does not cover the date.
        """
        delivered = {row["game_id"] for row in rows}
        gone = {game: row for game, row in self._stored_games(day).items() if game not in delivered}
        if not gone:
            return []
        fetched = recorder.fetch(SCHEDULE, day, call=lambda: self._source.schedule(day, day))
        if fetched.error is not None or not (fetched.rows or self._source.coverage(day, day)):
            return []
        scheduled = {row["game_id"] for row in fetched.rows or () if not row["postponed"]}
        return [{**row, TAKEN_BACK: True} for game, row in gone.items() if game not in scheduled]

    def _stored_games(self, day: date) -> dict[object, RawRow]:
        """Return the newest stored row of each game of a date."""
        if not has_table(self._pipeline, TABLE):
            return {}
        rows = self._pipeline.query(
            f"""SELECT {", ".join(COLUMNS)} FROM {TABLE}
            WHERE game_date = CAST($day AS DATE) ORDER BY {VERSION}, player_lookup""",
            {"day": day.isoformat()},
        )
        # It is stored in UTC, without a zone.
        return {row["game_id"]: {**row, VERSION: cast("datetime", row[VERSION]).replace(tzinfo=UTC)} for row in rows}

    def _box(self, day: date) -> list[RawRow]:
        """Fetch the box scores of a date.

        When faults ask for it, some games are held back, and arrive late.
        """
        rows = self._source.batch(day)
        # From the date: a replay that is started again splits it the same way.
        rng = random.Random(f"{self._faults.seed} {day}")
        self.held_back.discard(day)
        if not self._faults.late or rng.random() >= self._faults.late_dates:
            return rows
        early, late = split_late(rows, share=self._faults.late, rng=rng)
        if late:
            self.held_back.add(day)
        return early

    def _leave_out(self, day: date) -> bool:
        """Void the modes that are not played, and unvoid those that are.

        Return whether that was possible: a date that the calendar refuses is left as it is, because the reports are
        refused too, with the reason.
        """
        with suppress(BadInput):
            self._void_and_unvoid(day)
            return True
        return False

    def _void_and_unvoid(self, day: date) -> None:
        for mode in self._pipeline.plan.phases["raw"].modes:
            run = parse_run(f"{day}.{mode}")
            known = self._pipeline.runs.read("raw", run)
            # opened but not void: the process that was about to void it was killed
            if mode not in self._modes and (known is None or not (known.members or known.void)):
                self._pipeline.runs.void("raw", run, reason=LEFT_OUT)
            elif mode in self._modes and known is not None and known.void == LEFT_OUT:
                self._pipeline.runs.void("raw", run, reason=None)

    def _scrape(self, day: date, mode: str, fetches: Sequence[Fetch]) -> None:
        """Fetch, write and report; store the line of each fetch for the log."""
        recorder = self._recorder(mode)
        for step, call in fetches:
            self._go_on()
            fetched = recorder.fetch(step, day, call=partial(self._possible, day, call) if step == GAMEBOOK else call)
            self._lines.add(fetched.log)
            if step == GAMEBOOK or (step == SCHEDULE and MODE not in self._modes):
                self.games[day] = {row["game_id"] for row in fetched.rows or () if not row.get("postponed")}
            rows = fetched.rows
            if step == GAMEBOOK and rows is not None:
                rows = rows + self._taken_back(day, rows, recorder=recorder)
            # a result that was written for another mode is not written again: Phasegate propagates it to this run
            known = step == PROPS and self._written == (day, fetched.rows) and self._is_written(day, step)
            if not (known and mode == MODE):
                error = str(fetched.log["error_message"])
                self._deliver(Run(day.isoformat(), mode), step, rows=rows, error=error)
            self._written = (day, fetched.rows) if step == PROPS else self._written

    def _write_log(self) -> None:
        """Write the lines of fetches, once a date.

        Lines that a killed replay has left are included. Refused lines stay stored.
        """
        for day, lines in self._lines.held(until=self._processes.clock.now()).items():
            if self._deliver(Run(day.isoformat(), "log"), LOG, rows=lines):
                self._lines.drop(lines)

    def _deliver(self, run: Run, step: str, *, rows: list[RawRow] | None, error: str = "") -> bool:
        """Run every instance of a scraper until it has written and reported.

        An instance that could not tries again a little later. Return whether it was accepted, and not refused. Time
        moves on between the attempts only: a clock that ran during a write would let its lease expire.
        """
        accepted: list[bool] = []
        for tries in range(TRIES_MAX):
            if tries:
                self._go_on()
            left = self._faults.concurrent - len(accepted)
            answers = self._processes.at_once([lambda: self._report(run, step, rows=rows, error=error)] * left)
            accepted += [answer for answer in answers if answer is not None]
            if len(accepted) == self._faults.concurrent:
                return any(accepted)
            # a killed run may have left its lease at a time that it had skipped to
            left_s = min((lease.left_s for lease in self._pipeline.views.leases()), default=0.0)
            self._processes.wait_until(self._processes.clock.now() + max(RETRY_S, left_s + 1.0))
        raise PhasegateError(f"{step} of {run} could not be written in {TRIES_MAX} tries; see: phasegate leases")

    def _report(self, run: Run, step: str, *, rows: list[RawRow] | None, error: str) -> bool | None:
        """Write rows and report them, or report that there are none.

        Return whether that was accepted; None while another process holds the lease. A refused report, such as of a
        date that the calendar does not have, is shown in the summary.
        """
        try:
            with self._pipeline.begin(str(run), step=step) as begun:
                if rows is None:
                    begun.fail(error)
                else:
                    begun.write(rows)
                    begun.complete()
        except (Busy, Contended, LeaseLost, Fenced):
            return None
        except PhasegateError as e:
            refusal = f"{step} of {run} was refused: {e}"
            self.refused[refusal] = None
            if step == GAMEBOOK and isinstance(e, Partial):
                self._blocked[date.fromisoformat(run.date)] = refusal
            return False
        return True

    def _go_on(self) -> None:
        if self._processes.stopping.is_set():
            raise Stopped
