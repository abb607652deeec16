"""A fortnight with everything going wrong, then a backfill of what drifted: does it end as the undisturbed one does.

Run: python -m benchmarks disturbed. With NBA_DATA (default ../shared/nba): 1 to 14 December 2024, else, or with
--quick, synthetic nights. Box scores come days late on some dates; messages come twice and in any order; processes die
at port calls; two of everything run at once. Exits with 1 if a table's digest differs.
"""

import argparse
import os
import tempfile
from datetime import date
from pathlib import Path

from nba_props.faults import parse_faults
from nba_props.runner import Runner
from nba_props.sources import Source
from nba_props.sources.parquet import ParquetSource
from nba_props.sources.synthetic import SyntheticSource
from nba_props.tally import Replay
from phasegate.service.backfill import Order

FAULTS = "duplicate=3,reorder,late=0.2,late_dates=0.3,late_days=4,crash=0.02,concurrent=2,seed=7"
DATES = (date(2024, 12, 1), date(2024, 12, 14))
QUICK = (date(2026, 2, 1), date(2026, 2, 2))


def calm(source: Source, *, first: date, last: date) -> Replay:
    """Return what the dates leave when nothing goes wrong."""
    with tempfile.TemporaryDirectory() as state:
        runner = Runner(source, state=Path(state))
        try:
            return runner.run(first, last)
        finally:
            runner.close()


def disturbed(source: Source, *, first: date, last: date, faults: str) -> tuple[Replay, Replay, list[str]]:
    """Return what the faults leave, what is there after the backfill, and the runs that had drifted."""
    with tempfile.TemporaryDirectory() as state:
        runner = Runner(source, state=Path(state), faults=parse_faults(faults))
        try:
            before = runner.run(first, last)
            builds = dict(runner.tally.builds)
            pipeline = runner.pipeline
            drifted = sorted({view.run for view in pipeline.overview.phases() if view.drifted})
            if drifted:
                order = Order(first=drifted[0][:10], last=drifted[-1][:10], cascade=True)

                def work() -> bool:
                    runner.work()
                    return True

                pipeline.backfill.carry_out(order, pipeline.backfill.items(order), work=work, told=lambda *_: None)
            after = runner.summary(dates=before.dates, games=before.games, seconds=before.seconds)
            runner.tally.builds = {step: n - builds.get(step, 0) for step, n in runner.tally.builds.items()}
            return before, after, drifted
        finally:
            runner.close()


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks disturbed")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--faults", default=FAULTS)
    given = parser.parse_args(argv)
    folder = Path(os.environ.get("NBA_DATA", "../shared/nba"))
    real = folder.is_dir() and not given.quick
    source: Source = ParquetSource(folder) if real else SyntheticSource()
    first, last = DATES if real else QUICK
    wanted = calm(source, first=first, last=last)
    before, after, drifted = disturbed(source, first=first, last=last, faults=given.faults)
    rows = (
        ("dates", before.dates),
        ("processes that died", before.crashes),
        ("runs that drifted and were named", len(drifted)),
        ("tables that differ before the backfill", sum(before.tables[t] != wanted.tables[t] for t in wanted.tables)),
        ("steps built by the backfill", sum(after.tally.builds.values())),
        ("tables that differ after it", sum(after.tables[t] != wanted.tables[t] for t in wanted.tables)),
        ("not settled, dead", len(after.unsettled) + after.dead_letters),
    )
    print(f"{first} to {last}: {given.faults}")
    for name, number in rows:
        print(f"{name:42}{number:>8}")
    for line in after.unsettled:
        print(line)
    if after.tables != wanted.tables or after.unsettled or after.dead_letters:
        raise SystemExit(1)
