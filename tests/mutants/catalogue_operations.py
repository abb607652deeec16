"""The standing mutants of operations: pauses, voids, deadlines, restored stores, orders of several kinds."""

from tests.mutants import wrong_operations as operations
from tests.mutants.mutant import Mutant

OPERATED: tuple[Mutant, ...] = (
    Mutant(
        number=0,
        title="A phase fires while it is paused.",
        patch=operations.fires_while_paused,
        operation="pause",
        says="though it was halted",
    ),
    Mutant(
        number=0,
        title="A pause keeps no message back.",
        patch=operations.sends_while_paused,
        operation="pause",
        says="was sent, though",
    ),
    Mutant(
        number=0,
        title="The steps of a run that does not take place are requested.",
        patch=operations.asks_for_a_void_run,
        operation="void",
        says="though it is void|though it was halted",
    ),
    Mutant(
        number=0,
        title="A gate waits for a step that fails, also past its deadline.",
        patch=operations.knows_no_deadline,
        operation="degraded",
        says="never fired without",
    ),
    Mutant(
        number=0,
        title="A firing past the deadline does not name what is missing.",
        patch=operations.names_nothing_missing,
        operation="degraded",
        says="absent: True",
    ),
    Mutant(
        number=0,
        title="A gate that settles counts from the first change, not from the last.",
        patch=operations.settles_from_the_first_change,
        operation="settle",
        says="after the last change",
    ),
    Mutant(
        number=0,
        title="A trigger that the bus refused is recorded as sent to a receiver outside the plan.",
        patch=operations.records_what_the_bus_refused,
        operation="completion",
        says="consumer is sent, but the bus never took it",
    ),
    Mutant(
        number=56,
        title="A fence compares tokens and no holders: two copies of one store both write.",
        patch=operations.compares_tokens_only,
        operation="copy",
        says="was committed after one with",
    ),
    Mutant(
        number=56,
        title="Adoption changes the fences, and reports nothing that only the warehouse has.",
        patch=operations.adopts_without_a_report,
        operation="restore",
        says="not at rest|never fired|ends as",
    ),
    Mutant(
        number=60,
        title="Orders of all kinds are compared as numbers.",
        patch=operations.orders_of_all_kinds_are_one,
        operation="orders",
        says="of another kind|neither accepted",
    ),
    Mutant(
        number=61,
        title="A first result of the code that `replan` replaced counts.",
        patch=operations.forgets_the_code_that_it_replaced,
        operation="replan",
        says="ends as|of code 1",
        seed=90,
    ),
    Mutant(
        number=66,
        title="Every stored firing keeps its stamps.",
        patch=operations.keeps_all_stamps,
        operation="orders",
        says="stamps of older firings",
    ),
)
