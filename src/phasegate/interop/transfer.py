"""Export and import of documents, and of the platform's as messages.

An import overwrites nothing: it only adds documents, and raises the tokens of leases. A file is checked whole before
its first document is written. Leases are written first: no document is ever stored before the token that it has.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import IO, Literal, NamedTuple

import msgspec

from phasegate import audit, quarantine
from phasegate.base.codec import FAILURES_FIELD, State, decode, encode
from phasegate.base.exported import Exported, Unread
from phasegate.base.wording import count
from phasegate.bus import Bus, Message
from phasegate.errors import Ambiguous, BadDocument, BadInput, Conflict, NotFound
from phasegate.interop import parcels
from phasegate.interop.arrivals import Arrival, arrivals
from phasegate.interop.parcels import Head, Parcel
from phasegate.interop.platform import read_completed
from phasegate.plan.model import Plan
from phasegate.ports import Clock, ReadPorts
from phasegate.scan import scanned
from phasegate.store import Store
from phasegate.transact import transact
from phasegate.work import backfill
from phasegate.write import lease
from phasegate.write.lease import Lease

PAGE = 200
LINE_MAX = 4_000_000
BAD_MAX = 20
TRIES_MAX = 8
MEANINGS: dict[str, type[State]] = {
    "audit": audit.AuditEntry, "backfill": backfill.Progress, "quarantine": quarantine.Quarantined,
}  # fmt: skip

Outcome = Literal["created", "unchanged", "raised", "kept"]
Open = Callable[[], IO[bytes]]


class Kept(msgspec.Struct, frozen=True):
    """A document of a file that differs from the store's, which was kept."""

    line: int
    key: str
    why: str


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of an import; ``store_id``: the store that was exported."""

    documents: int
    created: int
    unchanged: int
    raised: int
    kept: tuple[Kept, ...]
    store_id: str


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """The messages made of the platform's documents."""

    documents: int
    arrivals: tuple[Arrival, ...]
    unread: tuple[Unread, ...]


