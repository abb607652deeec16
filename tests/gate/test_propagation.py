"""What runs tell each other: readings only grow newer, drift is forgotten by what shows it, notices by who heard."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from phasegate import ledger as ledgers
from phasegate.base.backoff import RESEND_MAX_S
from phasegate.base.receipt import Stamp
from phasegate.gate import decisions, propagation
from phasegate.gate.decisions import Report
from phasegate.gate.phase import Phase
from phasegate.gate.propagation import Propagated
from phasegate.gate.records import Input, Lacks, Member, Notice, Result, Window
from phasegate.ledger import Ledger
from tests.support.phase_commands import (
    BEFORE,
    GATE,
    KEY,
    Command,
    commands,
    days,
    hearings,
    readings,
    stamps,
    states,
    times,
)

NAME = str(BEFORE)
writes = st.lists(st.tuples(days, stamps), max_size=8)
reads = st.sampled_from(["f1", "f2"]).map(Stamp)


@st.composite
def told_states(draw: st.DrawFn) -> Phase:
    """Draw a run that has read its window, may have heard of drift, and has news for others."""
    state = draw(states())
    assert state is not None
    told: Phase | None = replace(state, gate=GATE)
    news = Report(member="team", status="success", order=9.0, stamp=draw(stamps), built_from={}, write_id="w9")
    told, _ = decisions.report(news, key=KEY, now=3_000.0, attempt="news")(told)
    reading = draw(readings)
    told, _ = propagation.windowed({NAME: reading}, origin=None, key=KEY, now=3_000.0, attempt="read")(told)
    for day, seen in draw(st.lists(st.tuples(days, readings), max_size=2)):
        told, _ = propagation.drifted(NAME, dates=[day], seen=seen)(told)
    assert told is not None
    return told


def window(stamp: Stamp, order: int) -> Window:
    return Window(stamp=stamp, orders={"2026-02": order})


def reading_of(state: Phase | None) -> Window | None:
    return None if state is None else state.windows.get(NAME)


def ledger_of(told: list[tuple[str, Stamp]]) -> Ledger | None:
    ledger: Ledger | None = None
    for day, stamp in told:
        ledger, _ = ledgers.recorded(day, stamp=stamp)(ledger)
    return ledger


@given(told_states(), hearings | commands)
def test_a_reading_of_a_window_never_gives_way_to_an_older_one(state: Phase, command: Command) -> None:
    before = reading_of(state)
    assert before is not None
    after = reading_of(command.decide("a1")(state)[0])
    assert after is not None
    assert after.order >= before.order
    assert after.order > before.order or after.stamp == before.stamp


@given(told_states(), hearings | commands)
def test_drift_is_forgotten_only_by_a_reading_that_shows_it(state: Phase, command: Command) -> None:
    before = reading_of(state)
    assert before is not None
    after = reading_of(command.decide("a1")(state)[0])
    assert after is not None
    assert set(before.drifted) <= set(after.drifted) or after.order >= before.drift_order


@given(told_states(), readings, days)
def test_a_run_has_drifted_or_holds_what_it_is_told(state: Phase, seen: Window, day: str) -> None:
    before = reading_of(state)
    assert before is not None
    after = reading_of(propagation.drifted(NAME, dates=[day], seen=seen)(state)[0])
    assert after is not None
    assert day in after.drifted or after.order >= seen.order
    assert not after.drifted or after.drift_order > after.order
    assert after.stamp.fingerprint == before.stamp.fingerprint


@given(told_states(), readings, st.none() | days, times)
def test_readings_may_come_in_any_order(state: Phase, one: Window, origin: str | None, now: float) -> None:
    other = window(Stamp("f9", 9), 9)

    def after(first: Window, second: Window) -> Window | None:
        told: Phase | None = state
        for number, reading in enumerate((first, second)):
            decide = propagation.windowed({NAME: reading}, origin=origin, key=KEY, now=now, attempt=f"a{number}")
            told, _ = decide(told)
        return reading_of(told)

    assert after(one, other) == after(other, one) == other


@given(told_states(), st.data())
def test_only_a_notice_that_was_heard_is_forgotten_and_a_newer_one_stays(state: Phase, data: st.DataObject) -> None:
    assert state.notices
    told = Propagated({}, {}, {}, {})
    for name, notice in state.notices.items():
        now = data.draw(st.sampled_from([notice, Notice(order=0.0, at=notice.at)]))
        told[data.draw(st.integers(0, 3))][name] = now
    after, _ = propagation.delivered(told, key=KEY, now=5_000.0)(state)
    assert after is not None
    for name, notice in state.notices.items():
        assert (name in after.notices) == (told.done.get(name) != notice)
        left = after.notices.get(name, notice)
        assert left.order == notice.order
        sent = told.pending.get(name) == notice
        assert left.sends == notice.sends + sent
        assert 5_000.0 < left.at <= 5_000.0 + RESEND_MAX_S if sent else left.at == notice.at


@given(writes, days, st.one_of(stamps, reads))
def test_recording_is_pure_and_recording_again_answers_the_same(
    told: list[tuple[str, Stamp]], day: str, stamp: Stamp
) -> None:
    ledger, decide = ledger_of(told), ledgers.recorded(day, stamp=stamp)
    assert decide(ledger) == decide(ledger)
    once, answer = decide(ledger)
    assert decide(once) == (once, answer)


@given(writes, days, st.one_of(stamps, reads))
def test_a_ledger_never_goes_back_to_an_older_write_and_counts_each_change(
    told: list[tuple[str, Stamp]], day: str, stamp: Stamp
) -> None:
    before = ledger_of(told) or Ledger()
    after, number = ledgers.recorded(day, stamp=stamp)(before)
    old, new = before.stamps.get(day), after.stamps[day]
    assert old is None or new.token >= old.token
    assert after.changes == before.changes + (old is None or new.fingerprint != old.fingerprint)
    assert bool(number) == (new == stamp)
    assert number in (0, after.numbers[day])
    assert after.numbers[day] <= after.changes
    assert {**after.stamps, day: stamp} == {**before.stamps, day: stamp}


def opened() -> Phase:
    """Return a run whose team and trend are asked for, of a window that was read once."""
    told: Phase | None = None
    decide = decisions.open_phase(key=KEY, gate=GATE, now=1_000.0, attempt="open", alone=False)
    told, _ = decide(told)
    begun = Input(generation=1, stamps={"box": Stamp("f1", 1)}, begun_at=0.0, begun_by="")
    told, _ = decisions.begin("raw", given=begun, key=KEY, now=1_000.0, attempt="begin")(told)
    first = window(Stamp("f1", 1), 1)
    told, _ = propagation.windowed({NAME: first}, origin=None, key=KEY, now=1_000.0, attempt="first")(told)
    assert told is not None
    return told


def answered(phase: Phase, member: str, *, stamp: Stamp | None = None) -> Phase:
    request, stamp = phase.requests[member], stamp or Stamp(f"{member}1", 1)
    said = Report(member=member, status="success", order=float(stamp.token), stamp=stamp, built_from=request.inputs,
                  request=request.id, write_id=f"w-{stamp.fingerprint}")  # fmt: skip
    told, answer = decisions.report(said, key=KEY, now=1_001.0, attempt=f"a-{stamp.fingerprint}")(phase)
    assert told is not None
    assert answer.outcome == "accepted"
    return told


def all_built() -> Phase:
    """Return a run of which every step has its result."""
    told: Phase | None = opened()
    odds = Report(member="odds", status="success", order=1.0, stamp=Stamp("odds1"), built_from={})
    told, _ = decisions.report(odds, key=KEY, now=1_000.0, attempt="odds")(told)
    for member in ("team", "player", "trend"):
        assert told is not None
        told = answered(told, member)
    assert told is not None
    assert told.building_since is None
    return told


def began(phase: Phase, member: str) -> str:
    """Return the earlier date whose change led to a result, "" for its own."""
    result = phase.result_of(member)
    assert result is not None
    return result.origin


def test_only_what_looks_back_passes_on_where_an_earlier_change_began() -> None:
    second = window(Stamp("f2", 2), 2)
    told, _ = propagation.windowed({NAME: second}, origin="2026-02-01", key=KEY, now=1_000.0, attempt="second")(
        opened()
    )
    assert told is not None
    told = answered(answered(told, "team"), "trend")
    assert [began(told, step) for step in ("trend", "team")] == ["2026-02-01", ""]


def test_the_same_content_written_again_passes_for_as_old_as_before() -> None:
    """A process that lost its lease and its successor write one content; the second is reported when all is built."""
    second = window(Stamp("f2", 2), 2)
    told, _ = propagation.windowed({NAME: second}, origin="2026-02-01", key=KEY, now=1_000.0, attempt="second")(
        all_built()
    )
    assert told is not None
    told = answered(told, "trend", stamp=Stamp("trend2", 2))
    assert told.cascade_from is None
    built = told.result_of("trend")
    assert built is not None
    again = Report(member="trend", status="success", order=3.0, stamp=Stamp("trend2", 3), built_from=built.built_from,
                   write_id="w3")  # fmt: skip
    told, answer = decisions.report(again, key=KEY, now=1_002.0, attempt="successor")(told)
    assert told is not None
    assert answer.outcome == "accepted"
    assert (told.notices["trend"].order, began(told, "trend")) == (3.0, "2026-02-01")
    other = replace(again, order=4.0, stamp=Stamp("trend3", 4), write_id="w4")
    told, _ = decisions.report(other, key=KEY, now=1_003.0, attempt="other")(told)
    assert told is not None
    assert began(told, "trend") == "", "other content that no earlier date led to is its own change"


def test_a_sibling_run_is_told_where_a_change_began() -> None:
    told: Phase | None = all_built()
    assert told is not None
    built = told.result_of("trend")
    assert built is not None
    theirs = Report(member="trend", status="success", order=2.0, stamp=Stamp("trend2", 2), write_id="w2",
                    built_from=built.built_from, relayed=True, origin="2026-02-01")  # fmt: skip
    told, _ = decisions.report(theirs, key=KEY, now=1_002.0, attempt="relay")(told)
    assert told is not None
    assert began(told, "trend") == "2026-02-01"
    again = replace(theirs, order=3.0, stamp=Stamp("trend2", 3), write_id="w3", relayed=False, origin="")
    told, _ = decisions.report(again, key=KEY, now=1_003.0, attempt="own")(told)
    assert told is not None
    assert began(told, "trend") == "2026-02-01"


def test_a_comparison_that_an_earlier_change_led_to_is_of_its_date() -> None:
    """The content is the same, and what it lacks is not: later runs must hear that it is a change of long ago."""
    second = window(Stamp("f2", 2), 2)
    told, _ = propagation.windowed({NAME: second}, origin="2026-02-01", key=KEY, now=1_000.0, attempt="second")(
        all_built()
    )
    assert told is not None
    built = told.result_of("trend")
    assert built is not None
    again = Report(member="trend", status="success", order=1.0, stamp=built.stamp, built_from=built.built_from,
                   write_id=built.write_id, lacks=Lacks(missing=("7",), count=1))  # fmt: skip
    told, answer = decisions.report(again, key=KEY, now=1_002.0, attempt="compared")(told)
    assert told is not None
    assert (answer.outcome, began(told, "trend")) == ("confirmed", "2026-02-01")


def test_a_change_far_back_is_built_where_nothing_was_built_of_the_window_or_a_reader_is_requested_anyway() -> None:
    def must(phase: Phase, *, origin: str, days: int = 1) -> bool:
        return propagation.must_rebuild(phase, NAME, key=KEY, origin=origin, cascade_days=days)

    built = all_built()
    assert [must(built, origin=day) for day in ("2026-02-01", "2026-02-02")] == [False, True]
    assert must(built, origin="2026-02-01", days=2)
    begun = Input(generation=2, stamps={"box": Stamp("f2", 2)}, begun_at=0.0, begun_by="")
    requested, _ = decisions.begin("raw", given=begun, key=KEY, now=1_002.0, attempt="again")(built)
    assert requested is not None
    assert must(answered(requested, "team", stamp=Stamp("team2", 2)), origin="2026-02-01"), "its trend is requested"
    alone = {name: request for name, request in requested.requests.items() if name == "team"}
    assert not must(replace(requested, requests=alone), origin="2026-02-01"), "team reads no window"
    assert must(opened(), origin="2026-02-01"), "nothing was built of it"


def test_a_reading_from_before_a_change_does_not_end_the_drift() -> None:
    told, is_news = propagation.drifted(NAME, dates=["2026-02-01"], seen=window(Stamp("f3", 3), 3))(opened())
    assert is_news
    for order, drifted in ((2, ("2026-02-01",)), (3, ())):
        reading = window(Stamp(f"f{order}", order), order)
        told, _ = propagation.windowed({NAME: reading}, origin=None, key=KEY, now=1_002.0, attempt=f"r{order}")(told)
        assert told is not None
        assert told.windows[NAME].drifted == drifted


def test_the_same_content_written_again_is_no_drift_and_ends_one() -> None:
    told, _ = propagation.drifted(NAME, dates=["2026-02-01"], seen=window(Stamp("f3", 3), 3))(opened())
    told, is_news = propagation.drifted(NAME, dates=["2026-02-01"], seen=window(Stamp("f1", 4), 4))(told)
    assert told is not None
    assert not is_news
    assert told.windows[NAME].drifted == ()


def test_a_window_that_waits_for_a_date_waits_for_it_also_when_another_is_written_again() -> None:
    awaiting = replace(window(Stamp("f1", 1), 2), awaited={"2026-02-01": 9_000.0})
    told, _ = propagation.windowed({NAME: awaiting}, origin=None, key=KEY, now=1_000.0, attempt="second")(opened())
    told, _ = propagation.drifted(NAME, dates=["2026-02-02"], seen=window(Stamp("f1", 4), 4))(told)
    assert told is not None
    assert told.windows[NAME] == replace(window(Stamp("f1", 4), 4), awaited=awaiting.awaited)


def test_a_run_opened_after_its_deadline_fires_nothing_before_it_has_heard_all_that_was_known() -> None:
    told: Phase | None = None
    gate = replace(GATE, expect=("team", "odds"), critical=("odds",), settle_s=0.0, deadline=500.0)
    told, _ = decisions.open_phase(key=KEY, gate=gate, now=1_000.0, attempt="open", alone=False)(told)
    known = Report(member="odds", status="success", order=1.0, stamp=Stamp("f1", 1), built_from={}, relayed=True)
    told, answer = decisions.report(known, key=KEY, now=1_001.0, attempt="relay")(told)
    assert answer.generation == 0, "its sister may know of the team too"
    first = window(Stamp("f1", 1), 1)
    told, _ = propagation.windowed({NAME: first}, origin=None, key=KEY, now=1_002.0, attempt="first")(told)
    assert told is not None
    assert told.generation == 1
    assert told.firings[0].missing == ("team",)


def test_a_run_that_cannot_hear_what_was_known_is_not_kept_from_its_deadline_for_ever() -> None:
    told: Phase | None = None
    gate = replace(
        GATE, expect=("team", "odds"), critical=("odds",), settle_s=0.0, deadline=500.0, catch_up_max_s=100.0
    )
    told, _ = decisions.open_phase(key=KEY, gate=gate, now=1_000.0, attempt="open", alone=False)(told)
    known = Report(member="odds", status="success", order=1.0, stamp=Stamp("f1", 1), built_from={}, relayed=True)
    told, _ = decisions.report(known, key=KEY, now=1_001.0, attempt="relay")(told)
    told, answer = decisions.look(key=KEY, now=1_099.0, attempt="early")(told)
    assert answer.generation == 0
    told, answer = decisions.look(key=KEY, now=1_100.0, attempt="late")(told)
    assert answer.generation == 1


def test_a_sibling_run_needs_no_relay_of_a_write_that_it_has_or_has_a_newer_one_of() -> None:
    def result(token: int, *, lacks: Lacks | None = None) -> Result:
        return Result(stamp=Stamp(f"2-{token}", token), built_from={}, at=1.0, write_id=f"w{token}", lacks=lacks)

    def read(content: str) -> Result:
        return Result(stamp=Stamp(content), built_from={}, at=1.0, sequence=1.0)

    partial = Lacks(missing=("7",), count=1)
    for theirs, ours, needs_none in (
        (result(2), result(2), True), (result(3), result(2), True), (result(1), result(2), False),
        (result(2), result(2, lacks=partial), False), (read("2-a"), read("2-a"), True),
        (read("2-a"), read("2-b"), False),
        (read("2-2"), result(2), False), (result(2), read("2-a"), False), (None, result(2), False),
    ):  # fmt: skip
        sibling = replace(opened(), members={} if theirs is None else {"team": Member(result=theirs)})
        assert propagation.needs_no_relay(sibling, "team", result=ours) is needs_none
    assert propagation.needs_no_relay(opened(), "stranger", result=result(2)), "its gate does not have the step"
