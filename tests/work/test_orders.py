"""Reports of one step by sequence, by time and by hand: none is lost, and none older is put over a newer one."""

import shlex

import msgspec
import pytest

from phasegate import BadInput
from phasegate.base.keys import parse_run
from phasegate.bus import Message
from phasegate.check.fixes import fixes_of
from phasegate.gate.phase import Phase
from phasegate.store import Body
from tests.support.pipelines import RUN, Shop, shop

PLAN = """
pipeline = "shop"
timezone = "UTC"

[phase.load]

[step.rates]
phase = "load"
external = true
"""
KEY = "phase:shop:load:2026-02-03.daily"
SECOND = "2026-02-04T06:00:00Z"


class Reporter:
    """Reports the step on the bus and by hand."""

    def __init__(self) -> None:
        self.made, self._sent = shop(plan=PLAN), 0

    def send(self, content: str, **order: object) -> str:
        """Publish a report, and return what is accepted once it was handled."""
        self._sent += 1
        body = {"kind": "completion", "step": "rates", "run": RUN, "execution_id": content, **order}
        self.made.pipeline.ports.bus.publish(Message(f"m{self._sent}", "shop.completions", body))
        self.made.pipeline.work_until_idle()
        return self.content

    def by_hand(self, content: str, **order: object) -> str:
        self.made.clock.at += 60
        self.made.pipeline.complete({"step": "rates", "run": RUN, "execution_id": content, **order})
        return self.content

    @property
    def phase(self) -> Phase:
        phase = self.made.pipeline.runs.read("load", parse_run(RUN))
        assert phase is not None
        return phase

    @property
    def content(self) -> str:
        result = self.phase.members["rates"].result
        return "" if result is None else result.stamp.fingerprint.removeprefix("id:")

    def dead(self) -> list[str]:
        return [letter.reason for letter in self.made.pipeline.views.dead()]

    def redrive(self) -> str:
        """Run the command that each finding about a quarantined message names."""
        (outcome,) = [one for one in self.made.pipeline.checks.inspector.inspect("2026-02-03", "2026-02-03")
                      if one.check == "quarantine"]  # fmt: skip
        for finding in outcome.findings:
            _, command = finding.command.split(": ", 1)  # a person looks at the message first
            program, verb, key = shlex.split(command)
            assert (program, verb) == ("phasegate", "redrive")
            assert [fix.key for fix in fixes_of(finding)] == [key]
            self.made.pipeline.runs.quarantine.redrive(key)
        self.made.pipeline.work_until_idle()
        return self.content


@pytest.fixture
def step() -> Reporter:
    return Reporter()


def older_version(made: Shop, **fields: object) -> None:
    """Rewrite the accepted result as a version without a kind of order stored it."""
    doc = made.store.read(KEY)
    assert doc is not None
    body: Body = msgspec.json.decode(msgspec.json.encode(doc.body))
    result = body["members"]["rates"]["result"]  # type: ignore[index]
    del result["ordered"]
    result.update(fields)
    made.store.write(KEY, body, expect=doc.version, due=doc.due)


def test_a_report_by_hand_takes_no_number_from_the_reporter(step: Reporter) -> None:
    assert [step.send("v1", sequence=1), step.send("v2", sequence=2)] == ["v1", "v2"]
    assert [step.by_hand("hand"), step.by_hand("again")] == ["hand", "again"]
    assert step.send("v2", sequence=2) == "again", "delivered again, it is older than what was reported by hand"
    assert [step.send("v3", sequence=3), step.send("v4", sequence=4)] == ["v3", "v4"]
    assert step.dead() == []


def test_a_report_by_hand_comes_after_the_accepted_time(step: Reporter) -> None:
    now = step.made.clock.at
    assert step.send("v1", completed_at=now + 200) == "v1", "a clock that is ahead"
    assert step.by_hand("hand") == "hand"
    assert step.send("v1", completed_at=now + 200) == "hand"
    assert step.send("v2", completed_at=now + 201) == "v2"


