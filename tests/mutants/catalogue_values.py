"""The standing mutants of values and clocks, each with the check that must fail on it."""

from tests.mutants import checks_of_values as checks
from tests.mutants import wrong_values as values
from tests.mutants.mutant import Mutant

VALUES = (
    Mutant(
        number=57,
        title="What a delivery no longer has stays in the table.",
        patch=values.keeps_what_a_source_took_back,
        catches="test: what is taken back goes",
        check=checks.what_is_taken_back_goes,
    ),
    Mutant(
        number=58,
        title="A part of the rows counts as all of them.",
        patch=values.takes_a_part_for_the_whole,
        catches="test: half a date is partial",
        check=checks.half_a_date_is_partial,
    ),
    Mutant(
        number=59,
        title="Versions written as text are compared by their spelling.",
        patch=values.compares_versions_by_spelling,
        catches="test: versions have values",
        check=checks.versions_have_values,
    ),
    Mutant(
        number=62,
        title="A time of a calendar's answer is stored as it comes.",
        patch=values.stores_any_time_of_a_calendar,
        catches="test: a bad time is of its own date",
        check=checks.a_bad_time_is_of_its_own_date,
    ),
    Mutant(
        number=63,
        title="A document that cannot be read ends the sweep.",
        patch=values.ends_the_sweep_at_a_bad_document,
        catches="test: a bad document stops no other",
        check=checks.a_bad_document_stops_no_other,
    ),
    Mutant(
        number=65,
        title="Times that a clock ahead has left in a document stay.",
        patch=values.believes_a_clock_that_was_ahead,
        catches="test: a clock ahead makes no deadline past",
        check=checks.a_clock_ahead_makes_no_deadline_past,
    ),
)
