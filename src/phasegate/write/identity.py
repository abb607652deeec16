"""The store's id.

Every fence stores it, so a lost, restored or second store is noticed.
"""

from phasegate.base.codec import State
from phasegate.ports import Ports
from phasegate.transact import transact

KEY = "identity:phasegate:store:id"


class Identity(State, frozen=True):
    """The id of a store, drawn when the store is first used."""

    id: str


def store_id(ports: Ports) -> str:
    """Return the id of the store; draw one if it has none."""
    fresh = ports.ids()

    def decide(old: Identity | None) -> tuple[Identity, str]:
        new = old or Identity(id=fresh)
        return new, new.id

    return transact(ports, KEY, kind=Identity, decide=decide)
