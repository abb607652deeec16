"""``phasegate calendar`` on a real state."""

import pytest

from tests.support.cli_page import keys, section
from tests.support.command_days import Days, day
from tests.support.commands import HOUR, MORNING, RUN, Night

DAY_S = 24 * HOUR
SEASON = """
from phasegate import CalendarDay


def dates(first, last):
    for n in range(1, 29):
        on = f"2026-02-{n:02d}"
        if not first.isoformat() <= on <= last.isoformat() or n > 8:
            continue
        state = {3: "work", 4: "none", 5: "void"}.get(n, "work")
        yield CalendarDay(date=on, state=state, reason="postponed" if state == "void" else "")
"""


@pytest.fixture
def season(night: Night, monkeypatch: pytest.MonkeyPatch) -> Night:
    """Give a pipeline with a calendar that has not been asked yet."""
    (night.folder / "season.py").write_text(SEASON)
    plan = night.folder / "plan.toml"
    plan.write_text(plan.read_text().replace("\n[phase.raw]", 'calendar = "season:dates"\n\n[phase.raw]', 1))
    monkeypatch.syspath_prepend(str(night.folder))
    monkeypatch.delitem(__import__("sys").modules, "season", raising=False)
    return night


def grid(out: str) -> dict[str, str]:
    """Return the row of each phase."""
    rows = [line.split() for line in out.splitlines()]
    return {row[0]: row[1] for row in rows if len(row) == 2 and len(row[1]) in (28, 29, 30, 31) and row[0].isalpha()}


def test_a_month_is_a_grid_of_phases_and_days_with_a_legend(season: Night) -> None:
    season.whole()
    season.clock.at = MORNING + 3 * DAY_S  # the 7th; the raw data of the 6th is not a day overdue
    done = season("calendar", "--month", "2026-02")
    assert done.code == 2, "what was said of dates before they were over is too old"
    season.clock.at = MORNING + HOUR
    done = season("calendar", "--month", "2026-02", "--mode", "overnight")
    assert grid(done.out) == {
        "raw": "MMC-V..." + "." * 20,
        "analytics": "MMC-V..." + "." * 20,
        "precompute": "MMC-V..." + "." * 20,
    }
    assert "C COMPLETE 3  - EMPTY_OK 3  M MISSED 6  V VOID 3" in done.out
    assert done.code == 1


def test_gaps_are_listed_the_oldest_first_with_the_command_for_all_dates_of_it(season: Night) -> None:
    season.whole()
    done = season("calendar")
    assert done.code == 1
    line = done.out.splitlines()[-1]
    assert line.split() == [
        "2026-02-01", "2026-02-02", "overnight", "MISSED", "raw,", "analytics,", "precompute", "its", "run", "was",
        "never", "opened", *["deliver", "what", "its", "tables", "lack,", "then:"],
        "phasegate", "backfill", "--from", "2026-02-01", "--to", "2026-02-02", "--mode", "overnight",
    ]  # fmt: skip
    assert "1 gap, the oldest first:" in done.out


def test_the_command_of_a_gap_names_who_brought_no_data(season: Night) -> None:
    season.whole()
    done = season("backfill", "--from", "2026-02-01", "--to", "2026-02-02", "--mode", "overnight")
    assert done.code == 1
    assert "gamebook, odds" in done.out
    for on in ("2026-02-01", "2026-02-02"):
        season.scrape(10, run=f"{on}.overnight")
        assert season("complete", "odds", "--run", f"{on}.overnight", "--rows", "7").code == 0
        assert season("worker", "--until-idle").code == 0
        assert season("complete", "report", "--run", f"{on}.overnight", "--rows", "3").code == 0
    done = season("calendar")
    assert (done.code, grid(done.out)["precompute"][:5]) == (0, "CCC-V")


def test_a_date_that_nothing_is_known_of_exits_with_2_and_names_what_asks(season: Night) -> None:
    season.whole()
    season.clock.at = MORNING + 6 * DAY_S
    done = season("calendar", "--from", "2026-02-09")
    assert done.code == 2
    assert "the calendar has no answer for 2026-02-09" in done.out
    assert "phasegate reconcile --from 2026-02-09 --to 2026-02-10 --fix" in done.out


