"""The platform's processor API, implemented on Phasegate.

The names are those that its processors call. On that night each processor took a lock without a fence, removed
duplicates that the next write restored, and reported "complete" to a counter. Here the lock is a lease with a token,
the write one fenced transaction that replaces or merges the date, and the report names the receipt of that write.

A processor refuses to write a table whose key differs from the plan's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, ClassVar

from phasegate import BadInput, Busy, Pipeline, Receipt, StepRun, deduplicate

Record = Mapping[str, Any]
PHASE = "phase_3_analytics"


class AnalyticsProcessor(ABC):
    """One external step of a plan, as a class.

    Subclasses set `step`: the step in the plan; `PRIMARY_KEY_FIELDS`: the key of its table, without its date if you
    like, because a processor works on one date; `version_field`: the column by which the newer of two records is found,
    None: the version of the plan's table, and without one the last record given is stored.

    After a save, `duplicates_removed` counts the records that were left out, and `duplicates_undecided` the keys whose
    records differ though none is newer.
    """

    step: ClassVar[str]
    PRIMARY_KEY_FIELDS: ClassVar[Sequence[str]]
    version_field: ClassVar[str | None] = None

    def __init__(self, pipeline: Pipeline, *, mode: str) -> None:
        known = pipeline.plan.steps.get(self.step)
        if known is None or known.kind != "external" or known.table is None:
            raise BadInput(f"{type(self).__name__}: {self.step!r} is no external step with a table in this plan")
        if {*self.PRIMARY_KEY_FIELDS, known.table.partition} != set(known.table.key):
            raise BadInput(f"{type(self).__name__}: PRIMARY_KEY_FIELDS {list(self.PRIMARY_KEY_FIELDS)} are not the key "
                           f"of {known.table.name}, {list(known.table.key)}; make them the same")  # fmt: skip
        self.pipeline, self._mode = pipeline, mode
        self._version = self.version_field or known.table.version
        self._held = ExitStack()
        self._run: StepRun | None = None
        self._trigger = ""
        self.records: list[Record] = []
        self.duplicates_removed = self.duplicates_undecided = 0
        self.receipt: Receipt | None = None

    @abstractmethod
    def calculate_analytics(self, game_date: str) -> Sequence[Record]:
        """Return the records of a date."""

    def run(self, game_date: str) -> bool:
        """Lock, calculate, deduplicate, save, report and unlock.

        Return False while another process holds the lock. Where a result of the present inputs is accepted, nothing is
        done, and there is no receipt. An error is reported as a failed attempt, and raised; the lock is released in any
        case.
        """
        if not self.acquire_processing_lock(game_date):
            return False
        with self._held.pop_all() as held:
            self._held = ExitStack()
            held.callback(self._forget)
            assert self._run is not None, "the lock was acquired"
            if not self._run.needed:
                self._run.complete(status="skipped")
                return True
            self.records = list(self.calculate_analytics(game_date))
            self.save_analytics()
        return True

    def acquire_processing_lock(self, game_date: str) -> bool:
        """Take the lease on the date's partition; it renews itself.

        Return False while another process holds it.
        """
        if self._run is not None:
            raise BadInput(f"{type(self).__name__}: holds a lock already; release_processing_lock() first")
        try:
            self._run = self._held.enter_context(self.pipeline.begin(f"{game_date}.{self._mode}", step=self.step))
        except Busy:
            return False
        self._trigger = self._run.trigger_id
        return True

    def release_processing_lock(self) -> None:
        """Release the lease.

        Without a save before, the attempt is reported as failed, so nothing waits for it.
        """
        self._forget()
        self._held.close()

    def deduplicate_before_write(self, records: Sequence[Record], key_fields: Sequence[str]) -> list[Record]:
        """Return one record per key, the newest.

        Raises BadInput for a key that is null or missing, and for versions that are no numbers, dates or times.
        """
        done = deduplicate(records, key=list(key_fields), version=self._version)
        self.duplicates_removed, self.duplicates_undecided = done.removed, done.ties
        return done.records

    def save_analytics(self) -> Receipt:
        """Write `records` in one fenced transaction and report its receipt.

        Raises BadInput without the lock.
        """
        if self._run is None:
            raise BadInput(f"{type(self).__name__}: save_analytics() without the lock; acquire_processing_lock() first")
        rows = self.deduplicate_before_write(self.records, self.PRIMARY_KEY_FIELDS)
        self.receipt = self._run.write(rows)
        self._run.complete(rows=self.receipt.rows)
        return self.receipt

    def completion(self) -> dict[str, object]:
        """Return the message by which the platform's processors report.

        Its execution is the write, so that the accepted write is recognised and read no second time. Raises BadInput
        before a save.
        """
        if self.receipt is None:
            raise BadInput(f"{type(self).__name__}: completion() without a save; save_analytics() first")
        at = datetime.fromtimestamp(self.receipt.committed_at, UTC)
        return {
            "processor_name": type(self).__name__,
            "phase": PHASE,
            "execution_id": self.receipt.write_id,
            "correlation_id": self._trigger,
            "game_date": self.receipt.partition,
            "mode": self._mode,
            "output_table": self.receipt.table,
            "status": "success" if self.receipt.rows else "no_data",
            "record_count": self.receipt.rows,
            "timestamp": at.isoformat(timespec="microseconds"),
            **({"build": self.receipt.build} if self.receipt.build else {}),
        }

    def _forget(self) -> None:
        self._run = None
