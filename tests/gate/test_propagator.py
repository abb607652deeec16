"""What is told of tables that somebody else writes: nobody can order two reads, and a message may be lost."""

from phasegate.base.keys import Run
from phasegate.base.receipt import Stamp
from phasegate.base.table import Draft
from phasegate.bus import Message
from phasegate.gate.propagation import put_off
from phasegate.gate.records import Window
from phasegate.transact import AtHand
from tests.support.pipelines import Shop, settle
from tests.support.windows import PLAN, builds, cell, load, many_days, phase

FOREIGN = PLAN.replace('{ step = "sum", back = "5d" }', '{ step = "raw.box", back = "5d" }')

DAY = Run("2026-02-01", "day")


def scrape(made: Shop, day: int, amount: int) -> None:
    """Fill a day of the foreign table, as somebody who knows nothing of receipts."""
    date, table = f"2026-02-{day:02d}", made.pipeline.plan.steps["box"].table
    assert table is not None
    made.warehouse.prepare(Draft(table=table), partition=date, store_id="nobody", params={})
    made.warehouse.put_rows(table, [{"day": date, "id": 0, "amount": amount}], partition=date)


def tell(made: Shop, day: int, mode: str) -> None:
    made.pipeline.complete({"step": "box", "run": f"2026-02-{day:02d}.{mode}", "status": "success"})


def two_runs() -> Shop:
    """Return a shop in which both runs of a date have the foreign table's content."""
    made = many_days()
    for mode in ("day", "night"):
        scrape(made, 1, 1)
        tell(made, 1, mode)
    settle(made)
    return made


def published(made: Shop, *, losing: bool) -> list[Message]:
    """Write down what is published from now on; the relays among it are lost while ``losing``."""
    told: list[Message] = []
    publish = made.pipeline.ports.bus.publish

    def note(message: Message, /) -> None:
        told.append(message)
        if not (losing and message.id.startswith("relay.") and sum(m.id == message.id for m in told) == 1):
            publish(message)

    made.pipeline.ports.bus.publish = note  # type: ignore[method-assign]  # a wire that loses
    return told


def test_a_lost_message_to_the_sister_run_is_sent_again_until_she_holds_the_content() -> None:
    made = two_runs()
    told = published(made, losing=True)
    scrape(made, 1, 2)
    tell(made, 1, "night")
    assert sum(message.id.startswith("relay.") for message in told) == 1
    made.clock.at += 60.0
    made.pipeline._sweeper.sweep()
    assert sum(message.id.startswith("relay.") for message in told) == 2
    settle(made)
    one, other = (phase(made, 1, name="raw", mode=mode).members["box"].result for mode in ("day", "night"))
    assert one is not None
    assert other is not None
    assert one.stamp == other.stamp
    assert made.pipeline.next_due() is None


def test_messages_to_a_sister_run_that_answers_none_are_sent_ever_more_rarely_and_not_by_each_flush() -> None:
    made = two_runs()
    told = published(made, losing=False)
    scrape(made, 1, 2)
    tell(made, 1, "night")
    begun, times = made.clock.at, [0.0]
    while made.clock.at < begun + 3_600.0:  # no worker serves what is sent
        made.clock.at += 5.0
        made.pipeline.runs.flush("phase:shop:raw:2026-02-01.night")
        times += [made.clock.at - begun] * (sum(m.id.startswith("relay.") for m in told) - len(times))
    assert 0.0 < times[1] <= 15.0
    assert times[2] > 2 * times[1]
    assert times[3] > 2 * times[2]
    assert 12 <= len(times) < 20, "every five minutes at most"
    settle(made)
    assert made.pipeline.next_due() is None


def test_a_run_that_is_opened_late_takes_over_what_its_sister_read_without_a_message() -> None:
    made = many_days()
    scrape(made, 1, 1)
    tell(made, 1, "night")
    settle(made)
    told = published(made, losing=True)
    made.pipeline.runs.open("raw", Run("2026-02-01", "day"))
    result = phase(made, 1, name="raw", mode="day").members["box"].result
    assert result is not None
    assert [message.id for message in told if message.id.startswith("relay.")] == []


def test_a_run_that_waits_to_catch_up_is_sent_nothing_that_it_already_has() -> None:
    made = two_runs()
    told = published(made, losing=False)
    key, now = "phase:shop:raw:2026-02-01.day", made.clock.at
    runs = made.pipeline.runs
    decide = put_off({"any": Window(stamp=Stamp("f1"))}, origin=None, key=key, now=now, attempt="a")
    runs._transact(key, decide, known=AtHand())
    made.clock.at += 60.0
    runs._propagator.catch_up(key)
    assert [message.id for message in told if message.id.startswith("relay.")] == []


def test_a_ledger_that_holds_an_older_read_is_put_right_by_whoever_meets_it() -> None:
    made = many_days(FOREIGN)
    scrape(made, 1, 1)
    tell(made, 1, "night")
    settle(made)
    first = phase(made, 1, name="raw").members["box"].result
    scrape(made, 1, 2)
    tell(made, 1, "night")
    settle(made)
    assert first is not None
    propagator = made.pipeline.runs._propagator
    propagator.record("box", "2026-02-01", stamp=Stamp(first.stamp.fingerprint))  # told late, by who read before
    scrape(made, 2, 4)
    tell(made, 2, "night")
    settle(made)
    assert cell(made, "out.trend", 2) == 2
    assert builds(made, "trend", 2) == 1
    assert made.pipeline.next_due() is None


def test_a_run_that_is_brought_back_reads_what_its_sister_has_read_since() -> None:
    made = two_runs()
    made.pipeline.runs.void("raw", DAY, reason="by mistake")
    scrape(made, 1, 2)
    tell(made, 1, "night")
    settle(made)
    told = published(made, losing=False)
    made.pipeline.runs.void("raw", DAY, reason=None)
    assert sum(message.id.startswith("relay.") for message in told) == 1
    settle(made)
    one, other = (phase(made, 1, name="raw", mode=mode).result_of("box") for mode in ("day", "night"))
    assert one is not None
    assert other is not None
    assert one.stamp == other.stamp


def test_a_run_that_is_brought_back_takes_over_what_its_sister_has_written_without_a_message() -> None:
    made = many_days()
    load(made, 1, 1, mode="day")
    settle(made)
    made.pipeline.runs.void("raw", DAY, reason="by mistake")
    load(made, 1, 2)
    settle(made)
    told = published(made, losing=True)
    made.pipeline.runs.void("raw", DAY, reason=None)
    one, other = (phase(made, 1, name="raw", mode=mode).result_of("box") for mode in ("day", "night"))
    assert one is not None
    assert other is not None
    assert one.stamp == other.stamp
    assert [message.id for message in told if message.id.startswith("relay.")] == []
