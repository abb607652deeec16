"""What a phase's document looks like in the platform's layout, for readers who know only that. Pure.

One entry per member with a result, a count of exactly these, and whether the phase has fired. It is derived whole,
and never read back: Phasegate's own documents hold the truth.
"""

from datetime import UTC, datetime

from phasegate.core.keys import Run
from phasegate.core.phase import Phase
from phasegate.core.platform import COUNT, MODE, TRIGGERED, TRIGGERED_AT


def platform_body(phase: Phase, *, run: Run) -> dict[str, object]:
    """Return the completion document of a run of a phase."""
    entries: dict[str, object] = {}
    for name in phase.gate.expect:
        result = phase.result_of(name)
        if result is None:
            continue
        entries[name] = {
            "completed_at": iso(result.at), "status": result.status, "rows": result.rows,
            "execution_id": result.write_id or result.stamp.fingerprint,
        }  # fmt: skip
    fired = phase.firings[-1] if phase.firings else None
    return {
        **entries,
        COUNT: len(entries),
        TRIGGERED: fired is not None,
        TRIGGERED_AT: None if fired is None else iso(fired.at),
        MODE: run.mode,
    }


def iso(at: float, /) -> str:
    """Return a moment as the platform spells it.

    >>> iso(1770185520.5)
    '2026-02-04T06:12:00.500000+00:00'
    """
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")
