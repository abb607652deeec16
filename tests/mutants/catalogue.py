"""Every standing mutant: the bug's number, what it does wrong, what must catch it, and how soon."""

from functools import partial

from tests.mutants import checks
from tests.mutants import wrong_gates as gates
from tests.mutants import wrong_services as services
from tests.mutants.catalogue_across import ACROSS_RUNS
from tests.mutants.catalogue_monitors import MONITORS
from tests.mutants.catalogue_operations import OPERATED
from tests.mutants.catalogue_values import VALUES
from tests.mutants.mutant import BROKEN, BUSY, CRASHES, CRASHES_ONLY, STALLS, UNANSWERED_ONLY, Mutant

WITHIN_A_DATE: tuple[Mutant, ...] = (
    Mutant(
        number=1,
        title="The gate opens only while a count of reports equals the number expected; a duplicate overshoots it.",
        patch=gates.counts_reports,
        says="never fired|not at rest|works on generation",
    ),
    Mutant(
        number=2,
        title="The firing is stored without the duty to send; the process publishes, unless it crashes first.",
        patch=services.publishes_after_deciding,
        faults=CRASHES_ONLY,
        says="never fired|works on generation|never sent|ends as|not at rest",
    ),
    Mutant(
        number=3,
        title="What is to be sent is dropped in a `finally`, also when publishing failed.",
        patch=services.forgets_what_it_failed_to_send,
        faults=UNANSWERED_ONLY,
        says="the bus never took it",
    ),
    Mutant(
        number=4,
        title="A message without a mode belongs to a mode of its own, so one run has two documents.",
        patch=gates.takes_no_mode_for_a_mode,
        says="second document|not at rest",
    ),
    Mutant(
        number=5,
        title="The key of a phase's document leaves out the date, so that two dates share one.",
        patch=gates.keeps_no_date,
        says="fired \\d+ times|never written|mixture|not what was written|never fired",
    ),
    Mutant(
        number=6,
        title="A decision on a document overwrites what was written since it was read: two members, one update.",
        patch=services.writes_over_what_it_did_not_read,
        says="was lost|went back|rewritten|generation went|not at rest",
    ),
    Mutant(
        number=6,
        title="A store does not compare versions.",
        patch=services.compares_no_versions,
        catches="contract of stores",
        check=checks.stores_compare_versions,
    ),
    Mutant(
        number=9,
        title="A generation that begins while requests are open is acknowledged and ignored.",
        patch=gates.ignores_begin_while_building,
        says="works on generation|never fired|ends as|not at rest",
    ),
    Mutant(
        number=14,
        title="The sweeper checks only what was due when its process started.",
        patch=services.recovers_at_launch_only,
        says="no end after|not at rest",
    ),
    Mutant(
        number=19,
        title="A report is recorded first and decided on second; an apparent duplicate is not decided on.",
        patch=services.decides_on_new_reports_only,
        faults=CRASHES,
        says="not at rest|never fired",
    ),
    Mutant(
        number=20,
        title="The firing is latched although the gate refused.",
        patch=gates.latches_a_refusal,
        says="was never written|fired without",
    ),
    Mutant(
        number=21,
        title="`redrive` marks what is dead as asked for again and sends nothing.",
        patch=gates.redrives_by_flag_only,
        faults=BROKEN,
        says="not at rest",
    ),
    Mutant(
        number=22,
        title="A lease that another worker holds is answered with success.",
        patch=partial(services.answers_busy_with, "success"),
        faults=BUSY,
        says="not what was written",
    ),
    Mutant(
        number=23,
        title="Any process can release a lease.",
        patch=gates.releases_for_anyone,
        faults=BUSY,
        says="released or acquired by another",
    ),
    Mutant(
        number=27,
        title="A step starts before the tables that it needs within its phase are fresh.",
        patch=gates.starts_before_its_needs,
        says="mixture|records .*as input|not what was written|ends as|fired",
    ),
    Mutant(
        number=35,
        title="The gate counts results, fresh or not, and fires on the mixture.",
        patch=gates.fires_on_any_results,
        says="fired on a mixture|fired \\d+ times",
    ),
    Mutant(
        number=36,
        title="The order of reports is ignored: the last one wins.",
        patch=gates.lets_the_last_report_win,
        faults=STALLS,
        says="older one took its place",
        seed=35,
        seeds_max=200,
    ),
    Mutant(
        number=37,
        title="The holder of a lease is named after its process, so that two threads share a token.",
        patch=services.shares_a_holder,
        faults=BUSY,
        says="was committed after one with",
    ),
    Mutant(
        number=38,
        title="A copy of the request that is being served counts as a failed try of it, until it is dead.",
        patch=partial(services.answers_busy_with, "transient"),
        faults=BUSY,
        says="failures of",
    ),
    Mutant(
        number=39,
        title="The attempt id of `begin` is drawn inside the retries, so a retry is answered `already begun`.",
        patch=gates.draws_the_attempt_inside,
        catches="property: deciding again answers the same",
        check=checks.decisions_repeat_their_answer,
    ),
    Mutant(
        number=39,
        title="A lease does not remember who released it, so the retry of a release reports a lost lease.",
        patch=gates.forgets_who_released,
        catches="property: deciding again answers the same",
        check=checks.leases_repeat_their_answer,
    ),
    Mutant(
        number=40,
        title="A trigger that was sent is taken for received.",
        patch=gates.takes_sent_for_done,
        says="never fired|works on generation|ends as|not at rest",
    ),
    Mutant(
        number=40,
        title="A receiver that never acknowledges is sent the trigger for ever.",
        patch=gates.waits_for_a_publish_receiver,
        says="not at rest",
    ),
    Mutant(
        number=41,
        title="The fence is read, not changed.",
        patch=services.reads_the_fence_only,
        faults=STALLS,
        says="was committed after one with|duplicate rows",
        seeds_max=200,
    ),
    Mutant(
        number=41,
        title="A warehouse's fence is read, not changed.",
        patch=services.reads_the_fence_only,
        catches="contract of warehouses",
        check=checks.fences_are_changed,
    ),
    Mutant(
        number=48,
        title="The fingerprint is read again after the commit.",
        patch=services.reads_the_fingerprint_again,
        catches="property: a report repeats its receipt",
        check=checks.reports_repeat_their_receipt,
    ),
    Mutant(
        number=49,
        title="The inputs' receipts are compared in another snapshot than the data is read in.",
        patch=services.compares_in_another_snapshot,
        says="records .*as input|mixture",
        seed=202,
        faults=BUSY,
    ),
    Mutant(
        number=49,
        title="The inputs' receipts are compared at the staging, and not in the transaction that writes.",
        patch=services.compares_at_the_staging_only,
        catches="contract of warehouses",
        check=checks.inputs_are_compared_at_the_commit,
    ),
    Mutant(
        number=50,
        title="An execution id stands for the content of a table that can be read.",
        patch=services.stamps_by_execution,
        says="was never written",
    ),
    Mutant(
        number=52,
        title="A write does not compare its inputs with those asked for.",
        patch=services.compares_no_inputs,
        says="mixture|records .*as input",
    ),
    Mutant(
        number=52,
        title="Inputs that changed count as a failed try, until the request is dead.",
        patch=gates.counts_moved_as_an_attempt,
        says="failures of",
    ),
    Mutant(
        number=53,
        title="Sending again counts as a failed try, and kills a healthy request.",
        patch=gates.counts_sending_as_an_attempt,
        says="failures of",
    ),
)

MUTANTS = tuple(sorted((*WITHIN_A_DATE, *ACROSS_RUNS, *MONITORS, *OPERATED, *VALUES), key=lambda mutant: mutant.number))
