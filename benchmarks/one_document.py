"""A store that keeps all modes of a (phase, date) in one document, for the model of decision 0029.

What asks it sees one document per mode, as today. A write is one compare-and-set of the whole, and brings each result
that it accepts to the other modes that have the step, in the same write.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from phasegate.base.codec import decode, encode
from phasegate.errors import Conflict
from phasegate.gate import decisions
from phasegate.gate.decisions import Report
from phasegate.gate.evaluate import evaluate
from phasegate.gate.phase import Phase, Result
from phasegate.store import Body, Doc, Store

PAGE = 200
Modes = dict[str, dict[str, object]]


class Counted:
    """A store whose reads, writes, bytes and conflicts are counted, of documents of phases only."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.counts: Counter[str] = Counter()
        self.largest: dict[str, int] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def read(self, key: str, /) -> Doc | None:
        self.counts["reads"] += _is_phase(key)
        return self._inner.read(key)

    def read_again(self, key: str, /) -> Doc | None:
        """Read what the caller has read just before: one read, were it one program."""
        return self._inner.read(key)

    def write(self, key: str, body: Body, /, *, due: float | None, expect: str | None) -> str:
        try:
            version = self._inner.write(key, body, due=due, expect=expect)
        except Conflict:
            self.counts["conflicts"] += _is_phase(key)
            raise
        if _is_phase(key):
            size = len(msgspec.json.encode(body))
            self.counts.update(writes=1, written=size, shared=size - repeated(body))
            self.largest[key] = max(size, self.largest.get(key, 0))
        return version

    def figures(self, *, dates: int) -> dict[str, float]:
        """Return what a date costs."""
        counts, docs = self.counts, len(self.largest)
        return {
            "documents": docs / dates,
            "reads": counts["reads"] / dates,
            "writes": counts["writes"] / dates,
            "kB written": counts["written"] / dates / 1000,
            "kB a write": counts["written"] / counts["writes"] / 1000,
            "kB a write, members once": counts["shared"] / counts["writes"] / 1000,
            "kB the largest": max(self.largest.values()) / 1000,
            "conflicts": counts["conflicts"] / dates,
        }


def _is_phase(key: str) -> bool:
    return key.startswith(("phase:", "date:"))


def repeated(body: Body) -> int:
    """Return how many bytes a body would lose if its modes had one entry for a step with the same result."""
    modes = body.get("modes")
    seen: dict[tuple[str, str, object], int] = {}
    saved = 0
    for one in modes.values() if isinstance(modes, dict) else ():
        for part, entries in (("members", one["body"]["members"]), ("windows", one["body"]["windows"]),
                              ("specs", one["body"]["gate"]["members"])):  # fmt: skip
            for name, entry in entries.items():
                same = entry["result"] and str(entry["result"]["stamp"]) if part == "members" else str(entry)
                size = len(msgspec.json.encode({name: entry}))
                saved += min(size, seen.get((part, name, same), 0))
                seen[part, name, same] = max(size, seen.get((part, name, same), 0))
    return saved


