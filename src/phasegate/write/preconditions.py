"""The writer's checks inside its transaction, on counts and stamps.

Pure: each check is given what was read, and returns or raises.
"""

from collections.abc import Mapping

from phasegate.base.fingerprint import rows_of
from phasegate.base.receipt import ABSENT, Fence, Part, Staged, Stamp
from phasegate.base.table import Table
from phasegate.errors import BadInput, Fenced, ForeignStore, Partial, PhasegateError

VERSION_AHEAD_MAX_S = 3600.0
UNKNOWN_HOLDER = "was written by a copy of this store, or after the backup that this store was restored from"


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
    for count, complaint in complaints:
        if count:
            raise BadInput(f"{where}: {count} of {staged.rows} rows {complaint}")


def check_shrink(*, rows: int, present: int, part: Part, shrink_max: float) -> None:
    """Raise Partial if a partition would lose more than ``shrink_max``.

    ``shrink_max``: the fraction of its rows that a replacement may lose.
    """
    if present and (present - rows) / present > shrink_max:
        raise Partial(
            f"{part.table}/{part.partition} would shrink from {present} to {rows} rows, more than {shrink_max:.0%}; "
            "if that is right, run: phasegate redrive RUN --step STEP --force"
        )
