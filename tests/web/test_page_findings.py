"""The page Findings shows what `phasegate health` and `phasegate reconcile` find, and what was checked."""

import pytest

from tests.support.commands import HOUR, MORNING, RUN, Night
from tests.support.pages import Tags, page
from tests.support.service import Served

DATE = RUN[:10]
SPAN = f"/findings?from={DATE}&to={DATE}"
ANALYTICS = f"phase:nba:analytics:{RUN}"


def checked(shown: Tags) -> dict[str, str]:
    """Return the verdict of each check in the table."""
    rows = [row.splitlines() for row in shown.words.partition("why not")[2].split("\n\n")]
    cells = [[cell for cell in row if cell] for row in rows]
    return {row[0]: row[1].partition(" ")[2] for row in cells if len(row) >= 4}


@pytest.fixture
def unfired(night: Night) -> Night:
    """Give a whole run, one phase of which lost its firing."""
    night.whole()
    night.rewrite(ANALYTICS, firings=[], outbox=[])
    night.clock.at = MORNING + HOUR
    return night


def test_what_is_found_is_what_both_commands_find(unfired: Night, service: Served) -> None:
    shown = page(service, SPAN)
    health = unfired("health", "--date", DATE, "--json").json
    reconciled = unfired("reconcile", "--from", DATE, "--to", DATE, "--json").json
    assert [one["code"] for one in reconciled["findings"]] == ["PG002"]
    for one in (*health["findings"], *reconciled["findings"]):
        assert f"{one['subject']}: {one['text']}" in shown.words
        assert one["command"] in shown.words
        assert all(value in shown.words for value in one["evidence"].values())
    assert "✗ error" in shown.words
    assert "PG002 complete, but not fired" in shown.words
    assert reconciled["fixes"]
    for fix in reconciled["fixes"]:
        assert fix in shown.words
    assert f"phasegate reconcile --from {DATE} --to {DATE} --fix" in shown.words
    assert checked(shown) == {one["check"]: one["verdict"] for one in health["checks"]}
    assert {one["check"] for one in reconciled["checks"]} < set(checked(shown))


def test_nothing_is_changed_by_looking(unfired: Night, service: Served) -> None:
    before = unfired.documents()
    page(service, SPAN)
    assert unfired.documents() == before


def test_what_is_fine_names_what_was_checked(night: Night, service: Served) -> None:
    night.whole()
    night.clock.at = MORNING + HOUR
    shown = page(service, SPAN)
    assert night("health", "--date", DATE).code == 0
    assert "Nothing was found by" in shown.words
    verdicts = checked(shown)
    assert set(verdicts.values()) == {"ok"}
    assert {"store", "warehouse", "duplicates", "documents"} <= set(verdicts)
    assert "the worst first" not in shown.words


def test_a_check_that_could_not_be_evaluated_is_never_fine(night: Night, service: Served) -> None:
    night.whole()
    night.clock.at = MORNING + HOUR
    night.rewrite(ANALYTICS, members=7)
    shown = page(service, SPAN)
    assert "Nothing was found" not in shown.words
    assert "could not be evaluated" in shown.words
    assert checked(shown)["deadlines"] == "not evaluated"
    assert ANALYTICS in shown.words
    assert "PG018 a check could not be evaluated" in shown.words


def test_what_is_young_is_settling_and_neither_fine_nor_wrong(night: Night, service: Served) -> None:
    night.whole()
    night.rewrite(ANALYTICS, firings=[], outbox=[])
    settling = night("reconcile", "--from", DATE, "--to", DATE, "--json").json["settling"]
    assert settling
    shown = page(service, SPAN)
    assert "Nothing is wrong so far." in shown.words
    for one in settling:
        assert f"… settling {one['code']} {one['subject']}: {one['text']}" in shown.words


def test_one_cause_on_several_dates_is_one_group(night: Night, service: Served) -> None:
    for on in ("2026-02-02", "2026-02-03"):
        night.scrape(10, run=f"{on}.overnight")
        night("complete", "odds", "--run", f"{on}.overnight", "--rows", "7")
        night("worker", "--until-idle")
        night.rewrite(f"phase:nba:raw:{on}.overnight", firings=[], outbox=[])
    night.clock.at = MORNING + HOUR
    shown = page(service, "/findings?from=2026-02-02&to=2026-02-03")
    assert shown.words.count("PG002 complete, but not fired") == 1
    assert ("a", {"href": "/runs/2026-02-02.overnight"}) in shown.found
    assert "raw of 2026-02-02.overnight to 2026-02-03.overnight, 2 dates" in " ".join(shown.words.split())


def test_without_dates_it_shows_the_last_seven(night: Night, service: Served) -> None:
    shown, span = page(service, "/findings"), night("reconcile", "--json").json
    assert f"Findings, {span['first']} to {span['last']}" in shown.words


@pytest.mark.parametrize(
    ("query", "words"),
    [("from=soon", "soon"), ("from=2026-02-03&to=2026-02-01", "is after"), ("from=1990-01-01", "name fewer")],
)
def test_a_span_that_is_none_is_refused(service: Served, query: str, words: str) -> None:
    assert words in page(service, f"/findings?{query}", status=400).words


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "x" * 3_000])
def test_hostile_names_are_text(night: Night, service: Served, name: str) -> None:
    night.publish({"kind": "completion", "step": name, "run": RUN, "status": "success"})
    night("worker", "--until-idle")
    night.clock.at += HOUR
    shown = page(service, "/findings")
    assert name[:40] in shown.words
    assert shown.foreign() == []
