from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import count

import pytest

from nba_props.errors import DataError
from nba_props.notices import Notice, between
from nba_props.raw import RawRow
from nba_props.raw_tables import SCRAPES, check_table
from nba_props.replay.fetch_log import MESSAGE_CHARS_MAX, Recorder
from nba_props.sources.synthetic import SyntheticSource

DAY = date(2025, 1, 10)
BEGUN = datetime(2025, 1, 11, 6, tzinfo=UTC)


class Clock:
    """Time passes only when a test says so."""

    def __init__(self) -> None:
        self.at = BEGUN.timestamp()

    def __call__(self) -> float:
        return self.at


def recorder(clock: Clock, **more: object) -> Recorder:
    ids: Iterator[int] = count(1)
    return Recorder("overnight", source="parquet", now=clock, new_id=lambda: f"id-{next(ids)}", **more)  # type: ignore[arg-type]


def test_a_fetch_with_rows_is_a_success() -> None:
    clock = Clock()

    def call() -> list[RawRow]:
        clock.at += 2.5
        return [{"a": 1}, {"a": 2}]

    rows, log, error = recorder(clock).fetch("nbac_gamebook", DAY, call=call)
    assert error is None
    assert rows == [{"a": 1}, {"a": 2}]
    assert log == {
        "execution_id": "id-1",
        "scraper_name": "nbac_gamebook",
        "workflow": "overnight",
        "game_date": DAY,
        "status": "success",
        "triggered_at": BEGUN,
        "completed_at": datetime(2025, 1, 11, 6, 0, 2, 500_000, tzinfo=UTC),
        "duration_seconds": 2.5,
        "source": "parquet",
        "record_count": 2,
        "error_type": None,
        "error_message": None,
        "retry_count": 0,
    }
    check_table(SCRAPES, [log], where="x")


def test_a_fetch_without_rows_is_no_success() -> None:
    rows, log, error = recorder(Clock()).fetch("nbac_shots", DAY, call=list[RawRow])
    assert (rows, error) == ([], None)
    assert (log["status"], log["record_count"]) == ("no_data", 0)
    check_table(SCRAPES, [log], where="x")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (DataError("a.json", problem="it is\nbroken", fix="fetch it"), "DataError", "a.json: it is broken; fetch it"),
        (TimeoutError(), "TimeoutError", "TimeoutError"),
        (ValueError("x" * 5000), "ValueError", "x" * MESSAGE_CHARS_MAX),
    ],
)
def test_a_fetch_that_raises_is_failed_and_gives_no_rows(error: Exception, kind: str, message: str) -> None:
    def call() -> list[RawRow]:
        raise error

    rows, log, caught = recorder(Clock()).fetch("nbac_gamebook", DAY, call=call)
    assert rows is None
    assert caught is error
    assert (log["status"], log["error_type"], log["error_message"]) == ("failed", kind, message)
    assert log["record_count"] == 0
    check_table(SCRAPES, [log], where="x")


@pytest.mark.parametrize("rows", [[{"a": 1}], []], ids=["rows", "none"])
def test_what_was_left_out_is_told_in_the_row_of_its_own_fetch_and_date(rows: list[RawRow]) -> None:
    told = [
        Notice("nba_raw.nbac_shots", (DAY,), "one\nfile"),
        Notice("nba_raw.nbac_shots", (), "two; mend it"),
        Notice("nba_raw.nbac_schedule", (DAY,), "another table's"),
        Notice("nba_raw.nbac_shots", (date(2025, 1, 11),), "another date's"),
    ]
    record = recorder(Clock(), notices=lambda first, last: between(told, first, last))
    log = record.fetch("nbac_shots", DAY, call=lambda: rows).log
    assert (log["error_type"], log["error_message"]) == (None, "one file; two; mend it")
    assert log["status"] == ("success" if rows else "no_data")
    assert record.fetch("nbac_gamebook", DAY, call=list).log["error_message"] is None
    check_table(SCRAPES, [log], where="x")


def test_why_a_fetch_failed_comes_before_what_it_might_have_left_out() -> None:
    def call() -> list[RawRow]:
        raise TimeoutError("slow")

    record = recorder(Clock(), notices=lambda first, last: [Notice("nba_raw.a", (), "left out")])  # noqa: ARG005
    assert record.fetch("a", DAY, call=call).log["error_message"] == "slow"


def test_a_source_s_recorder_knows_its_name_its_retries_and_its_notices() -> None:
    class Sore(SyntheticSource):
        name = "sore"
        retries = 3

        def batch(self, day: date) -> list[RawRow]:
            self.retries += 2
            return super().batch(day)

        def notices(self, first: date, last: date) -> list[Notice]:
            assert first == last == DAY
            return [Notice("nba_raw.nbac_gamebook", (), "a file is missing")]

    source = Sore()
    log = Recorder.of(source, "overnight", now=Clock()).fetch("nbac_gamebook", DAY, call=lambda: source.batch(DAY)).log
    assert (log["source"], log["retry_count"], log["error_message"]) == ("sore", 2, "a file is missing")
    quiet = Recorder.of(SyntheticSource(), "overnight", now=Clock()).fetch("a", DAY, call=list).log
    assert (quiet["source"], quiet["retry_count"], quiet["error_message"]) == ("synthetic", 0, None)


def test_who_stops_the_process_is_not_held_up() -> None:
    def call() -> list[RawRow]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recorder(Clock()).fetch("nbac_gamebook", DAY, call=call)


def test_retries_are_those_of_this_fetch() -> None:
    made = [4]

    def call() -> list[RawRow]:
        made[0] += 2
        return []

    record = recorder(Clock(), retries=lambda: made[0])
    assert [record.fetch("a", DAY, call=call).log["retry_count"] for _ in range(2)] == [2, 2]


def test_a_clock_set_back_makes_no_negative_duration() -> None:
    clock = Clock()

    def call() -> list[RawRow]:
        clock.at -= 60
        return []

    log = recorder(clock).fetch("a", DAY, call=call).log
    assert log["duration_seconds"] == 0.0
    assert log["completed_at"] == log["triggered_at"]


def test_execution_ids_are_unique_by_default() -> None:
    record = Recorder("same_day", source="live")
    logs = [record.fetch("a", DAY, call=list).log for _ in range(50)]
    assert len({log["execution_id"] for log in logs}) == 50
    check_table(SCRAPES, logs, where="x")
