"""Documents in files that were exported from Firestore.

Known shapes: a plain body; ``{"id", "fields"}`` or ``{"id", "data"}``; the REST answer with its typed values and its
``documents`` list; a list of any of these; maps of collection to id to body. It does not interpret a document: that is
done in interop.platform. What has no known shape is reported with its place. Pure.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import cast

import msgspec

DEPTH_MAX = 4
NAMES = ("name", "path", "__name__", "__path__", "id", "_id", "__id__", "document_id")
BODIES = ("fields", "data")
GROUPS = ("__collections__", "collections")
_TYPED = frozenset({
    "nullValue", "booleanValue", "integerValue", "doubleValue", "timestampValue", "stringValue", "bytesValue",
    "referenceValue", "geoPointValue", "arrayValue", "mapValue",
})  # fmt: skip


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """One exported document.

    ``place``: the file, and the line or element in it.
    """

    place: str
    collection: str = ""
    id: str = ""
    body: dict[str, object]


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """A place that holds no document, and the reason."""

    place: str
    why: str


def documents(value: object, *, place: str, collection: str = "", name: str = "") -> Iterator[Exported | Unread]:
    """Give the documents in one JSON value.

    ``collection`` and ``name`` are those of its folder and file.

    >>> [one] = documents({"id": "2026-02-03", "fields": {"_triggered": {"booleanValue": True}}}, place="x.json")
    >>> one.id, one.body
    ('2026-02-03', {'_triggered': True})
    """
    yield from _found(value, place=place, collection=collection, name=name, depth=0)


def _found(value: object, *, place: str, collection: str, name: str, depth: int) -> Iterator[Exported | Unread]:
    if depth > DEPTH_MAX:
        yield Unread(place=place, why=f"nested deeper than {DEPTH_MAX} collections")
    elif isinstance(value, list):
        for number, inner in enumerate(cast("list[object]", value), 1):
            yield from _found(inner, place=f"{place}, element {number}", collection=collection, name="",
                              depth=depth + 1)  # fmt: skip
    elif not isinstance(value, dict):
        yield Unread(place=place, why=f"a JSON {kind_of(value).removeprefix('a ')}, wanted an object")
    else:
        yield from _in_object(value, place=place, collection=collection, name=name, depth=depth)


def _in_object(
    value: dict[str, object], *, place: str, collection: str, name: str, depth: int
) -> Iterator[Exported | Unread]:
    group = next((value[key] for key in GROUPS if isinstance(value.get(key), dict)), None)
    listed = value.get("documents")
    if isinstance(listed, list):
        yield from _found(listed, place=place, collection=collection, name="", depth=depth + 1)
    elif group is not None:
        yield from _found(group, place=place, collection=collection, name="", depth=depth + 1)
    elif is_document(value):
        yield _document(value, place=place, collection=collection, name=name)
    elif value and all(isinstance(inner, dict) for inner in value.values()):
        # a map: of ids to bodies, or of collections to such maps
        for key, inner in cast("dict[str, dict[str, object]]", value).items():
            home = collection if is_document(inner) else key
            yield from _found(inner, place=f"{place}, {key}", collection=home, name=key, depth=depth + 1)
    else:
        yield Unread(place=place, why="not a completion document: no processor entry and no field that begins with _")


def is_document(value: Mapping[str, object], /) -> bool:
    """Return whether an object is a document, and not a map of documents."""
    if any(isinstance(value.get(key), dict) for key in BODIES) and any(key in value for key in NAMES):
        return True
    if any(isinstance(value.get(key), dict) and _is_typed_map(value[key]) for key in BODIES):
        return True
    return any(key.startswith("_") and not key.startswith("__") for key in value) or any(
        is_entry(inner) for inner in value.values()
    )


def is_entry(value: object, /) -> bool:
    """Return whether a field is the report of a processor."""
    return isinstance(value, dict) and ("completed_at" in value or "status" in value)


def _is_typed_map(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and all(_is_typed(inner) for inner in value.values())


def _document(value: dict[str, object], *, place: str, collection: str, name: str) -> Exported:
    path = next((text for key in NAMES if isinstance(text := value.get(key), str) and text), name)
    parts = path.strip("/").split("/")
    body = next((value[key] for key in BODIES if isinstance(value.get(key), dict)), None)
    plain = plainly(value if body is None else body)
    assert isinstance(plain, dict)
    if body is None:
        plain = {key: inner for key, inner in plain.items() if key not in NAMES}
    home = parts[-2] if len(parts) > 1 else collection
    return Exported(place=place, collection=home, id=parts[-1], body=plain)


def plainly(value: object, /) -> object:
    """Return a value without Firestore's types; times keep their spelling.

    >>> plainly({"n": {"integerValue": "3"}, "at": {"timestampValue": "2026-02-04T06:00:00Z"}})
    {'n': 3, 'at': '2026-02-04T06:00:00Z'}
    """
    if isinstance(value, list):
        return [plainly(inner) for inner in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    if _is_typed(value):
        ((kind, inner),) = value.items()
        return _untyped(kind, inner)
    if "__datatype__" in value and "value" in value:
        return value["value"]
    return {str(key): plainly(inner) for key, inner in value.items()}


def _is_typed(value: object) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in _TYPED


def _untyped(kind: str, inner: object) -> object:
    if kind == "nullValue":
        return None
    if kind == "integerValue" and isinstance(inner, str) and inner.lstrip("-").isdecimal() and len(inner) <= 20:
        return int(inner)
    if kind == "mapValue" and isinstance(inner, dict):
        return plainly(inner.get("fields", {}))
    if kind == "arrayValue" and isinstance(inner, dict):
        return plainly(inner.get("values", []))
    return inner


def kind_of(value: object, /) -> str:
    """Return what a value is that is no map, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case datetime():
            return "a time"
        case _:
            return "a text"
