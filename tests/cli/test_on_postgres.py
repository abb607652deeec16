"""A whole night with documents in PostgreSQL, and tables in a file or there too, as a user types it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from phasegate.dialects.translate import translate_condition
from phasegate.errors import Unavailable
from tests.support.commands import PLAN, RUN, Night
from tests.support.docs_runner import split
from tests.support.postgres import PostgresServer
from tests.support.real_data import ROOT

SECRET = "s3cr%3At"


@pytest.fixture
def url(postgres_15: PostgresServer) -> str:
    """Give the address of an empty database, with a password that the server does not ask for."""
    return postgres_15.address(postgres_15.database()).replace("postgres@", f"postgres:{SECRET}@")


@pytest.fixture
def on_postgres(night: Night, url: str, monkeypatch: pytest.MonkeyPatch) -> Night:
    monkeypatch.setenv("PHASEGATE_STORE", url)
    assert night("init", "--store", url).code == 0
    return night


def test_a_mixed_house_works_from_begin_to_reconcile(on_postgres: Night) -> None:
    night = on_postgres
    assert night("begin", RUN).code == 0
    night.whole()
    found = night("status", "--json")
    assert found.code == 0, found.err
    assert "complete" in found.out
    why = night("why", RUN).out
    assert "player_game" in why
    assert night("reconcile", "--from", RUN[:10], "--to", RUN[:10]).code == 0
    assert night("leases", "--all").code == 0
    assert night.sql("SELECT count(*) FROM nba_analytics.player_game") == [(10,)]
    assert not (night.folder / ".phasegate" / "phasegate.db").exists()


def test_a_store_moves_to_a_file_and_back_and_says_the_same(
    on_postgres: Night, postgres_15: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = on_postgres
    night.whole()
    said = night("status", "--json").out, night("why", RUN, "--json").out
    other = postgres_15.url()
    for store in ("sqlite:///moved.db", other):
        (night.folder / "all.jsonl").write_text(night("export").out)
        monkeypatch.setenv("PHASEGATE_STORE", store)
        moved = night("import", "all.jsonl")
        assert moved.code == 0, moved.err
        assert (night("status", "--json").out, night("why", RUN, "--json").out) == said


def test_init_creates_the_store_once_and_may_be_run_again(night: Night, url: str) -> None:
    shown = url.replace(f"postgres:{SECRET}@", "")
    assert night("init", "--store", url).out == f"store {shown}: schema 1, created\n"
    assert night("init", "--store", url).out == f"store {shown}: schema 1, is there\n"
    done = night("init", "--store", url, "--json").json
    assert (done["files"], done["store"], done["store_schema"]) == ([], shown, 1)


def test_a_database_without_a_store_is_refused_by_name_and_without_the_password(
    night: Night, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHASEGATE_STORE", url)
    for command in (["status"], ["begin", RUN], ["worker", "--until-idle"]):
        done = night(*command)
        assert done.code == 2
        assert "is not there yet; create it, with the URL: phasegate init --store URL" in done.err
        assert SECRET not in done.err
        assert "s3cr:t" not in done.err


def test_init_refuses_what_is_no_address_of_postgresql(night: Night) -> None:
    assert "wanted postgresql://HOST/DATABASE" in night("init", "--store", "sqlite:///a.db").err
    done = night("init", "--store", "postgresql://me:pass/word@host/db")
    assert done.code == 2
    assert "pass" not in done.err.replace("password", "").replace("PGPASSWORD", "")


@dataclass(frozen=True)
class Page:
    """A database and its roles, made by the statements of the page."""

    server: PostgresServer
    granted_documents: str
    granted_tables: str

    def of(self, role: str) -> str:
        return self.server.address("nba", user=role)

    def grant(self, statements: str) -> None:
        for statement in statements.rstrip(";\n").split(";\n"):
            self.server.sql(statement, database="nba")


@pytest.fixture(params=["postgres_15", "postgres_18"])
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    server = request.getfixturevalue(request.param)
    text = (ROOT / "docs" / "how-to" / "on-postgresql.md").read_text()
    made, documents, tables = [block.text for block in split(text)[0] if block.language == "sql"]
    for statement in made.split(";\n"):
        server.sql(statement)
    yield Page(server, documents, tables)
    server.sql("DROP DATABASE nba WITH (FORCE)")
    server.sql("DROP ROLE phasegate; DROP ROLE IF EXISTS phasegate_worker")


def use(url: str, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    for name in names or ("STORE", "WAREHOUSE"):
        monkeypatch.setenv(f"PHASEGATE_{name}", url)


def test_the_statements_of_the_page_make_a_store_and_a_role_that_can_only_use_it(
    night: Night, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert night("init", "--store", page.of("phasegate")).out.endswith("/nba: schema 1, created\n")
    page.grant(page.granted_documents)
    use(page.of("phasegate_worker"), monkeypatch, "STORE")
    night.whole()
    assert night("status").code == 0
    assert night("doctor", "--store", page.of("phasegate"), "--days", "7").code in {0, 1}
    use(page.of("phasegate"), monkeypatch)
    night.scrape(10, run="2026-02-02.overnight")
    assert night("query", "SELECT count(*) AS n FROM nba_raw.gamebook", "--json").json["rows"] == [{"n": 10}]


def test_a_role_that_changes_no_table_s_form_runs_workers_on_what_its_owner_has_made(
    night: Night, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, worker = page.of("phasegate"), page.of("phasegate_worker")
    done = night("init", "--store", owner, "--warehouse", owner)
    assert [line.rpartition("/nba: ")[2] for line in done.out.splitlines()] == ["schema 1, created"] * 2
    assert night("init", "--warehouse", owner).out.endswith("/nba: schema 1, is there\n")
    use(owner, monkeypatch)
    made = night("tables", "--apply")
    assert (made.code, made.out.count(" was made:")) == (0, 2), made.err
    page.grant(page.granted_documents)
    use(worker, monkeypatch)
    with pytest.raises(Unavailable, match=r"not permitted \(permission denied for table fence\); grant it"):
        night.scrape(10)
    page.grant(page.granted_tables)
    night.whole()
    night.scrape(10, version=2)
    page.server.sql("CREATE TABLE phasegate_staging.rows_1_a (expired int)", database="nba")  # it may not drop this one
    night.scrape(10, run="2026-02-02.overnight")
    assert night("worker", "--until-idle").code == 0
    assert night("adopt", "--yes").code == 0
    assert night("reconcile", "--from", "2026-02-02", "--to", RUN[:10]).code == 0
    asked = "SELECT count(*)::int AS n, sum(points)::float AS points FROM nba_analytics.player_game"
    assert night("query", asked, "--json").json["rows"] == [{"n": 10, "points": 90.0}]
    rights = """SELECT has_database_privilege('phasegate_worker', 'nba', 'CREATE'), nspname FROM pg_namespace
        WHERE has_schema_privilege('phasegate_worker', oid, 'CREATE')"""
    assert page.server.sql(rights, database="nba") == [(False, "phasegate_staging")]
    (night.folder / "plan.toml").write_text(PLAN + MORE)
    with night.pipeline() as pipeline:
        step = pipeline.plan.steps["more"]
        assert step.table is not None
        with pytest.raises(Unavailable, match=r"permission denied for schema nba_analytics.; grant it"):
            pipeline.ports.warehouse.create(step.table, sql=step.sql, params={"run_date": RUN[:10]})
    use(owner, monkeypatch)
    assert "nba_analytics.more was made:" in night("tables", "--apply").out
    use(worker, monkeypatch)
    night("backfill", "--from", RUN[:10], "--to", RUN[:10], "--steps", "more")
    assert night("query", "SELECT count(*)::int AS n FROM nba_analytics.more", "--json").json["rows"] == [{"n": 10}]


MORE = """
[step.more]
phase = "analytics"
needs = ["raw.gamebook"]
sql = "player_game.sql"
table = "nba_analytics.more"
key = ["game_date", "player"]
partition = "game_date"
"""


@pytest.fixture
def in_one_database(on_postgres: Night, url: str, monkeypatch: pytest.MonkeyPatch) -> Night:
    monkeypatch.setenv("PHASEGATE_WAREHOUSE", url)
    return on_postgres


def test_one_database_holds_documents_and_tables_and_every_command_works_on_it(in_one_database: Night) -> None:
    night = in_one_database
    assert night("begin", RUN).code == 0
    night.whole()
    assert night("status").code == 0
    counted = "SELECT count(*)::int AS n FROM nba_analytics.player_game"
    assert night("query", counted, "--json").json["rows"] == [{"n": 10}], "a query is in the warehouse's own SQL"
    tables = {row["table"]: (row["rows"], row["state"]) for row in night("tables", "--json").json["tables"]}
    assert tables == {"nba_raw.gamebook": (10, "same"), "nba_analytics.player_game": (10, "same")}
    checked = night("plan", "check", "--json")
    assert (checked.code, checked.json["engine"]) == (0, "postgresql")
    day = RUN[:10]
    for command in (["reconcile", "--from", day, "--to", day], ["why", RUN], ["leases", "--all"], ["adopt", "--yes"],
                    ["backfill", "--from", day, "--to", day]):  # fmt: skip
        done = night(*command)
        assert done.code == 0, (command, done.err, done.out)
    errors = [check["error"] for check in night("health", "--json").json["checks"]]
    assert [error for error in errors if error and "calendar" not in error] == []
    assert [path.name for path in (night.folder / ".phasegate").iterdir()] == []


def test_the_doctor_reads_tables_of_a_server_and_finds_what_it_finds_in_a_file(
    in_one_database: Night, url: str, postgres_15: PostgresServer
) -> None:
    night = in_one_database
    night.whole()
    doctor = ("doctor", "--store", url, "--warehouse", url, "--json")
    before = night(*doctor).json
    assert "nba_analytics.player_game" in before["tables"]
    assert not [name for name in before["tables"] if name.startswith("pg_catalog")]
    twice = "INSERT INTO nba_analytics.player_game SELECT * FROM nba_analytics.player_game WHERE player = 'p1'"
    postgres_15.sql(twice, database=url.rpartition("/")[2])
    said = night(*doctor)
    assert SECRET not in said.out
    assert [one["code"] for one in said.json["findings"]] == ["PG010"]
    assert "1 of 11 rows are duplicates" in said.json["findings"][0]["text"]


def test_a_select_that_does_not_translate_is_refused_with_line_and_mend_before_anything_is_opened(
    in_one_database: Night,
) -> None:
    night = in_one_database
    (night.folder / "player_game.sql").write_text("SELECT game_date, player,\n median(points) AS points\n"
                                                  "FROM nba_raw.gamebook GROUP BY ALL")  # fmt: skip
    for command in (["worker", "--until-idle"], ["plan", "check"]):
        done = night(*command)
        assert done.code == 2
        assert "player_game.sql" in done.err + done.out
        assert "line 2: median() is not in PostgreSQL; number the rows with row_number()" in done.err + done.out


READER = """
[step.totals]
phase = "analytics"
needs = ["raw.gamebook"]
python = "totals_of_{number}:totals"
table = "nba_analytics.totals"
key = ["game_date"]
partition = "game_date"
columns = {{ game_date = "DATE", average = "DOUBLE" }}
attempts_max = 1

