"""Conversion between a document's JSON body and its state.

A body has one spelling; unknown fields survive; newer schemas are refused. Pure.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

import msgspec

from phasegate.errors import BadDocument, BadInput

SCHEMA = 1
SCHEMA_FIELD = "_schema"
UNREADABLE_FIELD, TEXT_FIELD = "_unreadable", "_text"
"""The body that a store returns for a text that is not a JSON object: why, and the text, so that nothing is lost."""
INTEGERS = (-(2**63), 2**63 - 1)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A document's content, typed; equal states have equal bodies."""

    @property
    def due(self) -> float | None:
        """Return when this document must be checked again.

        Epoch seconds; None once it is settled.
        """
        return None


S = TypeVar("S", bound=State)
A = TypeVar("A")

Decision = Callable[[S | None], tuple[S | None, A]]
"""A pure function from a document (None: missing) to what it becomes and an answer; ``transact`` applies it."""


def decode(kind: type[S], body: Mapping[str, object], *, key: str) -> S:
    """Read a body.

    Raises BadDocument naming key, field and what was expected.
    """
    if UNREADABLE_FIELD in body:
        raise BadDocument(key, f"{body[UNREADABLE_FIELD]}; restore it from a backup, or delete it by hand")
    schema = body.get(SCHEMA_FIELD, SCHEMA)
    if not isinstance(schema, int) or schema > SCHEMA:
        raise BadDocument(key, f"has schema {schema!r}, this build reads up to {SCHEMA}: upgrade phasegate", newer=True)
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as e:
        raise BadDocument(key, f"cannot be read: {e}") from None


def build_types() -> None:
    """Build what msgspec knows of every struct of this package, now.

    It builds this on first use, and two threads that do so at once can crash the interpreter (msgspec 0.22). Call it
    at the end of a module: a module is imported by one thread, and the others wait for it. A module that is
    imported later, and defines more, calls it again.
    """
    kinds: list[type[msgspec.Struct]] = [msgspec.Struct]
    for kind in kinds:  # grows while it is read
        kinds += kind.__subclasses__()
        if kind.__module__.startswith("phasegate."):
            build_type(kind)


def build_type(kind: type[msgspec.Struct]) -> None:
    """Build what msgspec knows of one struct; see ``build_types``."""
    # an empty body lacks fields, and some structs are never read: only the type is wanted
    with suppress(msgspec.ValidationError, TypeError):
        msgspec.convert({}, kind)


def encode(state: State, *, over: Mapping[str, object] | None = None) -> dict[str, object]:
    """Return the body of a state.

    Fields of ``over`` (the body that was read) that this build does not know are kept. Raises BadInput for a state that
    could not be read again, such as one with NaN: its document would be lost for good.
    """
    try:
        body = _spelled(state)
        msgspec.convert(body, type(state))
    except (TypeError, ValueError, RecursionError) as e:
        raise BadInput(f"a {type(state).__name__.lower()} would be stored that cannot be read again: {e}") from e
    if over is not None:
        known = _spelled(msgspec.convert(over, type(state)))
        if known != over:
            _keep_unknown(over, known, body)
    return body


def _spelled(state: State) -> dict[str, object]:
    # by way of JSON, so that a tuple is the list that a store gives back
    body: dict[str, object] = msgspec.json.decode(msgspec.json.encode(state, order="sorted"))
    body[SCHEMA_FIELD] = SCHEMA
    return body


def _keep_unknown(old: Mapping[str, object], known: Mapping[str, object], new: dict[str, object]) -> None:
    """Copy to ``new`` what ``old`` has and ``known`` lacks.

    ``known``: the part of ``old`` that this build understands.
    """
    for name, value in old.items():
        if name == SCHEMA_FIELD:
            continue
        if name not in known:
            new.setdefault(name, value)
            continue
        inner, target = known[name], new.get(name)
        if isinstance(value, Mapping) and isinstance(inner, Mapping) and isinstance(target, dict):
            _keep_unknown(value, inner, target)


FAILURES_FIELD = "_failures"


def offence(value: object, where: str = "body", /) -> str | None:
    """Return the first thing in a value that is not plain JSON, or None.

    Such a value would be read back as something else.
    """
    why: str | None = None
    match value:
        case None | bool():
            pass
        case str() if not _is_text(value):
            why = "text with half a surrogate pair; repair it where it was read"
        case int() if not INTEGERS[0] <= value <= INTEGERS[1]:
            shown = value if value.bit_length() < 200 else f"an integer of {value.bit_length():,} bits"
            why = f"{shown} needs more than 64 bits; store it as text"
        case float() if not math.isfinite(value):
            why = f"{value} is not JSON; store None"
        case str() | int() | float():
            pass
        case Mapping():
            return _offence_in_mapping(value, where)
        case list() | tuple():
            return _offence_in_sequence(value, where)
        case _:
            why = f"a {type(value).__name__} is not JSON; store text, numbers, lists and objects only"
    return why and f"{where}: {why}"


def _offence_in_mapping(value: Mapping[object, object], where: str) -> str | None:
    for key, inner in value.items():
        if not isinstance(key, str) or not _is_text(key):
            return f"{where}: the name {key!r} is not text; store it as text"
        try:
            if found := offence(inner, f"{where}.{key}"):
                return found
        except RecursionError:
            return f"{where}: nested too deeply; flatten it"
    return None


def _offence_in_sequence(value: Sequence[object], where: str) -> str | None:
    return next((found for n, inner in enumerate(value) if (found := offence(inner, f"{where}[{n}]"))), None)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
