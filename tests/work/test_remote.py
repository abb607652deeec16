"""Steps that a caller in another process builds: begun, extended, completed, and lost in time."""

import pytest

from phasegate.base.receipt import execution_stamp
from phasegate.errors import BadInput, Busy, LeaseLost
from phasegate.messages import CompletionMessage
from phasegate.write.lease import TTL_MAX_S, Lease
from tests.support.pipelines import DAY, RUN, Shop, phase, ready

KEY = f"lease:main:shop.report.letter:{RUN}"
DONE = CompletionMessage(step="letter", run=RUN, execution_id="l1")


@pytest.fixture
def made() -> Shop:
    return ready()


def lease(made: Shop) -> Lease:
    stored = made.pipeline._leases.read(KEY)
    assert stored is not None
    return stored


def test_a_caller_is_told_what_it_builds_on_and_until_when(made: Shop) -> None:
    begun = made.pipeline.remote.begin(RUN, step="letter", by="mailroom", ttl_s=30)
    assert (begun.step.name, str(begun.run)) == ("letter", RUN)
    assert (begun.token, begun.until, begun.needed) == (1, made.clock.at + 30, True)
    assert begun.inputs == {"load.orders": phase(made, "report").inputs["load"].stamps["orders"]}
    assert begun.trigger_id == f"trigger.shop.load.{RUN}.1.report"
    stored = lease(made)
    assert begun.lease == f"1.{stored.holder}"
    assert (stored.purpose, stored.owner) == ("begin letter by mailroom", f"phase:shop:report:{RUN}")


def test_a_caller_without_a_name_holds_the_lease_as_long_as_the_settings_say(made: Shop) -> None:
    begun = made.pipeline.remote.begin(RUN, step="letter")
    assert begun.until == made.clock.at + made.pipeline._leases._ttl_s
    assert lease(made).purpose == "begin letter"


def test_another_caller_is_busy_until_the_step_is_completed(made: Shop) -> None:
    remote = made.pipeline.remote
    begun = remote.begin(RUN, step="letter")
    with pytest.raises(Busy, match=rf"begin: letter of {RUN} is held by another caller; begin it again later"):
        remote.begin(RUN, step="letter")
    assert remote.complete(DONE, lease=begun.lease, where="here").outcome == "accepted"
    result = phase(made, "report").result_of("letter")
    assert result is not None
    assert result.stamp == execution_stamp("l1")
    assert lease(made).holder is None
    assert remote.begin(RUN, step="letter").token == 2


@pytest.mark.parametrize("ttl_s", [1, TTL_MAX_S])
def test_a_lease_may_last_from_a_second_to_an_hour(made: Shop, ttl_s: float) -> None:
    remote, step = made.pipeline.remote, made.pipeline.plan.steps["letter"]
    begun = remote.begin(RUN, step="letter", ttl_s=ttl_s)
    assert begun.until == made.clock.at + ttl_s
    made.clock.at += 0.5
    again = remote.extend(begun.run, step=step, lease=begun.lease, ttl_s=ttl_s)
    assert (again.lease, again.until) == (begun.lease, made.clock.at + ttl_s)


@pytest.mark.parametrize("ttl_s", [0.99, TTL_MAX_S + 1])
def test_a_lease_of_another_length_is_refused_and_none_is_taken(made: Shop, ttl_s: float) -> None:
    remote, step = made.pipeline.remote, made.pipeline.plan.steps["letter"]
    with pytest.raises(BadInput, match="give 1 to 3600 seconds, and extend the lease for longer work"):
        remote.begin(RUN, step="letter", ttl_s=ttl_s)
    assert made.pipeline._leases.read(KEY) is None
    begun = remote.begin(RUN, step="letter")
    with pytest.raises(BadInput, match="give 1 to 3600 seconds"):
        remote.extend(begun.run, step=step, lease=begun.lease, ttl_s=ttl_s)
    assert lease(made).until == begun.until


