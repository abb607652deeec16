"""What rows were made of, as text in their cells. Pure.

Versions of the raw data, and digests of other tables. A fact is a date's last two digits and a version (``03r2``) or a
digest (``03w1a2b3c4d``). No two facts of one kind and one date can be true of the same rows: that would be a mixture.
"""

import re
import zlib
from collections.abc import Iterable, Sequence

from phasegate.plan.gate import Need
from phasegate.warehouse import Row

FACT = re.compile(r"\d\d(?:r\d+|w[0-9a-f]{8})")
KIND = 3
LOOKS_BACK = ("trend",)


def versions(rows: Iterable[Row]) -> frozenset[str]:
    """Return the facts that rows name, directly or through other tables."""
    return frozenset(fact for row in rows for fact in FACT.findall(str(row["v"])))


def facts(need: Need, rows: Sequence[Row]) -> frozenset[str]:
    """Return the facts that a reader records of the rows of a need.

    Of a window over a step that looks back itself: a digest of each date, because the inputs of two of its dates need
    not agree on a third.
    """
    if not need.back or need.step not in LOOKS_BACK:
        return versions(rows)
    days = sorted({str(row["day"]) for row in rows})
    return frozenset(_digest(day, [row for row in rows if row["day"] == day]) for day in days)


def _digest(day: str, rows: Sequence[Row]) -> str:
    text = "/".join(sorted(f"{row['k']} {row['v']}" for row in rows))
    return f"{day[8:]}w{zlib.crc32(text.encode()):08x}"


def mixed(named: Iterable[str]) -> list[str]:
    """Return the facts that cannot be true together, in order.

    >>> mixed(["03r1", "04r1", "03r2", "03w1a2b3c4d"])
    ['03r1', '03r2']
    """
    found = sorted(set(named))
    kinds = [fact[:KIND] for fact in found]
    return [fact for fact in found if kinds.count(fact[:KIND]) > 1]
