# ruff: noqa: INP001, T201 - a script, which prints to its terminal
"""Gate an existing Flask service: two lines in its view.

They are marked. The rest of the view is as it was. The service is called with the body of a trigger, or with the name
of a run. Run it: ``python examples/gate_a_flask_service.py``. Its state is in a temporary folder.
"""

from contextlib import closing
from tempfile import mkdtemp

from flask import Flask, request

from phasegate import PhasegateError, answer_of, connect, load_plan

PLAN = """
pipeline = "nba"
timezone = "America/New_York"
phase.raw = {}
phase.analytics = { after = "raw" }
step.gamebook = { phase = "raw", external = true }
step.summary = { phase = "analytics", needs = ["raw.gamebook"], external = true }
"""


def summarize(date: str) -> int:
    """Stand for the service's own work: return the number of rows."""
    return 348 if date == "2026-02-03" else 0


app = Flask(__name__)
pg = connect(load_plan(PLAN), state=mkdtemp())
app.register_error_handler(PhasegateError, answer_of)  # never 2xx: a bus delivers the message again


@app.post("/process")
def process() -> dict[str, int]:
    """Summarize a date."""
    with pg.begin(request.json["run"], step="summary") as run:  # one
        rows = summarize(request.json["run"][:10])
        run.complete(rows=rows, execution_id=f"{rows} rows")  # two
    return {"rows": rows}


if __name__ == "__main__":
    with closing(pg):
        with pg.begin("2026-02-03.daily", step="gamebook") as scrape:
            scrape.complete(rows=340, execution_id="scrape-17")
        pg.work_until_idle()
        for name in ("2026-02-03.daily", "yesterday"):
            answer = app.test_client().post("/process", json={"run": name})
            print(name, answer.status_code, answer.json)
        for view in pg.views.why("2026-02-03.daily"):
            print(f"{view.phase} is {view.state}")
