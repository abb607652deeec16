import hashlib
import os
import shutil
import signal
import threading
from pathlib import Path

import pytest

from phasegate.cli.commands import backfill
from tests.support.command_days import FORM, PLAN, Days, day
from tests.support.commands import Done

BOTH = [f"{day(4)}.overnight analytics", f"{day(4)}.same_day analytics"]


class Killed(BaseException):
    """The process is gone: nothing after it runs."""


def fill(days: Days, first: int, last: int, *options: str) -> Done:
    return days("backfill", "--from", day(first), "--to", day(last), *options)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drifted") / "state"


@pytest.fixture
def drifted(days: Days, kept: Path) -> Days:
    """Give four dates, of which the first has changed after the third was built: played once, and copied."""
    if not kept.exists():
        days.play(1, 2, 4, 8)
        days.gamebook(1, 101)
        days.work()
        shutil.copytree(days.file(".phasegate"), kept)
    else:
        shutil.copytree(kept, days.file(".phasegate"), dirs_exist_ok=True)
    return days


def digest(days: Days) -> dict[str, str]:
    state = days.file(".phasegate")
    return {
        f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in state.iterdir() if f.suffix in {".db", ".duckdb"}
    }


def test_a_drift_is_a_finding_that_names_its_command(drifted: Days) -> None:
    done = drifted("status")
    assert done.code == 1
    command = f"phasegate backfill --from {day(3)} --to {day(3)} --mode overnight --cascade"
    assert f"{day(3)}.overnight  analytics  complete  1             08:12, 0 s  {command}\n" in done.out
    assert done.out.endswith(
        f"4 phases built before earlier dates changed: phasegate backfill --from {day(3)} --to {day(4)} --cascade\n"
    )
    why = drifted("why", f"{day(3)}.overnight", "--phase", "analytics")
    assert why.code == 1
    assert f"  generation 1 is fresh and handed on; built before {day(1)} changed\n" in why.out
    assert f"  next: {command}\n" in why.out
    assert drifted("why", f"{day(3)}.overnight", "--json").json["phases"][1]["drifted"] == [day(1)]


def test_cascade_builds_in_what_drifted_and_the_finding_is_gone(drifted: Days) -> None:
    assert drifted.form() == {day(1): None, day(2): 101, day(3): 3, day(4): 7}
    done = fill(drifted, 1, 4, "--cascade")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "run                   phase      why                       no data from\n"
        f"{day(3)}.same_day   analytics  window changed on 1 date  -\n"
        f"{day(3)}.overnight  analytics  window changed on 1 date  -\n"
        f"{day(4)}.same_day   analytics  window changed on 1 date  -\n"
        f"{day(4)}.overnight  analytics  window changed on 1 date  -\n"
        "\n"
        "4 runs brought up to date.\n"
        "4 triggers held back; to send those of a run: phasegate redrive RUN\n"
    )
    assert drifted.form() == {day(1): None, day(2): 101, day(3): 103, day(4): 107}
    assert drifted("status").code == 0
    assert fill(drifted, 1, 4, "--cascade").out == "Every date is up to date; nothing to do.\n"


def test_without_cascade_a_drift_is_named_and_left(drifted: Days) -> None:
    done = fill(drifted, 1, 4)
    assert done.code == 0
    assert done.out == "4 phases built before earlier dates changed, and not rebuilt: --cascade rebuilds them\n"
    assert drifted.form()[day(4)] == 7


def test_a_dry_run_changes_not_a_byte(drifted: Days) -> None:
    before = digest(drifted), drifted.night.documents()
    done = fill(drifted, 1, 6, "--cascade", "--steps", "points", "--dry-run")
    assert "window changed on 1 date" in done.out
    assert f"{day(2)}.overnight  analytics  rebuilt: points" in done.out
    assert f"{day(6)}.overnight  raw        -" in done.out
    assert "6 runs to be brought up to date.\n" in done.out
    assert done.code == 1, "dates 5 and 6 have no data"
    assert (digest(drifted), drifted.night.documents()) == before


def test_a_date_without_data_is_named_with_its_steps(days: Days) -> None:
    days.play(1)
    done = fill(days, 1, 2, "--mode", "overnight")
    assert (done.code, done.err) == (1, "")
    assert done.out == (
        "run                   phase  why  no data from\n"
        "2026-02-02.overnight  raw    -    gamebook, odds\n"
        "\n"
        "0 runs brought up to date.\n"
        "1 run without data of a step: load it, then report it: phasegate complete STEP --run RUN\n"
    )
    document = fill(days, 1, 2, "--mode", "overnight", "--json").json
    assert document["runs"] == [
        {"run": f"{day(2)}.overnight", "phase": "raw", "reasons": [], "lacking": ["gamebook", "odds"]},
    ]  # fmt: skip
    assert document["unsettled"] == []
    assert (document["dry_run"], document["errors"], document["stopped_by"]) == (False, [], None)


