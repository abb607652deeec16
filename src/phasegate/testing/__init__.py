"""For tests: adapter contracts, the simulator, faults to inject.

The contracts and the simulator need ``pip install phasegate[testing]``, and are imported on first use; import the
simulator from ``phasegate.testing.simulator``.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from phasegate.testing.crashes import Crashes, ProcessCrashed
from phasegate.testing.faults import FaultyBus

if TYPE_CHECKING:
    from phasegate.testing.bus_contract import BusContract
    from phasegate.testing.store_contract import StoreContract
    from phasegate.testing.warehouse_contract import WarehouseContract

__all__ = ["BusContract", "Crashes", "FaultyBus", "ProcessCrashed", "StoreContract", "WarehouseContract"]
# pytest and Hypothesis are an extra, and take 300 ms to import
_LAZY = {
    "BusContract": "phasegate.testing.bus_contract",
    "StoreContract": "phasegate.testing.store_contract",
    "WarehouseContract": "phasegate.testing.warehouse_contract",
}


def __getattr__(name: str) -> object:
    """Import a contract when it is first asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
