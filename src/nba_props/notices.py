"""Notices of a source beside its rows.

What it left out, and what only a person can fix. A notice stops nothing. It is written into the log of fetches, beside
its fetch, and into a run's report.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple, cast

from nba_props.raw import TABLE, RawRow


class Notice(NamedTuple):
    """One line for the user: what was found, and what to do.

    `dates`: the dates that it is about, ascending; empty: any date. `held_back`: it left out what cannot be true, so a
    run that used the rest is not complete.
    """

    table: str
    dates: tuple[date, ...]
    text: str
    held_back: bool = False

    @property
    def scraper(self) -> str:
        """Return the scraper that fills the table.

        'nbac_schedule' for 'nba_raw.nbac_schedule'.
        """
        return self.table.rpartition(".")[2]


def between(notices: Iterable[Notice], first: date, last: date) -> list[Notice]:
    """Return the notices about a date from `first` to `last`.

    Notices about any date are included; each once, in their order.
    """
    return [one for one in dict.fromkeys(notices) if not one.dates or any(first <= day <= last for day in one.dates)]


class Namesakes:
    """Finds the players who share a lookup.

    Over all rows that were passed to it, whatever their dates and seasons.
    """

    def __init__(self) -> None:
        self._seen: dict[str, dict[int, tuple[str, set[date]]]] = {}

    def see(self, rows: Iterable[RawRow]) -> None:
        """Add raw rows of box scores, in any order, repeats allowed."""
        for row in rows:
            players = self._seen.setdefault(cast("str", row["player_lookup"]), {})
            _, dates = players.setdefault(cast("int", row["player_id"]), (str(row["player_name"]), set()))
            dates.add(cast("date", row["game_date"]))

    def notices(self) -> list[Notice]:
        """Return a notice for each lookup that several players share.

        It is about the dates on which one of them played.
        """
        return [
            shared(lookup, [(number, players[number][0]) for number in sorted(players)],
                   dates=sorted(set().union(*(dates for _, dates in players.values()))))
            for lookup, players in sorted(self._seen.items())
            if len(players) > 1
        ]  # fmt: skip


def shared(lookup: str, players: Sequence[tuple[int, str]], *, dates: Iterable[date] = ()) -> Notice:
    """Return the notice that players (id, name) share a lookup."""
    named = ", ".join(f"{number} ({name})" for number, name in players)
    return Notice(
        TABLE,
        tuple(dates),
        f"players {named} share the lookup {lookup!r}: neither has a summary of a date on which both play, or a "
        "forecast for a date on which both are expected, and no line is theirs; tell them apart by name at the source",
    )
