import sqlite3
import threading
from contextlib import closing

import pytest

from phasegate import connect
from phasegate.cli.kit.tally import Tally
from tests.support.commands import RUN, Night

OTHER = "2026-02-04.overnight"


def test_worker_until_idle_builds_what_is_asked_for_and_says_what_it_did(night: Night) -> None:
    night.scrape(10)
    night("complete", "odds", "--run", RUN)
    done = night("worker", "--until-idle")
    assert (done.code, done.out, done.err) == (0, "Served 3 messages; nothing to do now; next due at 08:22.\n", "")
    assert night("status", "--json").json["counts"] == {"complete": 2, "waiting": 1}


def test_worker_as_json(night: Night) -> None:
    night.publish({"kind": "completion", "step": "nope", "run": RUN})
    done = night("worker", "--until-idle", "--threads", "3", "--json")
    assert done.code == 1
    document = done.json
    (left,) = document.pop("left")
    assert "unknown step 'nope'" in left["text"]
    assert document == {
        "served": 1, "quarantined": 1, "dead": 0, "stopped_by": None, "next_due": None, "errors": [],
    }  # fmt: skip


def test_several_threads_reach_the_same_end(night: Night) -> None:
    night.scrape(10)
    night("complete", "odds", "--run", RUN)
    assert night("worker", "--until-idle", "--threads", "4").code == 0
    views = night("status", "--json").json["phases"]
    assert [(view["phase"], view["generation"]) for view in views] == [("raw", 1), ("analytics", 1), ("precompute", 0)]


def test_a_thread_that_dies_ends_the_command_and_is_told(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_self: object) -> bool:
        raise LookupError("a fault")

    monkeypatch.setattr("phasegate.work.worker.Worker.work", die)
    for arguments in (["worker", "--threads", "2"], ["worker", "--until-idle", "--json"]):
        done = night(*arguments)
        assert done.code == 2
        assert "phasegate: worker 1 failed: LookupError: a fault\n" in done.err
        assert "Traceback" not in done.err
        if "--json" in arguments:
            assert done.json["errors"] == ["worker 1 failed: LookupError: a fault"]


def test_a_pool_that_is_stopped_ends_all_its_threads(night: Night) -> None:
    tally = Tally(level="none")
    pipeline = connect(night.folder / "plan.toml", clock=night.clock, observer=tally)
    stop = threading.Event()
    working = threading.Thread(target=lambda: pipeline.run_workers(threads=3, stop=stop.is_set))
    working.start()
    stop.set()
    working.join(30)
    assert not working.is_alive()
    pipeline.close()


def test_a_document_that_cannot_be_handled_is_named_put_off_and_the_exit_says_so(night: Night) -> None:
    night("begin", RUN)
    night.clock.at += 86_400
    night.rewrite(f"phase:nba:raw:{RUN}", gate={})
    done = night("sweep", "--json")
    assert done.code == 2
    assert done.json["swept"] == 1
    (error,) = done.json["errors"]
    assert error.startswith(f"BadDocument: document phase:nba:raw:{RUN}: cannot be read: ")
    assert done.err == f"phasegate: {error}\n"
    assert night("sweep").code == 0


def test_a_document_that_is_no_json_object_holds_up_no_other(night: Night) -> None:
    night("begin", RUN)
    night("begin", OTHER)
    night.clock.at += 86_400
    with closing(sqlite3.connect(night.folder / ".phasegate" / "phasegate.db")) as file, file:
        file.execute("PRAGMA ignore_check_constraints = 1")
        file.execute("UPDATE documents SET body = '[1]' WHERE key = ?", (f"phase:nba:raw:{RUN}",))
    done = night("sweep", "--json")
    assert (done.code, done.json["swept"]) == (2, 2)
    (error,) = done.json["errors"]
    assert error.startswith(f"BadDocument: document phase:nba:raw:{RUN}: Expected `object`, got `array`")
    assert night("sweep").code == 0
    status = night("status")
    assert status.code == 2
    assert f"document phase:nba:raw:{RUN}: Expected `object`" in status.err
    assert OTHER in status.out
    assert night("worker", "--until-idle").code == 0


def test_sweep_says_how_much_it_looked_at_and_what_comes_next(night: Night) -> None:
    night("begin", RUN)
    done = night("sweep")
    assert (done.code, done.out) == (0, "Swept 0 documents; next due at 5 Feb 08:12.\n")
    night.clock.at += 86_400
    assert night("sweep", "--json").json == {"swept": 1, "next_due": "2026-02-06T13:12:00Z", "errors": []}


def test_a_worker_that_is_idle_exits_with_0_only_if_nothing_is_left_undone(night: Night) -> None:
    night.whole()
    assert night("worker", "--until-idle").code == 0
    night.scrape(12, version=2)
    night.sql("DROP TABLE nba_analytics.player_game")
    night.sql("CREATE TABLE nba_analytics.player_game (game_date DATE, player INTEGER)")
    night("worker", "--until-idle")
    for _ in range(2):
        done = night("worker", "--until-idle")
        assert done.code == 1, "dead since an earlier worker"
        assert f"left undone: analytics of {RUN} is dead: player_game: " in done.out
        assert f"    next: phasegate redrive {RUN} --step player_game" in done.out
    (left,) = night("worker", "--until-idle", "--json").json["left"]
    assert left["next"] == f"phasegate redrive {RUN} --step player_game"


def test_a_step_in_its_back_off_is_left_undone(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(night.folder))
    plan = night.folder / "plan.toml"
    columns = 'columns = { game_date = "DATE", player = "VARCHAR", points = "DOUBLE" }'
    python = plan.read_text().replace('sql = "player_game.sql"', f'python = "fails_at_first:rows"\n{columns}')
    plan.write_text(python.replace("attempts_max = 1", "attempts_max = 5"))
    (night.folder / "fails_at_first.py").write_text("def rows(step):\n    raise RuntimeError('the disk is full')\n")
    night.scrape(10)
    night("complete", "odds", "--run", RUN)
    done = night("worker", "--until-idle")
    assert done.code == 1
    assert f"left undone: analytics of {RUN} is building: player_game asked for" in done.out


def test_a_report_that_is_not_late_is_not_left_undone_and_a_late_one_is(night: Night) -> None:
    plan = night.folder / "plan.toml"
    plan.write_text(plan.read_text().replace("partition =", 'expected_by = "09:00 +1d"\npartition =', 1))
    night("begin", RUN)
    assert night("worker", "--until-idle").code == 0
    night.clock.at += 6 * 3600.0
    done = night("worker", "--until-idle")
    assert done.code == 1
    assert f"left undone: raw.gamebook of {RUN} is late" in done.out


def test_a_message_in_quarantine_is_left_undone(night: Night) -> None:
    night.publish({"kind": "completion", "step": "nope", "run": RUN})
    night("worker", "--until-idle")
    done = night("worker", "--until-idle")
    assert done.code == 1
    assert "left undone: a message is in quarantine: " in done.out
