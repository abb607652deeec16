"""``phasegate schema``: the JSON Schema of what a command prints."""

import click

from phasegate.cli.kit.app import FINE
from phasegate.cli.kit.options import example
from phasegate.cli.kit.output import emit


@click.command(
    epilog=example("phasegate schema", "phasegate schema plan check > plan-check.json"),
    short_help="Print the JSON Schema of what a command prints with --json.",
)
@click.argument("command", nargs=-1)
def schema(*, command: tuple[str, ...]) -> int:
    """Print the JSON Schema of what COMMAND prints with --json.

    Default: list the commands. The schema is of draft 2020-12, and made from the type that the installed version
    prints. No plan and no state is needed.
    """
    import json

    from phasegate.errors import NotFound
    from phasegate.printed.schemas import PRINTED, schema_of

    name = " ".join(command)
    if not command:
        emit(PRINTED)
    elif name in PRINTED:
        emit([json.dumps(schema_of(name), indent=2)])
    else:
        raise NotFound(f"schema: no command {name!r} has --json; see phasegate schema")
    return FINE
