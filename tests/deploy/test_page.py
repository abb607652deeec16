"""The manifest's page of the reference lists each field as its type has it, and each fault."""

import re

import msgspec
import pytest

from phasegate.base.findings import CODES
from phasegate.deploy import manifest as types
from phasegate.deploy.faults import KINDS
from phasegate.deploy.manifest import ManifestTable
from phasegate.deploy.reading import wanted
from tests.support.deployment import TEXT, manifest
from tests.support.real_data import ROOT

PAGE = (ROOT / "docs" / "reference" / "manifest.md").read_text()
SECTIONS: dict[str, type[ManifestTable]] = {
    "The top": types.Manifest, "`[service.NAME]`": types.ServiceSpec, "`[topic.NAME]`": types.TopicSpec,
    "`[subscription.NAME]`": types.SubscriptionSpec, "`[account.NAME]`": types.AccountSpec,
    "`[job.NAME]`": types.JobSpec, "`[firestore]`": types.FirestoreSpec, "`[[firestore.index]]`": types.IndexSpec,
    "`[dataset.NAME]`": types.DatasetSpec, "`[metric.NAME]`": types.MetricSpec, "`[channel.NAME]`": types.ChannelSpec,
    "`[alert.NAME]`": types.AlertSpec,
}  # fmt: skip


def default(field: msgspec.structs.FieldInfo) -> str:
    """Return the default of a field, as the page writes it."""
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else {}
    if value is None or value in ("", (), {}):
        return "none" if value is None else "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def spelled(hint: object) -> str:
    text, form, pattern = wanted(hint).partition(", of the form ")
    return f"{text}{form}`{pattern}`".replace("|", "\\|") if form else text


def listed(heading: str) -> list[tuple[str, str, str]]:
    text = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \| (.+?) \| ([^|]+) \| .+ \|$", text, re.MULTILINE)


@pytest.mark.parametrize("heading", SECTIONS)
def test_each_table_of_the_page_is_the_type_of_its_section(heading: str) -> None:
    fields = msgspec.structs.fields(SECTIONS[heading])
    assert listed(heading) == [(one.name, spelled(one.type), default(one)) for one in fields]


def test_the_page_has_every_type_of_the_manifest() -> None:
    made = {one for one in vars(types).values() if isinstance(one, type) and issubclass(one, ManifestTable)} - {
        ManifestTable
    }
    assert made == {*SECTIONS.values()}
    assert re.findall(r"^## (.+)$", PAGE, re.MULTILINE) == [*SECTIONS, "Faults"]


def test_the_page_lists_every_fault_and_no_code_is_that_of_a_finding() -> None:
    rows = re.findall(r"^\| (DP\d{3}) \| (\w+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [(code, kind.severity, kind.title) for code, kind in KINDS.items()]
    assert not {*KINDS} & {*CODES}


def test_the_log_metrics_count_an_event_that_there_is_by_codes_that_there_are() -> None:
    events = (ROOT / "docs" / "reference" / "events.md").read_text()
    assert "| `incident opened` | `key`, `severity`, `codes` |" in events
    for one in manifest(TEXT)[1].metric.values():
        assert 'jsonPayload.event="incident opened"' in one.filter
        (found,) = re.findall(r'jsonPayload\.codes=~"PG0\(([\d|]+)\)"', one.filter)
        assert {f"PG0{code}" for code in found.split("|")} <= {*CODES}
