"""What a Firestore store does under many writers, without an answer, and where it is refused."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import google.cloud
import pytest
from google.api_core import exceptions as e
from google.auth.exceptions import DefaultCredentialsError
from google.cloud import firestore as sdk
from google.cloud.firestore_v1.document import DocumentReference

from phasegate.errors import Ambiguous, BadInput, Conflict, PhasegateError, Unavailable
from phasegate.gcp.address import FIRESTORE, place_of
from phasegate.gcp.firestore import meant
from phasegate.stores import firestore as module
from phasegate.stores.firestore import FirestoreStore, asked_for, id_of, prefixes_of
from phasegate.testing.store_model import THREADS, together
from tests.support.google import FIRESTORE as COMPONENT
from tests.support.google import new_project, own_emulator

INDEXES = Path(__file__).parents[2] / "deploy" / "gcp" / "firestore.indexes.json"
EACH = 50


@pytest.fixture(scope="module")
def url(firestore: str) -> str:
    assert firestore
    return f"firestore://{new_project()}"


@pytest.fixture
def store(url: str) -> Iterator[FirestoreStore]:
    store = FirestoreStore(url)
    yield store
    store.close()


def add(store: FirestoreStore, key: str, *, times: int) -> int:
    """Add 1 by compare-and-set, however often others are first."""
    done = 0
    while done < times:
        doc = store.read(key)
        assert doc is not None
        assert isinstance(doc.body["n"], int)
        try:
            store.write(key, {"n": doc.body["n"] + 1}, due=None, expect=doc.version)
        except Conflict:
            continue
        done += 1
    return done


def test_of_eight_writers_on_one_document_none_loses_an_addition(url: str) -> None:
    stores = [FirestoreStore(url) for _ in range(THREADS)]
    stores[0].write("eight", {"n": 0}, due=None, expect=None)
    together(lambda who: add(stores[who], "eight", times=EACH))
    doc = stores[0].read("eight")
    for one in stores:
        one.close()
    assert doc is not None
    assert doc.body == {"n": THREADS * EACH}


def test_a_version_that_is_later_than_the_stored_one_is_a_conflict(store: FirestoreStore) -> None:
    store.write("earlier", {}, due=None, expect=None)
    later = store.write("later", {}, due=None, expect=None)
    with pytest.raises(Conflict):
        store.write("earlier", {"n": 1}, due=None, expect=later)
    with pytest.raises(Conflict):
        store.delete("earlier", expect=later)


def lost(verb: str, monkeypatch: pytest.MonkeyPatch, *, arrives: bool) -> None:
    """Let the answers of a verb be lost, and the write itself where it does not arrive."""
    real: Callable[..., object] = getattr(DocumentReference, verb)

    def unanswered(self: DocumentReference, *given: object, **named: object) -> None:
        if arrives:
            real(self, *given, **named)
        raise e.DeadlineExceeded("Deadline Exceeded")

    monkeypatch.setattr(DocumentReference, verb, unanswered)


@pytest.mark.parametrize("verb", ["create", "update"])
def test_a_write_whose_answer_is_lost_is_recognised(
    store: FirestoreStore, monkeypatch: pytest.MonkeyPatch, *, verb: str
) -> None:
    key = f"arrived:{verb}"
    expect = None if verb == "create" else store.write(key, {"n": 1}, due=None, expect=None)
    with monkeypatch.context() as patch:
        lost(verb, patch, arrives=True)
        version = store.write(key, {"n": 2}, due=None, expect=expect)
    doc = store.read(key)
    assert doc is not None
    assert (doc.version, doc.body) == (version, {"n": 2})


@pytest.mark.parametrize("verb", ["create", "update", "delete"])
def test_a_write_that_may_still_come_is_ambiguous(
    store: FirestoreStore, monkeypatch: pytest.MonkeyPatch, *, verb: str
) -> None:
    key = f"lost:{verb}"
    expect = None if verb == "create" else store.write(key, {"n": 1}, due=None, expect=None)
    with monkeypatch.context() as patch:
        lost(verb, patch, arrives=False)
        delete, write = partial(store.delete, key), partial(store.write, key, {"n": 2}, due=None)
        change: Callable[..., object] = delete if verb == "delete" else write
        with pytest.raises(Ambiguous, match=rf"the write of {key} may or may not have happened: read again$"):
            change(expect=expect)


def test_of_the_same_body_again_the_version_is_another(store: FirestoreStore) -> None:
    first = store.write("same", {"n": 1}, due=1.0, expect=None)
    second = store.write("same", {"n": 1}, due=1.0, expect=first)
    assert first != second


ANSWERS: list[tuple[Exception, type[PhasegateError], str]] = [
    (e.AlreadyExists("Document already exists"), Conflict, "changed under us"),
    (e.Aborted("Too much contention on these documents. Please try again."), Conflict, "changed under us"),
    (e.FailedPrecondition("the stored version (5) does not match the required base version (4)"), Conflict, "under us"),
    (e.InvalidArgument("the required base version (6) is later than the stored version"), Conflict, "under us"),
    (e.NotFound("No document to update: projects/p/databases/(default)/documents/phasegate/kx"), Conflict, "under us"),
    (e.NotFound("The database (default) does not exist for project p"), Unavailable, "is not there .*; create it, as"),
    (e.FailedPrecondition("The Cloud Firestore API is not available for Firestore in Datastore Mode database p."),
     Unavailable, "is not ready .*Datastore Mode"),
    (e.InvalidArgument("The value of property b is longer than 1048487 bytes"), BadInput, "^document x: The value of"),
    (e.ResourceExhausted("Quota exceeded."), Unavailable, "is out of quota"),
    (e.PermissionDenied("Missing or insufficient permissions."), Unavailable, "is not permitted .*; grant it"),
    (e.Unauthenticated("Request had invalid credentials"), Unavailable, "gcloud auth application-default login"),
    (DefaultCredentialsError("no credentials"), Unavailable, "not answering"),
    (e.ServiceUnavailable("502:Bad Gateway"), Ambiguous, "may or may not have happened"),
    (e.DeadlineExceeded("Deadline Exceeded"), Ambiguous, "may or may not have happened"),
    (e.InternalServerError("An internal error occurred."), Ambiguous, "may or may not have happened"),
    (e.Cancelled("CANCELLED"), Ambiguous, "may or may not have happened"),
    (e.Unknown("Stream removed"), Ambiguous, "may or may not have happened"),
]  # fmt: skip


def with_code(error: Exception) -> Exception:
    """Give an error the code that gRPC gives it."""
    if isinstance(error, e.GoogleAPICallError):
        assert error.grpc_status_code is not None, error
    return error


@pytest.mark.parametrize(("error", "kind", "text"), ANSWERS, ids=[str(error)[:40] for error, _, _ in ANSWERS])
def test_what_a_refused_write_means(error: Exception, kind: type[PhasegateError], text: str) -> None:
    with pytest.raises(kind, match=text):
        raise meant(with_code(error), what="store firestore://nba-props/(default)", document="x")


def test_a_query_without_its_index_names_the_page(store: FirestoreStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_given: object, **_named: object) -> None:
        raise e.FailedPrecondition("The query requires an index. You can create it here: https://console")

    monkeypatch.setattr("google.cloud.firestore_v1.query.Query.stream", refused)
    with pytest.raises(Unavailable, match=r"is not ready \(The query requires an index\..*; see the page On Google"):
        store.next_due()


def test_a_server_that_is_not_there_is_unavailable_for_reads_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")
    store = FirestoreStore("firestore://nba-props", timeout_s=0.3)
    with pytest.raises(Unavailable, match=r"^store firestore://nba-props/\(default\) is not answering \("):
        store.read("x")
    with pytest.raises(Unavailable, match="not answering"):
        store.due(1.0)
    with pytest.raises(Ambiguous, match="may or may not have happened"):
        store.write("x", {}, due=None, expect=None)
    store.close()


@pytest.mark.slow
def test_a_store_goes_on_after_its_server_was_away() -> None:
    with own_emulator(COMPONENT) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIRESTORE_EMULATOR_HOST", server.address)
        url = f"firestore://{new_project()}"
        store, hasty = FirestoreStore(url, timeout_s=30.0), FirestoreStore(url, timeout_s=0.5)
        version = store.write("x", {}, due=None, expect=None)
        server.end()
        with pytest.raises(Unavailable):
            hasty.read("x")
        server.start()
        # The emulator holds nothing then: as after a restore of what was there before.
        assert store.read("x") is None
        with pytest.raises(Conflict):
            store.write("x", {}, due=None, expect=version)
        store.close()
        hasty.close()


def test_without_credentials_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)

    def none_found(*_given: object, **_named: object) -> None:
        raise DefaultCredentialsError("Your default credentials were not found.")

    monkeypatch.setattr("google.auth.default", none_found)
    with pytest.raises(Unavailable, match=r"is without credentials .*; run: gcloud auth application-default login"):
        FirestoreStore("firestore://nba-props").read("x")


def test_without_the_library_the_error_names_the_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.cloud.firestore", None)
    monkeypatch.delattr(google.cloud, "firestore")
    with pytest.raises(BadInput, match=r"needs Google's libraries .*; run: pip install 'phasegate\[google\]'$"):
        FirestoreStore("firestore://nba-props").read("x")


def test_a_database_other_than_the_default_one_is_another(url: str, store: FirestoreStore) -> None:
    store.write("other", {}, due=None, expect=None)
    other = FirestoreStore(f"{url}/nightly")
    assert other.read("other") is None
    assert place_of(f"{url}/nightly", form=FIRESTORE).database == "nightly"
    other.close()


def test_a_child_process_makes_a_client_of_its_own(store: FirestoreStore) -> None:
    store.write("fork", {}, due=None, expect=None)
    client = store._client
    before, client._pid = client._client, client._pid - 1
    assert store.read("fork") is not None
    assert client._client is not before
    assert before is not None
    before.close()


def test_nothing_of_google_is_imported_before_the_first_use() -> None:
    code = """