def test_what_was_written_and_never_reported_is_taken_over(days: Days) -> None:
    days.play(1, 2)
    days.file(".phasegate/phasegate.db").unlink()
    assert days("adopt", "--yes").code == 0
    assert fill(days, 1, 2, "--mode", "overnight").code == 0
    assert days.phases(state="complete") == [f"{day(n)}.overnight {p}" for n in (1, 2) for p in ("raw", "analytics")]
    assert days.form() == {day(1): None, day(2): 1}


def test_steps_are_built_anew_whatever_they_hold(days: Days) -> None:
    days.play(1, 2)
    document = fill(days, 2, 2, "--steps", "points,form", "--json").json
    assert [(item["run"], item["reasons"]) for item in document["runs"]] == [
        (f"{day(2)}.overnight", ["rebuilt: points, form"]),
    ]
    (phase,) = days("why", f"{day(2)}.overnight", "--phase", "analytics", "--json").json["phases"]
    assert {member["name"]: member["token"] for member in phase["members"]}["points"] == 2
    assert phase["generation"] == 1, "the same rows again: nothing fires"


def test_code_that_has_changed_is_built_on_every_date_of_the_span(days: Days) -> None:
    days.play(1, 2, 4)
    days.file("form.sql").write_text(FORM.replace("AS points\n", "+ 1000 AS points\n"))
    assert fill(days, 1, 2).code == 0
    assert days.form() == {day(1): None, day(2): 1001, day(3): 3}
    assert "plan changed" in fill(days, 1, 3, "--dry-run").out
    assert fill(days, 1, 3).code == 0
    assert days.form()[day(3)] == 1003


def test_a_quiet_backfill_holds_triggers_for_others_back_and_redrive_sends_them(drifted: Days) -> None:
    done = fill(drifted, 4, 4, "--cascade", "--json")
    assert done.json["held"] == [{"run": f"{day(4)}.overnight", "receiver": "audit"},
                                 {"run": f"{day(4)}.same_day", "receiver": "audit"}]  # fmt: skip
    run = f"{day(4)}.overnight"
    assert drifted.receivers(run) == ["acked", "held"]
    assert "    held back for audit by a quiet backfill\n" in drifted("why", run).out
    assert drifted("status").code == 1, "date 3 has drifted still"
    assert drifted("dead").code == 0
    again = drifted("redrive", run)
    assert again.out == f"held trigger audit of {run}\n1 trigger no longer held back.\n"
    drifted.work()
    assert drifted.receivers(run) == ["acked", "acked"]
    assert drifted("redrive", run).out == f"Nothing is dead in {run}; nothing to bring back.\n"
    other = drifted("redrive", f"{day(4)}.same_day", "--step", "audit", "--json").json
    assert other == {"redriven": [{"kind": "held", "subject": "audit", "run": f"{day(4)}.same_day"}]}


def test_a_run_that_was_filled_quietly_is_loud_again_afterwards(drifted: Days) -> None:
    fill(drifted, 4, 4, "--cascade")
    drifted.odds(4, mode="overnight", line=21.5)
    drifted.work()
    assert drifted.receivers(f"{day(4)}.overnight") == ["acked", "superseded", "acked"]


def test_retrigger_tells_receivers_outside_the_plan(drifted: Days) -> None:
    done = fill(drifted, 4, 4, "--cascade", "--retrigger", "--json")
    assert done.json["held"] == []
    assert drifted.receivers(f"{day(4)}.overnight") == ["acked", "acked"]


def bar_that(hears: list[str], act: object) -> object:
    """Return a progress bar that acts once, when the first date is done."""

    def bar(number: int, total: int, date: str) -> None:
        del number, total
        hears.append(date)
        if callable(act) and len(hears) == 1:
            act()

    return bar


def builds(days: Days) -> list[int]:
    """Return how often each date of the step points was written."""
    with days.night.pipeline() as pipeline:
        rows = pipeline.query("SELECT partition, count(*) AS n FROM phasegate.receipts "
                              "WHERE step = 'points' GROUP BY 1 ORDER BY 1")  # fmt: skip
    return [int(str(row["n"])) for row in rows]


