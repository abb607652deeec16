"""Checks rendered resources by the schema of Terraform's provider.

``google_schema.json`` holds names, types and what is required of the kinds that are rendered; it is made by
tools/provider_schema.py from the provider's own bindings. Values that Terraform computes are taken as they are.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import cast

import msgspec

from phasegate.deploy.faults import Fault
from phasegate.deploy.reading import ManifestLines
from phasegate.deploy.terraform import Resource
from phasegate.plan.toml_lines import spell, suggest

# Terraform's own, of every resource.
META = frozenset({"count", "depends_on", "for_each", "lifecycle", "provider"})


class Argument(msgspec.Struct, frozen=True):
    """One argument: an attribute of a type, or a block.

    ``many``: there may be several.
    """

    type: str = ""
    block: "Mapping[str, Argument] | None" = None
    many: bool = False
    required: bool = False


class ProviderSchema(msgspec.Struct, frozen=True):
    """The arguments of each kind of resource."""

    provider: str
    version: str
    source: str
    kinds: Mapping[str, Mapping[str, Argument]]


@cache
def provider_schema() -> ProviderSchema:
    """Return the schema that is shipped."""
    return msgspec.json.decode(
        files("phasegate.deploy").joinpath("google_schema.json").read_bytes(), type=ProviderSchema
    )


def check_resources(source: ManifestLines, resources: Iterable[Resource], /) -> Iterator[Fault]:
    """Give what the provider would refuse."""
    schema = provider_schema()
    for one in resources:
        known = schema.kinds.get(one.kind)
        if known is None:
            text = f"the schema has no {one.kind}{suggest(one.kind, known=schema.kinds)}"
            yield source.fault("DP005", one.place, text, "renew the schema: python tools/provider_schema.py WHEEL")
            continue
        for path, text in _block(one.body, known, ""):
            yield source.fault("DP005", one.place, f"{one.kind}: {path.lstrip('.')}: {text}",
                               f"change what {schema.provider} {schema.version} does not take")  # fmt: skip


def _block(body: Mapping[str, object], known: Mapping[str, Argument], path: str) -> Iterator[tuple[str, str]]:
    for name, value in body.items():
        if not path and name in META:
            continue
        argument = known.get(name)
        if argument is None:
            yield f"{path}.{name}", f"no such argument{suggest(name, known=known)}"
        elif argument.block is not None:
            yield from _blocks(value, argument, argument.block, f"{path}.{name}")
        elif not _typed(value, argument.type):
            yield f"{path}.{name}", f"is {spell(value)}, wanted {argument.type}"
    for name, argument in known.items():
        if argument.required and name not in body:
            yield f"{path}.{name}", "is missing"


def _blocks(
    value: object, argument: Argument, known: Mapping[str, Argument], path: str
) -> Iterator[tuple[str, str]]:  # fmt: skip
    found = value if isinstance(value, list) else [value]
    if len(found) > 1 and not argument.many:
        yield path, f"stands {len(found)} times, wanted once"
    for one in found:
        if isinstance(one, dict):
            yield from _block(cast("dict[str, object]", one), known, path)
        else:
            yield path, f"is {spell(one)}, wanted a block"


def _typed(value: object, kind: str) -> bool:
    """Return whether a value is of a type of Terraform's."""
    if isinstance(value, str) and "${" in value.replace("$${", ""):
        return True
    inner = kind.partition("(")[2].removesuffix(")")
    if kind.startswith("list("):
        return isinstance(value, list) and all(_typed(one, inner) for one in value)
    if kind.startswith("map("):
        return isinstance(value, dict) and all(_typed(one, inner) for one in value.values())
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str) if kind == "string" else json.dumps(value) != ""
