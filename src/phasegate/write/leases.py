"""Takes, renews and releases leases on partitions.

A lease avoids duplicate work; the fence keeps the data correct.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from phasegate.base import keys
from phasegate.base.codec import Decision, decode
from phasegate.base.receipt import Part
from phasegate.errors import BadInput, LeaseLost, PhasegateError
from phasegate.ports import Ports, bound, keeping
from phasegate.transact import AtHand, transact
from phasegate.write import lease
from phasegate.write.lease import WHOLE, Lease

A = TypeVar("A")


class HeldLease:
    """A lease while it is held, judged by the monotonic clock.

    ``unreported``: something was committed and is not reported yet. Such a lease is not released: it expires, and the
    next sweep reports the write. ``fenced``: the partition's fence names this holder.
    """

    def __init__(self, key: str, taken: Lease, *, until: float, ports: Ports, ttl_s: float) -> None:
        self.key, self.holder, self.token, self.writers = key, taken.writers[-1], taken.token, taken.writers
        self._until, self._ports, self._ttl_s = until, ports, ttl_s
        self._lost = False
        self.unreported = self.fenced = False
        self.on_lost: Callable[[], None] | None = None

    def check(self) -> None:
        """Raise LeaseLost if the lease is not ours, or was not renewed in time."""
        if self._lost or self._ports.clock.monotonic() >= self._until:
            raise LeaseLost(self.key, self.token)

    def beat(self) -> bool:
        """Renew once; return whether to go on.

        An error does not lose the lease before it expires: the next beat tries again.
        """
        start = self._ports.clock.monotonic()
        decide = lease.renew(self.holder, token=self.token, ttl_s=self._ttl_s, now=self._ports.clock.now())
        try:
            ours = transact(self._ports, self.key, kind=Lease, decide=decide)
        except PhasegateError as e:
            self._ports.observer.event("heartbeat failed", key=self.key, token=self.token, error=str(e))
            return start < self._until
        if ours:
            self._until = start + self._ttl_s
        else:
            self._lost = True
            self._ports.observer.event("lease lost", key=self.key, token=self.token)
            if self.on_lost is not None:
                self.on_lost()
        return ours


class Leases:
    """The leases of one warehouse's partitions."""

    def __init__(self, ports: Ports, *, warehouse: str, ttl_s: float, heartbeat_s: float) -> None:
        self._ports, self._warehouse, self._ttl_s, self._heartbeat_s = ports, warehouse, ttl_s, heartbeat_s

    @contextmanager
    def hold(self, part: Part, *, purpose: str, owner: str = "") -> Iterator[HeldLease | None]:
        """Hold the lease of a partition during the block.

        It is renewed in the background; events in the block have its token. Yields None if another holder has it. The
        holder's id is drawn per acquisition, so two threads never share a token. Where commits of one table conflict,
        the lease of the table is held too, by the same holder.
        """
        with ExitStack() as stack:
            whole, holder = self._whole(part), self._ports.ids()
            # Before the partition's: if that one has expired, it marks a write that may not be reported.
            if (
                whole is not None
                and stack.enter_context(self._hold(whole, holder=holder, purpose=purpose, owner="")) is None
            ):
                yield None
                return
            held = stack.enter_context(self._hold(part, holder=holder, purpose=purpose, owner=owner))
            if held is not None:
                stack.enter_context(bound(token=held.token))
            yield held

    def _whole(self, part: Part) -> Part | None:
        """Return the table of a partition, where its commits conflict.

        None elsewhere, and for a step without a table.
        """
        is_table = part.table.count(".") == 1 and part.partition != WHOLE
        return Part(part.table, WHOLE) if is_table and self._ports.warehouse.scope == "table" else None

    @contextmanager
    def _hold(self, part: Part, *, holder: str, purpose: str, owner: str) -> Iterator[HeldLease | None]:
        key, known = keys.lease_key(self._warehouse, part), AtHand()
        since = self._ports.clock.monotonic()
        until = since + self._ttl_s
        taken = self._do(
            key,
            lease.acquire(holder, ttl_s=self._ttl_s, now=self._ports.clock.now(), purpose=purpose, owner=owner),
            known=known,
        )
        if taken is None:
            yield None
            return
        held = HeldLease(key, taken, until=until, ports=self._ports, ttl_s=self._ttl_s)
        stop = self._ports.background.every(self._heartbeat_s, keeping(held.beat))
        try:
            yield held
        finally:
            stop()
            if not held.unreported:
                # as it was taken: if it was renewed since, the write conflicts, and it is read
                self._do(key, lease.release(holder, token=held.token, fenced=held.fenced), known=known)
            held_s = self._ports.clock.monotonic() - since
            self._ports.observer.event("lease held", key=key, token=held.token, held_s=held_s)

    def take(self, part: Part, *, purpose: str, owner: str, ttl_s: float | None) -> Lease | None:
        """Take a lease for a holder in another process; None if it is held.

        It ends after ``ttl_s``, or the settings' time, unless it is renewed. The holder is the last of its writers.
        Where commits of one table conflict, the lease of the table is taken too, for the same holder.
        """
        holder, now, lasts_s = self._ports.ids(), self._ports.clock.now(), ttl_s or self._ttl_s
        whole = self._whole(part)
        if whole is not None:
            decide = lease.acquire(holder, ttl_s=lasts_s, now=now, purpose=purpose)
            if self._do(keys.lease_key(self._warehouse, whole), decide) is None:
                return None
        decide = lease.acquire(holder, ttl_s=lasts_s, now=now, purpose=purpose, owner=owner)
        taken = self._do(keys.lease_key(self._warehouse, part), decide)
        if taken is None and whole is not None:
            self._of_whole(whole, holder=holder, decide=lambda token: lease.release(holder, token=token))
        return taken

    def _of_whole(self, whole: Part, *, holder: str, decide: Callable[[int], Decision[Lease, bool]]) -> None:
        """Decide on the lease of a table, by its token, if it is this holder's."""
        held = self.read(key := keys.lease_key(self._warehouse, whole))
        if held is not None and held.holder == holder:
            self._do(key, decide(held.token))

    def renew(self, part: Part, *, holder: str, token: int, ttl_s: float | None) -> Lease:
        """Renew a lease that was taken; return it.

        One that has expired is renewed too, as long as no other holder took it. Raises LeaseLost.
        """
        key, lasts_s, now = keys.lease_key(self._warehouse, part), ttl_s or self._ttl_s, self._ports.clock.now()
        decide = lease.renew(holder, token=token, ttl_s=lasts_s, now=now)
        held = self.read(key) if self._do(key, decide) else None
        if held is None or held.holder != holder:
            if not self.was_given_back(part, holder=holder, token=token):
                self._ports.observer.event("lease lost", key=key, token=token)
            raise LeaseLost(key, token)
        if (whole := self._whole(part)) is not None:
            self._of_whole(
                whole, holder=holder, decide=lambda number: lease.renew(holder, token=number, ttl_s=lasts_s, now=now)
            )
        return held

    def give_back(self, part: Part, *, holder: str, token: int) -> bool:
        """Release a lease that was taken; return whether it was this holder's."""
        key, known, now = keys.lease_key(self._warehouse, part), AtHand(), self._ports.clock.now()
        doc = known.doc(self._ports.store, key)
        before = None if doc is None else decode(Lease, doc.body, key=key)
        ours = self._do(key, lease.release(holder, token=token), known=known)
        if (whole := self._whole(part)) is not None:
            self._of_whole(whole, holder=holder, decide=lambda token: lease.release(holder, token=token))
        if ours and before is not None and before.holder == holder:
            self._ports.observer.event("lease held", key=key, token=token, held_s=now - before.since)
        return ours

    def expire(self, key: str) -> bool:
        """End a lease that is held, now; return whether there was one.

        With that of its table, where one holder has both. Raises BadInput for one of another warehouse.
        """
        if not key.startswith(f"lease:{self._warehouse}:"):
            raise BadInput(f"{key}: is a lease of another warehouse; let go of it with the settings of that one")
        held, now = self.read(key), self._ports.clock.now()
        if held is None or held.holder is None:
            return False
        ended = self._do(key, lease.expire(held.token, now=now))
        _, _, table, partition = key.split(":", 3)
        if (whole := self._whole(Part(table, partition))) is not None:
            self._of_whole(whole, holder=held.holder, decide=lambda token: lease.expire(token, now=now))
        return ended

    def was_given_back(self, part: Part, *, holder: str, token: int) -> bool:
        """Return whether this holder was the last to release the lease."""
        known = self.read(keys.lease_key(self._warehouse, part))
        return known is not None and known.released == holder and known.token == token

    def read(self, key: str) -> Lease | None:
        """Return a lease as it is stored, None if there is none."""
        doc = self._ports.store.read(key)
        return None if doc is None else decode(Lease, doc.body, key=key)

    def raise_to(self, part: Part, *, token: int, holder: str) -> int:
        """Raise the token of a partition's lease to at least ``token``; return it.

        ``holder``: the name that the partition's fence has.
        """
        return self._do(keys.lease_key(self._warehouse, part), lease.raise_to(token, holder=holder))

    def _do(self, key: str, decide: Decision[Lease, A], *, known: AtHand | None = None) -> A:
        return transact(self._ports, key, kind=Lease, decide=decide, known=known)
