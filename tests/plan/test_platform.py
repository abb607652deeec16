"""The plan's table for the platform's messages, and sends in its form."""

import pytest

from phasegate import load_plan
from phasegate.base.platform import Platform
from phasegate.errors import BadInput

PLAN = """
pipeline = "nba"
timezone = "UTC"
[phase.raw]
[phase.analytics]
after = "raw"
[step.box]
phase = "raw"
external = true
[step.mean]
phase = "analytics"
needs = ["raw.box"]
python = "made:mean"
table = "out.mean"
key = ["day"]
partition = "day"
columns = { day = "DATE" }
"""


def sends(value: str) -> str:
    return PLAN.replace("[phase.raw]\n", f"[phase.raw]\nsends = [{value}]\n")


def test_a_plan_without_the_table_takes_no_such_message() -> None:
    assert load_plan(PLAN).platform is None


def test_an_empty_table_is_enough() -> None:
    assert load_plan(f"{PLAN}[platform]\n").platform == Platform()


def test_a_processor_s_step_is_the_named_one_else_that_of_its_name() -> None:
    platform = load_plan(PLAN + '[platform]\nprocessors = { "Box Scores" = "box" }\n').platform
    assert platform is not None
    names = ("Box Scores", "BoxProcessor", "box", "Boxes")
    assert [platform.step_of(name, steps=("box",)) for name in names] == ["box", "box", "box", None]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (PLAN + "[platform]\nprocesors = {}\n", 'platform: unknown key "procesors"; did you mean "processors"?'),
        (PLAN + 'platform = "yes"\n', 'unknown key "platform"'),
        ('platform = "yes"\n' + PLAN, 'platform: is "yes", wanted a table such as [platform]'),
        (PLAN + "[platform]\nprocessors = []\n", "[platform.processors]: is a list, wanted a table such as {"),
        (PLAN + "[platform]\nprocessors = { A = 3 }\n", "[platform.processors] A: is 3, wanted the name of a step"),
        (PLAN + '[platform]\nprocessors = { A = "bx" }\n',
         '[platform.processors] A: unknown step "bx"; did you mean "box"? known: box'),
        (PLAN + '[platform]\nprocessors = { A = "mean" }\n',
         '[platform.processors] A: step "mean" is built by Phasegate, which takes no report of it; remove it'),
        (sends('{ topic = "t", ack = "publish", form = "theirs" }'),
         '[phase.raw] sends[0].form: is "theirs", wanted "phasegate" or "platform"'),
        (sends('{ topic = "t", ack = "completion", form = "platform" }'),
         'sends[0].form: sends a message for each table, and "completion" waits for the answer to one; '
         'use ack = "begin" or "publish", or remove form'),
        (sends('{ topic = "t", ack = "post", form = "platform" }'), 'and "post" waits for the answer to one'),
        (sends('{ topic = "t", ack = "publish", form = "platform" }'),
         "sends[0].form: no step of the phase has a table; give a step its table, or remove form"),
    ],
)  # fmt: skip
def test_what_would_do_nothing_is_refused(text: str, wrong: str) -> None:
    with pytest.raises(BadInput) as caught:
        load_plan(text)
    assert wrong in str(caught.value)
