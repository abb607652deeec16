"""A real date with its documents in Firestore and its messages through Pub/Sub. Needs the real data."""

from datetime import date
from pathlib import Path

import pytest

from benchmarks.disturbed import calm, settled_in
from benchmarks.google import services
from nba_props.sources.parquet import ParquetSource

DAY = date(2025, 1, 1)


@pytest.mark.slow
def test_a_date_on_googles_services_ends_with_the_digests_of_files(nba_data: Path, firestore: str, pubsub: str) -> None:
    assert firestore
    assert pubsub
    source = ParquetSource(nba_data)
    embedded = calm(source, first=DAY, last=DAY)
    with services(None) as project, settled_in(store=f"firestore://{project}", bus=f"pubsub://{project}"):
        found = calm(source, first=DAY, last=DAY)
    assert found.tables == embedded.tables
    assert len(found.tables) == 14
    assert found.gates == embedded.gates
    assert (found.unsettled, found.dead_letters) == ((), 0)
