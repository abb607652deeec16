"""What a run leaves for a person, beside its counts: what could not be fetched, and what was left out or looks wrong.

It reads the log of fetches and the raw table, so that it tells what earlier runs left there too; it changes nothing.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from nba_props.notices import shared
from nba_props.raw import TABLE
from nba_props.raw_tables import SCRAPES
from nba_props.replay.scrapers import ASKING
from nba_props.replay.tally import Replay
from nba_props.sources import Source
from phasegate import Pipeline


class Remarks(NamedTuple):
    """`not_fetched`: the newest fetch of a date that failed, and why. `to_look_at`: notices, each once."""

    not_fetched: tuple[str, ...]
    to_look_at: tuple[str, ...]


def remarks(pipeline: Pipeline, source: Source, replay: Replay, *, first: date, last: date) -> Remarks:
    """Gather what there is to say of the dates from `first` to `last`; of players who share a lookup, of any date.

    `replay`: what was just played, from `first` to `last`.
    """
    told = [notice.text for notice in source.notices(first, last)]
    if replay.tables[TABLE][0]:
        told += [text for lookup, text in _shared_in(pipeline) if not any(f"lookup {lookup!r}:" in one for one in told)]
    return Remarks(
        not_fetched=_not_fetched(pipeline, first=first, last=last) if replay.dates else (),
        to_look_at=tuple(told),
    )


def _shared_in(pipeline: Pipeline) -> list[tuple[str, str]]:
    """Give (lookup, text) of the players of all dates of the raw table who share a lookup."""
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


def _not_fetched(pipeline: Pipeline, *, first: date, last: date) -> tuple[str, ...]:
    schema, name = SCRAPES.name.split(".")
    if not pipeline.query(
        "SELECT 1 AS there FROM information_schema.tables WHERE table_schema = $schema AND table_name = $name",
        {"schema": schema, "name": name},
    ):
        return ()  # no line was ever accepted
    rows = pipeline.query(
        f"""
        SELECT game_date, workflow, scraper_name, error_message
        FROM (SELECT *, row_number() OVER (PARTITION BY game_date, workflow, scraper_name
                                           ORDER BY completed_at DESC, execution_id) AS place FROM {SCRAPES.name}
              WHERE game_date BETWEEN CAST($first AS DATE) AND CAST($last AS DATE) AND workflow <> $asking)
        WHERE place = 1 AND status = 'failed' ORDER BY game_date, workflow, scraper_name
        """,
        {"first": first.isoformat(), "last": last.isoformat(), "asking": ASKING},  # whoever gets here has been answered
    )
    return tuple(f"{row['game_date']} {row['workflow']}, {row['scraper_name']}: {row['error_message']}" for row in rows)
