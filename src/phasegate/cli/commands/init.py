"""``phasegate init``: write a pipeline to begin with."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from phasegate.cli.kit.app import FINE, App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from phasegate.plan.model import Plan

PLAN = """\
# What runs after what. Check it after each change: phasegate plan check
pipeline = "{pipeline}"
timezone = "UTC"

[phase.raw]

[phase.report]
after = "raw"

# Phasegate runs the SELECT for each date, and writes its rows into the table.
# For a step that a job of your own builds: external = true in place of sql, and columns with their types.
[step.orders]
phase = "raw"
sql = "sql/orders.sql"
table = "raw.orders"
key = ["order_date", "order_id"]
partition = "order_date"
# Of a date that has no orders by the next morning, phasegate health says that it is missing.
expected_by = "07:00 +1d"

# It is built again when the orders of its date change, and only then.
[step.daily_sales]
phase = "report"
needs = ["raw.orders"]
sql = "sql/daily_sales.sql"
table = "report.daily_sales"
key = ["order_date"]
partition = "order_date"
"""
ORDERS = """\
-- Invented orders: read your own here, for example from read_parquet('orders/*.parquet').
SELECT CAST($run_date AS DATE) AS order_date, order_id, amount
FROM (VALUES (1, 12.5), (2, 30.0), (3, 7.25)) AS invented (order_id, amount)
"""
DAILY_SALES = """\
SELECT order_date, CAST(count(*) AS INTEGER) AS orders, sum(amount) AS amount
FROM raw.orders
WHERE order_date = CAST($run_date AS DATE)
GROUP BY order_date
"""
IGNORED = ".phasegate/"


@click.command(
    epilog=example(
        "phasegate init",
        "phasegate init shop",
        "phasegate init --store postgresql://phasegate@db1/nba",
        "phasegate init --warehouse postgresql://phasegate@db1/nba",
    ),
    short_help="Write a plan and its SQL to begin with.",
)
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option("--store", metavar="URL", help="Create the store in PostgreSQL, or migrate it; write no file.")
@click.option("--warehouse", metavar="URL", help="Create what tables in PostgreSQL or BigQuery need; write no file.")
@click.option("--bus", metavar="URL", help="Create the plan's topics and subscriptions in Pub/Sub; write no file.")
@json_option
@pass_app
def init(
    app: App, /, *, folder: Path, store: str | None, warehouse: str | None, bus: str | None, as_json: bool
) -> int:  # fmt: skip
    """Write a plan of two steps, their SQL and a .gitignore into DIR.

    Default: the working directory. A file that exists is never overwritten: then nothing is written. To .gitignore a
    line is added. Shows the three commands that run the pipeline for the first time.

    With --store or --warehouse no file is written: the database gets the schema phasegate, or what this version adds to
    it. The tables of a plan are made by phasegate tables --apply, or by their first write. It may be run again. Nor is
    any file written with --bus: it makes what is missing of the plan's topics, and the subscriptions of its workers.
    """
    if any(url is not None for url in (store, warehouse, bus)):
        return _create(app, {"store": store, "warehouse": warehouse}, bus=bus, as_json=as_json)
    written = _write(folder)
    following = _commands(app, folder)
    if as_json:
        from phasegate.printed.stored import WrittenJson

        emit_json(WrittenJson(files=tuple(written), next=tuple(following), store=None, store_schema=None,
                              warehouse=None, warehouse_schema=None, created=()))  # fmt: skip
    else:
        emit([*(f"wrote {name}" for name in written), "", *(f"next: {command}" for command in following)])
    return FINE


def _create(
    app: App, urls: "Mapping[Literal['store', 'warehouse'], str | None]", *, bus: str | None, as_json: bool
) -> int:  # fmt: skip
    from phasegate.wiring import create

    found, lines = dict[str, tuple[str, int]](), []
    for what, url in urls.items():
        if url is not None:
            shown, before, after = create(what, url, app.settings())
            done = "is there" if before == after else f"migrated from {before}" if before else "created"
            found[what] = shown, after
            lines.append(f"{what} {shown}: schema {after}, {done}")
    made = [] if bus is None else _topics(bus, app.plan())
    if as_json:
        from phasegate.printed.stored import WrittenJson

        store, warehouse = (found.get(what, (None, None)) for what in ("store", "warehouse"))
        emit_json(WrittenJson(files=(), next=(), store=store[0], store_schema=store[1], warehouse=warehouse[0],
                              warehouse_schema=warehouse[1],
                              created=tuple(name for name, new in made if new)))  # fmt: skip
    else:
        emit([*lines, *(f"{name}: {'created' if new else 'is there'}" for name, new in made)])
    return FINE


def _topics(url: str, plan: "Plan") -> list[tuple[str, bool]]:
    from phasegate.buses.pubsub import create_topics

    sent = {send.topic for phase in plan.phases.values() for send in phase.sends}
    sent |= {step.topic for step in plan.steps.values() if step.topic}
    return create_topics(url, pipeline=plan.pipeline, received=plan.topics(), sent=sent)


def _write(folder: Path) -> list[str]:
    """Write the files; return their names.

    Raises BadInput.
    """
    from phasegate.errors import BadInput

    texts = {
        folder / "plan.toml": PLAN.format(pipeline=_name(folder)),
        folder / "sql" / "orders.sql": ORDERS,
        folder / "sql" / "daily_sales.sql": DAILY_SALES,
    }
    for path in texts:
        if path.exists():
            raise BadInput(f"init: {path} exists, so nothing was written; name an empty folder: phasegate init DIR")
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        ignore = folder / ".gitignore"
        lines = ignore.read_text(encoding="utf-8").splitlines() if ignore.exists() else []
        if IGNORED not in lines:
            ignore.write_text("\n".join([*lines, IGNORED]) + "\n", encoding="utf-8")
            return [*map(str, texts), str(ignore)]
    except OSError as e:
        raise BadInput(f"init: {e.filename}: {e.strerror}; name a folder that can be written") from None
    return [*map(str, texts)]


def _name(folder: Path) -> str:
    """Return the folder's name as a pipeline's, if it can be one."""
    from phasegate.base.keys import NAME

    name = folder.resolve().name.lower().replace("-", "_").replace(" ", "_")
    return name if NAME.fullmatch(name) else "sales"


def _commands(app: App, folder: Path) -> list[str]:
    import shlex

    from phasegate.base.dates import local_date

    enter = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    return [
        f"{enter}phasegate begin {local_date(app.clock.now(), timezone='UTC')}",
        "phasegate worker --until-idle",
        'phasegate query "SELECT order_date, orders, amount FROM report.daily_sales"',
    ]
