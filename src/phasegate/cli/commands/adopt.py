"""``phasegate adopt``: make the warehouse obey this store."""

import click

from phasegate.base.wording import count
from phasegate.cli.kit.app import FINE, App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json, table


@click.command(
    epilog=example("phasegate adopt --yes"),
    short_help="After a lost or restored store: make the warehouse obey this one.",
)
@click.option("--yes", is_flag=True, help="Do it: writes by workers on the other store are refused from then on.")
@json_option
@pass_app
def adopt(app: App, /, *, yes: bool, as_json: bool) -> int:
    """Make the warehouse obey this store.

    For a store that was lost, restored or replaced: the warehouse still obeys the old one, and refuses this one. Writes
    this store's name into every fence of the warehouse, and raises each lease above its fence. Results that only the
    warehouse has are reported to their phases, and rows that differ from their receipt are named.
    """
    from phasegate.errors import BadInput

    if not yes:
        raise BadInput("adopt: writes by workers on the other store are refused from then on; if that store is gone "
                       "for good, run: phasegate adopt --yes")  # fmt: skip
    with app.pipeline() as pipeline:
        with app.acting(pipeline) as act:
            adopted = pipeline.adopt()
            act.outcome = f"{count(len(adopted.tokens), 'partition')} adopted"
        store_id, tokens = pipeline.store_id, adopted.tokens
    notes = {part: f"reported: {outcome}" for part, outcome in adopted.reported.items()}
    notes |= {part: f"holds other rows than were written: {what}" for part, what in adopted.lost.items()}
    if as_json:
        from phasegate.printed.stored import AdoptedJson, AdoptedPartitionJson

        found = tuple(
            AdoptedPartitionJson(table=part.table, partition=part.partition, token=token, note=notes.get(part, ""))
            for part, token in sorted(tokens.items())
        )
        emit_json(AdoptedJson(store_id=store_id, partitions=found))
    elif not tokens:
        emit(["The warehouse has no fences: nothing to adopt."])
    else:
        rows = [
            (f"{part.table}/{part.partition}", str(token), notes.get(part, ""))
            for part, token in sorted(tokens.items())
        ]
        summary = (
            f"{count(len(rows), 'partition')} now obey store {store_id}; the next write of each has a higher token."
        )
        emit([*table(("partition", "token", "note"), rows), "", summary])
    return FINE
