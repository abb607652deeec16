"""What a report leaves in the document: the whole result and the whole attempt."""

import pytest
from msgspec.structs import replace

from phasegate.base.receipt import Stamp, execution_stamp
from phasegate.gate import decisions, operator
from phasegate.gate.decisions import Report
from phasegate.gate.records import Attempt, Lacks, Member, Notice, Ordered, Request, Result, Stale
from phasegate.plan.gate import Covers, Gate, Spec
from tests.support.story import KEY, RAW, Story, gate

CONTENT = execution_stamp("v1")


def told(story: Story, **fields: object) -> str:
    said = Report(**{"member": "lines", "status": "success", **fields})  # type: ignore[arg-type]
    return story.do(lambda a: decisions.report(said, key=KEY, now=story.now, attempt=a))


def lines(story: Story) -> Member:
    return story.phase.members["lines"]


def stale(story: Story) -> Stale | None:
    return story.phase.members["team"].stale


def asked() -> tuple[Story, Request]:
    story = Story(gate())
    story.begin("raw-v1", generation=1)
    return story, story.phase.requests["team"]


def test_a_receipt_gives_the_order_the_rows_and_what_it_was_built_from() -> None:
    story, request = asked()
    story.now += 5
    told(story, member="team", order=3.0, stamp=Stamp("4-a", 3), built_from=request.inputs, rows=4,
         request=request.id, write_id="w1", code="t1")  # fmt: skip
    team = story.phase.members["team"]
    assert team.result == Result(stamp=Stamp("4-a", 3), built_from=request.inputs, at=1_005.0, attested=True,
                                 write_id="w1", code="t1", request=request.id)  # fmt: skip
    assert team.attempt == Attempt(status="success", at=1_005.0)
    assert (team.delivered_at, team.stale) == (1_005.0, None)
    assert (team.result.order, team.result.rows, team.result.of_table) == (3.0, 4, True)


@pytest.mark.parametrize(("order", "ordered"), [(2.0, "sequence"), (1_769_990_000.0, "time"), (1_000.0, "arrival")])
def test_a_report_without_a_table_keeps_its_order_the_kind_of_it_and_its_rows(order: float, ordered: Ordered) -> None:
    story = Story(gate())
    told(story, order=order, ordered=ordered, stamp=CONTENT, rows=7)
    assert lines(story).result == Result(stamp=CONTENT, built_from={}, at=1_000.0, sequence=order, ordered=ordered,
                                         counted=7)  # fmt: skip
    assert lines(story).attempt == Attempt(status="success", at=1_000.0, order=order, ordered=ordered)


def test_an_empty_report_without_a_table_has_no_rows_whatever_it_counted() -> None:
    story = Story(gate())
    told(story, status="empty", order=1.0, ordered="sequence", stamp=CONTENT)
    result = lines(story).result
    assert result is not None
    assert (result.counted, result.rows, result.status) == (0, 0, "empty")


def test_a_read_of_a_foreign_table_counts_up_from_the_order_that_it_began_on() -> None:
    story = Story(gate())
    for number, content in enumerate(("2-a", "2-b"), start=1):
        assert told(story, after=float(number - 1), stamp=Stamp(content)) == "accepted"
        assert lines(story).result == Result(stamp=Stamp(content), built_from={}, at=1_000.0, sequence=float(number))
        assert lines(story).attempt == Attempt(status="success", at=1_000.0)


def test_only_what_names_its_inputs_or_has_no_needs_is_attested() -> None:
    spec = Spec(needs=(RAW,), asks=False)
    for pinned, built_from, attested in (
        (spec, None, False), (spec, {}, True), (Spec(asks=False), None, True),
        (Spec(needs=(RAW,), asks=False, attested=False), {}, False),
    ):  # fmt: skip
        story = Story(Gate(members={"lines": pinned}, expect=("lines",)))
        told(story, order=1.0, ordered="sequence", stamp=CONTENT, built_from=built_from)
        result = lines(story).result
        assert result is not None
        assert result.attested is attested


