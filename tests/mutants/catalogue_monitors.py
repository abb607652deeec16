"""The standing mutants of what watches, each with the check that must fail on it."""

from tests.mutants import checks_of_monitors as checks
from tests.mutants import wrong_monitors as monitors
from tests.mutants.mutant import Mutant

MONITORS = (
    Mutant(
        number=29,
        title="A check that raises is taken for passed.",
        patch=monitors.takes_what_raises_for_passed,
        catches="test: what raises is not evaluated",
        check=checks.what_raises_is_not_evaluated,
    ),
    Mutant(
        number=29,
        title="That no check was made at all is taken for passed.",
        patch=monitors.takes_nothing_looked_at_for_passed,
        catches="test: no check proves nothing",
        check=checks.no_check_proves_nothing,
    ),
    Mutant(
        number=30,
        title="Lateness is judged in another zone.",
        patch=monitors.judges_in_utc,
        catches="test: a time is of its step's zone",
        check=checks.lateness_has_its_zone,
    ),
    Mutant(
        number=30,
        title="What never came counts as on time.",
        patch=monitors.takes_never_for_on_time,
        catches="test: what never came is found",
        check=checks.never_is_the_worst_kind_of_late,
    ),
    Mutant(
        number=0,
        title="An alert that was claimed counts as sent; its sender may crash.",
        patch=monitors.takes_claimed_for_told,
        catches="test: an alert outlives its sender",
        check=checks.an_alert_outlives_who_was_to_send_it,
    ),
)
