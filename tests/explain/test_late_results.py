"""Lateness and coverage of a small pipeline, read from its documents alone."""

from collections.abc import Sequence

import pytest

from phasegate.base.keys import Run
from phasegate.errors import BadDocument, BadInput, Unavailable
from phasegate.explain.documents import DAYS_MAX
from phasegate.explain.late_results import Coverage, LateResults
from phasegate.store import Doc
from phasegate.stores.memory import MemoryStore
from tests.support.calendars import LAST_END, NOON, WITH_CALENDAR, Source
from tests.support.pipelines import DAY, PLAN, RUN, Shop, load, settle, shop

HOUR = 3600.0
EXPECTED = 'write = "replace"\nexpected_by = "last_game_end + 2h"'
TIMED = WITH_CALENDAR.replace('write = "replace"', EXPECTED, 1)
PLAIN = PLAN.replace('write = "replace"', 'write = "replace"\nexpected_by = "07:00 +1d"', 1)


class Counting(MemoryStore):
    """Counts what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def read(self, key: str, /) -> Doc | None:
        self.reads += 1
        return super().read(key)

    def scan(self, prefix: str, /, *, after: str = "", until: str | None = None, limit: int = 100) -> Sequence[Doc]:
        self.reads += 1
        return super().scan(prefix, after=after, until=until, limit=limit)


def made(plan: str = TIMED, *, source: Source | None = None) -> tuple[Shop, Counting]:
    store = Counting()
    opened = shop(plan=plan, store=store, dates=source or Source() if "calendar" in plan else None)
    opened.clock.at = NOON
    if opened.pipeline.calendar.exists:
        opened.pipeline.calendar.refresh(DAY[:7])
    return opened, store


def test_a_pipeline_says_what_came_late_without_its_warehouse() -> None:
    opened, _ = made()
    opened.clock.at = LAST_END + 7 * HOUR
    load(opened, 1, 2)
    settle(opened)
    del opened.pipeline.ports.warehouse.tables["raw.orders"]  # type: ignore[attr-defined]
    found = opened.pipeline.views.lateness.evaluate(DAY, DAY)
    [finding] = found.findings
    assert (found.verdict, finding.code, finding.subject) == ("finding", "PG020", f"{RUN} load.orders")
    assert finding.text == "arrived 5 h 00 after it was expected"


def test_what_came_in_time_is_ok_and_counted() -> None:
    opened, _ = made()
    load(opened, 1)
    found = opened.pipeline.views.lateness.evaluate(DAY, DAY)
    assert (found.verdict, found.evaluated) == ("ok", 1)


def test_an_empty_report_is_no_delivery() -> None:
    opened, _ = made()
    load(opened)
    opened.clock.at = LAST_END + 7 * HOUR
    [finding] = opened.pipeline.views.lateness.evaluate(DAY, DAY).findings
    assert finding.code == "PG021"
    assert finding.text == "expected 5 h 00 ago and never arrived: reported empty: no rows of this date"


def test_a_run_that_an_operator_voided_expects_nothing() -> None:
    opened, _ = made()
    opened.pipeline.runs.open("load", Run(DAY, "daily"))
    opened.pipeline.runs.void("load", Run(DAY, "daily"), reason="snow")
    opened.clock.at = LAST_END + 7 * HOUR
    [row] = opened.pipeline.views.lateness.rows(DAY, DAY)
    assert (row.verdict, row.reason) == ("void", "snow")


def test_a_calendar_that_failed_is_not_evaluated_and_says_why() -> None:
    source = Source()
    source.fails = True
    opened, _ = made(source=source)
    opened.clock.at = LAST_END + 7 * HOUR
    found = opened.pipeline.views.lateness.evaluate(DAY, DAY)
    assert found.verdict == "not evaluated"
    assert found.error == (f"the calendar has no answer for {DAY} (ConnectionError: the source does not answer)")


def test_what_was_learned_long_before_a_date_was_over_is_believed_no_more() -> None:
    opened, _ = made()
    opened.clock.at = NOON + 40 * HOUR
    assert opened.pipeline.views.lateness.evaluate(DAY, DAY).verdict == "not evaluated"


def test_a_broken_document_is_named_and_the_rest_is_read() -> None:
    opened, store = made()
    load(opened, 1)
    key = f"phase:shop:load:{RUN}"
    doc = store.read(key)
    assert doc is not None
    store.write(key, {"_schema": 99}, due=None, expect=doc.version)
    found = opened.pipeline.views.lateness.evaluate(DAY, "2026-02-04")
    assert found.verdict == "not evaluated"
    assert key in found.error
    with pytest.raises(BadDocument):
        opened.pipeline.views.lateness.rows(DAY, DAY)
    cells = Coverage(opened.pipeline.plan, opened.pipeline.ports).cells(DAY, DAY, broken=[])
    assert [(cell.phase, cell.state) for cell in cells] == [("load", "UNKNOWN"), ("report", "RUNNING")]


def test_a_store_that_cannot_be_read_is_an_error_and_not_a_quiet_day() -> None:
    opened, store = made()

    def down(*_: object, **__: object) -> Sequence[Doc]:
        raise Unavailable("the store does not answer")

    store.scan = down  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        opened.pipeline.views.lateness.evaluate(DAY, DAY)


def services(opened: Shop) -> tuple[LateResults, Coverage]:
    plan, ports = opened.pipeline.plan, opened.pipeline.ports
    return LateResults(plan, ports), Coverage(plan, ports)


@pytest.mark.parametrize("plan", [TIMED, PLAIN])
def test_the_number_of_reads_does_not_grow_with_the_dates(plan: str) -> None:
    opened, store = made(plan)
    load(opened, 1)
    settle(opened)
    lateness, coverage = services(opened)
    counts = []
    for last in (DAY, "2026-02-28", "2027-02-03"):
        store.reads = 0
        lateness.rows(DAY, last, broken=[])
        coverage.cells(DAY, last, broken=[])
        counts.append(store.reads)
    assert counts[0] == counts[1] == counts[2]
    assert counts[0] <= 2 * 2 * (1 + len(opened.pipeline.plan.phases))  # a page, and the empty one after it


def test_reading_changes_nothing() -> None:
    opened, store = made()
    load(opened, 1)
    before = {doc.key: doc.version for doc in store.scan("", limit=1_000)}
    lateness, coverage = services(opened)
    lateness.evaluate("2026-01-01", "2026-03-31")
    coverage.cells("2026-01-01", "2026-03-31", broken=[])
    assert {doc.key: doc.version for doc in store.scan("", limit=1_000)} == before


def test_a_span_that_is_the_wrong_way_round_or_endless_is_refused() -> None:
    opened, _ = made()
    with pytest.raises(BadInput, match="2026-02-03 is after 2026-02-01; swap them"):
        opened.pipeline.views.lateness.evaluate(DAY, "2026-02-01")
    with pytest.raises(BadInput, match=f"at most {DAYS_MAX:,} are read at once"):
        opened.pipeline.views.lateness.evaluate("1990-01-01", DAY)


def test_a_season_is_trimmed_to_the_dates_that_something_is_known_of() -> None:
    opened, _ = made(PLAIN)
    load(opened, 1)
    settle(opened)
    opened.clock.at = NOON + 30 * 24 * HOUR
    _, coverage = services(opened)
    cells = coverage.cells("2026-01-01", "2026-12-31", trim=True)
    assert {cell.date for cell in cells} == {DAY}
    whole = coverage.cells("2026-02-01", "2026-02-05")
    assert {cell.date for cell in whole if cell.state == "MISSED"} == {
        "2026-02-01", "2026-02-02", "2026-02-04", "2026-02-05",
    }  # fmt: skip
