"""Reads one table of a TOML file, key by key.

Each value has the wanted type, or the refusal names the place and the type. No value is converted, and no unknown key
is ignored. Pure.
"""

import re
from collections.abc import Iterable, Mapping
from typing import cast

import msgspec

from phasegate.base.keys import NAME
from phasegate.errors import BadInput
from phasegate.plan.toml_lines import Place, Toml, spell, suggest

NAME_CHARS_MAX = 80


class Section(msgspec.Struct, frozen=True):
    """A table of the file and the place where it stands."""

    toml: Toml
    place: Place
    body: Mapping[str, object]

    def error(self, key: str | None, text: str, /) -> BadInput:
        """Return the refusal of one key (None: of the table itself)."""
        return self.toml.error(self.place if key is None else (*self.place, key), text)

    def unwanted(self, key: str, /, *, wanted: str) -> BadInput:
        """Return the refusal of a wrong value or a missing key."""
        if key not in self.body:
            return self.error(key, f"is missing, wanted {wanted}")
        return self.error(key, f"is {spell(self.body[key])}, wanted {wanted}")

    def only(self, known: Iterable[str], /) -> None:
        """Refuse every key that is not known."""
        known = tuple(known)
        for key in self.body:
            if key not in known:
                text = f"unknown key {spell(key)}{suggest(key, known=known)}"
                raise self.toml.error(self.place, text, at=(*self.place, key))

    def has(self, key: str, /) -> bool:
        """Return whether the key is written."""
        return key in self.body

    def section(self, key: str, /, *, wanted: str = "a table") -> "Section":
        """Return the table under a key."""
        value = self.body.get(key)
        if not isinstance(value, dict):
            raise self.unwanted(key, wanted=wanted)
        return Section(self.toml, (*self.place, key), cast("dict[str, object]", value))

    def named(self, key: str, /, *, wanted: str) -> "dict[str, Section]":
        """Return the tables under a key by name, in the file's order.

        There must be at least one, each with a valid name.
        """
        outer = self.section(key, wanted=wanted)
        if not outer.body:
            raise self.error(key, f"is empty, wanted {wanted}")
        for name in outer.body:
            outer.check_name(name, key=name)
        return {name: outer.section(name, wanted=wanted) for name in outer.body}

    def check_name(self, name: str, /, *, key: str) -> None:
        """Refuse a name that keys and ids cannot contain."""
        if not NAME.fullmatch(name) or len(name) > NAME_CHARS_MAX:
            wanted = f"a-z, 0-9 and _, beginning with a letter, at most {NAME_CHARS_MAX} characters"
            raise self.error(key, f"the name {spell(name)} is not allowed; use {wanted}")

    def text(self, key: str, /, *, wanted: str, form: re.Pattern[str] | None = None) -> str:
        """Return a string that is not empty and matches the form."""
        value = self.body.get(key)
        if not isinstance(value, str) or not value or (form is not None and not form.fullmatch(value)):
            raise self.unwanted(key, wanted=wanted)
        return value

    def name(self, key: str, /) -> str:
        """Return a string that is a valid name."""
        name = self.text(key, wanted="a name in quotes")
        self.check_name(name, key=key)
        return name

    def choice(self, key: str, /, *, known: tuple[str, ...], default: str) -> str:
        """Return one of the known words."""
        value = self.body.get(key, default)
        if not isinstance(value, str) or value not in known:
            raise self.unwanted(key, wanted=" or ".join(map(spell, known)))
        return value

    def texts(self, key: str, /, *, wanted: str) -> tuple[str, ...]:
        """Return a list of different, non-empty strings; () without the key."""
        value = self.body.get(key, [])
        if not isinstance(value, list):
            raise self.unwanted(key, wanted=wanted)
        found: dict[str, None] = {}
        for item in cast("list[object]", value):
            if not isinstance(item, str) or not item:
                raise self.error(key, f"holds {spell(item)}, wanted {wanted}")
            if item in found:
                raise self.error(key, f"holds {spell(item)} twice; remove one")
            found[item] = None
        return tuple(found)

    def number(self, key: str, /, *, low: float, high: float, default: float) -> float:
        """Return a number within the bounds."""
        value = self.body.get(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise self.unwanted(key, wanted=f"a number from {low:g} to {high:g}")
        return float(value)

    def truth(self, key: str, /, *, default: bool) -> bool:
        """Return a boolean."""
        value = self.body.get(key, default)
        if not isinstance(value, bool):
            raise self.unwanted(key, wanted="true or false")
        return value

    def whole(self, key: str, /, *, low: int, high: int, default: int | None = None) -> int:
        """Return a whole number within the bounds."""
        value = self.body.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.unwanted(key, wanted=f"a whole number from {low} to {high}")
        return value
