"""Values that come from outside and that no document could hold, or no decision could use."""

from datetime import UTC, date, datetime
from decimal import Decimal


class Unshowable(Exception):
    """An error, or a value, that cannot even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def endless() -> list[object]:
    """Return a list that holds itself."""
    found: list[object] = []
    found.append(found)
    return found


NASTY: dict[str, object] = {
    "none": None,
    "nan": float("nan"),
    "inf": float("inf"),
    "minus-inf": float("-inf"),
    "datetime": datetime(2026, 2, 20, tzinfo=UTC),
    "date": date(2026, 2, 20),
    "text": "later",
    "empty-text": "",
    "half-a-pair": "\ud800",
    "nul": "\0",
    "long-text": "x" * 2_000_000,
    "milliseconds": 1_770_120_000_000,
    "negative": -1.0,
    "beyond-64-bits": 2**64,
    "beyond-a-float": 10**5_000,
    "bool": True,
    "bytes": b"\xff",
    "decimal": Decimal("NaN"),
    "list": [[1]],
    "list-in-itself": endless(),
    "dict": {"at": 1},
    "set": {1},
    "object": object(),
    "class": datetime,
    "unshowable": Unshowable(),
}
