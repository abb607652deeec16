"""For tests: adapter contracts, the simulator, faults to inject.

The simulator needs ``pip install phasegate[testing]``; import it from ``phasegate.testing.simulator``.
"""

from phasegate.testing.crashes import Crashes, ProcessCrashed
from phasegate.testing.faults import FaultyBus

__all__ = ["Crashes", "FaultyBus", "ProcessCrashed"]
