"""The JSON Schema of what each command prints with ``--json``."""

from collections.abc import Mapping
from inspect import cleandoc
from typing import Final

import msgspec

from phasegate.printed import builds, callers, checks, deployments, incidents, plans, runs, stored, work
from phasegate.printed.parts import PrintedJson

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# A command with several types prints one of them, as its options and arguments say.
PRINTED: Final[Mapping[str, tuple[type[PrintedJson], ...]]] = {
    "init": (stored.WrittenJson,),
    "status": (runs.StatusJson,),
    "why": (runs.WhyJson, runs.WhyDateJson),
    "logs": (runs.LogsJson,),
    "health": (checks.HealthJson, checks.SelfTestJson),
    "reconcile": (checks.ReconciledJson,),
    "late": (checks.LateJson,),
    "metrics": (checks.MetricsJson,),
    "alerts": (incidents.AlertsJson,),
    "alerts list": (incidents.AlertsJson,),
    "alerts test": (incidents.TestsJson,),
    "alerts close": (incidents.ClosedJson,),
    "calendar": (checks.CalendarJson,),
    "dead": (work.DeadJson,),
    "begin": (runs.BegunJson, runs.HeldJson),
    "complete": (runs.CompletedJson,),
    "worker": (work.WorkedJson,),
    "sweep": (work.SweptJson,),
    "leases": (work.LeasesJson,),
    "audit": (work.AuditJson,),
    "redrive": (work.RedrivenJson,),
    "rerun": (runs.RerunJson,),
    "backfill": (work.BackfilledJson,),
    "pause": (runs.PausedJson, runs.ResumedJson),
    "cancel": (runs.CancelledJson, runs.RestoredJson),
    "replan": (runs.ReplannedJson,),
    "adopt": (stored.AdoptedJson,),
    "query": (stored.QueryRowsJson,),
    "tables": (stored.TablesJson, stored.CopiedJson),
    "tokens": (callers.CredentialsJson,),
    "tokens list": (callers.CredentialsJson,),
    "tokens add": (callers.AddedJson,),
    "tokens revoke": (callers.RevokedJson,),
    "plan check": (plans.CheckedPlanJson,),
    "plan graph": (plans.DrawnJson,),
    "deploy render": (deployments.RenderedJson,),
    "deploy check": (deployments.JudgedJson,),
    "deploy diff": (deployments.JudgedJson, deployments.StateCommandsJson),
    "doctor": (checks.DiagnosedJson,),
    "drift": (builds.DriftJson, builds.StampJson),
    "import": (stored.ImportedJson, stored.ImportedPlatformJson),
    "migrate": (stored.MigratedJson,),
}


def schema_of(command: str, /) -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of what a command prints.

    >>> schema_of("sweep")["$ref"]
    '#/$defs/SweptJson'
    """
    types = PRINTED[command]
    (*choices,), parts = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    for part in parts.values():
        part["description"] = cleandoc(part["description"]).replace("``", "`")
    head = {"$schema": DIALECT, "title": f"phasegate {command} --json"}
    return {**head, **(choices[0] if len(choices) == 1 else {"anyOf": choices}), "$defs": parts}
