"""Every event says what it is about: run, step, token, and the id of the trigger or request."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from phasegate import Pipeline, Transient, connect
from phasegate.observe.context import ContextObserver
from phasegate.ports import bind, bound, bound_fields, keeping
from tests.support.commands import PLAN, RUN, SQL, StillClock
from tests.support.pipelines import Told

# About a phase's document, not about the work on one step.
OF_A_PHASE = {"decided", "fired", "sent", "dead letter"}
# About neither.
OF_ALL = {"swept", "served", "message failed", "lease held"}


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def night(tmp_path: Path, told: Told) -> Iterator[Pipeline]:
    (tmp_path / "plan.toml").write_text(PLAN)
    (tmp_path / "player_game.sql").write_text(SQL)
    with closing(connect(tmp_path / "plan.toml", state=tmp_path, observer=told, clock=StillClock())) as pipeline:
        yield pipeline


def deliver(pipeline: Pipeline, points: float = 4.0) -> None:
    with pipeline.begin(RUN, step="gamebook") as step:
        step.write([{"game_date": step.date, "player": "a", "points": points, "updated": 1}])
        step.complete(rows=1)


def a_night(pipeline: Pipeline) -> None:
    """Play a run from the first report to the last, with a step that fails."""
    deliver(pipeline)
    pipeline.complete({"step": "odds", "run": RUN, "execution_id": "o1"})
    pipeline.work_until_idle()
    with pytest.raises(Transient), pipeline.begin(RUN, step="report"):
        raise Transient("the mailer is away")
    with pipeline.begin(RUN, step="report") as step:
        step.complete(execution_id="r1")
    pipeline.work_until_idle()


def lacking(told: Told) -> list[tuple[str, str]]:
    """Return the events that lack what they must have, each with the field."""
    found = []
    for name, given in told.events:
        wanted = {"run"} if name in OF_A_PHASE else set() if name in OF_ALL else {"run", "step"}
        if name in ("writing", "written", "step not built", "command begun", "stale holder stopped"):
            wanted |= {"token"}
        if "message" in given and name not in OF_ALL and not ({"trigger", "request"} & given.keys()):
            wanted |= {"trigger or request"}
        if name == "served" and not ({"trigger", "request", "step"} & given.keys()):
            wanted |= {"trigger, request or step"}
        if name == "lease held":
            wanted |= {"token"} if str(given["key"]).endswith(":table") else {"token", "step", "run"}
        found += [(name, field) for field in sorted(wanted) if given.get(field) in (None, "")]
    return found


def test_every_event_of_a_run_says_run_step_token_and_trigger_or_request(night: Pipeline, told: Told) -> None:
    a_night(night)
    assert {"decided", "fired", "sent", "served", "writing", "written", "attempt ended", "lease held"} <= {
        name for name, _ in told.events
    }
    assert lacking(told) == []


def test_an_event_without_what_it_is_about_is_found() -> None:
    told = Told()
    told.event("written", step="s", run=RUN)
    told.event("decided", key="k")
    assert lacking(told) == [("written", "token"), ("decided", "run")]


def test_what_a_worker_does_for_a_request_has_its_id_from_its_begin_to_its_end(night: Pipeline, told: Told) -> None:
    a_night(night)
    built = [given for name, given in told.events if given.get("step") == "player_game"]
    request = {str(given["request"]) for given in built}
    assert len(request) == 1
    names = [name for name, given in told.events if given.get("request") in request]
    assert names[0] == "sent"
    assert {"writing", "written", "lease held", "attempt ended"} <= set(names)
    assert names[-1] == "served"
    tokens = {given["token"] for name, given in told.events if name in ("writing", "written", "lease held")
              and given["step"] == "player_game"}  # fmt: skip
    assert tokens == {1}


def test_a_trigger_is_followed_from_its_firing_to_what_it_began(night: Pipeline, told: Told) -> None:
    a_night(night)
    triggers = {str(given["trigger"]) for name, given in told.events if name == "sent" and "trigger" in given}
    assert len(triggers) == 2
    for trigger in triggers:
        names = [name for name, given in told.events if given.get("trigger") == trigger]
        assert names[:3] == ["sent", "decided", "decided"]
        assert "served" in names


def test_a_step_that_fails_and_the_dead_letter_after_it_say_which(tmp_path: Path, told: Told) -> None:
    (tmp_path / "plan.toml").write_text(PLAN)
    (tmp_path / "player_game.sql").write_text(SQL.replace("points", "nope"))
    with closing(connect(tmp_path / "plan.toml", state=tmp_path, observer=told, clock=StillClock())) as pipeline:
        deliver(pipeline)
        pipeline.complete({"step": "odds", "run": RUN, "execution_id": "o1"})
        pipeline.work_until_idle()
    assert lacking(told) == []
    (failed,), (dead,) = told.of("step not built"), told.of("dead letter")
    assert (failed["step"], failed["token"], failed["request"]) == ("player_game", 1, dead["request"])
    assert (dead["kind"], dead["subject"], dead["run"]) == ("request", "player_game", RUN)


def test_an_events_own_field_wins_over_a_bound_one_and_a_block_ends_what_it_bound(told: Told) -> None:
    observer = ContextObserver(told)
    with bound(run="a", step="s"):
        bind(token=3)
        observer.event("rescued", run="b")
    observer.event("swept")
    assert told.events == [("rescued", {"run": "b", "step": "s", "token": 3}), ("swept", {})]


def test_a_call_in_another_thread_has_the_fields_of_where_it_was_made() -> None:
    with bound(run="a"):
        call = keeping(lambda: dict(bound_fields()))
    assert (call(), dict(bound_fields())) == ({"run": "a"}, {})
