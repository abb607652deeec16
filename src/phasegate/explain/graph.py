"""Lays out a plan in layers, and draws it as text or SVG. Pure.

A step is one layer after the last of its needs, and after every step of the phases before its own. Windows over earlier
dates may go backwards, so they move nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from phasegate.plan.model import Plan, Step

CHAR, LINE, PAD, GAP, HEAD = 7, 34, 12, 48, 26
STYLE = (
    "text { font: 12px ui-monospace, Menlo, monospace; fill: #1f2430 } .phase { fill: #f3f4f6; stroke: #c3c7cf }"
    " .title { font-weight: bold } .step { fill: #ffffff; stroke: #4a5568 } .external { stroke-dasharray: 4 2 }"
    " .command { stroke-width: 2 }"
    " path { fill: none; stroke: #4a5568 } .window { stroke-dasharray: 2 3 }"
    " .after { stroke: #b7791f; stroke-width: 2 }"
)


class Mark(NamedTuple):
    """What a drawing shows of a phase or a step besides its name.

    ``tone``: a class of the page that it is on. ``title``: all of it in words; ``link``: where it leads.
    """

    sign: str
    tone: str
    title: str
    link: str


Marks = Mapping[tuple[str, str], Mark]
"""By phase and step; those of a phase itself under "" as step."""


@dataclass(frozen=True)
class Box:
    """A phase in the grid: its columns and its rows, both ends included."""

    left: int
    right: int
    top: int
    bottom: int

    def meets(self, other: "Box") -> bool:
        """Return whether two boxes share a cell."""
        across = self.left <= other.right and other.left <= self.right
        return across and self.top <= other.bottom and other.top <= self.bottom


@dataclass(frozen=True)
class Layout:
    """The place of each step, (column, row), and the box of each phase."""

    steps: Mapping[str, tuple[int, int]]
    phases: Mapping[str, Box]


def layout(plan: Plan, /) -> Layout:
    """Return the places of a plan's steps and phases."""
    columns: dict[str, int] = {}
    boxes: dict[str, Box] = {}
    places: dict[str, tuple[int, int]] = {}
    for phase in plan.phases.values():
        start = 1 + max((boxes[name].right for name in phase.after), default=-1)
        mine = [step for step in plan.steps.values() if step.phase == phase.name]
        for step in mine:
            before = [columns[need.step] for need in step.needs if not need.back and need.step in columns]
            columns[step.name] = max(start, 1 + max(before, default=-1))
        used = [columns[step.name] for step in mine] or [start]
        height = max(used.count(column) for column in used)
        box = Box(min(used), max(used), 0, height - 1)
        while any(box.meets(other) for other in boxes.values()):
            box = Box(box.left, box.right, box.top + 1, box.bottom + 1)
        boxes[phase.name] = box
        rows = dict.fromkeys(used, box.top)
        for step in mine:
            column = columns[step.name]
            places[step.name] = (column, rows[column])
            rows[column] += 1
    return Layout(places, boxes)


def as_text(plan: Plan, /) -> list[str]:
    """Return the plan as lines: phases in order, each step with its needs."""
    places = layout(plan).steps
    lines: list[str] = []
    for phase in plan.phases.values():
        lines += [*([""] if lines else []), phase.name + (f"  (after {', '.join(phase.after)})" if phase.after else "")]
        mine = sorted((s for s in plan.steps.values() if s.phase == phase.name), key=lambda s: places[s.name])
        first = min((places[step.name][0] for step in mine), default=0)
        width = max((4 * (places[step.name][0] - first) + len(step.name) for step in mine), default=0)
        for number, step in enumerate(mine, 1):
            indent = "    " * (places[step.name][0] - first)
            branch = "└─ " if number == len(mine) else "├─ "
            needs = ", ".join(str(need).removeprefix(f"{phase.name}.") for need in step.needs)
            shown = f" ◄─ {needs}" if needs else f" ({step.kind})" if step.kind == "external" else ""
            shown = f" ({step.kind}){shown}" if step.kind == "command" else shown
            lines.append(f"{branch}{f'{indent}{step.name}':<{width}}{shown}".rstrip())
    return lines


