"""The spelling under which a player is found in every source, and who would share one.

Sources disagree about accents, capitals and dots ('Dončić' here, 'Doncic' there), so tables are keyed
by a plain spelling. This module never decides that two people are one: it names them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from nba_props.errors import DataError

# Letters that NFKD leaves whole because Unicode sees a stroke or a ligature as part of the letter.
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


def player_lookup(name: str) -> str:
    """Give the spelling of a name with only a-z and 0-9, the same for every source.

    Accents go (Unicode NFKD), capitals become small, spaces and punctuation go, suffixes (jr, iii) stay.
    Giving a lookup back gives the same lookup. Raises DataError for a name without a letter or digit and for
    one with a letter that has no Latin spelling here: dropping it could make two players one.

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
                mend="give the name in Latin letters, or add the letter to nba_props.names",
            )
    lookup = "".join(_KEPT.findall(plain))
    if not lookup:
        raise DataError(
            f"player name {name!r}", problem="it holds no letter and no digit", mend="give the player's name"
        )
    return lookup


def find_collisions(players: Iterable[tuple[int, str]]) -> dict[str, tuple[int, ...]]:
    """Name every lookup that two or more players of a batch would share.

    `players`: (player_id, name or lookup), repeats allowed, in any order. Returns lookup -> the player ids in
    ascending order, lookups sorted; empty when all is well. One player under two names is no collision.

    >>> find_collisions([(1, "Jan Novák"), (2, "Jan Novak"), (3, "Jan Novak Jr."), (1, "Jan Novák")])
    {'jannovak': (1, 2)}
    """
    ids: dict[str, set[int]] = {}
    for player_id, name in players:
        ids.setdefault(player_lookup(name), set()).add(player_id)
    return {lookup: tuple(sorted(ids[lookup])) for lookup in sorted(ids) if len(ids[lookup]) > 1}
