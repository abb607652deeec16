"""The contract of an operation: its actors, beside its promises."""

import random
from abc import ABC, abstractmethod

from phasegate.testing.simulator.outside import Outside
from phasegate.testing.simulator.promises import Promises


class Operation(Promises, ABC):
    """One kind of event beside the usual ones.

    ``rng``: what it draws from before the schedule starts.
    """

    name = ""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    @abstractmethod
    def start(self, outside: Outside) -> None:
        """Start the actors."""
