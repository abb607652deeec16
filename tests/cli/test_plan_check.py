from tests.support.commands import Night

TIMED = """\
pipeline = "nba"
timezone = "America/New_York"
calendar = "cli_given_calendar:dates"
cascade_days = 3
[phase.raw]
modes.overnight = { expect = "*", start = "schedule last_game_end + 1.5h" }
modes.same_day = { expect = "*", start = "run" }
[phase.analytics]
after = "raw"
modes.overnight = { expect = "*", deadline = "last_game_end + 8h", reports = "18:00 .. 12:00 +1d" }
modes.same_day = { expect = "*", deadline = "open + 2d" }
[step.gamebook]
phase = "raw"
external = true
[step.team_game]
phase = "analytics"
needs = ["raw.gamebook", { step = "team_game", back = "20d" }, { step = "report", back = "1d" }]
external = true
table = "nba_analytics.team_game"
key = ["game_date", "team"]
partition = "game_date"
write = "replace"
[step.report]
phase = "raw"
external = true
table = "nba_raw.report"
key = ["game_date", "line"]
partition = "game_date"
write = "replace"
"""


def make_timed(night: Night, text: str = TIMED) -> None:
    (night.folder / "plan.toml").write_text(text)
    (night.folder / "cli_given_calendar.py").write_text("def dates(first, last):\n    return []\n")


def test_plan_check_shows_phases_gates_steps_and_their_order(night: Night) -> None:
    done = night("plan", "check")
    assert (done.code, done.err) == (0, "")
    assert (
        done.out
        == """\
nba: 3 phases, 4 steps, 1 mode (overnight), times in America/New_York

phase       after      mode       waits for       opens                                                    triggers
raw         -          overnight  gamebook, odds  when all are fresh                                       \
analytics (by begin)
analytics   raw        overnight  player_game*    when all are fresh, or at 10:00 +1d with those marked *  \
precompute (by begin)
precompute  analytics  overnight  report          when all are fresh                                       -

order  phase       step         kind      needs                  table
1      raw         gamebook     external  -                      nba_raw.gamebook (merge)
2      raw         odds         external  -                      -
3      analytics   player_game  sql       raw.gamebook           nba_analytics.player_game (replace)
4      precompute  report       external  analytics.player_game  -
"""
    )


def test_plan_check_as_json(night: Night) -> None:
    document = night("plan", "check", "plan.toml", "--json").json
    assert (document["pipeline"], document["modes"]) == ("nba", ["overnight"])
    assert (document["calendar"], document["cascade_days"]) == (None, 2)
    assert document["phases"][1] == {
        "name": "analytics",
        "after": ["raw"],
        "settle_s": 0.0,
        "modes": {
            "overnight": {
                "expect": ["player_game"],
                "critical": ["player_game"],
                "at_least": None,
                "deadline": "10:00 +1d",
                "accept": ["success", "empty"],
                "start": "message",
                "any_date": False,
                "await_windows": True,
                "reports": None,
                "receivers": {"precompute": "begin"},
            }
        },
    }
    assert document["steps"][2] == {
        "name": "player_game",
        "phase": "analytics",
        "kind": "sql",
        "needs": ["raw.gamebook"],
        "table": "nba_analytics.player_game",
        "write": "replace",
    }


def test_plan_check_shows_windows_starts_hours_of_reports_and_the_calendar(night: Night) -> None:
    make_timed(night)
    done = night("plan", "check")
    assert (done.code, done.err) == (0, "")
    assert (
        done.out
        == """\
nba: 2 phases, 3 steps, 2 modes (overnight, same_day), times in America/New_York, dates from cli_given_calendar:dates
a change rebuilds windows up to 3 days after its date

phase      after  mode       starts by                      reports             waits for         \
opens                                          triggers
raw        -      overnight  schedule last_game_end + 90 m  -                   gamebook, report  \
when all are fresh                             analytics (by begin)
raw        -      same_day   run                            -                   gamebook, report  \
when all are fresh                             analytics (by begin)
analytics  raw    overnight  message                        18:00 .. 12:00 +1d  team_game         \
when all are fresh, or at last_game_end + 8 h  -
analytics  raw    same_day   message                        -                   team_game         \
when all are fresh, or at open + 48 h          -

order  phase      step       kind      needs                                       table
1      raw        gamebook   external  -                                           -
2      raw        report     external  -                                           nba_raw.report (replace)
3      analytics  team_game  external  raw.gamebook, team_game@20d, raw.report@1d  nba_analytics.team_game (replace)
"""
    )


def test_plan_check_as_json_shows_windows_starts_hours_of_reports_and_the_calendar(night: Night) -> None:
    make_timed(night)
    document = night("plan", "check", "--json").json
    assert (document["calendar"], document["cascade_days"]) == ("cli_given_calendar:dates", 3)
    shown = {
        (phase["name"], mode): (gate["start"], gate["deadline"], gate["reports"])
        for phase in document["phases"]
        for mode, gate in phase["modes"].items()
    }
    assert shown == {
        ("raw", "overnight"): ("schedule last_game_end + 90 m", None, None),
        ("raw", "same_day"): ("run", None, None),
        ("analytics", "overnight"): ("message", "last_game_end + 8 h", "18:00 .. 12:00 +1d"),
        ("analytics", "same_day"): ("message", "open + 48 h", None),
    }
    (team,) = [step for step in document["steps"] if step["name"] == "team_game"]
    assert team["needs"] == ["raw.gamebook", "analytics.team_game@20d", "raw.report@1d"]


def test_a_time_that_plan_check_shows_is_one_that_a_plan_may_write(night: Night) -> None:
    make_timed(night)
    first = night("plan", "check", "--json").json
    again = TIMED.replace("last_game_end + 1.5h", "last_game_end + 90 m").replace(
        "last_game_end + 8h", "last_game_end + 8 h"
    )
    make_timed(night, again.replace("open + 2d", "open + 48 h"))
    assert night("plan", "check", "--json").json == first


def test_plan_check_names_a_calendar_that_is_not_there(night: Night) -> None:
    make_timed(night, TIMED.replace("cli_given_calendar:dates", "cli_given_calendar:days"))
    done = night("plan", "check")
    told = (
        "calendar = 'cli_given_calendar:days' cannot be imported: module 'cli_given_calendar' has no attribute 'days'"
    )
    assert (done.code, done.err) == (2, f"phasegate: {told}\n")


def test_plan_check_creates_no_state(night: Night) -> None:
    night("plan", "check")
    assert not (night.folder / ".phasegate").exists()


def test_plan_check_finds_a_python_step_in_the_working_directory_and_names_one_that_is_not_there(night: Night) -> None:
    step = (
        '\n[step.more]\nphase = "raw"\npython = "cli_given_more:build"\ntable = "nba_raw.more"\nkey = ["day"]\n'
        'partition = "day"\ncolumns = { day = "DATE" }\n'
    )
    with (night.folder / "plan.toml").open("a") as plan:
        plan.write(step)
    done = night("plan", "check")
    assert (done.code, done.err) == (
        2,
        "phasegate: step more: python = 'cli_given_more:build' cannot be imported: No module named 'cli_given_more'\n",
    )
    (night.folder / "cli_given_more.py").write_text("def build(run):\n    return []\n")
    assert night("plan", "check").code == 0
