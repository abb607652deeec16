"""What failed while an action worked: steps, documents and workers."""

from typing import TYPE_CHECKING

from phasegate.base.codec import FAILURES_FIELD
from phasegate.base.dates import local_date, shift
from phasegate.errors import BadDocument
from phasegate.explain.overview import DeadLetter
from phasegate.scan import DUE_MAX, due
from phasegate.work.pool import Stop

if TYPE_CHECKING:
    from phasegate.pipeline import Pipeline

SHOWN = 200
WORKED_DAYS = 7
"""How far back what died is looked for, besides in runs that are not settled."""


class WatchedWork:
    """The workers of one action, and what was dead or failing before.

    ``stop``: ends the work.
    """

    def __init__(self, pipeline: "Pipeline", *, stop: Stop) -> None:
        self._pipeline, self._stop = pipeline, stop
        today = local_date(pipeline.ports.clock.now(), timezone=pipeline.plan.timezone)
        self._first = shift(today, -WORKED_DAYS)
        self._errors, self._broken = list[str](), list[BadDocument]()
        self._dead, self._failing = set(self._dead_now()), self._failing_now()

    def go_on(self) -> bool:
        """Work until nothing is left; return False if it failed or stopped."""
        self._errors += self._pipeline.run_workers(until_idle=True, stop=self._stop)
        return not self._errors and not self._stop()

    def failed(self) -> list[str]:
        """Return what failed since the beginning, and what was not done."""
        self._broken.clear()
        dead = [f"dead: {letter.kind} {letter.subject}{f' of {letter.run}' if letter.run else ''}: {letter.reason}"
                for one, letter in self._dead_now().items() if one not in self._dead]  # fmt: skip
        failing = [f"{key} could not be handled, and is put off: phasegate reconcile"
                   for key, times in self._failing_now().items() if times > self._failing.get(key, 0)]  # fmt: skip
        broken = sorted({str(error) for error in self._broken})
        stopped = ["stopped before the end"] if self._stop() else []
        return [*stopped, *self._errors, *failing[:SHOWN], *dead[:SHOWN], *broken[:SHOWN]]

    def _dead_now(self) -> dict[tuple[str, str, str, float], DeadLetter]:
        found = self._pipeline.views.dead(first=self._first, broken=self._broken)
        return {(one.kind, one.subject, one.run, one.at): one for one in found}

    def _failing_now(self) -> dict[str, int]:
        """Return how often each document that is due some time has failed."""
        name, store = self._pipeline.plan.pipeline, self._pipeline.ports.store
        kinds = (f"calendar:{name}:", f"phase:{name}:", f"mirror:{name}:", "lease:")
        counted = {doc.key: doc.body.get(FAILURES_FIELD) for doc in due(store, DUE_MAX, prefixes=kinds)}
        return {key: number for key, number in counted.items() if isinstance(number, int) and number}
