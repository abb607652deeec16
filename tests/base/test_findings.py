"""What a check can find, and what its outcome means."""

from msgspec.structs import replace

from phasegate.base.findings import CODES, CheckResult, Finding, by_cause, by_span, exit_code, listed


def finding(code: str = "PG003", **more: object) -> Finding:
    return Finding(**{"code": code, "subject": "raw of 2026-02-03", "text": "t", "command": "c", **more})  # type: ignore[arg-type]


def test_codes_are_numbered_without_a_gap() -> None:
    assert list(CODES) == [f"PG{n:03d}" for n in range(1, len(CODES) + 1)]


def test_a_check_that_could_not_be_evaluated_wins_over_everything() -> None:
    fine, found = CheckResult(check="a"), CheckResult(check="b", findings=(finding(),))
    failed = CheckResult(check="c", error="no such table")
    assert exit_code([fine]) == 0
    young = CheckResult(check="d", settling=(finding(),))
    assert exit_code([fine, young]) == 3
    assert exit_code([fine, found, young]) == 1
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


def of(
    on: str, command: str = "phasegate reconcile --from {on} --to {on} --fix", *, cause: str = "load:{on}"
) -> Finding:
    return Finding(code="PG007", subject=f"load of {on}.daily", text="expected, and never opened",
                   command=command.format(on=on), cause=cause.format(on=on))  # fmt: skip


def test_findings_that_differ_by_their_date_alone_are_one_with_a_range() -> None:
    many = [of(f"2026-02-{day:02d}") for day in range(1, 29)]
    (one,) = by_span(many)
    assert one.subject == "load of 2026-02-01.daily to 2026-02-28.daily, 28 dates"
    assert one.command == "phasegate reconcile --from 2026-02-01 --to 2026-02-28 --fix"


def test_other_causes_and_dates_far_apart_are_findings_of_their_own() -> None:
    assert len(by_span([of("2026-02-01"), of("2026-02-02", cause="another")])) == 2
    assert len(by_span([of("2026-02-01"), of("2026-02-20")])) == 2


def test_findings_of_one_cause_are_one_group_on_all_dates_in_the_place_of_the_first() -> None:
    first, other, again = of("2026-02-01"), of("2026-02-02", cause="another"), of("2026-02-20")
    bare = finding(since=1.0)
    assert by_cause([first, other, bare, again]) == [[first, again], [other], [bare]]
    assert by_cause([]) == []


def test_other_faults_of_another_date_are_no_part_of_a_cause() -> None:
    absent, unbegun = of("2026-02-01"), replace(of("2026-02-01"), code="PG004")
    late = replace(of("2026-02-09"), code="PG022")
    assert by_cause([absent, unbegun, late]) == [[absent, unbegun], [late]]
    again = [of("2026-02-09"), replace(of("2026-02-09"), code="PG004")]
    assert by_cause([absent, unbegun, *again]) == [[absent, unbegun, *again]]


def test_the_command_of_a_run_becomes_one_of_the_range_and_words_name_its_end() -> None:
    (one,) = by_span([of(f"2026-02-0{day}", "phasegate redrive {on}.daily --step a") for day in (1, 2)])
    assert one.command == "phasegate reconcile --from 2026-02-01 --to 2026-02-02 --fix"
    (one,) = by_span([of(f"2026-02-0{day}", "deliver a of {on}") for day in (1, 2)])
    assert one.command == "deliver a of 2026-02-01; and so on until 2026-02-02"
