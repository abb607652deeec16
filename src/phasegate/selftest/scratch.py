"""Places for throw-away pipelines: SQLite and DuckDB in a temp folder."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from phasegate.base.disk import Disk
from phasegate.calendar.month import Day
from phasegate.observe.counting import CountingObserver
from phasegate.pipeline import Pipeline
from phasegate.plan.model import Plan
from phasegate.selftest.scene import DATE, EARLIER
from phasegate.settings import load_settings
from phasegate.system import SkippingClock
from phasegate.wiring import SETTINGS_FILE, open_ports


class ScratchFolder:
    """One such place; its pipelines store nothing outside the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def open(self, plan: Plan, /, *, at: float, disk: Disk | None = None) -> Iterator[Pipeline]:
        """Open the pipeline at a given time (epoch seconds), on a given disk."""
        settings = load_settings({}, file=self.folder / SETTINGS_FILE, overrides={"state": self.folder})
        ports = open_ports(settings, pipeline=plan.pipeline, clock=SkippingClock(at), observer=CountingObserver())
        room = disk or Disk(path=str(self.folder), free=10**12, total=10**12)
        with closing(Pipeline(plan, ports, dates=dates, disks=lambda: [room])) as pipeline:
            yield pipeline

    def sql(self, text: str, /, *params: object) -> None:
        """Change the warehouse past Phasegate."""
        import duckdb  # slow to import; help pages do not need it

        with closing(duckdb.connect(str(self.folder / "warehouse.duckdb"))) as db:
            db.execute(text, params)


def dates(first: date, last: date) -> Iterator[Day]:
    """Yield the dates of a span: EARLIER and DATE with work, others without."""
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        on = date.fromordinal(ordinal).isoformat()
        yield Day(date=on, state="work" if on in (EARLIER, DATE) else "none")


@contextmanager
def scratch() -> Iterator[ScratchFolder]:
    """Yield a place, and delete it after the block."""
    with TemporaryDirectory(prefix="phasegate-") as folder:
        yield ScratchFolder(Path(folder))
