"""A small model of the hand-off that Phasegate replaces, on one night.

What is known of 3 February 2026: the completion document showed 3 with 5 entries and had not triggered, because a
second writer had put an entry in first; processors ran on 2 of 10 games and the games that arrived eight hours later
were never processed; two instances 18 seconds apart failed in MERGE, fell back to DELETE + INSERT and left 72 rows
twice. How those steps interleaved is a reconstruction: the one below. Every number of the report is counted from the
document and the table after the steps have run; none is a constant. It is only a model: no threads, no clock, no I/O.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

import msgspec

from nba_props.demo.old_table import OldTable, run_instances
from nba_props.raw import RawRow
from nba_props.sources.batches import split_games

PROCESSORS = (
    "team_defense_game_summary",
    "upcoming_team_game_context",
    "upcoming_player_game_context",
    "team_offense_game_summary",
    "player_game_summary",
)
"""The five of phase 3, in the order in which their completions first arrive."""

LATE_BY = timedelta(hours=8)


class OldReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of the old hand-off; counts unless a unit is named."""

    games: int  # in the raw table when all is in
    rows: int  # in player_game_summary at the end
    duplicates: int  # rows beyond the first of their key
    merges_failed: int
    deliveries: int  # of the five completions, repeats included
    entries: int  # of processors in the completion document
    completed_count: int  # the document's own count of entries
    triggered: bool
    lost_triggers: int  # 1 when all processors have reported and phase 4 was not started
    games_handed_over: int  # games that all five processors had processed when they reported
    games_never_processed: int  # games that not all five processors ever processed
    games_phase_4: int  # games that phase 4 was started for
    late_by_s: int
    operator_saw: str


def replay(
    rows: Sequence[RawRow], *, early_games: int = 2, gap_s: int = 18, deliveries_max: int = 3, seed: int = 7
) -> OldReport:
    """Run the night through the old hand-off and count the result.

    `rows`: all raw rows of one date. `early_games`: games of the first batch; the rest is eight hours late. `gap_s`:
    seconds between the two instances. `deliveries_max`: how often the bus may deliver one completion. The same
    arguments give the same report. Raises ValueError when the rows have fewer games than `early_games`.
    """
    first_batch, late_batch = split_games(rows, early=early_games)
    processed = {name: _games(first_batch) for name in PROCESSORS}
    handed_over = _by_all(processed)
    document = OldDocument(expected=len(PROCESSORS))
    deliveries = _deliver(document, rng=random.Random(f"old:{seed}"), deliveries_max=deliveries_max)
    # The late batch arrives. The date has been started once, and a date is started only once: no processor runs on it.
    raw = [*first_batch, *late_batch]
    # Later the one processor is started again for the whole date; 18 seconds on, the bus delivers the first batch's
    # message once more, to a second instance, and that message names the first batch's games.
    table = OldTable(first_batch)
    run_instances(table, reads=(raw, first_batch), gap_s=gap_s)
    processed["player_game_summary"] = {str(row["game_id"]) for row in table.rows}
    all_games = _games(raw)
    return OldReport(
        games=len(all_games),
        rows=len(table.rows),
        duplicates=table.duplicates(),
        merges_failed=table.merges_failed,
        deliveries=deliveries,
        entries=len(document.entries),
        completed_count=document.completed_count,
        triggered=document.triggered,
        lost_triggers=int(len(document.entries) == len(PROCESSORS) and not document.triggered),
        games_handed_over=len(handed_over),
        games_never_processed=len(all_games - _by_all(processed)),
        games_phase_4=len(handed_over) if document.triggered else 0,
        late_by_s=int(LATE_BY.total_seconds()) if late_batch else 0,
        operator_saw=document.status_line(),
    )


class OldDocument:
    """The completion document of one date.

    It has an entry per processor, `_completed_count` and `_triggered`. Each delivery is a separate transaction, which
    is correct. The faults: a known name ends the decision, and a second writer adds names too.
    """

    def __init__(self, *, expected: int) -> None:
        self.entries: dict[str, str] = {}
        self.completed_count = 0
        self.triggered = False
        self._expected = expected

    def deliver(self, processor: str) -> bool:
        """Process one delivered completion; return whether it starts phase 4."""
        if processor in self.entries:
            return False  # "a duplicate": neither counted nor decided on
        self.entries[processor] = "success"
        self.completed_count = len(self.entries)
        if self.completed_count < self._expected or self.triggered:
            return False
        self.triggered = True
        return True

    def merge_fields(self, processor: str, *, count_read: int) -> None:
        """Write one entry as the second writer does.

        Outside a transaction, with the count that it had read.
        """
        self.entries[processor] = "success"
        self.completed_count = count_read

    def status_line(self) -> str:
        """Return the line that an operator saw.

        It has the statuses of processors, not of the hand-off.
        """
        good = sum(status == "success" for status in self.entries.values())
        overall = "success" if good == self._expected else "running"
        return f"status: {overall}, {good}/{self._expected} processors reported success"


def _deliver(document: OldDocument, *, rng: random.Random, deliveries_max: int) -> int:
    """Deliver the completions, while the second writer writes.

    Each up to `deliveries_max` times; return the number of deliveries. The second writer reads the document when all
    but two have reported and writes the last one's entry before that one's own message: it has one entry to add and the
    stale count to write back.
    """
    first_seen: set[str] = set()
    count_read, deliveries = 0, 0
    for processor in _arrivals(rng, deliveries_max):
        if processor == PROCESSORS[-1] and processor not in first_seen:
            document.merge_fields(processor, count_read=count_read)
        document.deliver(processor)
        first_seen.add(processor)
        deliveries += 1
        if len(first_seen) == len(PROCESSORS) - 2:
            count_read = document.completed_count
    return deliveries


def _arrivals(rng: random.Random, deliveries_max: int) -> Iterator[str]:
    """Yield each processor once in order, and its repeats at any later moment."""
    timeline = [(float(place), processor) for place, processor in enumerate(PROCESSORS)]
    for place, processor in enumerate(PROCESSORS):
        repeats = int(rng.random() * deliveries_max)
        timeline += [(place + rng.random() * len(PROCESSORS), processor) for _ in range(repeats)]
    for _, processor in sorted(timeline):
        yield processor


def _games(rows: Sequence[RawRow]) -> set[str]:
    return {str(row["game_id"]) for row in rows}


def _by_all(processed: Mapping[str, set[str]]) -> set[str]:
    return set.intersection(*processed.values())
