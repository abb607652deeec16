"""``phasegate plan graph``: the plan as text and as SVG."""

import itertools
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from msgspec.structs import replace

from nba_props import PLAN as REFERENCE
from phasegate import read_plan
from phasegate.explain.graph import Mark, as_svg, layout
from phasegate.plan.load import load_plan
from phasegate.plan.model import Plan
from tests.support.commands import PLAN, SQL, Night

SPACE = "{http://www.w3.org/2000/svg}"
Rect = tuple[float, float, float, float]


def plan_of(text: str) -> Plan:
    return load_plan(text, files=lambda _: SQL, name="plan.toml")


def drawn(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314  our own drawing


def rects(svg: str, kind: str) -> list[Rect]:
    """Return left, top, right and bottom of each rectangle of a kind."""
    found = []
    for one in drawn(svg).iter(f"{SPACE}rect"):
        x, y, width, height = (float(one.attrib[name]) for name in ("x", "y", "width", "height"))
        if one.attrib["class"].split()[0] == kind:
            found.append((x, y, x + width, y + height))
    return found


def overlap(one: Rect, other: Rect) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def test_the_text_names_every_step_with_its_needs(night: Night) -> None:
    done = night("plan", "graph")
    assert (done.code, done.err) == (0, "")
    assert (
        done.out
        == """\
raw
├─ gamebook (external)
└─ odds     (external)

analytics  (after raw)
└─ player_game ◄─ raw.gamebook

precompute  (after analytics)
└─ report ◄─ analytics.player_game
"""
    )


PARALLEL = PLAN.replace('after = "analytics"', 'after = "raw"').replace('["analytics.player_game"]', '["raw.odds"]')
STEP = '[step.s{n}]\nphase = "raw"\nexternal = true\nneeds = [{need}]\n'
MANY = PLAN + "".join(STEP.format(n=n, need=f'"s{n - 1}"' if n % 3 else "") for n in range(7))


@pytest.mark.parametrize(
    "plan", [plan_of(PLAN), plan_of(PARALLEL), plan_of(MANY), read_plan(REFERENCE)],
    ids=["a chain", "two phases beside each other", "many steps", "the reference pipeline"],
)  # fmt: skip
def test_the_drawing_has_every_step_and_need_and_nothing_overlaps(plan: Plan) -> None:
    svg = as_svg(plan)
    root = drawn(svg)
    steps, phases = rects(svg, "step"), rects(svg, "phase")
    assert (len(steps), len(phases)) == (len(plan.steps), len(plan.phases))
    canvas = (0.0, 0.0, float(root.attrib["width"]), float(root.attrib["height"]))
    for kind in (steps, phases):
        assert not [pair for pair in itertools.combinations(kind, 2) if overlap(*pair)]
        assert all(one[0] >= 0 and one[1] >= 0 and one[2] <= canvas[2] and one[3] <= canvas[3] for one in kind)
    assert all(any(p[0] < s[0] and p[1] < s[1] and p[2] > s[2] and p[3] > s[3] for p in phases) for s in steps)
    needs = [need for step in plan.steps.values() for need in step.needs if need.step != step.name]
    after = [name for phase in plan.phases.values() for name in phase.after]
    assert len(list(root.iter(f"{SPACE}path"))) == len(needs) + len(after)


def test_a_step_is_drawn_after_what_it_needs_of_its_date() -> None:
    plan = read_plan(REFERENCE)
    places = layout(plan).steps
    for step in plan.steps.values():
        for need in step.needs:
            assert need.back or places[need.step][0] < places[step.name][0]


def test_every_text_of_the_drawing_is_escaped() -> None:
    hostile = '<script>alert("1")</script>&'
    plan = replace(plan_of(PLAN), pipeline=hostile)
    root = drawn(as_svg(plan))
    assert [one.text for one in root.iter(f"{SPACE}title")] == [hostile]
    assert list(root.iter(f"{SPACE}script")) == []
    marks = {("raw", "gamebook"): Mark(hostile, hostile, hostile, f"/runs/{hostile}")}
    (link,) = ET.fromstring(as_svg(plan, marks=marks)).iter("a")  # noqa: S314  our own drawing
    assert link.attrib["href"] == f"/runs/{hostile}"
    assert [one.text for one in link] == [hostile, None, f"{hostile} gamebook"]


def test_a_drawing_for_a_page_has_no_style_of_its_own_and_a_sign_in_each_marked_box() -> None:
    plan = plan_of(PLAN)
    marks = {("raw", ""): Mark("✓", "good", "raw: complete", "/a"), ("raw", "odds"): Mark("✗", "bad", "odds", "/b")}
    svg = as_svg(plan, marks=marks)
    assert "style" not in svg
    assert ">✓ raw</text>" in svg
    assert ">✗ odds</text>" in svg
    assert 'class="step external bad"' in svg
    assert ">gamebook</text>" in svg, "what is not marked is drawn as in the file"


def test_a_window_over_its_own_table_is_in_the_steps_label() -> None:
    text = PLAN.replace('needs = ["raw.gamebook"]', 'needs = ["raw.gamebook", { step = "player_game", back = "20d" }]')
    assert ">player_game @20d</text>" in as_svg(plan_of(text))


def test_json_has_the_places_and_two_forms_at_once_are_refused(night: Night) -> None:
    document = night("plan", "graph", "--json").json
    assert document["steps"][2] == {
        "name": "player_game", "phase": "analytics", "column": 1, "row": 0, "needs": ["raw.gamebook"],
    }  # fmt: skip
    assert night("plan", "graph", "--svg", "--json").code == 2
    done = night("plan", "graph", "--svg", str(Path("plan.toml")))
    assert done.out.startswith("<svg ")
