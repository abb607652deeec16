"""A real date with its documents in Firestore and its messages through Pub/Sub. Needs the real data."""

from pathlib import Path

import pytest

from benchmarks import google

DAY = "2025-01-01"


@pytest.mark.slow
@pytest.mark.usefixtures("firestore", "pubsub")
def test_a_date_on_googles_services_ends_with_the_digests_of_files(
    nba_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NBA_DATA", str(nba_data))
    google.main(["--first", DAY, "--last", DAY, "--rounds", "1"])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["tables", "as", "in", "files", "14"] in rows
    [sent] = [float(row[2]) for row in rows if row[:2] == ["messages", "sent"]]
    assert sent > 0
