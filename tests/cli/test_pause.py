import pytest

from tests.support.command_days import Days, day
from tests.support.commands import RUN, Night


def test_a_paused_run_records_what_comes_and_fires_when_it_is_resumed(night: Night) -> None:
    done = night("pause", RUN, "--reason", "the source is in repair")
    assert (done.code, done.err) == (0, "")
    assert done.out == "".join(
        f"{phase} of {RUN}: paused.\n" for phase in ("raw", "analytics", "precompute")
    ) + f"next: phasegate pause {RUN} --resume\n"  # fmt: skip
    night.scrape(10)
    night("complete", "odds", "--run", RUN)
    night("worker", "--until-idle")
    status = night("status")
    assert status.code == 0
    assert "raw         paused" in status.out
    why = night("why", RUN).out
    assert "raw: paused since 08:12, 0 s\n  the source is in repair\n" in why
    assert f"phasegate pause {RUN} --resume" in why
    assert night("pause", RUN, "--resume").out.endswith("next: phasegate worker --until-idle\n")
    night("worker", "--until-idle")
    assert night("status", "--json").json["counts"] == {"complete": 2, "waiting": 1}


def test_one_phase_is_held_while_the_others_go_on(night: Night) -> None:
    assert night("pause", RUN, "--phase", "analytics", "--json").json == {"run": RUN, "paused": ["analytics"]}
    night.scrape(10)
    night("complete", "odds", "--run", RUN)
    night("worker", "--until-idle")
    states = {phase["phase"]: phase["state"] for phase in night("status", "--json").json["phases"]}
    assert states == {"raw": "complete", "analytics": "paused"}
    assert "paused by hand" in night("why", RUN).out
    assert night("pause", RUN, "--resume", "--json").json == {"run": RUN, "resumed": ["analytics"]}


def test_nothing_is_resumed_where_nothing_is_held(night: Night) -> None:
    expected = f"{RUN}: no phase is paused; nothing to resume.\n"
    assert night("pause", RUN, "--resume").out == expected
    night("begin", RUN)
    assert night("pause", RUN, "--resume").out == expected


def test_the_modes_of_a_date_are_held_one_by_one(days: Days) -> None:
    days("pause", f"{day(1)}.overnight")
    days.odds(1)
    days.work()
    assert days.phases(state="complete") == [f"{day(1)}.same_day raw", f"{day(1)}.same_day analytics"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((RUN, "--phase", "nope"), "pause: unknown phase 'nope' in mode overnight; it has raw, analytics, precompute"),
        ((RUN, "--resume", "--reason", "x"), "pause: --reason is for pausing, not for --resume; leave it out"),
        (("2026-02-03.daily",), "run '2026-02-03.daily': unknown mode 'daily'; the plan has overnight"),
    ],
)
def test_what_cannot_be_held_is_refused(night: Night, arguments: tuple[str, ...], error: str) -> None:
    done = night("pause", *arguments)
    assert (done.code, done.out, done.err) == (2, "", f"phasegate: {error}\n")
