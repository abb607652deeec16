"""What is too much is refused before it is done, and no error shows more than it must."""

import asyncio
import json
import socket
import time
from pathlib import Path
from threading import Event, Thread
from urllib.parse import quote

import pytest
from starlette.requests import Request
from starlette.types import Message

from phasegate.errors import Ambiguous, BadDocument, Contended, Unavailable
from phasegate.web import bounds, server
from phasegate.web.pool import Overloaded
from tests.support.commands import RUN, Night
from tests.support.service import WAIT_S, Served, served

SECRET = "hunter2-of-someone-else"


def talk(service: Served, *parts: bytes, pause_s: float = 0.0) -> tuple[bytes, float]:
    """Send bytes as they are; return what comes back until the end, and after how many seconds."""
    began = time.monotonic()
    with socket.create_connection(service.address, timeout=WAIT_S) as connection:
        for part in parts:
            try:
                connection.sendall(part)
            except OSError:
                break
            time.sleep(pause_s)
        found = b""
        try:
            while part := connection.recv(65_536):
                found += part
        except ConnectionResetError:
            pass
    return found, time.monotonic() - began


def head(service: Served, *lines: str) -> bytes:
    token = service.tokens["operator"]
    first = ("POST /sweep HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", *lines)
    return "\r\n".join((*first, "", "")).encode()


def test_a_body_is_refused_by_its_length_before_it_is_sent(service: Served) -> None:
    found, _ = talk(service, head(service, f"Content-Length: {bounds.BODY_BYTES_MAX + 1}"))
    assert found.startswith(b"HTTP/1.1 413 ")
    assert b"the body has more than 1,000,000 bytes; send less" in found
    endless, _ = talk(service, head(service, "Content-Length: 99999999999999999999"))
    assert b" 413 " in endless or b" 400 " in endless


def test_a_body_without_a_length_is_refused_once_it_is_too_large(service: Served) -> None:
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    found, _ = talk(service, head(service, "Transfer-Encoding: chunked"), *[chunk] * 20)
    assert found.startswith(b"HTTP/1.1 413 ")


def test_a_body_that_comes_slowly_is_refused_in_time(service: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "BODY_S", 0.3)
    found, took_s = talk(service, head(service, "Content-Length: 1000"), *[b" "] * 8, pause_s=0.05)
    assert found.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in found.lower()
    assert took_s < 3


