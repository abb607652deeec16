"""A phase's document stays within what a store takes: 499 steps, 1,000 generations, long ids and long errors."""

import itertools
import json

import pytest
from msgspec.structs import replace

from phasegate import BadInput, Plan, load_plan
from phasegate.base.codec import encode
from phasegate.base.keys import Run, phase_key
from phasegate.base.receipt import EXECUTION_MAX, Stamp, execution_stamp
from phasegate.gate.decisions import Report, open_phase, report
from phasegate.gate.phase import HISTORY_MAX, Phase
from phasegate.gate.records import LISTED_MAX, TIES_MAX
from phasegate.plan.check import BODY_BYTES_MAX, document_bytes

RUN = Run("2026-02-03", "daily")
KEY = phase_key("big", "raw", run=RUN)
GENERATIONS = 1_000


def plan_of(count: int) -> Plan:
    names = [f"member_{number:04d}_game_summary" for number in range(count)]
    steps = "".join(f'[step.{name}]\nphase = "raw"\nexternal = true\n' for name in names)
    needs = ", ".join(f'"raw.{name}"' for name in names)
    return load_plan(
        'pipeline = "big"\ntimezone = "UTC"\n[phase.raw]\n[phase.next]\nafter = "raw"\n'
        f'{steps}[step.z]\nphase = "next"\nexternal = true\nneeds = [{needs}]\n'
    )


class Documents:
    """One phase's document, on which commands are decided."""

    def __init__(self, plan: Plan) -> None:
        self.phase: Phase | None = None
        self._numbers = itertools.count()
        gate = plan.gate("raw", run=RUN, opened_at=0.0)
        self.phase, _ = open_phase(key=KEY, gate=gate, now=0.0, attempt="open")(None)

    def report(self, member: str, **given: object) -> str:
        number = float(next(self._numbers) + 1)
        one = Report(member=member, **{"status": "success", "order": number, "ordered": "sequence", **given})  # type: ignore[arg-type]
        self.phase, answer = report(one, key=KEY, now=number, attempt=f"attempt-{number:032.0f}")(self.phase)
        return answer.outcome

    @property
    def size(self) -> int:
        assert self.phase is not None
        return len(json.dumps(encode(self.phase), separators=(",", ":"), ensure_ascii=False).encode())


def with_ties(phase: Phase) -> Phase:
    """Return the phase as if each member had reported TIES_MAX contents of one order before."""
    ties = tuple(execution_stamp(f"{number}" * EXECUTION_MAX).fingerprint for number in range(TIES_MAX))
    members = {}
    for name, member in phase.members.items():
        assert member.result is not None
        members[name] = replace(member, result=replace(member.result, ties=ties))
    return replace(phase, members=members)


@pytest.mark.slow
def test_499_steps_and_1000_generations_fit_one_document() -> None:
    plan = plan_of(499)
    made, names = Documents(plan), list(plan.steps)[:499]
    for name in names:
        made.report(name, stamp=execution_stamp(f"exec-2026-02-03-{name}-0123456789abcdef"))
    for number in range(GENERATIONS - 1):
        assert made.report(names[0], stamp=Stamp(f"id:{number}")) == "accepted"
    for name in names:
        made.report(name, status="failed", error="é" * 5_000)
    assert made.phase is not None
    made.phase = with_ties(made.phase)
    assert made.phase.generation >= GENERATIONS
    assert len(made.phase.firings) == HISTORY_MAX
    assert made.size <= document_bytes(plan, "raw", mode="daily") <= BODY_BYTES_MAX


def test_only_the_last_firing_has_its_stamps_and_the_others_say_what_changed() -> None:
    plan = plan_of(30)
    made, names = Documents(plan), list(plan.steps)[:30]
    for number in (1, 2):
        for name in names:
            made.report(name, stamp=Stamp(f"id:{number}"))
    assert made.phase is not None
    assert [bool(firing.stamps) for firing in made.phase.firings] == [False] * 30 + [True]
    assert made.phase.firings[-1].changes == (f"{names[-1]} changed",)
    many = replace(made.phase.firings[-1], missing=tuple(names)).as_older()
    assert (len(many.missing), many.missing[-1]) == (LISTED_MAX + 1, "and 10 more")


def test_a_phase_that_cannot_fit_is_refused_with_its_size_and_the_mend() -> None:
    first = "".join(f'[step.source_{n}_of_the_first_phase]\nphase = "raw"\nexternal = true\n' for n in range(8))
    needs = ", ".join(f'"raw.source_{n}_of_the_first_phase"' for n in range(8))
    steps = "".join(f'[step.reader_{n}]\nphase = "next"\nexternal = true\nneeds = [{needs}]\n' for n in range(480))
    text = f'pipeline = "big"\ntimezone = "UTC"\n[phase.raw]\n[phase.next]\nafter = "raw"\n{first}{steps}'
    with pytest.raises(BadInput, match=r'phase "next" has 480 steps in mode "daily": its document could grow to [\d,]+ '
                                       r"bytes of 1,000,000; split it into phases"):  # fmt: skip
        load_plan(text)


def test_a_long_execution_id_is_stored_as_its_digest() -> None:
    long = execution_stamp("x" * 1_000)
    assert len(long.fingerprint) < 64
    assert long == execution_stamp("x" * 1_000)
    assert long != execution_stamp("x" * 999 + "y")
