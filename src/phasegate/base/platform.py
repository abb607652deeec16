"""Field names in the NBA platform's documents and messages.

The only place that spells these names: the platform's documents are read and written with them, Phasegate's own are
not. Other platforms with the same layout use them too. Pure.
"""

import re
from collections.abc import Collection, Mapping

import msgspec

COUNT, TRIGGERED, TRIGGERED_AT, MODE = "_completed_count", "_triggered", "_triggered_at", "_mode"
LAST_UPDATE, TRIGGER_REASON = "_last_update", "_trigger_reason"
GAME_DATE = "game_date"
PROCESSOR, CORRELATION, RECORDS = "processor_name", "correlation_id", "record_count"
SOURCE_TABLE, ANALYSIS_DATE = "source_table", "analysis_date"
STATUSES: Mapping[str, str] = {
    "succeeded": "success", "ok": "success", "complete": "success", "completed": "success", "done": "success",
    "no_data": "empty", "error": "failed", "failure": "failed",
}  # fmt: skip
"""The platform's words for an outcome, where they are not ours."""
NO_DATA = "no_data"
ORDER = "completed_at"
_FIELDS = {RECORDS: "rows", "timestamp": ORDER, "error_message": "error", GAME_DATE: "date"}
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
PLACES = ("{date}", "{game_date}")
"""What stands for a run's date in the path of a mirror: ours, and the platform's."""


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """That a plan takes messages in the platform's form.

    ``processors``: the step of each processor whose name is not that of its step.
    """

    processors: Mapping[str, str] = {}

    def step_of(self, processor: str, /, *, steps: Collection[str]) -> str | None:
        """Return the step that a processor builds, None for an unknown one."""
        name = self.processors.get(processor) or one_name(processor)
        return name if name in steps else None


def own_names(body: Mapping[str, object], /) -> Mapping[str, object]:
    """Return a message's body with our names for the platform's fields.

    A field of ours that is there already stays.
    """
    if GAME_DATE not in body or "date" in body:
        return body
    return {"date" if name == GAME_DATE else name: value for name, value in body.items()}


def at_date(path: str, date: str, /) -> str:
    """Return a mirror's path with a run's date in its place.

    >>> at_date("phase3_completion/{game_date}", "2026-02-03")
    'phase3_completion/2026-02-03'
    """
    for place in PLACES:
        path = path.replace(place, date)
    return path


def one_name(spelled: str, /) -> str:
    """Return a processor's name normalized, the same for all its spellings.

    >>> one_name("PlayerGameSummaryProcessor"), one_name("player_game_summary"), one_name("MLFeatureStoreV2Processor")
    ('player_game_summary', 'player_game_summary', 'ml_feature_store_v2')
    """
    words = re.sub(r"[^A-Za-z0-9]+", "_", _HUMP.sub("_", spelled)).strip("_").lower()
    return words.removesuffix("_processor") or words


def own_completion(body: Mapping[str, object], /, *, step: str) -> dict[str, object]:
    """Return a completion of the platform in our words, of this step.

    Its ``timestamp`` is its order, also if a ``completed_at`` of its delivery stands beside it. What is null is left
    out.

    >>> own_completion({"processor_name": "A", "game_date": "2026-02-03", "record_count": 0, "status": "no_data"},
    ...                step="a")
    {'kind': 'completion', 'step': 'a', 'rows': 0, 'date': '2026-02-03', 'status': 'empty'}
    """
    given = {name: value for name, value in body.items() if value is not None and name not in (PROCESSOR, "kind")}
    theirs = {ours: given.pop(name) for name, ours in _FIELDS.items() if name in given}
    found = {"kind": "completion", "step": step} | theirs | given
    if ORDER in theirs:
        found[ORDER] = theirs[ORDER]
    if isinstance(status := found.get("status"), str):
        found["status"] = STATUSES.get(status.lower(), status.lower())
    return found
