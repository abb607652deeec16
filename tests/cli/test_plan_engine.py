"""``phasegate plan check --engine`` on the SQL of a plan."""

import sys

import pytest

from tests.support.commands import PLAN, Night

FINE = "SELECT game_date, player, points / 2 AS half FROM nba_raw.gamebook"
WRONG = (
    "-- half\nSELECT game_date, player,\n  median(points) AS points\nFROM nba_raw.gamebook\nGROUP BY game_date, player"
)
MENDED = "number the rows with row_number(), and take the avg() of the middle ones"


@pytest.mark.parametrize(("engine", "name"), [("postgresql", "PostgreSQL"), ("bigquery", "BigQuery")])
def test_what_does_not_translate_is_named_with_file_line_and_mend(night: Night, engine: str, name: str) -> None:
    (night.folder / "player_game.sql").write_text(WRONG)
    done = night("plan", "check", "--engine", engine)
    assert (done.code, done.err) == (2, "")
    assert done.out.splitlines()[-2:] == [
        f"{name} runs 0 of 1 SQL step",
        f"step player_game: {name}: player_game.sql line 3: median() is not in {name}; {MENDED}",
    ]
    found = night("plan", "check", "--engine", engine, "--json").json
    assert found["engine"] == engine
    assert found["problems"] == [
        {
            "step": "player_game",
            "kind": "engine",
            "text": f"{name}: player_game.sql line 3: median() is not in {name}; {MENDED}",
            "line": 3,
            "mend": MENDED,
        }
    ]
    assert not (night.folder / ".phasegate").exists()


def test_sql_that_translates_is_counted_and_no_finding(night: Night) -> None:
    (night.folder / "player_game.sql").write_text(FINE)
    done = night("plan", "check", "--engine", "bigquery")
    assert (done.code, done.out.splitlines()[-1]) == (0, "BigQuery runs 1 of 1 SQL step")


def test_without_an_engine_the_sql_is_checked_for_duckdb_and_sqlglot_is_not_asked(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    (night.folder / "player_game.sql").write_text(WRONG)
    assert night("plan", "check").code == 0
    assert night("plan", "check", "--json").json["engine"] == "duckdb"
    done = night("plan", "check", "--engine", "postgresql")
    assert (done.code, done.out) == (2, "")
    assert "sqlglot, which is not here; install it: pip install 'phasegate[sql]'" in done.err


def test_an_engine_that_is_not_known_is_refused(night: Night) -> None:
    done = night("plan", "check", "--engine", "mysql")
    assert done.code == 2
    assert "'mysql'" in done.err


def test_columns_that_only_duckdb_knows_are_used_too(night: Night) -> None:
    sql = "SELECT q.game_date, q.player FROM (SELECT *, 'x' AS player FROM nba_raw.gamebook) AS q"
    (night.folder / "player_game.sql").write_text(sql)
    done = night("plan", "check", "--engine", "postgresql")
    assert "line 1: there are 2 columns player, which PostgreSQL calls ambiguous; list the columns" in done.out


def test_the_sql_of_another_engine_is_not_bound_by_duckdb_and_no_worker_starts_on_it(night: Night) -> None:
    (night.folder / "plan.toml").write_text(
        PLAN.replace("attempts_max = 1", 'attempts_max = 1\ndialect = "postgresql"')
    )
    (night.folder / "player_game.sql").write_text("SELECT DISTINCT ON (player) * FROM nba_raw.gamebook")
    done = night("plan", "check", "--engine", "postgresql")
    assert (done.code, done.out.splitlines()[-1]) == (0, "step player_game: not checked: its SQL is PostgreSQL's own")
    assert night("plan", "check").code == 2
    done = night("worker", "--until-idle")
    assert done.code == 2
    assert "step player_game: player_game.sql does not run on DuckDB" in done.err


def test_what_a_date_reads_is_asked_of_bigquery_alone(night: Night) -> None:
    for options in (("--cost",), ("--cost", "--engine", "bigquery")):
        done = night("plan", "check", *options)
        assert (done.code, done.out) == (2, "")
        assert "BigQuery alone says what a SELECT would read; set PHASEGATE_WAREHOUSE=bigquery://" in done.err
