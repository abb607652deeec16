"""The spelling that identifies a player in every source.

Sources disagree about accents, capitals and dots ('Dončić' here, 'Doncic' there), so tables are keyed by a plain
spelling; about suffixes and first names they disagree too, and `match_names` maps those to the league's. This module
never decides that two people are one: it names those who would share a spelling.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from nba_props.errors import DataError

# Letters that NFKD does not split, because in Unicode a stroke or a ligature is part of the letter.
_FOLDED = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ħ": "h",
        "ŧ": "t",
        "ŋ": "n",
        "ı": "i",
        "ȷ": "j",
        "ə": "e",
    }
)
_KEPT = re.compile(r"[a-z0-9]+")
# Longest first: "iii" ends with "ii".
_SUFFIX = re.compile(r"(?:jr|sr|iii|ii|iv)$")

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "bjboston": "brandonboston",
        "carltoncarrington": "bubcarrington",
        "herbjones": "herbertjones",
        "jameshuff": "jayhuff",
        "moewagner": "moritzwagner",
        "nicolasclaxton": "nicclaxton",
        "ronholland": "ronaldholland",
    }
)
"""Lookup elsewhere -> the league's, both without suffix: first names that truly differ, nothing a rule could do."""


class Matches(NamedTuple):
    """The result of matching a source's names.

    `lookups`: name -> the league's lookup, or its own where none matches. `unmatched`: the names without a match.
    `shared`: lookup of the league -> the names that match it by a looser spelling; each of them has its own lookup.
    """

    lookups: dict[str, str]
    unmatched: tuple[str, ...]
    shared: dict[str, tuple[str, ...]]


def player_lookup(name: str) -> str:
    """Return a name in a-z and 0-9 only, the same for every source.

    Accents are removed (Unicode NFKD), capitals become small, spaces and punctuation are removed, suffixes (jr, iii)
    stay. The lookup of a lookup is the same lookup. Raises DataError for a name without a letter or digit and for one
    with a letter that has no Latin spelling here: dropping it could make two players one.

    >>> player_lookup("Luka Dončić"), player_lookup("Gary Trent Jr."), player_lookup("D'Angelo Russell")
    ('lukadoncic', 'garytrentjr', 'dangelorussell')
    """
    # Folded before and after: NFKD may reveal a letter of the table (ǿ), lower-casing may add an accent (İ).
    folded = unicodedata.normalize("NFKD", name).lower().translate(_FOLDED)
    plain = unicodedata.normalize("NFKD", folded)
    for letter in plain:
        if letter.isalnum() and not letter.isascii() and unicodedata.category(letter) != "Lm":
            raise DataError(
                f"player name {name!r}",
                problem=f"the letter {letter!r} has no Latin spelling",
                fix="give the name in Latin letters, or add the letter to nba_props.names",
            )
    lookup = "".join(_KEPT.findall(plain))
    if not lookup:
        raise DataError(f"player name {name!r}", problem="it has no letter and no digit", fix="give the player's name")
    return lookup


def has_lookup(name: str) -> bool:
    """Return whether `player_lookup` accepts a name."""
    try:
        player_lookup(name)
    except DataError:
        return False
    return True


def find_collisions(players: Iterable[tuple[int, str]]) -> dict[str, tuple[int, ...]]:
    """Return every lookup that two or more players of a batch would share.

    `players`: (player_id, name or lookup), repeats allowed, in any order. Returns lookup -> the player ids in ascending
    order, lookups sorted; empty when there is none. One player under two names is not a collision.

    >>> find_collisions([(1, "Jan Novák"), (2, "Jan Novak"), (3, "Jan Novak Jr."), (1, "Jan Novák")])
    {'jannovak': (1, 2)}
    """
    ids: dict[str, set[int]] = {}
    for player_id, name in players:
        ids.setdefault(player_lookup(name), set()).add(player_id)
    return {lookup: tuple(sorted(ids[lookup])) for lookup in sorted(ids) if len(ids[lookup]) > 1}


def match_names(names: Iterable[str], *, known: Iterable[str]) -> Matches:
    """Map the names of another source to the league's lookups.

    `known`: the league's names, of one season. In this order: the same lookup; the same except for a suffix (jr, sr,
    ii, iii, iv) on either side; the same by ALIASES. A looser spelling counts only where it leads to one player whom no
    other name matches: otherwise the names have their own lookups and are reported. Raises DataError for a name without
    a lookup.

    >>> match_names(["Luka Doncic", "Bruce Brown Jr", "Moe Wagner", "Jan Novák"],
    ...             known=["Luka Dončić", "Bruce Brown", "Moritz Wagner"])
    Matches(lookups={'Luka Doncic': 'lukadoncic', 'Bruce Brown Jr': 'brucebrown', 'Moe Wagner': 'moritzwagner',
                     'Jan Novák': 'jannovak'}, unmatched=('Jan Novák',), shared={})
    """
    league = {player_lookup(name) for name in known}
    loose: dict[str, list[str]] = {}
    for lookup in sorted(league):
        loose.setdefault(_without_suffix(lookup), []).append(lookup)
    own = {name: player_lookup(name) for name in dict.fromkeys(names)}
    taken = {lookup for lookup in own.values() if lookup in league}
    claims: dict[str, list[str]] = {}
    for name, lookup in own.items():
        found = loose.get(_without_suffix(lookup)) or loose.get(ALIASES.get(_without_suffix(lookup), ""), [])
        if lookup not in league and len(found) == 1:
            claims.setdefault(found[0], []).append(name)
    lookups = dict(own)
    shared: dict[str, tuple[str, ...]] = {}
    for lookup, claimants in sorted(claims.items()):
        # Two spellings of one name ("Moe Wagner", "Moe Wágner") have one lookup: that is one claim.
        if lookup in taken or len({own[name] for name in claimants}) > 1:
            shared[lookup] = tuple(sorted(claimants))
        else:
            lookups |= dict.fromkeys(claimants, lookup)
    return Matches(lookups, tuple(sorted(name for name in own if lookups[name] not in league)), shared)


def _without_suffix(lookup: str) -> str:
    return _SUFFIX.sub("", lookup) or lookup
