"""Who may work on a resource, and with which token. Tokens only grow; a lease is never deleted. Pure.

A lease keeps honest holders apart most of the time. What keeps a stale one from writing is the fence.
"""

from typing import TypeVar

from msgspec.structs import replace

from phasegate.base.codec import Decision, State

A = TypeVar("A")


class Lease(State, frozen=True):
    """``holder`` is drawn per acquisition, never per process: two threads never share a token.

    ``owner`` is the key of the document that must hear of what the holder committed.
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
        """When it runs out, while somebody holds it."""
        return self.until if self.holder is not None else None


def acquire(
    holder: str, *, ttl_s: float, now: float, purpose: str = "", owner: str = ""
) -> Decision[Lease, int | None]:
    """Take the lease if it is free or has run out; answer its token, or None while somebody else holds it."""

    def decide(lease: Lease | None) -> tuple[Lease, int | None]:
        lease = lease or Lease()
        if lease.holder == holder:
            return lease, lease.token
        if lease.holder is not None and now < lease.until:
            return lease, None
        token = lease.token + 1
        taken = replace(lease, token=token, holder=holder, purpose=purpose, since=now, until=now + ttl_s)
        return replace(taken, owner=owner or lease.owner), token

    return decide


def renew(holder: str, *, token: int, ttl_s: float, now: float) -> Decision[Lease, bool]:
    """Hold on for another ``ttl_s``; answer whether the lease was still ours."""

    def decide(lease: Lease | None) -> tuple[Lease, bool]:
        lease = lease or Lease()
        if lease.holder != holder or lease.token != token:
            return lease, False
        return replace(lease, until=max(lease.until, now + ttl_s)), True

    return decide


def release(holder: str, *, token: int) -> Decision[Lease, bool]:
    """Give the lease back; answer whether it was ours to give. Only its own holder can."""

    def decide(lease: Lease | None) -> tuple[Lease, bool]:
        lease = lease or Lease()
        if lease.holder == holder and lease.token == token:
            return replace(lease, holder=None, until=0.0, released=holder), True
        return lease, lease.released == holder and lease.token == token

    return decide


def raise_to(token: int) -> Decision[Lease, int]:
    """Lift the token to at least ``token``, as after adopting a fence of a lost store; answer the token now."""

    def decide(lease: Lease | None) -> tuple[Lease, int]:
        lease = lease or Lease()
        new = replace(lease, token=max(token, lease.token), holder=None, until=0.0) if lease.token < token else lease
        return new, new.token

    return decide
