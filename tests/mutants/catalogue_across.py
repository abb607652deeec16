"""The standing mutants of what runs tell each other: windows over earlier dates, modes that share tables."""

from tests.mutants import checks
from tests.mutants import wrong_windows as windows
from tests.mutants.mutant import CRASHES_ONLY, LOSSY, Mutant

ACROSS_RUNS: tuple[Mutant, ...] = (
    Mutant(
        number=26,
        title="A ledger takes the write that is reported last, however old.",
        patch=windows.lets_any_token_into_the_ledger,
        catches="property: a ledger never goes back",
        check=checks.ledgers_never_go_back,
    ),
    Mutant(
        number=36,
        title="An older reading of a window takes the place of a newer one.",
        patch=windows.takes_older_readings,
        catches="property: readings only grow newer",
        check=checks.readings_grow_newer,
    ),
    Mutant(
        number=36,
        title="An old notice from a stalled process has a later run rebuilt.",
        patch=windows.tells_what_is_held,
        catches="property: news that are held change nothing",
        check=checks.held_news_change_nothing,
    ),
    Mutant(
        number=40,
        title="A message to a sibling run is taken for received.",
        patch=windows.takes_a_relay_for_heard,
        faults=LOSSY,
        wide=True,
        says="not at rest|hold different results|never fired",
    ),
    Mutant(
        number=47,
        title="Later runs are never notified of a changed date.",
        patch=windows.tells_no_later_run,
        wide=True,
        says="has drifted on .* it records",
    ),
    Mutant(
        number=47,
        title="A change too long ago to rebuild for is not recorded either.",
        patch=windows.remembers_no_drift,
        wide=True,
        says="has drifted on .* it records",
    ),
    Mutant(
        number=47,
        title="Any newer reading of a window ends its drift, also one from before the change.",
        patch=windows.drops_drift_at_any_reading,
        catches="property: drift is forgotten by what shows it",
        check=checks.drift_is_not_forgotten,
    ),
    Mutant(
        number=47,
        title="A step that is rebuilt for another reason does not take its drifted window along.",
        patch=windows.leaves_drift_behind,
        wide=True,
        says="not at rest",
    ),
    Mutant(
        number=47,
        title="A phase reads newer windows before the phase before it is built of them.",
        patch=windows.follows_no_phase_before_it,
        wide=True,
        says="mixture",
    ),
    Mutant(
        number=47,
        title="Windows over two steps are read while an earlier date is being built.",
        patch=windows.reads_while_a_date_is_built,
        wide=True,
        says="mixture",
    ),
    Mutant(
        number=47,
        title="A changed date is built into all later ones, without limit.",
        patch=windows.cascades_without_limit,
        wide=True,
        says="was built \\d+ times|fired \\d+ times",
    ),
    Mutant(
        number=47,
        title="A run rebuilt for an earlier date is taken for the origin of the change: a cascade without limit.",
        patch=windows.forgets_where_a_change_began,
        catches="story of a change that is passed on",
        check=checks.changes_keep_their_origin,
    ),
    Mutant(
        number=47,
        title="While a run is rebuilt for an earlier date, its other changes are taken for as old.",
        patch=windows.takes_every_change_for_an_old_one,
        wide=True,
        says="near enough to be rebuilt",
    ),
    Mutant(
        number=51,
        title="Only the mode that asked is notified of a table that two modes share.",
        patch=windows.relays_to_no_sibling,
        wide=True,
        says="not at rest|hold different results|never fired",
    ),
    Mutant(
        number=51,
        title="A run that is opened late does not read what the other modes hold.",
        patch=windows.opens_without_asking,
        wide=True,
        says="not at rest|hold different results|never fired",
    ),
    Mutant(
        number=51,
        title="Notices for other runs are dropped before they are sent; the sending process may crash.",
        patch=windows.forgets_before_telling,
        faults=CRASHES_ONLY,
        wide=True,
        says="not at rest|hold different results|never fired|has drifted on",
    ),
    Mutant(
        number=52,
        title="A write does not compare its windows with those asked for.",
        patch=windows.compares_no_windows,
        wide=True,
        says="mixture|records .*as input|not at rest|was built \\d+ times",
    ),
)
