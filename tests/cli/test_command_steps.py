"""Steps that are shell commands, from the plan to the tables, with real shells and real signals."""

import os
import signal
import sys

import pytest

from tests.support.commands import Night

RUN = "2026-02-03.daily"
PLAN = """\
pipeline = "shop"
timezone = "UTC"
[phase.load]
[phase.report]
after = "load"
[step.orders]
phase = "load"
sql = "orders.sql"
table = "raw.orders"
key = ["day", "id"]
partition = "day"
[step.model]
phase = "report"
needs = ["load.orders"]
command = "PYTHON model.py"
table = "dbt.model"
key = ["day"]
partition = "day"
attempts_max = 1
[step.final]
phase = "report"
needs = ["model"]
sql = "final.sql"
table = "out.final"
key = ["day"]
partition = "day"
"""
ORDERS = "SELECT CAST($run_date AS DATE) AS day, id FROM range(3) AS numbers(id)"
FINAL = "SELECT day, n * 2 AS twice FROM dbt.model WHERE day = $run_date"
# What a tool like dbt does: it opens the warehouse's file itself, and is idempotent by date.
MODEL = """\
import os
import duckdb
day = os.environ["PHASEGATE_DATE"]
with duckdb.connect(os.environ["PHASEGATE_WAREHOUSE"].removeprefix("duckdb:///")) as db:
    db.execute("CREATE SCHEMA IF NOT EXISTS dbt; CREATE TABLE IF NOT EXISTS dbt.model (day DATE, n BIGINT)")
    db.execute("DELETE FROM dbt.model WHERE day = ?", [day])
    db.execute("INSERT INTO dbt.model SELECT day, count(*) FROM raw.orders WHERE day = ? GROUP BY day", [day])
print("1 model built")
"""


@pytest.fixture
def made(night: Night) -> Night:
    """Give a pipeline of an SQL step, a command and an SQL step, in a folder below the working directory."""
    home = night.folder / "plans"
    home.mkdir()
    (night.folder / "phasegate.toml").write_text('[phasegate]\nplan = "plans/plan.toml"\nlog_level = "none"\n')
    (home / "plan.toml").write_text(PLAN.replace("PYTHON", sys.executable))
    (home / "orders.sql").write_text(ORDERS)
    (home / "final.sql").write_text(FINAL)
    (home / "model.py").write_text(MODEL)
    assert night("begin", RUN).code == 0
    return night


def replaced(night: Night, command: str) -> None:
    """Have the step run another command."""
    plan = night.folder / "plans" / "plan.toml"
    plan.write_text(plan.read_text().replace(f"{sys.executable} model.py", command))
    night("replan", RUN)


def test_a_command_between_two_sql_steps_is_built_in_turn_and_its_table_is_read(made: Night) -> None:
    done = made("worker", "--until-idle", "--json")
    assert (done.code, done.json["left"], done.json["errors"]) == (0, [], [])
    assert "1 model built" in done.err
    assert made.sql("SELECT day::VARCHAR, twice FROM out.final") == [("2026-02-03", 6)]
    why = made("why", RUN).out
    assert "  model  fresh  13:12, 0 s  success, 1 row; what it was built from is not attested\n" in why
    assert "1 model built" in made("logs", RUN, "--step", "model").out
    assert made("health", "--date", RUN[:10]).code in (0, 3)
    assert made("reconcile", "--from", RUN[:10], "--to", RUN[:10]).code in (0, 3)


def test_other_rows_and_another_command_are_noticed_and_the_same_rows_are_no_change(made: Night) -> None:
    assert made("worker", "--until-idle").code == 0
    assert made("rerun", RUN, "--step", "model").code == 0
    assert "generation 2" not in made("why", RUN).out
    (made.folder / "plans" / "model.py").write_text(MODEL.replace("count(*)", "count(*) + 1"))
    assert made("rerun", RUN, "--step", "model").code == 0
    assert made("worker", "--until-idle").code == 0
    assert made.sql("SELECT twice FROM out.final") == [(8,)]
    assert "generation 2" in made("why", RUN).out

    made.sql("UPDATE dbt.model SET n = 7")
    made.clock.at += 600
    assert made("reconcile", "--from", RUN[:10], "--to", RUN[:10], "--fix").code == 0
    assert made("worker", "--until-idle").code == 0
    assert made.sql("SELECT twice FROM out.final") == [(14,)]
    assert "code_changed" not in made("replan", RUN).out + made("why", RUN).out, "it is of the same code"

    replaced(made, f"exec {sys.executable} model.py")
    assert "  model  asked" in made("why", RUN).out
    assert made("worker", "--until-idle").code == 0
    assert "  model  fresh" in made("why", RUN).out


def test_a_command_that_fails_leaves_its_exit_code_and_its_output(made: Night) -> None:
    replaced(made, "seq 300; sleep 0.05; echo no profile >&2; exit 2")
    assert made("worker", "--until-idle").code == 1
    why = made("why", RUN).out
    assert "the command exited with 2" in why
    assert f"phasegate redrive {RUN} --step model" in why
    [attempt] = made("logs", RUN, "--step", "model", "--json").json["attempts"]
    assert (attempt["status"], attempt["error"]) == ("transient", "the command exited with 2")
    lines = attempt["output"].split("\n")
    assert len(lines) == 200
    assert {"300", "no profile"} <= {*lines}
    assert made("logs", RUN).out.endswith("\n  300\n  no profile\n")

    (made.folder / "plans" / "plan.toml").write_text(PLAN.replace("PYTHON", sys.executable))
    made("replan", RUN)
    assert made("redrive", RUN, "--step", "model").code == 0
    assert made("worker", "--until-idle").code == 0


def test_the_plan_s_outputs_show_the_kind(made: Night) -> None:
    assert "  model   command  load.orders" in made("plan", "check").out
    assert "├─ model     (command) ◄─ load.orders" in made("plan", "graph").out
    assert 'class="step command"' in made("plan", "graph", "--svg").out


@pytest.mark.parametrize("numbers", [[signal.SIGINT], [signal.SIGTERM, signal.SIGTERM]])
def test_a_worker_that_is_stopped_leaves_no_command_running(made: Night, numbers: list[signal.Signals]) -> None:
    os.mkfifo(made.folder / "gone")
    replaced(made, f"exec 3>{made.folder}/gone; sleep 600 & wait")
    process = made.start("worker", "--until-idle")
    held = os.open(made.folder / "gone", os.O_RDONLY)
    for number in numbers:
        process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert os.read(held, 1) == b"", "the end of the pipe: nothing holds it any more"
    os.close(held)
    if len(numbers) == 1:
        assert process.returncode == 130, err
        assert "No lease is held." in made("leases").out
    assert "  model  asked" in made("why", RUN).out
    assert "attempt 1" not in made("logs", RUN).out


def test_a_changed_table_that_it_must_cover_is_compared_and_the_command_is_not_run_again(made: Night) -> None:
    plan = made.folder / "plans" / "plan.toml"
    plan.write_text(
        plan.read_text().replace('needs = ["load.orders"]', 'covers = { step = "load.orders", on = ["day"] }')
    )
    made("replan", RUN)
    assert "1 model built" in made("worker", "--until-idle").err
    (made.folder / "plans" / "orders.sql").write_text(ORDERS.replace("range(3)", "range(4)"))
    assert made("rerun", RUN, "--step", "orders").code == 0
    done = made("worker", "--until-idle")
    assert (done.code, done.err) == (0, "")
    assert "  model  fresh" in made("why", RUN).out
