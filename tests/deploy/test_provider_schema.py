"""The shipped schema of Terraform's provider is what tools/provider_schema.py makes of the provider's bindings."""

import importlib.util
import json
import os
from pathlib import Path

import pytest

from phasegate.deploy.provider import provider_schema
from tests.support.sql_engines import missing
from tools import provider_schema as tool


def wheel() -> Path:
    """Return the bindings' wheel, or skip at home: it has 67 MB, and is no dependency."""
    given = os.environ.get("GOOGLE_PROVIDER_WHEEL")
    if given is None:
        missing("no provider: pip download --no-deps cdktn-provider-google, then GOOGLE_PROVIDER_WHEEL=FILE")
    return Path(given)


@pytest.mark.slow
def test_the_shipped_schema_is_that_of_the_wheel() -> None:
    found = tool.assembly(wheel())
    made = tool.schema(found["types"], source=f"{found['name']} {found['version']}")
    assert made == json.loads(tool.TARGET.read_text())


def interface(*properties: tuple[str, str, object, bool]) -> dict[str, object]:
    """Return an interface of the bindings: names in theirs and in the provider's spelling, type, optional."""
    docs = "https://registry.terraform.io/providers/hashicorp/google/8.7.0/docs/resources/thing#"
    return {"properties": [{"name": own, "docs": {"remarks": docs + name}, "type": kind, "optional": optional}
                           for own, name, kind, optional in properties]}  # fmt: skip


def test_the_tool_reads_types_blocks_and_what_is_required() -> None:
    text, number = {"primitive": "string"}, {"primitive": "number"}
    inner = {"fqn": "p.thing.ThingInner"}
    resolvable = {"fqn": "cdktn.IResolvable"}
    types = {
        "p.thing.ThingInner": interface(("maxAge", "max_age", number, False)),
        "p.thing.ThingEmpty": {},
    }
    config = interface(
        ("fullName", "full_name", text, False),
        ("on", "on", {"union": {"types": [{"primitive": "boolean"}, resolvable]}}, True),
        ("tags", "tags", {"collection": {"kind": "map", "elementtype": text}}, True),
        ("parts", "parts", {"union": {"types": [
            resolvable, {"collection": {"kind": "array", "elementtype": inner}}]}}, True),
        ("one", "one", inner, True),
        ("none", "none", {"fqn": "p.thing.ThingEmpty"}, True),
        ("dependsOn", "depends_on", text, True),
    )  # fmt: skip
    age = {"max_age": {"type": "number", "required": True}}
    assert tool.arguments_of(config, types) == {
        "full_name": {"type": "string", "required": True}, "none": {"block": {}}, "on": {"type": "bool"},
        "one": {"block": age}, "parts": {"block": age, "many": True}, "tags": {"type": "map(string)"},
    }  # fmt: skip


def test_the_tool_says_how_it_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main([]) == 2
    assert "python tools/provider_schema.py" in capsys.readouterr().err


def test_the_schema_says_where_it_is_from_and_the_bindings_are_no_dependency() -> None:
    schema = provider_schema()
    assert (schema.provider, schema.source.partition(" ")[0]) == ("hashicorp/google", "@cdktn/provider-google")
    assert schema.kinds["google_pubsub_subscription"]["topic"].required
    assert importlib.util.find_spec("cdktn_provider_google") is None
