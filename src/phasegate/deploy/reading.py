"""Reads a manifest from TOML. Pure.

Each unknown key, wrong value and dangling name is a fault with its line. All are reported at once, since a manifest
with one mistake often has more.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Literal, NamedTuple, Union, cast, get_args, get_origin

import msgspec
from msgspec import Meta

from phasegate.deploy.faults import Fault
from phasegate.deploy.manifest import Manifest, ManifestTable
from phasegate.plan.times import zone_fix
from phasegate.plan.toml_lines import Place, Toml, parse, spell, spell_place, suggest

# "X | None" is the one or the other, as X is a class or has bounds.
UNIONS = (Union, UnionType)


class ManifestLines(NamedTuple):
    """The lines of a manifest, to name places in it."""

    toml: Toml

    def fault(self, code: str, place: Place, /, text: str, mend: str) -> Fault:
        """Return a fault of a place in the manifest."""
        # a variable is no table of its own
        subject = f"[env] {place[1]}" if place[:1] == ("env",) and len(place) > 1 else spell_place(place)
        return Fault(code=code, subject=subject or "the manifest", text=text, command=mend,
                     place=f"{self.toml.name}:{self.toml.line(place)}")  # fmt: skip


def read(text: str, /, *, name: str) -> tuple[ManifestLines, Manifest | None, tuple[Fault, ...]]:
    """Return a manifest, or None where its types are wrong, and its faults.

    Raises BadInput if it is no TOML.
    """
    source = ManifestLines(parse(text, name=name))
    found = tuple(_table(source, source.toml.body, Manifest, ()))
    if found:
        return source, None, found
    manifest = msgspec.convert(source.toml.body, Manifest)
    return source, manifest, (*_dangling(source, manifest), *_zones(source, manifest))


def _table(source: ManifestLines, body: object, kind: type[ManifestTable], place: Place) -> Iterator[Fault]:
    """Give the faults of one table."""
    if not isinstance(body, dict):
        yield source.fault("DP003", place, f"is {spell(body)}, wanted a table", f"write [{'.'.join(map(str, place))}]")
        return
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for key in body:
        if key not in fields:
            text = f"unknown key{suggest(key, known=fields)}"
            yield source.fault("DP001", (*place, key), text, "spell it as one of these, or remove it")
    for name, field in fields.items():
        if name in body:
            yield from _value(source, body[name], field.type, (*place, name))
        elif field.required:
            yield source.fault("DP002", (*place, name), "is missing", f"add {name} = {wanted(field.type)}")


def _value(source: ManifestLines, value: object, hint: object, place: Place) -> Iterator[Fault]:
    """Give the faults of one value; tables, and lists of tables, are walked."""
    kind, arguments = plain(hint), get_args(plain(hint))
    if isinstance(kind, type) and issubclass(kind, ManifestTable):
        yield from _table(source, value, kind, place)
    elif get_origin(kind) is Mapping and isinstance(value, dict):
        for name, inner in value.items():
            if (wrong := _refused(name, arguments[0])) is not None:
                yield source.fault("DP003", (*place, name), f"the name is refused: {wrong}",
                                   f"rename it to {wanted(arguments[0])}")  # fmt: skip
            yield from _value(source, inner, arguments[1], (*place, name))
    elif get_origin(kind) is tuple and isinstance(arguments[0], type) and issubclass(arguments[0], ManifestTable):
        for number, inner in enumerate(value if isinstance(value, list) else [value]):
            yield from _table(source, inner, arguments[0], (*place, number))
    elif (wrong := _refused(value, hint)) is not None:
        yield source.fault("DP003", place, f"is {spell(value)}: {wrong}", f"write {wanted(hint)}")


def _refused(value: object, hint: object) -> str | None:
    """Return why a value is not of a type, or None."""
    try:
        msgspec.convert(value, cast("type[object]", hint))
    except msgspec.ValidationError as e:
        text = str(e).replace("`", "")
        return text[:1].lower() + text[1:]
    return None


def plain(hint: object, /) -> object:
    """Return a type without its bounds, and without None."""
    if get_origin(hint) is Annotated:
        return plain(get_args(hint)[0])
    if get_origin(hint) in UNIONS:
        return plain(next(one for one in get_args(hint) if one is not type(None)))
    return hint


def bounds(hint: object, /) -> Meta:
    """Return the bounds of a type; those of nothing where it has none."""
    if get_origin(hint) is Annotated:
        return cast("Meta", get_args(hint)[1])
    inner = (one for one in get_args(hint) if get_origin(one) is Annotated)
    return bounds(next(inner, None)) if get_origin(hint) in UNIONS else Meta()


def wanted(hint: object, /) -> str:  # noqa: PLR0911  one line for each kind of type
    """Return what a value of a type is, in words.

    >>> wanted(Annotated[int, Meta(ge=1, le=9)]), wanted(Literal["a", "b"]), wanted(tuple[str, ...])
    ('a whole number from 1 to 9', '"a" or "b"', 'a list of text in quotes')
    """
    kind, limit = plain(hint), bounds(hint)
    if get_origin(kind) is Literal:
        return " or ".join(map(spell, get_args(kind)))
    if get_origin(kind) is Mapping:
        return "a table"
    if get_origin(kind) is tuple:
        return f"a list of {wanted(get_args(kind)[0])}"
    if kind is str:
        if limit.examples:
            return f"text in quotes, such as {spell(limit.examples[0])}"
        return f"text in quotes, of the form {limit.pattern}" if limit.pattern else "text in quotes"
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        number = "a whole number" if kind is int else "a number"
        return number if limit.ge is None else f"{number} from {limit.ge} to {limit.le}"
    return "a table"


def _dangling(source: ManifestLines, manifest: Manifest) -> Iterator[Fault]:
    """Give what names something that is not in the manifest."""
    for place, names, known, what in _references(manifest):
        for name in names:
            if name and name not in known:
                text = f"there is no {what} {spell(name)}{suggest(name, known=known)}"
                yield source.fault("DP004", place, text, f"name one of these, or add the {what}")


def _references(manifest: Manifest) -> Iterator[tuple[Place, Iterable[str], Mapping[str, object], str]]:
    for name, service in manifest.service.items():
        at: Place = ("service", name)
        yield (*at, "account"), [service.account], manifest.account, "account"
        yield (
            (*at, "invokers"),
            [one for one in service.invokers if "@" not in one and not one.startswith("all")],
            (manifest.account),
            "account",
        )
    for name, one in manifest.subscription.items():
        at = ("subscription", name)
        yield (*at, "topic"), [one.topic], manifest.topic, "topic"
        yield (*at, "dead_letter"), [one.dead_letter], manifest.topic, "topic"
        yield (*at, "push"), [one.push], manifest.service, "service"
        yield (*at, "account"), [one.account], manifest.account, "account"
    for name, job in manifest.job.items():
        yield ("job", name, "service"), [job.service], manifest.service, "service"
        yield ("job", name, "account"), [job.account], manifest.account, "account"
    for name, dataset in manifest.dataset.items():
        yield ("dataset", name, "writers"), dataset.writers, manifest.account, "account"
        yield ("dataset", name, "readers"), dataset.readers, manifest.account, "account"
    for name, alert in manifest.alert.items():
        yield ("alert", name, "channels"), alert.channels, manifest.channel, "channel"


def _zones(source: ManifestLines, manifest: Manifest) -> Iterator[Fault]:
    """Give what is no time zone."""
    zones: dict[Place, str] = {("timezone",): manifest.timezone}
    zones |= {("job", name, "timezone"): job.timezone for name, job in manifest.job.items()}
    for place, zone in zones.items():
        if fix := zone_fix(zone):
            yield source.fault("DP003", place, f"there is no time zone {spell(zone)}", fix)
