"""The stamps of a write's inputs as one text, as BigQuery compares it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date

from phasegate.base.receipt import Stamp
from phasegate.warehouse import InputRead
from phasegate.warehouses.bigquery.statements import BigQuerySql
from phasegate.warehouses.sql.dialect import Types

Stamps = Mapping[str, Stamp]


def is_date(text: str, /) -> bool:
    """Return whether a partition is an ISO date."""
    with suppress(ValueError):
        return date.fromisoformat(text).isoformat() == text
    return False


def sql_of(reads: Sequence[InputRead], *, types: Mapping[str, Types], sql: BigQuerySql, receipts: str) -> str:
    """Return the SQL of the stamps of reads, in the spelling of ``text_of``.

    ``types``: the columns of the foreign tables that exist. Its parameters are those of ``bound_of``.
    """
    if not reads:
        return "''"
    found = [
        f"""SELECT n, part, fingerprint, token FROM (SELECT r.n, w.`partition` AS part, w.fingerprint, w.token,
            row_number() OVER (PARTITION BY r.n, w.`partition` ORDER BY w.token DESC, w.changes DESC) AS place
            FROM (SELECT CAST(JSON_VALUE(j, '$[0]') AS INT64) AS n, JSON_VALUE(j, '$[1]') AS name,
                JSON_VALUE(j, '$[2]') AS first_part, JSON_VALUE(j, '$[3]') AS last_part
                FROM UNNEST(JSON_QUERY_ARRAY($reads)) AS j) r
            JOIN {receipts} w ON w.table_name = r.name
            WHERE w.`partition` BETWEEN r.first_part AND r.last_part) q WHERE place = 1"""
    ]
    for number, read in enumerate(reads):
        if read.foreign and types.get(read.table.name):
            dates = is_date(read.first) and is_date(read.last)
            rows = sql.foreign(read.table, types[read.table.name], receipts=receipts, dates=dates)
            for name in ("first", "last", "table"):
                rows = rows.replace(f"${name}", f"$read_{name}{number}")
            found.append(f"SELECT {number} AS n, part, fingerprint, 0 AS token FROM ({rows}) f")
    return f"""coalesce((SELECT STRING_AGG(CONCAT(CAST(n AS STRING), ' ', CAST(token AS STRING), ' ', fingerprint, ' ',
        part), '\\n' ORDER BY n, part) FROM ({" UNION ALL ".join(found)}) a), '')"""


def bound_of(reads: Sequence[InputRead], /) -> dict[str, object]:
    """Return the parameters of ``sql_of``."""
    named = [[number, read.table.name, read.first, read.last] for number, read in enumerate(reads)]
    bound: dict[str, object] = {"reads": json.dumps(named, ensure_ascii=False)}
    for number, read in enumerate(reads):
        bound |= {
            f"read_table{number}": read.table.name,
            f"read_first{number}": read.first,
            f"read_last{number}": read.last,
        }
    return bound


def text_of(stamps: Iterable[Stamps], /) -> str:
    r"""Return stamps by read as one text.

    >>> text_of([{"2026-02-03": Stamp("1-a", 7)}, {}])
    '0 7 1-a 2026-02-03'
    """
    return "\n".join(
        f"{number} {one.token} {one.fingerprint} {part}"
        for number, found in enumerate(stamps)
        for part, one in sorted(found.items())
    )


def read_text(text: str, /, *, reads: int) -> list[dict[str, Stamp]]:
    """Return the stamps of a text, by read.

    >>> read_text("0 7 1-a 2026-02-03", reads=2)
    [{'2026-02-03': Stamp(fingerprint='1-a', token=7)}, {}]
    """
    found: list[dict[str, Stamp]] = [{} for _ in range(reads)]
    for line in text.split("\n") if text else ():
        number, token, fingerprint, part = line.split(" ", 3)
        found[int(number)][part] = Stamp(fingerprint, int(token))
    return found
