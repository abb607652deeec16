"""Properties of every decision: pure, idempotent in state and answer, monotone."""

from hypothesis import assume, given
from msgspec.structs import replace

from phasegate.base.codec import decode, encode
from phasegate.gate.evaluate import evaluate
from phasegate.gate.phase import LOOK_BY_S, Phase, carried, fresh_members, missing, same, settled
from tests.support.phase_commands import KEY, Command, commands, states


@given(states(), commands)
def test_a_decision_is_pure_and_leaves_its_state_as_it_was(state: Phase | None, command: Command) -> None:
    before = None if state is None else encode(state)
    first = command.decide("a1")(state)
    second = command.decide("a1")(state)
    assert first == second
    assert before == (None if state is None else encode(state))


@given(states(), commands)
def test_deciding_again_on_its_own_result_changes_nothing_and_answers_the_same(
    state: Phase | None, command: Command
) -> None:
    decide = command.decide("a1")
    once, answer = decide(state)
    assert decide(once) == (once, answer)


@given(states(), commands)
def test_the_same_command_under_another_attempt_changes_nothing_but_the_memory(
    state: Phase | None, command: Command
) -> None:
    assume(command.name != "report" or state is not None)
    assume(command.name not in ("rebuild", "replan"))  # ordered twice it is done twice: each requests again
    once, _ = command.decide("a1")(state)
    twice, _ = command.decide("a2")(once)
    assert once is not None
    assert twice is not None
    failing = command.name == "report" and any(s.outcome in ("failed", "dead", "noted") for s in twice.seen[-1:])
    assume(not failing)
    assert replace(twice, seen=()) == replace(once, seen=())


@given(states(), commands)
def test_generations_results_and_inputs_never_go_back(state: Phase | None, command: Command) -> None:
    assume(state is not None and command.name != "replan")
    assert state is not None
    after, _ = command.decide("a1")(state)
    assert after is not None
    assert state.generation <= after.generation <= state.generation + 1
    for name, member in state.members.items():
        if member.result is not None:
            now = after.members[name].result
            assert now is not None
            assert now.order >= member.result.order
    for phase, begun in state.inputs.items():
        assert after.inputs[phase].generation >= begun.generation


@given(states(), commands)
def test_what_was_fired_is_never_rewritten_and_never_repeated(state: Phase | None, command: Command) -> None:
    assume(state is not None)
    assert state is not None
    after, _ = command.decide("a1")(state)
    assert after is not None
    known = {firing.generation: firing for firing in state.firings}
    assert all(known.get(f.generation, f) == f for f in after.firings)
    pairs = zip(after.firings, after.firings[1:], strict=False)
    assert all(not same(one.stamps, two.stamps) for one, two in pairs)


@given(states())
def test_a_firing_carries_only_what_is_fresh_or_names_what_is_missing(state: Phase | None) -> None:
    assert state is not None
    fired = evaluate(state, key=KEY, now=5_000.0, by="x")
    if fired.generation > state.generation:
        firing = fired.firings[-1]
        assert firing.missing == missing(fired)
        fresh = fresh_members(fired)
        for name, stamp in firing.stamps.items():
            assert name in firing.missing or fresh[name] == stamp


@given(states())
def test_evaluating_again_changes_nothing(state: Phase | None) -> None:
    assert state is not None
    once = evaluate(state, key=KEY, now=2_500.0, by="x")
    assert evaluate(once, key=KEY, now=2_500.0, by="y") == once


@given(states())
def test_only_a_settled_document_has_no_due_and_every_other_is_looked_at_within_a_day(state: Phase | None) -> None:
    assert state is not None
    assert (state.due is None) == (settled(state) or state.void is not None)
    assert state.due is None or state.due <= state.looked_at + LOOK_BY_S


@given(states())
def test_a_document_round_trips_and_keeps_what_it_does_not_know(state: Phase | None) -> None:
    assert state is not None
    body = encode(state)
    assert decode(Phase, body, key=KEY) == state
    stranger = {**body, "colour": "blue", "gate": {**body["gate"], "later": [1]}}  # type: ignore[dict-item]
    again = encode(decode(Phase, stranger, key=KEY), over=stranger)
    assert again == stranger


@given(states())
def test_every_request_is_of_the_present_inputs_of_a_step_that_is_not_fresh(state: Phase | None) -> None:
    assert state is not None
    fresh = fresh_members(state)
    assert not set(state.requests) & set(fresh)
    assert set(carried(state)) == set(state.gate.expect)
    for name in state.requests:
        assert state.gate.members[name].asks
