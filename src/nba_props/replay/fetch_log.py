"""The log of fetches, `nba_raw.scraper_execution_log`.

It has a row for every fetch, whatever its result. A scraper that crashed must leave a trace: a date without a row is a
scraper that never ran, a row with `failed` one that could not, a row with `no_data` one that found nothing. Where rows
were left out or need a person, `error_message` has the reason though nothing failed: `error_type` is then NULL. A
recorder retries nothing and writes to no table.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Generic, Literal, NamedTuple, TypeVar

from nba_props.notices import Notice
from nba_props.raw import RawRow
from nba_props.sources import Source

MESSAGE_CHARS_MAX = 500

A = TypeVar("A")
Status = Literal["success", "no_data", "failed"]


class Fetched(NamedTuple, Generic[A]):
    """The rows of a fetch, its row of `raw_tables.SCRAPES`, and its error.

    `rows` is None when the fetch failed.
    """

    rows: list[A] | None
    log: RawRow
    error: Exception | None


class Recorder:
    """Runs fetches of one workflow from one source and describes each.

    `now`: epoch seconds. `new_id`: a new execution id at each call. `retries`: how many retries the source has made so
    far; the recorder takes the difference. `notices`: the notices about the dates from one to another.
    """

    def __init__(
        self,
        workflow: str,
        *,
        source: str,
        now: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        retries: Callable[[], int] = lambda: 0,
        notices: Callable[[date, date], Sequence[Notice]] = lambda first, last: (),  # noqa: ARG005  by position
    ) -> None:
        self._workflow, self._source = workflow, source
        self._now, self._new_id, self._retries, self._notices = now, new_id, retries, notices

    @classmethod
    def of(
        cls, source: Source, workflow: str, *, now: Callable[[], float] = time.time,
        notices: Callable[[date, date], Sequence[Notice]] | None = None,
    ) -> Recorder:  # fmt: skip
        """Return the recorder of a source.

        It has the source's name, its retries if it makes any, and its notices, unless others are given.
        """
        return cls(
            workflow,
            source=source.name,
            now=now,
            retries=lambda: source.retries,
            notices=notices or source.notices,
        )

    def fetch(self, scraper_name: str, day: date, *, call: Callable[[], list[A]]) -> Fetched[A]:
        """Call, and return the rows with a log row.

        An exception becomes status `failed` and no rows. Never half a batch: the rows are all that the call returned,
        or None. Only exceptions that stop the process (KeyboardInterrupt, SystemExit) are raised.
        """
        begun, retries = self._now(), self._retries()
        rows: list[A] | None = None
        error: Exception | None = None
        try:
            rows = call()
        except Exception as caught:  # noqa: BLE001  recorded in the log row; one scraper's failure must not end the others
            error = caught
        message = _one_line(str(error) or type(error).__name__) if error else self._noticed(scraper_name, day)
        ended = max(self._now(), begun)  # a clock set back must not make a duration negative
        return Fetched(
            rows,
            {
                "execution_id": self._new_id(),
                "scraper_name": scraper_name,
                "workflow": self._workflow,
                "game_date": day,
                "status": _status(rows),
                "triggered_at": datetime.fromtimestamp(begun, UTC),
                "completed_at": datetime.fromtimestamp(ended, UTC),
                "duration_seconds": round(ended - begun, 3),
                "source": self._source,
                "record_count": len(rows or []),
                "error_type": type(error).__name__ if error else None,
                "error_message": message or None,
                "retry_count": self._retries() - retries,
            },
            error,
        )

    def _noticed(self, scraper_name: str, day: date) -> str:
        return _one_line("; ".join(one.text for one in self._notices(day, day) if one.scraper == scraper_name))


def _status(rows: list[A] | None) -> Status:
    if rows is None:
        return "failed"
    return "success" if rows else "no_data"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:MESSAGE_CHARS_MAX]
