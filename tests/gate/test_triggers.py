"""Triggers that their receiver does not take, and requests that failed for good: what ends them, what revives them."""

import pytest

from phasegate.base.keys import parse_run
from phasegate.base.receipt import Stamp
from phasegate.bus import Message
from phasegate.errors import Unavailable
from phasegate.ledger import recorded
from phasegate.store import Body
from phasegate.stores.memory import MemoryStore
from tests.support.pipelines import RUN, Shop, load, settle, shop, state, total

FOR_LONG_S = 86_000.0


def entries(made: Shop, phase: str) -> list[tuple[int, str, str]]:
    document = made.pipeline.runs.read(phase, parse_run(RUN))
    assert document is not None
    return [(entry.generation, entry.receiver, entry.state) for entry in document.outbox]


def never_acknowledged() -> Shop:
    made = shop()
    load(made, 1)
    settle(made, until_s=FOR_LONG_S)
    assert entries(made, "report") == [(1, "mailer", "dead")]
    return made


def test_a_newer_firing_supersedes_a_dead_trigger_which_is_then_never_sent() -> None:
    made = never_acknowledged()
    load(made, 1, 2)
    settle(made, until_s=1.0)
    assert entries(made, "report") == [(1, "mailer", "superseded"), (2, "mailer", "sent")]
    assert made.pipeline.views.dead() == []
    made.pipeline.runs.redrive("report", parse_run(RUN), step="mailer")
    assert entries(made, "report")[0] == (1, "mailer", "superseded")


def test_a_dead_trigger_can_still_be_acknowledged() -> None:
    made = never_acknowledged()
    made.pipeline.complete({"trigger_id": f"trigger.shop.report.{RUN}.1.mailer"})
    assert entries(made, "report") == [(1, "mailer", "acked")]
    assert state(made, "report") == "complete"


def test_what_is_redriven_has_all_its_attempts_again() -> None:
    tries: list[int] = []

    def broken(_: object) -> list[dict[str, object]]:
        tries.append(1)
        raise RuntimeError("it broke")

    made = shop({"made:totals": broken})
    load(made, 1)
    settle(made, until_s=FOR_LONG_S)
    once = len(tries)
    assert once > 1
    made.pipeline.runs.redrive("report", parse_run(RUN), step="totals")
    document = made.pipeline.runs.read("report", parse_run(RUN))
    assert document is not None
    assert document.failures_of("totals") == 0
    settle(made, until_s=FOR_LONG_S)
    assert len(tries) == 2 * once


class Refusing(MemoryStore):
    """A store that takes no document of the keys named."""

    refused = ""

    def write(self, key: str, body: Body, /, *, due: float | None, expect: str | None) -> str:
        if self.refused and key.startswith(self.refused):
            raise Unavailable("the disk is full; free some of it")
        return super().write(key, body, due=due, expect=expect)


def test_a_trigger_is_acknowledged_only_after_its_receiver_has_begun() -> None:
    store = Refusing()
    made = shop(store=store)
    store.refused = "phase:shop:report:"
    load(made, 1)
    settle(made, until_s=1.0)
    assert entries(made, "load") == [(1, "report", "sent")]
    store.refused = ""
    settle(made)
    assert entries(made, "load") == [(1, "report", "acked")]


@pytest.mark.parametrize(
    ("generation", "fingerprint"), [(1, "of a lost firing"), (2, "of a generation that is not fired yet")]
)
def test_a_trigger_from_before_a_restore_is_not_begun_and_keeps_no_later_one_back(
    generation: int, fingerprint: str
) -> None:
    made = shop()
    trigger = {"kind": "trigger", "id": "t", "pipeline": "shop", "phase": "load", "run": RUN, "generation": generation,
               "receiver": "report", "stamps": {"orders": {"fingerprint": fingerprint, "token": 9}}}  # fmt: skip
    load(made, 1)
    made.pipeline.ports.bus.publish(Message("t", "shop.report.begin", trigger))
    settle(made, until_s=1.0)
    assert [one["outcome"] for one in made.told.of("served") if one["message"] == "t"] == ["not fired"]
    assert total(made) == 1
    load(made, 1, 2)
    settle(made, until_s=1.0)
    assert total(made) == 3


@pytest.mark.parametrize(("token", "number"), [(2, 0), (3, 2), (4, 2)])
def test_a_ledger_refuses_older_writes_only(token: int, number: int) -> None:
    ledger, _ = recorded("2026-02-03", stamp=Stamp("a", 3))(None)
    after, answer = recorded("2026-02-03", stamp=Stamp("b", token))(ledger)
    assert answer == number
    assert after.stamps["2026-02-03"] == (Stamp("b", token) if number else Stamp("a", 3))