class OneDocument:
    """Keeps ``phase:PIPELINE:PHASE:DATE.MODE`` within ``date:PIPELINE:PHASE:DATE``; all other keys as they are."""

    def __init__(self, inner: Counted, *, now: Callable[[], float]) -> None:
        self._inner, self._now = inner, now
        self._touched: list[str] = []
        self._lock = threading.Lock()
        self.brought = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def touched(self) -> list[str]:
        """Return the other modes' documents that writes have changed since this was asked."""
        with self._lock:
            found, self._touched = self._touched, []
        return found

    def read(self, key: str, /) -> Doc | None:
        if not key.startswith("phase:"):
            return self._inner.read(key)
        there, mode = _apart(key)
        doc = self._inner.read(there)
        found = {} if doc is None else _modes(doc.body)
        return None if doc is None or mode not in found else _virtual(key, doc, found[mode])

    def write(self, key: str, body: Body, /, *, due: float | None, expect: str | None) -> str:
        if not key.startswith("phase:"):
            return self._inner.write(key, body, due=due, expect=expect)
        there, mode = _apart(key)
        doc = self._inner.read_again(there)
        modes = {} if doc is None else _modes(doc.body)
        if expect is None and mode in modes:
            raise Conflict(key)
        if expect is None:
            expect = None if doc is None else doc.version
        modes = {**modes, mode: {"body": dict(body), "due": due}}
        changed = self._bring(there, mode, modes, old=None if doc is None else _modes(doc.body).get(mode))
        dues = [one["due"] for one in modes.values() if one["due"] is not None]
        version = self._inner.write(there, {"modes": modes}, due=min(dues, default=None), expect=expect)  # type: ignore
        with self._lock:
            self._touched += changed
        return version

    def _bring(self, there: str, mode: str, modes: Modes, *, old: Mapping[str, object] | None) -> list[str]:
        """Report what a mode has newly accepted to the others, and to a mode that is new what they have."""
        phases = {name: _phase(one) for name, one in modes.items()}
        before = None if old is None else _phase(old)
        pairs = [(mode, other) for other in phases if other != mode]
        pairs += [(other, mode) for other in phases if other != mode and before is None]
        brought: dict[str, Phase] = {}
        for giver, taker in pairs:
            there_key = f"phase{there[4:]}.{taker}"
            took = phases[taker]
            for name, member in phases[giver].members.items():
                known = before.result_of(name) if before is not None else None
                if member.result is not None and member.result != known and name in took.gate.members:
                    took = _taken(took, name, member.result, key=there_key, now=self._now(), giver=giver)
            if took != phases[taker]:  # all first, then one look: else it fires in between without the rest
                took = replace(took, paused=phases[taker].paused)
                brought[taker] = phases[taker] = evaluate(took, key=there_key, now=self._now(), by=f"in.{giver}")
        for name, phase in brought.items():
            modes[name] = {"body": encode(phase, over=_body(modes[name])), "due": phase.due}
        self.brought += len(brought)
        return [f"phase{there[4:]}.{name}" for name in sorted(brought)]

    def scan(self, prefix: str, /, *, after: str = "", until: str | None = None, limit: int = 100) -> Sequence[Doc]:
        if not prefix.startswith("phase:"):
            return self._inner.scan(prefix, after=after, until=until, limit=limit)
        found: list[Doc] = []
        last = _date(after)[:-1]
        while len(found) < limit:
            page = self._inner.scan(_date(prefix), after=last, until=until and "date" + until[5:], limit=PAGE)
            found += [doc for one in page for doc in _virtuals(one) if doc.key.startswith(prefix) and doc.key > after
                      and (until is None or doc.key < until)]  # fmt: skip
            if len(page) < PAGE:
                break
            last = page[-1].key
        return found[:limit]

    def due(
        self, now: float, /, *, prefix: str = "", after: tuple[float, str] | None = None, limit: int = 100
    ) -> Sequence[Doc]:
        if not prefix.startswith("phase:"):
            return self._inner.due(now, prefix=prefix, after=after, limit=limit)
        page = self._inner.due(now, prefix=_date(prefix), limit=10_000)
        docs = [doc for one in page for doc in _virtuals(one) if doc.due is not None and doc.due <= now]
        docs.sort(key=lambda doc: (doc.due or 0.0, doc.key))
        return [doc for doc in docs if after is None or (doc.due, doc.key) > after][:limit]

    def next_due(self, *, prefix: str = "") -> float | None:
        return self._inner.next_due(prefix=_date(prefix) if prefix.startswith("phase:") else prefix)


def _apart(key: str) -> tuple[str, str]:
    there, _, mode = key.rpartition(".")
    return f"date{there[5:]}", mode


def _date(text: str) -> str:
    """Return the bound or prefix of dates' documents that a bound or prefix of runs' documents lies in."""
    return f"date{text[5:]}".partition(".")[0].partition("~")[0] if text else ""


def _modes(body: Body) -> Modes:
    return body["modes"]  # type: ignore[return-value]


def _virtual(key: str, doc: Doc, one: Mapping[str, object]) -> Doc:
    return Doc(key, doc.version, one["body"], one["due"])  # type: ignore[arg-type]


def _virtuals(doc: Doc) -> list[Doc]:
    return [_virtual(f"phase{doc.key[4:]}.{mode}", doc, one) for mode, one in sorted(_modes(doc.body).items())]


def _phase(one: Mapping[str, object]) -> Phase:
    return decode(Phase, one["body"], key="")  # type: ignore[arg-type]


def _taken(phase: Phase, member: str, result: Result, *, key: str, now: float, giver: str) -> Phase:
    """Return a run that has taken a result over from another mode of its date."""
    known = phase.result_of(member)
    said = Report(
        member=member, status=result.status, order=result.order, stamp=result.stamp, built_from=result.built_from,
        after=None if result.write_id else 0.0 if known is None else known.order, rows=result.rows,
        write_id=result.write_id, code=result.code, relayed=True,
    )  # fmt: skip
    attempt = f"in.{giver}.{member}.{result.order}.{result.stamp.fingerprint}"
    held = replace(phase, paused="others are still to be brought") if phase.void is None else phase
    took, answer = decisions.report(said, key=key, now=now, attempt=attempt)(held)
    assert took is not None
    return took if answer.outcome in ("accepted", "confirmed") else phase


def _body(one: Mapping[str, object]) -> Body:
    return one["body"]  # type: ignore[return-value]
