"""Which builds served the last requests: what receipts, documents and completions say."""

import pytest
from msgspec.structs import replace

from phasegate.base.codec import decode, encode
from phasegate.base.keys import Run, phase_key
from phasegate.base.receipt import Part
from phasegate.build import BUILD_MAX
from phasegate.errors import BadInput
from phasegate.gate.applied import by_build
from phasegate.gate.decisions import Report, report
from phasegate.gate.phase import SERVED_CHARS_MAX, SERVED_MAX, Phase, served_by
from phasegate.gate.records import Served
from tests.support.pipelines import DAY, LETTERS, RUN, Shop, load, phase, settle, shop

OURS = "loads@3f2a9c1"


class Named:
    """A build that takes as long as its process wants."""

    def __init__(self, known: str, *, later: str = "") -> None:
        self.known, self._later = known, later

    def name(self) -> str:
        self.known = self.known or self._later
        return self.known


def served(made: Shop, name: str = "load") -> dict[str, str]:
    return {build: one.what for build, one in phase(made, name).served.items()}


def test_a_receipt_and_the_documents_of_its_run_name_the_build() -> None:
    made = shop(build=Named(OURS))
    load(made, 1, 2)
    began = made.clock.at
    settle(made)
    with made.warehouse.snapshot() as reader:
        receipts = reader.receipts([Part("raw.orders", DAY), Part("out.totals", DAY)])
    assert [one.build for one in receipts.values()] == [OURS, OURS]
    assert served(made, "report") == {OURS: "report totals"}
    assert phase(made, "report").served[OURS].at == began


def test_a_process_that_must_ask_git_asks_for_a_receipt_and_not_for_a_command() -> None:
    made = shop(build=Named("", later=OURS))
    made.pipeline.runs.pause("load", Run(DAY, "daily"), reason="wait")
    assert served(made) == {}
    load(made, 1)
    assert served(made) == {OURS: "report orders"}


def test_a_completion_names_the_build_that_did_the_work_beside_the_one_that_took_it() -> None:
    made = shop(plan=LETTERS, build=Named(OURS))
    body = {"step": "rates", "run": RUN, "execution_id": "r1", "sequence": 1, "build": "rates@0badf00d"}
    made.pipeline.complete(body)
    assert served(made) == {OURS: "report rates", "rates@0badf00d": "report rates"}


def test_a_failure_is_evidence_too_and_a_completion_that_comes_again_is_none() -> None:
    made = shop(plan=LETTERS)
    body: dict[str, object] = {"step": "rates", "run": RUN, "sequence": 2}
    made.pipeline.complete({**body, "execution_id": "r1", "build": "rates@aaaaaaa"})
    at = phase(made, "load").served["rates@aaaaaaa"].at
    made.clock.at += 60
    made.pipeline.complete({**body, "execution_id": "r1", "build": "rates@aaaaaaa"})
    made.pipeline.complete({**body, "sequence": 1, "execution_id": "r0", "build": "rates@bbbbbbb"})
    assert {build: one.at for build, one in phase(made, "load").served.items()} == {"rates@aaaaaaa": at}
    made.pipeline.complete({**body, "sequence": 3, "status": "failed", "error": "down", "build": "rates@ccccccc"})
    assert phase(made, "load").served["rates@ccccccc"].at == made.clock.at


@pytest.mark.parametrize("build", [42, "two words", "x" * (BUILD_MAX + 1), "-x", "a\nb", {"sha": "1"}])
def test_a_build_that_is_none_is_refused_by_name(build: object) -> None:
    made = shop(plan=LETTERS)
    with pytest.raises(BadInput, match=r"`?\$\.build"):
        made.pipeline.complete({"step": "rates", "run": RUN, "execution_id": "r1", "sequence": 1, "build": build})
    number = made.pipeline.take({"kind": "completion", "step": "rates", "run": RUN, "execution_id": "r1",
                                 "sequence": 1, "build": build}, topic="t", number="m1")  # fmt: skip
    assert number == "quarantined"


def test_a_document_keeps_the_last_builds_only_and_what_they_did_in_short() -> None:
    made = shop(plan=LETTERS)
    made.pipeline.runs.open("load", Run(DAY, "daily"))
    one = phase(made, "load")
    for number in range(3 * SERVED_MAX):
        one = served_by(one, f"rates@{number:07d}", at=float(number), what="report " + "x" * 500)
    assert len(one.served) == SERVED_MAX
    assert min(at.at for at in one.served.values()) == 2 * SERVED_MAX
    assert {len(at.what) for at in one.served.values()} == {SERVED_CHARS_MAX}
    assert served_by(one, "rates@0000023", at=1.0, what="report y").served["rates@0000023"].at == 23.0
    assert served_by(one, "", at=99.0, what="report y") == one


def test_a_command_that_is_decided_again_on_its_own_result_changes_nothing() -> None:
    made = shop(plan=LETTERS)
    made.pipeline.runs.open("load", Run(DAY, "daily"))
    key = phase_key("shop", "load", run=Run(DAY, "daily"))
    decide = by_build(report(Report(member="rates", status="failed", error="down", order=1.0, ordered="sequence"),
                             key=key, now=5.0, attempt="a1"), build=OURS, attempt="a1")  # fmt: skip
    once, answer = decide(phase(made, "load"))
    assert once is not None
    assert once.served == {OURS: Served(since=5.0, at=5.0, what="report rates")}
    assert decide(once) == (once, answer)
    again = decode(Phase, encode(once), key=key)
    assert again == once
    old = {name: value for name, value in encode(once).items() if name != "served"}
    assert decode(Phase, old, key=key) == replace(once, served={}), "a document of an older version"
