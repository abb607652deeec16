"""For tests, ours and yours: the contracts every adapter must keep, the simulator, faults to inject."""
