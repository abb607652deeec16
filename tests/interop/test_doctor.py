"""The doctor on documents and tables that each have one thing wrong, and on some that have nothing."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from phasegate.base.exported import Exported, Unread
from phasegate.base.findings import Finding, exit_code, listed
from phasegate.errors import Unavailable
from phasegate.interop.doctor import Diagnosis, Doctor
from phasegate.interop.mirrored import mirrored
from phasegate.warehouses.duckdb.warehouse import read_only
from tests.support.pipelines import ManualClock, load, settle, shop

FIVE = (
    "player_game_summary", "team_defense_game_summary", "team_offense_game_summary", "upcoming_player_game_context",
    "upcoming_team_game_context",
)  # fmt: skip
NIGHT = "2026-02-03"
NOW = 1_770_300_000.0  # 2026-02-05 14:00 UTC
TABLE = "nba_analytics.player_game_summary"


def entry(day: str = NIGHT, at: str = "T23:50:00Z", **more: object) -> dict[str, object]:
    return {"completed_at": f"{day}{at}", "status": "success", "record_count": 348, **more}


def document(
    day: str = NIGHT, *, names: tuple[str, ...] = FIVE, collection: str = "phase3_completion", **own: object
) -> Exported:
    """A document with which nothing is wrong, but for what a test changes."""
    body: dict[str, object] = {name: entry(day) for name in names}
    body |= {"_completed_count": len(names), "_triggered": True, "_triggered_at": f"{day}T23:51:00Z", **own}
    return Exported(place=f"{day}.json", collection=collection, id=day, body={k: v for k, v in body.items() if v != ()})


def night(**own: Any) -> Exported:
    """3 February 2026: five entries, a count of three, not triggered."""
    return document(_completed_count=3, _triggered=(), _triggered_at=(), **own)


def examine(*found: Exported | Unread, reader: Any = None, days: int = 7, expect: tuple[str, ...] = ()) -> Diagnosis:
    clock = ManualClock()
    clock.at = NOW
    doctor = Doctor(clock, source="file:///night", expect=expect)
    return doctor.examine(found or None, reader, days=days)


def codes(diagnosis: Diagnosis) -> dict[str, list[str]]:
    """Return the subjects of the findings of each code."""
    seen: dict[str, list[str]] = {}
    for finding in listed(diagnosis.outcomes):
        seen.setdefault(finding.code, []).append(finding.subject)
    return seen


def finding(diagnosis: Diagnosis, code: str) -> Finding:
    (one,) = [finding for finding in listed(diagnosis.outcomes) if finding.code == code]
    return one


@pytest.fixture
def tables(tmp_path: Path) -> Any:
    """348 rows of three dates in one table, and a table without a date."""
    path = tmp_path / "tables.duckdb"
    with closing(duckdb.connect(str(path))) as root:
        root.execute("CREATE SCHEMA nba_analytics")
        root.execute(
            f"CREATE TABLE {TABLE} AS SELECT DATE '2026-02-01' + CAST(d AS INTEGER) AS game_date, "
            "'g' || (p % 10) AS game_id, 'p' || p AS player_lookup, p * 1.5 AS points, now() AS processed_at "
            "FROM range(3) a(d), range(348) b(p)"
        )
        root.execute("CREATE TABLE codes AS SELECT 'GS' AS code")
    return path


def change(path: Path, sql: str) -> None:
    with closing(duckdb.connect(str(path))) as root:
        root.execute(sql)


def three_nights(**last: Any) -> list[Exported]:
    return [document("2026-02-01"), document("2026-02-02"), document(**last)]


def test_that_night_is_told_from_its_document_alone() -> None:
    found = examine(night())
    assert codes(found) == {"PG002": ["phase3_completion/2026-02-03"], "PG001": ["phase3_completion/2026-02-03"]}
    assert finding(found, "PG001").text == "_completed_count is 3, 5 entries are there"
    assert finding(found, "PG002").text.startswith("all 5 processors are done, _completed_count is 3, and it has not")
    assert finding(found, "PG002").command == "phasegate import night --from-platform"
    assert exit_code(found.outcomes) == 1


def test_times_as_the_client_gives_them_are_times() -> None:
    at = datetime(2026, 2, 3, 23, 50, tzinfo=UTC)
    entries = {name: entry(completed_at=at) for name in FIVE}
    assert codes(examine(document(**entries, _triggered_at=at + timedelta(minutes=1)))) == {}  # type: ignore[arg-type]
    late = examine(document(**entries | {FIVE[0]: entry(completed_at=at + timedelta(hours=8))}, _triggered_at=at))  # type: ignore[arg-type]
    assert codes(late) == {"PG012": ["phase3_completion/2026-02-03"]}


@pytest.mark.parametrize("value", [True, "success", datetime(2026, 2, 3, 23, 50, tzinfo=UTC)])
def test_entries_that_are_no_map_are_counted_and_named(value: object) -> None:
    found = examine(night(**dict.fromkeys(FIVE, value)))
    assert set(codes(found)) == {"PG001", "PG002", "PG019"}
    assert finding(found, "PG001").text == "_completed_count is 3, 5 entries are there"
    assert finding(found, "PG019").subject == "5 entries, no map with a report"
    assert all(name in finding(found, "PG019").evidence["where"] for name in FIVE)


def test_an_entry_that_says_nothing_is_no_success() -> None:
    found = examine(*three_nights(**{FIVE[0]: 348}, _triggered=False, _triggered_at=()))
    assert finding(found, "PG021").text == "player_game_summary (unreadable) did not succeed, so it never triggered"
    assert finding(found, "PG019").subject == "1 entry, no map with a report"


def test_documents_and_tables_in_order_have_no_finding(tables: Path) -> None:
    with read_only(tables) as reader:
        found = examine(*three_nights(), reader=reader)
    assert codes(found) == {}
    assert exit_code(found.outcomes) == 0
    assert (found.first, found.last, found.tables, found.without_date) == (
        "2026-01-28", NIGHT, (TABLE,), ("main.codes",),
    )  # fmt: skip


def test_a_document_that_is_still_written_to_is_not_judged_by_what_it_lacks() -> None:
    young = document(names=FIVE[:3], _triggered=False, _triggered_at=())
    body = {**young.body, FIVE[0]: entry("2026-02-05", "T13:59:00Z")}
    assert codes(examine(document("2026-02-02"), Exported(place="p", collection=young.collection, id=NIGHT, body=body),
                         expect=FIVE)) == {}  # fmt: skip


@pytest.mark.parametrize(
    ("own", "code", "told"),
    [
        ({"_completed_count": 4}, "PG001", "_completed_count is 4, 5 entries are there"),
        ({"_triggered": False, "_triggered_at": ()}, "PG002", "has not triggered"),
        ({"_triggered_at": ()}, "PG003", "nothing shows that a trigger was ever sent"),
        ({FIVE[0]: entry(status="failed")}, "PG025", "triggered without player_game_summary: 4 of 5 were done"),
        ({FIVE[0]: entry("2026-02-04", "T08:00:00Z")}, "PG012", "completed up to 8 h after the trigger"),
        ({FIVE[0]: entry(mode="same_day"), "_mode": "overnight"}, "PG026", "runs of overnight and same_day share"),
        ({FIVE[0]: entry(completed_at="2026-02-03T23:50:00")}, "PG019", "phase3_completion/2026-02-03 player_game"),
        ({"PlayerGameSummaryProcessor": entry(), "_completed_count": 6}, "PG011", "it is counted twice"),
    ],
)
def test_each_fault_of_a_document_is_found_and_nothing_else(own: dict[str, object], code: str, told: str) -> None:
    found = examine(document(**own))  # type: ignore[arg-type]
    assert list(codes(found)) == [code]
    assert told in finding(found, code).text


def test_a_processor_that_never_reported_is_named_where_nothing_was_triggered() -> None:
    found = examine(*three_nights(names=FIVE[1:], _triggered=False, _triggered_at=()))
    assert finding(found, "PG021").text == "player_game_summary never reported, so it never triggered"
    assert list(codes(found)) == ["PG021"]


def test_who_is_expected_is_whom_most_documents_name_and_is_said() -> None:
    strange = document(names=(*FIVE, "a_stranger"))
    (expected,) = examine(document("2026-02-01"), document("2026-02-02"), strange).expected
    assert (expected.names, dict(expected.rare), expected.given) == (frozenset(FIVE), {"a_stranger": 1}, False)


def test_who_is_expected_can_be_told() -> None:
    found = examine(night(), expect=(*FIVE, "sixth"))
    assert finding(found, "PG021").evidence["missing"] == "sixth"


def test_a_processor_spelled_in_two_ways_is_one_finding_and_counts_as_one() -> None:
    camel = document("2026-02-02", names=("PlayerGameSummaryProcessor", *FIVE[1:]))
    found = examine(document("2026-02-01"), camel, document())
    assert codes(found) == {"PG011": ["processor player_game_summary"]}


def test_a_trigger_that_nobody_followed_is_found_where_the_next_phase_has_documents() -> None:
    next_phase = [document(day, names=("cache",), collection="phase4_completion") for day in ("2026-02-01", NIGHT)]
    found = examine(*three_nights(), *next_phase)
    assert codes(found) == {"PG004": ["phase3_completion/2026-02-02"]}


def test_dates_with_nothing_at_all_and_dates_that_one_collection_lacks() -> None:
    others = [document(day, names=("x",), collection="backups") for day in ("2026-01-30", "2026-02-02", NIGHT)]
    found = examine(document("2026-01-30"), document("2026-02-01"), document(), *others)
    assert codes(found) == {"PG007": ["backups/2026-02-01", "phase3_completion/2026-02-02"], "PG017": ["2026-01-31"]}


def test_what_cannot_be_read_is_named_and_the_rest_is_looked_at() -> None:
    nameless = Exported(place="x.json", collection="phase3_completion", id="latest", body={"_completed_count": 0})
    found = examine(night(), Unread(place="y.json", why="not JSON"), nameless)
    assert codes(found)["PG019"] == ["phase3_completion/latest", "y.json"]
    assert "PG002" in codes(found)


def test_without_a_document_nothing_was_checked_and_that_is_not_fine() -> None:
    clock = ManualClock()
    found = Doctor(clock).examine([], None, days=7)
    assert [(o.check, o.verdict) for o in found.outcomes] == [("readable", "not evaluated")]
    assert exit_code(found.outcomes) == 2


def test_the_days_count_back_from_the_newest_document() -> None:
    found = examine(document("2025-12-01"), night(), days=2)
    assert (found.first, found.last, found.documents, found.left_out) == ("2026-02-02", NIGHT, 1, 1)


def test_repeated_keys_and_rows_that_differ_from_the_report_are_found(tables: Path) -> None:
    change(tables, f"INSERT INTO {TABLE} SELECT game_date, game_id, player_lookup, points + 1, now() FROM {TABLE} "
                   "WHERE game_date = '2026-02-03' LIMIT 72")  # fmt: skip
    with read_only(tables) as reader:
        found = examine(*three_nights(), reader=reader)
    assert codes(found) == {"PG006": [f"{TABLE}/{NIGHT}"], "PG010": [f"{TABLE}/{NIGHT}"]}
    assert finding(found, "PG006").text == "phase3_completion/2026-02-03 reports 348 rows, the table holds 420"
    assert finding(found, "PG010").text.startswith("72 of 420 rows are duplicates: 72 repeat a key (game_date, game_id")


def test_copies_that_differ_in_load_times_only_are_duplicates_without_a_key(tables: Path) -> None:
    change(tables, f"ALTER TABLE {TABLE} DROP player_lookup; ALTER TABLE {TABLE} DROP game_id")
    change(tables, f"INSERT INTO {TABLE} SELECT game_date, points, now() + INTERVAL 1 MINUTE FROM {TABLE} LIMIT 5")
    with read_only(tables) as reader:
        found = examine(reader=reader)
    assert finding(found, "PG010").text.endswith("5 are equal in every column but load times")


def test_one_player_under_two_games_of_a_date_is_found(tables: Path) -> None:
    change(tables, f"UPDATE {TABLE} SET player_lookup = 'p1' WHERE game_date = '{NIGHT}' AND player_lookup = 'p2'")
    with read_only(tables) as reader:
        found = examine(reader=reader)
    assert "1 key of" in finding(found, "PG011").text


def test_a_column_that_does_not_tell_rows_apart_is_no_key(tables: Path) -> None:
    change(tables, f"UPDATE {TABLE} SET player_lookup = 'p' || (hash(player_lookup) % 9)")
    with read_only(tables) as reader:
        assert codes(examine(reader=reader)) == {}


def test_rows_without_an_entry_and_rows_without_a_document(tables: Path) -> None:
    silent = document(names=FIVE[1:], _triggered=False, _triggered_at=())
    with read_only(tables) as reader:
        found = examine(document("2026-02-01"), silent, reader=reader, expect=FIVE)
    assert codes(found)["PG005"] == [f"{TABLE}/{NIGHT}", "phase3_completion/2026-02-02"]


def test_a_report_of_rows_that_are_not_there(tables: Path) -> None:
    change(tables, f"DELETE FROM {TABLE} WHERE game_date = '{NIGHT}'")
    with read_only(tables) as reader:
        found = examine(*three_nights(), reader=reader)
    assert finding(found, "PG006").text.endswith("reports 348 rows, the table holds 0")


def test_tables_that_no_processor_is_named_after_are_not_compared_and_that_is_said(tables: Path) -> None:
    with read_only(tables) as reader:
        found = examine(document(names=("other", "names")), reader=reader)
    assert [o.check for o in found.outcomes if o.error] == ["rows and reports", "rows without a report"]


def test_the_file_of_the_tables_is_left_as_it_is_and_nothing_appears_beside_it(tables: Path) -> None:
    before = tables.read_bytes(), sorted(tables.parent.iterdir())
    with read_only(tables) as reader:
        examine(*three_nights(), reader=reader)
    assert (tables.read_bytes(), sorted(tables.parent.iterdir())) == before


def test_a_pipeline_of_phasegate_s_own_has_no_finding() -> None:
    made = shop()
    load(made, 1, 2)
    settle(made)
    found = examine(*mirrored(made.store))
    assert found.documents == 2
    assert codes(found) == {}


def test_views_are_passed_over_and_a_file_with_a_journal_beside_it_is_read(tables: Path) -> None:
    root = duckdb.connect(str(tables))
    root.execute("CREATE TABLE gone AS SELECT DATE '2026-02-03' AS game_date")
    root.execute("CREATE VIEW broken AS SELECT * FROM gone")
    root.execute("DROP TABLE gone")
    copy = tables.with_name("copy.duckdb")
    journal = tables.with_name(tables.name + ".wal")
    assert journal.exists()
    copy.write_bytes(tables.read_bytes())
    copy.with_name(copy.name + ".wal").write_bytes(journal.read_bytes())
    root.close()
    with read_only(copy) as reader:
        assert examine(*three_nights(), reader=reader).tables == (TABLE,)


def test_a_table_that_cannot_be_counted_is_no_pass(tables: Path) -> None:
    class Fails:
        """Answers the columns, and fails at the first table."""

        def query(self, sql: str, params: object, /) -> list[dict[str, object]]:
            if "information_schema" not in sql:
                raise Unavailable("the disk is gone")
            with read_only(tables) as reader:
                return reader.query(sql, params)  # type: ignore[arg-type]

    found = examine(*three_nights(), reader=Fails())
    assert exit_code(found.outcomes) == 2
    (failed,) = [outcome for outcome in found.outcomes if outcome.check == "tables"]
    assert failed.error.startswith(f"{TABLE}: the disk is gone")
