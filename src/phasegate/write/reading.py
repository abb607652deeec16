"""The argument of a Python step's function: the run, and attested reads.

Reads are attested by stamps taken before the first of them: the write commits only if these have not changed.
"""

from collections.abc import Callable, Mapping, Sequence

from phasegate.base.keys import Run
from phasegate.base.receipt import Stamp
from phasegate.plan.model import Plan
from phasegate.warehouse import Params, Warehouse
from phasegate.write.inputs import stamps_now


class Reading:
    """The argument of a Python step's function, which returns the step's rows."""

    def __init__(
        self, plan: Plan, warehouse: Warehouse, *, asked: Mapping[str, Stamp], run: Run, check: Callable[[], None],
        params: Params,
    ) -> None:  # fmt: skip
        self._warehouse, self._run, self._check, self._params = warehouse, run, check, params
        with warehouse.snapshot() as reader:
            self.before = stamps_now(plan, reader, asked=asked, run=run)

    @property
    def date(self) -> str:
        """Return the run's date, ISO."""
        return self._run.date

    @property
    def mode(self) -> str:
        """Return the run's mode."""
        return self._run.mode

    def read(self, sql: str, params: Params | None = None) -> Sequence[dict[str, object]]:
        """Return the rows of a SELECT; ``$run_date`` is bound if it is used.

        So is ``$season_start``, in a step with a window of the season.
        The write that follows commits only if no input was written since the step began.
        Raises LeaseLost once another worker may hold the step's partition: do not catch it.
        """
        self._check()
        used = {name: value for name, value in self._params.items() if f"${name}" in sql}
        bound = {**used, **(params or {})}
        with self._warehouse.snapshot() as reader:
            return reader.query(sql, bound)
