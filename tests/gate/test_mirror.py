"""The platform's document of a run: derived, kept up to date, brought back when a write of it was lost."""

import contextlib

import pytest

from phasegate.base.exported import Exported, documents
from phasegate.base.findings import listed
from phasegate.base.keys import Run
from phasegate.interop.doctor import Doctor
from phasegate.store import Doc
from phasegate.stores.memory import MemoryStore
from tests.support.pipelines import DAY, PLAN, Shop, load, settle, shop

MIRRORED = PLAN.replace("[phase.load]\n", '[phase.load]\nmirror = "phase2_completion/{game_date}"\n')
AT = "2026-02-02T02:40:00.000000+00:00"
KEY = f"mirror:shop:phase2_completion:{DAY}"


def run(mode: str = "daily") -> Run:
    return Run(DAY, mode)


def mirror(made: Shop) -> Doc:
    doc = made.store.read(KEY)
    assert doc is not None
    return doc


def data(made: Shop) -> dict[str, object]:
    body = mirror(made).body["data"]
    assert isinstance(body, dict)
    return body


def test_old_readers_see_the_member_the_count_and_the_trigger() -> None:
    made = shop(plan=MIRRORED)
    load(made, 1, 2)
    entry = data(made)["orders"]
    assert isinstance(entry, dict)
    phase = made.pipeline.runs.read("load", run())
    assert phase is not None
    result = phase.result_of("orders")
    assert result is not None
    assert entry == {
        "completed_at": AT, "status": "success", "record_count": 2, "correlation_id": str(run()),
        "execution_id": result.write_id,
    }  # fmt: skip
    assert {name: value for name, value in data(made).items() if name.startswith("_")} == {
        "_completed_count": 1, "_triggered": True, "_triggered_at": AT, "_trigger_reason": "all_complete",
        "_last_update": AT, "_mode": "daily",
    }  # fmt: skip
    assert mirror(made).body["path"] == f"phase2_completion/{DAY}"


def test_a_run_that_waits_is_not_triggered_and_a_change_is_seen() -> None:
    made = shop(plan=MIRRORED)
    made.pipeline.runs.open("load", run())
    assert (data(made)["_completed_count"], data(made)["_triggered"]) == (0, False)
    load(made, 1, 2)
    made.clock.at += 60
    load(made, 1, 2, 3)
    assert data(made)["_triggered_at"] == "2026-02-02T02:41:00.000000+00:00"


def test_the_same_again_writes_nothing() -> None:
    made = shop(plan=MIRRORED)
    load(made, 1, 2)
    before = mirror(made).version
    made.pipeline.runs.flush(str(mirror(made).body["of"]))
    assert mirror(made).version == before


def test_a_mirror_write_that_was_lost_is_made_up_for_by_the_sweep() -> None:
    class Loses(MemoryStore):
        """Refuses the mirror's writes while ``losing``: as if killed before each."""

        losing = False

        def write(self, key: str, *args: object, **kwargs: object) -> str:
            if self.losing and key.startswith("mirror:"):
                raise KeyboardInterrupt
            return super().write(key, *args, **kwargs)  # type: ignore[arg-type]

    store = Loses()
    made = shop(plan=MIRRORED, store=store)
    made.pipeline.runs.open("load", run())
    store.losing = True
    with contextlib.suppress(KeyboardInterrupt):
        load(made, 1, 2)
    store.losing = False
    assert data(made)["_completed_count"] == 0
    settle(made, until_s=2 * 3600)
    assert (data(made)["_completed_count"], data(made)["_triggered"]) == (1, True)


def test_it_is_never_read_back_and_heals_when_somebody_edits_it() -> None:
    made = shop(plan=MIRRORED)
    load(made, 1, 2)
    doc = mirror(made)
    good = data(made)
    edited = {**doc.body, "data": {"_completed_count": 5, "_triggered": False}}
    made.store.write(KEY, edited, due=doc.due, expect=doc.version)
    settle(made, until_s=25 * 3600)
    assert data(made) == good


def test_after_two_weeks_nobody_looks_again() -> None:
    made = shop(plan=MIRRORED)
    load(made, 1, 2)
    settle(made, until_s=16 * 24 * 3600)
    assert mirror(made).due is None


def test_one_of_a_path_that_the_plan_no_longer_has_is_settled() -> None:
    made = shop(plan=MIRRORED)
    load(made, 1, 2)
    renamed = shop(
        plan=MIRRORED.replace("phase2_completion", "other"),
        store=made.store,
        warehouse=made.warehouse,
        clock=made.clock,
    )
    settle(renamed, until_s=25 * 3600)
    assert mirror(made).due is None
    other = made.store.read(f"mirror:shop:other:{DAY}")
    assert other is not None
    assert other.body["data"] == data(made)


def test_without_a_mode_in_its_path_it_is_the_first_mode_s_document() -> None:
    modes = 'modes.overnight = { expect = "*" }\nmodes.same_day = { expect = "*" }\n'
    made = shop(plan=MIRRORED.replace("[phase.load]\n", f"[phase.load]\n{modes}"))
    for mode in ("same_day", "overnight"):
        made.pipeline.runs.open("load", run(mode))
    assert [doc.key for doc in made.store.scan("mirror:", limit=10)] == [KEY]
    assert data(made)["_mode"] == "overnight"


def test_with_a_mode_in_its_path_each_mode_has_its_own() -> None:
    modes = 'modes.overnight = { expect = "*" }\nmodes.same_day = { expect = "*" }\n'
    plan = MIRRORED.replace("[phase.load]\n", f"[phase.load]\n{modes}").replace("{game_date}", "{game_date}_{mode}")
    made = shop(plan=plan)
    for mode in ("same_day", "overnight"):
        made.pipeline.runs.open("load", run(mode))
    found = [doc.key.rpartition(":")[2] for doc in made.store.scan("mirror:", limit=10)]
    assert found == [f"{DAY}_overnight", f"{DAY}_same_day"]


def test_the_doctor_has_nothing_to_say_of_it() -> None:
    made = shop(plan=MIRRORED)
    load(made, 1, 2)
    made.clock.at += 24 * 3600
    (document,) = documents(dict(mirror(made).body), place=KEY)
    assert isinstance(document, Exported)
    assert document.collection == "phase2_completion"
    assert listed(Doctor(made.clock).examine([document], None, days=7).outcomes) == []


def test_a_plan_without_one_has_none() -> None:
    made = shop()
    load(made, 1, 2)
    assert made.store.scan("mirror:", limit=10) == []


@pytest.mark.parametrize(("waited_s", "is_due"), [(14 * 86400.0, True), (14 * 86400.0 + 1, False)])
def test_for_two_weeks_from_the_opening_it_is_looked_at_again(waited_s: float, *, is_due: bool) -> None:
    made = shop(plan=MIRRORED)
    made.pipeline.runs.open("load", run())
    made.clock.at += waited_s
    made.pipeline.runs.mirror.look(KEY)
    assert (mirror(made).due is not None) is is_due
