"""Random commands on a small phase: what the properties of every decision are checked with."""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

from phasegate.base import keys
from phasegate.base.receipt import Stamp
from phasegate.gate import decisions, operator, outbox, propagation
from phasegate.gate.decisions import Report
from phasegate.gate.phase import Phase
from phasegate.gate.propagation import Propagated
from phasegate.gate.records import Input, Window
from phasegate.plan.gate import Gate, Need, Receiver, Spec, Status

KEY = "phase:nba:analytics:2026-02-03.overnight"
RAW = Need("raw", "box")
BEFORE = Need("analytics", "team", 2)
GATE = Gate(
    members={
        "team": Spec(needs=(RAW,), shared=True),
        "player": Spec(needs=(RAW, Need("analytics", "team"))),
        "trend": Spec(needs=(RAW, BEFORE), shared=True),
        "odds": Spec(needs=(), asks=False),
    },
    expect=("odds", "player", "team"),
    critical=("player",),
    deadline=2_000.0,
    receivers=(Receiver("precompute", "nba.precompute.begin", "begin"), Receiver("slack", "slack", "publish")),
    settle_s=5.0,
    settle_max_s=20.0,
    catch_up_max_s=100.0,
    hash="h1",
)
OTHER_GATE = Gate(members={"team": Spec(needs=(RAW,))}, expect=("team",), hash="h2")

Decide = Callable[[Phase | None], tuple[Phase | None, object]]


@dataclass(frozen=True)
class Command:
    """A command at a time; ``decide(attempt)`` gives the decision for an attempt id."""

    name: str
    now: float
    make: Callable[[str, float], Decide]

    def decide(self, attempt: str) -> Decide:
        """Return the decision under this attempt id."""
        return self.make(attempt, self.now)


stamps = st.builds(Stamp, st.sampled_from(["f1", "f2", "f3"]), st.integers(1, 4))
times = st.floats(1_000.0, 3_000.0).map(lambda t: round(t, 1))
statuses: st.SearchStrategy[Status] = st.sampled_from(
    ["success", "empty", "partial", "failed", "transient", "inputs_changed", "skipped"]
)


def _open(now: float) -> Command:
    return Command(
        "open",
        now,
        lambda a, n: decisions.open_phase(key=KEY, gate=GATE, now=n, attempt=a, alone=False),
    )


def _report(now: float, said: Report) -> Command:
    return Command("report", now, lambda a, n: decisions.report(said, key=KEY, now=n, attempt=a))


def _begin(now: float, given: Input) -> Command:
    return Command("begin", now, lambda a, n: decisions.begin("raw", given=given, key=KEY, now=n, attempt=a))


def _look(now: float) -> Command:
    return Command("look", now, lambda a, n: decisions.look(key=KEY, now=n, attempt=a))


def _sent(now: float) -> Command:
    def make(_: str, n: float) -> Decide:
        def decide(phase: Phase | None) -> tuple[Phase | None, object]:
            return outbox.sent([] if phase is None else outbox.outgoing(phase, key=KEY, now=n), key=KEY, now=n)(phase)

        return decide

    return Command("sent", now, make)


def _acknowledged(now: float, generation: int) -> Command:
    return Command(
        "acknowledged", now, lambda _, n: outbox.acknowledged(generation, receiver="precompute", ack="begin", now=n)
    )


