"""Checks events against the JSON schema of CloudEvents 1.0, and reads them as its own library does.

The schema beside this module is the CloudEvents specification's, as the package ``cloudevents`` 10.0.0 of the npm
registry holds it, laid out anew. Copyright The CloudEvents Authors, Apache License, Version 2.0.
"""

import json
from pathlib import Path
from typing import Any

import jsonschema
from cloudevents.http import CloudEvent, from_json

SCHEMA = json.loads(Path(__file__).with_name("cloudevents.schema.json").read_text())


def check_cloud_event(event: dict[str, Any]) -> CloudEvent:
    """Return an event as the library of CloudEvents reads it; raise unless it is one."""
    checker = jsonschema.FormatChecker()
    jsonschema.validate(event, SCHEMA, cls=jsonschema.Draft7Validator, format_checker=checker)
    return from_json(json.dumps(event))