def test_an_extension_that_names_no_length_lasts_as_the_settings_say(made: Shop) -> None:
    begun = made.pipeline.remote.begin(RUN, step="letter", ttl_s=5)
    made.clock.at += 4
    again = made.pipeline.remote.extend(begun.run, step=begun.step, lease=begun.lease)
    assert again.until == made.clock.at + made.pipeline._leases._ttl_s


@pytest.mark.parametrize("given", ["", "1", "x.holder", "1.HOLDER", f"{'1' * 16}.holder", f"1.{'h' * 65}", "1.h/x"])
def test_what_is_not_the_id_of_a_lease_is_refused(made: Shop, given: str) -> None:
    with pytest.raises(BadInput, match="lease: not the id of a lease; send what begin answered, as it came"):
        made.pipeline.remote.complete(DONE, lease=given, where="here")
    assert phase(made, "report").result_of("letter") is None


def test_a_caller_that_another_one_followed_can_neither_extend_nor_complete(made: Shop) -> None:
    remote = made.pipeline.remote
    late = remote.begin(RUN, step="letter", ttl_s=30)
    made.clock.at += 31
    remote.begin(RUN, step="letter")
    with pytest.raises(LeaseLost):
        remote.extend(late.run, step=late.step, lease=late.lease)
    with pytest.raises(LeaseLost):
        remote.complete(DONE, lease=late.lease, where="here")
    assert phase(made, "report").result_of("letter") is None
    assert [(one["key"], one["token"]) for one in made.told.of("lease lost")] == [(KEY, 1)] * 2


def test_a_caller_that_was_late_and_alone_still_completes(made: Shop) -> None:
    begun = made.pipeline.remote.begin(RUN, step="letter", ttl_s=30)
    made.clock.at += 31
    assert made.pipeline.remote.complete(DONE, lease=begun.lease, where="here").outcome == "accepted"


def test_a_completion_that_is_refused_leaves_the_lease_extended_for_a_better_one(made: Shop) -> None:
    remote = made.pipeline.remote
    begun = remote.begin(RUN, step="letter", ttl_s=30)
    made.clock.at += 29
    with pytest.raises(BadInput, match="give an execution_id for its content"):
        remote.complete(CompletionMessage(step="letter", run=RUN), lease=begun.lease, where="here")
    assert lease(made).until == made.clock.at + made.pipeline._leases._ttl_s
    assert remote.complete(DONE, lease=begun.lease, where="here").outcome == "accepted"


def test_a_completion_may_be_sent_again_and_its_lease_not_be_extended(made: Shop) -> None:
    remote = made.pipeline.remote
    begun = remote.begin(RUN, step="letter")
    remote.complete(DONE, lease=begun.lease, where="here")
    made.clock.at += 1
    assert remote.complete(DONE, lease=begun.lease, where="here").outcome == "duplicate"
    with pytest.raises(LeaseLost):
        remote.extend(begun.run, step=begun.step, lease=begun.lease)
    assert made.told.of("lease lost") == [], "it was given back"


@pytest.mark.parametrize("step", ["totals", "strangers"])
def test_a_lease_for_what_is_no_external_step_is_refused(made: Shop, step: str) -> None:
    message = CompletionMessage(step=step, run=RUN, execution_id="x")
    with pytest.raises(BadInput, match=f"here: '{step}' is no external step, so it has no lease; leave lease out"):
        made.pipeline.remote.complete(message, lease="1.holder", where="here")


def test_the_events_of_a_begin_and_of_a_completion_say_step_run_and_token(made: Shop) -> None:
    trigger = f"trigger.shop.load.{RUN}.1.report"
    made.told.clear()
    begun = made.pipeline.remote.begin(trigger)
    assert [(one["trigger"], one["run"]) for one in made.told.in_context("decided")] == [(trigger, RUN)]
    made.told.clear()
    made.clock.at += 2
    made.pipeline.remote.complete(DONE, lease=begun.lease, where="here")
    accepted, held = made.told.in_context("result accepted")[0], made.told.in_context("lease held")[0]
    for one in (accepted, held):
        assert (one["step"], one["run"]) == ("letter", RUN)
    assert (made.told.in_context("decided")[0]["token"], held["token"], held["held_s"]) == (1, 1, 2.0)
    assert DAY in str(held["key"])