def _request_of(member: str) -> st.SearchStrategy[str]:
    """Draw among the ids that requests of a member have."""
    return st.integers(1, 6).map(lambda number: keys.request_id(KEY, member, number=number))


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Draw a report of a member, sometimes of an unknown one."""
    member = draw(st.sampled_from(["team", "player", "trend", "odds", "stranger"]))
    status = draw(statuses)
    built: dict[str, Stamp] | None = None
    if member == "team":
        built = {"raw.box": draw(stamps)}
    elif member == "player":
        built = {"raw.box": draw(stamps), "analytics.team": draw(stamps)}
    elif member == "trend":
        built = {"raw.box": draw(stamps), str(BEFORE): draw(stamps)}
    elif member == "odds":
        built = {}
    return Report(
        member=member,
        status=status,
        order=float(draw(st.integers(1, 8))),
        stamp=draw(stamps) if status in ("success", "empty") else None,
        built_from=draw(st.sampled_from([built, None])),
        request=draw(_request_of(member)) if member in ("team", "player", "trend") else "",
        relayed=draw(st.booleans()),
    )


inputs = st.builds(
    lambda g, s: Input(generation=g, stamps=s, begun_at=0.0, begun_by=""),
    st.integers(1, 4),
    st.dictionaries(st.just("box"), stamps),
)

# The content follows from the order, as it does where the ledgers are: two readings of one order are the same.
readings = st.integers(1, 6).map(lambda order: Window(stamp=Stamp(f"f{order % 4}", order), orders={"2026-02": order}))
days = st.sampled_from(["2026-02-01", "2026-02-02"])


def _windowed(now: float, reading: Window, origin: str | None) -> Command:
    return Command(
        "windowed",
        now,
        lambda a, n: propagation.windowed({str(BEFORE): reading}, origin=origin, key=KEY, now=n, attempt=a),
    )


def _drifted(now: float, reading: Window, day: str) -> Command:
    return Command("drifted", now, lambda _, __: propagation.drifted(str(BEFORE), dates=[day], seen=reading))


def _delivered(now: float, outcome: int) -> Command:
    """All notices that there are have been heard, are kept for later, or are left to be told again."""

    def make(_: str, n: float) -> Decide:
        def decide(phase: Phase | None) -> tuple[Phase | None, object]:
            told = Propagated({}, {}, {}, {})
            for name, notice in ({} if phase is None else phase.notices).items():
                if told[outcome] is not told.pending or notice.at <= n:  # as the propagator sends what is due only
                    told[outcome][name] = notice
            return propagation.delivered(told, key=KEY, now=n)(phase)

        return decide

    return Command("delivered", now, make)


hearings: st.SearchStrategy[Command] = st.one_of(
    st.builds(_windowed, times, readings, st.none() | days), st.builds(_drifted, times, readings, days)
)
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(_open, times),
    st.builds(_report, times, reports()),
    st.builds(_report, times, reports()),
    st.builds(_begin, times, inputs),
    st.builds(_look, times),
    st.builds(_sent, times),
    st.builds(_acknowledged, times, st.integers(1, 4)),
    hearings,
    hearings,
    st.builds(_delivered, times, st.integers(0, 3)),
    st.builds(
        lambda now, steps: Command(
            "rebuild", now, lambda a, n: operator.rebuild(steps, quiet=True, key=KEY, now=n, attempt=a)
        ),
        times,
        st.sampled_from([("team",), ("trend", "stranger"), ()]),
    ),
    st.builds(lambda now: Command("end quiet", now, lambda a, n: operator.end_quiet(key=KEY, now=n, attempt=a)), times),
    st.builds(
        lambda now, why: Command("pause", now, lambda a, n: operator.pause(why, key=KEY, now=n, attempt=a)),
        times,
        st.sampled_from(["look at it", None, None]),
    ),
    st.builds(
        lambda now, step: Command("redrive", now, lambda a, n: operator.redrive(step, key=KEY, now=n, attempt=a)),
        times,
        st.sampled_from([None, "team", "player"]),
    ),
    st.builds(
        lambda now, gate: Command("replan", now, lambda a, n: operator.replan(gate, key=KEY, now=n, attempt=a)),
        times,
        st.sampled_from([GATE, GATE, OTHER_GATE]),
    ),
)


@st.composite
def states(draw: st.DrawFn) -> Phase | None:
    """Draw a state that commands can lead to."""
    state: Phase | None = None
    for number, command in enumerate([_open(1_000.0), *draw(st.lists(commands, max_size=14))]):
        state, _ = command.decide(f"before{number}")(state)
    return state
