"""The time that deduplicate() takes on box scores.

A list of dicts, a Polars frame, an Arrow table. Run: python -m benchmarks dedup. A fifth of the rows are duplicates; of
these, half are newer versions and half equal. 348 rows are one night, 26,306 a season, 260,000 ten seasons. Each figure
is the best of five.
"""

import argparse
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl

from phasegate.dedup.deduplicate import deduplicate

SIZES = (348, 26_306, 260_000)
START = datetime(2024, 10, 22, tzinfo=UTC)
STATS = ("points", "assists", "steals", "blocks", "turnovers", "fg_made", "fg_attempts", "plus_minus")
KEY = ("game_date", "player_lookup")


def box_scores(count: int, *, rng: random.Random) -> list[dict[str, object]]:
    distinct = count - count // 5
    rows = [
        {
            "game_date": (START + timedelta(days=n // 200)).date().isoformat(),
            "player_lookup": f"player{n % 200:03}",
            "at": START + timedelta(seconds=n),
            **{name: rng.randint(0, 40) for name in STATS},
        }
        for n in range(distinct)
    ]
    for n, row in enumerate(rng.choices(rows, k=count - distinct)):
        rows.append(dict(row) if n % 2 else {**row, "at": START + timedelta(days=400, seconds=n), "points": n})
    rng.shuffle(rows)
    return rows


def best_ms(work: Callable[[], object], *, times: int = 5) -> float:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken) * 1000


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks dedup")
    parser.add_argument("--quick", action="store_true")
    sizes = SIZES[:1] if parser.parse_args(argv).quick else SIZES
    print(f"{'rows':>8} {'removed':>8} {'list ms':>9} {'Polars ms':>10} {'Arrow ms':>9}")
    for count in sizes:
        rows = box_scores(count, rng=random.Random(7))
        frame = pl.DataFrame(rows)
        table = frame.to_arrow()
        removed = deduplicate(rows, KEY, "at").removed
        times = [best_ms(lambda given=given: deduplicate(given, KEY, "at")) for given in (rows, frame, table)]  # type: ignore[misc]
        print(f"{count:>8,} {removed:>8,} {times[0]:>9.1f} {times[1]:>10.1f} {times[2]:>9.1f}")
