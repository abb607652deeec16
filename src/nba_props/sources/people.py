"""Invented players on the real teams: rosters of synthetic nights.

Every name is made of syllables that occur in no player's name; ids start far above the league's.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from nba_props.names import player_lookup
from nba_props.teams import TEAMS

ROSTER_SIZE = 18
FIRST_PLAYER_ID = 9_000_001

_BEGINNINGS = ("Blor", "Čvim", "Dwup", "Fnee", "Glax", "Hwoz", "Jøbb", "Kwip", "Mrul", "Ploz", "Qued", "Vłub", "Zwet")
_ENDINGS = ("abbix", "eddoq", "ifflet", "ommuz", "ubbin", "yvvik", "azzeg", "epplo", "üggat", "owwix")
_SUFFIXES = ("", "", "", "", "", "", "", " Jr.", " III")


class Player(NamedTuple):
    """One invented player.

    `rank` 0 plays most, `ROSTER_SIZE - 1` least.
    """

    player_id: int
    name: str
    lookup: str
    team: str
    rank: int


def rosters(seed: int) -> dict[str, tuple[Player, ...]]:
    """Return team -> its ROSTER_SIZE players by rank.

    The same for the same seed; all lookups differ.
    """
    rng = random.Random(f"rosters:{seed}")
    taken: set[str] = set()
    found: dict[str, tuple[Player, ...]] = {}
    for place, team in enumerate(TEAMS):
        players: list[Player] = []
        for rank in range(ROSTER_SIZE):
            name = _new_name(rng, taken)
            number = FIRST_PLAYER_ID + place * ROSTER_SIZE + rank
            players.append(Player(number, name, player_lookup(name), team, rank))
        found[team] = tuple(players)
    return found


def _new_name(rng: random.Random, taken: set[str]) -> str:
    """Draw a name until its lookup is new.

    540 of more than 30,000 are needed, so this ends soon.
    """
    while True:
        first = _pick(rng, _BEGINNINGS) + _pick(rng, _ENDINGS)
        last = _pick(rng, _BEGINNINGS) + _pick(rng, _ENDINGS)
        name = f"{first} {last}{_pick(rng, _SUFFIXES)}"
        lookup = player_lookup(name)
        if lookup not in taken:
            taken.add(lookup)
            return name


def _pick(rng: random.Random, choices: tuple[str, ...]) -> str:
    # Only random() is guaranteed to give the same sequence in every Python version; choice() is not.
    return choices[int(rng.random() * len(choices))]
