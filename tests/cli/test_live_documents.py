"""``phasegate doctor`` and ``import --from-platform`` on the platform's own documents in Firestore."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from google.cloud import firestore as sdk

from tests.support.commands import RUN, Night
from tests.support.google import new_project

FIVE = (
    "player_game_summary", "team_defense_game_summary", "team_offense_game_summary", "upcoming_player_game_context",
    "upcoming_team_game_context",
)  # fmt: skip
AT = datetime(2026, 2, 3, 23, 50, tzinfo=UTC)


@pytest.fixture
def project(firestore: str) -> str:
    assert firestore
    return new_project()


@pytest.fixture
def platform(project: str) -> Iterator[sdk.Client]:
    """Give that night's document, with timestamps, and three months of good nights before it."""
    client = sdk.Client(project=project)
    batch = client.batch()
    entry = {"completed_at": AT, "status": "success", "record_count": 348, "correlation_id": "c1"}
    good = {"_completed_count": 5, "_triggered": True, "_triggered_at": AT, "_last_update": sdk.SERVER_TIMESTAMP}
    for day in ("2025-11-03", "2026-01-01", "2026-02-02"):
        batch.set(client.document(f"phase3_completion/{day}"), {**dict.fromkeys(FIVE, entry), **good})
    night = {**dict.fromkeys(FIVE, entry), FIVE[4]: AT, "_completed_count": 3, "_triggered": False}
    batch.set(client.document("phase3_completion/2026-02-03"), night)
    batch.set(client.document("phase3_locks/2026-02-03"), {"holder": "x"})
    batch.commit()
    yield client
    client.close()


def test_that_night_is_diagnosed_where_it_is_and_a_long_collection_is_not_read(
    night: Night, project: str, platform: sdk.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[str]()
    real = sdk.DocumentSnapshot.to_dict

    def reading(one: Any) -> dict[str, object] | None:
        read.append(one.id)
        return real(one)

    monkeypatch.setattr(sdk.DocumentSnapshot, "to_dict", reading)
    (night.folder / "plan.toml").unlink()
    done = night("doctor", "--store", f"firestore://{project}", "--days", "7")
    assert (done.code, done.err) == (1, "")
    assert read == ["2026-02-02", "2026-02-03"]
    assert f"store     firestore://{project}: 2 documents\n" in done.out
    assert "phase3_completion (inferred from 2 documents): player_game_summary" in done.out
    assert "PG001 warning: phase3_completion/2026-02-03: _completed_count is 3, 5 entries are there" in done.out
    assert "PG002 error: phase3_completion/2026-02-03: all 5 processors are done" in done.out
    assert "phase3_completion/2026-02-03 upcoming_team_game_context (a time)" in done.out
    assert "no moment" not in done.out
    assert f"next: phasegate import firestore://{project} --from-platform" in done.out
    assert platform.document("phase3_completion/2026-02-03").get().get("_completed_count") == 3


def test_the_reports_of_that_night_are_imported_from_where_they_are(
    night: Night, project: str, platform: sdk.Client
) -> None:
    assert platform.project == project
    url = f"firestore://{project}"
    draft = night("doctor", "--store", url, "--draft")
    (night.folder / "plan.toml").write_text(draft.out)
    planned = night("import", url, "--from-platform", "--dry-run")
    assert planned.out.startswith("4 documents: 19 completions would be sent.")
    assert night("import", url, "--from-platform").out.startswith("4 documents: 19 completions sent.")
    # what was no map with a report is named, and a person completes it
    assert night("worker", "--until-idle").code == 0
    done = night("complete", FIVE[4], "--run", "2026-02-03.daily", "--rows", "30")
    assert done.code == 0, done.err
    assert night("worker", "--until-idle").code == 0
    assert "2026-02-03.daily  phase3  complete" in night("status", "--from", "2026-02-03", "--to", "2026-02-03").out


def test_a_project_without_such_documents_and_one_of_a_wrong_name_are_refused_in_a_line(
    night: Night, project: str
) -> None:
    for command in (("doctor", "--store"), ("import", "--from-platform")):
        done = night(*command, f"firestore://{project}")
        assert (done.code, done.out) == (2, "")
        assert "no collection phaseN_completion" in done.err
        done = night(*command, "firestore://Nba")
        assert (done.code, done.out) == (2, "")
        assert "names no project of Google Cloud" in done.err


def test_a_night_on_firestore_keeps_the_platforms_document_and_the_doctor_has_nothing_to_say(
    night: Night, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = night.folder / "plan.toml"
    mirrored = '[phase.raw]\nmirror = "phase2_completion/{game_date}"\n'
    plan.write_text(plan.read_text().replace("[phase.raw]\n", mirrored))
    monkeypatch.setenv("PHASEGATE_STORE", f"firestore://{project}")
    night.whole()
    client = sdk.Client(project=project)
    path = client.document(f"phase2_completion/{RUN[:10]}")
    found = path.get().to_dict()
    assert found is not None
    assert (found["_completed_count"], found["_triggered"], found["odds"]["record_count"]) == (2, True, 7)
    assert isinstance(found["odds"]["completed_at"], datetime)
    night.clock.at += 12 * 3600
    assert night("doctor", "--store", f"firestore://{project}").code == 0
    span = ("--from", RUN[:10], "--to", RUN[:10], "--phase", "raw")
    path.update({"_completed_count": 1})
    done = night("reconcile", *span)
    assert (done.code, "phase2_completion/2026-02-03 has _completed_count = 1" in done.out) == (1, True)
    assert night("reconcile", *span, "--fix").code == 0
    assert path.get().to_dict() == found
    client.close()


def test_a_setting_puts_the_document_of_any_store_into_files(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = night.folder / "plan.toml"
    mirrored = '[phase.raw]\nmirror = "phase2_completion/{game_date}"\n'
    plan.write_text(plan.read_text().replace("[phase.raw]\n", mirrored))
    monkeypatch.setenv("PHASEGATE_MIRROR", "file:///STATE/out")
    night.whole()
    assert (night.folder / ".phasegate" / "out" / "phase2_completion" / f"{RUN[:10]}.json").exists()
    night.clock.at += 12 * 3600
    done = night("doctor", "--store", "file:///.phasegate/out")
    assert (done.code, "1 document" in done.out) == (0, True), done.out
    monkeypatch.setenv("PHASEGATE_MIRROR", "https://example.org")
    refused = night("status")
    assert (refused.code, "write file:///PATH or firestore://PROJECT" in refused.err) == (2, True)
