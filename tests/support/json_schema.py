"""Checks a JSON value against the part of JSON Schema (draft 2020-12) that the schemas of the commands use.

Stricter than the standard in two ways: a field that a schema does not name is an error, and so is a keyword that is
not known here.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

TYPES: Mapping[str, Callable[[object], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
FORMATS: Mapping[str, Callable[[str], object]] = {"date": date.fromisoformat, "date-time": datetime.fromisoformat}
KNOWN = {
    "$schema", "$defs", "$ref", "title", "description", "type", "format", "enum", "anyOf", "items", "prefixItems",
    "minItems", "maxItems", "properties", "required", "additionalProperties",
}  # fmt: skip


def faults(
    schema: Mapping[str, Any], value: object, *, root: Mapping[str, Any] | None = None, at: str = "$"
) -> list[str]:
    """Return what is wrong with a value, each with its place."""
    root = schema if root is None else root
    unknown = schema.keys() - KNOWN
    assert not unknown, f"keywords that this check does not know: {unknown}"
    if "$ref" in schema:
        return faults(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], value, root=root, at=at)
    if "anyOf" in schema:
        tries = [faults(one, value, root=root, at=at) for one in schema["anyOf"]]
        return [] if [] in tries else [f"{at}: none of {len(tries)}", *min(tries, key=len)]
    if "type" in schema and not TYPES[schema["type"]](value):
        return [f"{at}: {value!r} is no {schema['type']}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at}: {value!r} is none of {schema['enum']}"]
    return [*_format(schema, value, at=at), *_inside(schema, value, root=root, at=at)]


def _format(schema: Mapping[str, Any], value: object, *, at: str) -> list[str]:
    if "format" not in schema or not isinstance(value, str):
        return []
    try:
        FORMATS[schema["format"]](re.sub("Z$", "+00:00", value))
    except ValueError:
        return [f"{at}: {value!r} is no {schema['format']}"]
    return []


def _inside(schema: Mapping[str, Any], value: object, *, root: Mapping[str, Any], at: str) -> Iterator[str]:
    if isinstance(value, dict) and "type" in schema:
        named, other = schema.get("properties", {}), schema.get("additionalProperties", False)
        yield from (f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value)
        for name, inner in value.items():
            one = named.get(name, other)
            if one is False:
                yield f"{at}: {name} is not in the schema"
            else:
                yield from faults(one, inner, root=root, at=f"{at}.{name}")
    if isinstance(value, list) and "type" in schema:
        first = schema.get("prefixItems", [])
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{at}: {len(value)} items"
        for number, inner in enumerate(value):
            one = first[number] if number < len(first) else schema["items"]
            yield from faults(one, inner, root=root, at=f"{at}[{number}]") if one is not False else ()
