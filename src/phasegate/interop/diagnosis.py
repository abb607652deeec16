"""Checks of another system's completion documents, without a plan. Pure.

The expected processors are inferred: those that most documents of a collection and mode name. They are reported with
the findings, since these rest on them. Neither a plan nor a calendar is used.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

import msgspec

from phasegate.base.exported import Unread
from phasegate.base.findings import GRACE_S, CheckResult, Finding
from phasegate.base.wording import count
from phasegate.interop.platform import BAD_FORMS, Completed, Form

# A document that was written to within this time is not checked for missing entries.
UNDER_WAY_S = 6 * 3600.0
SHARE_MIN = 0.5
SHOWN_MAX = 5
# FILE and URL stand for where the documents are.
IMPORT = "phasegate import FILE --from-platform"
PLAN = "phasegate doctor --store URL --draft > plan.toml"


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """The processors that documents of one collection and mode wait for.

    ``given``: by the user; else inferred. ``rare``: names that are in few documents, with their number; they are not
    waited for.
    """

    collection: str
    mode: str
    documents: int
    names: frozenset[str]
    rare: Mapping[str, int] = {}
    given: bool = False


Expectations = Mapping[tuple[str, str], Expected]


def infer(documents: Sequence[Completed], /, *, expect: Sequence[str] = ()) -> dict[tuple[str, str], Expected]:
    """Return the expected processors by collection and mode.

    They are those of ``expect``, else those that at least half of the documents name.
    """
    groups: dict[tuple[str, str], list[Completed]] = {}
    for one in documents:
        groups.setdefault((one.collection, one.mode), []).append(one)
    found = {}
    for (collection, mode), group in sorted(groups.items()):
        seen = Counter(name for one in group for name in one.names)
        names = frozenset(expect) or frozenset(n for n, times in seen.items() if times >= SHARE_MIN * len(group))
        rare = {name: times for name, times in sorted(seen.items()) if name not in names}
        found[collection, mode] = Expected(collection=collection, mode=mode, documents=len(group), names=names,
                                           rare=rare, given=bool(expect))  # fmt: skip
    return found


def diagnose(
    documents: Sequence[Completed], unread: Sequence[Unread], *, expected: Expectations, now: float
) -> list[CheckResult]:
    """Return the outcome of each check of the documents.

    Without a document there is one outcome, not evaluated.
    """
    odd = (*map(_unreadable, unread), *_undated(documents), *_no_maps(documents))
    none = "" if documents else "no completion document was found"
    readable = CheckResult(check="readable", findings=odd, evaluated=len(documents) + len(unread), error=none)
    if none:
        return [readable]
    checks = {
        "counts": [f for one in documents for f in _count(one)],
        "triggers": [f for one in documents for f in _trigger(one, expected=expected, now=now)],
        "missing": [f for one in documents for f in _missing(one, expected=expected, now=now)],
        "late entries": [f for one in documents for f in _after_trigger(one)],
        "names": _names(documents),
        "modes": [f for one in documents for f in _modes(one)],
        "times": _times(documents),
        "hand-off": _handed_on(documents, now=now),
    }
    judged = [CheckResult(check=c, findings=tuple(found), evaluated=len(documents)) for c, found in checks.items()]
    return [readable, *judged]


def _unreadable(one: Unread) -> Finding:
    return Finding(code="PG019", subject=one.place, text=one.why, cause="unread",
                   command="open it in an editor; fix it or leave it out, then run this again")  # fmt: skip


def _undated(documents: Sequence[Completed]) -> list[Finding]:
    return [
        Finding(code="PG019", subject=one.subject, text="its id and its fields name no date, so it belongs to no run",
                cause="undated", command="rename it, or leave it out, then run this again")
        for one in documents if not one.date
    ]  # fmt: skip


def _no_maps(documents: Sequence[Completed]) -> list[Finding]:
    """Find the entries that are no map with a report, all in one finding."""
    found = [f"{one.subject} {r.spelled} ({r.instead})" for one in documents for r in one.reports if r.instead]
    if not found:
        return []
    text = f"an entry is a map with completed_at and status, these are not, and are counted: {_listed(found)}"
    return [Finding(code="PG019", subject=f"{count(len(found), 'entry', 'entries')}, no map with a report", text=text,
                    cause="entries:no map", command=IMPORT, evidence={"where": ", ".join(found[:50])})]  # fmt: skip


def _count(one: Completed) -> list[Finding]:
    if one.count is None or one.count == len(one.reports):
        return []
    text = f"_completed_count is {one.count}, {_are(len(one.reports), 'entry', 'entries')} there"
    names = ", ".join(report.spelled for report in one.reports)
    return [_finding("PG001", one, text, entries=names, _completed_count=str(one.count))]


def _trigger(one: Completed, *, expected: Expectations, now: float) -> list[Finding]:
    names = expected[one.collection, one.mode].names
    good = {report.name for report in one.reports if report.good}
    lacking = sorted(names - good)
    if one.triggered:
        found = []
        if lacking:
            text = f"triggered without {_listed(lacking)}: {len(names) - len(lacking)} of {len(names)} were done"
            found.append(_finding("PG025", one, text, missing=", ".join(lacking)))
        if one.triggered_at.form == "none":
            text = "_triggered is set and _triggered_at is not: nothing shows that a trigger was ever sent"
            found.append(_finding("PG003", one, text))
        return found
    if lacking or not names or (one.last_at is not None and now - one.last_at < GRACE_S):
        return []
    count = "" if one.count is None else f", _completed_count is {one.count}"
    text = f"all {len(names)} processors are done{count}, and it has not triggered: the next phase was not started"
    return [_finding("PG002", one, text, entries=", ".join(sorted(good)), _triggered=str(one.triggered))]


def _missing(one: Completed, *, expected: Expectations, now: float) -> list[Finding]:
    """Find what kept a document from triggering: absent and failed processors."""
    if one.triggered or (one.last_at is not None and now - one.last_at < UNDER_WAY_S):
        return []
    names = expected[one.collection, one.mode].names
    failed = [f"{report.name} ({report.status})" for report in one.reports if not report.good]
    absent = sorted(names - one.names)
    parts = [f"{_listed(absent)} never reported"] if absent else []
    parts += [f"{_listed(failed)} did not succeed"] if failed else []
    if not parts:
        return []
    text = f"{'; '.join(parts)}, so it never triggered"
    return [_finding("PG021", one, text, missing=", ".join(absent), failed=", ".join(failed))]


def _after_trigger(one: Completed) -> list[Finding]:
    at = one.triggered_at.at
    if not one.triggered or at is None:
        return []
    late = [r for r in one.reports if r.completed.at is not None and r.completed.at > at + GRACE_S]
    if not late:
        return []
    last_s = max(report.completed.at or at for report in late) - at
    names = _listed([report.name for report in late])
    text = f"{names} completed up to {_hours(last_s)} after the trigger; these results were not handed on"
    return [_finding("PG012", one, text, late=", ".join(report.name for report in late))]


def _names(documents: Sequence[Completed]) -> list[Finding]:
    """Find processors under two names.

    They are twice in one document, or spelled differently from date to date.
    """
    found, spellings = [], dict[str, dict[str, str]]()
    for one in documents:
        twice = [name for name, times in Counter(report.name for report in one.reports).items() if times > 1]
        for report in one.reports:
            spellings.setdefault(report.name, {}).setdefault(report.spelled, one.subject)
        for name in twice:
            spelled = [report.spelled for report in one.reports if report.name == name]
            text = f"{' and '.join(spelled)} are one processor with two entries: it is counted twice"
            found.append(_finding("PG011", one, text, names=", ".join(spelled)))
            spellings.pop(name, None)
    for name, seen in sorted(spellings.items()):
        if len(seen) > 1:
            text = f"{name} is spelled {' and '.join(sorted(seen))}; a reader that compares names takes them for two"
            places = ", ".join(f"{spelled} in {place}" for spelled, place in sorted(seen.items()))
            found.append(Finding(code="PG011", subject=f"processor {name}", text=text, cause=f"names:{name}",
                                 command=IMPORT, evidence={"seen": places}))  # fmt: skip
    return found


def _modes(one: Completed) -> list[Finding]:
    modes = sorted({report.mode for report in one.reports if report.mode} | ({one.mode} if one.mode else set()))
    if len(modes) < 2:
        return []
    by = {mode: [report.name for report in one.reports if report.mode == mode] for mode in modes}
    text = f"runs of {' and '.join(modes)} share this document: the first to trigger latches out the others"
    return [_finding("PG026", one, text, **{mode: ", ".join(names) for mode, names in by.items()})]


def _times(documents: Sequence[Completed]) -> list[Finding]:
    """Find times that name no moment.

    There is one finding for each form, since times of one form come from one writer.
    """
    places: dict[Form, list[str]] = {}
    for one in documents:
        for name, moment in [("_triggered_at", one.triggered_at), *((r.spelled, r.completed) for r in one.reports)]:
            if moment.form in BAD_FORMS:
                places.setdefault(moment.form, []).append(f"{one.subject} {name}")
    return [
        Finding(code="PG019", subject=f"{count(len(found), 'time')}, {form}", cause=f"times:{form}", command=IMPORT,
                text=f"no moment is named by: {_listed(found)}", evidence={"where": ", ".join(found[:50])})
        for form, found in sorted(places.items())
    ]  # fmt: skip


def _handed_on(documents: Sequence[Completed], *, now: float) -> list[Finding]:
    """Find triggers without a document of the next phase.

    Only if the next phase has documents of other dates.
    """
    have: dict[str, set[str]] = {}
    for one in documents:
        have.setdefault(one.collection, set()).add(one.date)
    found = []
    for one in documents:
        after = next_phase(one.collection, have)
        old = one.last_at is None or now - one.last_at > UNDER_WAY_S
        if after and one.triggered and old and one.date and one.date not in have[after]:
            text = f"triggered, and {after} has no document of {one.date}: the next phase never reported"
            found.append(_finding("PG004", one, text))
    return found


def next_phase(collection: str, have: Iterable[str]) -> str | None:
    """Return the collection of the next phase, such as ``phase4_completion``.

    It is the name with its only digit increased, if ``have`` has it.
    """
    digits = "".join(letter for letter in collection if letter.isdigit())
    if len(digits) != 1:
        return None
    other = collection.replace(digits, str(int(digits) + 1))
    return other if other in have else None


def quiet_dates(dates: Iterable[str], *, busy: Iterable[str] = ()) -> list[str]:
    """Return the dates within the span of ``dates`` that it and ``busy`` lack.

    >>> quiet_dates(["2026-02-01", "2026-02-04"], busy=["2026-02-02"])
    ['2026-02-03']
    """
    known = sorted({day for day in dates if day})
    if not known:
        return []
    first, days = date.fromisoformat(known[0]), (date.fromisoformat(known[-1]) - date.fromisoformat(known[0])).days
    there = {*known, *busy}
    between = ((first + timedelta(days=n)).isoformat() for n in range(days))
    return [day for day in between if day not in there]


def _finding(code: str, one: Completed, text: str, **evidence: str) -> Finding:
    return Finding(code=code, subject=one.subject, text=text, cause=f"{code}:{one.subject}", since=one.last_at,
                   command=IMPORT, evidence={**evidence, "place": one.place})  # fmt: skip


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - SHOWN_MAX
    return ", ".join(names[:SHOWN_MAX]) + (f" and {rest} more" if rest > 0 else "")


def _are(number: int, one: str, many: str) -> str:
    return f"{number} {one} is" if number == 1 else f"{number} {many} are"


def _hours(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"
