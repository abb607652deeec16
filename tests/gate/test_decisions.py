"""The decisions by example: each test is a sentence of the guarantees or the freshness page."""

import pytest
from msgspec.structs import replace

from phasegate.base import backoff
from phasegate.gate import decisions, operator, outbox, records
from phasegate.gate.phase import LOOK_BY_S, Phase, defers_propagation
from phasegate.gate.records import Firing
from phasegate.plan.gate import Gate, Need, Receiver, Spec
from tests.support.story import KEY, NEXT, RAW, Story, gate


def fired(version: str = "v1") -> Story:
    story = Story(gate())
    story.begin("raw-v1", generation=1)
    story.build_all(version, order=1)
    return story


def test_a_step_is_asked_for_when_its_needs_are_fresh_and_not_before() -> None:
    story = Story(gate())
    assert story.phase.requests == {}
    story.begin("raw-v1", generation=1)
    assert set(story.phase.requests) == {"team"}
    story.report("team", "team-v1", order=1)
    assert set(story.phase.requests) == {"player"}


def test_a_phase_fires_once_when_everything_expected_is_fresh() -> None:
    story = fired()
    assert story.generation == 1
    assert [(e.receiver, e.state) for e in story.phase.outbox] == [("precompute", "unsent")]
    assert story.report("lines", "lines-v1", order=1) == "duplicate"
    story.look(story.now + 60)
    assert story.generation == 1


def test_the_same_content_again_rebuilds_and_fires_nothing() -> None:
    story = fired()
    story.report("lines", "lines-v1", order=2)
    story.begin("raw-v1", generation=2)
    assert story.generation == 1
    assert story.phase.requests == {}


def test_a_changed_input_makes_its_readers_stale_in_order_and_fires_once_more() -> None:
    story = fired()
    story.begin("raw-v2", generation=2)
    assert story.fresh == {"lines"}
    assert set(story.phase.requests) == {"team"}
    story.report("team", "team-v2", order=2)
    assert story.generation == 1
    story.report("player", "player-v2", order=2)
    assert story.generation == 2


def test_a_step_whose_new_result_has_the_old_content_cuts_its_readers_off() -> None:
    story = fired()
    story.begin("raw-v2", generation=2)
    story.report("team", "team-v1", order=2)
    # player reads raw too, so it is asked for; with raw as it was it would not be
    assert set(story.phase.requests) == {"player"}
    assert story.phase.requests["player"].inputs["analytics.team"].fingerprint == "team-v1"


def test_an_older_report_is_remembered_and_changes_nothing() -> None:
    story = fired()
    before = story.phase
    assert story.report("lines", "lines-v0", order=0.5) == "older"
    assert replace(story.phase, seen=()) == replace(before, seen=())
    assert story.phase.seen[-1].outcome == "older"


def test_a_failure_never_removes_a_result() -> None:
    story = fired()
    story.begin("raw-v2", generation=2)
    story.failure("team", "failed")
    member = story.phase.members["team"]
    assert member.result is not None
    assert member.result.stamp.fingerprint == "team-v1"
    assert member.attempt is not None
    assert member.attempt.error == "it broke"


def test_an_older_generation_of_an_input_changes_nothing() -> None:
    story = Story(gate())
    story.begin("raw-v2", generation=2)
    assert story.begin("raw-v1", generation=1) == "already begun"
    assert story.phase.inputs["raw"].stamps["box"].fingerprint == "raw-v2"


@pytest.mark.parametrize("status", ["partial", "failed"])
def test_a_final_failure_is_dead_for_these_inputs_and_new_inputs_reopen_it(status: str) -> None:
    story = fired()
    story.begin("raw-v2", generation=2)
    assert story.failure("team", status) == "dead"  # type: ignore[arg-type]
    assert [r.state for r in story.phase.requests.values()] == ["dead"]
    assert story.send() == ["trigger.nba.analytics.2026-02-03.overnight.1.precompute"]
    story.begin("raw-v3", generation=3)
    assert story.phase.requests["team"].state == "open"


def test_only_reported_failures_count_as_attempts_and_too_many_are_a_dead_letter() -> None:
    story = Story(gate())
    story.begin("raw-v1", generation=1)
    for _ in range(20):  # sent again and again, by crashes: not an attempt
        story.now += 400
        story.send()
    assert story.phase.requests["team"].state == "open"
    outcomes = [story.failure("team", "transient") for _ in range(5)]
    assert outcomes == ["failed"] * 4 + ["dead"]


