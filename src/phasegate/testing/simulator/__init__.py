"""The simulator: the real service code on ports in memory.

Every port call is a switch point between greenlets. One seed decides everything that can go wrong: crashes before and
after a commit, unanswered writes, lost, late, doubled and reordered messages, clock skew, and pauses longer than a
lease. The same seed gives the same schedule again.
"""

from phasegate.testing.simulator.interleaver import Crash, Faults
from phasegate.testing.simulator.invariants import Violation
from phasegate.testing.simulator.world import ScheduleResult, World, simulate

__all__ = ["Crash", "Faults", "ScheduleResult", "Violation", "World", "simulate"]