@pytest.mark.parametrize(("order", "ordered"), [(2.0, "sequence"), (1_769_990_000.0, "time")])
def test_a_failure_keeps_its_order_the_kind_of_it_and_its_error(order: float, ordered: Ordered) -> None:
    story = Story(gate())
    assert told(story, status="failed", order=order, ordered=ordered, error="no answer") == "noted"
    assert lines(story).attempt == Attempt(status="failed", at=1_000.0, error="no answer", order=order, ordered=ordered)
    story.now += 1
    assert told(story, status="transient", error="by hand") == "noted"
    assert lines(story).attempt == Attempt(status="transient", at=1_001.0, error="by hand", order=order,
                                           ordered=ordered)  # fmt: skip


def test_a_failure_whose_sequence_is_as_large_as_a_time_is_not_compared_with_one() -> None:
    story = Story(gate())
    told(story, status="failed", order=1_769_990_000.0, ordered="sequence", error="one")
    assert told(story, status="failed", order=1_769_990_001.0, ordered="time", error="two") == "other order"
    assert told(story, status="failed", order=1_769_990_001.0, ordered="time", error="two", redriven=True) == "noted"


def test_failures_of_a_request_are_counted_and_its_next_try_waits_longer() -> None:
    story, request = asked()
    due = []
    for count in (1, 2):
        assert story.failure("team", "transient") == "failed"
        attempt = story.phase.members["team"].attempt
        assert attempt == Attempt(status="transient", at=1_000.0, error="it broke", count=count)
        due.append(story.phase.requests["team"].due)
    assert 1_000.0 < due[0] < due[1]
    assert story.phase.requests["team"].id == request.id


def test_a_failure_that_answers_another_request_is_noted_and_not_counted() -> None:
    story, request = asked()
    assert told(story, member="team", status="transient", error="late", request="another") == "noted"
    assert story.phase.requests["team"] == request
    assert story.phase.failures_of("team") == 0


def test_inputs_that_changed_park_the_request_with_the_reason() -> None:
    for error, reason in (("box changed", "box changed"), ("", "its inputs changed while it was served")):
        story, request = asked()
        assert told(story, member="team", status="inputs_changed", error=error, request=request.id) == "parked"
        parked = story.phase.requests["team"]
        assert (parked.state, parked.reason, parked.due > 1_000.0) == ("parked", reason, True)
    story, request = asked()
    assert told(story, member="team", status="inputs_changed", request="another") == "parked"
    assert story.phase.requests["team"] == request


def test_the_same_content_with_a_new_comparison_is_confirmed_and_passed_on() -> None:
    story = Story(Gate(members={"lines": Spec(asks=False, shared=True)}, expect=("lines",)))
    some = Lacks(missing=("7",), count=1)
    assert told(story, order=1.0, stamp=Stamp("4-a", 1), write_id="w1") == "accepted"
    first = story.phase.notices["lines"]
    story.now += 5
    assert told(story, order=1.0, stamp=Stamp("4-a", 1), write_id="w1", lacks=some) == "confirmed"
    result = lines(story).result
    assert result is not None
    assert (result.lacks, result.request, result.at) == (some, "", 1_000.0)
    assert (first.at, story.phase.notices["lines"].at) == (1_000.0, 1_005.0)
    assert told(story, order=1.0, stamp=Stamp("4-a", 1), write_id="w1", lacks=some) == "duplicate"
    assert told(story, order=1.0, stamp=Stamp("4-b", 1), write_id="w1") == "older"


def test_a_confirmation_ends_a_doubt_only_as_the_answer_to_the_request_and_never_one_of_the_code() -> None:
    story, request = asked()
    some, fields = Lacks(missing=("7",), count=1), {"order": 1.0, "stamp": Stamp("4-a", 1), "write_id": "w1"}
    told(story, member="team", built_from=request.inputs, request=request.id, code="t1", **fields)
    story.do(lambda a: operator.rebuild(("team",), quiet=False, key=KEY, now=story.now, attempt=a))
    assert told(story, member="team", lacks=some, code="t1", **fields) == "confirmed"
    assert stale(story) == "forced"
    again = story.phase.requests["team"]
    assert told(story, member="team", request=again.id, code="t1", **fields) == "confirmed"
    result = story.phase.result_of("team")
    assert result is not None
    assert (stale(story), result.request, result.lacks) == (None, again.id, some)
    pinned = gate()
    other = replace(pinned, members={**pinned.members, "team": replace(pinned.members["team"], code="t2")})
    story.do(lambda a: operator.replan(other, key=KEY, now=story.now, attempt=a))
    newest = story.phase.requests["team"]
    assert told(story, member="team", request=newest.id, code="t1", **fields) == "confirmed"
    assert stale(story) == "code_changed"