def test_a_request_is_sent_again_for_ever_at_the_ceiling_of_its_back_off() -> None:
    story = Story(gate())
    story.begin("raw-v1", generation=1)
    waits = []
    for _ in range(30):
        assert story.send() != []
        due = story.phase.requests["team"].due
        waits.append(due - story.now)
        story.now = due
    assert waits[0] < waits[3] < waits[-1] <= backoff.RESEND_MAX_S
    assert min(waits[10:]) >= 0.75 * backoff.RESEND_MAX_S


def test_moved_inputs_park_the_request_and_are_no_attempt() -> None:
    story = fired()
    story.begin("raw-v2", generation=2)
    assert story.failure("team", "inputs_changed") == "parked"
    request = story.phase.requests["team"]
    assert (request.state, story.phase.failures_of("team")) == ("parked", 0)
    story.begin("raw-v3", generation=3)
    assert story.phase.requests["team"].state == "open"


def test_redrive_brings_a_dead_request_back() -> None:
    story = fired()
    story.begin("raw-v2", generation=2)
    story.failure("team", "failed")
    back = story.do(lambda a: operator.redrive("team", key=KEY, now=story.now, attempt=a, force=True))
    assert back == "team"
    assert (story.phase.requests["team"].state, story.phase.requests["team"].allow_shrink) == ("open", True)


def test_a_withdrawn_request_leaves_its_step_unsure_until_a_later_one_is_answered() -> None:
    """Raw goes v1 -> v2 -> v1 while the request of v2 may have been served without our hearing of it."""
    story = fired()
    story.begin("raw-v2", generation=2)
    asked = story.phase.requests["team"].id
    story.failure("team", "inputs_changed")
    story.begin("raw-v1", generation=3)
    assert "team" not in story.fresh
    assert "player" not in story.fresh
    request = story.phase.requests["team"]
    assert request.id != asked
    result = story.phase.members["team"].result
    assert result is not None
    outcome = story.report("team", "team-v1", order=1, built_from=result.built_from)
    assert outcome == "confirmed"
    assert {"team", "player", "lines"} == story.fresh
    assert story.generation == 1


def test_a_newer_input_waits_while_a_build_is_under_way_but_not_for_ever() -> None:
    story = Story(gate(catch_up_max_s=100.0))
    story.begin("raw-v1", generation=1)
    assert story.begin("raw-v2", generation=2) == "begun"
    assert story.phase.inputs["raw"].generation == 1
    assert story.phase.due is not None
    story.look(story.now + 100)
    assert story.phase.inputs["raw"].generation == 2


def test_inputs_that_waited_for_a_build_are_taken_over_when_it_ends_after_it_has_fired() -> None:
    story = Story(Gate(members={"team": Spec(needs=(RAW,))}, expect=("team",)))
    story.begin("raw-v1", generation=1)
    story.begin("raw-v2", generation=2)
    story.report("team", "team-v1", order=1)
    assert story.generation == 1
    assert story.phase.inputs["raw"].generation == 2
    assert story.phase.waiting == {}
    assert story.phase.requests["team"].inputs["raw.box"].fingerprint == "raw-v2"


def test_at_the_deadline_a_gate_opens_without_the_rest_names_it_and_fires_again_when_it_comes() -> None:
    story = Story(gate(critical=("team",), deadline=5_000.0, catch_up_max_s=9_000.0))
    story.begin("raw-v1", generation=1)
    story.report("team", "team-v1", order=1)
    story.look(4_999.0)
    assert story.generation == 0
    assert story.phase.due is not None
    story.look(5_000.0)
    assert story.generation == 1
    assert story.phase.firings[0].missing == ("player", "lines")
    assert story.phase.firings[-1].stamps["player"].fingerprint == "absent"
    story.build_all("v1", order=2)
    assert story.generation == 2
    assert story.phase.firings[-1].missing == ()


def test_without_its_critical_members_a_gate_stays_shut_past_the_deadline() -> None:
    story = Story(gate(critical=("player",), deadline=5_000.0))
    story.begin("raw-v1", generation=1)
    story.report("team", "team-v1", order=1)
    story.look(9_000.0)
    assert story.generation == 0


def test_no_firing_is_dated_before_the_deadline_that_it_waited_for() -> None:
    """The process that reports the critical member has a clock that is behind, or began its action long ago."""
    story = Story(gate(critical=("player",), deadline=5_000.0))
    story.begin("raw-v1", generation=1)
    story.report("team", "team-v1", order=1)
    story.look(5_100.0)
    story.now = 4_900.0
    story.report("player", "player-v1", order=1)
    assert story.phase.firings[0].missing == ("lines",)
    assert story.phase.firings[0].at == 5_100.0


