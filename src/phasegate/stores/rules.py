"""Rules of every store for keys, bodies and limits. Pure.

All stores share them, so that none accepts what another refuses.
"""

import math
import re
from collections.abc import Mapping, Sequence

import msgspec

from phasegate.base.codec import TEXT_FIELD, UNREADABLE_FIELD, offence
from phasegate.errors import BadInput

# The smallest limits among the databases that may store a document: an id of Firestore has one letter before the key.
KEY_BYTES_MAX = 1_499
BODY_BYTES_MAX = 1_000_000
_LONG_NUMBER = re.compile(rb"\d{19}")


def check_key(key: str, /) -> None:
    """Refuse a key that some database could not store.

    Raises BadInput.
    """
    if not key or not key.isascii() or not key.isprintable() or len(key) + key.count("/") > KEY_BYTES_MAX:
        fits = f"1 to {KEY_BYTES_MAX:,} printable ASCII characters, of which a slash counts twice"
        raise BadInput(f"key {key[:80]!r}: a key is {fits}; shorten or respell it")


def check_limit(limit: int, /) -> None:
    """Refuse a page of no rows: to some databases it means no limit.

    Raises BadInput.
    """
    if limit < 1:
        raise BadInput(f"limit {limit}: a page holds at least 1 document")


def checked_due(key: str, due: float | None, /) -> float | None:
    """Return ``due`` as a float.

    Raises BadInput for NaN and infinity, which no sweeper could ever reach in order.
    """
    if due is None:
        return None
    if not math.isfinite(due):
        raise BadInput(f"document {key}: due {due} is not a time; give epoch seconds, or None for a settled document")
    return float(due)


def encode(key: str, body: Mapping[str, object], /) -> bytes:
    """Return the one spelling of a body: UTF-8 JSON with sorted keys.

    Tuples become lists.

    Raises BadInput, naming the place, for what would be read back as something else: sets, times, NaN, bytes, integers
    beyond 64 bits; and for a body of more than BODY_BYTES_MAX.

    >>> encode("k", {"b": 1, "a": [True, None]})
    b'{"a":[true,null],"b":1}'
    """
    plain = body if isinstance(body, dict) else dict(body)
    try:
        text = msgspec.json.encode(plain, order="sorted")
        same = not _LONG_NUMBER.search(text) and msgspec.json.decode(text) == plain
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"document {key}: {offence(plain) or error}") from error
    if not same and (why := offence(plain)):
        raise BadInput(f"document {key}: {why}")
    if len(text) > BODY_BYTES_MAX:
        raise BadInput(f"document {key}: {len(text):,} bytes, at most {BODY_BYTES_MAX:,} fit; split it")
    return text


def decode(text: str | bytes, /) -> dict[str, object]:
    """Return the body of a stored text.

    One that is not a JSON object becomes UNREADABLE_FIELD and TEXT_FIELD, so that it does not end its page.
    """
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError) as error:
        kept = text if isinstance(text, str) else text.decode(errors="backslashreplace")
        return {UNREADABLE_FIELD: str(error), TEXT_FIELD: kept}


def prefix_end(prefix: str, /) -> str | None:
    """Return the smallest text beyond all that start with ``prefix``.

    None where there is none.

    >>> prefix_end("lease:nba:")
    'lease:nba;'
    """
    for last in range(len(prefix) - 1, -1, -1):
        beyond = ord(prefix[last]) + 1
        if beyond <= 0x10FFFF:
            # Surrogates are not characters: no stored text starts with one.
            return prefix[:last] + chr(0xE000 if 0xD800 <= beyond <= 0xDFFF else beyond)
    return None


def spans(prefixes: Sequence[str], /) -> list[tuple[str, str | None]]:
    """Return the ranges of keys that have one of the prefixes.

    Each as its first text and the first text beyond it, None where there is none. No key is in two of them.

    >>> spans(["message:nba:", "lease:", "message:"])
    [('lease:', 'lease;'), ('message:', 'message;')]
    """
    found: list[str] = []
    for prefix in sorted(set(prefixes)):
        if not found or not prefix.startswith(found[-1]):
            found.append(prefix)
    return [(prefix, prefix_end(prefix)) for prefix in found]


def any_of(terms: Sequence[str], /) -> str:
    """Return an SQL condition that holds if one of the terms does.

    Balanced, because databases bound the depth of an expression.

    >>> any_of(["a", "b", "c"]), any_of([])
    ('(a OR (b OR c))', 'FALSE')
    """
    if len(terms) < 2:
        return terms[0] if terms else "FALSE"
    half = len(terms) // 2
    return f"({any_of(terms[:half])} OR {any_of(terms[half:])})"
