"""What a check can find, and what its outcome means."""

from phasegate.base.findings import CODES, CheckResult, Finding, exit_code, listed


def finding(code: str = "PG003", **more: object) -> Finding:
    return Finding(**{"code": code, "subject": "raw of 2026-02-03", "text": "t", "command": "c", **more})  # type: ignore[arg-type]


def test_codes_are_numbered_without_a_gap() -> None:
    assert list(CODES) == [f"PG{n:03d}" for n in range(1, len(CODES) + 1)]


def test_a_check_that_could_not_be_evaluated_wins_over_everything() -> None:
    fine, found = CheckResult(check="a"), CheckResult(check="b", findings=(finding(),))
    failed = CheckResult(check="c", error="no such table")
    assert exit_code([fine]) == 0
    assert exit_code([fine, found]) == 1
    assert exit_code([fine, found, failed]) == 2
    assert CheckResult(check="c", error="x", findings=(finding(),)).verdict == "not evaluated"


def test_nothing_checked_is_not_fine() -> None:
    assert exit_code([]) == 2


def test_findings_are_listed_worst_first_then_oldest_and_a_failed_check_is_one() -> None:
    old, new, mild = finding(since=1.0), finding(since=2.0), finding("PG012", since=0.5)
    found = listed([CheckResult(check="a", findings=(mild, new, old)), CheckResult(check="b", error="locked")])
    assert [f.code for f in found] == ["PG018", "PG003", "PG003", "PG012"]
    assert found[1] is old
    assert "locked" in found[0].text