def as_svg(plan: Plan, /, *, marks: Marks | None = None) -> str:
    """Return the plan as an SVG document.

    Solid lines are needs of the same date, dotted ones windows; a thick line goes from a phase to the one after it.
    ``marks``: draw it as a part of a page, which has the colours and says what it is; with these on it.
    """
    place, known = layout(plan), marks or {}
    labels = {step.name: _signed(_label(step), known.get((step.phase, step.name))) for step in plan.steps.values()}
    wide = CHAR * max(map(len, labels.values()), default=8) + 2 * PAD
    step_x, step_y = wide + GAP, LINE + PAD

    def corner(column: int, row: int) -> tuple[int, int]:
        return PAD + GAP // 2 + column * step_x, PAD + HEAD + row * (step_y + HEAD)

    shapes: list[str] = []
    for name, box in place.phases.items():
        x, y = corner(box.left, box.top)
        right, bottom = corner(box.right, box.bottom)
        size = f'width="{right + wide - x + 2 * PAD}" height="{bottom + LINE - y + HEAD + PAD // 2}"'
        shapes.append(f'<rect class="phase" x="{x - PAD}" y="{y - HEAD}" {size} rx="6"/>')
        mark = known.get((name, ""))
        shapes.append(_linked(f'<text class="{_classes("title", mark)}" x="{x}" y="{y - 9}">'
                              f"{escape(_signed(name, mark))}</text>", mark))  # fmt: skip
    for phase in plan.phases.values():
        for name in phase.after:
            before, box = place.phases[name], place.phases[phase.name]
            (x, y), (to_x, to_y) = corner(before.right, before.top), corner(box.left, box.top)
            shapes.append(_curve("after", (x + wide + PAD, y - HEAD // 2), (to_x - PAD, to_y - HEAD // 2)))
    for step in plan.steps.values():
        for need in step.needs:
            if need.step != step.name:
                (x, y), (to_x, to_y) = corner(*place.steps[need.step]), corner(*place.steps[step.name])
                kind = "window" if need.back else "need"
                shapes.append(_curve(kind, (x + wide, y + LINE // 2), (to_x, to_y + LINE // 2)))
    for step in plan.steps.values():
        x, y = corner(*place.steps[step.name])
        mark = known.get((step.phase, step.name))
        kinds = _classes(f"step {step.kind}", mark)
        shapes.append(_linked(f'<rect class="{kinds}" x="{x}" y="{y}" width="{wide}" height="{LINE}" rx="4"/>'
                              f'<text class="{_classes("name", mark)}" x="{x + PAD}" y="{y + LINE // 2 + 4}">'
                              f"{escape(labels[step.name])}</text>", mark))  # fmt: skip
    width, height = corner(*(1 + max(ends, default=0) for ends in zip(*place.steps.values(), strict=True)))
    return _framed(plan, shapes, width=width, height=height, alone=marks is None)


def _framed(plan: Plan, shapes: list[str], *, width: int, height: int, alone: bool) -> str:
    """Return a drawing as a document of its own, or as a part of a page."""
    title, size = escape(plan.pipeline), f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    if alone:
        own = (f"<title>{title}</title>", f"<style>{STYLE}</style>")
        return "\n".join((f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">', *own, *shapes, "</svg>"))
    head = f'<svg class="graph" {size} role="group" aria-label="The plan of {title}">'
    return "\n".join((head, *shapes, "</svg>"))


def _signed(label: str, mark: Mark | None) -> str:
    return label if mark is None else f"{mark.sign} {label}"


def _classes(kind: str, mark: Mark | None) -> str:
    return kind if mark is None else escape(f"{kind} {mark.tone}")


def _linked(shape: str, mark: Mark | None) -> str:
    if mark is None:
        return shape
    return f'<a href="{escape(mark.link)}"><title>{escape(mark.title)}</title>{shape}</a>'


def _label(step: Step) -> str:
    """Return a step's name, with the window over its own table."""
    own = max((need for need in step.needs if need.step == step.name), default=None)
    return step.name if own is None else f"{step.name} @{str(own).partition('@')[2]}"


def _curve(kind: str, start: tuple[int, int], end: tuple[int, int]) -> str:
    """Return a line that leaves and arrives level."""
    (x, y), (to_x, to_y) = start, end
    bend = max(GAP // 2, abs(to_x - x) // 2)
    return f'<path class="{kind}" d="M{x} {y} C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}"/>'
