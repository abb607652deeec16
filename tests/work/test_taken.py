"""A value from outside is checked when it is taken: it is refused by name, or quarantined, and blocks nothing."""

import re
from contextlib import suppress
from typing import Any

import pytest

from phasegate.bus import Delivery, Message
from phasegate.errors import PhasegateError
from tests.support.nasty import NASTY
from tests.support.pipelines import RUN, Shop, load, settle, shop, total

OTHER = "2026-02-04.daily"
GOOD: dict[str, dict[str, object]] = {
    "completion": {"kind": "completion", "step": "orders", "run": RUN, "status": "failed", "sequence": 1},
    "trigger": {
        "kind": "trigger",
        "id": f"trigger.shop.load.{OTHER}.1.report",
        "pipeline": "shop", "phase": "load", "run": OTHER,
        "generation": 1, "receiver": "report", "stamps": {"orders": {"fingerprint": "1-a", "token": 1}},
    },
    "request": {
        "kind": "request",
        "id": "r",
        "pipeline": "shop", "phase": "report", "step": "totals", "run": OTHER, "inputs": {},
    },
}  # fmt: skip
FIELDS = [
    *(("completion", f) for f in ("step", "status", "run", "date", "mode", "rows", "sequence", "completed_at",
                                  "execution_id", "trigger_id", "error", "kind", "unknown")),
    *(("trigger", f) for f in GOOD["trigger"]),
    *(("request", f) for f in GOOD["request"]),
]  # fmt: skip
VALUES = [pytest.param(value, id=name) for name, value in NASTY.items()]


def goes_on(made: Shop) -> None:
    made.pipeline.sweep()
    load(made, 1)
    settle(made, until_s=60.0)
    assert total(made) == 1


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_no_message_holds_up_a_worker_whatever_its_fields_hold(kind: str, field: str) -> None:
    made = shop()
    for value in NASTY.values():
        body: dict[str, Any] = {**GOOD[kind], field: value}
        made.pipeline._worker.handle(Delivery(Message("m", "shop.completions", body), NoClaim(made), 1))
    assert made.told.of("message failed") == []
    goes_on(made)


class NoClaim:
    """The handle of a message that another bus would deliver: this one's acknowledgement does nothing."""

    def __init__(self, made: Shop) -> None:
        made.pipeline.ports.bus.ack = lambda _delivery: None  # type: ignore[method-assign]


@pytest.mark.parametrize("value", VALUES)
def test_a_completion_is_refused_by_name_or_taken_and_its_run_goes_on(value: object) -> None:
    made = shop()
    for field in ("rows", "sequence", "execution_id", "completed_at", "error", "status", "run", "trigger_id"):
        with suppress(PhasegateError):
            made.pipeline.complete({**GOOD["completion"], field: value})
    goes_on(made)


@pytest.mark.parametrize("text", ["\ud800", "\0", "x" * 2_000_000, "two\nlines"])
def test_an_error_in_any_text_is_reported(text: str) -> None:
    made = shop()
    with pytest.raises(ValueError, match=re.escape(text[:9])), made.pipeline.begin(RUN, step="orders"):
        raise ValueError(text)
    goes_on(made)
