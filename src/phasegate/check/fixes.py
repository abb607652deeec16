"""Which command causes what a finding misses. Pure: a finding in, an ordinary command with its subject out.

It refuses to set a flag: every mend is something that a worker, a sweeper or an operator could have done. Findings
that only a person can mend have none.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias, get_args

import msgspec
from msgspec.structs import replace

from phasegate.base.findings import Finding

# In the order in which they are done: the store first, then what was written, then what follows from it.
Verb = Literal[
    "adopt", "ask", "resend", "rescue", "replan", "report", "deduplicate", "rebuild", "refresh", "look", "begin",
    "redrive", "mirror",
]  # fmt: skip
VERBS: tuple[Verb, ...] = get_args(Verb)
WORDS: dict[Verb, str] = {
    "adopt": "make this store the one that the warehouse obeys",
    "ask": "ask the calendar's source about {place}",
    "resend": "send {place} again",
    "rescue": "take the lease {place}, and report what its holder left",
    "replan": "pin the present plan to {place}",
    "report": "report {place} from what the warehouse holds",
    "deduplicate": "keep the newest row of each key of {place}",
    "rebuild": "build {place} again",
    "refresh": "read the windows of {place} anew",
    "look": "look at {place}, and send what is due",
    "begin": "begin {place} by the trigger that was lost",
    "redrive": "bring back what is dead in {place}",
    "mirror": "write the old readers' document of {place} again",
}


class Fix(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One command. ``date`` "" where it is of no single date. ``key``: of a document, or the name of a receiver."""

    date: str
    verb: Verb
    phase: str = ""
    run: str = ""
    step: str = ""
    key: str = ""
    generation: int = 0

    @property
    def text(self) -> str:
        """Return it in words."""
        where = f"{self.phase} of {self.run}" if self.run else self.key or self.date
        place = f"{self.run or self.date} {self.phase}.{self.step}" if self.step else where
        if self.verb == "begin":
            place = f"{self.key} of {self.run}"
        return WORDS[self.verb].format(place=place)


Told: TypeAlias = Mapping[str, str]
_Mends: TypeAlias = Callable[[Fix, Told], Iterable[Fix]]


def mends_of(finding: Finding) -> tuple[Fix, ...]:
    """Return the commands that mend a finding, () where a person must."""
    known = _OF.get(finding.code)
    told = finding.evidence
    run = told.get("run", "")
    mend = Fix(
        date=run.partition(".")[0] or told.get("partition", ""), verb="look", phase=told.get("phase", ""), run=run,
        step=told.get("step", ""),
    )  # fmt: skip
    return () if known is None else tuple(known(mend, told))


def plan_of(findings: Iterable[Finding], *, phases: Sequence[str]) -> list[Fix]:
    """Return what mends these findings, each command once.

    What is of no date first, then the oldest date; there by verb, then in the plan's order of ``phases``.
    """
    place = {name: number for number, name in enumerate(phases)}
    mends = sorted({mend for finding in findings for mend in mends_of(finding)})
    return sorted(mends, key=lambda m: (m.date, VERBS.index(m.verb), place.get(m.phase, -1)))


def _run(verb: Verb) -> _Mends:
    return lambda mend, _told: [replace(mend, verb=verb, step="")]


def _key(verb: Verb) -> _Mends:
    return lambda _mend, told: [Fix(date="", verb=verb, key=told["key"])]


def _unbegun(mend: Fix, told: Told) -> Iterator[Fix]:
    """Begin a phase by the trigger itself; send it again to who is outside, and a request to a builder."""
    if told.get("ack") == "begin":
        yield replace(mend, verb="begin", step="", key=told["receiver"], generation=int(told["generation"]))
    else:
        yield replace(mend, step="")


def _other_rows(mend: Fix, told: Told) -> Iterator[Fix]:
    """Build our own again, read foreign ones again; what somebody wrote through the fence he must write again."""
    if "guarded" not in told:
        yield replace(mend, verb="rebuild" if told.keys() & {"write_id", "receipt"} else "report")


def _absent(mend: Fix, told: Told) -> Iterator[Fix]:
    if "rows" in told:  # a run of no data would wait for ever, and say that somebody had opened it
        yield replace(mend, verb="report", step="")


def _duplicates(mend: Fix, told: Told) -> Iterator[Fix]:
    """Remove the surplus first, so that the rebuilt partition does not seem to lose more than it may."""
    if told["mend"]:
        yield replace(mend, verb="deduplicate")
    if told["mend"] == "rebuild":
        yield replace(mend, verb="rebuild")


def _stale(mend: Fix, told: Told) -> Iterator[Fix]:
    if told["asks"] == "yes":
        yield replace(mend, step="")


def _unhandled(mend: Fix, told: Told) -> Iterator[Fix]:
    if "failures" in told:
        yield mend


_OF: Mapping[str, _Mends] = {
    "PG001": _run("mirror"),
    "PG002": _run("look"),
    "PG003": _run("look"),
    "PG004": _unbegun,
    "PG005": lambda mend, _told: [replace(mend, verb="report")],
    "PG006": _other_rows,
    "PG007": _absent,
    "PG008": _key("resend"),
    "PG009": _key("rescue"),
    "PG010": _duplicates,
    "PG012": _stale,
    "PG013": _run("refresh"),
    "PG014": _run("replan"),
    "PG015": lambda mend, told: [replace(mend, verb="redrive", step="", key=told.get("step") or told["receiver"])],
    "PG016": lambda _mend, _told: [Fix(date="", verb="adopt")],
    "PG017": lambda _mend, told: [Fix(date="", verb="ask", key=month) for month in told["months"].split(", ")],
    "PG019": _unhandled,
}
