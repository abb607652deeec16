"""``phasegate export`` and ``import``: from one state to another, and back to where it was."""

from pathlib import Path

import pytest

from tests.support.cli_page import keys, section
from tests.support.commands import RUN, Night


def moved(night: Night, *options: str) -> Path:
    file = night.folder / "pipeline.jsonl"
    done = night("export", *options)
    assert (done.code, done.err) == (0, "")
    file.write_text(done.out)
    return file


def test_a_pipeline_moves_to_another_state_and_is_not_asked_for_anything(night: Night) -> None:
    night.whole()
    before = night.documents()
    file = moved(night)
    assert night.documents() == before
    done = night("--state", "other", "import", file.name)
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("next: phasegate adopt --yes\n")
    assert night("--state", "other", "status").out == night("status").out
    again = night("--state", "other", "import", file.name, "--json").json
    assert (again["created"], again["kept"], again["unchanged"]) == (0, [], again["documents"])


def test_a_dry_run_makes_no_state(night: Night) -> None:
    night.whole()
    file = moved(night)
    done = night("--state", "other", "import", file.name, "--dry-run", "--json")
    assert done.code == 0
    assert done.json["created"] == done.json["documents"] > 0
    assert not (night.folder / "other").exists()


def test_what_went_on_meanwhile_is_kept_and_told(night: Night) -> None:
    night.scrape(10)
    file = moved(night)
    night("complete", "odds", "--run", RUN, "--rows", "7")
    before = night.documents()
    done = night("import", file.name)
    assert done.code == 1
    assert f"phase:nba:raw:{RUN}: the store's is " in done.err
    assert night.documents() == before


def test_a_file_that_was_cut_off_is_refused_and_leaves_nothing(night: Night) -> None:
    night.whole()
    file = moved(night)
    file.write_text("\n".join(file.read_text().splitlines()[:-1]))
    done = night("--state", "other", "import", file.name)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"phasegate: {file.name}: nothing was imported: it has no last line: it was cut off\n"
    assert not (night.folder / "other").exists()


def test_some_runs_only(night: Night) -> None:
    night.whole()
    lines = moved(night, "--from", "2026-02-03", "--to", "2026-02-03", "--phase", "analytics").read_text().splitlines()
    assert any(f'"phase:nba:analytics:{RUN}"' in line for line in lines)
    assert not any('"phase:nba:raw:' in line for line in lines)
    assert len(moved(night, "--from", "2026-02-04").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("import", "nowhere.jsonl"), "import: nowhere.jsonl: there is no such file"),
        (("import", "plan.toml"), "plan.toml: nothing was imported: line 1: not a JSON object"),
        (("import", "nowhere", "--from-platform"), "nowhere: does not exist"),
        (("export", "--from", "2026-02-03", "--to", "2026-02-01"), "export: --from 2026-02-03 is after --to"),
        (("export", "--from", "yesterday"), "date 'yesterday': write YYYY-MM-DD"),
        (("export", "--phase", "no"), "unknown phase 'no'; the plan has raw, analytics, precompute"),
        (("--state", "nowhere", "export"), "there is no state at nowhere"),
    ],
)
def test_bad_input_is_one_line_that_names_the_mend(night: Night, arguments: tuple[str, ...], told: str) -> None:
    night("begin", RUN)
    done = night(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert told in done.err


def test_reports_of_the_platform_for_programs(night: Night) -> None:
    (night.folder / "night.json").write_text(
        '{"id": "2026-02-03_overnight", "odds": {"completed_at": "2026-02-04T06:00:00Z", "status": "success", '
        '"rows": 7}, "unheard_of": {"completed_at": "2026-02-04T06:00:00Z"}}'
    )
    done = night("import", "night.json", "--from-platform", "--json")
    assert done.code == 1
    assert {one["body"]["step"]: one["problem"] for one in done.json["completions"]} == {
        "odds": "", "unheard_of": "the plan has no step unheard_of: it goes to quarantine",
    }  # fmt: skip
    night("worker", "--until-idle")
    assert "unheard_of" in night("dead").out


def test_the_reference_page_documents_every_field(night: Night) -> None:
    night.scrape(10)
    file = moved(night)
    night("complete", "odds", "--run", RUN, "--rows", "7")
    own = night("import", file.name, "--json").json
    assert own["kept"]
    (night.folder / "night.jsonl").write_text('{"id": "2026-02-03", "odds": {"status": "success"}}\n{\n')
    platform = night("import", "night.jsonl", "--from-platform", "--dry-run", "--json").json
    assert platform["unread"]
    platform["completions"] = [{**one, "body": {}} for one in platform["completions"]]
    for document in (own, platform):
        assert {key for key in keys(document) if f"`{key}`" not in section("phasegate import")} == set()