def test_a_head_that_comes_slowly_is_closed_in_time(service: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_S", 0.3)
    found, took_s = talk(service, b"POST /sweep HT", *[b"T"] * 8, pause_s=0.05)
    assert (found, took_s < 3) == (b"", True)
    silent, took_s = talk(service)
    assert (silent, took_s < 3) == (b"", True)
    second, took_s = talk(service, b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /li", pause_s=0.1)
    assert second.startswith(b"HTTP/1.1 200 ")
    assert took_s < 3
    after, took_s = talk(service, b"POST /live HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n", *[b" "] * 8,
                         pause_s=0.1)  # fmt: skip
    assert after.startswith(b"HTTP/1.1 405 ")
    assert took_s < 5


def test_a_head_that_is_too_large_or_no_http_is_refused(service: Served) -> None:
    large, _ = talk(service, b"GET /live HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n")
    assert large.startswith(b"HTTP/1.1 431 ")
    other, _ = talk(service, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
    assert b" 400 " in other
    assert service.get("/live").status_code == 200
    assert service.get("/" + "a" * 600).status_code == 414


def test_a_body_with_two_ends_is_refused_and_nothing_after_it_is_read(service: Served) -> None:
    second = b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n"
    for path in (b"/sweep", b"/nowhere", b"/live"):
        first = b"POST " + path + (b" HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                                   b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")  # fmt: skip
        found, _ = talk(service, first + second)
        assert found.startswith(b"HTTP/1.1 400 "), path
        assert b"send one of them" in found
        assert found.count(b"HTTP/1.1 ") == 1, path


@pytest.mark.parametrize("depth", [bounds.BODY_BYTES_MAX // 2 - 10, 40])
def test_a_body_that_is_nested_too_deeply_is_refused(service: Served, depth: int) -> None:
    raw = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
    for path in ("/complete", "/begin", "/health", "/sweep"):
        answer = service.post(path, raw)
        assert answer.status_code == 400
        assert answer.json()["error"] == "body: nested more than 32 deep; flatten it"


@pytest.mark.parametrize(
    "raw", [b"[]", b"7", b'"text"', b"{", b"\xff\xfe", b'{"a": NaN}', b'{"a": "\xed\xa0\x80"}', b"\x00"]
)
def test_what_is_no_object_is_refused(service: Served, raw: bytes) -> None:
    for path in ("/complete", "/begin", "/reconcile", "/health", "/sweep", "/steps/odds/run"):
        answer = service.post(path, raw)
        assert (answer.status_code, answer.json()["kind"]) == (400, "bad input")


NASTY = ["../../etc/passwd", "'; DROP TABLE documents; --", "\x00", "a" * 5_000, "\u202e", "%2e%2e%2f", "{{7*7}}",
         "phase:nba:raw:2026-02-03.overnight", "\U0001f600"]  # fmt: skip


@pytest.mark.parametrize("text", NASTY)
def test_no_field_reaches_a_path_or_a_statement(night: Night, service: Served, text: str) -> None:
    before = sorted(path.name for path in night.folder.iterdir())
    bodies = [("/complete", {name: text}) for name in ("step", "run", "date", "mode", "execution_id", "trigger_id",
                                                       "status", "completed_at", "error", "lease", "kind")]  # fmt: skip
    bodies += [("/complete", {"step": "odds", "run": RUN, "execution_id": "e", name: text})
               for name in ("trigger_id", "status", "completed_at", "lease", "missing")]  # fmt: skip
    bodies += [("/begin", {"run": RUN, "step": "odds", name: text}) for name in ("run", "step", "lease", "message")]
    bodies += [("/reconcile", {name: text}) for name in ("phase", "from", "to")]
    bodies += [("/health", {"date": text}), ("/steps/odds/run", {"run": text})]
    for path, body in bodies:
        answer = service.post(path, body)
        assert answer.status_code in (400, 404), (path, body, answer.text)
        assert "Traceback" not in answer.text
        assert len(answer.text) < 3_000
        assert len(answer.text) < 3_000
    step = service.post(f"/steps/{quote(text[:100], safe='')}/run", {"run": RUN})
    assert step.status_code in (400, 404), step.text
    assert before == sorted(path.name for path in night.folder.iterdir())


@pytest.mark.parametrize("fields", [{"sequence": 2**53 + 1}, {"sequence": -1}, {"completed_at": 1e12}, {"rows": -1},
                                    {"completed_at": "1950-01-01T00:00:00Z"}, {"completed_at": "2026-02-03T00:00:00"},
                                    {"run": "1900-01-01.overnight"}, {"run": "2199-01-01.overnight"},
                                    {"sequence": 2**70}, {"missing": ["x"] * 10_001}])  # fmt: skip
def test_orders_and_dates_are_bounded(service: Served, fields: dict[str, object]) -> None:
    answer = service.post("/complete", {"step": "odds", "run": RUN, "execution_id": "e", **fields})
    assert (answer.status_code, answer.json()["kind"]) == (400, "bad input")


def test_a_caller_that_sends_too_much_is_refused_and_others_are_not(tmp_path: Path, night: Night) -> None:
    with served(tmp_path, clock=night.clock, serve_rate=3) as service:
        assert [service.post("/sweep").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
        refused = service.post("/sweep")
        assert (refused.json()["kind"], refused.headers["retry-after"]) == ("too many", "1")
        assert service.get("/metrics", by="reader").status_code == 200
        night.clock.at += 1
        assert service.post("/sweep").status_code == 200


def test_more_than_can_wait_is_refused_at_once(tmp_path: Path, night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go = Event(), Event()

    def slow() -> int:
        begun.set()
        assert go.wait(WAIT_S)
        return 0

    with served(tmp_path, clock=night.clock, serve_threads=1) as service:
        monkeypatch.setattr(service.pipeline, "sweep", slow)
        codes: list[int] = []
        threads = [Thread(target=lambda: codes.append(service.post("/sweep").status_code)) for _ in range(9)]
        threads[0].start()
        assert begun.wait(WAIT_S)
        for thread in threads[1:]:
            thread.start()
        until = time.monotonic() + WAIT_S
        while 'waiting{pipeline="nba"} 8.0' not in (metrics := service.get("/metrics", by="reader").text):
            assert time.monotonic() < until, metrics
        refused = service.post("/sweep")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert service.get("/live").status_code == service.get("/ready").status_code == 200
        go.set()
        for thread in threads:
            thread.join(WAIT_S)
        assert codes == [200] * 9


def test_more_requests_than_are_kept_at_once_are_refused(service: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    assert service.post("/sweep").status_code == 200
    monkeypatch.setattr(bounds.Bounds, "at_once_max", 0)
    assert service.post("/sweep").status_code == 429
    assert service.get("/live").status_code == 200


def test_bodies_that_are_held_at_once_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds.Bodies, "bytes_max", 1500)
    bodies = bounds.Bodies()

    def sent(size: int) -> Request:
        async def receive() -> Message:
            return {"type": "http.request", "body": b" " * size, "more_body": False}

        return Request({"type": "http", "headers": []}, receive)

    async def play() -> None:
        async with bodies.of(sent(1000)) as first:
            assert (len(first), bodies.held) == (1000, 1000)
            with pytest.raises(Overloaded):
                async with bodies.of(sent(600)):
                    pass
            async with bodies.of(sent(500)):
                assert bodies.held == 1500
        async with bodies.of(sent(600)):
            assert bodies.held == 600
        assert bodies.held == 0

    asyncio.run(play())


def test_a_body_for_which_there_is_no_room_is_refused_for_now(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(bounds.Bodies, "bytes_max", 100)
    answer = service.post("/sweep", b" " * 1000 + b"{}")
    assert (answer.status_code, "retry-after" in answer.headers) == (429, True)
    assert service.post("/sweep", {}).status_code == 200


def test_every_answer_has_the_headers_that_keep_it_out_of_pages_and_caches(service: Served) -> None:
    for answer in (
        service.get("/live"),
        service.get("/nowhere"),
        service.post("/sweep"),
        service.post("/sweep", by=None),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "server" not in answer.headers
        assert answer.headers["content-type"] == "application/json"
        assert len(answer.headers["x-request-id"]) == 24


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (Unavailable("the store cannot be used"), 503, "unavailable"),
        (Ambiguous("no answer"), 503, "unanswered"),
        (Contended("phase:x", 48), 429, "contended"),
        (BadDocument("phase:x", "cannot be read"), 500, "bad document"),
        (KeyError(SECRET), 500, "bug"),
        (OSError(28, "No space left on device"), 503, "unavailable"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else str(one),
)
def test_an_error_is_one_line_of_json_without_traceback_or_secret(
    service: Served, monkeypatch: pytest.MonkeyPatch, *, error: Exception, status: int, kind: str
) -> None:
    def fail() -> int:
        raise error

    monkeypatch.setattr(service.pipeline, "sweep", fail)
    answer = service.post("/sweep")
    assert (answer.status_code, answer.json()["kind"], answer.json()["exit_code"]) == (status, kind, 2)
    assert "retry-after" in answer.headers or status == 500
    shown = answer.text + json.dumps(service.log.events, default=str)
    assert SECRET not in shown
    assert "Traceback" not in shown
    assert "\n" not in answer.json()["error"]
    seen = service.log.answer(answer.headers["x-request-id"])
    assert (seen["path"], seen["status"]) == ("/sweep", status)
    assert seen["caller"] == "operator"
    assert seen["request"] == answer.json()["request"] == answer.headers["x-request-id"]


def test_no_access_token_is_in_the_log(service: Served) -> None:
    service.post("/sweep")
    service.post("/sweep", by="reader")
    service.log.answer(service.get(f"/live?token={SECRET}").headers["x-request-id"])
    logged = json.dumps(service.log.events, default=str)
    assert not [name for name, token in service.tokens.items() if token[-20:] in logged]
    assert SECRET not in logged


def test_a_store_that_cannot_be_reached_is_503_and_not_evaluated(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.post("/sweep")
    service.post("/reconcile", {"days": 1}, by="reader")

    def gone(*_: object, **__: object) -> object:
        raise Unavailable("the store cannot be used: the disk is gone")

    store = type(service.pipeline.ports.store)
    for name in ("read", "scan", "due", "next_due", "write"):
        monkeypatch.setattr(store, name, gone)
    assert service.get("/live").status_code == 200
    assert service.get("/ready").status_code == 503
    for path, by in (("/health", "reader"), ("/reconcile", "reader"), ("/sweep", "operator")):
        answer = service.post(path, {}, by=by)
        assert (answer.status_code, answer.json()["exit_code"]) == (503, 2), path
        if path != "/sweep":
            assert {one["verdict"] for one in answer.json()["checks"] if one["error"]} == {"not evaluated"}
    assert service.post("/complete", {"step": "odds", "run": RUN, "execution_id": "e"}).status_code == 503
