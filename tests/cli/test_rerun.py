"""A step is built again while the user watches, a typo's run is cancelled, and a far date is asked about."""

import pytest

from tests.support.commands import RUN, Night

FAR = "2062-02-03.overnight"


def test_a_rerun_builds_the_step_again_in_this_process(night: Night) -> None:
    night.whole()
    night.sql("DELETE FROM nba_analytics.player_game")
    done = night("rerun", RUN, "--step", "player_game")
    assert (done.code, done.out.splitlines()[0]) == (0, f"player_game of {RUN}: built, 10 rows.")
    assert night.sql("SELECT count(*) FROM nba_analytics.player_game") == [(10,)]
    again = night("rerun", RUN, "--step", "player_game", "--json")
    assert (again.code, again.json["outcome"], again.json["state"]) == (0, "accepted", "fresh")
    assert again.json["log"] is None


def test_a_rerun_that_fails_shows_why_and_exits_with_1(night: Night) -> None:
    night.whole()
    (night.folder / "player_game.sql").write_text("SELECT nope FROM nba_raw.gamebook")
    done = night("rerun", RUN, "--step", "player_game")
    assert done.code == 1
    assert done.out.splitlines()[0] == f"player_game of {RUN}: recorded, it is dead and not requested again."
    assert '"nope"' in done.out
    assert night("rerun", RUN, "--step", "player_game", "--json").json["log"]["status"] == "failed"


def test_a_rerun_of_an_external_step_says_what_to_type(night: Night) -> None:
    night.whole()
    done = night("rerun", RUN, "--step", "gamebook")
    assert done.code == 2
    assert f"type: phasegate begin {RUN} --step gamebook -- COMMAND" in done.err


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([RUN, "--step", "nope"], "unknown step 'nope'; the plan has"),
        (["2026-02-04.overnight", "--step", "player_game"], "analytics of 2026-02-04.overnight is not open"),
    ],
)
def test_a_rerun_of_what_is_not_there_is_refused(arguments: list[str], error: str, night: Night) -> None:
    night.whole()
    done = night("rerun", *arguments)
    assert done.code == 2
    assert error in done.err


def test_a_step_that_cannot_start_yet_is_not_built(night: Night) -> None:
    night.whole()
    night.scrape(12, version=2)
    night("cancel", RUN)
    assert "to bring it back: phasegate cancel" in night("rerun", RUN, "--step", "player_game").err
    night("cancel", RUN, "--undo")
    night("pause", RUN)
    assert "is paused" in night("rerun", RUN, "--step", "player_game").err


@pytest.mark.parametrize("date", ["2062-02-03", "2002-02-03"])
@pytest.mark.parametrize(
    "command",
    [
        ["begin", "{}.overnight"],
        ["complete", "odds", "--run", "{}.overnight", "--rows", "3"],
        ["backfill", "--from", "{}", "--to", "{}"],
        ["pause", "{}.overnight"],
    ],
    ids=lambda one: one[0],
)
def test_a_date_more_than_a_year_away_is_asked_about(command: list[str], date: str, night: Night) -> None:
    arguments = [word.format(date) for word in command]
    done = night(*arguments)
    assert (done.code, done.out) == (2, "")
    assert f"{date} is more than a year from today" in done.err
    assert night("status").out == "No run is open yet.\n" or date not in night("status").out
    assert "more than a year" not in night(*arguments, "--yes").err


def test_beside_a_run_that_is_open_a_far_date_is_no_typo(night: Night) -> None:
    night("begin", "2024-02-03.overnight", "--yes")
    assert night("begin", "2024-02-04.overnight").code == 0
    assert night("begin", "2024-03-04.overnight").code == 0


def test_a_cancelled_run_is_over(night: Night) -> None:
    night("begin", FAR, "--yes")
    done = night("cancel", FAR, "--reason", "a typo")
    assert (done.code, done.out) == (
        0,
        f"raw of {FAR}: cancelled.\nto take it back: phasegate cancel {FAR} --undo\n",
    )
    assert night("status").code == 0
    assert "void" in night("why", FAR).out
    assert night("worker", "--until-idle").code == 0
    refused = night("complete", "odds", "--run", FAR, "--rows", "3", "--yes")
    assert (refused.code, "the run is void" in refused.out) == (1, True)
    assert night("cancel", FAR, "--undo", "--json").json == {"run": FAR, "restored": ["raw"]}
    assert "void" not in night("why", FAR).out


def test_a_run_that_is_not_open_cannot_be_cancelled(night: Night) -> None:
    night("begin", RUN)
    done = night("cancel", "2026-02-04.overnight")
    assert (done.code, done.err) == (
        2,
        "phasegate: cancel: run 2026-02-04.overnight is not open; see phasegate status\n",
    )
    assert night("cancel", RUN, "--undo", "--reason", "x").code == 2
