"""The real Apprise library, sending to a real server through its own JSON plug-in."""

import sys
import time

import pytest
from msgspec.structs import replace

from phasegate.channels.apprise import Apprise
from tests.support.http_server import NOTE, Answers, Server

# Some plug-ins of the library use what Python is about to remove.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def address(server: Server) -> str:
    return f"json://user:secret@{server.url.removeprefix('http://')}/hook"


def test_a_message_goes_through_apprise_to_every_address(server: Server) -> None:
    reply = Apprise(f"{address(server)} {address(server)}").send(NOTE, ref="")
    assert reply.error == ""
    assert [body["type"] for body in server.bodies] == ["failure", "failure"]
    assert server.bodies[0]["title"].startswith("nba ERROR: analytics of 2026-02-03.overnight")
    assert "next: phasegate worker --until-idle" in server.bodies[0]["message"]
    assert Apprise(address(server)).send(replace(NOTE, kind="resolved"), ref="").error == ""
    assert server.bodies[-1]["type"] == "success"


def test_what_apprise_cannot_send_is_an_error_without_the_secret(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    server.answers = Answers(500, "secret")
    reply = Apprise(address(server)).send(NOTE, ref="")
    assert reply.error == "Apprise could not send it; an address refused it"
    assert Apprise("nonsense://secret").send(NOTE, ref="").error.startswith("Apprise does not support this address")
    assert "secret" not in "".join(capfd.readouterr())


def test_a_service_that_hangs_holds_us_no_longer_than_the_whole(server: Server) -> None:
    server.answers = Answers(hang=True)
    began = time.monotonic()
    reply = Apprise(address(server), total_s=0.3).send(NOTE, ref="")
    assert reply.error == "Apprise did not return within 0.3 s"
    assert time.monotonic() - began < 4.0


def test_without_the_library_the_mend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    assert Apprise("json://x").send(NOTE, ref="").error == (
        "the library apprise is not installed; pip install 'phasegate[apprise]'"
    )
