"""A run's report for a person, beside its counts.

What could not be fetched, and what was left out or looks wrong. It reads the log of fetches and the raw table, so that
it includes what earlier runs left there too; it changes nothing.
"""

from __future__ import annotations

from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from nba_props.notices import shared
from nba_props.raw import TABLE
from nba_props.raw_tables import SCRAPES
from nba_props.replay.scrapers import ASKING, has_table
from nba_props.replay.tally import Replay
from nba_props.sources import Source
from phasegate import Pipeline


class Remarks(NamedTuple):
    """The lines of a report, for a person.

    `not_fetched`: the newest fetch of a date that failed, and why. `held_back`: what was left out of dates that were
    used otherwise. `to_check`: the other notices, each once.
    """

    not_fetched: tuple[str, ...]
    held_back: tuple[str, ...]
    to_check: tuple[str, ...]


def remarks(pipeline: Pipeline, source: Source, replay: Replay, *, first: date, last: date) -> Remarks:
    """Return the remarks on the dates from `first` to `last`.

    Remarks on players who share a lookup are of any date. `replay`: what was just played, from `first` to `last`.
    """
    notices = source.notices(first, last)
    texts = [notice.text for notice in notices if not notice.held_back]
    held_back = [notice.text for notice in notices if notice.held_back]
    if replay.tables[TABLE][0]:
        texts += [
            text for lookup, text in _shared_in(pipeline) if not any(f"lookup {lookup!r}:" in one for one in texts)
        ]
        held_back += _without_summary(pipeline, first=first, last=last)
    return Remarks(
        not_fetched=_not_fetched(pipeline, first=first, last=last) if replay.dates else (),
        held_back=tuple(held_back),
        to_check=tuple(texts),
    )


def _shared_in(pipeline: Pipeline) -> list[tuple[str, str]]:
    """Return (lookup, text) of the players who share a lookup.

    Over all dates of the raw table.
    """
    players: dict[str, list[tuple[int, str]]] = {}
    for row in pipeline.query(
        f"""
        SELECT player_lookup, player_id, max(player_name) AS player_name FROM {TABLE}
        WHERE player_lookup IN (SELECT player_lookup FROM {TABLE} GROUP BY 1 HAVING count(DISTINCT player_id) > 1)
        GROUP BY player_lookup, player_id ORDER BY player_lookup, player_id
        """,
        {},
    ):
        players.setdefault(str(row["player_lookup"]), []).append((int(str(row["player_id"])), str(row["player_name"])))
    return [(lookup, shared(lookup, players[lookup]).text) for lookup in players]


def _without_summary(pipeline: Pipeline, *, first: date, last: date) -> list[str]:
    """Return a line for each date and lookup of several players who played."""
    rows = pipeline.query(
        f"""
        SELECT DISTINCT game_date, player_lookup, player_id FROM {TABLE}
        WHERE game_date BETWEEN CAST($first AS DATE) AND CAST($last AS DATE)
        ORDER BY game_date, player_lookup, player_id
        """,
        {"first": first.isoformat(), "last": last.isoformat()},
    )
    sharing = [
        (day, lookup, ", ".join(str(row["player_id"]) for row in same))
        for (day, lookup), same in groupby(rows, key=itemgetter("game_date", "player_lookup"))
    ]
    return [
        f"{day}: players {players} share the lookup {lookup!r}, so neither has a summary; tell them apart by name at "
        "the source"
        for day, lookup, players in sharing
        if ", " in players
    ]


def _not_fetched(pipeline: Pipeline, *, first: date, last: date) -> tuple[str, ...]:
    if not has_table(pipeline, SCRAPES.name):
        return ()  # no line was ever accepted
    rows = pipeline.query(
        f"""
        SELECT game_date, workflow, scraper_name, error_message
        FROM (SELECT *, row_number() OVER (PARTITION BY game_date, workflow, scraper_name
                                           ORDER BY completed_at DESC, execution_id) AS place FROM {SCRAPES.name}
              WHERE game_date BETWEEN CAST($first AS DATE) AND CAST($last AS DATE) AND workflow <> $asking)
        WHERE place = 1 AND status = 'failed' ORDER BY game_date, workflow, scraper_name
        """,
        # ASKING is left out: this run's question was answered
        {"first": first.isoformat(), "last": last.isoformat(), "asking": ASKING},
    )
    return tuple(f"{row['game_date']} {row['workflow']}, {row['scraper_name']}: {row['error_message']}" for row in rows)
