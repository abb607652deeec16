"""What Terraform would make of a rendered folder: each resource, with its expressions replaced.

It knows the few expressions that `phasegate deploy render` writes, and refuses any other.
"""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_EXPRESSION = re.compile(r"\$\$\{|%%\{|\$\{([^}]*)\}")
_BASE64 = re.compile(r'\$\{base64encode\((".*")\)\}', re.DOTALL)
NUMBER = "1138"
"""The number of the project."""
SERVICE, ACCOUNT = "google_cloud_run_v2_service", "google_service_account"
TOPIC, SUBSCRIPTION, JOB = "google_pubsub_topic", "google_pubsub_subscription", "google_cloud_scheduler_job"


class Rendered:
    """The resources of a folder. ``front``: the address below which each service is, by its name."""

    def __init__(self, folder: Path, *, front: str) -> None:
        self._front, self.project = front, ""
        self._kinds: dict[str, dict[str, Any]] = {}
        for file in sorted(folder.glob("*.tf.json")):
            found = json.loads(file.read_text(encoding="utf-8"))
            self.project = found.get("provider", {}).get("google", {}).get("project") or self.project
            for kind, named in found.get("resource", {}).items():
                self._kinds.setdefault(kind, {}).update(named)

    def all(self, kind: str) -> Iterator[dict[str, Any]]:
        """Yield the resources of a kind as they would be made.

        Raises RuntimeError for an expression that has no value.
        """
        for body in self._kinds.get(kind, {}).values():
            yield self._made({name: value for name, value in body.items() if name != "depends_on"})

    def _made(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._made(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self._made(one) for one in value]
        if not isinstance(value, str):
            return value
        if found := _BASE64.fullmatch(value):
            return base64.b64encode(str(self._made(json.loads(found[1]))).encode()).decode()
        return _EXPRESSION.sub(lambda match: match[0][1:] if match[1] is None else self._value(match[1]), value)

    def _value(self, expression: str) -> str:
        if expression == "data.google_project.this.number":
            return NUMBER
        kind, name, attribute = expression.split(".") if expression.count(".") == 2 else ("", "", "")
        body = self._kinds.get(kind, {}).get(name)
        if body is None:
            raise RuntimeError(f"Terraform knows no {expression}")
        made = {
            (ACCOUNT, "email"): lambda: f"{body['account_id']}@{self.project}.iam.gserviceaccount.com",
            (ACCOUNT, "name"): lambda: f"projects/{self.project}/serviceAccounts/{self._value(f'{kind}.{name}.email')}",
            (SERVICE, "uri"): lambda: f"{self._front}/{body['name']}",
            (TOPIC, "id"): lambda: f"projects/{self.project}/topics/{body['name']}",
        }.get((kind, attribute))
        return made() if made is not None else str(body[attribute])
