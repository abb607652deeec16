"""Several steps of a run that may lose rows are let go by one command, and no other step with them."""

from phasegate.base.keys import Run
from phasegate.write.reading import Reading
from tests.support.pipelines import DAY, PLAN, RUN, Shop, load, settle, shop

COPY = """
[step.{name}]
phase = "report"
needs = ["load.orders"]
python = "made:{name}"
table = "out.{name}"
key = ["day", "id"]
partition = "day"
attempts_max = 1
columns = {{ day = "VARCHAR", id = "INTEGER" }}
"""
LOAD = PLAN.partition("[step.totals]")[0].replace("external = true", "external = true\nshrink_max = 1.0")
LOAD = LOAD.replace('sends = [{ topic = "mailer", ack = "completion" }]\n', "")
WIDE = LOAD + "".join(COPY.format(name=name) for name in ("ones", "twos", "fails"))


def copied(run: Reading) -> list[dict[str, object]]:
    return [{"day": run.date, "id": row["id"]} for row in run.read("orders", {"run_date": run.date})]


def failing(run: Reading) -> list[dict[str, object]]:
    rows = copied(run)
    if len(rows) < 3:
        raise ValueError("too few")
    return rows


def shrunk() -> Shop:
    """Two steps are refused since they would lose rows, a third has failed."""
    made = shop({"made:ones": copied, "made:twos": copied, "made:fails": failing}, plan=WIDE)
    load(made, 1, 2, 3, 4)
    settle(made)
    load(made, 1)
    settle(made)
    return made


def test_one_command_is_named_for_all_of_a_run_that_would_lose_rows() -> None:
    made = shrunk()
    forced = f"if the rows may be lost: phasegate redrive {RUN} --force"
    commands = {letter.subject: letter.command for letter in made.pipeline.views.dead()}
    again = f"phasegate redrive {RUN} --step fails"
    assert commands == {"ones": forced, "twos": forced, "fails": again}
    found = made.pipeline.checks.inspector.inspect(DAY, DAY)
    assert {f.command for one in found for f in one.findings if f.code == "PG015"} == {forced, again}


def test_it_lets_only_those_lose_rows_that_were_refused_for_it() -> None:
    made, run = shrunk(), Run(DAY, "daily")
    made.pipeline.runs.redrive("report", run, step=None, force=True)
    phase = made.pipeline.runs.read("report", run)
    assert phase is not None
    allowed = {name: request.allow_shrink for name, request in phase.requests.items()}
    assert allowed == {"fails": False, "ones": True, "twos": True}
    settle(made)
    assert [letter.subject for letter in made.pipeline.views.dead()] == ["fails"]
