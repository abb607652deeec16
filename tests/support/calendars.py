"""A pipeline with a calendar whose source a test bends."""

from collections.abc import Callable, Iterable
from datetime import date, timedelta

from phasegate.calendar.month import Day, DayState
from phasegate.store import Doc
from phasegate.stores.memory import MemoryStore
from phasegate.warehouses.memory.warehouse import MemoryWarehouse
from tests.support.pipelines import PLAN, Shop, shop


class HeldUp(MemoryStore):
    """A store that lets others work once, between the first reading of a key and what follows of it."""

    held: tuple[str, Callable[[], None]] | None = None

    def read(self, key: str, /) -> Doc | None:
        doc = super().read(key)
        if self.held is not None and key.startswith(self.held[0]):
            (_, then), self.held = self.held, None
            then()
        return doc


NOON = 1_770_120_000.0  # 2026-02-03 12:00 UTC


LAST_END = NOON + 10 * 3600.0


WITH_CALENDAR = PLAN.replace('timezone = "UTC"', 'timezone = "UTC"\ncalendar = "made:dates"')


class Source:
    """A calendar's source that a test bends."""

    def __init__(self) -> None:
        self.none: set[str] = set()
        self.void: dict[str, str] = {}
        self.left_out: set[str] = set()
        self.fails = False
        self.asked = 0

    def __call__(self, first: date, last: date) -> Iterable[Day]:
        self.asked += 1
        if self.fails:
            raise ConnectionError("the source does not answer")
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        return [self._day(day.isoformat()) for day in days if day.isoformat() not in self.left_out]

    def _day(self, on: str) -> Day:
        kind: DayState = "void" if on in self.void else "none" if on in self.none else "work"
        return Day(date=on, state=kind, anchors={"last_game_end": LAST_END}, reason=self.void.get(on, ""))


def kept(plan: str = WITH_CALENDAR, *, source: Source | None = None) -> tuple[Shop, Source]:
    source = source or Source()
    made = shop(plan=plan, store=MemoryStore(), warehouse=MemoryWarehouse(), dates=source)
    made.clock.at = NOON
    return made, source


def held_up(plan: str = WITH_CALENDAR) -> tuple[Shop, Source, HeldUp]:
    source, store = Source(), HeldUp()
    made = shop(plan=plan, store=store, warehouse=MemoryWarehouse(), dates=source)
    made.clock.at = NOON
    return made, source, store
