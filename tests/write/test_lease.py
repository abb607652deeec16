"""Leases: tokens only grow, only the holder renews and gives back, and answers survive a second deciding."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from phasegate.write import lease
from phasegate.write.lease import Lease

TTL_S = 60.0
times = st.floats(0.0, 500.0)
holders = st.sampled_from(["h1", "h2", "h3"])
tokens = st.integers(0, 5)
Decide = Callable[[Lease | None], tuple[Lease, object]]
commands: st.SearchStrategy[Decide] = st.one_of(
    st.builds(lambda h, now: lease.acquire(h, ttl_s=TTL_S, now=now), holders, times),
    st.builds(lambda h, t, now: lease.renew(h, token=t, ttl_s=TTL_S, now=now), holders, tokens, times),
    st.builds(lambda h, t: lease.release(h, token=t), holders, tokens),
    st.builds(lease.raise_to, tokens),
)


@st.composite
def leases(draw: st.DrawFn) -> Lease | None:
    state: Lease | None = None
    for command in draw(st.lists(commands, max_size=10)):
        state, _ = command(state)
    return state


@given(leases(), commands)
def test_deciding_again_changes_nothing_and_answers_the_same(state: Lease | None, command: Decide) -> None:
    once, answer = command(state)
    assert command(once) == (once, answer)


@given(leases(), commands)
def test_tokens_only_grow_and_a_new_holder_has_a_new_token(state: Lease | None, command: Decide) -> None:
    before = state or Lease()
    after, _ = command(state)
    assert after.token >= before.token
    if after.holder is not None and after.holder != before.holder:
        assert after.token == before.token + 1


@given(leases())
def test_a_lease_is_due_exactly_while_it_is_held(state: Lease | None) -> None:
    assert state is None or (state.due is None) == (state.holder is None)


def test_somebody_else_can_neither_renew_nor_give_back() -> None:
    held, taken = lease.acquire("h1", ttl_s=TTL_S, now=0.0)(None)
    assert taken is not None
    assert taken.token == 1
    assert lease.renew("h2", token=1, ttl_s=TTL_S, now=1.0)(held) == (held, False)
    assert lease.release("h2", token=1)(held) == (held, False)
    assert lease.acquire("h2", ttl_s=TTL_S, now=59.9)(held) == (held, None)


def test_after_its_time_a_lease_goes_to_the_next_with_a_higher_token_and_the_old_holder_hears_no() -> None:
    held, _ = lease.acquire("h1", ttl_s=TTL_S, now=0.0)(None)
    taken, ours = lease.acquire("h2", ttl_s=TTL_S, now=60.0)(held)
    assert ours is not None
    assert ours.token == 2
    assert lease.renew("h1", token=1, ttl_s=TTL_S, now=61.0)(taken)[1] is False
    assert lease.release("h1", token=1)(taken) == (taken, False)


def test_an_unanswered_release_answers_yes_when_it_is_tried_again() -> None:
    held, _ = lease.acquire("h1", ttl_s=TTL_S, now=0.0)(None)
    free, first = lease.release("h1", token=1)(held)
    assert first is True
    assert lease.release("h1", token=1)(free) == (free, True)
