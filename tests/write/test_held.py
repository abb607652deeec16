"""A lease while it is held: renewed, lost, and given back."""

from phasegate.base.keys import lease_key
from phasegate.base.receipt import Part
from phasegate.errors import LeaseLost, Unavailable
from phasegate.stores.memory import MemoryStore
from phasegate.write.leases import HeldLease, Leases
from tests.support.pipelines import DAY, Shop, shop

PART = Part("raw.orders", DAY)


class Silent(MemoryStore):
    """A store that answers nothing while it is silent."""

    silent = False

    def read(self, key: str, /):  # type: ignore[no-untyped-def]
        if self.silent:
            raise Unavailable("the store does not answer")
        return super().read(key)


def is_lost(held: HeldLease) -> bool:
    try:
        held.check()
    except LeaseLost:
        return True
    return False


def leases(made: Shop) -> Leases:
    return Leases(made.pipeline.ports, warehouse="w", ttl_s=60.0, heartbeat_s=10.0)


def test_a_beat_renews_for_the_whole_time() -> None:
    made = shop()
    with leases(made).hold(PART, purpose="first", owner="o") as held:
        assert held is not None
        made.clock.at += 59.0
        assert held.beat()
        made.clock.at += 59.0
        assert not is_lost(held)
        with leases(made).hold(PART, purpose="second") as second:
            assert second is None
        made.clock.at += 1.0
        assert is_lost(held)


def test_a_lease_that_another_has_taken_is_lost_at_the_next_beat_whatever_the_clock_says() -> None:
    made, lost = shop(), list[str]()
    with leases(made).hold(PART, purpose="first") as held:
        assert held is not None
        held.on_lost = lambda: lost.append("lost")
        made.clock.at += 60.0
        with leases(made).hold(PART, purpose="second") as second:
            assert second is not None
            assert second.token == held.token + 1
            made.clock.at -= 60.0  # the clock of the first is behind
            assert not is_lost(held)
            assert not held.beat()
            assert lost == ["lost"]
            assert is_lost(held)
            assert not is_lost(second)
            assert made.told.of("lease lost") == [{"key": held.key, "token": held.token}]


def test_a_store_that_does_not_answer_loses_no_lease_before_its_time() -> None:
    store = Silent()
    made = shop(store=store)
    with leases(made).hold(PART, purpose="first") as held:
        assert held is not None
        store.silent = True
        made.clock.at += 59.0
        assert held.beat()
        assert not is_lost(held)
        made.clock.at += 1.0
        assert not held.beat()
        assert is_lost(held)
        store.silent = False
    assert len(made.told.of("heartbeat failed")) == 2


def test_a_lease_says_who_holds_it_for_what_and_is_free_after_its_block() -> None:
    made = shop()
    key = lease_key("w", PART)
    with leases(made).hold(PART, purpose="first", owner="phase:shop:load") as held:
        assert held is not None
        stored = leases(made).read(key)
        assert stored is not None
        assert (stored.holder, stored.token, stored.purpose, stored.owner) == (
            held.holder, held.token, "first", "phase:shop:load",
        )  # fmt: skip
    stored = leases(made).read(key)
    assert stored is not None
    assert (stored.holder, stored.due) == (None, None)
    assert leases(made).read(lease_key("w", Part("raw.orders", "2026-02-04"))) is None
