from tests.cli.given import Night


def test_plan_check_shows_phases_gates_steps_and_their_order(night: Night) -> None:
    done = night("plan", "check")
    assert (done.code, done.err) == (0, "")
    assert (
        done.out
        == """\
nba: 3 phases, 4 steps, 1 mode (overnight), times in America/New_York

phase       after      mode       waits for       opens                                                    tells
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
