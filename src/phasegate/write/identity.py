"""The store's own name: what a fence remembers, so that a lost, restored or second store is noticed."""

from phasegate.base.codec import State
from phasegate.ports import Ports
from phasegate.transact import transact

KEY = "identity:phasegate:store:id"


class Identity(State, frozen=True):
    """Drawn once, when a store is first used."""

    id: str


def store_id(ports: Ports) -> str:
    """Return the id of the store; draw one if it has none yet."""
    fresh = ports.ids()

    def decide(old: Identity | None) -> tuple[Identity, str]:
        new = old or Identity(id=fresh)
        return new, new.id

    return transact(ports, KEY, kind=Identity, decide=decide)
