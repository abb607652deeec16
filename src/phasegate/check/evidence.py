"""The facts of an inspection that the warehouse has.

They take four queries for each table, a few more for each identity and where it must cover another, and one for the
fences, for ten years as for one date. The error of a query that raises is recorded for the check that needed it; the
others go on in a new snapshot. Nothing is changed.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import TypeVar

from phasegate.base.receipt import Fence, Part
from phasegate.base.table import Repeats, Table, Uncovered
from phasegate.check.tables import BrokenIdentities, TableContent, rebuilt_later
from phasegate.errors import words
from phasegate.plan.gate import Covers
from phasegate.plan.model import Plan, Step
from phasegate.warehouse import Reader, Warehouse

A = TypeVar("A")


class Evidence:
    """The contents of some steps' tables from date ``first`` to ``last``.

    ``held``, ``repeats``, ``identities``, ``broken`` and ``uncovered`` are by step, without a step whose query raised.
    ``errors``: check -> why its query raised. ``plan``: of the steps; some are compared with the tables of others.
    """

    def __init__(self, warehouse: Warehouse, steps: Sequence[Step], *, plan: Plan, first: str, last: str) -> None:
        self._warehouse, self._plan, self._stack = warehouse, plan, ExitStack()
        self._reader: Reader | None = None
        self._closed = ""
        self.errors: dict[str, list[str]] = {}
        self.held: dict[str, TableContent] = {}
        self.repeats: dict[str, Mapping[str, Repeats]] = {}
        self.identities: dict[str, Mapping[str, Repeats]] = {}
        self.broken: dict[str, BrokenIdentities] = {}
        self.uncovered: dict[str, Mapping[str, Uncovered]] = {}
        with self._stack:
            for step in steps:
                self._read(step, first=first, last=last)
                if step.covers is not None:
                    self._compare(step, step.covers, first=first, last=last)
            fences = self._ask("fences", lambda reader: reader.fences(first=first, last=last))
        self.fences: dict[Part, Fence] = fences or {}

    def _read(self, step: Step, *, first: str, last: str) -> None:
        table = step.table
        if table is None:
            return
        held = self._ask("receipts", lambda reader: TableContent(
            receipts=reader.receipts_between(table.name, first=first, last=last),
            prints=reader.fingerprints(table, first=first, last=last)))  # fmt: skip
        repeats = self._ask("duplicates", lambda reader: reader.repeats(table, first=first, last=last))
        identities: Mapping[str, Repeats] | None = {}
        if step.identity:
            columns = tuple(dict.fromkeys((table.partition, *step.identity)))
            identities = self._ask(
                "identities", lambda reader: reader.repeats(table, first=first, last=last, key=columns)
            )
        broken = BrokenIdentities()
        if step.determines or step.sums:
            broken = (
                self._ask("identities", lambda reader: self._broken(reader, step, first=first, last=last)) or broken
            )
        self.broken[step.name] = broken
        if held is not None:
            self.held[step.name] = held
        if repeats is not None:
            self.repeats[step.name] = repeats
        if identities is not None:
            self.identities[step.name] = identities

    def _broken(self, reader: Reader, step: Step, *, first: str, last: str) -> BrokenIdentities:
        assert step.table is not None
        found = BrokenIdentities()
        for dependency in step.determines:
            found.keys.append((dependency, reader.disagreements(step.table, dependency, first=first, last=last)))
        for total in step.sums:
            source, other = self._plan.steps[total.step], self._table_of(total.step)
            ours = reader.sums(step.table, column=total.column, by=total.by, first=first, last=last)
            theirs = reader.sums(other, column=total.other, by=total.by, first=first, last=last)
            old = rebuilt_later(
                reader.receipts_between(step.table.name, first=first, last=last), need=str(source.need),
                now=reader.stamps_between(other.name, first=first, last=last),
            )  # fmt: skip
            found.sums.append((total, {group: cell for group, cell in ours.items() if group[0] not in old}, theirs))
        return found

    def _compare(self, step: Step, covers: Covers, *, first: str, last: str) -> None:
        table, other = step.table, self._table_of(covers.need.step)
        assert table is not None
        found = self._ask("covers", lambda reader: reader.uncovered(
            other, by=table, on=covers.on, where=covers.where, first=first, last=last))  # fmt: skip
        if found is not None:
            self.uncovered[step.name] = found

    def _table_of(self, step: str) -> Table:
        table = self._plan.steps[step].table
        assert table is not None, f"{step} has no table"
        return table

    def _ask(self, check: str, query: Callable[[Reader], A]) -> A | None:
        """Return a query's answer, or None if it raised.

        The reason is then in ``errors``. A warehouse that cannot be opened is tried once.
        """
        error = self._closed
        if not error:
            try:
                if self._reader is None:
                    self._reader = self._stack.enter_context(self._warehouse.snapshot())
            except Exception as e:  # noqa: BLE001  reported as "not evaluated", which no exit code hides
                error = self._closed = words(e)
        if not error:
            assert self._reader is not None
            try:
                return query(self._reader)
            except Exception as e:  # noqa: BLE001  one unreadable table must not hide the others
                error, self._reader = words(e), None  # a snapshot answers nothing after an error
                self._stack.close()
        reasons = self.errors.setdefault(check, [])
        if error not in reasons:
            reasons.append(error)
        return None
