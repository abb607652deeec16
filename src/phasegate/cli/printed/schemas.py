"""The JSON Schema of what each command prints with ``--json``."""

from collections.abc import Mapping
from inspect import cleandoc
from typing import Final

import msgspec

from phasegate.cli.printed import checks, incidents, plans, runs, stored, work
from phasegate.cli.printed.parts import Document

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# A command with several types prints one of them, as its options and arguments say.
PRINTED: Final[Mapping[str, tuple[type[Document], ...]]] = {
    "init": (stored.Written,),
    "status": (runs.Status,),
    "why": (runs.Why, runs.WhyDate),
    "logs": (runs.Logs,),
    "health": (checks.Health, checks.SelfTest),
    "reconcile": (checks.Reconciled,),
    "late": (checks.Late,),
    "alerts": (incidents.Alerts,),
    "alerts list": (incidents.Alerts,),
    "alerts test": (incidents.Tests,),
    "alerts close": (incidents.Closed,),
    "calendar": (checks.Calendar,),
    "dead": (work.Dead,),
    "begin": (runs.Begun, runs.Held),
    "complete": (runs.Completed,),
    "worker": (work.Worked,),
    "sweep": (work.Swept,),
    "leases": (work.Leases,),
    "redrive": (work.Redriven,),
    "rerun": (runs.Rerun,),
    "backfill": (work.Backfilled,),
    "pause": (runs.Paused, runs.Resumed),
    "cancel": (runs.Cancelled, runs.Restored),
    "replan": (runs.Replanned,),
    "adopt": (stored.Adopted,),
    "query": (stored.QueryRows,),
    "tables": (stored.Tables,),
    "plan check": (plans.CheckedPlan,),
    "plan graph": (plans.Drawn,),
    "doctor": (checks.Diagnosed,),
    "import": (stored.Imported, stored.ImportedPlatform),
}


def schema_of(command: str, /) -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of what a command prints.

    >>> schema_of("sweep")["$ref"]
    '#/$defs/Swept'
    """
    types = PRINTED[command]
    (*choices,), parts = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    for part in parts.values():
        part["description"] = cleandoc(part["description"]).replace("``", "`")
    head = {"$schema": DIALECT, "title": f"phasegate {command} --json"}
    return {**head, **(choices[0] if len(choices) == 1 else {"anyOf": choices}), "$defs": parts}
