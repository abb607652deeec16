from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from nba_props.errors import DataError
from nba_props.raw import RawRow
from nba_props.raw_tables import SCRAPES, check_table
from nba_props.replay.spool import Spool

ONE, TWO = date(2025, 1, 10), date(2025, 1, 11)


def line(name: str, day: date = ONE) -> RawRow:
    return {
        "execution_id": name,
        "scraper_name": "nbac_schedule",
        "workflow": "overnight",
        "game_date": day,
        "status": "failed",
        "triggered_at": datetime(2025, 1, 11, 6, tzinfo=UTC),
        "completed_at": datetime(2025, 1, 11, 6, 0, 2, 500_000, tzinfo=UTC),
        "duration_seconds": 2.5,
        "source": "parquet",
        "record_count": 0,
        "error_type": None,
        "error_message": "two\nlines, and Čvim",
        "retry_count": 0,
    }


EVER = float("inf")
Opened = Callable[[Path], Spool]


@pytest.fixture
def opened() -> Iterator[Opened]:
    made: list[Spool] = []

    def open_(folder: Path) -> Spool:
        made.append(Spool(folder))
        return made[-1]

    yield open_
    for one in made:
        one.close()


def left(folder: Path, *lines: RawRow) -> Path:
    """Have somebody keep lines, who dies."""
    before = set(folder.glob("*"))
    spool = Spool(folder)
    for one in lines:
        spool.add(one)
    spool.close()
    (path,) = set(folder.glob("*")) - before
    return path


def names(spool: Spool) -> list[str]:
    return sorted(str(one["execution_id"]) for lines in spool.held(EVER).values() for one in lines)


def test_what_is_kept_is_given_by_date_and_gone_once_it_is_dropped(opened: Opened, tmp_path: Path) -> None:
    spool = opened(tmp_path / "fetches")
    for one in (line("a"), line("b", TWO), line("c")):
        spool.add(one)
    assert spool.held(EVER) == {ONE: [line("a"), line("c")], TWO: [line("b", TWO)]}
    spool.drop(spool.held(EVER)[ONE])
    assert spool.held(EVER) == {TWO: [line("b", TWO)]}
    spool.close()
    after = opened(tmp_path / "fetches")
    assert after.held(EVER) == {TWO: [line("b", TWO)]}, "what was not dropped stays"
    after.drop([line("b", TWO)])
    assert list((tmp_path / "fetches").iterdir()) == []


def test_what_somebody_left_is_the_next_one_s_as_it_was(opened: Opened, tmp_path: Path) -> None:
    left(tmp_path, line("a"))
    left(tmp_path, line("b"))
    after = opened(tmp_path)
    after.add(line("c"))
    assert names(after) == ["a", "b", "c"]
    assert all(one == line(str(one["execution_id"])) for one in after.held(EVER)[ONE])
    check_table(SCRAPES, after.held(EVER)[ONE], where="x")
    after.drop(after.held(EVER)[ONE])
    assert list(tmp_path.iterdir()) == []


def test_what_a_living_process_keeps_is_its_own(opened: Opened, tmp_path: Path) -> None:
    mine = opened(tmp_path)
    mine.add(line("a"))
    other = opened(tmp_path)
    assert names(other) == []
    other.add(line("x"))
    mine.add(line("b"))
    other.drop([line("x")])
    mine.close()
    assert names(opened(tmp_path)) == ["a", "b"]


def test_what_somebody_left_is_taken_by_one_alone(opened: Opened, tmp_path: Path) -> None:
    left(tmp_path, line("a"))
    one, other = opened(tmp_path), opened(tmp_path)
    assert (names(one), names(other)) == (["a"], [])


def test_the_newest_is_when_the_last_of_them_was_written_whoever_kept_it(opened: Opened, tmp_path: Path) -> None:
    newest = datetime(2025, 1, 12, tzinfo=UTC)
    assert opened(tmp_path).newest() == 0.0
    left(tmp_path, line("a") | {"completed_at": newest})
    spool = opened(tmp_path)
    spool.add(line("b"))
    assert spool.newest() == newest.timestamp()


def test_what_lies_ahead_of_the_clock_is_kept_back(opened: Opened, tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.add(line("a") | {"completed_at": datetime(2025, 1, 12, tzinfo=UTC)})
    spool.add(line("b"))
    at = datetime(2025, 1, 12, tzinfo=UTC).timestamp()
    assert spool.held(at - 1.0) == {ONE: [line("b")]}
    spool.drop([line("b")])
    assert names(spool) == ["a"]
    assert spool.held(at)[ONE][0]["execution_id"] == "a"


def test_a_last_line_that_was_cut_off_is_left_out_and_no_other(opened: Opened, tmp_path: Path) -> None:
    path = left(tmp_path, line("a"))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    spool = opened(tmp_path)
    assert spool.held(EVER) == {ONE: [line("a")]}
    assert spool.unreadable == []


@pytest.mark.parametrize("bad", [b"\xff\xfe", b"{}", b"[1]", b'"\xff"'])
def test_lines_that_cannot_be_read_are_put_aside_and_told(bad: bytes, opened: Opened, tmp_path: Path) -> None:
    path = left(tmp_path, line("a"))
    path.write_bytes(bad + b"\n" + path.read_bytes())
    spool = opened(tmp_path)
    assert names(spool) == ["a"]
    (aside,) = spool.unreadable
    spool.drop([line("a")])
    assert list(tmp_path.iterdir()) == [aside]
    assert aside.read_bytes() == bad + b"\n"
    assert opened(tmp_path).unreadable == [], "it is told once, and stays"


def test_what_is_no_file_is_left_alone(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").mkdir()
    assert names(opened(tmp_path)) == []


def test_a_folder_that_cannot_be_written_is_named(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "fetches").write_text("a file")
    with pytest.raises(DataError, match=r"/fetches: File exists: lines of fetches are stored there; free space"):
        opened(tmp_path / "fetches").add(line("a"))
