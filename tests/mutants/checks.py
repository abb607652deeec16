"""The means that must catch a mutant: the simulator, a property of decisions, a contract of a port."""

from collections.abc import Callable, Sequence

from hypothesis import Phase as Stage
from hypothesis import given, settings
from hypothesis import strategies as st

from phasegate.base.codec import Decision
from phasegate.base.receipt import Part, Receipt
from phasegate.stores.memory import MemoryStore
from phasegate.testing import StoreContract
from phasegate.testing.simulator import Faults, World
from phasegate.testing.simulator.scene import table
from phasegate.warehouse import Row
from phasegate.warehouses.memory.warehouse import MemoryTransaction, MemoryWarehouse
from phasegate.write import lease
from phasegate.write.lease import Lease
from tests.gate import test_propagation as test_across
from tests.gate import test_properties, test_windows
from tests.support.phase_commands import commands, days, hearings, stamps, states
from tests.warehouses.test_contract import TestMemoryWarehouse

Check = Callable[[], None]
# No example is kept: one that fails under a mutant must not be tried on the right code for ever.
QUICK = settings(derandomize=True, database=None, deadline=None, max_examples=250, phases=[Stage.generate])

QUIET = Faults(crash=0.0, unanswered=0.0, pause=0.0, stall=0.0, lose=0.0, duplicate=0.0, broken=0.0, skew_s=(0.0,))

holders = st.sampled_from(["a", "b"])
times = st.integers(0, 200).map(float)
lease_decisions = st.one_of(
    st.builds(lambda who, now: lease.acquire(who, ttl_s=60.0, now=now), holders, times),
    st.builds(
        lambda who, token, now: lease.renew(who, token=token, ttl_s=60.0, now=now), holders, st.integers(1, 3), times
    ),
    st.builds(lambda who, token: lease.release(who, token=token), holders, st.integers(1, 3)),
)


def decisions_repeat_their_answer() -> None:
    """Deciding again on its own result changes nothing and answers the same."""
    test = test_properties.test_deciding_again_on_its_own_result_changes_nothing_and_answers_the_same
    _check(test, states(), commands)


def readings_grow_newer() -> None:
    """A reading of a window never gives way to an older one."""
    test = test_across.test_a_reading_of_a_window_never_gives_way_to_an_older_one
    _check(test, test_across.told_states(), hearings | commands)


def drift_is_not_forgotten() -> None:
    """Only a reading that shows it ends a drift."""
    test = test_across.test_drift_is_forgotten_only_by_a_reading_that_shows_it
    # a reading between the last one and the change is rare among all commands: those that bring one, and more of them
    _check(test, test_across.told_states(), hearings, examples=1_000)


def ledgers_never_go_back() -> None:
    """An older write changes nothing in a ledger."""
    test = test_across.test_a_ledger_never_goes_back_to_an_older_write_and_counts_each_change
    _check(test, test_across.writes, days, st.one_of(stamps, test_across.reads), examples=1_000)


def changes_keep_their_origin() -> None:
    """What a run builds of an earlier date's change passes for as old as that change."""
    test_across.test_only_what_looks_back_passes_on_where_an_earlier_change_began()


def the_same_content_keeps_its_origin() -> None:
    """What a run built of an earlier date's change is no newer change when it is written once more."""
    test_across.test_the_same_content_written_again_passes_for_as_old_as_before()


def held_news_change_nothing() -> None:
    """News that a run holds have it read nothing anew, whoever tells them how late."""
    test_windows.test_old_news_that_are_told_late_change_nothing_for_a_run_that_holds_them()


def _check(test: Callable[..., None], *drawn: st.SearchStrategy[object], examples: int | None = None) -> None:
    """Run a property with our settings, ``examples`` of them if that many are named."""
    inner = test.hypothesis.inner_test  # type: ignore[attr-defined]  # what Hypothesis adds to a test
    ours = QUICK if examples is None else settings(QUICK, max_examples=examples)
    ours(given(*drawn)(inner))()


def leases_repeat_their_answer() -> None:
    """The same, of leases."""

    @settings(QUICK, max_examples=1_000)
    @given(st.lists(lease_decisions, max_size=6), lease_decisions)
    def repeat(before: list[Decision[Lease, object]], decide: Decision[Lease, object]) -> None:
        held: Lease | None = None
        for one in before:
            held, _ = one(held)
        once, answer = decide(held)
        assert decide(once) == (once, answer)

    repeat()


def reports_repeat_their_receipt() -> None:
    """A step is overtaken between its commit and its report; what it reports is still what it wrote."""
    world = World(0, faults=QUIET)
    committed = world.checker.committed

    def overtaken(receipt: Receipt, rows: Sequence[Row]) -> None:
        committed(receipt, rows)
        if receipt.step == "team" and receipt.token == 1:
            later = [{**row, "v": "later"} for row in rows]
            tx = MemoryTransaction(world.warehouse)
            fence = tx.fence(receipt.part)
            assert fence is not None
            assert tx.change_fence(receipt.part, token=2, store_id=fence.store_id, holders=(fence.holder,))
            tx.commit()
            world.warehouse.put_rows(table("team"), later, partition=receipt.partition)

    world.checker.committed = overtaken  # type: ignore[method-assign]
    world.run()
    assert world.checker.commits[Part("sim.team", world.days[0])], "the scene never came to the step"
    assert [why for why in world.checker.objections if "is not what was written" in why] == []


def stores_compare_versions() -> None:
    """Neither a write nor a delete by an older version has any effect."""
    StoreContract().test_a_stale_version_changes_nothing(MemoryStore(), "contract:")


def fences_are_changed() -> None:
    """Of two transactions that change a fence, one conflicts."""
    TestMemoryWarehouse().test_of_two_transactions_that_change_a_fence_one_conflicts(MemoryWarehouse(), 1, 1)


def inputs_are_compared_at_the_commit() -> None:
    """What moved between the staging and the commit is not written."""
    TestMemoryWarehouse().test_inputs_that_moved_after_the_staging_are_not_written(MemoryWarehouse())
