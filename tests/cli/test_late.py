"""``phasegate late`` on a real state."""

import pytest

from tests.support.cli_page import keys, section
from tests.support.commands import HOUR, MORNING, PLAN, RUN, Night

# 09:00 in New York on the morning after 3 February; it is 08:12 then.
EXPECTED = 'version = "updated"\nexpected_by = "03:00 +1d"'
SHOWN = f"{RUN}  gamebook"


@pytest.fixture
def timed(night: Night) -> Night:
    """Give a pipeline whose box scores are expected at 03:00, and are late from 07:00 on."""
    (night.folder / "plan.toml").write_text(PLAN.replace('version = "updated"', EXPECTED))
    return night


def test_yesterday_is_looked_at_unless_another_date_is_named(timed: Night) -> None:
    timed.clock.at = MORNING - 2 * HOUR
    timed.scrape(10)
    timed.clock.at = MORNING
    done = timed("late")
    assert done.code == 0
    assert done.out.splitlines()[0].split() == [
        "run",
        "step",
        "verdict",
        "expected",
        "arrived",
        "late",
        "by",
        "reason",
        "next",
    ]
    assert done.out.splitlines()[1].split() == [RUN, "gamebook", "on", "time", "03:00", "06:12", "3", "h", "12"]
    assert done.out.endswith("1 expectation: 1 on time. Times: America/New_York.\n")
    assert timed("late", "--date", "2026-02-03").out == done.out


def test_what_came_more_than_four_hours_after_its_time_is_late_and_exits_with_1(timed: Night) -> None:
    timed.clock.at = MORNING - 71 * 60
    timed.scrape(10)
    done = timed("late")
    assert done.code == 1
    assert (
        "late     03:00     07:01    4 h 01           nothing; what was built without it: phasegate why 2026-02-03.overnight"  # noqa: E501  as it is printed
        in done.out
    )
    timed.clock.at = MORNING
    timed.scrape(10, version=2)
    assert timed("late").out.splitlines()[1] == done.out.splitlines()[1]


def test_what_never_came_is_named_with_the_command_that_reports_it(timed: Night) -> None:
    assert timed("begin", RUN).code == 0
    done = timed("late")
    assert done.code == 1
    row = (
        "never    03:00              5 h 12   it was not reported  deliver gamebook of 2026-02-03, then: phasegate complete gamebook --run "  # noqa: E501  as it is printed
        + RUN
    )
    assert row in done.out
    assert timed("complete", "gamebook", "--run", RUN, "--status", "failed", "--error", "HTTP 503").code == 0
    assert "the last try failed: HTTP 503" in timed("late").out


def test_what_is_not_due_is_awaited(timed: Night) -> None:
    assert timed("begin", "2026-02-04.overnight").code == 0
    done = timed("late", "--date", "2026-02-04")
    assert done.code == 0
    assert "awaited  5 Feb 03:00                    it was not reported; late from 5 Feb 07:00" in done.out


def test_of_a_span_only_what_needs_looking_at_is_shown_and_all_is_counted(timed: Night) -> None:
    timed.clock.at = MORNING - 3 * HOUR
    timed.scrape(10)
    timed.clock.at = MORNING
    done = timed("late", "--from", "2026-02-01")
    assert done.code == 1
    (line,) = done.out.splitlines()[1:-2]
    assert line.startswith("2026-02-01.overnight to 2026-02-02.overnight, 2 dates  gamebook  never ")
    assert SHOWN not in done.out
    assert "3 expectations: 2 never, 1 on time." in done.out


def test_json_has_the_same_and_every_field_is_documented(timed: Night) -> None:
    timed.clock.at = MORNING - HOUR
    timed.scrape(10)
    document = timed("late", "--json").json
    assert (document["from"], document["to"], document["counts"]) == ("2026-02-03", "2026-02-03", {"late": 1})
    [row] = document["expectations"]
    assert row == {
        "run": RUN, "phase": "raw", "step": "gamebook", "verdict": "late", "reason": "",
        "expected_at": "2026-02-04T08:00:00Z", "late_at": "2026-02-04T12:00:00Z",
        "arrived_at": "2026-02-04T12:12:00Z", "late_s": 15120, "rows": 10, "last": "success",
        "last_at": "2026-02-04T12:12:00Z", "next": f"nothing; what was built without it: phasegate why {RUN}",
    }  # fmt: skip
    assert {key for key in keys(document) if f"`{key}`" not in section("phasegate late")} == set()


def test_a_plan_that_expects_nothing_cannot_be_checked(night: Night) -> None:
    night.scrape(10)
    done = night("late")
    assert done.code == 2
    assert "no step of the plan has expected_by; add it, such as" in done.err


def test_a_document_that_cannot_be_read_exits_with_2_and_the_rest_is_shown(timed: Night) -> None:
    timed.scrape(10, run="2026-02-02.overnight")
    timed.scrape(10)
    timed.rewrite("phase:nba:raw:2026-02-02.overnight", members=7)
    done = timed("late", "--from", "2026-02-02")
    assert done.code == 2
    assert SHOWN in done.out
    assert "the document of raw in 2026-02-02.overnight cannot be read" in done.out
    assert "phase:nba:raw:2026-02-02.overnight" in done.err


def test_it_opens_no_warehouse_and_writes_nothing(timed: Night) -> None:
    timed.scrape(10)
    before = timed.documents()
    (timed.folder / ".phasegate" / "warehouse.duckdb").write_bytes(b"no warehouse at all")
    assert timed("late").code == 1
    assert timed("calendar").code == 1
    assert timed.documents() == before


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--date", "3 Feb"], "date '3 Feb': write YYYY-MM-DD"),
        (["--date", "2026-02-03", "--from", "2026-02-01"], "--date is one date, --from and --to a span"),
        (["--to", "2026-02-01"], "--to 2026-02-01 needs --from"),
        (["--from", "2026-02-03", "--to", "2026-02-01"], "--from 2026-02-03 is after --to 2026-02-01; swap them"),
    ],
)
def test_bad_input_is_one_line(timed: Night, arguments: list[str], why: str) -> None:
    timed.scrape(1)
    done = timed("late", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert why in done.err


def test_a_state_that_is_not_there_is_said_and_not_made(timed: Night) -> None:
    done = timed("late")
    assert done.code == 2
    assert "there is no state" in done.err
    assert not (timed.folder / ".phasegate").exists()