import sys
from phasegate.stores.firestore import FirestoreStore
FirestoreStore("firestore://nba-props")
print([name for name in sys.modules if name == "grpc" or name.startswith(("google.cloud.", "google.api_core"))])
"""
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_a_store_in_firestore_imports_no_other_client_of_google(url: str) -> None:
    code = f"""
import sys
from phasegate.stores.firestore import FirestoreStore
assert FirestoreStore({url!r}).read("x") is None
others = ("google.cloud.bigquery", "google.cloud.pubsub", "google.pubsub")
print([name for name in sys.modules if name.startswith(others)])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.stdout == "[]\n"


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Give all queries that are asked."""
    asked: list[Any] = []
    real = sdk.Query.stream

    def counted(self: sdk.Query, *given: Any, **named: Any) -> object:
        asked.append(self)
        return real(self, *given, **named)

    monkeypatch.setattr(sdk.Query, "stream", counted)
    monkeypatch.setattr("google.cloud.firestore_v1.query.Query.stream", counted)
    return asked


def fields_of(query: Any) -> tuple[tuple[str, str], ...]:
    """Return the fields of the index that a query needs, in its order.

    Equalities and arrays first, then what it is ordered by. The id is at the end of every index.
    """
    proto = query._to_protobuf()
    filters = proto.where.composite_filter.filters or [proto.where]
    arrays = [one.field_filter.field.field_path for one in filters
              if one.field_filter.op.name in ("ARRAY_CONTAINS", "ARRAY_CONTAINS_ANY")]  # fmt: skip
    ordered = [(one.field.field_path, one.direction.name) for one in proto.order_by]
    return (*((name, "CONTAINS") for name in arrays), *(one for one in ordered if one[0] != "__name__"))


def test_the_index_file_has_what_the_queries_need_and_no_more(store: FirestoreStore, queries: list[Any]) -> None:
    store.write("index:a:1", {}, due=1.0, expect=None)
    store.due(2.0, prefixes=["index:a:"], after=(0.5, "index:a:0"))
    store.due(2.0, prefixes=["index:a:", "index:b"])
    store.next_due()
    store.scan("index:", after="index:a", until="index:b")
    store.scan("")
    needed = {fields for query in queries if (fields := fields_of(query))}
    written = json.loads(INDEXES.read_text())
    declared = {
        tuple((one["fieldPath"], one.get("arrayConfig") or one["order"]) for one in index["fields"])
        for index in written["indexes"]
        if index["collectionGroup"] == module.COLLECTION and index["queryScope"] == "COLLECTION"
    }
    assert needed == declared
    assert len(written["indexes"]) == len(declared) == 1


def test_no_field_is_indexed_alone(store: FirestoreStore, url: str) -> None:
    store.write("fields", {}, due=1.0, expect=None)
    found = sdk.Client(project=url.rpartition("/")[2])
    stored = found.collection(module.COLLECTION).document(id_of("fields")).get().to_dict() or {}
    found.close()
    exempt = {one["fieldPath"] for one in json.loads(INDEXES.read_text())["fieldOverrides"] if not one["indexes"]}
    assert exempt == set(stored)


def test_however_many_prefixes_it_is_one_query(store: FirestoreStore, queries: list[Any]) -> None:
    for topic in range(40):
        store.write(f"message:many:t{topic}:m", {}, due=1.0, expect=None)
    topics = [f"message:many:t{topic}:" for topic in range(35)]
    assert len(store.due(2.0, prefixes=topics)) == 35
    assert store.next_due(prefixes=topics[:30]) == 1.0
    assert len(queries) == 2


def test_too_many_prefixes_are_shortened_the_longest_first() -> None:
    topics = [f"message:nba:t{number}:" for number in range(31)]
    assert asked_for([*topics, "phase:nba:"]) == ["message:nba:", "phase:nba:"]
    assert asked_for(topics[:30]) == sorted(topics[:30])
    assert asked_for([f"{word}:" for word in topics[0]] * 2 + [f"k{n}:" for n in range(40)]) == [""]
    assert asked_for([]) == []
    assert prefixes_of("a:b:c:d:e")[-1] == "a:b:c:"


def test_what_somebody_else_wrote_into_the_collection_ends_no_page(store: FirestoreStore, url: str) -> None:
    foreign = sdk.Client(project=url.rpartition("/")[2])
    foreign.collection(module.COLLECTION).document(id_of("foreign:1")).set({"b": 5})
    store.write("foreign:2", {"n": 2}, due=None, expect=None)
    first, second = store.scan("foreign:")
    foreign.close()
    assert first.body["_text"] == "field b is no text: 5"
    assert second.body == {"n": 2}
