"""The contract of foreign documents, over files and Firestore; and what each of the two does besides."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from google.cloud import firestore as sdk
from google.cloud.firestore_v1.document import DocumentReference

from phasegate.base.exported import Exported, Unread
from phasegate.errors import Ambiguous, BadInput, Conflict, NotFound, Unavailable
from phasegate.foreign import ForeignDocuments
from phasegate.stores.foreign_files import FileDocuments
from phasegate.stores.foreign_firestore import FirestoreDocuments
from phasegate.stores.opening import foreign_of, mirror_of
from tests.support.google import new_project

PATH = "phase3_completion/2026-02-03"
AT = datetime(2026, 2, 4, 6, 12, 0, 123456, UTC)
# An emulator takes its time for the first answer.
PATIENCE_S = 60.0
Opened = Callable[[], ForeignDocuments]


@pytest.fixture(params=["files", "firestore"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """Give what opens the same place again, as another process would."""
    made: list[ForeignDocuments] = []
    project = "" if request.param == "files" else request.getfixturevalue("firestore") and new_project()

    def opened() -> ForeignDocuments:
        made.append(
            FirestoreDocuments(f"firestore://{project}", timeout_s=PATIENCE_S)
            if project
            else FileDocuments(tmp_path / "out")
        )
        return made[-1]

    yield opened
    for one in made:
        one.close()


@pytest.fixture
def foreign(opened: Opened) -> ForeignDocuments:
    return opened()


def body_of(foreign: ForeignDocuments, path: str = PATH) -> dict[str, object]:
    found = foreign.read(path)
    assert found is not None
    return dict(found.body)


def test_what_is_not_there_is_none(foreign: ForeignDocuments) -> None:
    assert foreign.read(PATH) is None


def test_a_document_is_read_as_it_was_written(foreign: ForeignDocuments) -> None:
    body = {"a-b.c `d": {"status": "success", "rows": 1}, "_count": 3, "_on": True, "none": None, "list": [1, "x"]}
    foreign.write(PATH, body, over=None)
    assert body_of(foreign) == body


def test_a_write_replaces_the_whole_document(foreign: ForeignDocuments) -> None:
    foreign.write(PATH, {"old.field": {"x": 1}, "both": {"x": 1, "y": 2}}, over=None)
    foreign.write(PATH, {"both": {"x": 2}, "new": 1}, over=foreign.read(PATH))
    assert body_of(foreign) == {"both": {"x": 2}, "new": 1}


def test_what_must_not_be_there_and_is_there_is_a_conflict(foreign: ForeignDocuments) -> None:
    foreign.write(PATH, {"n": 1}, over=None)
    with pytest.raises(Conflict, match=PATH):
        foreign.write(PATH, {"n": 2}, over=None)
    assert body_of(foreign) == {"n": 1}


def test_what_changed_since_it_was_read_is_a_conflict(opened: Opened) -> None:
    one, other = opened(), opened()
    one.write(PATH, {"n": 1}, over=None)
    read = one.read(PATH)
    other.write(PATH, {"n": 2}, over=other.read(PATH))
    other.write(PATH, {"n": 1}, over=other.read(PATH))  # the same content is another version all the same
    with pytest.raises(Conflict):
        one.write(PATH, {"n": 3}, over=read)
    assert body_of(one) == {"n": 1}


def test_of_two_writers_none_loses_an_addition(opened: Opened) -> None:
    each = 25
    opened().write(PATH, {"n": 0}, over=None)

    def add(foreign: ForeignDocuments) -> None:
        done = 0
        while done < each:
            there = foreign.read(PATH)
            assert there is not None
            try:
                foreign.write(PATH, {"n": int(str(there.body["n"])) + 1}, over=there)
            except Conflict:
                continue
            done += 1

    threads = [threading.Thread(target=add, args=(opened(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert body_of(opened()) == {"n": 2 * each}


def test_completion_documents_are_found_with_collection_id_and_body(foreign: ForeignDocuments) -> None:
    entry = {"completed_at": "2026-02-04T06:12:00Z", "status": "success"}
    for path in ("phase2_completion/2026-02-02", PATH):
        foreign.write(path, {"odds": entry}, over=None)
    found = [one for one in foreign.documents() if isinstance(one, Exported)]
    assert sorted((one.collection, one.id) for one in found) == [
        ("phase2_completion", "2026-02-02"), ("phase3_completion", "2026-02-03"),
    ]  # fmt: skip
    assert [one.body for one in found] == [{"odds": entry}] * 2


def test_in_firestore_a_time_is_a_timestamp_and_equals_what_was_written(firestore: str) -> None:
    assert firestore
    foreign = FirestoreDocuments(f"firestore://{new_project()}", timeout_s=PATIENCE_S)
    foreign.write(PATH, {"odds": {"completed_at": AT}}, over=None)
    body = body_of(foreign)
    assert body == {"odds": {"completed_at": AT}}
    assert isinstance(body["odds"], dict)
    assert type(body["odds"]["completed_at"]).__name__ == "DatetimeWithNanoseconds"
    foreign.close()


def test_in_firestore_only_the_dates_asked_for_are_read_page_by_page(
    firestore: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert firestore
    monkeypatch.setattr("phasegate.stores.foreign_firestore.PAGE", 2)
    project = new_project()
    foreign = FirestoreDocuments(f"firestore://{project}", timeout_s=PATIENCE_S)
    client = sdk.Client(project=project)
    for day in range(1, 8):
        client.document(f"phase3_completion/2026-02-0{day}_overnight").set({"_completed_count": day})
    client.document("phase3_locks/2026-02-03").set({"held": True})
    assert [one.id[:10] for one in foreign.documents(first="2026-02-02", last="2026-02-06")] == [
        f"2026-02-0{day}" for day in range(2, 7)
    ]
    assert len(list(foreign.documents())) == 7
    client.close()
    foreign.close()


def test_a_database_without_such_collections_is_named(firestore: str) -> None:
    assert firestore
    foreign = FirestoreDocuments(f"firestore://{new_project()}", timeout_s=PATIENCE_S)
    with pytest.raises(NotFound, match="no collection phaseN_completion"):
        list(foreign.documents())
    foreign.close()


def test_a_server_that_is_not_there_is_unavailable_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")
    foreign = FirestoreDocuments("firestore://nba-props", timeout_s=0.3)
    with pytest.raises(Unavailable, match="not answering"):
        foreign.read(PATH)
    with pytest.raises(Unavailable, match="not answering"):
        list(foreign.documents())
    with pytest.raises(Ambiguous, match="may or may not"):
        foreign.write(PATH, {}, over=None)
    foreign.close()


def test_a_write_whose_answer_was_lost_is_unknown(firestore: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from google.api_core.exceptions import DeadlineExceeded

    assert firestore
    foreign = FirestoreDocuments(f"firestore://{new_project()}", timeout_s=PATIENCE_S)
    real = DocumentReference.create

    def unanswered(*given: object, **named: object) -> None:
        real(*given, **named)  # type: ignore[arg-type]
        raise DeadlineExceeded("Deadline Exceeded")

    monkeypatch.setattr(DocumentReference, "create", unanswered)
    with pytest.raises(Ambiguous):
        foreign.write(PATH, {"n": 1}, over=None)
    assert body_of(foreign) == {"n": 1}
    foreign.close()


def test_a_file_is_for_people_too_and_one_that_is_damaged_is_replaced(tmp_path: Path) -> None:
    foreign, file = FileDocuments(tmp_path), tmp_path / f"{PATH}.json"
    foreign.write(PATH, {"b": 1, "a": {"c": 2}}, over=None)
    assert file.read_text() == json.dumps({"a": {"c": 2}, "b": 1}, indent=2) + "\n"
    file.write_text('{"a": ')
    assert [type(one) for one in foreign.documents()] == [Unread]
    foreign.write(PATH, {"n": 1}, over=foreign.read(PATH))
    assert body_of(foreign) == {"n": 1}
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_folder_that_cannot_be_written_to_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    foreign = FileDocuments(tmp_path / "file")
    with pytest.raises(Unavailable, match="make it a folder"):
        foreign.write(PATH, {}, over=None)
    with pytest.raises(Unavailable, match="make it a folder"):
        foreign.read(PATH)


def test_mirrors_are_in_the_database_of_a_firestore_store_else_in_the_store_unless_a_url_names_a_place() -> None:
    assert mirror_of(None, store="sqlite:///a.db") is None
    assert mirror_of(None, store="postgresql://host/db") is None
    assert isinstance(mirror_of(None, store="firestore://nba-props/nightly"), FirestoreDocuments)
    assert isinstance(mirror_of("firestore://nba-props", store="sqlite:///a.db"), FirestoreDocuments)
    assert isinstance(mirror_of("file:///out", store="firestore://nba-props"), FileDocuments)
    with pytest.raises(BadInput, match="wanted file:///PATH or firestore://PROJECT"):
        foreign_of("https://example.org")
