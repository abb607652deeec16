"""A command is an action if a service can carry it out; each reads back as it is spelled."""

import pytest

from phasegate.actions.action import FORMS, OperatorAction, parse_action

SPELLED = {
    "rerun": "phasegate rerun 2026-02-03.overnight --step player_game",
    "redrive": "phasegate redrive 2026-02-03.overnight --step player_game --force",
    "rebuild": "phasegate backfill --from 2026-02-01 --to 2026-02-03 --mode overnight --cascade",
    "fix": "phasegate reconcile --from 2026-02-01 --to 2026-02-03 --fix",
    "pause": "phasegate pause 2026-02-03.overnight --phase raw --reason 'in repair; see \"ops\"'",
    "resume": "phasegate pause 2026-02-03.overnight --resume",
    "cancel": "phasegate cancel 2026-02-03.overnight --reason 'a typo'",
    "restore": "phasegate cancel 2026-02-03.overnight --undo",
    "replan": "phasegate replan 2026-02-03.overnight --phase analytics",
    "sweep": "phasegate sweep",
    "work": "phasegate worker --until-idle",
    "let go": "phasegate leases --let-go lease:main:nba.scores:2026-02-03",
    "discard": "phasegate dead --discard quarantine:nba:nba.completions:0123456789abcdef",
    "close": "phasegate alerts close 3f9c2a71",
}


def test_each_action_has_an_example() -> None:
    assert SPELLED.keys() == FORMS.keys()


@pytest.mark.parametrize(("verb", "command"), SPELLED.items())
def test_a_command_is_read_and_spelled_alike(verb: str, command: str) -> None:
    found = parse_action(command)
    assert found is not None
    assert found.verb == verb
    assert str(found) == command
    assert parse_action(str(found)) == found


@pytest.mark.parametrize(
    "command",
    [
        "", "phasegate", "phasegate status", "rm -rf /", "phasegate reconcile --from 2026-02-01 --to 2026-02-03",
        "phasegate rerun 2026-02-03.overnight", "phasegate rerun --step odds", "phasegate rerun RUN --step",
        "phasegate rerun a b --step odds", "phasegate pause RUN --reason 'open",
        "phasegate pause RUN --resume --resume",
        "phasegate begin RUN --step odds -- COMMAND", "phasegate sweep; rm -rf /", "phasegate pause RUN --state /tmp",
        "phasegate backfill --from 2026-02-01", "phasegate worker", "phasegate leases", "phasegate dead",
        "phasegate rerun RUN --step --json", f"phasegate pause RUN --reason {'x' * 2_000}",
    ],
)  # fmt: skip
def test_what_only_a_person_can_type_is_no_action(command: str) -> None:
    assert parse_action(command) is None


def test_an_option_is_added_only_where_the_command_takes_it() -> None:
    pause, sweep = OperatorAction("pause", "RUN"), OperatorAction("sweep")
    assert str(pause.with_option("--reason", "the source is off")) == "phasegate pause RUN --reason 'the source is off'"
    assert sweep.with_option("--reason", "why") == sweep
