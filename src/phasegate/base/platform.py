"""Field names in the NBA platform's documents and messages.

The only place that spells these names: the platform's documents are read and written with them, Phasegate's own are
not. Other platforms with the same layout use them too. Pure.
"""

from collections.abc import Mapping

COUNT, TRIGGERED, TRIGGERED_AT, MODE = "_completed_count", "_triggered", "_triggered_at", "_mode"
GAME_DATE = "game_date"
PLACES = ("{date}", "{game_date}")
"""What stands for a run's date in the path of a mirror: ours, and the platform's."""


def own_names(body: Mapping[str, object], /) -> Mapping[str, object]:
    """Return a message's body with our names for the platform's fields.

    A field of ours that is there already stays.
    """
    if GAME_DATE not in body or "date" in body:
        return body
    return {"date" if name == GAME_DATE else name: value for name, value in body.items()}


def at_date(path: str, date: str, /) -> str:
    """Return a mirror's path with a run's date in its place.

    >>> at_date("phase3_completion/{game_date}", "2026-02-03")
    'phase3_completion/2026-02-03'
    """
    for place in PLACES:
        path = path.replace(place, date)
    return path
