"""What `phasegate deploy render` writes: all that the manifest says, and no variable of a live service is lost."""

import base64
import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from nba_props import PLATFORM_PLAN
from phasegate import read_plan
from phasegate.answers.deployed import PARTS
from phasegate.cli import run
from phasegate.cli.commands.deploy import PARTS as SHOWN
from phasegate.deploy import grants, provider, rules, terraform
from phasegate.gcp.carried import subscription_of
from tests.support.deployed import GCP
from tests.support.deployment import PATH, TEXT, as_meant, fake_gcloud, manifest, recorded
from tests.support.postgres import absent
from tests.support.real_data import ROOT

MONITOR = "phasegate-monitor"


def rendered(folder: Path, *arguments: str, text: str = TEXT) -> dict[str, Any]:
    """Return the resources of a rendering, by kind and name."""
    (folder / "m.toml").write_text(text)
    out = folder / "infra"
    assert run(["deploy", "render", "--manifest", str(folder / "m.toml"), "--out", str(out), *arguments]) == 0
    found: dict[str, Any] = {}
    for path in out.iterdir():
        for kind, named in json.loads(path.read_text()).get("resource", {}).items():
            found.setdefault(kind, {}).update(named)
    return found


def env_of(resources: dict[str, Any], service: str) -> dict[str, Any]:
    (container,) = resources["google_cloud_run_v2_service"][service]["template"]["containers"]
    return {one["name"]: one.get("value", one.get("value_source")) for one in container["env"]}


def living(folder: Path, *entries: dict[str, Any]) -> str:
    """Record a state in which the monitor has more variables; return its folder."""
    state = as_meant()
    (monitor,) = [one for one in state["services"] if one["metadata"]["name"] == MONITOR]
    monitor["spec"]["template"]["spec"]["containers"][0]["env"] += entries
    return str(recorded(folder / "state", state))


def test_variables_of_a_live_service_that_the_manifest_does_not_name_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = living(
        tmp_path, {"name": "TZ", "value": "a${b}"}, {"name": "NBA_DATA", "value": "synthetic"},
        {"name": "PHASEGATE_BUILD", "value": "old"},
        {"name": "ODDS_API_KEY", "valueFrom": {"secretKeyRef": {"name": "odds", "key": "3"}}},
    )  # fmt: skip
    env = env_of(rendered(tmp_path, "--state", state), MONITOR)
    assert env["TZ"] == "a$${b}", "Terraform replaces nothing in it"
    assert env["ODDS_API_KEY"] == {"secret_key_ref": {"secret": "odds", "version": "3"}}
    assert env["NBA_DATA"] == "live", "ours wins"
    assert "PHASEGATE_BUILD" not in env, "the label of a build is that of this rendering"
    assert f"{MONITOR}: kept TZ, ODDS_API_KEY" in capsys.readouterr().err


def test_the_variables_of_a_live_service_are_read_by_one_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = Path(living(tmp_path, {"name": "TZ", "value": "UTC"}))
    monkeypatch.setenv("PATH", f"{fake_gcloud(tmp_path / 'bin', state)}{os.pathsep}{os.environ['PATH']}")
    assert env_of(rendered(tmp_path, "--state", "live"), MONITOR)["TZ"] == "UTC"
    (asked,) = (tmp_path / "bin" / "asked").read_text().splitlines()
    assert asked.startswith("run services list ")


def test_a_variable_goes_if_the_manifest_says_so(tmp_path: Path) -> None:
    text = TEXT.replace('invokers = ["scheduler"]', 'invokers = ["scheduler"]\nenv_removed = ["TZ"]')
    state = living(tmp_path, {"name": "TZ", "value": "UTC"}, {"name": "LANG", "value": "C"})
    env = env_of(rendered(tmp_path, "--state", state, text=text), MONITOR)
    assert "TZ" not in env
    assert env["LANG"] == "C"


def test_nothing_is_rendered_while_the_variables_of_what_runs_are_not_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["deploy", "render", "--manifest", str(PATH), "--out", str(tmp_path / "infra")]
    assert run(asked) == 2
    assert "--state live" in capsys.readouterr().err
    assert run([*asked, "--first", "--state", "live"]) == 2
    (tmp_path / "state").mkdir()
    assert run([*asked, "--state", str(tmp_path / "state")]) == 2
    assert "the variables of what runs are not known" in capsys.readouterr().err
    assert not (tmp_path / "infra").exists()


@pytest.mark.parametrize(
    ("answer", "mend"),
    [
        ("{}", "wanted a list of objects, as it is printed by: gcloud run services list "),
        ('[{"metadata": {"name": "phasegate-monitor"}}]', "record them again: phasegate deploy diff --commands"),
    ],
)
def test_what_is_no_answer_of_gcloud_is_never_taken_for_no_variables(
    answer: str, mend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "services.json").write_text(answer)
    asked = ["deploy", "render", "--manifest", str(PATH), "--out", str(tmp_path / "infra")]
    assert run([*asked, "--state", str(tmp_path)]) == 2
    assert mend in capsys.readouterr().err