@pytest.mark.parametrize("order", [{"sequence": 1}, {"completed_at": "2026-02-05T00:00:00Z"}])
def test_what_was_first_reported_by_hand_gives_way_to_a_reporter_of_either_kind(
    step: Reporter, order: dict[str, object]
) -> None:
    step.by_hand("hand")
    step.made.clock.at += 200_000
    assert step.send("v1", **order) == "v1"
    assert step.dead() == []


@pytest.mark.parametrize(
    ("first", "then", "later"),
    [
        ({"sequence": 7}, {"completed_at": 1_769_990_000}, {"completed_at": 1_769_990_001}),
        ({"completed_at": 1_769_990_000}, {"sequence": 7}, {"sequence": 8}),
        ({"sequence": 1_769_990_000}, {"completed_at": 1_769_990_000}, {"completed_at": 1_769_990_001}),
    ],
)
def test_a_report_of_another_kind_of_order_is_quarantined_and_the_named_command_heals_it(
    step: Reporter, first: dict[str, object], then: dict[str, object], later: dict[str, object]
) -> None:
    step.send("v1", **first)
    assert step.send("v2", **then) == "v1", "neither taken nor lost"
    (reason,) = step.dead()
    assert "redrive it if it is the newest" in reason
    assert step.redrive() == "v2"
    assert step.dead() == []
    assert step.send("v3", **later) == "v3", "from then on the reports are of this kind"
    assert step.send("v2", **then) == "v3"
    assert step.dead() == []


def test_several_reports_of_another_kind_are_ordered_among_themselves(step: Reporter) -> None:
    step.send("v1", completed_at=SECOND)
    for number in (4, 3, 5):
        step.send(f"v{number}", sequence=number)
    assert len(step.dead()) == 3
    assert step.redrive() == "v5"


def test_a_call_with_another_kind_of_order_names_the_command_that_takes_it(step: Reporter) -> None:
    step.send("v1", completed_at=SECOND)
    with pytest.raises(BadInput, match=r"ordered by a time.*in quarantine: phasegate redrive quarantine:shop:") as e:
        step.by_hand("v2", sequence=9)
    assert step.content == "v1"
    step.made.pipeline.runs.quarantine.redrive(str(e.value).split()[-1])
    step.made.pipeline.work_until_idle()
    assert step.content == "v2"


@pytest.mark.parametrize("order", [{"completed_at": SECOND}, {"sequence": 3}])
def test_two_results_of_one_order_are_two_and_each_is_taken_once(step: Reporter, order: dict[str, object]) -> None:
    assert [step.send(content, **order) for content in ("a", "b", "c")] == ["a", "b", "c"]
    assert [step.send(content, **order) for content in ("a", "b", "c")] == ["c", "c", "c"], "delivered again"
    assert step.dead() == []


def test_a_failure_of_another_kind_of_order_is_not_lost_either(step: Reporter) -> None:
    step.send("v1", completed_at=SECOND)
    step.send("", sequence=2, status="failed", error="no answer")
    assert len(step.dead()) == 1
    assert step.redrive() == "v1", "a failure never removes a result"
    attempt = step.phase.members["rates"].attempt
    assert attempt is not None
    assert attempt.error == "no answer"


def test_a_failure_by_hand_does_not_hide_the_next_of_the_reporter(step: Reporter) -> None:
    for number in (1, 2):
        step.send("", sequence=number, status="transient", error=f"failure {number}")
        step.made.pipeline.complete({"step": "rates", "run": RUN, "status": "transient", "error": "seen by hand"})
    seen = [one.outcome for one in step.phase.seen if one.what == "report"]
    assert seen == ["noted"] * 4


def test_the_kind_of_an_order_that_an_older_version_stored_is_told_by_its_size(step: Reporter) -> None:
    step.send("v1", completed_at=SECOND)
    older_version(step.made)
    step.send("v2", sequence=2)
    assert step.content == "v1"
    assert len(step.dead()) == 1, "this step had been completed by hand, and dropped every sequence since"
    assert step.redrive() == "v2"
    older_version(step.made)
    assert [step.by_hand("hand"), step.send("v3", sequence=3), step.send("v2", sequence=2)] == ["hand", "v3", "v3"]
    older_version(step.made, sequence=1_769_990_000.0)
    assert step.send("v4", sequence=1_769_990_001) == "v4", "a sequence as large as a time goes on"
