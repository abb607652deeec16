"""Each act is recorded before it is done, and completed after it."""

import pytest

from phasegate.audit import About, AuditEntry, AuditLog, entries, entries_of
from phasegate.errors import BadDocument, BadInput, Unavailable
from tests.support.pipelines import RUN, Shop, shop

DAY_S = 86_400.0


def log_of(made: Shop) -> AuditLog:
    return AuditLog("shop", made.pipeline.ports)


def stored(made: Shop) -> list[AuditEntry]:
    broken: list[BadDocument] = []
    found = [entry for _, entry in entries(made.pipeline.ports, "shop", first="0", last="9", broken=broken)]
    assert broken == []
    return found


def test_an_act_is_recorded_before_it_is_done_and_completed_after_it() -> None:
    made = shop()
    with log_of(made).acting("phasegate pause RUN", by="ada", via="page", about=About(run=RUN)) as act:
        (begun,) = stored(made)
        assert (begun.by, begun.via, begun.command, begun.run) == ("ada", "page", "phasegate pause RUN", RUN)
        assert (begun.finished_at, begun.outcome) == (None, "")
        made.clock.at += 5
        act.outcome = "paused"
    (entry,) = stored(made)
    assert (entry.at, entry.finished_at, entry.outcome, entry.failed) == (begun.at, begun.at + 5, "paused", False)


@pytest.mark.parametrize(("error", "outcome"), [(BadInput("no such run"), "no such run"), (SystemExit(), "stopped")])
def test_what_ends_an_act_is_its_outcome_and_goes_on(error: BaseException, outcome: str) -> None:
    made = shop()
    with pytest.raises(type(error)), log_of(made).acting("phasegate sweep", by="ada", via="http"):
        raise error
    (entry,) = stored(made)
    assert (entry.outcome, entry.failed) == (outcome, True)


def test_what_cannot_be_recorded_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    made, done = shop(), list[str]()

    def refuse(*_args: object, **_more: object) -> str:
        raise Unavailable("the store is away")

    monkeypatch.setattr(made.store, "write", refuse)
    with pytest.raises(Unavailable), log_of(made).acting("phasegate sweep", by="ada", via="http"):
        done.append("swept")
    assert done == []


def test_an_act_whose_end_cannot_be_recorded_is_done_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    made = shop()

    def refuse(*_args: object, **_more: object) -> str:
        raise Unavailable("the store is away")

    with log_of(made).acting("phasegate sweep", by="ada", via="http") as act:
        monkeypatch.setattr(made.store, "write", refuse)
    assert made.told.of("audit entry not completed") == [{"key": act.key, "error": "the store is away"}]
    assert [entry.finished_at for entry in stored(made)] == [None]


def test_the_acts_of_a_run_are_those_on_it_and_on_its_date_of_the_days_it_was_commanded() -> None:
    made = shop()
    log, began = log_of(made), made.clock.at
    for about, command in (
        (About(run=RUN), "on the run"),
        (About(run="2026-02-04.daily"), "on another run"),
        (About(first="2026-02-01", last="2026-02-03"), "on its dates"),
        (About(first="2026-02-04", last="2026-02-05"), "on other dates"),
        (About(), "on none"),
    ):
        with log.acting(command, by="ada", via="page", about=about):
            made.clock.at += 1
    made.clock.at += 3 * DAY_S
    with log.acting("days later", by="ada", via="page", about=About(run=RUN)):
        pass
    broken: list[BadDocument] = []
    of_run = entries_of(made.pipeline.ports, "shop", RUN, times=(began,), broken=broken)
    assert [entry.command for entry in of_run] == ["on its dates", "on the run"]
    later = entries_of(made.pipeline.ports, "shop", RUN, times=(began, began, made.clock.at), broken=broken)
    assert [entry.command for entry in later] == ["days later", "on its dates", "on the run"]


def test_an_entry_that_cannot_be_read_holds_up_no_other() -> None:
    made = shop()
    with log_of(made).acting("first", by="ada", via="page"):
        made.clock.at += 1
    with log_of(made).acting("second", by="ada", via="page"):
        pass
    first, _ = made.store.scan("audit:")
    made.store.write(first.key, {"by": 7}, due=None, expect=first.version)
    broken: list[BadDocument] = []
    found = entries(made.pipeline.ports, "shop", first="0", last="9", broken=broken)
    assert [entry.command for _, entry in found] == ["second"]
    assert [error.key for error in broken] == [first.key]


def test_texts_of_any_length_and_kind_are_stored() -> None:
    made = shop()
    with log_of(made).acting("\udcff" * 5_000, by="x" * 5_000, via="page") as act:
        act.outcome = "o" * 5_000
    (entry,) = stored(made)
    assert max(len(entry.command), len(entry.by), len(entry.outcome)) <= 2_000
