import pytest

from tests.support.commands import RUN, SQL, Night


def test_code_that_has_changed_makes_results_stale_and_they_are_built_again(night: Night) -> None:
    night.whole()
    (night.folder / "player_game.sql").write_text(SQL.replace("points FROM", "points + 1 AS points FROM"))
    assert night("status").code == 0, "an open run keeps the plan that it was opened with"
    done = night("replan", RUN)
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        f"raw of {RUN}: followed it already.\n"
        f"analytics of {RUN}: follows the present plan now.\n"
        f"precompute of {RUN}: followed it already.\n"
        "next: phasegate worker --until-idle\n"
    )
    assert "player_game  asked  08:15, 0 s  stale against its code; " in night("why", RUN).out
    night("worker", "--until-idle")
    assert "generation 2, 08:15, 0 s ago: player_game changed" in night("why", RUN, "--phase", "analytics").out


def test_a_step_that_was_added_is_expected_of_an_open_run_after_replan(night: Night) -> None:
    night.whole()
    with (night.folder / "plan.toml").open("a") as plan:
        plan.write('[step.extra]\nphase = "raw"\nexternal = true\n')
    assert night("complete", "extra", "--run", RUN).code == 2
    assert night("replan", RUN, "--phase", "raw", "--json").json == {
        "run": RUN, "phases": [{"phase": "raw", "changed": True}]}  # fmt: skip
    assert night("status", "--json").json["phases"][0]["missing"] == ["extra"]
    assert night("complete", "extra", "--run", RUN).code == 0


def test_replan_of_the_same_plan_changes_nothing(night: Night) -> None:
    night.whole()
    done = night("replan", RUN)
    assert (done.code, done.out.count("followed it already"), "next:" in done.out) == (0, 3, False)
    assert night("status", "--json").json["counts"] == {"complete": 3}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((RUN,), f"replan: {RUN} is not open, so it will follow the plan as it is when it opens"),
        ((RUN, "--phase", "x"), "replan: unknown phase 'x' in mode overnight; it has raw, analytics, precompute"),
    ],
)
def test_what_is_not_open_is_refused(night: Night, arguments: tuple[str, ...], error: str) -> None:
    done = night("replan", *arguments)
    assert (done.code, done.out, done.err) == (2, "", f"phasegate: {error}\n")
