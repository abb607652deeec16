"""``phasegate query`` as a user types it, also beside a worker of another process."""

import pytest

from tests.support.commands import RUN, Night

ALL = "SELECT player, points, game_date FROM nba_raw.gamebook ORDER BY player"


def test_rows_are_shown_as_a_table_as_json_and_as_csv(night: Night) -> None:
    night.scrape(2)
    assert (
        night("query", ALL).out
        == """\
player  points  game_date
p0      0.0     2026-02-03
p1      1.0     2026-02-03

2 rows
"""
    )
    assert night("query", ALL, "--json").json == {
        "rows": [
            {"player": "p0", "points": 0.0, "game_date": "2026-02-03"},
            {"player": "p1", "points": 1.0, "game_date": "2026-02-03"},
        ]
    }
    assert night("query", ALL, "--csv").out == "player,points,game_date\np0,0.0,2026-02-03\np1,1.0,2026-02-03\n"


def test_cells_that_other_formats_lack_have_a_form_in_each(night: Night) -> None:
    night.scrape(1)
    sql = "SELECT NULL AS a, 1.50::DECIMAL(4, 2) AS b, 'NaN'::DOUBLE AS c, 'x,\"y' AS d"
    sql += ", TIMESTAMPTZ '2026-02-03 04:05Z' AS e"
    assert night("query", sql, "--json").json["rows"] == [
        {"a": None, "b": "1.50", "c": None, "d": 'x,"y', "e": "2026-02-03T04:05:00Z"}
    ]
    assert night("query", sql, "--csv").out.splitlines()[1] == ',1.50,nan,"x,""y",2026-02-03 04:05:00+00:00'
    assert night("query", sql).out.splitlines()[1].split()[:3] == ["NULL", "1.50", "nan"]


@pytest.mark.parametrize(
    "sql",
    ["DELETE FROM nba_raw.gamebook", "SELECT 1; DROP TABLE nba_raw.gamebook", "CREATE TABLE x (a INTEGER)",
     "COPY nba_raw.gamebook TO 'rows.csv'", "ATTACH 'other.duckdb'", "SET threads = 8", ""],
)  # fmt: skip
def test_what_is_no_select_is_refused_and_changes_nothing(night: Night, sql: str) -> None:
    night.scrape(2)
    before = sorted(path.name for path in night.folder.iterdir())
    done = night("query", sql)
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith("must be one SELECT: queries only read, and steps write tables\n")
    assert night("query", "SELECT count(*) AS n FROM nba_raw.gamebook", "--csv").out == "n\n2\n"
    assert sorted(path.name for path in night.folder.iterdir()) == before


def test_no_rows_a_wrong_table_and_a_missing_state_are_said_plainly(night: Night) -> None:
    assert night("query", ALL).err.startswith("phasegate: there is no state at ")
    night.scrape(1)
    assert night("query", f"SELECT * FROM ({ALL}) WHERE points > 9").out == "0 rows\n"
    assert "Table with name nope does not exist" in night("query", "SELECT * FROM nope").err
    assert night("query", ALL, "--csv", "--json").err == "phasegate: query: give only one of --csv and --json\n"


def test_tables_are_read_while_a_worker_of_another_process_runs(night: Night) -> None:
    night.scrape(3)
    assert night("complete", "odds", "--run", RUN).code == 0
    worker = night.start("worker")
    try:
        counts = [night("query", "SELECT count(*) AS n FROM nba_raw.gamebook", "--csv").out for _ in range(5)]
    finally:
        worker.terminate()
        worker.communicate()
    assert counts == ["n\n3\n"] * 5
