"""Attempts, accepted results and firings, as an observer receives them."""

from collections.abc import Sequence

import pytest

from phasegate.base.keys import Run
from phasegate.base.receipt import Stamp
from phasegate.errors import Ambiguous, Unavailable
from phasegate.store import Body
from phasegate.stores.memory import MemoryStore
from phasegate.write.reading import Reading
from tests.support.pipelines import DAY, LETTERS, RUN, Shop, load, phase, settle, shop


def stamps(made: Shop, name: str) -> dict[str, Stamp]:
    found = {step: phase(made, name).result_of(step) for step in phase(made, name).members}
    return {step: result.stamp for step, result in found.items() if result is not None}


def test_an_attempt_begins_and_ends_once_with_the_token_of_its_lease() -> None:
    made = shop()
    load(made, 1, 2)
    settle(made)
    begun, ended = made.told.of("attempt begun"), made.told.of("attempt ended")
    assert [one["step"] for one in begun] == [one["step"] for one in ended] == ["orders", "totals"]
    assert begun[1]["inputs"] == {"load.orders": stamps(made, "load")["orders"]}
    assert (ended[1]["phase"], ended[1]["run"], ended[1]["generation"]) == ("report", RUN, 1)
    assert ended[1]["token"] == begun[1]["token"] == stamps(made, "report")["totals"].token
    assert [(one["outcome"], one["error"]) for one in ended] == [("accepted", "")] * 2


def test_a_failed_attempt_ends_with_its_error_and_the_next_has_the_next_number() -> None:
    tries = []

    def failing(run: Reading) -> Sequence[dict[str, object]]:
        tries.append(run)
        if len(tries) == 1:
            raise ValueError("no such column")
        return [{"day": "2026-02-03", "amount": 3}]

    made = shop({"made:totals": failing})
    load(made, 1, 2)
    settle(made)
    ended = [one for one in made.told.of("attempt ended") if one["step"] == "totals"]
    assert [(one["attempt"], one["outcome"]) for one in ended] == [(1, "failed"), (2, "accepted")]
    assert "no such column" in str(ended[0]["error"])
    assert ended[0]["request"] == ended[1]["request"]
    assert ended[0]["token"] != ended[1]["token"]


def test_an_attempt_without_a_report_is_interrupted() -> None:
    made = shop()
    with pytest.raises(Unavailable), made.pipeline.begin(RUN, step="orders"):
        raise Unavailable("the source is down")
    (ended,) = made.told.of("attempt ended")
    assert (ended["outcome"], ended["error"]) == ("interrupted", "the source is down")


def test_an_external_step_that_fails_ends_with_the_outcome_of_its_report() -> None:
    made = shop()
    with pytest.raises(ValueError, match="boom"), made.pipeline.begin(RUN, step="orders"):
        raise ValueError("boom")
    (ended,) = made.told.of("attempt ended")
    assert (ended["outcome"], ended["error"]) == ("noted", "ValueError: boom")


def test_each_result_is_accepted_once_and_counts_for_the_generation_that_carries_it() -> None:
    made = shop()
    load(made, 1, 2)
    settle(made)
    load(made, 1, 2)
    settle(made)
    load(made, 1, 2, 3)
    settle(made)
    taken = [(one["step"], one["generation"], one["rows"]) for one in made.told.of("result accepted")]
    assert taken[0] == ("orders", 1, 2)
    assert [one for one in taken if one[0] == "totals"] == [("totals", 1, 1), ("totals", 2, 1)]
    assert taken[-2] == ("orders", 2, 3)


def test_a_firing_carries_its_members_and_the_generations_before_it() -> None:
    made = shop()
    load(made, 1, 2)
    settle(made)
    first, second = made.told.of("fired")
    assert (first["phase"], first["generation"], first["inputs"]) == ("load", 1, {})
    assert (second["phase"], second["generation"], second["inputs"]) == ("report", 1, {"load": 1})
    assert second["members"] == stamps(made, "report")
    assert second["since"] == phase(made, "report").opened_at


def test_a_later_generation_begins_with_the_first_change_after_the_one_before_it() -> None:
    made = shop()
    load(made, 1, 2)
    settle(made)
    made.clock.sleep(7200)
    changed_at = made.clock.at
    load(made, 1, 2, 3)
    settle(made)
    again = [one for one in made.told.of("fired") if one["phase"] == "report"][-1]
    assert (again["generation"], again["since"]) == (2, changed_at)
    assert again["inputs"] == {"load": 2}


class Unanswering(MemoryStore):
    """Each write of a phase's document has its effect and no answer, the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.silent = True

    def write(self, key: str, body: Body, /, *, due: float | None, expect: str | None) -> str:
        version = super().write(key, body, due=due, expect=expect)
        if key.startswith("phase:") and self.silent:
            self.silent = False
            raise Ambiguous(key)
        self.silent = True
        return version


def test_a_firing_whose_write_was_not_answered_is_reported_all_the_same() -> None:
    made = shop(store=Unanswering())
    load(made, 1, 2)
    settle(made)
    assert [(one["phase"], one["generation"]) for one in made.told.of("fired")] == [("load", 1), ("report", 1)]
    assert [one["step"] for one in made.told.of("result accepted")] == ["orders", "totals"]


def test_a_result_that_fires_nothing_counts_for_the_generation_to_come() -> None:
    made = shop(plan=LETTERS)
    load(made, 1, 2)
    assert made.told.of("fired") == [], "its rates are missing"
    made.pipeline.complete({"step": "rates", "run": RUN, "execution_id": "r1"})
    made.pipeline.runs.pause("load", Run(DAY, "daily"), reason="a fix")
    load(made, 1, 2, 3)
    taken = [(one["step"], one["generation"]) for one in made.told.of("result accepted")]
    assert taken == [("orders", 1), ("rates", 1), ("orders", 2)]
