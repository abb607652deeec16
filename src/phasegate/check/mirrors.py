"""Compares mirrors, as their readers see them, with their phases."""

from collections.abc import Iterator, Mapping, Sequence

from phasegate.base import keys
from phasegate.base.codec import decode
from phasegate.base.findings import Finding
from phasegate.check import documents
from phasegate.check.documents import StoredPhase
from phasegate.errors import BadDocument, PhasegateError
from phasegate.gate.mirror import Mirror, Mirrored
from phasegate.plan.model import Plan
from phasegate.ports import Ports
from phasegate.scan import scanned


def differing(
    plan: Plan, ports: Ports, *, phases: Sequence[StoredPhase], broken: list[BadDocument]
) -> Iterator[Finding]:  # fmt: skip
    """Find mirrors that differ from their phases.

    ``broken``: takes the documents that a newer version wrote. Raises what reading mirrors elsewhere raises, after
    those that are known to be behind.
    """
    mirror = Mirror(plan, ports)
    paths = {one.key: path for one in phases if (path := mirror.path_of(one.name, one.run))}
    known = _documents(plan, ports, paths=paths, broken=broken)
    mirrored = [one for one in phases if one.key in paths]
    for one in mirrored:
        path = paths[one.key]
        try:
            stored = mirror.stored(path, known.get(path))
        except PhasegateError:
            for other in mirrored:
                here = known.get(paths[other.key])
                yield from documents.behind(other, path=paths[other.key], since=here.behind_since if here else None)
            raise
        yield from documents.unlike(one, path=path, derived=mirror.derived(one.phase, key=one.key), stored=stored)


def _documents(
    plan: Plan, ports: Ports, *, paths: Mapping[str, str], broken: list[BadDocument]
) -> dict[str, Mirrored]:  # fmt: skip
    """Return the documents of mirrors by path."""
    found: dict[str, Mirrored] = {}
    for collection in sorted({path.partition("/")[0] for path in paths.values()}):
        for doc in scanned(ports.store, keys.mirror_key(plan.pipeline, f"{collection}/")):
            try:
                one = decode(Mirrored, doc.body, key=doc.key)
            except BadDocument as e:
                if e.newer:  # any other is written again, as one that is missing
                    broken.append(e)
            else:
                found[one.path] = one
    return found