def test_a_run_opened_after_its_own_deadline_is_not_hurried() -> None:
    story = Story(gate(critical=("team",), deadline=500.0))
    story.begin("raw-v1", generation=1)
    story.report("lines", "lines-v1", order=1)
    story.report("team", "team-v1", order=1)
    assert story.generation == 0
    story.report("player", "player-v1", order=1)
    assert (story.generation, story.phase.firings[-1].missing) == (1, ())


def test_enough_members_open_a_gate_that_asks_for_no_more() -> None:
    story = Story(gate(at_least=2))
    story.begin("raw-v1", generation=1)
    story.report("lines", "lines-v1", order=1)
    assert story.generation == 0
    story.report("team", "team-v1", order=1)
    assert (story.generation, story.phase.firings[-1].missing) == (1, ("player",))
    story.report("player", "player-v1", order=1)
    assert story.generation == 2


def test_a_status_that_the_gate_does_not_accept_is_missing() -> None:
    story = Story(gate(accept=("success",)))
    story.begin("raw-v1", generation=1)
    story.report("team", "team-v1", order=1)
    story.report("player", "player-v1", order=1)
    story.report("lines", "0-none", order=1, status="empty")
    assert story.generation == 0
    story.report("lines", "lines-v1", order=2)
    assert story.generation == 1


def test_reports_that_keep_changing_settle_into_one_firing() -> None:
    pinned = Gate(members={"lines": Spec(asks=False)}, expect=("lines",), settle_s=10.0, settle_max_s=25.0)
    story = Story(pinned)
    for number in range(4):
        story.report("lines", f"lines-v{number}", order=number + 1)
        story.now += 8
    assert story.generation == 0
    assert story.phase.due == 1_025.0  # the ceiling: 25 s after the first change
    story.look(1_040.0)
    assert story.generation == 1


def test_a_report_that_was_held_up_does_not_shorten_the_quiet_after_a_later_one() -> None:
    pinned = Gate(
        members={"lines": Spec(asks=False), "odds": Spec(asks=False)},
        expect=("lines", "odds"), settle_s=50.0, settle_max_s=500.0,
    )  # fmt: skip
    story = Story(pinned)
    story.report("odds", "odds-v1", order=1)
    story.now = 1_100.0
    story.report("odds", "odds-v2", order=2)
    story.now = 1_000.0  # it arrived then, and its process was paused before it was taken in
    story.report("lines", "lines-v1", order=1)
    story.look(1_149.0)
    assert story.generation == 0
    story.look(1_150.0)
    assert story.generation == 1


def test_a_paused_gate_records_and_fires_when_it_is_let_go() -> None:
    story = Story(gate())
    story.begin("raw-v1", generation=1)
    story.do(lambda a: operator.pause("hands off", key=KEY, now=story.now, attempt=a))
    assert story.send() == []
    story.build_all("v1", order=1)
    assert story.generation == 0
    story.do(lambda a: operator.pause(None, key=KEY, now=story.now, attempt=a))
    assert story.generation == 1


def test_a_void_run_asks_for_nothing_fires_nothing_and_is_settled() -> None:
    story = Story(gate())
    story.begin("raw-v1", generation=1)
    story.do(lambda a: operator.void("postponed", key=KEY, now=story.now, attempt=a))
    assert story.report("lines", "lines-v1", order=1) == "void"
    assert (story.phase.requests, story.phase.due, story.generation) == ({}, None, 0)


def test_replan_makes_results_of_another_code_stale_and_only_those() -> None:
    story = fired()
    pinned = gate()
    other = replace(pinned, members={**pinned.members, "player": replace(pinned.members["player"], code="p2")})
    story.do(lambda a: operator.replan(other, key=KEY, now=story.now, attempt=a))
    assert story.fresh == {"team", "lines"}
    assert set(story.phase.requests) == {"player"}
    story.report("player", "player-v2", order=2)
    assert story.generation == 2


