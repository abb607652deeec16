import sys

from tests.support.commands import RUN, Night

SHOW = "import os; print(*(os.environ[f'PHASEGATE_{n}'] for n in ('RUN', 'STEP', 'DATE')), sep='|')"


def test_begin_opens_the_phases_that_come_first_once(night: Night) -> None:
    done = night("begin", "2026-02-03")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "2026-02-03.overnight: raw is open; waiting for gamebook, odds.\n"
        "next: deliver gamebook of 2026-02-03, then: phasegate complete gamebook --run 2026-02-03.overnight\n"
        "next: deliver odds of 2026-02-03, then: phasegate complete odds --run 2026-02-03.overnight\n"
    )
    assert night("begin", RUN).out.startswith("2026-02-03.overnight: raw is open already; ")
    assert night("begin", RUN, "--json").json == {
        "run": RUN,
        "opened": [],
        "already_open": ["raw"],
        "next": [
            "deliver gamebook of 2026-02-03, then: phasegate complete gamebook --run 2026-02-03.overnight",
            "deliver odds of 2026-02-03, then: phasegate complete odds --run 2026-02-03.overnight",
        ],
    }


def test_a_step_without_needs_that_phasegate_builds_starts_when_its_run_is_begun(night: Night) -> None:
    plan = (night.folder / "plan.toml").read_text()
    first = (
        '[step.first]\nphase = "raw"\nsql = "first.sql"\ntable = "nba_raw.first"\nkey = ["day"]\npartition = "day"\n'
    )
    (night.folder / "plan.toml").write_text(plan + first)
    (night.folder / "first.sql").write_text("SELECT CAST($run_date AS DATE) AS day")
    night("begin", RUN)
    night("worker", "--until-idle")
    assert "  first     fresh" in night("why", RUN, "--phase", "raw").out


def test_begin_holds_a_step_while_a_command_runs_and_completes_it(night: Night) -> None:
    command = [sys.executable, "-c", f"{SHOW}; print('rows=7')"]
    done = night("begin", RUN, "--step", "odds", "--", *command)
    assert done.code == 0
    assert done.out.endswith("odds of 2026-02-03.overnight: accepted, 7 rows.\nraw is waiting: waiting for gamebook.\n"
                             "next: deliver gamebook of 2026-02-03, then: phasegate complete gamebook --run 2026-02-03.overnight\n")  # fmt: skip  # noqa: E501  as it is printed


def test_the_command_sees_its_run_and_its_output_never_mixes_with_json(night: Night) -> None:
    process = night.start("begin", RUN, "--step", "odds", "--json", "--", sys.executable, "-c", SHOW)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert err == "2026-02-03.overnight|odds|2026-02-03\n"
    assert '"exit_code": 0' in out
    process = night.start("begin", RUN, "--step", "odds", "--", sys.executable, "-c", SHOW)
    out, err = process.communicate(timeout=60)
    assert out.startswith("2026-02-03.overnight|odds|2026-02-03\n")


def test_a_command_may_be_phasegate_itself(night: Night) -> None:
    inner = [sys.executable, "-m", "phasegate", "status", "--json"]
    process = night.start("begin", RUN, "--step", "odds", "--", *inner)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert '"pipeline": "nba"' in out


def test_a_command_that_fails_is_reported_and_is_a_finding(night: Night) -> None:
    done = night("begin", RUN, "--step", "odds", "--", sys.executable, "-c", "raise SystemExit(3)")
    assert done.code == 1
    assert done.out.startswith("odds of 2026-02-03.overnight: the command exited with 3; reported as failed.\n")
    assert "last try: the command exited with 3" in night("why", RUN).out
    done = night("begin", RUN, "--step", "odds", "--json", "--", sys.executable, "-c",
                 "import os; os.kill(os.getpid(), 9)")  # fmt: skip
    assert (done.code, done.json["exit_code"], done.json["outcome"]) == (1, -9, "noted")


def test_a_step_with_a_table_is_completed_with_what_its_table_holds(night: Night) -> None:
    night.scrape(10)
    done = night("begin", RUN, "--step", "gamebook", "--json", "--", "true")
    assert (done.code, done.json["rows"], done.json["outcome"]) == (0, 10, "duplicate")


def test_a_step_that_somebody_else_holds_is_refused_and_its_command_does_not_run(night: Night) -> None:
    with night.pipeline() as pipeline, pipeline.begin(RUN, step="gamebook") as step:
        done = night("begin", RUN, "--step", "gamebook", "--", "touch", "ran")
        assert done.code == 2
        assert done.err == (
            "phasegate: gamebook of 2026-02-03.overnight is being written by another process; deliver it again later\n"
        )
        step.complete()
    assert not (night.folder / "ran").exists()
