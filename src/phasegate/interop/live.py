"""Reads the newest of another system's documents where they are."""

from collections.abc import Iterator
from contextlib import closing

from phasegate.base.dates import shift
from phasegate.base.exported import Exported, Unread
from phasegate.base.keys import is_date
from phasegate.foreign import ForeignDocuments

# How far back a first document is looked for.
BACK_MAX_DAYS = 20 * 366


def live(foreign: ForeignDocuments, /, *, days: int | None, today: str) -> Iterator[Exported | Unread]:
    """Yield the documents of the last ``days`` dates, then close.

    None: of all dates. They end with the newest document up to ``today``. Others are not read, unless no id begins with
    a date.
    """
    with closing(foreign):
        if days is None:
            yield from foreign.documents()
            return
        first, last, span = shift(today, 1 - days), today, days
        while not (found := list(foreign.documents(first=first, last=last))) and span < BACK_MAX_DAYS:
            # twice as many each time: one query for each collection, also where nothing is found
            first, last, span = shift(first, -span), shift(first, -1), 2 * span
        if not found:
            yield from foreign.documents()
            return
        yield from found
        newest = max((one.id[:10] for one in found if isinstance(one, Exported) and is_date(one.id[:10])), default=last)
        if (oldest := shift(newest, 1 - days)) < first:
            yield from foreign.documents(first=oldest, last=shift(first, -1))
