"""Compares a stored table with its plan. Pure.

A type is widened if every value of the old one is a value of the new one with the same canonical text, so that no
fingerprint changes: INTEGER to BIGINT, not INTEGER to DOUBLE.
"""

import re
from collections.abc import Mapping, Sequence

from phasegate.base.table import Difference, Table
from phasegate.warehouses.sql.cells import family

_BITS = {"TINYINT": 8, "SMALLINT": 16, "INT": 32, "INTEGER": 32, "BIGINT": 64, "HUGEINT": 128}
_DIGITS = {8: 3, 16: 5, 32: 10, 64: 19, 128: 39}
_DECIMAL = re.compile(r"(?:DECIMAL|NUMERIC)\(\s*(\d+)\s*,\s*(\d+)\s*\)", re.IGNORECASE)
# A cast of these to text gives their canonical text.
_SPELLED = ("int", "date", "bool", "uuid")


def spelled(sql_type: str, /) -> str:
    """Return a type in one spelling, so that equal types compare equal.

    >>> spelled("decimal(10, 2)"), spelled("int")
    ('DECIMAL(10,2)', 'INTEGER')
    """
    plain = re.sub(r"\s*([(),])\s*", r"\1", sql_type.strip().upper())
    return {"INT": "INTEGER", "TEXT": "VARCHAR", "STRING": "VARCHAR"}.get(plain, plain)


def widens(old: str, new: str, /) -> bool:
    """Return whether each old value has the same text in the new type.

    >>> widens("INTEGER", "BIGINT"), widens("INTEGER", "DOUBLE"), widens("DECIMAL(8,2)", "DECIMAL(10,4)")
    (True, False, True)
    """
    old, new = spelled(old), spelled(new)
    if old in _BITS and new in _BITS:
        return _BITS[old] < _BITS[new]
    if exact := _DECIMAL.fullmatch(new):
        whole = _whole_digits(old)
        scale = int(before[2]) if (before := _DECIMAL.fullmatch(old)) else 0
        return whole is not None and whole <= int(exact[1]) - int(exact[2]) and scale <= int(exact[2])
    if family(old) == "float" and new == "DOUBLE":
        return old != "DOUBLE"
    return family(new) == "text" and "(" not in new and family(old) in (*_SPELLED, "text")


def _whole_digits(sql_type: str) -> int | None:
    """Return the digits before the point of an exact number's type."""
    if sql_type in _BITS:
        return _DIGITS[_BITS[sql_type]]
    exact = _DECIMAL.fullmatch(sql_type)
    return int(exact[1]) - int(exact[2]) if exact else None


def difference(
    table: Table, *, stored: Mapping[str, str], wanted: Mapping[str, str], key: Sequence[str] | None
) -> Difference:
    """Return how stored columns differ from the wanted ones.

    ``key``: the recorded key of the stored rows, None if there is none.
    """
    if not stored:
        return Difference(missing=True)
    added = {name: sql_type for name, sql_type in wanted.items() if name not in stored}
    removed = {name: sql_type for name, sql_type in stored.items() if name not in wanted}
    types = {name: (stored[name], wanted[name]) for name in wanted if name in stored}
    differing = {name: pair for name, pair in types.items() if spelled(pair[0]) != spelled(pair[1])}
    return Difference(
        added=added,
        widened={name: pair for name, pair in differing.items() if widens(*pair)},
        retyped={name: pair for name, pair in differing.items() if not widens(*pair)},
        removed=removed,
        key=_other_key(table, key=key, added=added),
    )


def _other_key(table: Table, *, key: Sequence[str] | None, added: Mapping[str, str]) -> tuple[str, ...]:
    """Return the key of the stored rows, if it is another one.

    It is not recorded for a table of an older version; a column that its rows lack was no part of it.
    """
    known = tuple(key) if key is not None else tuple(name for name in table.key if name not in added)
    return () if set(known) == set(table.key) else known