def test_a_manifest_that_is_wrong_is_not_rendered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.toml").write_text(TEXT.replace("timeout_s = 60\n", "timeout_s = 0\n"))
    out = str(tmp_path / "infra")
    assert run(["deploy", "render", "--first", "--manifest", str(tmp_path / "m.toml"), "--out", out]) == 2
    err = capsys.readouterr().err
    assert "m.toml:26: [service.phase3-to-phase4-orchestrator] timeout_s: is 0" in err
    assert "phasegate deploy check" in err


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert run(["deploy", "render", "--first", "--manifest", str(PATH), "--out", str(tmp_path / "file")]) == 2
    assert "name a folder that can be written" in capsys.readouterr().err


def test_a_build_labels_images_and_services(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = TEXT.replace("phasegate/phasegate-monitor", "phasegate/phasegate-monitor:pinned")
    found = rendered(tmp_path, "--first", "--build", "4f2c9e1", text=text)
    images = {name: one["template"]["containers"][0]["image"].rpartition("/")[2]
              for name, one in found["google_cloud_run_v2_service"].items()}  # fmt: skip
    assert images["nba-phase3-analytics-processors"] == "nba-phase3-analytics-processors:4f2c9e1"
    assert images[MONITOR] == "phasegate-monitor:pinned"
    assert {env_of(found, name)["PHASEGATE_BUILD"] for name in images} == {f"{name}@4f2c9e1" for name in images}
    dirty = rendered(tmp_path, "--first", "--build", "4f2c9e1+dirty")["google_cloud_run_v2_service"][MONITOR]
    assert dirty["template"]["containers"][0]["image"].endswith("/phasegate-monitor:4f2c9e1-dirty")
    assert run(["deploy", "render", "--first", "--manifest", str(PATH), "--build", "a b"]) == 2
    assert "give a commit" in capsys.readouterr().err
    capsys.readouterr()
    assert run(["deploy", "render", "--first", "--manifest", str(PATH), "--out", str(tmp_path / "x"), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["build"], shown["kept"]) == (None, {})
    assert {*shown["files"]} == {path.name for path in (tmp_path / "x").iterdir()}


def test_a_section_that_was_emptied_leaves_no_file_of_an_earlier_rendering(tmp_path: Path) -> None:
    assert rendered(tmp_path, "--first")["google_cloud_scheduler_job"]
    text = re.sub(r"(?ms)^\[job\..*?^# Documents", "# Documents", TEXT)
    assert "google_cloud_scheduler_job" not in rendered(tmp_path, "--first", text=text)


def test_everything_that_the_manifest_names_is_rendered(tmp_path: Path) -> None:
    _, found = manifest()
    made = rendered(tmp_path, "--first")
    counts = {kind: len(named) for kind, named in made.items()}
    assert counts["google_cloud_run_v2_service"] == len(found.service)
    assert counts["google_service_account"] == len(found.account)
    assert counts["google_project_iam_member"] == sum(len(one.roles) for one in found.account.values())
    assert counts["google_pubsub_topic"] == len(found.topic)
    assert counts["google_pubsub_subscription"] == len(found.subscription)
    assert counts["google_cloud_scheduler_job"] == len(found.job)
    assert counts["google_monitoring_alert_policy"] == len(found.alert)
    push = made["google_pubsub_subscription"]["push_nba_completions"]
    assert push["retry_policy"] == {"minimum_backoff": "10s", "maximum_backoff": "600s"}
    assert push["dead_letter_policy"]["dead_letter_topic"] == "${google_pubsub_topic.nba_dead.id}"
    assert push["push_config"]["oidc_token"]["audience"] == "phase3-to-phase4-orchestrator"
    assert "dead_letter_policy" not in made["google_pubsub_subscription"]["phasegate_nba_nba_completions"]
    monitor = made["google_cloud_run_v2_service"][MONITOR]
    assert monitor["template"]["containers"][0]["resources"]["cpu_idle"] is False
    assert monitor["custom_audiences"] == [env_of(made, MONITOR)["PHASEGATE_AUDIENCE"]]
    assert monitor["traffic"] == [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}]


def test_a_secret_is_named_and_its_reader_may_read_it(tmp_path: Path) -> None:
    text = TEXT.replace('invokers = ["scheduler"]', 'invokers = ["scheduler"]\nsecrets.PHASEGATE_ALERTS_OPS = "hook"')
    made = rendered(tmp_path, "--first", text=text)
    assert env_of(made, MONITOR)["PHASEGATE_ALERTS_OPS"] == {"secret_key_ref": {"secret": "hook", "version": "latest"}}
    (grant,) = made["google_secret_manager_secret_iam_member"].values()
    assert (grant["secret_id"], grant["role"]) == ("hook", "roles/secretmanager.secretAccessor")
    assert grant["member"] == "serviceAccount:${google_service_account.monitor.email}"
    assert (
        run(["deploy", "check", "--manifest", str(tmp_path / "m.toml"), "--part", "provider", "--part", "rules"]) == 0
    )


def references(body: object) -> set[str]:
    return {found for text in re.findall(r"\$\{[^}]*\}", json.dumps(body))
            for found in re.findall(r"\b(google_\w+\.[\w-]+)\.\w+", text)}  # fmt: skip


def test_what_a_resource_refers_to_is_rendered_too() -> None:
    _, found = manifest()
    made = [*terraform.resources(found)]
    names = {f"{one.kind}.{one.name}" for one in made} | {"google_project.this"}
    assert len(names) == len(made) + 1, "each has an address of its own"
    assert {one for resource in made for one in references(resource.body)} <= names
    needed = {str(one) for resource in made for one in (resource.body.get("depends_on") or ())}  # type: ignore[attr-defined]
    assert needed
    assert needed <= names


def test_the_kinds_of_the_schema_are_those_that_are_rendered() -> None:
    text = TEXT.replace('invokers = ["scheduler"]', 'invokers = ["scheduler"]\nsecrets.KEY = "key"')
    kinds = {one.kind for one in terraform.resources(manifest(text)[1])}
    assert kinds | {"data.google_project"} == {*provider.provider_schema().kinds}


@pytest.mark.slow
def test_terraform_itself_reads_what_was_rendered(tmp_path: Path) -> None:
    if shutil.which("terraform") is None:
        absent("no terraform; install it")
    text = TEXT.replace('state_bucket = "nba-props-prod-terraform"\n', "")  # with one, it asks for the bucket first
    assert rendered(tmp_path, "--first", text=text)
    asked = ["terraform", f"-chdir={tmp_path / 'infra'}", "providers", "-no-color"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "provider[registry.terraform.io/hashicorp/google] ~> 8.7" in done.stdout
    wrong = tmp_path / "infra" / "wrong.tf.json"
    wrong.write_text('{"resource": {"google_pubsub_topic": {"2nd": {"name": "x"}}}}')
    assert subprocess.run(asked, capture_output=True, check=False).returncode == 1


@pytest.mark.slow
def test_terraform_computes_the_body_of_a_job_as_it_was_written(tmp_path: Path) -> None:
    if shutil.which("terraform") is None:
        absent("no terraform; install it")
    body = '{"days": 7, "note": "a ${b} \\\\ %{c}"}'
    text = TEXT.replace("""body = '{"days": 7}'""", f"body = '{body}'")
    job = rendered(tmp_path, "--first", text=text)["google_cloud_scheduler_job"]["phasegate-reconcile"]
    asked = job["http_target"]["body"].removeprefix("${").removesuffix("}")
    done = subprocess.run(
        ["terraform", "console"], input=asked, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert base64.b64decode(done.stdout.strip().strip('"')).decode() == body


def test_the_manifest_has_what_the_plan_needs() -> None:
    plan = read_plan(PLATFORM_PLAN)
    _, found = manifest()
    sent = {one.topic for phase in plan.phases.values() for one in phase.sends}
    asked = {step.topic for step in plan.steps.values() if step.topic}
    assert {*plan.topics(), *sent, *asked} | {"nba.dead"} == {*found.topic}
    inboxes = {name: one.topic for name, one in found.subscription.items() if one.inbox}
    assert inboxes == {subscription_of(topic, pipeline=plan.pipeline): topic for topic in plan.topics()}
    assert found.timezone == plan.timezone
    schemas = {step.table.name.partition(".")[0] for step in plan.steps.values() if step.table}
    assert schemas | {"phasegate"} == {*found.dataset}
    for service in found.service.values():
        assert (ROOT / service.source / "requirements.txt").exists()
        assert (ROOT / service.source / "Procfile").exists()
    assert {(ROOT / one.source).resolve() for one in found.service.values()} == {
        path.parent.resolve() for path in GCP.glob("*/requirements.txt")
    }


def test_the_index_is_that_of_the_file_for_firebase() -> None:
    file = json.loads((GCP / "firestore.indexes.json").read_text())
    (index,) = file["indexes"]
    assert index["collectionGroup"] == rules.COLLECTION
    fields = [f"{one['fieldPath']} {one.get('order') or one['arrayConfig']}" for one in index["fields"]]
    assert tuple(fields) == rules.INDEX
    firestore = tomllib.loads(TEXT)["firestore"]
    assert firestore["exempt"][rules.COLLECTION] == sorted(one["fieldPath"] for one in file["fieldOverrides"])


def test_the_roles_are_those_of_the_pages_on_google_cloud_and_bigquery() -> None:
    rows = {page: (ROOT / "docs" / "how-to" / page).read_text() for page in ("on-google-cloud.md", "on-bigquery.md")}
    (workers,) = re.findall(r"^\| workers \| (.*) \|$", rows["on-google-cloud.md"], re.MULTILINE)
    assert {*re.findall(r"`(roles/[\w.]+)`", workers)} == {
        grants.ROLES[one] for one in ("documents", "publish", "receive")
    }
    (tables,) = re.findall(r"^\| workers \| (.*) \|$", rows["on-bigquery.md"], re.MULTILINE)
    assert grants.ROLES["tables"] in tables


def test_the_command_offers_each_part() -> None:
    assert SHOWN == PARTS
