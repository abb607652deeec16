"""The sender: never in the way of the work, bounded, and one line for an outage."""

import threading
from collections.abc import Sequence

from phasegate.observe.sender import Sender
from tests.support.pipelines import Told


class Taking:
    """What a receiver does with batches: it takes them, refuses them, or does not answer."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.error = ""
        self.asked, self.may_answer = threading.Event(), threading.Event()
        self.may_answer.set()

    def __call__(self, batch: Sequence[int]) -> str:
        self.asked.set()
        self.may_answer.wait()
        if self.error == "raise":
            raise ValueError("not encodable")
        self.taken += [] if self.error else batch
        return self.error


def sender(taking: Taking, told: Told, **bounds: float) -> "Sender[int]":
    return Sender("tests", taking, observer=told, **{"every_s": 0.01, **bounds})  # type: ignore[arg-type]


def test_what_is_put_is_sent_and_close_sends_the_rest() -> None:
    taking, told = Taking(), Told()
    made = sender(taking, told, every_s=60.0)
    for number in range(1_000):
        made.put(number)
    made.close()
    assert taking.taken == list(range(1_000))
    assert (told.events, made.lost) == ([], 0)


def test_a_receiver_that_does_not_answer_delays_nobody_and_the_queue_is_bounded() -> None:
    taking, told = Taking(), Told()
    taking.may_answer.clear()
    made = sender(taking, told, queue_max=10, batch_max=1, close_s=0.05)
    made.put(0)
    taking.asked.wait()
    for number in range(1, 31):
        made.put(number)
    assert made.lost == 20
    made.close()  # returns, though the batch is not answered
    assert told.of("signals lost") == [{"to": "tests", "error": "its queue is full, or closed"}]
    assert made.lost == 30
    taking.may_answer.set()


def test_what_could_not_be_sent_before_the_end_is_reported() -> None:
    taking, told = Taking(), Told()
    taking.may_answer.clear()
    made = sender(taking, told, batch_max=1, close_s=0.05)
    for number in range(3):
        made.put(number)
    taking.asked.wait()
    made.close()
    assert told.of("signals lost") == [{"to": "tests", "error": "not all was sent: no answer within 0.05 s of the end"}]
    taking.may_answer.set()


def test_an_outage_is_reported_once_and_its_end_with_what_was_lost() -> None:
    taking, told = Taking(), Told()
    taking.error = "it is down"
    made = sender(taking, told)
    for number in range(5):
        taking.asked.clear()
        made.put(number)
        taking.asked.wait()
    taking.error = ""
    made.put(5)
    made.close()
    assert taking.taken[-1] == 5
    assert told.of("signals lost") == [{"to": "tests", "error": "it is down"}]
    assert told.of("signals sent again") == [{"to": "tests", "lost": made.lost}]
    assert made.lost >= 4


def test_an_error_in_sending_is_reported_and_stops_nothing() -> None:
    taking, told = Taking(), Told()
    taking.error = "raise"
    made = sender(taking, told)
    made.put(1)
    made.close()
    assert told.of("signals lost") == [{"to": "tests", "error": "ValueError: not encodable"}]


def test_nothing_is_started_before_the_first_item_and_after_close_items_are_lost() -> None:
    before, told = threading.active_count(), Told()
    made = sender(Taking(), told)
    assert threading.active_count() == before
    made.close()
    made.put(1)
    assert made.lost == 1
    assert threading.active_count() == before
