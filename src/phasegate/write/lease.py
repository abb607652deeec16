"""A lease: the right to work on a resource, with a token.

Pure. Tokens only grow, so a lease is never deleted. A lease makes it unlikely that two holders work at once; it is the
fence in the warehouse that keeps a stale holder from writing.
"""

from typing import TypeVar

from msgspec.structs import replace

from phasegate.base.backoff import is_ahead
from phasegate.base.codec import Decision, State

TTL_MAX_S = 3600.0
A = TypeVar("A")


class Lease(State, frozen=True):
    """The lease of a resource.

    ``holder``: drawn per acquisition, so two threads never share a token. ``owner``: the key of the document to which
    the holder's writes are reported.
    """

    token: int = 0
    holder: str | None = None
    purpose: str = ""
    owner: str = ""
    since: float = 0.0
    until: float = 0.0
    released: str | None = None

    @property
    def due(self) -> float | None:
        """Return when it expires, None while it is free."""
        return self.until if self.holder is not None else None


def acquire(
    holder: str, *, ttl_s: float, now: float, purpose: str = "", owner: str = ""
) -> Decision[Lease, int | None]:
    """Take the lease if it is free or expired; answer its token, else None.

    One that ends later than any lease can was taken under a clock ahead: it then ends ``ttl_s`` from now, unless its
    holder still renews it.
    """

    def decide(lease: Lease | None) -> tuple[Lease, int | None]:
        lease = lease or Lease()
        if lease.holder == holder:
            return lease, lease.token
        if lease.holder is not None and is_ahead(lease.until, now=now, bound_s=TTL_MAX_S):
            return replace(lease, until=now + ttl_s), None
        if lease.holder is not None and now < lease.until:
            return lease, None
        token = lease.token + 1
        taken = replace(lease, token=token, holder=holder, purpose=purpose, since=now, until=now + ttl_s)
        return replace(taken, owner=owner or lease.owner), token

    return decide


def renew(holder: str, *, token: int, ttl_s: float, now: float) -> Decision[Lease, bool]:
    """Extend the lease by ``ttl_s`` from now; answer whether it was ours."""

    def decide(lease: Lease | None) -> tuple[Lease, bool]:
        lease = lease or Lease()
        if lease.holder != holder or lease.token != token:
            return lease, False
        return replace(lease, until=max(lease.until, now + ttl_s)), True

    return decide


def release(holder: str, *, token: int) -> Decision[Lease, bool]:
    """Release the lease if it is ours; answer whether it was.

    The same release decided again answers the same.
    """

    def decide(lease: Lease | None) -> tuple[Lease, bool]:
        lease = lease or Lease()
        if lease.holder == holder and lease.token == token:
            return replace(lease, holder=None, until=0.0, released=holder), True
        return lease, lease.released == holder and lease.token == token

    return decide


def raise_to(token: int) -> Decision[Lease, int]:
    """Raise the token to at least ``token``; answer the token now.

    Used after adopting the fences of a lost store.
    """

    def decide(lease: Lease | None) -> tuple[Lease, int]:
        lease = lease or Lease()
        new = replace(lease, token=max(token, lease.token), holder=None, until=0.0) if lease.token < token else lease
        return new, new.token

    return decide
