import re

import pytest

from phasegate.base.keys import parse_run
from tests.support.command_days import Days, day
from tests.support.commands import HOUR, RUN, SQL, Night


def test_why_tells_what_each_phase_waits_for_and_what_made_it_fire(night: Night) -> None:
    night.scrape(10)
    night.clock.at += 60
    night("complete", "odds", "--run", RUN, "--rows", "7")
    night.clock.at += 60
    night("worker", "--until-idle")
    night.clock.at += 3 * HOUR
    done = night("why", RUN)
    assert (done.code, done.err) == (0, "")
    assert (
        done.out
        == """\
2026-02-03.overnight, seen at 11:14 America/New_York

raw: complete since 08:13, 3 h
  generation 1 is fresh and handed on
  step      state  since       reason
  gamebook  fresh  08:12, 3 h  success, 10 rows
  odds      fresh  08:13, 3 h  success, 7 rows
  generation 1, 08:13, 3 h ago: everything expected was fresh
    acknowledged by analytics

analytics: complete since 08:14, 3 h
  generation 1 is fresh and handed on
  works on raw generation 1
  step         state  since       reason
  player_game  fresh  08:14, 3 h  success, 10 rows
  generation 1, 08:14, 3 h ago: everything expected was fresh
    acknowledged by precompute

precompute: waiting since 08:14, 3 h
  waiting for report
  works on analytics generation 1
  step    state       since       reason
  report  unreported  08:14, 3 h  not reported yet
  checked again now, or when a report arrives
  next: deliver report of 2026-02-03, then: phasegate complete report --run 2026-02-03.overnight
"""
    )


def test_why_tells_of_late_data_what_it_changed_and_what_is_stale_since(night: Night) -> None:
    night.whole()
    night.clock.at += 8 * HOUR
    night.scrape(12, version=2)
    night.clock.at += 60
    night("worker", "--until-idle")
    out = night("why", RUN).out
    assert "  generation 2, 16:15, 1 min ago: gamebook changed\n" in out
    assert "precompute: waiting since 16:16, 0 s\n" in out
    assert (
        "  report  unreported  16:16, 0 s  stale against analytics.player_game; not reported again yet; "
        "last report 08:15: accepted\n"
    ) in out


def test_why_names_what_is_dead_and_the_command_that_brings_it_back(night: Night) -> None:
    night.whole()
    (night.folder / "player_game.sql").write_text(SQL.replace("points", "nope"))
    night.scrape(12, version=2)
    night.clock.at += 60
    night("worker", "--until-idle")
    done = night("why", RUN, "--phase", "analytics")
    assert done.code == 1
    before, _, log = done.out.partition("  attempt 1 at player_game, 08:16, 0 s ago: SQL for table")
    trace, generation, after = log.partition("  generation 1, ")
    assert "Candidate bindings: " in trace
    assert "LINE 1: " in trace
    assert (
        before + generation + after
        == """\
2026-02-03.overnight, seen at 08:16 America/New_York

analytics: dead since 08:16, 0 s
  something is dead: it is not retried
  works on raw generation 2
  step         state  since       reason
  player_game  dead   08:16, 0 s  stale against raw.gamebook; SQL for table nba_analytics.player_game: Binder Error: \
Referenced column "nope" not found in FROM clause! Candidate bindings: "player", "updated"
  generation 1, 08:14, 2 min ago: everything expected was fresh
    acknowledged by precompute
  checked again at 08:26, in 10 min, or when a report arrives
  next: phasegate redrive 2026-02-03.overnight --step player_game
"""
    )


def test_why_tells_which_phases_nothing_has_reached(night: Night) -> None:
    night("begin", RUN)
    done = night("why", "2026-02-03")
    assert "analytics: not open; it begins when raw fires\n" in done.out
    assert "precompute: not open; it begins when analytics fires\n" in done.out
    assert night("why", RUN, "--json").json["not_open"] == ["analytics", "precompute"]


def test_why_as_json_has_members_and_generations(night: Night) -> None:
    night.whole()
    document = night("why", RUN, "--phase", "analytics", "--json").json
    assert {name: document[name] for name in document if name != "phases"} == {
        "run": RUN,
        "timezone": "America/New_York",
        "now": "2026-02-04T13:15:00Z",
        "not_open": [],
        "errors": [],
    }
    (phase,) = document["phases"]
    assert phase["members"] == [
        {
            "name": "player_game",
            "state": "fresh",
            "reason": "success, 10 rows",
            "since": "2026-02-04T13:14:00Z",
            "rows": 10,
            "token": 1,
            "stale_against": [],
            "lacks": [],
            "log": None,
            "last": "accepted",
            "last_at": "2026-02-04T13:14:00Z",
        }
    ]
    assert phase["generations"] == [
        {
            "number": 1,
            "at": "2026-02-04T13:14:00Z",
            "made_by": ["everything expected was fresh"],
            "missing": [],
            "receivers": {"precompute": "acked"},
        }
    ]
    assert (phase["inputs"], phase["waiting"], phase["due"]) == ({"raw": 1}, {}, None)
    assert phase["last_at"] == phase["opened_at"] == "2026-02-04T13:14:00Z"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("2026-02-09",), "run 2026-02-09.overnight is not open: nothing was reported for it and no trigger arrived; "
                          "see phasegate status"),
        ((RUN, "--phase", "nope"), "unknown phase 'nope'; the plan has raw, analytics, precompute"),
        (("2026-02-03.daily",), "run '2026-02-03.daily': unknown mode 'daily'; the plan has overnight"),
    ],
)  # fmt: skip
def test_why_names_what_there_is_when_it_does_not_know_the_run(
    night: Night, arguments: tuple[str, ...], error: str
) -> None:
    night("begin", RUN)
    done = night("why", *arguments)
    assert (done.code, done.out, done.err) == (2, "", f"phasegate: {error}\n")


