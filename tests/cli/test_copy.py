"""A month that moves from files to one PostgreSQL and back, as a user types it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from phasegate.warehouses.sql.reader import SqlReader
from tests.support.commands import Night
from tests.support.postgres import PostgresServer

DAYS = [f"2026-01-{day:02}" for day in range(4, 32)]
FILES = ("sqlite:///.phasegate/phasegate.db", "duckdb:///.phasegate/warehouse.duckdb")
BACK = ("sqlite:///back/phasegate.db", "duckdb:///back/warehouse.duckdb")


@pytest.fixture
def url(postgres_15: PostgresServer) -> str:
    return postgres_15.url()


def filled(night: Night, days: Sequence[str]) -> Night:
    """Bring dates to their results: gamebooks that are merged, and a SELECT's."""
    with night.pipeline() as pipeline:
        for day in days:
            run = f"{day}.overnight"
            with pipeline.begin(run, step="gamebook") as step:
                step.write([{"game_date": day, "player": f"p{n}", "points": float(n), "updated": 1} for n in range(10)])
                step.complete(rows=10)
            pipeline.complete({"step": "odds", "run": run, "status": "success", "rows": 7, "execution_id": day})
        pipeline.work_until_idle()
    night.scrape(12, run=f"{days[0]}.overnight", version=2)
    assert night("worker", "--until-idle").code == 0
    return night


@pytest.fixture
def month(night: Night) -> Night:
    return filled(night, DAYS)


@pytest.fixture
def week(night: Night) -> Night:
    return filled(night, DAYS[:7])


def settle(place: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(("STORE", "WAREHOUSE"), place, strict=True):
        monkeypatch.setenv(f"PHASEGATE_{name}", value)


def said(night: Night) -> list[Any]:
    """Return what the documents and the tables say."""
    why = [night("why", f"{day}.overnight", "--json").json for day in (DAYS[0], DAYS[-1])]
    with night.pipeline() as pipeline:
        tables = pipeline.tables()
    return [night("status", "--from", DAYS[0], "--to", DAYS[-1], "--json").json, why, tables]


def move(night: Night, place: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy the tables, and take the documents along."""
    copied = night("tables", "--copy", place[1])
    assert copied.code == 0, copied.err + copied.out
    (night.folder / "all.jsonl").write_text(night("export").out)
    settle(place, monkeypatch)
    assert night("import", "all.jsonl").code == 0
    assert night("adopt", "--yes").code == 0


def write_again(night: Night, *, version: int) -> None:
    night.scrape(15, run=f"{DAYS[3]}.overnight", version=version)
    assert night("worker", "--until-idle").code == 0
    asked = (
        f"SELECT count(*) AS n, max(points) AS most FROM nba_analytics.player_game WHERE game_date = DATE '{DAYS[3]}'"
    )
    assert night("query", asked, "--json").json["rows"] == [{"n": 15, "most": 14.0 * version}]
    assert night("reconcile", "--from", DAYS[0], "--to", DAYS[-1]).code in {0, 1}


@pytest.mark.slow
def test_a_month_moves_to_postgresql_and_back_and_says_the_same(
    month: Night, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = said(month)
    move(month, (url, url), monkeypatch)
    assert said(month) == before
    write_again(month, version=3)
    there = said(month)
    (month.folder / "back").mkdir()
    move(month, BACK, monkeypatch)
    assert said(month) == there
    write_again(month, version=4)
    settle((FILES[0], BACK[1]), monkeypatch)
    with pytest.raises(Exception, match="store"):
        month.scrape(10, run=f"{DAYS[5]}.overnight", version=9)


def test_a_copy_that_was_ended_goes_on_and_what_was_written_there_since_stays(
    week: Night, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from phasegate.interop.copier import Copier

    right, moved = Copier._moved, list[str]()

    def ended(self: Copier, *args: Any) -> str:
        moved.append(args[1].partition)
        if len(moved) == 5:
            raise KeyboardInterrupt
        return right(self, *args)

    monkeypatch.setattr(Copier, "_moved", ended)
    assert week("tables", "--copy", url).code == 130
    monkeypatch.undo()
    monkeypatch.chdir(week.folder)
    done = {
        one["table"]: (one["copied"], one["there"]) for one in week("tables", "--copy", url, "--json").json["tables"]
    }
    assert done == {"nba_raw.gamebook": (3, 4), "nba_analytics.player_game": (7, 0)}
    again = week("tables", "--copy", url)
    assert (again.code, " 7 " in again.out) == (0, True)
    settle((FILES[0], url), monkeypatch)  # the same store: the copy is written to, and this is newer there
    write_again(week, version=5)
    settle(FILES, monkeypatch)
    kept = week("tables", "--copy", url)
    assert kept.code == 1
    assert f"nba_raw.gamebook/{DAYS[3]}: kept as it is there: it was written again, with token" in kept.out


class CountedRow(dict[str, object]):
    """A row that counts how many of its kind there are at once."""

    now = most = 0

    def __init__(self, cells: Mapping[str, object]) -> None:
        super().__init__(cells)
        CountedRow.now += 1
        CountedRow.most = max(CountedRow.most, CountedRow.now)

    def __del__(self) -> None:
        CountedRow.now -= 1


@pytest.mark.parametrize("there", ["postgresql", "duckdb"])
def test_a_large_partition_is_copied_in_pieces(
    night: Night, url: str, there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.scrape(1_000)
    (night.folder / "back").mkdir()
    right = SqlReader.rows
    monkeypatch.setattr(SqlReader, "rows", lambda *args, **named: list(map(CountedRow, right(*args, **named))))
    monkeypatch.setattr("phasegate.interop.copier.ROWS_MAX", 100)
    monkeypatch.setattr("phasegate.warehouses.duckdb.session.STAGE_ROWS", 100)
    monkeypatch.setattr(CountedRow, "most", 0)
    copied = night("tables", "--copy", {"postgresql": url, "duckdb": BACK[1]}[there], "--json")
    assert (copied.code, copied.json["tables"][0]["rows"]) == (0, 1_000), copied.err + copied.out
    assert 100 <= CountedRow.most <= 200, "a piece, and the one that was staged before it"
    assert CountedRow.now == 0


def test_rows_past_phasegate_and_wrong_urls_are_named(week: Night, url: str) -> None:
    week.sql(f"DELETE FROM nba_raw.gamebook WHERE game_date = DATE '{DAYS[1]}' AND player = 'p1'")
    week.sql("INSERT INTO nba_raw.gamebook (game_date, player, points, updated) VALUES (DATE '2025-12-01', 'x', 1, 1)")
    done = week("tables", "--copy", url)
    assert done.code == 1
    assert f"nba_raw.gamebook/{DAYS[1]}: its rows are not those of its receipt; run: phasegate reconcile" in done.out
    assert "nba_raw.gamebook: 1 partition from 2025-12-01 to 2025-12-01 has no receipt" in done.out
    wrongs = {"sqlite:///a.db": "--copy: 'sqlite:///a.db': sqlite is not a warehouse",
              "duckdb:///.phasegate/warehouse.duckdb": "this is the warehouse that the settings name"}  # fmt: skip
    for wrong, text in wrongs.items():
        refused = week("tables", "--copy", wrong)
        assert (refused.code, text in refused.err) == (2, True), refused.err
    assert "only one of --apply and --copy" in week("tables", "--copy", url, "--apply").err
