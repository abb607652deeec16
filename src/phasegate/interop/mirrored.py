"""The phases of a store in the form of the platform's documents."""

from collections.abc import Callable, Iterator
from contextlib import closing

from phasegate.base.codec import decode
from phasegate.base.exported import Exported, Unread
from phasegate.base.keys import phase_of
from phasegate.errors import PhasegateError
from phasegate.gate.mirror import platform_body, spelled
from phasegate.gate.phase import Phase
from phasegate.interop.doctor import PAGE
from phasegate.scan import scanned
from phasegate.store import Store


def mirrored(store: Store, /) -> Iterator[Exported | Unread]:
    """Yield every run of a store as the platform would have written it.

    Void and paused runs are left out.
    """
    for doc in scanned(store, "phase:", page=PAGE):
        try:
            phase = decode(Phase, doc.body, key=doc.key)
        except PhasegateError as e:
            yield Unread(place=doc.key, why=str(e))
            continue
        _, name, run = phase_of(doc.key)
        if phase.void is None and phase.paused is None:
            body = spelled(platform_body(phase, key=doc.key))
            yield Exported(place=doc.key, collection=name, id=str(run), body=body)


def mirrored_in(opened: Callable[[], Store], /) -> Iterator[Exported | Unread]:
    """Open a store, yield its runs, then close it."""
    with closing(opened()) as store:
        yield from mirrored(store)
