"""How many changes of its windows the simulator lets a step of a date follow: no more than the product promises."""

import pytest

from phasegate.base.receipt import Stamp
from phasegate.gate.phase import Phase
from phasegate.gate.records import Firing, Input, Member, Result
from phasegate.plan.gate import Gate, Need
from phasegate.testing.simulator.lookback import Content, Lookback
from phasegate.testing.simulator.scene import document

TREND, CACHE = Need("analytics", "trend"), Need("precompute", "cache")
TEAM_BEFORE, TREND_BEFORE = Need("analytics", "team", 2), Need("analytics", "trend", 2)
DAYS = ("2026-02-03", "2026-02-04", "2026-02-05")
LAST = DAYS[-1]


def built(phases: dict[str, Phase]) -> Lookback:
    """Return what is known once each date was built of the dates before it."""
    lookback = Lookback([(TREND, TEAM_BEFORE), (CACHE, TREND_BEFORE)], runs=list(phases), cascade_days=1)
    for number, day in enumerate(DAYS):
        write(lookback, "team", day, f"r{number}", phases=phases)
        write(lookback, "trend", day, f"r{number}", phases=phases, reads=TEAM_BEFORE)
        write(lookback, "cache", day, f"r{number}", phases=phases, reads=TREND_BEFORE)
    lookback.followed.clear()
    return lookback


def write(
    lookback: Lookback, step: str, day: str, content: str, *, phases: dict[str, Phase], reads: Need | None = None
) -> None:
    built_from = {} if reads is None else {str(reads): lookback.stamp(reads, day)}
    rows = [{"day": day, "k": 0, "v": f"{day[8:]}{content}"}]
    lookback.record(step, Content(day, Stamp(f"1-{content}", 1), rows, built_from), phases=phases)


def documents(*, begun: int = 2) -> dict[str, Phase]:
    """Return the documents of all dates; in the last, ``begun`` is the generation that the second phase works on.

    The first phase has fired twice.
    """
    found, gate = {}, Gate(members={}, expect=())
    fired = tuple(Firing(generation=number, stamps={}, at=0.0, by="a") for number in (1, 2))
    for day in DAYS:
        result = Result(stamp=Stamp("1-built", 1), built_from={}, at=0.0)
        begins = Input(generation=begun if day == LAST else 2, stamps={}, begun_at=0.0, begun_by="a")
        found[document("analytics", day)] = Phase(
            gate=gate, opened_at=0.0, looked_at=0.0, firings=fired, members={"trend": Member(result=result)}
        )
        found[document("precompute", day)] = Phase(
            gate=gate, opened_at=0.0, looked_at=0.0, inputs={"analytics": begins},
            members={"cache": Member(result=result)},
        )  # fmt: skip
    return found


@pytest.mark.parametrize(("begun", "follows"), [(1, 1), (2, 0)])
def test_a_change_long_ago_is_followed_if_the_next_phase_is_yet_to_begin_what_this_one_fired(
    begun: int, follows: int
) -> None:
    phases = documents(begun=begun)
    lookback = built(phases)
    write(lookback, "team", DAYS[0], "r10", phases=phases)
    assert lookback.followed["trend", LAST] == follows


def test_a_step_follows_its_drift_once_when_a_later_phase_follows_a_change_nearby() -> None:
    phases = documents()
    lookback = built(phases)
    write(lookback, "trend", DAYS[1], "r11", phases=phases)
    assert (lookback.followed["trend", LAST], lookback.followed["cache", LAST]) == (0, 1)
    write(lookback, "team", DAYS[0], "r10", phases=phases)
    for number in (2, 3):
        write(lookback, "trend", DAYS[1], f"r12{number}", phases=phases)
        assert (lookback.followed["trend", LAST], lookback.followed["cache", LAST]) == (1, number)
    write(lookback, "trend", LAST, "r13", phases=phases, reads=TEAM_BEFORE)
    write(lookback, "trend", DAYS[1], "r14", phases=phases)
    assert (lookback.followed["trend", LAST], lookback.followed["cache", LAST]) == (1, 4)


def test_the_same_content_again_is_reported_as_old_as_before() -> None:
    phases = documents()
    lookback = built(phases)
    write(lookback, "team", DAYS[0], "r10", phases=phases)
    for _ in range(2):
        write(lookback, "trend", DAYS[1], "r13", phases=phases, reads=TEAM_BEFORE)
    lookback.record_repeat("trend", DAYS[1])
    assert lookback.followed["cache", LAST] == 0