def test_replan_sends_the_last_generation_to_new_receivers_and_nothing_more_to_removed_ones() -> None:
    foreign = Receiver("them", "their-topic", "completion")

    def replanned(story: Story, *receivers: Receiver) -> list[tuple[str, int, str]]:
        story.do(lambda a: operator.replan(gate(receivers=receivers), key=KEY, now=story.now, attempt=a))
        return [(entry.receiver, entry.generation, entry.state) for entry in story.phase.outbox]

    assert replanned(Story(gate()), NEXT, foreign) == [], "it has fired nothing"
    story = fired()
    story.report("lines", "lines-v2", order=2)
    first, last = ("precompute", 1, "superseded"), ("precompute", 2, "unsent")
    assert replanned(story, NEXT) == [first, last]
    assert replanned(story, NEXT, foreign) == [first, last, ("them", 2, "unsent")]
    assert replanned(story, foreign) == [first, ("precompute", 2, "superseded"), ("them", 2, "unsent")]


def test_a_newer_firing_supersedes_a_waiting_trigger_and_keeps_it_for_why() -> None:
    story = fired()
    story.report("lines", "lines-v2", order=2)
    assert [(e.generation, e.state) for e in story.phase.outbox] == [(1, "superseded"), (2, "unsent")]


def test_a_trigger_is_sent_under_one_id_until_it_is_acknowledged() -> None:
    story = fired()
    first = story.send()
    assert story.send() == []
    story.now += 400
    assert story.send() == first
    phase, known = outbox.acknowledged(1, receiver="precompute", ack="begin", now=story.now)(story.phase)
    assert known
    assert phase is not None
    assert [e.state for e in phase.outbox] == ["acked"]
    assert phase.due is None


def test_a_foreign_consumer_that_never_acknowledges_becomes_a_dead_letter() -> None:
    foreign = Receiver("them", "their-topic", "completion")
    story = Story(Gate(members={"lines": Spec(asks=False)}, expect=("lines",), receivers=(NEXT, foreign)))
    story.report("lines", "lines-v1", order=1)
    for _ in range(outbox.SENDS_MAX):
        story.send()
        story.now += 400
    states = {e.receiver: e.state for e in story.phase.outbox}
    assert states == {"precompute": "sent", "them": "dead"}


def test_an_unknown_member_is_refused_and_counts_for_nothing() -> None:
    story = fired()
    said = decisions.Report(member="stranger", status="success", order=1.0)
    assert story.do(lambda a: decisions.report(said, key=KEY, now=1.0, attempt=a)) == "unknown member"
    assert "stranger" not in story.phase.members


def test_a_read_of_a_foreign_table_counts_only_on_the_result_it_was_begun_on() -> None:
    story = Story(gate())
    assert story.report("lines", "lines-v1", order=0, after=0.0) == "accepted"
    assert story.report("lines", "lines-v0", order=0, after=0.0) == decisions.READ_AGAIN
    assert story.report("lines", "lines-v1", order=0, after=1.0) == "duplicate"
    assert story.report("lines", "lines-v2", order=0, after=1.0) == "accepted"


def test_a_declared_sequence_orders_results_however_large_it_is() -> None:
    story = Story(gate())
    assert story.report("lines", "lines-v2", order=1e12 + 2) == "accepted"
    assert story.report("lines", "lines-v1", order=1e12 + 1) == "older"


def test_every_receiver_is_told_however_many_there_are() -> None:
    many = tuple(Receiver(f"r{n}", f"t{n}", "publish") for n in range(40))
    story = Story(Gate(members={"lines": Spec(asks=False)}, expect=("lines",), receivers=many))
    for version in (1, 2):
        story.report("lines", f"lines-v{version}", order=version)
        assert len(story.send()) == 40
    assert story.phase.due is None


def test_an_unsettled_document_is_looked_at_within_a_day() -> None:
    phase = Phase(gate=gate(), opened_at=1.0, looked_at=1.0)
    assert phase.due == 1.0 + LOOK_BY_S


def test_a_generation_that_was_never_fired_acknowledges_nothing() -> None:
    story = fired()
    phase, known = outbox.acknowledged(9, receiver="precompute", ack="begin", now=story.now)(story.phase)
    assert (phase, known) == (story.phase, False)
    assert outbox.acknowledged(1, receiver="precompute", ack="completion", now=1.0)(story.phase) == (story.phase, False)


def test_a_failure_delivered_again_counts_once() -> None:
    story = Story(Gate(members={"lines": Spec(attempts_max=3)}, expect=("lines",)))
    said = decisions.Report(member="lines", status="transient", order=7.0, error="x" * 5_000_000,
                            request=story.phase.requests["lines"].id)  # fmt: skip
    outcomes = [story.do(lambda a: decisions.report(said, key=KEY, now=1.0, attempt=a)) for _ in range(5)]
    assert outcomes == ["failed"] + ["older"] * 4
    attempt = story.phase.members["lines"].attempt
    assert attempt is not None
    assert len(attempt.error) == records.ERROR_MAX


