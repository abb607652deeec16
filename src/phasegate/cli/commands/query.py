"""``phasegate query``: read the tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from phasegate.base.wording import count
from phasegate.cli.kit.app import FINE, App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json, table

if TYPE_CHECKING:
    from phasegate.printed import stored as printed

QueryRows = Sequence[dict[str, object]]


@click.command(
    epilog=example(
        'phasegate query "SELECT * FROM nba_analytics.player_game LIMIT 5"',
        'phasegate query "SELECT count(*) AS n FROM nba_raw.gamebook" --csv',
    ),
    short_help="Read the tables with a SELECT, also while workers run.",
)
@click.argument("sql")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a header line; NULL is empty.")
@json_option
@pass_app
def query(app: App, /, *, sql: str, as_csv: bool, as_json: bool) -> int:
    """Print the rows of the SELECT statement SQL, from one snapshot.

    It only reads, and any other statement is refused. It takes turns with the workers of other processes, so it may
    wait until a write ends.
    """
    from phasegate.errors import BadInput

    if as_csv and as_json:
        raise BadInput("query: give only one of --csv and --json")
    _, ports = app.ports()
    try:
        with ports.warehouse.snapshot() as reader:
            rows = reader.query(sql, {})
    finally:
        for port in (ports.warehouse, ports.bus, ports.store):
            port.close()
    if as_json:
        emit_json(_document(rows))
    elif as_csv:
        emit(_csv(rows))
    else:
        cells = [["NULL" if cell is None else str(cell) for cell in row.values()] for row in rows]
        emit([*(table(list(rows[0]), cells) if rows else ()), *([""] if rows else []), count(len(rows), "row")])
    return FINE


def _document(rows: QueryRows) -> "printed.QueryRowsJson":
    """Return the rows in JSON's types: times as ISO 8601, decimals as text."""
    import msgspec

    from phasegate.printed import stored as printed

    return printed.QueryRowsJson(rows=msgspec.json.decode(msgspec.json.encode(rows)))


def _csv(rows: QueryRows) -> list[str]:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if rows:
        writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    return text.getvalue().removesuffix("\n").split("\n") if rows else []
