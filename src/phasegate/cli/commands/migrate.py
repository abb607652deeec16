"""``phasegate migrate``: rewrite the documents as this build does."""

from contextlib import closing

import click

from phasegate.base.wording import count
from phasegate.cli.kit.app import FINDINGS, FINE, App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import emit, emit_json, talk

SHOWN_MAX = 20


@click.command(
    epilog=example("phasegate migrate --dry-run", "phasegate migrate"),
    short_help="Rewrite the documents of older builds as this one writes them.",
)
@click.option("--dry-run", is_flag=True, help="Show how many would be rewritten; write nothing.")
@json_option
@pass_app
def migrate(app: App, /, *, dry_run: bool, as_json: bool) -> int:
    """Rewrite the pipeline's documents as this build writes them.

    Not needed to go on: each document is read as it is, and rewritten with its next change. It shows that this build
    can read all of them, and ends the old form before a build that no longer reads it. Safe beside workers, and
    repeatable. Exits with 1 if a document is left as it is; with --dry-run also if one would be rewritten.
    """
    from phasegate.interop.transfer import Transfer
    from phasegate.printed.stored import LeftJson, MigratedJson

    plan, ports = app.reading()
    with closing(ports.store):
        transfer = Transfer(plan, ports.store, app.clock, warehouse=app.settings().warehouse_name)
        done = transfer.migrate(dry_run=dry_run)
    if as_json:
        left = tuple(LeftJson(key=key, why=why) for key, why in done.left)
        emit_json(MigratedJson(dry_run=dry_run, documents=done.documents, rewritten=done.rewritten, left=left))
    else:
        would = "would be " if dry_run else ""
        kept = f", {len(done.left):,} left as they are" if done.left else ""
        emit([f"{count(done.documents, 'document')}: {done.rewritten:,} {would}rewritten{kept}."])
        for key, why in done.left[:SHOWN_MAX]:
            talk(f"{key}: {why}")
        if len(done.left) > SHOWN_MAX:
            talk(f"and {len(done.left) - SHOWN_MAX:,} more; --json lists them all")
    return FINDINGS if done.left or (dry_run and done.rewritten) else FINE
