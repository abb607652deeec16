"""Numbers and lists in words, for findings and views; texts of files.

Pure.
"""

import codecs
from collections.abc import Sequence
from typing import TYPE_CHECKING

from phasegate.errors import BadInput

if TYPE_CHECKING:
    from phasegate.base.keys import Run

LISTED_MAX = 3
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def times(number: int, /) -> str:
    """Return a count as "once" or "N times".

    >>> times(1), times(3)
    ('once', '3 times')
    """
    return "once" if number == 1 else f"{number} times"


def count(number: int, noun: str, /, plural: str = "") -> str:
    """Return a number with its noun.

    >>> count(1, "run"), count(2, "run")
    ('1 run', '2 runs')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def were(number: int | None, /) -> str:
    """Return the verb after a number of things that something was done to."""
    return "was" if number == 1 else "were"


def have(number: int, /) -> str:
    """Return the verb after a number of things.

    >>> f"{count(1, 'key')} {have(1)}", f"{count(2, 'key')} {have(2)}"
    ('1 key has', '2 keys have')
    """
    return "has" if number == 1 else "have"


def counted_rows(number: int | None, /) -> str:
    """Return a number of rows, if it is known."""
    return "rows not counted" if number is None else count(number, "row")


def days_ahead(at: float, /, *, now: float) -> str:
    """Return how far ahead a time is, in days.

    >>> days_ahead(86400.0 * 3650, now=0.0)
    '3,650 days from now'
    """
    return f"{(at - now) / 86400:,.0f} days from now"


def listed(names: Sequence[str], /, *, most: int = LISTED_MAX, of: int = 0) -> str:
    """Return names separated by commas, the first ``most`` of many.

    ``of``: how many there are, if ``names`` are only the first of them.

    >>> listed(["a", "b"]), listed(["a", "b", "c", "d", "e"])
    ('a, b', 'a, b, c and 2 more')
    """
    left = max(of, len(names)) - min(most, len(names))
    more = f" and {left} more" if left else ""
    return ", ".join(names[:most]) + more


def decoded(raw: bytes, /) -> str:
    r"""Return the text of a file: UTF-8, with or without its mark.

    Raises BadInput, which says what the file is instead.

    >>> decoded(b"\xef\xbb\xbfpipeline")
    'pipeline'
    """
    if raw.startswith(UTF16) or b"\x00" in raw[:2]:
        raise BadInput("is UTF-16; save it as UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise BadInput(f"is not UTF-8 text (byte {e.start + 1:,}); save it as UTF-8") from None


def deliver(step: str, run: "Run", /) -> str:
    """Return what a person does about a result that only its source can bring.

    >>> from phasegate.base.keys import Run
    >>> deliver("odds", Run("2026-02-03", "daily"))
    'deliver odds of 2026-02-03, then: phasegate complete odds --run 2026-02-03.daily'
    """
    return f"deliver {step} of {run.date}, then: phasegate complete {step} --run {run}"
