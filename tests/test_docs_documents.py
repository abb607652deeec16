"""The page of documents and messages names every field of every kind, and no other."""

import re

import msgspec
import pytest

from phasegate import messages
from phasegate.alerts.delivery import Notification
from phasegate.alerts.evaluations import Watch
from phasegate.alerts.incident import Incident
from phasegate.base.findings import Finding
from phasegate.buses import local
from phasegate.calendar import month as calendar
from phasegate.check.reconciler import Applied, Reconciliation, RecordedFinding
from phasegate.credentials import Credential
from phasegate.gate import phase, records
from phasegate.gate.mirror import Mirrored
from phasegate.ledger import Ledger
from phasegate.plan import gate
from phasegate.quarantine import Quarantined
from phasegate.steplog import LoggedAttempt, StepLog
from phasegate.work.backfill import BackfillJob, Progress
from phasegate.write.identity import Identity
from phasegate.write.lease import Lease
from tests.support.real_data import ROOT

PAGE = ROOT / "docs" / "reference" / "documents.md"
STRUCTS: dict[str, type[msgspec.Struct]] = {
    "## Phase": phase.Phase,
    "### Gate": gate.Gate,
    "### Spec": gate.Spec,
    "### Need": gate.Need,
    "### Receiver": gate.Receiver,
    "### Served": records.Served,
    "### Claim": records.Claim,
    "### Input": records.Input,
    "### Member": records.Member,
    "### Result": records.Result,
    "### Attempt": records.Attempt,
    "### Request": records.Request,
    "### Firing": records.Firing,
    "### Entry": records.Entry,
    "### Window": records.Window,
    "### Notice": records.Notice,
    "### Seen": records.Seen,
    "## Lease": Lease,
    "## Ledger": Ledger,
    "## Calendar": calendar.Month,
    "### Learned": calendar.Learned,
    "### Day": calendar.Day,
    "## Backfill": Progress,
    "### BackfillJob": BackfillJob,
    "## Reconciliation": Reconciliation,
    "### RecordedFinding": RecordedFinding,
    "### Applied": Applied,
    "## Mirror": Mirrored,
    "## Message": local._Envelope,
    "## Quarantine": Quarantined,
    "## Log": StepLog,
    "### LoggedAttempt": LoggedAttempt,
    "## Credential": Credential,
    "## Identity": Identity,
    "## Incident": Incident,
    "### Finding": Finding,
    "### Notification": Notification,
    "## Watch": Watch,
    "### `trigger`": messages.TriggerMessage,
    "### `request`": messages.RequestMessage,
    "### `completion`": messages.CompletionMessage,
}


def listed(page: str, heading: str) -> list[str]:
    """Return the names in the first column of the table below a heading."""
    part = re.split(r"^#+ ", page.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    cells = re.findall(r"^\| (`[^|]*) \|", part, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


@pytest.mark.parametrize("heading", STRUCTS)
def test_the_page_lists_every_field_of_a_document_and_no_other(heading: str) -> None:
    fields = [field.encode_name for field in msgspec.structs.fields(STRUCTS[heading])]
    assert sorted(listed(PAGE.read_text(), heading)) == sorted(fields)


def test_every_part_of_a_phase_s_document_is_on_the_page() -> None:
    structs = {kind for kind in vars(phase).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)}
    own = {kind.__name__ for kind in structs if kind.__module__ == phase.__name__}
    assert own == {kind.__name__ for kind in STRUCTS.values() if kind.__module__ == phase.__name__}


def test_a_field_that_is_missing_on_the_page_is_found() -> None:
    page = "\n## Lease\n\n| field | meaning |\n|---|---|\n| `token`, `holder` | x |\n| `since` | `y` |\n\n## Next\n"
    assert listed(page, "## Lease") == ["token", "holder", "since"]