class Migrated(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of a migration.

    ``left``: key and reason of each document that is not as this build writes it.
    """

    documents: int
    rewritten: int
    left: tuple[tuple[str, str], ...]


class Source(NamedTuple):
    """A file's name and how to open it; it is read twice, so no pipe."""

    name: str
    open: Open


class Transfer:
    """Exports and imports the documents of one plan.

    ``store`` None: an empty one, for a dry run.
    """

    def __init__(self, plan: Plan, store: Store | None, clock: Clock, *, warehouse: str) -> None:
        self._plan, self._store, self._clock, self._warehouse = plan, store, clock, warehouse

    def export(self, *, store_id: str, first: str = "", last: str = "", phase: str | None = None) -> Iterator[str]:
        """Yield the lines of a file: of the pipeline, some dates, or one phase.

        The documents are of different moments if others write during the export; a lease is never older than a
        document that has its token. Raises NotFound for an unknown phase.
        """
        if phase is not None and phase not in self._plan.phases:
            raise NotFound(f"unknown phase {phase!r}; the plan has {', '.join(self._plan.phases)}")
        yield parcels.spell_head(Head(self._plan.pipeline, store_id, self._clock.now()))
        documents = 0
        for kind in parcels.KINDS:
            scope = self._warehouse if kind == "lease" else self._plan.pipeline
            for key, body, due in self._scan(f"{kind}:{scope}:"):
                if parcels.is_wanted(key, self._plan, first=first, last=last, phase=phase):
                    documents += 1
                    yield parcels.spell(key, body, due)
        yield parcels.spell_end(documents)

    def _scan(self, prefix: str) -> Iterator[tuple[str, dict[str, object], float | None]]:
        if self._store is not None:
            yield from ((doc.key, dict(doc.body), doc.due) for doc in scanned(self._store, prefix, page=PAGE))

    def check(self, source: Source) -> Head:
        """Read a whole file; raise BadInput naming the wrong lines, up to BAD_MAX."""
        bad, seen, promised = list[str](), dict[str, int](), None
        with closing(source.open()) as file:
            try:
                head = parcels.read_head(_first(file), pipeline=self._plan.pipeline)
            except BadInput as e:
                raise BadInput(f"{source.name}: nothing was imported: {e}") from None
            for number, text in _lines(file):
                if promised is not None:
                    bad.append(f"line {number}: there is more after the last line")
                    break
                promised = parcels.read_end(text)
                try:
                    if promised is None:
                        self._note(self._read(text, number), seen)
                except BadInput as e:
                    bad.append(str(e))
        if promised is None and not bad:
            bad.append("it has no last line: it was cut off")
        elif promised is not None and promised != len(seen) and not bad:
            bad.append(f"the last line promises {count(promised, 'document')}, and {len(seen):,} came before it")
        if bad:
            more = f"; and {len(bad) - BAD_MAX} more" if len(bad) > BAD_MAX else ""
            raise BadInput(f"{source.name}: nothing was imported: {'; '.join(bad[:BAD_MAX])}{more}")
        return head

    def migrate(self, *, dry_run: bool = False) -> Migrated:
        """Rewrite each document as this build writes it.

        Doing so again changes nothing. Safe beside workers: each is written on the condition that it is as it was read.
        What a newer build wrote, what cannot be read, and what others have written since is left, and named.
        ``dry_run``: only report.
        """
        documents, rewritten, left = 0, 0, list[tuple[str, str]]()
        for kind in parcels.KINDS:
            scope = self._warehouse if kind == "lease" else self._plan.pipeline
            meaning = {**parcels.MEANINGS, **MEANINGS}.get(kind)
            for doc in scanned(self._store, f"{kind}:{scope}:", page=PAGE) if self._store is not None else ():
                documents += 1
                try:
                    if meaning is None:  # a message has no schema of ours
                        continue
                    body = encode(decode(meaning, doc.body, key=doc.key), over=doc.body)
                    body |= {name: doc.body[name] for name in (FAILURES_FIELD,) if name in doc.body}
                    if body == doc.body:
                        continue
                    if not dry_run and self._store is not None:
                        self._store.write(doc.key, body, due=doc.due, expect=doc.version)
                    rewritten += 1
                except BadDocument as e:
                    left.append((doc.key, str(e).removeprefix(f"{doc.key}: ")))
                except (Conflict, Ambiguous):
                    left.append((doc.key, "another process has written it since it was read; migrate again"))
        return Migrated(documents=documents, rewritten=rewritten, left=tuple(left))

    @staticmethod
    def _note(parcel: Parcel, seen: dict[str, int]) -> None:
        if parcel.key in seen:
            raise BadInput(f"line {parcel.line}: {parcel.key} is in line {seen[parcel.key]} already")
        seen[parcel.key] = parcel.line

    def _read(self, text: bytes, number: int) -> Parcel:
        return parcels.read_line(text, line=number, plan=self._plan, warehouse=self._warehouse, meanings=MEANINGS)

    def import_from(self, source: Source, *, dry_run: bool = False) -> Imported:
        """Import a file; doing so again changes nothing.

        ``dry_run``: only report. Raises BadInput, and then nothing was written. If it crashes, some documents are
        missing, none is incomplete; the same import again completes it.
        """
        head = self.check(source)
        counts: dict[Outcome, int] = dict.fromkeys(("created", "unchanged", "raised", "kept"), 0)
        kept = []
        for leases in (True, False):
            for parcel in self._parcels(source):
                if (parcel.kind == "lease") is not leases:
                    continue
                outcome, why = self._import(parcel, dry_run=dry_run)
                counts[outcome] += 1
                if outcome == "kept":
                    kept.append(Kept(parcel.line, parcel.key, why))
        return Imported(
            documents=sum(counts.values()), created=counts["created"], unchanged=counts["unchanged"],
            raised=counts["raised"], kept=tuple(kept), store_id=head.store_id,
        )  # fmt: skip

    def _parcels(self, source: Source) -> Iterator[Parcel]:
        with closing(source.open()) as file:
            _first(file)
            for number, text in _lines(file):
                if parcels.read_end(text) is None:
                    yield self._read(text, number)

    def _import(self, parcel: Parcel, *, dry_run: bool) -> tuple[Outcome, str]:
        """Write one document if it is absent; return the outcome and why."""
        for _ in range(TRIES_MAX):
            doc = None if self._store is None else self._store.read(parcel.key)
            if doc is not None:
                return self._merge(parcel, dict(doc.body), dry_run=dry_run)
            if dry_run or self._store is None:
                return "created", ""
            try:
                self._store.write(parcel.key, parcel.body, due=parcel.due, expect=None)
            except Conflict:
                continue
            return "created", ""
        return "kept", "others keep writing it; import again"

    def _merge(self, parcel: Parcel, here: dict[str, object], *, dry_run: bool) -> tuple[Outcome, str]:
        """Compare a document with the stored one; raise a lease's token."""
        if here == parcel.body:
            return "unchanged", ""
        if parcel.kind != "lease":
            return "kept", parcels.compare(parcel.key, here, parcel.body)
        token = decode(Lease, parcel.body, key=parcel.key).token
        try:
            if decode(Lease, here, key=parcel.key).token >= token:
                return "unchanged", ""
        except BadDocument as e:
            return "kept", str(e)
        if not dry_run:
            assert self._store is not None
            into = ReadPorts(store=self._store, clock=self._clock)
            transact(into, parcel.key, kind=Lease, decide=lease.raise_to(token))
        return "raised", ""


def send_arrivals(found: Iterable[Exported | Unread], plan: Plan, bus: Bus | None) -> Sent:
    """Publish the platform's documents as completion messages.

    ``bus`` None: only report. Doing so again changes nothing.
    """
    documents, unread, sent = 0, list[Unread](), list[Arrival]()
    for one in found:
        if isinstance(one, Unread):
            unread.append(one)
            continue
        documents += 1
        for arrival in arrivals(read_completed(one), plan):
            if arrival.sent and bus is not None:
                bus.publish(Message(arrival.id, arrival.topic, arrival.body))
            sent.append(arrival)
    return Sent(documents=documents, arrivals=tuple(sent), unread=tuple(unread))


def _first(file: IO[bytes]) -> bytes:
    return file.readline(LINE_MAX).strip()


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the non-empty lines from the second on, with their numbers.

    A line longer than LINE_MAX is yielded in pieces.
    """
    number = 1
    while text := file.readline(LINE_MAX):
        number += 1
        if stripped := text.strip():
            yield number, stripped