def test_a_backfill_that_was_killed_goes_on_after_the_last_date_that_it_did(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    days.play(1, 2, 4)
    heard: list[str] = []

    def kill() -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(backfill, "_bar", bar_that(heard, kill))
        with pytest.raises(Killed):
            fill(days, 1, 3, "--steps", "points")
    assert heard == [day(1)]
    assert builds(days) == [2, 1, 1]
    assert fill(days, 1, 3, "--steps", "points").code == 0
    assert builds(days) == [2, 2, 2]
    assert fill(days, 1, 3, "--steps", "points").code == 0
    assert builds(days) == [3, 3, 3], "when all are done, the same order is a new one"


def test_a_backfill_that_is_told_to_stop_finishes_its_unit_and_says_how_to_go_on(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    days.play(1, 2, 4)
    assert threading.current_thread() is threading.main_thread()
    with monkeypatch.context() as patched:
        patched.setattr(backfill, "_bar", bar_that([], lambda: os.kill(os.getpid(), signal.SIGTERM)))
        done = fill(days, 1, 3, "--steps", "points")
    assert done.code == 1
    assert done.err.endswith("phasegate: stopped before the end; run the same command again to continue\n")
    assert "brought up to date" not in done.out
    assert builds(days) == [2, 1, 1]
    done = fill(days, 1, 3, "--steps", "points", "--json")
    assert (done.code, done.json["stopped_by"], done.json["unsettled"]) == (0, None, [])
    assert builds(days) == [2, 2, 2]


def test_a_run_that_does_not_come_to_rest_is_named(days: Days) -> None:
    days.play(1, 2)
    days.file("form.sql").write_text("SELECT nope FROM nba_raw.odds")
    done = fill(days, 2, 2)
    assert done.code == 1
    assert "0 runs brought up to date.\n" in done.out
    assert f"not settled: analytics of {day(2)}.overnight is dead: form: SQL for table" in done.out
    days.file("form.sql").write_text(FORM)
    done = fill(days, 2, 2)
    assert (done.code, days.phases(state="dead")) == (0, [])


def test_a_worker_that_dies_ends_the_backfill_and_is_told(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_self: object) -> bool:
        raise LookupError("a fault")

    days.play(1)
    monkeypatch.setattr("phasegate.work.worker.Worker.work", die)
    done = fill(days, 1, 1, "--steps", "form", "--json")
    assert done.code == 2
    assert "phasegate: worker 1 failed: LookupError: a fault\n" in done.err
    assert done.json["errors"] == ["worker 1 failed: LookupError: a fault"]


def test_several_workers_reach_the_same_end(drifted: Days) -> None:
    assert fill(drifted, 1, 4, "--cascade", "--workers", "4").code == 0
    assert drifted.form() == {day(1): None, day(2): 101, day(3): 103, day(4): 107}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--steps", "pionts"), "backfill: unknown step 'pionts'; the plan has gamebook, odds, points, form"),
        (("--steps", "gamebook"), "backfill: step gamebook is external; its owner must report it again"),
        (("--mode", "night"), "backfill: unknown mode 'night'; the plan has same_day, overnight"),
        (("--to", "2026-01-01"), "backfill: --from 2026-02-01 is after --to 2026-01-01; swap them"),
        (("--to", "2040-01-01"), "backfill: 2026-02-01 to 2040-01-01 is more than 4000 days; do it in parts"),
        (("--to", "tomorrow"), "date 'tomorrow': write YYYY-MM-DD, for example 2026-02-03"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_refused_before_anything_is_done(
    days: Days, arguments: tuple[str, ...], error: str
) -> None:
    done = days("backfill", "--from", day(1), "--to", day(2), *arguments)
    assert (done.code, done.out, done.err) == (2, "", f"phasegate: {error}\n")
    assert days("status").out in ("", "No run yet. Open one: phasegate begin RUN\n")


def test_a_calendar_says_which_dates_are_filled_and_an_unknown_one_is_refused(days: Days) -> None:
    days.file("plan.toml").write_text(PLAN.replace("cascade_days", 'calendar = "cli_given_dates:dates"\ncascade_days'))
    days.file("cli_given_dates.py").write_text(
        "from datetime import timedelta\nfrom phasegate import CalendarDay\n\n\ndef dates(first, last):\n"
        "    for n in range((last - first).days + 1):\n"
        "        day = (first + timedelta(days=n)).isoformat()\n"
        "        if day < '2026-02-05':\n"
        "            yield CalendarDay(date=day, state='none' if day == '2026-02-02' else 'work')\n"
    )
    done = fill(days, 1, 6)
    assert (done.code, done.out) == (2, "")
    assert done.err == ("phasegate: backfill: the calendar has no answer for 2026-02-05, 2026-02-06; "
                        "fix its source, or choose other dates\n")  # fmt: skip
    runs = fill(days, 1, 4, "--dry-run", "--json").json["runs"]
    assert [item["run"] for item in runs] == [f"{day(n)}.overnight" for n in (1, 3, 4)]
