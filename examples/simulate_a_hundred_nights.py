# ruff: noqa: INP001, T201 - a script, which prints to its terminal
"""Play seeds of the simulator: the real service code, with faults.

Crashes, lost answers, duplicates and wrong clocks. ``python examples/simulate_a_hundred_nights.py [SEEDS]``; needs the
extra ``testing``.
"""

import sys

from phasegate.testing.simulator import simulate

seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
outcomes = [simulate(seed) for seed in range(seeds)]
for outcome in outcomes:
    if outcome.violation:
        print(f"seed {outcome.seed}: {outcome.violation}\nplay it again: {outcome.replay}")
calls, crashes = sum(o.calls for o in outcomes), sum(o.crashes for o in outcomes)
broken = sum(bool(o.violation) for o in outcomes)
print(f"{seeds} seeds, {calls} port calls, {crashes} crashes, {broken} promises broken")
sys.exit(1 if broken else 0)
