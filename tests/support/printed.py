"""What a command printed with ``--json``, against its schema."""

import json
from collections.abc import Sequence

from phasegate.cli.kit.options import VALUED
from phasegate.printed.schemas import PRINTED, schema_of
from tests.support.json_schema import faults


def command_of(arguments: Sequence[str]) -> str:
    """Return the command that arguments name, without its options; "" if there is none."""
    words = list(arguments)
    while words and words[0] in VALUED:
        del words[:2]
    return next((name for name in (" ".join(words[:2]), *words[:1]) if name in PRINTED), "")


def check_printed(arguments: Sequence[str], out: str) -> None:
    """Fail if a command has printed JSON that its schema does not allow."""
    if "--json" in arguments and out.startswith("{"):
        command = command_of(arguments)
        assert command, f"{arguments} printed JSON, and has no schema"
        assert faults(schema_of(command), json.loads(out)) == [], arguments
