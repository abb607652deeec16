"""Write the arguments of the Terraform resources that `phasegate deploy render` uses, from the provider's own bindings.

    python tools/provider_schema.py cdktn_provider_google-21.1.0-py3-none-any.whl

The wheel (PyPI, MPL-2.0, 67 MB) describes all of hashicorp/google; what is kept are names, types, and what is required.
It is needed to renew src/phasegate/deploy/google_schema.json only: `pip download --no-deps cdktn-provider-google`.
"""

import io
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src" / "phasegate" / "deploy" / "google_schema.json"
# Of the kinds that src/phasegate/deploy/terraform.py writes; a test compares.
RESOURCES = (
    "bigquery_dataset", "bigquery_dataset_iam_member", "cloud_run_v2_service", "cloud_run_v2_service_iam_member",
    "cloud_scheduler_job", "firestore_database", "firestore_field", "firestore_index", "logging_metric",
    "monitoring_alert_policy", "monitoring_notification_channel", "project_iam_member", "project_service",
    "pubsub_subscription", "pubsub_subscription_iam_member", "pubsub_topic", "pubsub_topic_iam_member",
    "secret_manager_secret_iam_member", "service_account", "service_account_iam_member",
)  # fmt: skip
DATA = ("google_project",)
PROVIDER = re.compile(r"docs/(?:resources|data-sources)/\w+#(\w+)")
VERSION = re.compile(r"hashicorp/google/([\d.]+)/docs")
# Arguments of every resource that the bindings add; Terraform's own are known to the check.
META = {"connection", "count", "dependsOn", "forEach", "lifecycle", "provider", "provisioners"}


def assembly(wheel: Path) -> dict[str, Any]:
    """Return the description of all types in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        (name,) = [one for one in outer.namelist() if one.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as inner:
            file = inner.extractfile("package/.jsii")
            assert file is not None
            found: dict[str, Any] = json.load(file)
            return found


def schema(types: dict[str, Any], *, source: str) -> dict[str, Any]:
    """Return provider, version, and the arguments of each kind."""
    own = source.partition(" ")[0]
    spaces = {f"google_{one}": one for one in RESOURCES} | {f"data.{one}": f"data_{one}" for one in DATA}
    kinds = {kind: arguments_of(types[_config(own, space)], types) for kind, space in spaces.items()}
    (version,) = {found for one in types.values() if one["name"] == "PubsubTopicConfig"
                  for found in VERSION.findall(json.dumps(one))}  # fmt: skip
    return {"provider": "hashicorp/google", "version": version, "source": source, "kinds": dict(sorted(kinds.items()))}


def _config(package: str, space: str) -> str:
    words = [part.capitalize() for part in space.split("_")]
    name = "".join(words)
    module = name[0].lower() + name[1:]
    return f"{package}.{module}.{name}Config"


def arguments_of(interface: dict[str, Any], types: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a resource or block, in the provider's spelling."""
    found = {}
    for one in interface.get("properties", ()):
        named = PROVIDER.search(json.dumps(one.get("docs", {})))
        if one["name"] in META or named is None:
            continue
        argument = _typed(one["type"], types)
        found[named[1]] = argument if one.get("optional") else {**argument, "required": True}
    return dict(sorted(found.items()))


def _typed(kind: dict[str, Any], types: dict[str, Any]) -> dict[str, Any]:
    """Return {"type": ...} of an attribute, or {"block": ..., "many": ...}."""
    if "union" in kind:
        kinds = [one for one in kind["union"]["types"] if one.get("fqn") != "cdktn.IResolvable"]
        return _typed(kinds[0], types)
    if "primitive" in kind:
        return {"type": {"boolean": "bool"}.get(kind["primitive"], kind["primitive"])}
    if "collection" in kind:
        inner = _typed(kind["collection"]["elementtype"], types)
        if "block" in inner:
            return {"block": inner["block"], "many": True}
        return {"type": f"{'list' if kind['collection']['kind'] == 'array' else 'map'}({inner['type']})"}
    return {"block": arguments_of(types[kind["fqn"]], types)}


def main(arguments: list[str]) -> int:
    """Write the file."""
    if len(arguments) != 1 or not Path(arguments[0]).is_file():
        print(__doc__, file=sys.stderr)
        return 2
    found = assembly(Path(arguments[0]))
    made = schema(found["types"], source=f"{found['name']} {found['version']}")
    TARGET.write_text(json.dumps(made, separators=(",", ":")).replace('},"', '},\n"') + "\n")
    print(f"{TARGET.name}: {made['provider']} {made['version']}, {len(made['kinds'])} kinds")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
