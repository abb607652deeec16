"""The command ``phasegate serve``: where it listens, and what it refuses."""

import socket
import subprocess
import sys

import httpx
import pytest

from phasegate import __version__
from phasegate.settings import load_settings
from phasegate.web import server
from phasegate.web.service import threads_of
from tests.support.commands import Night
from tests.support.service import Served, served

WITHOUT = """
import sys
sys.modules["{library}"] = None
from phasegate.cli import main
main()
"""


def test_an_address_that_is_taken_is_refused_in_one_line(night: Night) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = night("serve", "--port", str(port))
    assert (done.code, done.out) == (2, "")
    assert done.err == (f"phasegate: serve: cannot listen on 127.0.0.1:{port}: Address already in use; "
                        "choose others with --host and --port\n")  # fmt: skip
    assert night("serve", "--host", "nowhere.invalid").err.startswith("phasegate: serve: cannot listen on nowhere")


def test_the_port_comes_from_the_option_then_from_the_variable_that_cloud_run_sets(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [str(one.getsockname()[1]) for one in (taken, other)]
        monkeypatch.setenv("PORT", ports[0])
        assert f"127.0.0.1:{ports[0]}" in night("serve").err
        assert f"127.0.0.1:{ports[1]}" in night("serve", "--port", ports[1]).err
    for wrong in ("http", "-1", "65536", "8080\n8081"):
        monkeypatch.setenv("PORT", wrong)
        done = night("serve")
        assert done.code == 2
        assert "wanted a number from 0 to 65535, or nothing" in done.err


@pytest.mark.parametrize("library", ["starlette", "uvicorn", "jwt", "prometheus_client"])
def test_without_its_libraries_the_command_says_what_to_install(night: Night, library: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(library=library), "serve"],
        cwd=night.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == (f"phasegate: serve: the library {library} is not installed; run: "
                           "pip install 'phasegate[service]'\n")  # fmt: skip


def test_the_service_says_what_runs_here(service: Served) -> None:
    body = service.get("/build").json()
    assert body["build"] == service.pipeline.ports.build.name() != ""
    assert (body["service"], body["dirty"], body["lock"]) == ("", False, "")
    assert (body["version"], body["pipeline"], len(body["plan"])) == (__version__, "nba", 16)
    assert body["python"] == ".".join(map(str, sys.version_info[:3]))
    assert service.get("/live").json() == {"live": True}
    assert service.get("/ready").json() == {"ready": True}


def test_the_build_that_was_given_is_answered_with_its_parts(night: Night) -> None:
    with served(night.folder, clock=night.clock, build="monitor@3f2a9c1+dirty.0badf00d") as one:
        body = one.get("/build").json()
    assert {name: body[name] for name in ("build", "service", "commit", "dirty", "lock")} == {
        "build": "monitor@3f2a9c1+dirty.0badf00d", "service": "monitor", "commit": "3f2a9c1", "dirty": True,
        "lock": "0badf00d",
    }  # fmt: skip


def test_on_postgresql_a_connection_is_left_for_what_must_not_wait() -> None:
    store = {"PHASEGATE_STORE": "postgresql://host/db"}
    assert threads_of(load_settings({})) == 8
    assert threads_of(load_settings(store)) == 5
    assert threads_of(load_settings({**store, "PHASEGATE_CONNECTIONS_MAX": "2"})) == 1
    assert threads_of(load_settings({**store, "PHASEGATE_SERVE_THREADS": "2"})) == 2


def test_a_request_keeps_the_id_that_its_caller_gave_it_if_it_is_one(service: Served) -> None:
    for given, is_kept in (("trace-17.a_B", True), ("a b", False), ("x" * 65, False), ("a;b", False)):
        answer: httpx.Response = service.client.get(f"{service.url}/live", headers={"X-Request-Id": given})
        assert (answer.headers["x-request-id"] == given) == is_kept


def test_an_answer_does_not_wait_until_the_one_before_is_acknowledged() -> None:
    # else the second packet of each answer on an open connection waits for 40 ms
    with server.listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
