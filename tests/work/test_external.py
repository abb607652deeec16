"""External steps: how they are begun, what they see, and what a failure leaves."""

import pytest

from phasegate.base.keys import Run
from phasegate.base.receipt import execution_stamp
from phasegate.errors import (
    Ambiguous,
    BadInput,
    Busy,
    Contended,
    Fenced,
    LeaseLost,
    NotFound,
    Partial,
    PhasegateError,
    Unavailable,
)
from tests.support.pipelines import DAY, LETTERS, RUN, generation, load, orders, phase, ready, settle, shop

TRIGGER = {
    "kind": "trigger", "id": f"trigger.shop.load.{RUN}.1.report", "pipeline": "shop", "phase": "load", "run": RUN,
    "generation": 1, "receiver": "report",
}  # fmt: skip


def test_a_run_a_trigger_and_a_request_name_their_step_and_a_completion_is_refused() -> None:
    made = ready()
    stamps = {"orders": {"fingerprint": "f", "token": 1}}
    with made.pipeline.begin({**TRIGGER, "stamps": stamps}) as run:
        assert (run.date, run.mode) == (DAY, "daily")
        run.complete(execution_id="l1")
    assert phase(made, "report").members["letter"].result is not None
    request = {"kind": "request", "id": "q1", "pipeline": "shop", "phase": "load", "step": "rates", "run": RUN}
    with made.pipeline.begin({**request, "inputs": {}}) as run:
        run.complete(execution_id="r2")
    result = phase(made, "load").result_of("rates")
    assert result is not None
    assert result.stamp == execution_stamp("r2")
    completion = {"kind": "completion", "step": "rates", "run": RUN}
    with pytest.raises(BadInput, match="this is a completion message; begin takes a trigger"):
        made.pipeline.begin(completion).__enter__()


@pytest.mark.parametrize(
    ("step", "error", "text"),
    [
        (None, BadInput, "name the step; choose one of orders, rates, letter"),
        ("totals", NotFound, "'totals' is no external step here; choose one of orders, rates, letter"),
    ],
)
def test_a_step_that_is_not_named_or_is_none_is_refused_with_the_choice(
    step: str | None, error: type[Exception], text: str
) -> None:
    made = shop(plan=LETTERS)
    with pytest.raises(error, match=text):
        made.pipeline.begin(RUN, step=step).__enter__()
    assert made.pipeline.runs.read("load", Run(DAY, "daily")) is None, "nothing was opened"


def test_a_trigger_for_a_phase_without_external_steps_says_that_there_is_none() -> None:
    made = shop()
    load(made, 1)
    with pytest.raises(BadInput, match="choose one of none"):
        made.pipeline.begin({**TRIGGER, "stamps": {}}).__enter__()


def test_a_step_without_needs_is_always_needed_and_another_until_its_inputs_are_built() -> None:
    made = ready()
    with made.pipeline.begin(RUN, step="rates") as run:
        assert run.needed
        assert run.inputs == {}
        run.complete(execution_id="r1")
    orders_stamp = phase(made, "report").inputs["load"].stamps["orders"]
    with made.pipeline.begin(RUN, step="letter") as run:
        assert run.needed
        assert run.inputs == {"load.orders": orders_stamp}
        run.complete(execution_id="l1")
    with made.pipeline.begin(RUN, step="letter") as run:
        assert not run.needed
        run.complete(execution_id="l1")
    load(made, 1, 2, 4)
    settle(made)
    with made.pipeline.begin(RUN, step="letter") as run:
        assert run.needed
        run.complete(execution_id="l2")
    assert generation(made, "report") == 2


def test_a_step_without_a_table_writes_nothing_and_needs_an_id_of_its_content() -> None:
    made = ready()
    with made.pipeline.begin(RUN, step="rates") as run:
        with pytest.raises(BadInput, match="step rates has no table; give it one in the plan, or write elsewhere"):
            run.write([{"day": DAY}])
        with pytest.raises(BadInput, match="step rates has no table to read; give an execution_id"):
            run.complete()
        answer = run.complete(execution_id="r2", rows=0)
    assert answer.outcome == "accepted"
    result = phase(made, "load").result_of("rates")
    assert result is not None
    assert (result.status, result.rows) == ("empty", 0)


def test_what_a_step_lacks_is_named_and_kept() -> None:
    made = ready()
    with made.pipeline.begin(RUN, step="rates") as run:
        with pytest.raises(BadInput, match='names what is missing and is success; write status = "partial"'):
            run.complete(execution_id="r2", missing=["EUR"])
        run.complete(execution_id="r2", status="partial", missing=["EUR", "USD"])
    result = phase(made, "load").result_of("rates")
    assert result is not None
    assert result.lacks is not None
    assert (result.lacks.missing, result.lacks.count) == (("EUR", "USD"), 2)


def test_a_number_orders_the_results_of_a_step() -> None:
    made = shop(plan=LETTERS)
    for number, content in ((2, "second"), (1, "first")):
        with made.pipeline.begin(RUN, step="rates") as run:
            run.complete(execution_id=content, sequence=number)
    result = phase(made, "load").result_of("rates")
    assert result is not None
    assert (result.stamp, result.order) == (execution_stamp("second"), 2)


