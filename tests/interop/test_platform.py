"""The platform's documents, in every shape that people export them in."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from phasegate.base.exported import Exported, Unread, documents
from phasegate.base.platform import one_name
from phasegate.interop.platform import read_completed, read_moment


class ClientTime(datetime):
    """What the Firestore client gives: a datetime with nanoseconds of its own."""

    nanosecond = 520_000_001


AT = 1_770_185_520.0  # 2026-02-04 06:12 UTC
ENTRY = {"completed_at": "2026-02-04T06:12:00Z", "status": "success", "record_count": 348}
BODY = {"player_game_summary": ENTRY, "_completed_count": 1, "_triggered": True, "_triggered_at": AT}
TYPED = {
    "player_game_summary": {
        "mapValue": {
            "fields": {
                "completed_at": {"timestampValue": "2026-02-04T06:12:00.000000001Z"},
                "status": {"stringValue": "success"},
                "record_count": {"integerValue": "348"},
            }
        }
    },
    "_completed_count": {"integerValue": "1"},
    "_triggered": {"booleanValue": True},
    "_triggered_at": {"timestampValue": "2026-02-04T06:12:00Z"},
}
PATH = "projects/p/databases/(default)/documents/phase3_completion/2026-02-03"


def one(value: object, *, collection: str = "", name: str = "") -> Exported:
    (found,) = documents(value, place="x.json", collection=collection, name=name)
    assert isinstance(found, Exported)
    return found


@pytest.mark.parametrize(
    ("value", "collection", "name"),
    [
        (BODY, "phase3_completion", "2026-02-03"),
        ({"id": "2026-02-03", "fields": BODY}, "phase3_completion", ""),
        ({"id": "2026-02-03", **BODY}, "phase3_completion", ""),
        ({"path": "phase3_completion/2026-02-03", "data": BODY}, "", ""),
        ({"name": PATH, "fields": TYPED}, "", ""),
        ({"documents": [{"name": PATH, "fields": TYPED, "createTime": "2026-02-04T06:00:00Z"}]}, "", ""),
        ([{"path": "phase3_completion/2026-02-03", "data": BODY}], "", ""),
        ({"phase3_completion": {"2026-02-03": BODY}}, "", ""),
        ({"__collections__": {"phase3_completion": {"2026-02-03": BODY}}}, "", ""),
        ({"2026-02-03": BODY}, "phase3_completion", "all"),
    ],
)
def test_every_shape_of_an_export_says_the_same(value: object, collection: str, name: str) -> None:
    said = read_completed(one(value, collection=collection, name=name))
    assert (said.subject, said.date, said.count, said.triggered) == (
        "phase3_completion/2026-02-03", "2026-02-03", 1, True,
    )  # fmt: skip
    assert said.triggered_at.at == AT
    (report,) = said.reports
    assert (report.name, report.status, report.rows, report.good) == ("player_game_summary", "success", 348, True)
    assert report.completed.at == pytest.approx(AT, abs=1e-3)


@pytest.mark.parametrize("value", [3, None, "text", {}, {"a": 1}, [7], {"a": {"b": {"c": {"d": {"e": {"f": {}}}}}}}])
def test_what_is_no_document_is_told_with_its_place(value: object) -> None:
    (found,) = documents(value, place="x.json")
    assert isinstance(found, Unread)
    assert found.place.startswith("x.json")
    assert found.why


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("2026-02-04T06:12:00Z", "ISO with zone"),
        ("2026-02-04 01:12:00-05:00", "ISO with zone"),
        ("2026-02-04 06:12:00.000000 UTC", "ISO with zone"),
        ({"_seconds": 1_770_185_520, "_nanoseconds": 0}, "seconds and nanoseconds"),
        ({"seconds": "1770185520", "nanos": 0}, "seconds and nanoseconds"),
        (1_770_185_520, "epoch seconds"),
        (1_770_185_520_000, "epoch milliseconds"),
        ("February 4, 2026 at 1:12:00\u202fAM UTC-5", "as the console shows it"),
        ("February 4, 2026 at 12:12:00 PM UTC+6", "as the console shows it"),
        (datetime(2026, 2, 4, 6, 12, tzinfo=UTC), "client datetime"),
        (datetime(2026, 2, 4, 1, 12, tzinfo=timezone(timedelta(hours=-5))), "client datetime"),
        (ClientTime(2026, 2, 4, 6, 12, tzinfo=UTC), "client datetime"),
    ],
)
def test_a_server_timestamp_is_one_moment_in_every_form(value: object, form: str) -> None:
    moment = read_moment(value)
    assert (moment.at, moment.form) == (AT, form)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("2026-02-04T06:12:00", "ISO without zone"),
        ("Sentinel: Value used to set a document field to the server timestamp.", "unresolved server timestamp"),
        ("soon", "unreadable"),
        (datetime(2026, 2, 4, 6, 12), "client datetime without zone"),  # noqa: DTZ001  what is refused
        (date(2026, 2, 4), "unreadable"),
        (True, "unreadable"),
        (12, "unreadable"),
        ({"a": 1}, "unreadable"),
        ({"_seconds": None}, "unreadable"),
        ("Smarch 40, 2026 at 1:12:00 AM UTC-5", "unreadable"),
        ("February 31, 2026 at 1:12:00 AM UTC-5", "unreadable"),
        (None, "none"),
    ],
)
def test_what_names_no_moment_is_none_and_says_why(value: object, form: str) -> None:
    moment = read_moment(value)
    assert (moment.at, moment.form) == (None, form)


@pytest.mark.parametrize(
    "spelled",
    ["PlayerGameSummaryProcessor", "player_game_summary", "playerGameSummary", "player-game-summary_processor"],
)
def test_one_processor_has_one_name(spelled: str) -> None:
    assert one_name(spelled) == "player_game_summary"


def test_a_document_that_is_odd_in_every_field_is_read_all_the_same() -> None:
    body = {
        "Processor": {"rows": -1, "status": None, "mode": 3, "completed_at": []},
        "created": {"_seconds": 1, "_nanoseconds": 0},
        "note": "text",
        "_completed_count": "five",
        "_triggered": "no",
        "_mode": 4,
    }
    said = read_completed(Exported(place="x.json:1", id="2026-02-33", body=body))
    assert (said.date, said.count, said.triggered, said.mode) == ("", None, False, "")
    assert [(r.spelled, r.rows, r.completed.at) for r in said.reports] == [("Processor", None, None)]


def test_the_mode_is_in_the_document_or_in_its_id() -> None:
    assert read_completed(Exported(place="p", id="2026-02-03_overnight", body={})).mode == "overnight"
    assert read_completed(Exported(place="p", id="2026-02-03", body={"_mode": "same_day"})).mode == "same_day"


@pytest.mark.parametrize(
    ("value", "status", "at", "instead"),
    [
        (True, "success", None, "true"),
        ("success", "success", None, "a text"),
        ("Failed", "failed", None, "a text"),
        ("finished", "unreadable", None, "a text"),
        ("2026-02-04T06:12:00Z", "success", AT, "a text"),
        (datetime(2026, 2, 4, 6, 12, tzinfo=UTC), "success", AT, "a time"),
        (int(AT), "success", AT, "a number"),
        (348, "unreadable", None, "a number"),
        (False, "unreadable", None, "false"),
        (None, "unreadable", None, "null"),
        ([], "unreadable", None, "a list"),
        ({}, "unreadable", None, "a map without a report"),
        ({"ok": True}, "unreadable", None, "a map without a report"),
    ],
)
def test_an_entry_that_is_no_map_is_an_entry(value: object, status: str, at: float | None, instead: str) -> None:
    plain: dict[str, object] = {"team_summary": ENTRY, "player_game_summary": value}
    inside: dict[str, object] = {"processors": plain}
    for body in (plain, inside):
        (odd, fine) = read_completed(Exported(place="p", id="2026-02-03", body=body)).reports
        assert (odd.spelled, odd.status, odd.completed.at, odd.instead) == ("player_game_summary", status, at, instead)
        assert (fine.name, fine.instead) == ("team_summary", "")


def test_a_list_of_names_is_a_list_of_entries() -> None:
    said = read_completed(Exported(place="p", id="2026-02-03", body={"processors": ["a", "b"], "_completed_count": 3}))
    assert [(r.name, r.instead) for r in said.reports] == [("a", "a name in a list"), ("b", "a name in a list")]


def test_a_document_of_another_kind_has_no_entries() -> None:
    body: dict[str, object] = {"_expires": 3, "holder": "worker-1", "rows": 5, "options": {"force": True}}
    assert read_completed(Exported(place="p", id="2026-02-03", body=body)).reports == ()


def test_what_is_about_the_document_is_no_entry() -> None:
    body = {"game_date": "2026-02-03", "correlation_id": "x", "updated_at": AT, "source_version": 2, "mode": "daily",
            "notes": ["late"], "SummaryProcessor": True, "reason": "manual",
            "player_game_summary": ENTRY}  # fmt: skip
    said = read_completed(Exported(place="p", id="2026-02-03", body=body))
    assert [r.name for r in said.reports] == ["player_game_summary", "summary"]
