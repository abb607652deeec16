"""A server on loopback, and no proxy between it and us."""

from collections.abc import Iterator

import pytest

from tests.support.http_server import Server, serving


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as made:
        yield made
