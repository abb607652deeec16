import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_props.demo.old_handoff import PROCESSORS, OldDocument, replay
from nba_props.demo.old_table import OldTable, run_instances
from nba_props.sources.batches import split_games
from nba_props.sources.synthetic import night_of_2026_02_03

ROWS = night_of_2026_02_03()


@given(seed=st.integers(0, 10**9), deliveries_max=st.integers(1, 3))
def test_the_night_ends_as_it_is_told_however_the_bus_repeats_itself(seed: int, deliveries_max: int) -> None:
    report = replay(ROWS, seed=seed, deliveries_max=deliveries_max)
    assert (report.rows, report.duplicates, report.rows - report.duplicates) == (420, 72, 348)
    assert report.merges_failed == 2
    assert (report.completed_count, report.entries, report.triggered, report.lost_triggers) == (3, 5, False, 1)
    assert (report.games, report.games_handed_over, report.games_never_processed) == (10, 2, 8)
    assert report.games_phase_4 == 0
    assert report.late_by_s == 8 * 3600
    assert report.operator_saw == "status: success, 5/5 processors reported success"
    assert 5 <= report.deliveries <= 5 * deliveries_max


def test_the_counts_follow_from_the_rows_and_are_not_written_down() -> None:
    report = replay(split_games(ROWS, early=6)[0], early_games=3)
    early = len(split_games(ROWS, early=3)[0])
    assert (report.games, report.games_never_processed, report.duplicates) == (6, 3, early)


def test_without_a_late_batch_no_game_is_lost() -> None:
    report = replay(ROWS, early_games=10)
    assert (report.games_never_processed, report.late_by_s) == (0, 0)


def test_instances_further_apart_than_a_merge_do_no_harm() -> None:
    report = replay(ROWS, gap_s=30)
    assert (report.rows, report.duplicates, report.merges_failed) == (348, 0, 0)


def test_one_instance_alone_merges() -> None:
    early, _ = split_games(ROWS, early=2)
    table = OldTable(early)
    run_instances(table, reads=(ROWS,), gap_s=18)
    assert (len(table.rows), table.duplicates(), table.merges_failed) == (348, 0, 0)


def test_without_a_second_writer_the_old_document_triggers_once() -> None:
    document = OldDocument(expected=5)
    assert [document.deliver(name) for name in PROCESSORS * 3].count(True) == 1
    assert (document.completed_count, document.triggered) == (5, True)


def test_an_entry_put_in_first_makes_the_real_delivery_a_duplicate() -> None:
    document = OldDocument(expected=2)
    document.deliver("a")
    document.merge_fields("b", count_read=1)
    assert not document.deliver("b")
    assert (document.completed_count, len(document.entries), document.triggered) == (1, 2, False)


def test_a_date_that_is_not_complete_reads_as_running() -> None:
    document = OldDocument(expected=2)
    document.deliver("a")
    assert document.status_line() == "status: running, 1/2 processors reported success"


def test_more_early_games_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="early = 11, but the rows hold 10 games"):
        replay(ROWS, early_games=11)
