"""What commands on a phase answer, and what they leave as it was."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from phasegate.base.codec import Decision
from phasegate.base.keys import Run
from phasegate.base.receipt import Stamp
from phasegate.errors import BadInput
from phasegate.gate import evaluate, operator
from phasegate.gate.decisions import Answer
from phasegate.gate.phase import Phase
from phasegate.gate.propagation import needs_no_relay
from phasegate.gate.records import LISTED_MAX, Firing
from phasegate.ledger import differing
from tests.support.calendars import WITH_CALENDAR, kept
from tests.support.pipelines import generation, load, shop
from tests.support.story import KEY, Story, gate

EMPTY, OTHER_EMPTY = Stamp("0-a", 1), Stamp("0-b", 2)


def told(story: Story, command: Callable[..., Decision[Phase, Answer]], *words: object, **options: object) -> str:
    return story.do(lambda a: command(*words, key=KEY, now=story.now, attempt=a, **options))


def fired() -> Story:
    story = Story(gate())
    story.begin("raw-v1", generation=1)
    story.build_all("v1", order=1)
    return story


def test_a_step_marked_as_stale_is_requested_again_and_one_without_a_result_is_not() -> None:
    story = fired()
    assert told(story, operator.mark_stale, "team") == "stale"
    assert story.phase.members["team"].stale == "unknown"
    assert set(story.phase.requests) == {"team"}
    before = story.phase.members
    assert told(story, operator.mark_stale, "nobody") == "unknown result"
    assert story.phase.members == before


def test_a_rebuild_answers_the_steps_that_it_requests() -> None:
    story = fired()
    assert told(story, operator.rebuild, ("team", "lines", "nobody"), quiet=True) == "team"
    assert story.phase.quiet
    assert {name: member.stale for name, member in story.phase.members.items()} == {
        "team": "forced", "player": None, "lines": None,
    }  # fmt: skip
    assert told(story, operator.end_quiet) == "not quiet"
    assert not story.phase.quiet


def test_the_time_of_the_first_whole_result_stays_whatever_is_reported_later() -> None:
    story = fired()
    story.now += 60
    assert story.report("lines", "lines-v1", order=2) == "accepted", "the same content, confirmed"
    assert story.phase.members["lines"].delivered_at == 1_000.0
    story.now += 60
    assert story.report("lines", "lines-v2", order=3) == "accepted"
    assert story.phase.members["lines"].delivered_at == 1_000.0
    older = replace(story.phase.members["lines"], delivered_at=None)  # as a version without the field stored it
    story.phase = replace(story.phase, members={**story.phase.members, "lines": older})
    story.report("lines", "lines-v2", order=4)
    assert story.phase.members["lines"].delivered_at == 1_120.0


def test_times_of_a_clock_ahead_become_now_and_right_ones_stay() -> None:
    story = fired()
    ahead = 1_000.0 + 10 * 365 * 86400.0
    lines, team = story.phase.members["lines"], story.phase.members["team"]
    assert lines.result is not None
    wrong = replace(lines, result=replace(lines.result, at=ahead), delivered_at=ahead)
    phase = replace(story.phase, members={**story.phase.members, "lines": wrong})
    mended = evaluate.without_times_ahead(phase, now=2_000.0)
    result = mended.members["lines"].result
    assert result is not None
    assert (result.at, mended.members["lines"].delivered_at) == (2_000.0, 2_000.0)
    assert mended.members["team"] == team
    assert evaluate.without_times_ahead(story.phase, now=2_000.0) == story.phase


def test_a_date_without_rows_in_both_readings_is_no_difference() -> None:
    full, other = Stamp("3-a", 1), Stamp("3-b", 1)
    assert list(differing({"d": EMPTY}, {"d": OTHER_EMPTY})) == []
    assert list(differing({"d": EMPTY}, {})) == []
    assert list(differing({}, {"d": full})) == ["d"]
    assert list(differing({"d": full}, {"d": replace(full, token=9)})) == []
    assert list(differing({"e": full, "d": EMPTY}, {"e": other, "d": full})) == ["d", "e"]


def test_a_sibling_that_is_void_or_never_takes_a_table_is_sent_nothing() -> None:
    story = fired()
    result = story.phase.result_of("lines")
    assert result is not None
    newer = replace(result, stamp=Stamp("lines-v2", 2))
    assert needs_no_relay(story.phase, "lines", result=result)
    assert not needs_no_relay(story.phase, "lines", result=newer)
    assert needs_no_relay(story.phase, "strangers", result=newer)
    told(story, operator.void, "cancelled")
    assert needs_no_relay(story.phase, "lines", result=newer)


def test_a_run_that_is_declared_void_before_it_opens_is_opened_void_and_says_so() -> None:
    made = shop()
    run = Run("2026-02-03", "daily")
    answer = made.pipeline.runs.void("load", run, reason="cancelled")
    assert answer.outcome == "void"
    phase = made.pipeline.runs.read("load", run)
    assert phase is not None
    assert phase.void == "cancelled"
    assert [one.what for one in phase.seen] == ["void"], "one command, not two"
    assert made.pipeline.runs.void("load", run, reason=None).outcome != "void"
    load(made, 1)
    assert generation(made, "load") == 1


def test_a_void_date_is_void_for_a_later_phase_too_and_its_mode_that_asks_no_calendar_goes_on() -> None:
    free = '[phase.load]\nmodes.log = { expect = "*", any_date = true }\nmodes.daily = { expect = "*" }\n'
    made, source = kept(WITH_CALENDAR.replace("[phase.load]\n", free).replace(
        '[phase.report]\n', '[phase.report]\nmodes.daily = { expect = "*" }\n'))  # fmt: skip
    for mode in ("log", "daily"):
        made.pipeline.runs.open("load", Run("2026-02-03", mode))
    source.void["2026-02-03"] = "cancelled"
    made.pipeline.ask_calendar("2026-02")
    phases = {mode: made.pipeline.runs.read("load", Run("2026-02-03", mode)) for mode in ("log", "daily")}
    assert {mode: phase and phase.void for mode, phase in phases.items()} == {"log": None, "daily": "cancelled"}
    with pytest.raises(BadInput):
        made.pipeline.runs.open("report", Run("2026-02-03", "daily"))


def test_an_older_firing_keeps_the_first_of_its_missing_members_and_counts_the_others() -> None:
    missing = tuple(f"m{number:03}" for number in range(LISTED_MAX + 2))
    firing = Firing(generation=1, stamps={"team": EMPTY}, at=1.0, by="a1", missing=missing)
    older = firing.as_older()
    assert older == replace(firing, stamps={}, missing=(*missing[:LISTED_MAX], "and 2 more"))
    assert replace(firing, missing=missing[:LISTED_MAX]).as_older().missing == missing[:LISTED_MAX]


@pytest.mark.parametrize("force", [False, True])
def test_a_redrive_lets_a_partition_shrink_only_if_it_is_forced(force: bool) -> None:
    story = Story(gate())
    story.begin("raw-v1", generation=1)
    story.failure("team", "failed")
    options = {"force": True} if force else {}
    assert told(story, operator.redrive, "team", **options) == "team"
    assert (story.phase.requests["team"].state, story.phase.requests["team"].allow_shrink) == ("open", force)
