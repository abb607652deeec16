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


@pytest.mark.slow
@pytest.mark.usefixtures("firestore", "pubsub")
def test_pushed_messages_end_with_the_digests_of_files_and_only_signed_ones_are_taken(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport

    pull = SubscriberGrpcTransport.pull
    google.main(["--push", "--quick"])
    rows = {line[:34].strip(): line[34:].strip() for line in capsys.readouterr().out.splitlines()}
    assert rows["tables as in files"] == "14"
    assert SubscriberGrpcTransport.pull is pull, "what refuses to be pulled stayed, for all later tests"
    pushed, forged = int(rows["messages pushed"]), int(rows["forged tokens, all refused"])
    assert pushed > 1
    assert rows["deliveries, by answer"] == f"{pushed} x 204, {forged} x 401"
