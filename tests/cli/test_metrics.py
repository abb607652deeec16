"""``phasegate metrics`` on a real state."""

import pytest

from tests.support.cli_page import keys, section
from tests.support.commands import HOUR, MORNING, PLAN, RUN, Night

EXPECTED = 'version = "updated"\nexpected_by = "03:00 +1d"'
METRICS = ["complete", "accurate", "handed on", "without duplicates", "in time"]
SPAN = ("--from", "2026-02-03", "--to", "2026-02-03")


@pytest.fixture
def played(night: Night) -> Night:
    """Give a night that went well: ten rows in time, handed on, and the next phase complete."""
    (night.folder / "plan.toml").write_text(PLAN.replace('version = "updated"', EXPECTED))
    night.clock.at = MORNING - 3 * HOUR
    night.scrape(10)
    for step in ("odds", "report"):
        assert night("complete", step, "--run", RUN, "--rows", "10").code == 0
        assert night("worker", "--until-idle").code == 0
    night.clock.at = MORNING
    return night


def counts(night: Night, code: int) -> dict[str, tuple[int, int]]:
    done = night("metrics", *SPAN, "--json")
    assert done.code == code, done
    return {one["metric"]: (one["failed"], one["of"]) for one in done.json["metrics"]}


def test_a_night_that_went_well_is_all_hundred(played: Night) -> None:
    assert counts(played, 0) == {
        "complete": (0, 3), "accurate": (0, 3), "handed on": (0, 2), "without duplicates": (0, 20), "in time": (0, 1)
    }  # fmt: skip
    done = played("metrics", *SPAN)
    assert [line.split("  ")[0] for line in done.out.splitlines()[3:]] == METRICS
    assert done.out.count("100 %") == len(METRICS)
    assert "phasegate" not in done.out


def test_each_thing_that_goes_wrong_lowers_its_own_count_and_names_what_shows_it(played: Night) -> None:
    played.sql("INSERT INTO nba_raw.gamebook SELECT * FROM nba_raw.gamebook LIMIT 3")
    assert counts(played, 1)["without duplicates"] == (3, 20)
    done = played("metrics", *SPAN)
    (line,) = (line for line in done.out.splitlines() if line.startswith("without duplicates"))
    assert "85 %" in line
    command = line[line.index("phasegate ") + len("phasegate ") :].split()
    shown = played(*command)
    assert shown.code == 1
    assert "PG010" in shown.out


def test_what_came_late_or_never_is_counted_by_its_expectation(played: Night) -> None:
    played.clock.at = MORNING + 24 * HOUR
    done = played("metrics", "--from", "2026-02-03", "--to", "2026-02-04", "--json")
    assert done.code == 1
    assert [(one["failed"], one["of"]) for one in done.json["metrics"] if one["metric"] == "in time"] == [(1, 2)]
    (late,) = (one["next"] for one in done.json["metrics"] if one["metric"] == "in time")
    assert played(*late.removeprefix("phasegate ").split()).code == 1


def test_what_cannot_be_counted_is_not_evaluated_and_never_green(night: Night) -> None:
    night.scrape(10)
    done = night("metrics", *SPAN)
    assert done.code == 2
    assert "in time             NOT EVALUATED" in done.out
    assert "not evaluated: in time: no step of the plan has expected_by" in done.err


def test_a_table_that_cannot_be_read_is_not_evaluated(played: Night) -> None:
    played.sql("ALTER TABLE nba_raw.gamebook RENAME COLUMN player TO name")
    done = played("metrics", *SPAN, "--json")
    assert done.code == 2
    error = {one["metric"]: one["error"] for one in done.json["metrics"]}
    assert "player" in error["without duplicates"]
    assert error["in time"] == ""


def test_dates_before_the_first_run_count_for_nothing_and_later_ones_without_a_run_are_missed(played: Night) -> None:
    played.clock.at = MORNING + 48 * HOUR
    done = played("metrics", "--from", "2026-01-01", "--to", "2026-02-05", "--json")
    assert (done.json["first"], done.json["last"]) == ("2026-02-03", "2026-02-05")
    (complete,) = (one for one in done.json["metrics"] if one["metric"] == "complete")
    assert complete["failed"] >= 1


def test_without_any_run_what_was_expected_never_came(played: Night) -> None:
    done = played("metrics", "--from", "2026-01-01", "--to", "2026-01-02")
    assert done.code == 1
    assert "2 of 2 expected results" in done.out
    assert done.out.count("100 %") == 0


def test_a_span_is_named_in_one_way(played: Night) -> None:
    done = played("metrics", "--days", "3", "--from", "2026-02-03")
    assert done.code == 2
    assert "metrics: give only one of --days and --from" in done.err


def test_the_page_has_the_fields_of_the_json(played: Night) -> None:
    page = section("phasegate metrics")
    assert [key for key in keys(played("metrics", *SPAN, "--json").json) if f"`{key}`" not in page] == []
