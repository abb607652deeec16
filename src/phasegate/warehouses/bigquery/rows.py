"""Rows from Python, as a SELECT.

Over one parameter of the script, or over a table that is loaded where they are too many.
"""

import json
from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING

from phasegate.warehouse import Row
from phasegate.warehouses.bigquery.dialect import quoted, rounded, type_of, zoned
from phasegate.warehouses.sql.cells import family
from phasegate.warehouses.sql.dialect import Types
from phasegate.warehouses.sql.session import Bound

if TYPE_CHECKING:
    from phasegate.warehouses.bigquery.jobs import Jobs

# A request takes 10 MB, its text included.
PARAMETER_BYTES_MAX = 9_000_000


class LoadedRows:
    """Checked rows, and the SELECT that yields them in the columns' types.

    They are kept in a file until they are sent.
    """

    def __init__(self, rows: Iterable[Row], types: Types) -> None:
        self._types = types
        self._bytes = 0
        self._file = SpooledTemporaryFile(max_size=PARAMETER_BYTES_MAX)  # noqa: SIM115  closed by close
        try:
            for row in rows:
                self._add(row)
        except BaseException:
            self.close()
            raise
        self._file.seek(0)

    def _add(self, row: Row) -> None:
        cells = json.dumps([_spelled(row[name], kind) for name, kind in self._types.items()], ensure_ascii=False)
        # As a load reads it, and as long as it is when it is sent: a text of JSON in one.
        line = json.dumps({"cells": cells}) + "\n"
        self._bytes += len(line)
        self._file.write(line.encode())

    @property
    def are_many(self) -> bool:
        """Return whether they are more than a parameter holds."""
        return self._bytes > PARAMETER_BYTES_MAX

    def parameter(self) -> tuple[str, Bound]:
        """Return the SELECT over a parameter, and the parameter."""
        texts = [json.loads(line)["cells"] for line in self._file]
        return self._select("UNNEST(JSON_QUERY_ARRAY($rows)) AS j"), {"rows": f"[{','.join(texts)}]"}

    def table(self, name: str, /) -> str:
        """Return the SELECT over the loaded table of this name."""
        return self._select(f"(SELECT cells AS j FROM {name})")

    @property
    def file(self) -> IO[bytes]:
        """Return the file: lines of JSON with the one column ``cells``."""
        return self._file

    def close(self) -> None:
        """Drop the file."""
        self._file.close()

    def _select(self, source: str) -> str:
        cells = ", ".join(
            f"{_cell(f'''JSON_VALUE(j, '$[{number}]')''', kind)} AS {quoted(name)}"
            for number, (name, kind) in enumerate(self._types.items())
        )
        return f"(SELECT {cells} FROM {source})"


def load(jobs: "Jobs", rows: LoadedRows, *, dataset: str, name: str, expires: datetime, what: str) -> None:
    """Load rows into a new table, which expires.

    Raises BadInput, Unavailable.
    """
    from google.cloud import bigquery

    schema = [bigquery.SchemaField("cells", "STRING")]
    table = bigquery.Table(f"{jobs.address.project}.{dataset}.{name}", schema=schema)
    table.expires = expires
    config = bigquery.LoadJobConfig(
        schema=schema, source_format="NEWLINE_DELIMITED_JSON", write_disposition="WRITE_TRUNCATE",
        labels={"phasegate": "load"},
    )  # fmt: skip
    try:
        jobs.client.create_table(table)
        jobs.count += 1
        jobs.client.load_table_from_file(rows.file, table.reference, job_config=config).result()
    except Exception as error:
        raise jobs.failure(error, what=what, purpose="read") from error


def _spelled(cell: object, sql_type: str) -> str | None:
    """Return a cell as the text that a cast of its type takes."""
    match cell:
        case None | str():
            return cell
        case bytes():
            return cell.hex()
        case Decimal():
            return format(cell, "f")
        case float():
            return repr(cell)
        case datetime() if zoned(sql_type):
            return f"{cell.isoformat()}+00:00"
    return cell.isoformat() if isinstance(cell, date | time) else str(cell).lower()


def _cell(text: str, sql_type: str) -> str:
    match family(sql_type):
        case "text" | "uuid":
            return text
        case "bytes":
            return f"FROM_HEX({text})"
        case "decimal":
            return rounded(f"CAST({text} AS {type_of(sql_type)})", sql_type)
    return f"CAST({text} AS {type_of(sql_type)})"
