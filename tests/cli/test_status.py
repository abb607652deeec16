import os
import subprocess
import sys

from phasegate.base.keys import Run
from tests.support.commands import HOUR, RUN, Night
from tests.support.real_data import ROOT


def test_status_shows_where_each_phase_stands_since_when_and_what_to_type(night: Night) -> None:
    night.scrape(10)
    night.clock.at += 3 * HOUR
    done = night("status")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "run                   phase  state    gen  missing  since       next\n"
        "2026-02-03.overnight  raw    waiting       odds     08:12, 3 h"
        "  deliver odds of 2026-02-03, then: phasegate complete odds --run 2026-02-03.overnight\n"
        "\n"
        "1 run, 1 phase: 1 waiting. Times: America/New_York.\n"
    )


def test_status_of_a_whole_night_has_nothing_to_type(night: Night) -> None:
    night.whole()
    done = night("status")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "run                   phase       state     gen  missing  since         next\n"
        "2026-02-03.overnight  raw         complete  1             08:13, 2 min\n"
        "2026-02-03.overnight  analytics   complete  1             08:14, 1 min\n"
        "2026-02-03.overnight  precompute  complete  1             08:15, 0 s\n"
        "\n"
        "1 run, 3 phases: 3 complete. Times: America/New_York.\n"
    )


def test_status_as_json(night: Night) -> None:
    night.scrape(10)
    done = night("status", "--json")
    assert done.code == 0
    assert done.json == {
        "pipeline": "nba",
        "timezone": "America/New_York",
        "now": "2026-02-04T13:12:00Z",
        "phases": [
            {
                "run": RUN,
                "phase": "raw",
                "state": "waiting",
                "overdue": False,
                "generation": 0,
                "missing": ["odds"],
                "drifted": [],
                "since": "2026-02-04T13:12:00Z",
                "reason": "waiting for odds",
                "next": ["deliver odds of 2026-02-03, then: phasegate complete odds --run 2026-02-03.overnight"],
            }
        ],
        "counts": {"waiting": 1},
        "overdue": 0,
        "quarantined": 0,
        "errors": [],
    }


def test_status_shows_the_newest_fourteen_dates_unless_told_otherwise(night: Night) -> None:
    with night.pipeline() as pipeline:
        for month, day in [(6, 1), *((1, n) for n in range(1, 21))]:
            year = 2025 if month == 6 else 2026
            pipeline.runs.open("raw", Run(f"{year}-{month:02d}-{day:02d}", "overnight"))
    runs = [phase["run"][:10] for phase in night("status", "--json").json["phases"]]
    assert runs == [f"2026-01-{day:02d}" for day in range(7, 21)]
    runs = [phase["run"][:10] for phase in night("status", "--to", "2026-01-03", "--json").json["phases"]]
    assert runs == ["2025-06-01", "2026-01-01", "2026-01-02", "2026-01-03"]
    runs = [
        phase["run"][:10]
        for phase in night("status", "--from", "2026-01-19", "--to", "2026-01-19", "--json").json["phases"]
    ]
    assert runs == ["2026-01-19"]


def test_status_of_a_state_without_runs_says_how_to_open_one(night: Night) -> None:
    with night.pipeline():
        pass
    done = night("status")
    assert (done.code, done.out) == (0, "No run yet. Open one: phasegate begin RUN\n")


def test_a_degraded_phase_is_a_finding(night: Night) -> None:
    plan = (night.folder / "plan.toml").read_text().replace("[phase.raw]", '[phase.raw]\nmodes.overnight = '
        '{ expect = "*", critical = ["gamebook"], deadline = "open + 1h" }')  # fmt: skip
    (night.folder / "plan.toml").write_text(plan)
    night.scrape(10)
    night.clock.at += HOUR
    assert night("worker", "--until-idle").code == 1
    done = night("status")
    assert done.code == 1
    assert (
        "raw         degraded  1    odds     09:12, 0 s  deliver odds of 2026-02-03, then: phasegate complete odds"
        in done.out
    )
    assert "fired without odds" in night("why", RUN).out


def test_a_phase_past_its_deadline_that_has_not_fired_is_a_finding(night: Night) -> None:
    plan = (night.folder / "plan.toml").read_text().replace("[phase.raw]", '[phase.raw]\nmodes.overnight = '
        '{ expect = "*", critical = ["gamebook"], deadline = "open + 1h" }')  # fmt: skip
    (night.folder / "plan.toml").write_text(plan)
    night("begin", RUN)
    night.clock.at += HOUR - 1
    assert night("status").code == 0
    night.clock.at += 1
    done = night("status")
    assert done.code == 1
    assert "raw    overdue       gamebook, odds  08:12, 1 h" in done.out
    assert "1 run, 1 phase: 1 waiting, 1 of them overdue." in done.out
    assert "waiting for gamebook, odds; past its deadline, waiting for critical gamebook" in night("why", RUN).out


def test_messages_in_quarantine_are_a_finding(night: Night) -> None:
    night.publish({"kind": "completion", "step": "nope", "run": RUN})
    assert night("worker", "--until-idle").code == 1
    done = night("status")
    assert (done.code, done.out) == (1, "\n1 message in quarantine: phasegate dead\n")


def test_what_can_be_read_is_shown_beside_what_cannot_and_the_exit_says_so(night: Night) -> None:
    night.whole()
    night.rewrite(f"phase:nba:analytics:{RUN}", _schema=99)
    before = night.documents()
    done = night("status")
    assert done.code == 2
    assert "raw         complete" in done.out
    assert done.err == (
        f"phasegate: document phase:nba:analytics:{RUN}: has schema 99, this build reads up to 1: upgrade phasegate\n"
    )
    assert night("status", "--json").json["errors"] == [done.err.removeprefix("phasegate: ").strip()]
    assert night("why", RUN).code == 2
    assert night.documents() == before


def test_nothing_is_created_where_there_is_no_state(night: Night) -> None:
    done = night("--state", "elsewhere", "status")
    assert done.code == 2
    assert done.err == (
        "phasegate: there is no state at elsewhere/phasegate.db; name its directory with --state, "
        "or open a run: phasegate begin RUN\n"
    )
    assert sorted(path.name for path in night.folder.iterdir()) == ["plan.toml", "player_game.sql"]


def test_commands_that_read_never_open_the_warehouse(night: Night) -> None:
    night.whole()
    warehouse = night.folder / ".phasegate" / "warehouse.duckdb"
    warehouse.write_bytes(b"no warehouse at all")
    for command in (["status"], ["why", RUN], ["leases", "--all"], ["dead"]):
        assert night(*command).code == 0
        code = (
            f"import sys; from phasegate.cli import run; assert run({command!r}) == 0; print('duckdb' in sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines()[-1] == "False", command
