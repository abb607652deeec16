"""Hand-offs between the phases of a data pipeline that fire once per change, lose nothing, and say why.

Start with ``connect``; everything else follows from what it returns.
"""

from phasegate.core.calendar import Day as CalendarDay
from phasegate.core.dedup import Deduplicated, deduplicate
from phasegate.core.explain import PhaseView
from phasegate.core.keys import parse_run
from phasegate.core.plan import Plan
from phasegate.core.plan_toml import load_plan
from phasegate.core.receipt import Receipt
from phasegate.errors import (
    BadInput,
    Busy,
    Contended,
    Fenced,
    ForeignStore,
    LeaseLost,
    Moved,
    NotFound,
    Partial,
    PhasegateError,
    Transient,
    Unavailable,
)
from phasegate.observe import CountingObserver
from phasegate.service.pipeline import Pipeline
from phasegate.service.reading import Reading
from phasegate.service.stepping import StepRun
from phasegate.system import SkippingClock, SystemClock
from phasegate.wiring import connect, read_plan

__version__ = "0.1.0"

__all__ = [
    "BadInput",
    "Busy",
    "CalendarDay",
    "Contended",
    "CountingObserver",
    "Deduplicated",
    "Fenced",
    "ForeignStore",
    "LeaseLost",
    "Moved",
    "NotFound",
    "Partial",
    "PhaseView",
    "PhasegateError",
    "Pipeline",
    "Plan",
    "Reading",
    "Receipt",
    "SkippingClock",
    "StepRun",
    "SystemClock",
    "Transient",
    "Unavailable",
    "__version__",
    "connect",
    "deduplicate",
    "load_plan",
    "parse_run",
    "read_plan",
]
