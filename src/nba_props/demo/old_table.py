"""The old write, MERGE or DELETE + INSERT, on a model of a table.

When MERGE fails it falls back to DELETE + INSERT. The warehouse runs each statement as a separate transaction and
refuses a MERGE that overlaps another one ("Could not serialize access to table due to concurrent update"). The
fallback is two statements, so two fallbacks may interleave: both delete, then both insert.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Generator, Sequence

from nba_props.raw import RawRow

STATEMENT_S = 30
"""How long each statement takes, in seconds."""


class SerializationError(Exception):
    """Another statement changed the table at the same time.

    The model's caller falls back.
    """


class OldTable:
    """A partition of one date.

    Its rows have the key player_lookup, which is not enforced.
    """

    def __init__(self, rows: Sequence[RawRow]) -> None:
        self.rows = list(rows)
        self.merges_failed = 0
        self._open: set[int] = set()
        self._overlapped: set[int] = set()

    def begin_merge(self, instance: int) -> None:
        """Start a MERGE; every other open one overlaps it from now on."""
        self._open.add(instance)
        if len(self._open) > 1:
            self._overlapped |= self._open

    def commit_merge(self, instance: int, rows: Sequence[RawRow]) -> None:
        """Write the rows by key.

        Raises SerializationError when another MERGE overlapped this one.
        """
        self._open.remove(instance)
        if instance in self._overlapped:
            self.merges_failed += 1
            raise SerializationError(f"instance {instance}: a concurrent update; run the MERGE again")
        merged = {row["player_lookup"]: row for row in self.rows}
        merged |= {row["player_lookup"]: row for row in rows}
        self.rows = list(merged.values())

    def delete(self) -> None:
        """Remove the partition's rows."""
        self.rows = []

    def insert(self, rows: Sequence[RawRow]) -> None:
        """Add the rows, without a check of those that exist."""
        self.rows += rows

    def duplicates(self) -> int:
        """Count the rows beyond the first of their key."""
        return sum(count - 1 for count in Counter(row["player_lookup"] for row in self.rows).values())


def run_instances(table: OldTable, *, reads: Sequence[Sequence[RawRow]], gap_s: int) -> None:
    """Run one instance for each element of `reads` on the table.

    They start `gap_s` seconds apart and run statement by statement. The order of statements follows from their times
    alone; at the same second the earlier instance is first.
    """
    running = [_instance(table, number, rows) for number, rows in enumerate(reads)]
    turns = [(number * gap_s, number) for number in range(len(running))]
    heapq.heapify(turns)
    while turns:
        now_s, number = heapq.heappop(turns)
        wait_s = next(running[number], None)
        if wait_s is not None:
            heapq.heappush(turns, (now_s + wait_s, number))


def _instance(table: OldTable, number: int, rows: Sequence[RawRow]) -> Generator[int, None, None]:
    """Write as the old processor did.

    Yields the seconds until its next statement takes effect.
    """
    table.begin_merge(number)
    yield STATEMENT_S
    try:
        table.commit_merge(number, rows)
    except SerializationError:
        table.delete()
        yield STATEMENT_S
        table.insert(rows)
