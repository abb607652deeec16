"""A lease: the right to work on a resource, with a token.

Pure. Tokens only grow, so a lease is never deleted. A lease makes it unlikely that two holders work at once; it is the
fence in the warehouse that keeps a stale holder from writing.
"""

from typing import TypeVar

from msgspec.structs import replace

from phasegate.base.backoff import is_ahead
from phasegate.base.codec import Decision, State

TTL_MAX_S = 3600.0
WRITERS_MAX = 100
# In place of a partition: the lease is of the whole table.
WHOLE = "table"
A = TypeVar("A")


class Lease(State, frozen=True):
    """The lease of a resource.

    ``holder``: drawn per acquisition, so two threads never share a token. ``owner``: the key of the document to which
    the holder's writes are reported. ``writers``: the holders that may be named in the partition's fence, the present
    one last. A fence with any other name was written from a copy of this store, or after the backup it was restored
    from.
    """

    token: int = 0
    holder: str | None = None
    purpose: str = ""
    owner: str = ""
    since: float = 0.0
    until: float = 0.0
    released: str | None = None
    writers: tuple[str, ...] = ()

    @property
    def due(self) -> float | None:
        """Return when it expires, None while it is free."""
        return self.until if self.holder is not None else None


def acquire(
    holder: str, *, ttl_s: float, now: float, purpose: str = "", owner: str = ""
) -> Decision[Lease, Lease | None]:
    """Take the lease if it is free or expired; answer it as taken, else None.

    One that ends later than any lease can was taken under a clock ahead: it then ends ``ttl_s`` from now, unless its
    holder still renews it.
    """

    def decide(lease: Lease | None) -> tuple[Lease, Lease | None]:
        lease = lease or Lease()
        if lease.holder == holder:
            return lease, lease
        if lease.holder is not None and is_ahead(lease.until, now=now, bound_s=TTL_MAX_S):
            return replace(lease, until=now + ttl_s), None
        if lease.holder is not None and now < lease.until:
            return lease, None
        writers = lease.writers if len(lease.writers) < WRITERS_MAX else (lease.writers[0], *lease.writers[2:])
        taken = replace(
            lease, token=lease.token + 1, holder=holder, purpose=purpose, since=now, until=now + ttl_s,
            owner=owner or lease.owner, writers=(*writers, holder),
        )  # fmt: skip
        return taken, taken

    return decide


def renew(holder: str, *, token: int, ttl_s: float, now: float) -> Decision[Lease, bool]:
    """Extend the lease by ``ttl_s`` from now; answer whether it was ours."""

    def decide(lease: Lease | None) -> tuple[Lease, bool]:
        lease = lease or Lease()
        if lease.holder != holder or lease.token != token:
            return lease, False
        return replace(lease, until=max(lease.until, now + ttl_s)), True

    return decide


def expire(token: int, *, now: float) -> Decision[Lease, bool]:
    """End the lease of this token now; answer whether it is still the newest.

    Its holder is not asked: the fence keeps it from writing once another has the lease.
    """

    def decide(lease: Lease | None) -> tuple[Lease, bool]:
        lease = lease or Lease()
        if lease.token != token or lease.holder is None:
            return lease, lease.token == token
        return replace(lease, until=min(lease.until, now)), True

    return decide


def release(holder: str, *, token: int, fenced: bool = False) -> Decision[Lease, bool]:
    """Release the lease if it is ours; answer whether it was.

    ``fenced``: the fence named us, and names us still unless an adoption has named another since; else it never did.
    The same release decided again answers the same.
    """

    def decide(lease: Lease | None) -> tuple[Lease, bool]:
        lease = lease or Lease()
        if lease.holder == holder and lease.token == token:
            since = lease.writers.index(holder) if fenced and holder in lease.writers else None
            writers = (
                tuple(name for name in lease.writers if name != holder) if since is None else lease.writers[since:]
            )
            return replace(lease, holder=None, until=0.0, released=holder, writers=writers), True
        return lease, lease.released == holder and lease.token == token

    return decide


def raise_to(token: int, *, holder: str = "") -> Decision[Lease, int]:
    """Raise the token to at least ``token``; answer the token now.

    Used after adopting the fences of a lost store; ``holder``: the name that they then have. The other names stay: if
    this is decided again later, after no answer, one of them may be in the fence by then.
    """

    def decide(lease: Lease | None) -> tuple[Lease, int]:
        lease = lease or Lease()
        new = replace(lease, token=max(token, lease.token), holder=None, until=0.0) if lease.token < token else lease
        is_known = not holder or holder in new.writers
        return (new if is_known else replace(new, writers=(*new.writers, holder))), new.token

    return decide
