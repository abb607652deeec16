"""Every request ends within its bounds, and no error shows a secret."""

import socket
import time

import pytest

from phasegate.channels.http import ANSWER_BYTES_MAX, RETRY_AFTER_MAX_S, check_url, request
from tests.support.http_server import Answers, Server

SECRET = "/services/T0/B0/secret"


def test_what_is_answered_is_returned(server: Server) -> None:
    answer = request(server.url + SECRET, body={"a": "é"}, headers={"X-One": "1"})
    assert (answer.status, answer.body, answer.error) == (200, b"ok", "")
    assert (server.said[0].method, server.said[0].body) == ("POST", {"a": "é"})
    assert server.said[0].headers["X-One"] == "1"
    assert request(server.url).status == 200
    assert server.said[1].method == "GET"


@pytest.mark.parametrize(
    ("status", "header", "wait_s"),
    [(429, "30", 30.0), (429, "999999999", RETRY_AFTER_MAX_S), (429, "-5", 0.0), (503, "nan", 0.0), (500, None, 0.0),
     (403, "soon", 0.0)],
)  # fmt: skip
def test_a_refusal_names_the_status_and_how_long_to_wait(
    server: Server, status: int, header: str | None, wait_s: float
) -> None:
    server.answers = Answers(status, "secret inside", {} if header is None else {"Retry-After": header})
    answer = request(server.url + SECRET)
    assert (answer.status, answer.retry_after_s) == (status, wait_s)
    assert answer.error == f"127.0.0.1 answered {status}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("body", [None, {"token": "x"}])
def test_a_redirect_is_not_followed(server: Server, status: int, body: dict[str, object] | None) -> None:
    server.queue = [Answers(status, "", {"Location": server.url + "/elsewhere"})]
    answer = request(server.url + SECRET, body=body)
    assert "redirects are not followed" in answer.error
    assert [said.path for said in server.said] == [SECRET]


def test_a_server_that_hangs_holds_us_no_longer_than_the_timeout(server: Server) -> None:
    server.answers = Answers(hang=True)
    began = time.monotonic()
    answer = request(server.url + SECRET, timeout_s=0.2, total_s=5.0)
    assert answer.error == "127.0.0.1 did not answer within 0.2 s"
    assert time.monotonic() - began < 4.0


def test_a_server_that_dribbles_holds_us_no_longer_than_the_whole(server: Server) -> None:
    server.answers = Answers(body="x" * 5_000, drip=True)
    began = time.monotonic()
    answer = request(server.url + SECRET, timeout_s=1.0, total_s=0.3)
    assert answer.error == "127.0.0.1 did not answer within 0.3 s"
    assert time.monotonic() - began < 4.0


def test_of_a_long_answer_only_the_beginning_is_read(server: Server) -> None:
    server.answers = Answers(body="x" * (ANSWER_BYTES_MAX + 1_000))
    assert len(request(server.url).body) == ANSWER_BYTES_MAX


def test_a_server_that_is_not_there_is_an_error_without_the_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    answer = request(f"http://127.0.0.1:{port}{SECRET}")
    assert answer.error == "127.0.0.1 cannot be reached: Connection refused"
    assert "secret" not in request("http://nowhere.invalid" + SECRET).error


def test_what_is_no_http_at_all_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(5.0)
        import threading

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"220 smtp ready\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        told = request(f"http://127.0.0.1:{listening.getsockname()[1]}{SECRET}")
        thread.join()
    assert told.error == "127.0.0.1 cannot be reached: BadStatusLine"


@pytest.mark.parametrize(
    "url", ["", "ftp://x/y", "file:///etc/passwd", "https://", "http://h/a b", "http://h:99999/", "x"]
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    assert check_url(url) == "is no URL that begins with https:// or http://"


def test_a_web_address_is_taken() -> None:
    assert check_url("https://hooks.slack.com/services/T0/B0/x") == check_url("http://127.0.0.1:8000/x?y=1") == ""
