"""``phasegate plan check`` on the SQL of a plan."""

from contextlib import closing

import duckdb
import pytest

from tests.support.commands import PLAN, SQL, Night

WRONG = {
    "an unknown function": ("SELECT game_date, player,\n  nosuch(points) AS points FROM nba_raw.gamebook",
                            "line 2: Catalog Error: Scalar Function with name nosuch does not exist!"),
    "two unknown functions": ("SELECT game_date, nosuch(player) AS player, norsuch(1) AS n FROM nba_raw.gamebook",
                              "DuckDB has no functions norsuch, nosuch"),
    "an unknown column": ("SELECT game_date, plyer AS player FROM nba_raw.gamebook",
                          'line 1: Binder Error: Referenced column "plyer" not found in FROM clause! Candidate'),
    "an unknown table": ("SELECT game_date, player FROM nba_raw.gamebok",
                         'Table with name gamebok does not exist! Did you mean "gamebook"?'),
    "several statements": ("SELECT 1; SELECT 2", "has 2 statements; write one SELECT"),
    "a syntax error": ("SELECT game_date,\nplayer FROM FROM nba_raw.gamebook", "line 2: Parser Error"),
    "an unknown parameter": ("SELECT $day AS game_date, 'a' AS player", "parameters: day"),
    "a key that it does not yield": ("SELECT player FROM nba_raw.gamebook", "has no column game_date, its key"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_select_that_cannot_run_is_named_with_its_place(night: Night, name: str) -> None:
    sql, wanted = WRONG[name]
    (night.folder / "player_game.sql").write_text(sql)
    done = night("plan", "check")
    assert (done.code, done.err) == (2, "")
    assert done.out.splitlines()[-1].startswith("step player_game: ")
    assert wanted in done.out.splitlines()[-1]
    assert [one["kind"] for one in night("plan", "check", "--json").json["problems"]][:1] == ["sql"]
    assert not (night.folder / ".phasegate").exists()


@pytest.mark.parametrize(
    ("sql", "add"),
    [
        ("SELECT game_date, player FROM nba_raw.gamebook", '"raw.gamebook"'),
        ("WITH g AS (SELECT * FROM nba_raw.gamebook) SELECT game_date, player FROM g", '"raw.gamebook"'),
        (f"SELECT * FROM ({SQL}) WHERE player IN (SELECT player FROM nba_raw.gamebook)", '"raw.gamebook"'),
    ],
    ids=["plain", "in a WITH", "in a subquery"],
)
def test_a_table_that_is_read_and_not_needed_is_named_with_the_fix(night: Night, sql: str, add: str) -> None:
    (night.folder / "plan.toml").write_text(PLAN.replace('needs = ["raw.gamebook"]\nsql', "sql"))
    (night.folder / "player_game.sql").write_text(sql)
    done = night("plan", "check")
    assert done.code == 1
    assert done.out.splitlines()[-1] == (
        "step player_game: reads nba_raw.gamebook, which is not in needs: "
        f"a change of it rebuilds nothing; add {add} to needs"
    )


def test_a_with_that_is_named_like_a_table_is_no_read_of_it(night: Night) -> None:
    (night.folder / "player_game.sql").write_text(f"WITH report AS ({SQL}) SELECT * FROM report")
    assert night("plan", "check", "--json").json["problems"] == []


def test_a_table_that_no_step_writes_is_bound_as_the_warehouse_has_it(night: Night) -> None:
    sql = "SELECT game_date, player, town FROM nba_raw.gamebook JOIN ref.teams USING (player)"
    (night.folder / "player_game.sql").write_text(sql)
    assert night("plan", "check").code == 2
    (night.folder / ".phasegate").mkdir()
    with closing(duckdb.connect(str(night.folder / ".phasegate" / "warehouse.duckdb"))) as db:
        db.execute("CREATE SCHEMA ref; CREATE TABLE ref.teams (player VARCHAR, town VARCHAR)")
    done = night("plan", "check")
    assert (done.code, done.out.splitlines()[-1]) == (
        0, "step player_game: reads ref.teams, which no step of the plan writes: a change of it rebuilds nothing",
    )  # fmt: skip


def test_a_select_on_columns_that_are_not_known_is_not_checked_and_says_so(night: Night) -> None:
    start, _, rest = PLAN.partition("columns = {")
    (night.folder / "plan.toml").write_text(start + rest.partition("\n")[2])
    done = night("plan", "check")
    assert (done.code, done.out.splitlines()[-1]) == (
        0,
        "step player_game: not checked: the columns of a table that it reads (nba_raw.gamebook) are not known",
    )
