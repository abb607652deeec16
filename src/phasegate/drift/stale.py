"""Whether a process is older than what built the tables."""

from collections.abc import Mapping

from phasegate.base.wording import count
from phasegate.build import Build, History, parse_build
from phasegate.plan.model import Plan
from phasegate.warehouse import Reader

SHOWN = 12


def last_builds(plan: Plan, reader: Reader, /, *, first: str, last: str) -> Mapping[str, Build]:
    """Return the build that wrote each table of the dates last.

    Only of tables that Phasegate builds, and of builds that a receipt names.
    """
    found = {}
    for step in plan.steps.values():
        if step.table is None or step.kind == "external":
            continue
        receipts = reader.receipts_between(step.table.name, first=first, last=last).values()
        newest = max(receipts, key=lambda one: (one.committed_at, one.token), default=None)
        if newest is not None and newest.build:
            found[step.table.name] = parse_build(newest.build)
    return found


def warning_of(ours: Build, built: Mapping[str, Build], history: History | None) -> str:
    """Return why a build should not build these tables again, "" for nothing.

    ``built``: the build of each table. ``history``: None without a repository. A build of no known commit is a reason
    only where another one built a table.
    """
    if ours.dirty:
        return f"this process runs changed files, beside commit {ours.commit[:SHOWN]}; commit them first"
    others = {table: build for table, build in built.items() if _code(build) != _code(ours)}
    if not others:
        return ""
    table, other = next(iter(sorted(others.items())))
    commit = history.full(ours.commit) if history is not None and ours.commit else ""
    if history is None or not commit:
        return f"this process runs {ours.text}, whose commit is unknown here, and {table} was built by {other.text}"
    for name, build in sorted(others.items()):
        theirs = history.full(build.commit) if build.commit else ""
        lacks = history.between(commit, theirs) if theirs else ()
        if lacks:
            return (f"this process runs {commit[:SHOWN]}, {count(len(lacks), 'commit')} behind {theirs[:SHOWN]}, "
                    f"which built {name}; update it first")  # fmt: skip
    return ""


def _code(build: Build) -> str:
    return build.commit or build.text
