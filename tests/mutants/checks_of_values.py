"""The means that must catch a mutant of values and clocks: the scene in which the bug was first seen."""

import math

from phasegate import deduplicate
from phasegate.errors import BadDocument, BadInput
from tests.calendar import test_answers
from tests.work import test_clock_ahead
from tests.write import test_covers, test_identities, test_promises


def what_is_taken_back_goes() -> None:
    """Rows of a game that its next delivery lacks are deleted."""
    games = test_identities.Games()
    test_identities.test_rows_that_a_source_took_back_go_with_the_next_delivery_of_their_game(games)


def half_a_date_is_partial() -> None:
    """A table that lacks rows of the one it must cover is partial."""
    test_covers.test_half_the_rows_are_partial_and_named_and_the_gate_waits()


def versions_have_values() -> None:
    """Of two versions written as text, the greater number is the newer one."""
    rows = [{"k": 1, "v": "9", "x": 1}, {"k": 1, "v": "10", "x": 2}]
    assert list(deduplicate(rows, "k", "v").records) == rows[1:]


def a_bad_time_is_of_its_own_date() -> None:
    """An anchor that is no time makes its own date unknown, and no other."""
    try:
        test_answers.test_an_anchor_that_is_no_time_makes_its_date_unknown_until_the_source_is_fixed(math.nan)
    except BadInput as e:
        raise AssertionError(str(e)) from e


def a_bad_document_stops_no_other() -> None:
    """A document that cannot be read is put off, and the others are handled."""
    try:
        test_promises.test_a_broken_document_is_put_off_counted_and_starves_nobody()
    except BadDocument as e:
        raise AssertionError(str(e)) from e


def a_clock_ahead_makes_no_deadline_past() -> None:
    """Times that a clock ahead has left behind are taken back."""
    test_clock_ahead.test_a_deadline_is_not_past_because_a_clock_was_ahead()