[step.per_player]
phase = "analytics"
needs = ["raw.gamebook"]
covers = {{ step = "raw.gamebook", on = ["player"], where = "floor(points / 2) > {least}" }}
sql = "player_game.sql"
table = "nba_analytics.per_player"
key = ["game_date", "player"]
partition = "game_date"
"""
TOTALS = """
def totals(run):
    return run.read("SELECT game_date, avg(points) FILTER (WHERE points > 4) AS average FROM nba_raw.gamebook "
                    "WHERE game_date = $run_date GROUP BY game_date{more}")
"""


def test_what_python_steps_read_and_what_covers_says_is_translated_too(
    in_one_database: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = in_one_database
    monkeypatch.syspath_prepend(str(night.folder))
    (night.folder / "plan.toml").write_text(PLAN + READER.format(number=1, least=0))
    (night.folder / "totals_of_1.py").write_text(TOTALS.format(more=""))
    texts = list[str]()

    def counted(where: str, **named: Any) -> str:
        texts.append(where)
        return translate_condition(where, **named)

    monkeypatch.setattr("phasegate.dialects.translate.translate_condition", counted)
    with night.pipeline() as pipeline:
        assert texts == []
        pipeline.check_sql()
        assert texts == ["floor(points / 2) > 0"]
        covered, covering = (pipeline.plan.steps[name].table for name in ("gamebook", "per_player"))
        assert covered is not None
        assert covering is not None
        pipeline.ports.warehouse.create(covered)
        with pipeline.ports.warehouse.snapshot() as reader:
            reader.uncovered(covered, by=covering, on=["player"], where=texts[0], first=RUN[:10], last=RUN[:10])
    assert len(texts) == 1, "what was checked is translated again"
    night.whole()
    assert night("query", "SELECT average FROM nba_analytics.totals", "--json").json["rows"] == [{"average": 7.0}]
    (night.folder / "plan.toml").write_text(PLAN + READER.format(number=2, least="median(points)"))
    (night.folder / "totals_of_2.py").write_text(TOTALS.format(more=" ORDER BY ALL"))
    checked = night("plan", "check")
    assert (checked.code, "step per_player: PostgreSQL: covers.where line 1: median()" in checked.out) == (2, True)
    refused = night("worker", "--until-idle")
    assert refused.code == 2
    assert "step per_player: covers.where does not run on PostgreSQL: line 1: median()" in refused.err
    (night.folder / "plan.toml").write_text(PLAN + READER.format(number=2, least=0))
    night("rerun", RUN, "--step", "totals")
    said = night("logs", RUN, "--step", "totals").out
    assert "does not run on PostgreSQL: line 1: ORDER BY ALL is not in PostgreSQL; name the columns" in said
