"""``phasegate adopt``: make this store the one that the warehouse obeys."""

import click

from phasegate.cli.kit.app import FINE, App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import count, emit, emit_json, table


@click.command(
    epilog=example("phasegate adopt --yes"),
    short_help="After a lost or restored store: make this one the one that the warehouse obeys.",
)
@click.option("--yes", is_flag=True, help="Do it: whoever works on the other store is refused from then on.")
@json_option
@pass_app
def adopt(app: App, /, *, yes: bool, as_json: bool) -> int:
    """Write this store's name into every fence of the warehouse, and lift each lease above its fence.

    For a store that was lost, restored or replaced: the warehouse still obeys the old one, and refuses this one.
    """
    from phasegate.errors import BadInput

    if not yes:
        raise BadInput("adopt: whoever works on the other store is refused from then on; if it is gone for good, "
                       "run: phasegate adopt --yes")  # fmt: skip
    with app.pipeline() as pipeline:
        tokens = pipeline.adopt()
        store_id = pipeline.store_id
    if as_json:
        found = [{"table": part.table, "partition": part.partition, "token": t} for part, t in sorted(tokens.items())]
        emit_json({"store_id": store_id, "partitions": found})
    elif not tokens:
        emit(["The warehouse has no fences: nothing to adopt."])
    else:
        rows = [(f"{part.table}/{part.partition}", str(token)) for part, token in sorted(tokens.items())]
        adopted = (
            f"{count(len(rows), 'partition')} now obey store {store_id}; the next write of each has a higher token."
        )
        emit([*table(("partition", "token"), rows), "", adopted])
    return FINE