def test_a_block_that_raises_partial_or_ends_without_a_report_is_reported_as_what_it_is() -> None:
    made = ready()
    with pytest.raises(Partial), made.pipeline.begin(RUN, step="rates"):
        raise Partial("half of it is there")
    attempt = phase(made, "load").members["rates"].attempt
    assert attempt is not None
    assert (attempt.status, attempt.error) == ("partial", "half of it is there")
    with made.pipeline.begin(RUN, step="rates"):
        pass
    attempt = phase(made, "load").members["rates"].attempt
    assert attempt is not None
    assert (attempt.status, attempt.error) == ("transient", "the block ended without complete() or fail()")
    with made.pipeline.begin(RUN, step="rates") as run:
        run.fail(ValueError("the key is revoked"), final=True, output="asking\n")
    attempt = phase(made, "load").members["rates"].attempt
    assert attempt is not None
    assert (attempt.status, attempt.error) == ("failed", "ValueError: the key is revoked")


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("the server restarts"),
        Ambiguous("the connection is lost"),
        Contended("phase", 48),
        LeaseLost("lease", 1),
        Fenced("raw.orders", 1, 2),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_outage_and_a_newer_holder_are_no_failures_of_the_step(error: PhasegateError) -> None:
    made = ready()
    before = phase(made, "load").members["rates"].attempt
    with pytest.raises(type(error)), made.pipeline.begin(RUN, step="rates"):
        raise error
    assert phase(made, "load").members["rates"].attempt == before


def test_an_error_after_the_report_is_raised_and_no_second_report() -> None:
    made = ready()
    held = made.pipeline.begin(RUN, step="rates")
    held.__enter__().complete(execution_id="r9")
    assert not held.__exit__(ValueError, ValueError("later"), None)
    result, attempt = phase(made, "load").result_of("rates"), phase(made, "load").members["rates"].attempt
    assert result is not None
    assert attempt is not None
    assert (result.stamp, attempt.status) == (execution_stamp("r9"), "success")


def test_a_written_step_is_reported_as_it_was_written_and_its_partition_is_free_again() -> None:
    made = shop()
    with made.pipeline.begin(RUN) as run:
        receipt = run.write(orders(1, 2))
        answer = run.complete()
        with pytest.raises(Busy, match=r"orders of 2026-02-03\.daily is being written by another process"):
            made.pipeline.begin(RUN).__enter__()
    assert (answer.outcome, run.answer) == ("accepted", answer)
    result = phase(made, "load").result_of("orders")
    assert result is not None
    assert (result.stamp, result.rows, result.write_id) == (receipt.stamp, 2, receipt.write_id)
    with made.pipeline.begin(RUN) as run:
        run.write(orders(1, 2, 3))
        run.complete(rows=3)


def test_a_request_for_a_run_that_is_not_open_is_refused() -> None:
    made = shop(plan=LETTERS)
    request = {"kind": "request", "id": "q1", "pipeline": "shop", "phase": "load", "step": "rates", "run": RUN}
    with pytest.raises(NotFound, match=r"load of 2026-02-03\.daily is not open; a trigger opens it"):
        made.pipeline.begin({**request, "inputs": {}}).__enter__()


def test_a_result_counts_as_built_from_what_its_trigger_carried() -> None:
    made = ready()
    begun = phase(made, "report").inputs["load"].stamps["orders"]
    with made.pipeline.begin(RUN, step="letter") as run:
        assert run.trigger_id == f"trigger.shop.load.{RUN}.1.report"
        run.complete(execution_id="l1")
    result = phase(made, "report").result_of("letter")
    assert result is not None
    assert (result.built_from, result.attested) == ({"load.orders": begun}, True)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (True, "built"),
        (False, "busy"),
        (ValueError("no such page"), "failed"),
        (LeaseLost("lease", 1), "lease lost"),
        (Fenced("raw.orders", 1, 2), "lease lost"),
        (Unavailable("the server restarts"), None),
    ],
    ids=str,
)
def test_a_step_with_its_own_code_here_is_built_when_it_is_requested(
    answer: bool | Exception, outcome: str | None
) -> None:
    made = shop(plan=LETTERS.replace('[step.rates]\nphase = "load"', '[step.rates]\nphase = "load"\ntopic = "feeds"'))
    built: list[Run] = []

    def build(run: Run) -> bool:
        built.append(run)
        if isinstance(answer, Exception):
            raise answer
        return answer

    made.pipeline.build_with({"rates": build})
    made.pipeline.runs.open("load", Run(DAY, "daily"))
    step, asked = made.pipeline.plan.steps["rates"], phase(made, "load").requests["rates"].id
    assert made.pipeline._worker.build(step, Run(DAY, "daily"), request_id="an older one") == "not asked for"
    assert built == []
    if outcome is None:
        with pytest.raises(Unavailable):
            made.pipeline._worker.build(step, Run(DAY, "daily"), request_id=asked)
    else:
        assert made.pipeline._worker.build(step, Run(DAY, "daily"), request_id=asked) == outcome
    assert built == [Run(DAY, "daily")]
