"""Which documents of a long collection are read."""

from collections.abc import Iterator, Mapping

import pytest

from phasegate.base.dates import shift
from phasegate.base.exported import Exported
from phasegate.foreign import ForeignDoc
from phasegate.interop.live import live

TODAY = "2026-02-04"


class Collection:
    """Documents by id, each of which is asked for by dates, and counted."""

    has_times = True

    def __init__(self, *ids: str) -> None:
        self.ids, self.queries, self.read_ids, self.closed = ids, 0, list[str](), False

    def read(self, path: str, /) -> ForeignDoc | None:
        raise AssertionError(path)

    def write(self, path: str, body: Mapping[str, object], /, *, over: ForeignDoc | None) -> None:
        raise AssertionError(path, body, over)

    def documents(self, *, first: str = "", last: str = "") -> Iterator[Exported]:
        self.queries += 1
        for one in self.ids:
            if first <= one and (not last or one < f"{last}~"):
                self.read_ids.append(one)
                yield Exported(place=one, collection="phase3_completion", id=one, body={})

    def close(self) -> None:
        self.closed = True


def season(*, ends: str, days: int = 400) -> list[str]:
    return [shift(ends, -back) for back in range(days)]


def ids(collection: Collection, *, days: int | None) -> list[str]:
    found = [one.id for one in live(collection, days=days, today=TODAY) if isinstance(one, Exported)]
    assert collection.closed
    return sorted(found)


def test_the_last_days_of_a_season_are_read_and_no_others() -> None:
    one = Collection(*season(ends=TODAY))
    assert ids(one, days=3) == ["2026-02-02", "2026-02-03", "2026-02-04"]
    assert (one.queries, len(one.read_ids)) == (1, 3)


def test_days_are_counted_from_the_newest_document() -> None:
    one = Collection(*season(ends=shift(TODAY, -1)))
    assert ids(one, days=3) == ["2026-02-01", "2026-02-02", "2026-02-03"]
    assert (one.queries, len(one.read_ids)) == (2, 3)


@pytest.mark.parametrize("back", [7, 30, 200, 3000])
def test_in_summer_the_newest_are_found_with_few_queries(back: int) -> None:
    newest = shift(TODAY, -back)
    one = Collection(*season(ends=newest))
    assert set(ids(one, days=7)) >= {shift(newest, -day) for day in range(7)}
    assert one.queries <= 12
    assert len(one.read_ids) == len(set(one.read_ids))


def test_a_mode_behind_the_date_is_of_the_date() -> None:
    one = Collection(*(f"{day}_overnight" for day in season(ends=TODAY)))
    assert ids(one, days=2) == ["2026-02-03_overnight", "2026-02-04_overnight"]


def test_where_no_id_begins_with_a_date_all_are_read() -> None:
    assert ids(Collection("run-2026-02-03", "run-2026-02-04"), days=1) == ["run-2026-02-03", "run-2026-02-04"]


def test_without_a_number_of_days_all_are_read() -> None:
    assert len(ids(Collection(*season(ends=TODAY)), days=None)) == 400
