"""The writer's checks on counts and stamps, and why a write was refused.

Pure: each is given what was read, and returns or raises.
"""

from collections.abc import Mapping, Sequence

from phasegate.base.fingerprint import rows_of
from phasegate.base.keys import Run
from phasegate.base.receipt import ABSENT, Fence, Part, Staged, Stamp
from phasegate.base.table import Dependency, Disagreement, Table, unequal
from phasegate.base.wording import count
from phasegate.errors import BadInput, Fenced, ForeignStore, Partial, PhasegateError
from phasegate.plan.model import Step, Total
from phasegate.warehouse import Shrunk, Sums

VERSION_AHEAD_MAX_S = 3600.0
UNKNOWN_HOLDER = "was written by a copy of this store, or after the backup that this store was restored from"
VALUES_MAX = 5


def changed_inputs(asked: Mapping[str, Stamp], now: Mapping[str, Stamp]) -> tuple[str, ...]:
    """Return the inputs whose content is no longer the requested one.

    An input requested as ``absent`` has not changed while its partition is empty.
    """
    return tuple(name for name in sorted(asked) if not _unchanged(asked[name], now.get(name, ABSENT)))


def _unchanged(asked: Stamp, now: Stamp) -> bool:
    if asked.fingerprint == now.fingerprint:
        return True
    return asked == ABSENT and rows_of(now.fingerprint) == 0


def written_since(before: Mapping[str, Stamp], now: Mapping[str, Stamp]) -> tuple[str, ...]:
    """Return the inputs written since a ``python`` step took their stamps.

    A write of the same content counts: its token differs.
    """
    return tuple(name for name in sorted(before) if before[name] != now.get(name, ABSENT))


def refusal(part: Part, *, fence: Fence | None, token: int, store_id: str) -> PhasegateError:
    """Return why no fence row could be changed.

    Either another store's id is in it, or a newer token, or a holder that this store does not know, or there is no row
    at all.
    """
    resource = f"{part.table}/{part.partition}"
    if fence is None:
        return PhasegateError(f"{resource} has no fence row; it is created before a write: run the step again")
    if fence.store_id != store_id:
        return ForeignStore(resource, found=f"is fenced by store {fence.store_id}, this is store {store_id}")
    if fence.token > token:
        return Fenced(resource, token, fence.token)
    return ForeignStore(resource, found=UNKNOWN_HOLDER)


def check_staged(staged: Staged, *, table: Table, part: Part) -> None:
    """Raise BadInput for staged rows that must not be written."""
    where = f"{part.table}/{part.partition}"
    complaints = (
        (staged.outside, f"have another {table.partition} than {part.partition}: select the run's own rows only"),
        (staged.null_keys, f"have no value in the key ({', '.join(table.key)}): filter or repair them"),
        (staged.null_versions, f"have no {table.version}: every row of a merge needs its version"),
        (staged.future_versions, f"have a {table.version} more than an hour ahead: check the source's clock and zone"),
        (staged.not_finite, "hold NaN or infinity: write NULL instead"),
    )
    for wrong, complaint in complaints:
        if wrong:
            raise BadInput(f"{where}: {wrong} of {staged.rows} rows {complaint}")


def disagreeing(dependency: Dependency, found: Sequence[Disagreement], *, step: Step, run: Run) -> Partial:
    """Return why a partition that gives one key several values is not written."""
    assert step.table is not None
    one = found[0]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    elsewhere = [date for date in one.partitions if date != run.date]
    fix = "correct its rows, and write them again"
    if elsewhere:
        fix = f"if {run.date} is right, write {' and '.join(elsewhere)} again without it, then this date again: "
        fix += write_command(step, run._replace(date=elsewhere[0]))
    return Partial(
        f"{step.table.name}/{run.date}: {disagreement_text(dependency, one)}{more}, which the plan excludes "
        f"({dependency.text}); {fix}"
    )


def disagreement_text(dependency: Dependency, one: Disagreement) -> str:
    """Return in words which key has which values.

    >>> one = Disagreement(key=("7",), values=("2026-02-03", "2026-02-05"), partitions=())
    >>> disagreement_text(Dependency(("game_id",), "game_date"), one)
    'game_id 7 has game_date 2026-02-03 and 2026-02-05'
    """
    key = ", ".join(f"{column} {cell}" for column, cell in zip(dependency.columns, one.key, strict=True))
    return f"{key} has {dependency.determined} {' and '.join(one.values[:VALUES_MAX])}"


def write_command(step: Step, run: Run, *, last: str = "") -> str:
    """Return what to type to have a step's partition written again.

    ``last``: up to this date, where one command does it.
    """
    if step.kind == "external":
        return f"phasegate begin {run} --step {step.name} -- COMMAND"
    if step.kind == "command":  # a fresh one is run again only if it is named
        return f"phasegate backfill --from {run.date} --to {last or run.date} --steps {step.name}"
    return f"phasegate backfill --from {run.date} --to {last or run.date}"


def total_text(total: Total, group: tuple[str, ...], *, ours: Sums, theirs: Sums) -> str:
    """Return in words which sums of a group differ."""
    where = ", ".join(f"{column} {cell}" for column, cell in zip(total.by, group[1:], strict=True))
    return f"the {total.column} of {where} are {ours[group]}, and {theirs[group]} in {total.step}.{total.other}"


def unequal_sums(total: Total, *, ours: Sums, theirs: Sums, part: Part) -> Partial:
    """Return why a partition with other sums than the rule's is refused."""
    differ = unequal(ours, theirs)
    more = f" (and {len(differ) - 1} more)" if len(differ) > 1 else ""
    return Partial(
        f"{part.table}/{part.partition}: {total_text(total, differ[0], ours=ours, theirs=theirs)}{more}, which the "
        f"plan excludes ({total.text}); correct the rows that both are built from"
    )


def shrunk(found: Shrunk, *, step: Step, run: Run) -> Partial:
    """Return why a partition that would lose too many rows is refused."""
    assert step.table is not None
    return Partial(
        f"{step.table.name}/{run.date} would shrink from {found.present} to {count(found.rows, 'row')}, more than "
        f"{step.shrink_max:.0%}; if that is right, run: phasegate redrive {run} --step {step.name} --force"
    )
