from datetime import UTC, date, datetime
from pathlib import Path

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


def test_what_is_kept_is_given_by_date_and_gone_once_it_is_let_go_of(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "fetches")
    for one in (line("a"), line("b", TWO), line("c")):
        spool.add(one)
    assert spool.held() == {ONE: [line("a"), line("c")], TWO: [line("b", TWO)]}
    spool.clear()
    assert spool.held() == {}
    assert Spool(tmp_path / "fetches").held() == {}


def test_what_somebody_left_is_the_next_one_s_as_it_was(tmp_path: Path) -> None:
    Spool(tmp_path).add(line("a"))
    Spool(tmp_path).add(line("b"))  # nobody has let go of what was left
    after = Spool(tmp_path)
    after.add(line("c"))
    assert sorted(str(one["execution_id"]) for one in after.held()[ONE]) == ["a", "b", "c"]
    assert all(one == line(str(one["execution_id"])) for one in after.held()[ONE])
    check_table(SCRAPES, after.held()[ONE], where="x")
    after.clear()
    assert list(tmp_path.iterdir()) == []


def test_the_newest_is_when_the_last_of_them_was_written_whoever_kept_it(tmp_path: Path) -> None:
    newest = datetime(2025, 1, 12, tzinfo=UTC)
    assert Spool(tmp_path).newest() == 0.0
    Spool(tmp_path).add(line("a") | {"completed_at": newest})
    spool = Spool(tmp_path)
    spool.add(line("b"))
    assert spool.newest() == newest.timestamp()


def test_a_line_that_was_cut_off_is_left_out_and_no_other(tmp_path: Path) -> None:
    Spool(tmp_path).add(line("a"))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    assert Spool(tmp_path).held() == {ONE: [line("a")]}


def test_a_file_that_another_process_takes_away_meanwhile_is_none(tmp_path: Path) -> None:
    mine, other = Spool(tmp_path), Spool(tmp_path)
    mine.add(line("a"))
    Spool(tmp_path).clear()
    mine.add(line("b"))
    assert mine.held() == {ONE: [line("a"), line("b")]}
    mine.clear()
    mine.clear()
    assert other.held() == {}
