"""A draft of a plan for another system's processors. Pure.

It is made of their completion documents: every step is external and unguarded. Needs, tables and the calendar are
missing, since no completion document has them.
"""

import re
from collections.abc import Iterable

from phasegate.base.keys import NAME
from phasegate.interop.diagnosis import Expected

_HEAD = """\
# Made of completion documents by phasegate doctor --draft. Next: give the steps their tables, and a calendar.
pipeline = "mine"
timezone = "UTC"
"""


def draft_plan(expected: Iterable[Expected], /) -> str:
    """Return a plan as TOML; "" if no processor is expected.

    Collections are phases, in order of the number in their name. A processor of two collections is a step of the first.
    """
    phases: dict[str, dict[str, set[str]]] = {}
    for one in expected:
        name = _name(one.collection.removesuffix("_completion") or "documents")
        phases.setdefault(name, {}).setdefault(_name(one.mode) if one.mode else "", set()).update(map(_name, one.names))
    lines, seen, before = [_HEAD], set[str](), ""
    for phase, modes in sorted(phases.items(), key=lambda item: (_number(item[0]), item[0])):
        steps = sorted(set().union(*modes.values()) - seen)
        if not steps:
            continue
        lines += [f"[phase.{phase}]", *([f'after = "{before}"'] if before else [])]
        for mode, names in sorted(modes.items()):
            mine = sorted(names & set(steps))
            if mode and mine:
                expect = '"*"' if mine == steps else "[" + ", ".join(f'"{name}"' for name in mine) + "]"
                lines.append(f"modes.{mode} = {{ expect = {expect} }}")
        lines.append("")
        lines += [f'[step.{step}]\nphase = "{phase}"\nexternal = true\n' for step in steps]
        seen, before = seen | set(steps), phase
    return "\n".join(lines) if before else ""


def _number(phase: str) -> int:
    found = re.search(r"\d{1,9}", phase)
    return int(found[0]) if found else 0


def _name(text: str) -> str:
    """Return a text as a name of a plan."""
    name = re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_")
    return name if NAME.fullmatch(name) else f"p_{name}"
