"""Every page says the same of the same documents, whatever store they are in."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from phasegate.scan import scanned
from phasegate.settings import load_settings
from phasegate.store import Doc
from phasegate.stores.sqlite import SQLiteStore
from phasegate.web.page.routes import READ
from phasegate.wiring import open_ports
from tests.support.google import new_project
from tests.support.january import PIPELINE, Scene, january
from tests.support.pages import page
from tests.support.postgres import PostgresServer
from tests.support.service import Served

pytestmark = pytest.mark.slow


class Played(NamedTuple):
    """A scene, its documents as they were before it was served, and what each page says of them."""

    scene: Scene
    docs: list[Doc]
    said: dict[str, str]


def said(scene: Scene, service: Served) -> dict[str, str]:
    """Return the words of each page, without the line that says when it was seen."""
    return {path: page(service, scene.address(path)).words.partition("Seen at ")[0] for path in READ}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    scene = january(tmp_path_factory.mktemp("january"))
    with closing(SQLiteStore(scene.folder / ".phasegate" / "phasegate.db")) as store:
        docs = list(scanned(store, ""))
    with scene.served() as service:
        yield Played(scene, docs, said(scene, service))


def check_same(played: Played, url: str, folder: Path) -> None:
    warehouse = f"duckdb:///{played.scene.folder}/.phasegate/warehouse.duckdb"
    settings = load_settings({}, overrides={"store": url, "state": folder, "warehouse": warehouse})
    store = open_ports(settings, pipeline=PIPELINE, clock=played.scene.clock).store
    with closing(store):
        for doc in played.docs:
            store.write(doc.key, doc.body, due=doc.due, expect=None)
    with played.scene.served(store=url, warehouse=warehouse) as service:
        found = said(played.scene, service)
    for path, words in found.items():
        assert words == played.said[path], path
    assert len(played.docs) > 200
    assert min(map(len, found.values())) > 150


def test_the_pages_say_the_same_of_documents_in_postgresql(
    played: Played, postgres_18: PostgresServer, tmp_path: Path
) -> None:
    check_same(played, postgres_18.url(), tmp_path)


@pytest.mark.usefixtures("firestore")
def test_the_pages_say_the_same_of_documents_in_firestore(played: Played, tmp_path: Path) -> None:
    check_same(played, f"firestore://{new_project()}", tmp_path)
