import json

import pytest

from tests.support.commands import RUN, SQL, Night

KEY = "quarantine:nba:nba.completions:"


@pytest.fixture
def bad(night: Night) -> Night:
    """Give a night with a dead request and a message in quarantine."""
    night.whole()
    (night.folder / "player_game.sql").write_text(SQL.replace("points", "nope"))
    night.scrape(12, version=2)
    night.publish({"kind": "completion", "step": "nope", "run": RUN})
    done = night("worker", "--until-idle")
    assert (done.code, done.out.splitlines()[0]) == (
        1,
        "Served 3 messages; 1 quarantined; 1 request dead: phasegate dead; nothing to do now; next due at 08:25.",
    )
    return night


def test_dead_names_what_is_dead_why_and_how_to_bring_it_back(bad: Night) -> None:
    letters = bad("dead", "--json").json["dead"]
    key = letters[1]["subject"]
    assert key.startswith(KEY)
    done = bad("dead")
    assert (done.code, done.err) == (1, "")
    assert done.out == (
        "dead request player_game of 2026-02-03.overnight, since 08:15, 0 s\n"
        '  SQL for table nba_analytics.player_game: Binder Error: Referenced column "nope" not found in FROM clause! '
        'Candidate bindings: "player", "updated"\n'
        "  next: phasegate redrive 2026-02-03.overnight --step player_game\n"
        "\n"
        "quarantined message of 2026-02-03.overnight, since 08:15, 0 s\n"
        "  message m1: unknown step 'nope'; the plan has gamebook, odds, player_game, report\n"
        f"  next: correct its sender or the plan, then: phasegate redrive {key}, or: phasegate dead --discard {key}\n"
        "\n"
        "2 dead letters; all at once: phasegate redrive --all. Times: America/New_York.\n"
    )
    assert letters[0] == {
        "kind": "request",
        "subject": "player_game",
        "run": RUN,
        "reason": done.out.splitlines()[1].strip(),
        "at": "2026-02-04T13:15:00Z",
        "next": "phasegate redrive 2026-02-03.overnight --step player_game",
    }


def test_a_discarded_message_is_shown_again_only_when_it_comes_again(night: Night) -> None:
    night.whole()
    said = {"kind": "completion", "step": "nope", "run": RUN}
    night.publish(said)
    night("worker", "--until-idle")
    (letter,) = night("dead", "--json").json["dead"]
    done = night("dead", "--discard", letter["subject"])
    assert (done.code, done.out) == (0, "Nothing is dead.\n")
    assert night("status").code == 0
    night.publish(said)
    night("worker", "--until-idle")
    assert night("dead").code == 1
    done = night("dead", "--discard", "quarantine:nba:x:y")
    assert (done.code, done.err) == (
        2,
        "phasegate: quarantine:nba:x:y: no such message in quarantine; see phasegate dead\n",
    )


def test_nothing_dead_is_fine(night: Night) -> None:
    night.whole()
    done = night("dead")
    assert (done.code, done.out) == (0, "Nothing is dead.\n")
    done = night("redrive", RUN)
    assert (done.code, done.out) == (0, f"Nothing is dead in {RUN}; nothing to bring back.\n")


def test_redrive_of_a_step_asks_for_it_again_and_after_the_mend_it_is_built(bad: Night) -> None:
    (bad.folder / "player_game.sql").write_text(SQL)
    done = bad("redrive", RUN, "--step", "player_game")
    assert (done.code, done.out) == (
        0,
        "request player_game of 2026-02-03.overnight\n"
        "1 dead letter brought back; to process them: phasegate worker --until-idle\n",
    )
    assert bad("worker", "--until-idle").code == 1, "the message is in quarantine still"
    assert "generation 2, 08:15, 0 s ago: player_game changed" in bad("why", RUN, "--phase", "analytics").out


def test_a_message_that_is_sent_again_and_refused_again_comes_back(bad: Night) -> None:
    key = bad("dead", "--json").json["dead"][1]["subject"]
    done = bad("redrive", key, "--json")
    assert (done.code, done.json) == (0, {"redriven": [{"kind": "message", "subject": key, "run": RUN}]})
    assert [letter["kind"] for letter in bad("dead", "--json").json["dead"]] == ["request"]
    assert bad("worker", "--until-idle").code == 1
    assert [letter["subject"] for letter in bad("dead", "--json").json["dead"]] == ["player_game", key]


def test_redrive_of_all_brings_everything_back(bad: Night) -> None:
    assert len(bad("redrive", "--all", "--json").json["redriven"]) == 2
    assert bad("dead").code == 0


def test_a_smaller_partition_is_written_only_when_it_is_forced(night: Night) -> None:
    night.whole()
    (night.folder / "player_game.sql").write_text(SQL + " AND points < 3")
    night.scrape(12, version=2)
    night("worker", "--until-idle")
    assert "would shrink from 10 to 2 rows" in night("dead").out
    night("redrive", RUN, "--step", "player_game")
    night("worker", "--until-idle")
    assert "would shrink" in night("dead").out
    forced = f"if the rows may be lost: phasegate redrive {RUN} --step player_game --force"
    assert night("dead", "--json").json["dead"][0]["next"] == forced
    assert forced in night("why", RUN).out
    night("redrive", RUN, "--step", "player_game", "--force")
    night("worker", "--until-idle")
    (view,) = night("why", RUN, "--phase", "analytics", "--json").json["phases"]
    assert (view["state"], view["members"][0]["rows"]) == ("complete", 2)


def test_a_broken_message_in_quarantine_is_named_beside_the_rest(bad: Night) -> None:
    key = bad("dead", "--json").json["dead"][1]["subject"]
    bad.rewrite(key, count="many")
    done = bad("dead", "--json")
    assert (done.code, len(json.loads(done.out)["dead"])) == (2, 1)
    assert done.err == f"phasegate: document {key}: cannot be read: Expected `int`, got `str` - at `$.count`\n"


def test_after_a_lost_store_adopt_says_which_partitions_obey_the_new_one(night: Night) -> None:
    night.whole()
    (night.folder / ".phasegate" / "phasegate.db").rename(night.folder / "lost.db")
    for leftover in (night.folder / ".phasegate").glob("phasegate.db-*"):
        leftover.unlink()
    done = night("adopt", "--yes", "--json")
    assert done.code == 0
    assert done.json["partitions"] == [
        {"table": name, "partition": "2026-02-03", "token": 1, "note": "reported: accepted"}
        for name in ("nba_analytics.player_game", "nba_raw.gamebook")
    ]
    done = night("adopt", "--yes")
    lines = done.out.splitlines()
    assert lines[:3] == [
        "partition                             token  note",
        "nba_analytics.player_game/2026-02-03  1",
        "nba_raw.gamebook/2026-02-03           1",
    ]
    assert lines[4].startswith("2 partitions now obey store ")
    night.scrape(12, version=2)
    assert "  2      " in night("leases", "--all").out


def test_adopting_an_empty_warehouse_says_so(night: Night) -> None:
    done = night("adopt", "--yes")
    assert (done.code, done.out) == (0, "The warehouse has no fences: nothing to adopt.\n")