def test_a_machine_whose_clock_is_behind_does_not_lose_a_timer_that_was_looked_at() -> None:
    pinned = Gate(members={"lines": Spec(asks=False)}, expect=("lines",), settle_s=60.0)
    story = Story(pinned)
    story.look(1_090.0)
    story.now = 1_001.0
    story.report("lines", "lines-v1", order=1)
    assert story.generation == 1


def test_a_change_that_was_taken_back_leaves_no_settling_behind() -> None:
    story = Story(Gate(members={"lines": Spec(asks=False)}, expect=("lines",), settle_s=10.0))
    story.report("lines", "v1", order=1)
    story.look(1_020.0)
    story.report("lines", "v2", order=2)
    story.report("lines", "v1", order=3)
    story.now = 9_000.0
    story.report("lines", "v3", order=4)
    assert story.generation == 1
    assert story.phase.due == 9_010.0


def test_the_same_content_reported_again_for_new_inputs_is_of_the_new_inputs() -> None:
    needs = Gate(members={"site": Spec(needs=(RAW,), asks=False)}, expect=("site",))
    story = Story(needs)
    story.begin("raw-v1", generation=1)
    story.report("site", "page", order=0, after=0.0, built_from=None)
    story.begin("raw-v2", generation=2)
    assert story.fresh == set()
    assert story.report("site", "page", order=0, after=1.0, built_from=None) == "accepted"
    assert story.fresh == {"site"}
    assert story.report("site", "page", order=0, after=2.0, built_from=None) == "duplicate"


def test_after_replan_a_result_of_the_old_code_stays_stale() -> None:
    story = fired()
    pinned = gate()
    other = replace(pinned, members={**pinned.members, "player": replace(pinned.members["player"], code="p2")})
    story.do(lambda a: operator.replan(other, key=KEY, now=story.now, attempt=a))
    story.report("player", "player-old", order=2, code="p1")
    assert "player" not in story.fresh
    story.report("player", "player-new", order=3, code="p2")
    assert "player" in story.fresh


def test_after_replan_a_first_result_of_the_old_code_does_not_count() -> None:
    story = fired()
    other = gate()
    member = replace(other.members["player"], code="p2")
    story.phase = replace(story.phase, members={n: m for n, m in story.phase.members.items() if n != "player"})
    story.do(lambda a: operator.replan(replace(other, members={**other.members, "player": member}), key=KEY,
                                       now=story.now, attempt=a))  # fmt: skip
    story.report("player", "player-old", order=2, code="p1")
    assert story.phase.members["player"].stale == "code_changed"
    story.report("player", "player-new", order=3, code="p2")
    story.report("player", "player-late", order=4, code="p1", answers=False)
    assert "player" not in story.fresh
    assert set(story.phase.requests) == {"player"}


def test_new_code_that_a_sibling_built_is_confirmed_by_its_receipt() -> None:
    story = fired()
    pinned = gate()
    other = replace(pinned, members={**pinned.members, "player": replace(pinned.members["player"], code="p2")})
    story.do(lambda a: operator.replan(other, key=KEY, now=story.now, attempt=a))
    inputs = story.phase.requests["player"].inputs
    story.report("player", "player-new", order=3, code="p2", built_from=inputs, answers=False, write_id="w3")
    assert story.phase.members["player"].stale == "unknown"
    assert story.report("player", "player-new", order=3, code="p2", write_id="w3") == "confirmed"
    assert "player" in story.fresh


def test_a_result_of_other_code_that_was_begun_before_a_replan_does_not_count() -> None:
    story = Story(gate())  # opened under the plan that the replan pins again; a worker of the plan before serves it
    story.begin("raw-v1", generation=1)
    begun = story.phase.requests["team"]
    story.do(lambda a: operator.replan(gate(), key=KEY, now=story.now, attempt=a))
    assert story.phase.requests["team"].id != begun.id
    story.report("team", "team-v1", order=1, answers=False, code="t0", built_from=begun.inputs)
    assert "team" not in story.fresh
    assert "team" in story.phase.requests
    story.report("team", "team-v2", order=2)
    assert "team" in story.fresh


