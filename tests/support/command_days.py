"""Two modes, a window over earlier dates and a receiver outside, on the command line."""

from pathlib import Path

from tests.support.commands import Done, Night

PLAN = """\
pipeline = "nba"
timezone = "America/New_York"
cascade_days = 1

[phase.raw]
modes.same_day = { expect = ["odds"] }
modes.overnight = { expect = "*" }

[phase.analytics]
after = "raw"
sends = [{ topic = "audit", ack = "publish" }]
modes.same_day = { expect = ["form"] }
modes.overnight = { expect = "*" }

[step.gamebook]
phase = "raw"
external = true
table = "nba_raw.gamebook"
key = ["game_date", "player"]
partition = "game_date"
write = "replace"
columns = { game_date = "DATE", player = "VARCHAR", points = "INTEGER" }

[step.odds]
phase = "raw"
external = true
table = "nba_raw.odds"
key = ["game_date", "player"]
partition = "game_date"
write = "replace"
columns = { game_date = "DATE", player = "VARCHAR", line = "DOUBLE" }

[step.points]
phase = "analytics"
needs = ["raw.gamebook"]
sql = "points.sql"
table = "nba_analytics.points"
key = ["game_date", "player"]
partition = "game_date"

[step.form]
phase = "analytics"
needs = ["raw.odds", { step = "points", back = "5d" }]
sql = "form.sql"
table = "nba_analytics.form"
key = ["game_date", "player"]
partition = "game_date"
"""
POINTS = "SELECT game_date, player, points FROM nba_raw.gamebook WHERE game_date = $run_date"
FORM = """\
SELECT o.game_date, o.player, o.line,
  (SELECT sum(p.points)::INTEGER FROM nba_analytics.points AS p
   WHERE p.player = o.player AND p.game_date >= $run_date::DATE - 5 AND p.game_date < $run_date::DATE) AS points
FROM nba_raw.odds AS o WHERE o.game_date = $run_date
"""


def day(number: int) -> str:
    return f"2026-02-{number:02d}"


class Days:
    """Dates of February 2026; ann scores as many points as a test says."""

    def __init__(self, night: Night) -> None:
        self.night = night
        self.file("plan.toml").write_text(PLAN)
        self.file("points.sql").write_text(POINTS)
        self.file("form.sql").write_text(FORM)

    def __call__(self, *arguments: str) -> Done:
        return self.night(*arguments)

    def file(self, name: str) -> Path:
        return self.night.folder / name

    def odds(self, number: int, *, mode: str = "same_day", line: float = 20.5) -> None:
        row = {"game_date": day(number), "player": "ann", "line": line}
        with self.night.pipeline() as pipeline, pipeline.begin(f"{day(number)}.{mode}", step="odds") as step:
            step.write([row])
            step.complete()

    def gamebook(self, number: int, points: int) -> None:
        row = {"game_date": day(number), "player": "ann", "points": points}
        with self.night.pipeline() as pipeline, pipeline.begin(f"{day(number)}.overnight", step="gamebook") as step:
            step.write([row])
            step.complete()

    def play(self, *points: int) -> None:
        """Play the first dates of the month in both modes: ann's points of each."""
        for number, scored in enumerate(points, start=1):
            self.odds(number)
            self.odds(number, mode="overnight")
            self.gamebook(number, scored)
            self.work()

    def work(self) -> None:
        assert self("worker", "--until-idle").code in (0, 1)  # 1: something is left for a person

    def form(self) -> dict[str, object]:
        with self.night.pipeline() as pipeline:
            rows = pipeline.query("SELECT game_date::VARCHAR AS day, points FROM nba_analytics.form ORDER BY 1")
        return {str(row["day"]): row["points"] for row in rows}

    def phases(self, **wanted: object) -> list[str]:
        """Return the runs of phases with these fields in status."""
        found = self("status", "--json").json["phases"]
        return [f"{p['run']} {p['phase']}" for p in found if all(p[name] == value for name, value in wanted.items())]

    def receivers(self, run: str) -> list[str]:
        """Return what became of the triggers for the audit, oldest first."""
        (phase,) = self("why", run, "--phase", "analytics", "--json").json["phases"]
        return [generation["receivers"]["audit"] for generation in phase["generations"]]
