import pytest

from phasegate.errors import BadInput
from phasegate.plan.load import load_plan
from phasegate.plan.model import Step

PLAN = """\
pipeline = "shop"
timezone = "UTC"
[phase.load]
[step.orders]
phase = "load"
external = true
table = "raw.orders"
key = ["day"]
partition = "day"
version = "v"
[step.model]
phase = "load"
needs = ["orders"]
command = "dbt run --select model"
run_max_s = 90
"""
TABLE = """table = "dbt.model"
key = ["day"]
partition = "day"
"""
COMMAND = 'command = "dbt run --select model"\n'


def model(text: str = PLAN) -> Step:
    return load_plan(text).steps["model"]


def refused(new: str) -> str:
    with pytest.raises(BadInput) as e:
        load_plan(PLAN.replace(COMMAND, new))
    return str(e.value)


def test_a_command_step_needs_no_table_and_its_inputs_are_not_attested() -> None:
    step = model()
    assert (step.kind, step.command, step.run_max_s) == ("command", "dbt run --select model", 90)
    assert (step.table, step.reads) == (None, "unattested")
    free = model(PLAN.replace('needs = ["orders"]\n', "").replace("run_max_s = 90\n", ""))
    assert (free.reads, free.run_max_s) == ("attested", 3600)
    table = model(PLAN + TABLE).table
    assert table is not None
    assert table.write == "replace"


def test_the_code_of_a_command_is_its_text_and_what_is_declared() -> None:
    codes = [
        model(PLAN).code,
        model(PLAN.replace("--select", "-s")).code,
        model(PLAN + 'code = "v7"\n').code,
        model(PLAN + TABLE).code,
    ]
    assert len(set(codes)) == 4
    assert all(codes)
    assert model(PLAN + "attempts_max = 2\n").code == codes[0]


@pytest.mark.parametrize(
    ("new", "error"),
    [
        (f'{COMMAND}sql = "m.sql"\n', "14: [step.model] command: the step has sql and command; keep one"),
        (f'{COMMAND}python = "m:f"\n', "14: [step.model] command: the step has python and command; keep one"),
        (f"{COMMAND}external = true\n", "15: [step.model] external: the step has command and external; keep one"),
        ('command = ""\n', '14: [step.model] command: is "", wanted a shell command such as '
                           '"dbt run --select player_game"'),
        ('command = ["dbt", "run"]\n', '14: [step.model] command: is a list, wanted a shell command such as '
                                       '"dbt run --select player_game"'),
        ('command = " "\n', "14: [step.model] command: is blank; write what a shell is to run, such as "
                            "dbt run --select player_game"),
        ('command = "a\\u0000b"\n', "14: [step.model] command: holds a NUL character, which no command can; remove it"),
        (f'command = "{"x" * 10_001}"\n', "14: [step.model] command: is 10,001 bytes long, at most 10,000 are allowed; "
                                         "write it to a script, and name that"),
        (f'{COMMAND}topic = "t"\n', "15: [step.model] topic: does nothing here: requests for command steps go to "
                                    "Phasegate's own topic; remove it"),
        (f'{COMMAND}reads = "unattested"\n', "15: [step.model] reads: does nothing here: only python steps can "
                                             "read past run.read(); remove it"),
        (f'{COMMAND}{TABLE}write = "merge"\nversion = "v"\n', "18: [step.model] write: does nothing here: the command "
                                                            "itself writes the rows; remove it"),
        (f"{COMMAND}{TABLE}shrink_max = 0.5\n", "18: [step.model] shrink_max: does nothing here: the command itself "
                                               "writes the rows; remove it"),
        (f'{COMMAND}key = ["day"]\n', '15: [step.model] key: does nothing without a table; add table = "schema.table", '
                                      "or remove it"),
    ],
)  # fmt: skip
def test_what_a_command_step_cannot_have_is_refused_with_the_place_and_the_mend(new: str, error: str) -> None:
    assert refused(new) == f"plan.toml:{error}"


def test_only_a_command_has_a_time_limit_and_it_has_bounds() -> None:
    assert refused("external = true\n") == (
        "plan.toml:15: [step.model] run_max_s: does nothing here: only a command is ended when it runs for too long; "
        "remove it"
    )
    with pytest.raises(BadInput, match=r"run_max_s: is 0, wanted a number from 0.1 to 604800"):
        load_plan(PLAN.replace("run_max_s = 90", "run_max_s = 0"))
