"""The fixes of findings: for each the commands that cause what is missing. Pure.

No fix sets a flag: each is a command that a worker, a sweeper or an operator could have given. Findings that only a
person can fix have none.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias, get_args

import msgspec
from msgspec.structs import replace

from phasegate.base.findings import Finding

# In the order in which they are applied: the store first, then what was written, then what follows from it.
Verb = Literal[
    "adopt", "ask", "derive", "resend", "rescue", "replan", "report", "deduplicate", "rebuild", "refresh", "evaluate",
    "begin", "redrive", "mirror",
]  # fmt: skip
VERBS: tuple[Verb, ...] = get_args(Verb)
WORDS: dict[Verb, str] = {
    "adopt": "make this store the one that the warehouse obeys",
    "ask": "ask the calendar's source about {place}",
    "derive": "derive {place} from the documents of its runs",
    "resend": "send {place} again",
    "rescue": "take the lease {place}, and report what its holder left",
    "replan": "pin the present plan to {place}",
    "report": "report {place} from what the warehouse holds",
    "deduplicate": "keep the newest row of each key of {place}",
    "rebuild": "build {place} again",
    "refresh": "read the windows of {place} again",
    "evaluate": "evaluate {place}, and send what is due",
    "begin": "begin {place} by the trigger that was lost",
    "redrive": "retry what is dead in {place}",
    "mirror": "write the old readers' document of {place} again",
}


class Fix(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One command.

    ``date``: "" if it concerns no single date. ``key``: of a document, or the name of a receiver.
    """

    date: str
    verb: Verb
    phase: str = ""
    run: str = ""
    step: str = ""
    key: str = ""
    generation: int = 0

    @property
    def text(self) -> str:
        """Return the command in words."""
        where = f"{self.phase} of {self.run}" if self.run else self.key or self.date
        place = f"{self.run or self.date} {self.phase}.{self.step}" if self.step else where
        if self.verb == "begin":
            place = f"{self.key} of {self.run}"
        return WORDS[self.verb].format(place=place)


Evidence: TypeAlias = Mapping[str, str]
_Fixes: TypeAlias = Callable[[Fix, Evidence], Iterable[Fix]]


def fixes_of(finding: Finding) -> tuple[Fix, ...]:
    """Return the commands that fix a finding, () if only a person can."""
    known = _OF.get(finding.code)
    evidence = finding.evidence
    run = evidence.get("run", "")
    fix = Fix(
        date=run.partition(".")[0] or evidence.get("partition", ""), verb="evaluate", phase=evidence.get("phase", ""),
        run=run, step=evidence.get("step", ""),
    )  # fmt: skip
    return () if known is None else tuple(known(fix, evidence))


def fixes_for(findings: Iterable[Finding], *, phases: Sequence[str]) -> list[Fix]:
    """Return the commands that fix these findings, each once, in order.

    Those without a date come first, then the oldest date; within a date by verb, then in the order of ``phases``.
    """
    place = {name: number for number, name in enumerate(phases)}
    fixes = sorted({fix for finding in findings for fix in fixes_of(finding)})
    return sorted(fixes, key=lambda f: (f.date, VERBS.index(f.verb), place.get(f.phase, -1)))


def _run(verb: Verb) -> _Fixes:
    return lambda fix, _evidence: [replace(fix, verb=verb, step="")]


def _key(verb: Verb) -> _Fixes:
    return lambda _fix, evidence: [Fix(date="", verb=verb, key=evidence["key"])]


def _unbegun(fix: Fix, evidence: Evidence) -> Iterator[Fix]:
    """Begin a phase by its trigger; resend other triggers and requests."""
    if evidence.get("ack") == "begin":
        yield replace(fix, verb="begin", step="", key=evidence["receiver"], generation=int(evidence["generation"]))
    else:
        yield replace(fix, step="")


def _other_rows(fix: Fix, evidence: Evidence) -> Iterator[Fix]:
    """Rebuild our own rows, report foreign ones.

    Rows that an external step wrote through the fence have no fix: only their writer can write them again.
    """
    if "guarded" not in evidence:
        yield replace(fix, verb="rebuild" if evidence.keys() & {"write_id", "receipt"} else "report")


def _absent(fix: Fix, evidence: Evidence) -> Iterator[Fix]:
    if "rows" in evidence:  # a run without data would wait for ever, and no longer count as never opened
        yield replace(fix, verb="report", step="")


def _duplicates(fix: Fix, evidence: Evidence) -> Iterator[Fix]:
    """Remove duplicates first: the rebuild may not lose too many rows."""
    if evidence["fix"]:
        yield replace(fix, verb="deduplicate")
    if evidence["fix"] == "rebuild":
        yield replace(fix, verb="rebuild")


def _stale(fix: Fix, evidence: Evidence) -> Iterator[Fix]:
    if evidence["asks"] == "yes":
        yield replace(fix, step="")


def _dead(fix: Fix, evidence: Evidence) -> Iterator[Fix]:
    yield replace(fix, verb="redrive", step="", key=evidence.get("step") or evidence["receiver"])


def _unhandled(fix: Fix, evidence: Evidence) -> Iterator[Fix]:
    if "ledger" in evidence:
        yield Fix(date="", verb="derive", step=evidence["step"], key=evidence["ledger"])
    elif evidence.keys() & {"failures", "key"}:
        yield fix


_OF: Mapping[str, _Fixes] = {
    "PG001": _run("mirror"),
    "PG002": _run("evaluate"),
    "PG003": _run("evaluate"),
    "PG004": _unbegun,
    "PG005": lambda fix, _evidence: [replace(fix, verb="report")],
    "PG006": _other_rows,
    "PG007": _absent,
    "PG008": _key("resend"),
    "PG009": _key("rescue"),
    "PG010": _duplicates,
    "PG012": _stale,
    "PG013": _run("refresh"),
    "PG014": _run("replan"),
    "PG015": _dead,
    "PG016": lambda _fix, _evidence: [Fix(date="", verb="adopt")],
    "PG017": lambda _fix, evidence: [Fix(date="", verb="ask", key=month) for month in evidence["months"].split(", ")],
    "PG019": _unhandled,
}