def test_of_a_run_that_is_void_it_is_said_why_and_that_nothing_behind_it_begins(days: Days) -> None:
    with days.night.pipeline() as pipeline:
        pipeline.runs.void("raw", parse_run(f"{day(1)}.overnight"), reason="the hall was on fire")
    head, *lines = days("why", f"{day(1)}.overnight").out.splitlines()
    assert head.startswith(f"{day(1)}.overnight, seen at")
    assert lines == [
        "",
        "raw: void since 08:12, 0 s",
        "  the hall was on fire",
        "",
        "analytics: not open, since the phase before is void",
    ]


def test_of_a_run_that_became_void_what_had_come_is_shown(days: Days) -> None:
    days.odds(1, mode="overnight")
    with days.night.pipeline() as pipeline:
        pipeline.runs.void("raw", parse_run(f"{day(1)}.overnight"), reason="the hall was on fire")
    shown = days("why", f"{day(1)}.overnight").out
    assert re.search(r"^  odds +fresh ", shown, re.MULTILINE)
    assert "gamebook" not in shown, "nobody waits for it"


def test_a_date_alone_explains_every_mode_that_is_open(days: Days) -> None:
    days.play(1)
    both = days("why", day(1))
    assert (both.code, both.err) == (0, "")
    parts = [days("why", f"{day(1)}.{mode}").out for mode in ("same_day", "overnight")]
    assert both.out == "\n".join(parts)
    document = days("why", day(1), "--json").json
    assert [run["run"] for run in document["runs"]] == [f"{day(1)}.same_day", f"{day(1)}.overnight"]
    assert document["runs"][0] == days("why", f"{day(1)}.same_day", "--json").json


def test_a_date_with_one_open_mode_has_one_explanation_in_the_same_shape(days: Days) -> None:
    days.odds(2)
    assert days("why", day(2)).out == days("why", f"{day(2)}.same_day").out
    assert [run["run"] for run in days("why", day(2), "--json").json["runs"]] == [f"{day(2)}.same_day"]


def test_a_date_of_which_no_mode_is_open_is_named_with_its_modes(days: Days) -> None:
    days.odds(1)
    done = days("why", day(2))
    assert (done.code, done.out) == (2, "")
    assert (
        done.err == f"phasegate: no run of {day(2)} is open in any mode (same_day, overnight); see phasegate status\n"
    )


def test_commands_that_act_need_the_mode_where_the_plan_has_several(days: Days) -> None:
    for command in ("begin", "redrive", "pause", "replan"):
        done = days(command, day(1))
        assert (done.code, done.out) == (2, "")
        expected = f"run '{day(1)}': add the mode, such as {day(1)}.same_day; the plan has same_day, overnight"
        assert done.err == f"phasegate: {expected}\n"


def test_why_tells_what_only_the_tables_show_and_has_the_warehouse_closed_unless_asked(night: Night) -> None:
    night.whole()
    night.clock.at += HOUR
    quiet = night("why", RUN, "--tables")
    assert (quiet.code, quiet.err) == (0, "")
    assert quiet.out.endswith("\ntables: they hold what was reported\n")
    file = night.folder / ".phasegate" / "warehouse.duckdb"
    night.sql("UPDATE nba_analytics.player_game SET points = points + 1")
    assert night("why", RUN).out == quiet.out.removesuffix("\ntables: they hold what was reported\n")
    done = night("why", RUN, "--tables")
    assert done.code == 1
    assert f"PG006 error: {RUN} analytics.player_game: its newest receipt has 10 rows" in done.out
    assert done.out.endswith(f"next: phasegate reconcile --from {RUN[:10]} --to {RUN[:10]} --fix\n")
    shown = night("why", RUN, "--tables", "--json")
    assert (shown.code, [f["code"] for f in shown.json["tables"]["findings"]]) == (1, ["PG006"])
    assert "tables" not in night("why", RUN, "--json").json
    file.write_bytes(b"no database" * 1_000)
    blind = night("why", RUN, "--tables")
    assert blind.code == 2
    assert "is not a DuckDB file" in blind.out + blind.err
