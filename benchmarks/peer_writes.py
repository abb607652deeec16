"""Models of how two instances write one date, and the same two on Phasegate.

The first is started for the older rows, the second when newer ones have arrived. A seed decides who goes on, and may
have one stand still for longer than its lock lasts. A lock is released by any process, as the platform's was.
"""

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import date, timedelta

import phasegate

OLDER, NEWER, PLAYERS = 1, 2, ("ann", "bob", "cal")
LOCK_TICKS, TICK_S, STANDS = 3, 20.0, 0.25
Row = tuple[str, int]
PLAN = """
pipeline = "bench"
timezone = "UTC"
[phase.raw]
[step.table]
phase = "raw"
external = true
table = "raw.table"
key = ["day", "player"]
partition = "day"
write = "replace"
columns = { day = "DATE", player = "VARCHAR", version = "INTEGER" }
"""


class Date:
    """One date: the version of its raw rows, the rows that were written, and a lock that expires."""

    def __init__(self) -> None:
        self.raw, self.rows = OLDER, list[Row]()
        self.now, self._locked_until = 0, 0

    def tick(self) -> None:
        """Let a moment pass."""
        self.now += 1

    def acquire(self) -> bool:
        """Take the lock; return whether it was free, or has expired."""
        if self.now < self._locked_until:
            return False
        self._locked_until = self.now + LOCK_TICKS
        return True

    def release(self) -> None:
        """Release the lock, whatever process took it."""
        self._locked_until = 0

    def built(self) -> list[Row]:
        """Return the rows that the raw ones make now."""
        return [(player, self.raw) for player in PLAYERS]


Instance = Callable[[Date], Iterator[None]]


def unlocked(on: Date) -> Iterator[None]:
    """Delete and insert, as two statements."""
    rows = on.built()
    yield
    on.rows = []
    yield
    on.rows = on.rows + rows


def skipping(on: Date) -> Iterator[None]:
    """Delete and insert in one transaction, under a lock; where it is held, end with success."""
    if on.acquire():
        rows = on.built()
        yield
        on.rows = rows
        on.release()


def waiting(on: Date) -> Iterator[None]:
    """Delete and insert in one transaction, under a lock; where it is held, wait for it."""
    while not on.acquire():
        yield
    rows = on.built()
    yield
    on.rows = rows
    on.release()


MODELS: dict[str, Instance] = {
    "delete, then insert": unlocked,
    "a lock that expires; held: success": skipping,
    "a lock that expires; held: wait": waiting,
}


class Guarded(Date):
    """The date in a table of Phasegate."""

    def __init__(self, pipeline: phasegate.Pipeline, day: str) -> None:
        super().__init__()
        self.pipeline, self.day = pipeline, day

    def tick(self) -> None:
        """Let a moment pass, on the clock of the pipeline too."""
        super().tick()
        self.pipeline.ports.clock.sleep(TICK_S)

    def stored(self) -> list[Row]:
        """Return the rows in the table."""
        rows = self.pipeline.query(f"SELECT player, version FROM raw.table WHERE day = DATE '{self.day}'")
        return [(str(row["player"]), int(str(row["version"]))) for row in rows]


def guarded(on: Date) -> Iterator[None]:
    """Write by ``run.write``; where the lease is held, wait for it."""
    assert isinstance(on, Guarded)
    with ExitStack() as stack:
        run: phasegate.StepRun | None = None
        while run is None:
            try:
                run = stack.enter_context(on.pipeline.begin(f"{on.day}.daily", step="table"))
            except phasegate.Busy:
                yield
        rows = [{"day": on.day, "player": player, "version": version} for player, version in on.built()]
        yield
        run.write(rows)
        run.complete()


def play(instance: Instance, on: Date, *, rng: random.Random) -> int:
    """Run the two instances of a seed to their ends; return how many writes were refused."""
    running, refused = [instance(on)], 0
    stands: dict[Iterator[None], int] = {}
    for _ in range(rng.randrange(3)):
        on.tick()
        running = [one for one in running if next(one, 0) is None]
    on.raw = NEWER
    running.append(instance(on))
    while running:
        on.tick()
        able = [one for one in running if stands.get(one, 0) <= on.now]
        if not able:
            continue
        one = rng.choice(able)
        if rng.random() < STANDS:
            stands[one] = on.now + LOCK_TICKS + 1
            continue
        running.remove(one)
        try:
            if next(one, 0) is None:
                running.append(one)
        except (phasegate.LeaseLost, phasegate.Fenced):
            refused += 1
            running.append(instance(on))  # an error: its message comes again
    return refused


def main(*, seeds: int) -> bool:
    """Print the table; return whether Phasegate lost or doubled nothing."""
    print(f"\n{'a date, written by two instances':<42}{'newer lost':>12}{'rows doubled':>14}{'writes refused':>16}")
    for name, instance in MODELS.items():
        print(modelled(name, instance, seeds=seeds))
    with (
        tempfile.TemporaryDirectory() as state,
        closing(
            phasegate.connect(phasegate.load_plan(PLAN), state=state, clock=phasegate.SkippingClock(), log_level="none",
                              lease_ttl_s=LOCK_TICKS * TICK_S, hold_ms=60_000)
        ) as pipeline,
    ):  # fmt: skip
        days = [(date(2026, 1, 1) + timedelta(days=seed)).isoformat() for seed in range(seeds)]
        guards = [Guarded(pipeline, day) for day in days]
        refused = sum(play(guarded, on, rng=random.Random(seed)) for seed, on in enumerate(guards))
        lost, doubled = wrong([on.stored() for on in guards])
        print(_line("Phasegate", lost, doubled, refused=refused))
    return (lost, doubled) == (0, 0)


def modelled(name: str, instance: Instance, *, seeds: int) -> str:
    """Return the line of a model."""
    dates = [Date() for _ in range(seeds)]
    for seed, on in enumerate(dates):
        play(instance, on, rng=random.Random(seed))
    lost, doubled = wrong([on.rows for on in dates])
    return _line(name, lost, doubled, refused=0)


def wrong(tables: list[list[Row]]) -> tuple[int, int]:
    """Count the dates that lack a newer row, and the rows beyond the first of their key."""
    lost = sum(not {(player, NEWER) for player in PLAYERS} <= set(rows) for rows in tables)
    return lost, sum(count - 1 for rows in tables for count in Counter(player for player, _ in rows).values())


def _line(name: str, lost: int, doubled: int, *, refused: int) -> str:
    return f"{name:<42}{lost:>12}{doubled:>14}{refused:>16}"
