"""``phasegate tables`` as a user types it, on SQLite and DuckDB."""

import pytest

from tests.support.commands import PLAN, RUN, SQL, Night

COLUMNS = 'points = "DOUBLE", updated = "BIGINT"'
NEXT = "2026-02-04.overnight"


def change(night: Night, *, columns: str = COLUMNS, sql: str = SQL, plan: str = PLAN) -> None:
    (night.folder / "plan.toml").write_text(plan.replace(COLUMNS, columns))
    (night.folder / "player_game.sql").write_text(sql)


def built(night: Night) -> None:
    night.scrape(2)
    assert night("complete", "odds", "--run", RUN, "--rows", "7").code == 0
    assert night("worker", "--until-idle").code == 0


def wider(night: Night) -> None:
    """Give both tables a column, of which the second reads the first's."""
    change(
        night,
        columns=f'{COLUMNS}, steals = "INTEGER"',
        sql="SELECT game_date, player, points, steals FROM nba_raw.gamebook WHERE game_date = $run_date",
    )


def test_tables_of_the_plan_are_the_same(night: Night) -> None:
    built(night)
    done = night("tables")
    assert (done.code, done.err) == (0, "")
    assert [line.split()[3] for line in done.out.splitlines()[3:]] == ["same", "same"]


def test_new_columns_are_shown_added_and_written(night: Night) -> None:
    built(night)
    with night.pipeline() as pipeline:
        before = pipeline.tables()
    wider(night)
    shown = night("tables")
    assert shown.code == 1
    assert shown.out.count("  + steals INTEGER") == 2
    assert shown.out.endswith("next: phasegate tables --apply\n")
    applied = night("tables", "--apply")
    assert (applied.code, applied.err) == (0, "")
    assert applied.out.endswith("next: phasegate backfill --from 2026-02-03 --to 2026-02-03 --steps player_game\n")
    with night.pipeline() as pipeline:
        assert pipeline.tables() == before
        with pipeline.begin(NEXT, step="gamebook") as step:
            step.write([{"game_date": NEXT[:10], "player": "p", "points": 1.0, "updated": 1, "steals": 4}])
            step.complete(rows=1)
    assert night("complete", "odds", "--run", NEXT, "--rows", "7").code == 0
    assert night("worker", "--until-idle").code == 0
    assert night.sql("SELECT steals FROM nba_analytics.player_game ORDER BY ALL") == [(4,), (None,), (None,)]
    assert night("tables").code == 0
    assert night("reconcile", "--from", RUN[:10], "--to", RUN[:10]).code == 0


def test_tables_that_are_absent_are_made_once_and_their_first_writes_are_accepted(night: Night) -> None:
    assert night("begin", RUN).code == 0
    assert [one["state"] for one in night("tables", "--json").json["tables"]] == ["not made", "not made"]
    done = night("tables", "--apply", "--json").json
    made = {one["table"]: [*one["added"]] for one in done["applied"]}
    columns = ["game_date", "player", "points"]
    assert made == {"nba_raw.gamebook": [*columns, "updated"], "nba_analytics.player_game": columns}
    again = night("tables", "--apply", "--json").json
    assert ([one["state"] for one in again["tables"]], again["applied"]) == (["same", "same"], [])
    built(night)
    assert night.sql("SELECT count(*) FROM nba_analytics.player_game") == [(2,)]


def test_a_column_that_is_not_added_yet_is_refused_with_the_command(night: Night) -> None:
    built(night)
    wider(night)
    row = {"game_date": RUN[:10], "player": "p", "points": 1.0, "updated": 2, "steals": 4}
    with (
        night.pipeline() as pipeline,
        pytest.raises(Exception, match=r"which table nba_raw.gamebook lacks.*: phasegate tables --apply$"),
        pipeline.begin(RUN, step="gamebook") as step,
    ):
        step.write([row])


def test_a_removed_column_needs_yes_and_shows_the_rebuild(night: Night) -> None:
    built(night)
    change(night, sql="SELECT game_date, player FROM nba_raw.gamebook WHERE game_date = $run_date")
    done = night("tables", "--apply")
    assert done.code == 1
    assert "  - points DOUBLE\n  needs --yes" in done.out
    assert done.out.endswith("next: phasegate tables --apply --yes\n")
    done = night("tables", "--apply", "--yes")
    assert (done.code, done.out.splitlines()[-1]) == (
        0, "next: phasegate backfill --from 2026-02-03 --to 2026-02-03 --steps player_game",
    )  # fmt: skip
    night(*done.out.splitlines()[-1].split()[2:])
    assert night("tables").out.splitlines()[-1].split()[-2:] == ["same", "-"]
    assert night("reconcile", "--from", RUN[:10], "--to", RUN[:10]).code == 0


def test_another_key_is_named_with_what_it_needs(night: Night) -> None:
    built(night)
    change(night, plan=PLAN.replace('key = ["game_date", "player"]', 'key = ["game_date", "player", "points"]'))
    found = {one["table"]: one for one in night("tables", "--json").json["tables"]}
    assert found["nba_raw.gamebook"]["key"] == ["game_date", "player"]
    assert found["nba_raw.gamebook"]["older"] == {"partitions": 1, "first": "2026-02-03", "last": "2026-02-03"}
    done = night("tables")
    assert "nba_raw.gamebook differs from the plan:\n  key was game_date, player\n  needs --yes" in done.out
    assert "its own job must write and report them again" in done.out
    assert night("tables", "--apply").code == 1
    assert night("tables", "--apply", "--yes").code == 0


def test_sql_that_cannot_be_used_is_named_and_the_others_are_compared(night: Night) -> None:
    built(night)
    change(night, columns=f'{COLUMNS}, steals = "INTEGER"', sql="SELECT nosuch(player) FROM nba_raw.gamebook")
    done = night("tables")
    assert done.code == 2
    assert (
        "SQL for table nba_analytics.player_game, line 1: Catalog Error: Scalar Function with name nosuch" in done.out
    )
    assert "  + steals INTEGER" in done.out


def test_without_state_nothing_is_created(night: Night) -> None:
    done = night("tables", "--apply")
    assert (done.code, done.err.partition(";")[0]) == (2, "phasegate: there is no state at .phasegate/phasegate.db")
    assert night("tables", "--yes").err.endswith("run: phasegate tables --apply --yes\n")
    assert not (night.folder / ".phasegate").exists()