def test_a_run_under_way_is_running_and_one_that_waits_too_long_is_late(night: Night) -> None:
    night.scrape(10)
    assert grid(night("calendar").out)["raw"][2] == "R"
    night.clock.at += DAY_S
    done = night("calendar")
    assert done.code == 1
    assert {phase: row[:4] for phase, row in grid(done.out).items()} == dict.fromkeys(
        ("raw", "analytics", "precompute"), "..L."
    )
    assert f"phasegate complete odds --run {RUN}" in done.out


def test_without_a_calendar_a_date_between_two_runs_is_unknown(night: Night) -> None:
    night.whole()
    night.scrape(10, run="2026-01-31.overnight")
    done = night("calendar", "--from", "2026-01-30")
    assert done.code == 2
    assert grid(done.out)["raw"][:4] == "??C."
    assert "add expected_by, or a calendar, to the plan" in done.out


def test_the_worst_of_the_modes_is_shown_and_a_mode_can_be_asked_for(days: Days) -> None:
    days.play(1, 2)
    done = days("calendar", "--from", day(1), "--to", day(2))
    only = days("calendar", "--from", day(1), "--to", day(2), "--mode", "same_day")
    assert set(grid(done.out)) == set(grid(only.out)) == {"raw", "analytics"}
    assert (
        days("calendar", "--mode", "noon").err
        == "phasegate: calendar: unknown mode 'noon'; the plan has same_day, overnight\n"
    )


def test_a_mode_that_nobody_uses_is_missed_and_named(season: Night) -> None:
    plan = season.folder / "plan.toml"
    text = plan.read_text().replace(
        "[phase.raw]\n", '[phase.raw]\nmodes.overnight = { expect = "*" }\nmodes.noon = { expect = "*" }\n'
    )
    plan.write_text(text)
    season.whole()
    done = season("calendar", "--from", "2026-02-03", "--to", "2026-02-03")
    assert done.err == "", "it is not a day after its date yet"
    season.clock.at += DAY_S
    done = season("calendar", "--from", "2026-02-03", "--to", "2026-02-03")
    assert (done.code, grid(done.out)["raw"][2]) == (1, "M")
    assert done.err == (
        "phasegate: no run of mode noon in these dates; if it is not used, name the others: --mode overnight\n"
    )
    assert season("calendar", "--from", "2026-02-03", "--to", "2026-02-03", "--mode", "overnight").code == 0


def test_json_has_every_place_and_gap_and_every_field_is_documented(season: Night) -> None:
    season.whole()
    document = season("calendar", "--json").json
    assert (document["from"], document["to"]) == ("2026-02-01", "2026-02-28")
    assert document["counts"] == {"MISSED": 6, "COMPLETE": 3, "EMPTY_OK": 3, "VOID": 3}
    assert {"date": "2026-02-03", "phase": "raw", "mode": "overnight", "state": "COMPLETE",
            "reason": "generation 1 is fresh and handed on", "next": ""} in document["cells"]  # fmt: skip
    [gap] = document["gaps"]
    assert (gap["from"], gap["to"], gap["dates"], gap["state"]) == ("2026-02-01", "2026-02-02", 2, "MISSED")
    assert {key for key in keys(document) if f"`{key}`" not in section("phasegate calendar")} == set()


def test_a_season_is_what_the_store_knows_of_it(season: Night) -> None:
    season.whole()
    done = season("calendar", "--season", "2025-26")
    assert done.out.startswith("2026-02-01 to 2026-02-05")
    assert season("calendar", "--season", "2024-25").code == 2
    assert "nothing is stored about these dates" in season("calendar", "--season", "2024-25").err


def test_a_document_that_cannot_be_read_is_unknown(season: Night) -> None:
    season.whole()
    season.rewrite(f"phase:nba:analytics:{RUN}", members=7)
    done = season("calendar", "--from", "2026-02-03")
    assert done.code == 2
    assert grid(done.out)["analytics"][2] == "?"
    assert f"phase:nba:analytics:{RUN}" in done.err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--month", "2026-13"], "--month '2026-13': write YYYY-MM"),
        (["--season", "2025-27"], "--season '2025-27': write YYYY-YY"),
        (["--season", "2025-26", "--month", "2026-02"], "give only one of --month, --season and --from"),
        (["--to", "2026-02-03"], "--to 2026-02-03 needs --from"),
        (["--from", "2026-02-03", "--to", "2026-02-01"], "2026-02-03 is after 2026-02-01; swap them"),
    ],
)
def test_bad_input_is_one_line(night: Night, arguments: list[str], why: str) -> None:
    night.scrape(1)
    done = night("calendar", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert why in done.err