def test_a_confirmation_that_first_says_that_nothing_is_missing_delivers_the_result() -> None:
    covers = Covers(need=RAW, on=("id",))
    story = Story(Gate(members={"lines": Spec(asks=False, covers=covers)}, expect=("lines",)))
    told(story, order=1.0, stamp=Stamp("4-a", 1), write_id="w1")
    assert lines(story).delivered_at is None, "it is not compared yet"
    story.now += 5
    compared = Lacks(rule=covers.rule, against="f")
    assert told(story, order=1.0, stamp=Stamp("4-a", 1), write_id="w1", lacks=compared) == "confirmed"
    assert lines(story).delivered_at is not None


def test_a_dead_request_stays_dead_whatever_its_worker_reports_late() -> None:
    story, request = asked()
    assert story.failure("team", "failed") == "dead"
    dead = story.phase.requests["team"]
    assert told(story, member="team", status="inputs_changed", request=request.id) == "parked"
    assert told(story, member="team", status="transient", error="late", request=request.id) == "noted"
    assert story.phase.requests["team"] == dead
    assert story.phase.failures_of("team") == 1


def test_a_parked_request_whose_worker_then_fails_is_open_again_without_the_old_reason() -> None:
    story, request = asked()
    told(story, member="team", status="inputs_changed", error="box changed", request=request.id)
    assert told(story, member="team", status="transient", error="no answer", request=request.id) == "failed"
    again = story.phase.requests["team"]
    assert (again.state, again.reason) == ("open", "")


def test_two_failures_of_one_order_are_two_and_the_same_one_again_is_none() -> None:
    story = Story(gate())
    for status, order, error, outcome in (
        ("failed", 2.0, "one", "noted"), ("failed", 2.0, "one", "older"), ("failed", 2.0, "two", "noted"),
        ("transient", 2.0, "two", "noted"), ("transient", 2.0, "two", "older"), ("failed", 1.0, "three", "older"),
    ):  # fmt: skip
        assert told(story, status=status, order=order, ordered="sequence", error=error) == outcome
    attempt = lines(story).attempt
    assert attempt is not None
    assert (attempt.status, attempt.error, attempt.order) == ("transient", "two", 2.0)


def test_a_failure_that_only_arrived_keeps_the_order_of_the_report_before_it() -> None:
    story = Story(gate())
    told(story, status="failed", order=2.0, ordered="sequence", error="one")
    assert told(story, status="failed", order=1_000.0, ordered="arrival", error="two") == "noted"
    assert lines(story).attempt == Attempt(status="failed", at=1_000.0, error="two", order=2.0, ordered="sequence")


def test_a_failure_is_compared_with_the_accepted_result_not_with_a_failure_of_another_order() -> None:
    story = Story(gate())
    told(story, order=1.0, ordered="sequence", stamp=CONTENT)
    assert told(story, status="failed", order=2.0, ordered="time", error="one") == "other order"
    assert told(story, status="failed", order=2.0, ordered="time", error="one", redriven=True) == "noted"
    assert told(story, status="failed", order=3.0, ordered="sequence", error="two") == "noted"


def test_each_shared_result_has_its_notice_but_one_that_another_run_relayed() -> None:
    members = {name: Spec(asks=False, shared=name != "alone") for name in ("lines", "odds", "alone", "theirs")}
    story = Story(Gate(members=members, expect=tuple(members)))
    for name in members:
        assert told(story, member=name, order=1.0, stamp=Stamp("4-a", 1), relayed=name == "theirs") == "accepted"
    assert story.phase.notices == {name: Notice(order=1.0, at=1_000.0) for name in ("lines", "odds")}
