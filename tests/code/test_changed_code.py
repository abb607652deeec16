"""A step in Python whose helper changes: what an open run, a restart, `replan` and a worker make of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from phasegate import BadInput, load_plan
from phasegate.base.keys import parse_run
from phasegate.write.builder import PythonStep
from tests.support.pipelines import DAY, PLAN, RUN, load, settle, shop

STEP = """
pipeline = "shop"
timezone = "UTC"
[phase.load]
[phase.report]
after = "load"
[step.orders]
phase = "load"
external = true
[step.totals]
phase = "report"
needs = ["load.orders"]
python = "made_shop.steps:totals"
table = "out.totals"
key = ["day"]
partition = "day"
columns = { day = "VARCHAR", amount = "INTEGER" }
"""
STEPS = "from .rates import rate\n\ndef totals(reading):\n    return [{'day': '2026-02-03', 'amount': 10 * rate()}]\n"


class Project:
    """A package and its plan; each command is a new process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "made_shop").mkdir()
        (folder / "made_shop" / "__init__.py").touch()
        (folder / "made_shop" / "steps.py").write_text(STEPS)
        (folder / "plan.toml").write_text(STEP)
        self.rate("return 2")

    def rate(self, body: str) -> None:
        (self.folder / "made_shop" / "rates.py").write_text(f"def rate():\n    {body}\n")

    def __call__(self, *arguments: str) -> str:
        command = [sys.executable, "-B", "-m", "phasegate", *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False).stdout

    def amount(self) -> object:
        program = (
            "import phasegate; pg = phasegate.connect(); print(pg.query('SELECT amount FROM out.totals')); pg.close()"
        )
        command = [sys.executable, "-B", "-c", program]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True).stdout.strip()


def test_a_changed_helper_makes_the_step_stale_and_rebuilds_it(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project("complete", "orders", "--run", RUN, "--execution-id", "v1")
    project("worker", "--until-idle")
    assert project.amount() == "[{'amount': 20}]"
    project.rate("return 2  # as before")
    assert "PG014" not in project("reconcile", DAY)
    project.rate("return 3")
    project("worker", "--until-idle")
    assert project.amount() == "[{'amount': 20}]", "an open run keeps the code that it was opened with"
    project("replan", RUN)
    assert "its code" in project("why", RUN)
    project("worker", "--until-idle")
    assert project.amount() == "[{'amount': 30}]"
    assert "its code" not in project("why", RUN)
    assert state_of(project) == ["complete", "complete"]


def state_of(project: Project) -> list[str]:
    return [phase["state"] for phase in json.loads(project("status", "--json"))["phases"]]


def amounts(factor: int) -> PythonStep:
    def totals(_: object) -> list[dict[str, object]]:
        return [{"day": DAY, "amount": factor}]

    return totals


@pytest.mark.parametrize(("factor", "stale"), [(1, None), (2, "code_changed")])
def test_a_function_that_was_handed_over_is_rebuilt_after_a_replan(factor: int, stale: str | None) -> None:
    first = shop({"made:totals": amounts(1)})
    load(first, 5)
    settle(first)
    made = shop({"made:totals": amounts(factor)}, store=first.store, warehouse=first.warehouse)
    made.pipeline.runs.replan("report", parse_run(RUN))
    phase = made.pipeline.runs.read("report", parse_run(RUN))
    assert phase is not None
    assert phase.members["totals"].stale == stale
    settle(made)
    rows = [row for part in first.warehouse.tables["out.totals"].values() for row in part.values()]
    assert [row.cells["amount"] for row in rows] == [factor]


def declared(version: str) -> str:
    return PLAN.replace('python = "made:totals"', f'python = "made:totals"\ncode = "{version}"')


def test_declared_code_counts_alone() -> None:
    plans = [shop({"made:totals": amounts(n)}, plan=declared(v)).pipeline.plan
             for n, v in ((1, "v1"), (2, "v1"), (1, "v2"))]  # fmt: skip
    codes = [plan.steps["totals"].code for plan in plans]
    assert codes[0] == codes[1] != codes[2]
    assert load_plan(PLAN).steps["totals"].code == "", "the plan alone does not show what a function runs"


def test_a_function_without_source_is_refused_with_the_way_out() -> None:
    space: dict[str, PythonStep] = {}
    exec("def totals(reading):\n    return []\n", space)  # noqa: S102  this is what has no source
    with pytest.raises(BadInput, match=r'^step totals: .* add code = "v1" to \[step\.totals\]'):
        shop({"made:totals": space["totals"]})
    shop({"made:totals": space["totals"]}, plan=declared("v1"))
