"""For tests, ours and yours: the contracts every adapter must keep, the simulator, faults to inject.

The simulator needs ``pip install phasegate[testing]``; import it from ``phasegate.testing.simulator``.
"""

from phasegate.testing.crashes import Crashes, ProcessDied
from phasegate.testing.faults import FaultyBus

__all__ = ["Crashes", "FaultyBus", "ProcessDied"]