def test_a_newer_worker_serves_a_run_that_was_not_replanned() -> None:
    story = Story(gate())
    story.begin("raw-v1", generation=1)
    story.report("team", "team-v1", order=1, code="t2")
    assert "team" in story.fresh


def test_replan_tells_a_new_receiver_of_the_last_generation_and_a_lost_one_nothing_more() -> None:
    story = fired()
    new = Receiver("publish", "nba.publish.begin", "begin")
    story.do(lambda a: operator.replan(gate(receivers=(new,)), key=KEY, now=story.now, attempt=a))
    assert [(e.receiver, e.generation, e.state) for e in story.phase.outbox] == [
        ("precompute", 1, "superseded"),
        ("publish", 1, "unsent"),
    ]


def test_a_retried_command_answers_the_generation_that_it_answered_first() -> None:
    story = fired()
    said = decisions.Report(member="lines", status="skipped")
    first, answer = decisions.report(said, key=KEY, now=1.0, attempt="mine")(story.phase)
    assert first is not None
    story.phase = first
    story.report("lines", "lines-v2", order=5)
    assert story.generation == answer.generation + 1
    assert decisions.report(said, key=KEY, now=1.0, attempt="mine")(story.phase)[1] == answer


def test_a_result_that_is_doubted_is_asked_for_again() -> None:
    story = fired()
    story.do(lambda a: operator.mark_stale("team", key=KEY, now=story.now, attempt=a))
    assert set(story.phase.requests) == {"team"}


def test_of_several_requests_that_which_heads_the_longest_chain_is_sent_first() -> None:
    members = {
        "alone": Spec(needs=(RAW,)),
        "head": Spec(needs=(RAW,)),
        "last": Spec(needs=(Need("analytics", "middle"),)),
        "middle": Spec(needs=(Need("analytics", "head"), Need("analytics", "alone", 7))),
    }
    story = Story(gate(members=members, expect=tuple(members)))
    story.begin("v1", generation=1)
    assert [m.subject for m in outbox.outgoing(story.phase, key=KEY, now=story.now)] == ["head", "alone"]


def test_what_a_quiet_backfill_held_back_is_brought_back_only_by_name() -> None:
    story = fired()
    entry = replace(story.phase.outbox[0], state="held")
    story.phase = replace(story.phase, outbox=(entry, replace(entry, receiver="other", state="dead")))
    assert story.do(lambda a: operator.redrive(None, key=KEY, now=story.now, attempt=a, held=False)) == "other"
    assert [e.state for e in story.phase.outbox] == ["held", "unsent"]
    assert story.do(lambda a: operator.redrive(None, key=KEY, now=story.now, attempt=a)) == NEXT.name
    assert [e.state for e in story.phase.outbox] == ["unsent", "unsent"]


def test_a_firing_says_which_contents_the_one_before_it_did_not_carry() -> None:
    story = Story(gate(critical=("team",), deadline=5_000.0))
    story.begin("raw-v1", generation=1)
    story.report("team", "team-v1", order=1)
    story.report("player", "player-v1", order=1)
    story.look(5_000.0)
    story.report("lines", "lines-v1", order=1)
    story.report("lines", "lines-v2", order=2)
    assert [firing.changes for firing in story.phase.firings] == [(), ("lines arrived",), ("lines changed",)]


def test_only_a_build_in_progress_delays_what_later_runs_hear_and_not_for_ever() -> None:
    story = Story(gate(catch_up_max_s=100.0))
    story.begin("raw-v1", generation=1)
    assert defers_propagation(story.phase)
    story.failure("team", "failed")
    assert story.phase.building_since is not None
    assert not defers_propagation(story.phase), "what is dead is not being built"
    story.do(lambda a: operator.redrive("team", key=KEY, now=story.now, attempt=a))
    story.look(1_099.0)
    assert defers_propagation(story.phase)
    story.look(1_100.0)
    assert story.phase.requests["team"].state == "open"
    assert not defers_propagation(story.phase)


def test_a_receiver_is_awaited_until_it_has_acknowledged_and_for_the_last_firing_alone() -> None:
    story = fired()
    story.report("lines", "lines-v2", order=2)

    def awaited(generation: int) -> Firing | None:
        return outbox.awaited(story.phase, generation, receiver=NEXT.name)

    assert [awaited(number) for number in (1, 2, 3)] == [None, story.phase.firings[-1], None]
    phase, _ = outbox.acknowledged(2, receiver=NEXT.name, ack="begin", now=story.now)(story.phase)
    assert phase is not None
    story.phase = phase
    assert awaited(2) is None
