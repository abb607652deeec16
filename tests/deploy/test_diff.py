"""`phasegate deploy diff` names each way in which a deployment decays, against a recorded and a live state."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from phasegate.answers.deployed import faults_of
from phasegate.base.findings import exit_code
from phasegate.cli import run
from phasegate.deploy import gcloud
from phasegate.deploy.compare import Comparison
from phasegate.deploy.faults import KINDS
from tests.support.deployment import PATH, PROJECT, TEXT, State, as_meant, fake_gcloud, manifest, recorded, url_of

ORCHESTRATOR, PROCESSORS, MONITOR = (
    "phase3-to-phase4-orchestrator", "nba-phase3-analytics-processors", "phasegate-monitor",
)  # fmt: skip
PUSH = "push.nba.completions"


def named(state: State, kind: str, name: str) -> dict[str, Any]:
    """Return one thing of a list of gcloud's."""
    keys = (lambda one: one.get("metadata", {}).get("name"), lambda one: one.get("displayName"),
            lambda one: str(one.get("name")).rpartition("/")[2])  # fmt: skip
    found: list[dict[str, Any]] = [one for one in state[kind] if name in [key(one) for key in keys]]
    assert len(found) == 1
    return found[0]


def remove(kind: str, name: str) -> Callable[[State], None]:
    return lambda state: state[kind].remove(named(state, kind, name))


def change(kind: str, name: str, *path: str | int, to: object) -> Callable[[State], None]:
    """Return a decay: one value of one thing is another one; None: it is gone."""

    def decay(state: State) -> None:
        inner: Any = named(state, kind, name)
        for step in path[:-1]:
            inner = inner[step]
        if to is None:
            del inner[path[-1]]
        else:
            inner[path[-1]] = to

    return decay


def double(state: State) -> None:
    copy = dict(named(state, "subscriptions", PUSH))
    state["subscriptions"].append(
        {**copy, "name": f"projects/{PROJECT}/subscriptions/eventarc-us-central1-old-sub-042"}
    )


def foreign_push(state: State) -> None:
    state["subscriptions"].append({
        "name": f"projects/{PROJECT}/subscriptions/old", "topic": f"projects/{PROJECT}/topics/nba.completions",
        "pushConfig": {"pushEndpoint": "https://old.example/hook"},
    })  # fmt: skip


def old_function(state: State) -> None:
    state["functions"].append({
        "name": f"projects/{PROJECT}/locations/us-central1/functions/phase3-to-phase4", "state": "ACTIVE",
        "eventTrigger": {"pubsubTopic": f"projects/{PROJECT}/topics/nba.completions",
                         "retryPolicy": "RETRY_POLICY_DO_NOT_RETRY"},
    })  # fmt: skip


def binding(name: str, role: str, *, lose: str = "", give: str = "") -> Callable[[State], None]:
    def decay(state: State) -> None:
        (found,) = [one for one in state[name]["bindings"] if one["role"] == role] or [{"role": role, "members": []}]
        found["members"] = [
            one for one in found["members"] if lose == "" or not one.startswith(f"serviceAccount:{lose}@")
        ]
        found["members"] += [give] if give else []
        state[name]["bindings"] = [*(one for one in state[name]["bindings"] if one["role"] != role), found]

    return decay


def access(dataset: str, *, lose: str = "", give: str = "") -> Callable[[State], None]:
    def decay(state: State) -> None:
        there = state[f"dataset.{dataset}"]["access"]
        there[:] = [one for one in there if lose == "" or not str(one.get("userByEmail")).startswith(f"{lose}@")]
        there += [{"role": "WRITER", "userByEmail": f"{give}@{PROJECT}.iam.gserviceaccount.com"}] if give else []

    return decay


def env(service: str, name: str, entry: dict[str, Any] | None) -> Callable[[State], None]:
    def decay(state: State) -> None:
        (container,) = named(state, "services", service)["spec"]["template"]["spec"]["containers"]
        container["env"] = [one for one in container["env"] if one["name"] != name] + ([entry] if entry else [])

    return decay


def to(name: str, value: Any) -> Callable[[State], None]:
    return lambda state: state.update({name: value})


POLICY, JOB = ("policies", "orchestrator-errors"), ("jobs", "phasegate-health")
SUBSCRIPTION, SERVICE = ("subscriptions", PUSH), ("services", MONITOR)
TEMPLATE = ("spec", "template")
PINNED = [{"percent": 100, "revisionName": f"{MONITOR}-00003-old"}]
SPLIT = [{"latestRevision": True, "percent": 90}, {"percent": 10, "revisionName": f"{MONITOR}-00003-old"}]
# what happened -> how, the code, the beginning of the subject, and words of the text or of the mend
DECAYS: dict[str, tuple[Callable[[State], None], str, str, str]] = {
    "a job was deleted": (remove("jobs", "phasegate-sweep"), "DP040", "[job.phasegate-sweep]", "no such job"),
    "a job was paused": (
        change(*JOB, "state", to="PAUSED"),
        "DP041",
        "[job.phasegate-health]",
        "scheduler jobs resume",
    ),
    "a job moved": (change(*JOB, "schedule", to="0 11 * * *"), "DP042", "[job.phasegate-health]", "is 0 11 * * *"),
    "a job in another zone": (change(*JOB, "timeZone", to="UTC"), "DP017", "[job.phasegate-health] timezone", "UTC"),
    "a job calls elsewhere": (
        change(*JOB, "httpTarget", "uri", to="https://old.example/health"),
        "DP042",
        "[job.phasegate-health] path",
        "https://old.example/health",
    ),
    "a job says something else": (
        change(*JOB, "httpTarget", "body", to=""),
        "DP042",
        "[job.phasegate-health] body",
        "",
    ),
    "a job without an ID token": (
        change(*JOB, "httpTarget", "oidcToken", to=None),
        "DP015",
        "[job.phasegate-health]",
        "",
    ),
    "a job as another account": (
        change(*JOB, "httpTarget", "oidcToken", "serviceAccountEmail", to="me@nba.example"),
        "DP042",
        "[job.phasegate-health] account",
        "me@nba.example",
    ),
    "a job for another audience": (
        change(*JOB, "httpTarget", "oidcToken", "audience", to="https://x"),
        "DP016",
        "[job.phasegate-health]",
        "https://x",
    ),
    "a subscription was deleted": (remove("subscriptions", PUSH), "DP040", '[subscription."push.nba.comp', ""),
    "a subscription was doubled": (double, "DP043", '[topic."nba.completions"]', "subscriptions delete eventarc-us"),
    "a foreign push": (foreign_push, "DP049", '[topic."nba.completions"]', "old pushes it to https://old.example/hook"),
    "retry is off": (change(*SUBSCRIPTION, "retryPolicy", to=None), "DP010", '[subscription."push.nba.comp', ""),
    "another back-off": (
        change(*SUBSCRIPTION, "retryPolicy", "minimumBackoff", to="0s"),
        "DP042",
        '[subscription."push.nba.comp',
        "0s to 600s",
    ),
    "the dead letter was lost": (change(*SUBSCRIPTION, "deadLetterPolicy", to=None), "DP012", "[subscription.", ""),
    "fewer attempts": (
        change(*SUBSCRIPTION, "deadLetterPolicy", "maxDeliveryAttempts", to=5),
        "DP042",
        "[subsc",
        "is 5",
    ),
    "dead letters elsewhere": (
        change(*SUBSCRIPTION, "deadLetterPolicy", "deadLetterTopic", to=f"projects/{PROJECT}/topics/x"),
        "DP042",
        "[subscription.",
        "go to x",
    ),
    "an inbox with a dead letter": (
        change(
            "subscriptions",
            "phasegate.nba.nba.completions",
            "deadLetterPolicy",
            to={"deadLetterTopic": f"projects/{PROJECT}/topics/nba.dead"},
        ),
        "DP013",
        "[subscription.",
        "nba.dead",
    ),
    "a push became a pull": (
        change(*SUBSCRIPTION, "pushConfig", to={}),
        "DP042",
        "[subscription.",
        "not pushed any more",
    ),
    "an inbox is pushed": (
        change("subscriptions", "phasegate.nba.nba.completions", "pushConfig", "pushEndpoint", to="https://x/"),
        "DP042",
        "[subscription.",
        "pushed to https://x/",
    ),
    "a push elsewhere": (
        change(*SUBSCRIPTION, "pushConfig", "pushEndpoint", to="https://old.example/"),
        "DP042",
        "[subscription.",
        "https://old.example/",
    ),
    "a push without an ID token": (change(*SUBSCRIPTION, "pushConfig", "oidcToken", to=None), "DP011", "[subscr", ""),
    "a shorter ack deadline": (change(*SUBSCRIPTION, "ackDeadlineSeconds", to=10), "DP042", "[subscription.", "is 10"),
    "its topic was deleted": (
        change(*SUBSCRIPTION, "topic", to="_deleted-topic_"),
        "DP042",
        "[subsc",
        "_deleted-topic_",
    ),
    "a subscription that expires": (
        change(*SUBSCRIPTION, "expirationPolicy", to={"ttl": "2678400s"}),
        "DP042",
        "[subscription.",
        "2678400s",
    ),
    "a topic was deleted": (remove("topics", "nba-phase4-trigger"), "DP040", "[topic.nba-phase4-trigger]", ""),
    "an account was deleted": (lambda state: state["accounts"].pop(0), "DP040", "[account.orchestrator]", ""),
    "a role was lost": (
        binding("project-iam", "roles/datastore.user", lose="monitor"),
        "DP044",
        "[account.monitor]",
        "roles/datastore.user",
    ),
    "a role was added": (
        binding("project-iam", "roles/editor", give=f"serviceAccount:push@{PROJECT}.iam.gserviceaccount.com"),
        "DP045",
        "[account.push]",
        "remove-iam-policy-binding nba-props-prod",
    ),
    "a caller was lost": (
        binding(f"service-iam.{MONITOR}", "roles/run.invoker", lose="scheduler"),
        "DP044",
        "[service.phasegate-monitor] invokers",
        "scheduler@",
    ),
    "a caller was added": (
        binding(f"service-iam.{MONITOR}", "roles/run.invoker", give="user:me@nba.example"),
        "DP045",
        "[service.phasegate-monitor] invokers",
        "--member=user:me@nba.example",
    ),
    "anyone may call": (
        binding(f"service-iam.{MONITOR}", "roles/run.invoker", give="allUsers"),
        "DP021",
        "[service.phasegate-monitor] invokers",
        "--member=allUsers",
    ),
    "a right on a dataset was lost": (
        access("nba_precompute", lose="monitor"),
        "DP044",
        "[dataset.nba_precompute]",
        "",
    ),
    "a right on a dataset was added": (access("nba_raw", give="push"), "DP045", "[dataset.nba_raw] writers", "push@"),
    "a dataset was deleted": (to("dataset.nba_raw", None), "DP040", "[dataset.nba_raw]", ""),
    "a service was deleted": (remove("services", PROCESSORS), "DP040", f"[service.{PROCESSORS}]", ""),
    "traffic is pinned": (
        change(*SERVICE, "spec", "traffic", to=PINNED),
        "DP046",
        f"[service.{MONITOR}]",
        "--to-latest",
    ),
    "traffic is split": (change(*SERVICE, "spec", "traffic", to=SPLIT), "DP046", f"[service.{MONITOR}]", "10 % to"),
    "a revision does not start": (
        change(*SERVICE, "status", "latestCreatedRevisionName", to="new"),
        "DP046",
        f"[service.{MONITOR}]",
        "not ready",
    ),
    "CPU within requests only": (
        change(*SERVICE, *TEMPLATE, "metadata", "annotations", to={}),
        "DP022",
        "[service.",
        "",
    ),
    "another account": (
        change(*SERVICE, *TEMPLATE, "spec", "serviceAccountName", to="me@nba.example"),
        "DP042",
        f"[service.{MONITOR}] account",
        "me@nba.example",
    ),
    "a second container": (
        lambda state: named(state, *SERVICE)["spec"]["template"]["spec"]["containers"].append({"image": "sidecar"}),
        "DP042",
        "[service.phasegate-monitor]",
        "2 containers",
    ),
    "another time limit": (change(*SERVICE, *TEMPLATE, "spec", "timeoutSeconds", to=300), "DP042", "[service.", "300"),
    "a variable is missing": (
        env(MONITOR, "PHASEGATE_AUDIENCE", None),
        "DP047",
        "[service.phasegate-monitor] env.P",
        "",
    ),
    "a variable was changed": (
        env(MONITOR, "NBA_DATA", {"name": "NBA_DATA", "value": "synthetic"}),
        "DP047",
        "[env]",
        "synthetic",
    ),
    "a foreign variable": (env(MONITOR, "TZ", {"name": "TZ", "value": "UTC"}), "DP048", "[service.phasegate-mon", "TZ"),
    "a foreign secret": (
        env(MONITOR, "KEY", {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "odds", "key": "3"}}}),
        "DP048",
        "[service.phasegate-monitor]",
        "KEY",
    ),
    "the index is missing": (to("indexes", []), "DP023", "[firestore.index]", "p CONTAINS"),
    "the index is being built": (
        lambda state: state["indexes"][0].update(state="CREATING"),
        "DP041",
        "[firestore.in",
        "",
    ),
    "the database is absent": (to("indexes", None), "DP023", "[firestore.index]", ""),
    "a field is indexed": (lambda state: state["fields"].pop(0), "DP042", "[firestore.exempt]", "b is indexed"),
    "a policy was deleted": (remove(*POLICY), "DP040", "[alert.orchestrator-errors]", ""),
    "a policy is disabled": (change(*POLICY, "enabled", to=False), "DP041", "[alert.orchestrator-errors]", "--enabled"),
    "a policy notifies no one": (change(*POLICY, "notificationChannels", to=[]), "DP025", "[alert.orchestrator-", ""),
    "a policy with another filter": (
        change(*POLICY, "conditions", 0, "conditionThreshold", "filter", to='resource.type="cloud_run_revision"'),
        "DP042",
        "[alert.orchestrator-errors] filter",
        "cloud_run_revision",
    ),
    "a policy with another threshold": (
        change(*POLICY, "conditions", 0, "conditionThreshold", "thresholdValue", to=50),
        "DP042",
        "[alert.orch",
        "is 50",
    ),
    "a policy that waits longer": (
        change(*POLICY, "conditions", 0, "conditionThreshold", "duration", to="3600s"),
        "DP042",
        "[alert.orch",
        "3600s",
    ),
    "a log metric was deleted": (remove("metrics", "phasegate-late"), "DP040", "[metric.phasegate-late]", ""),
    "a log metric is disabled": (change("metrics", "phasegate-late", "disabled", to=True), "DP041", "[metric.ph", ""),
    "a log metric counts something else": (
        change("metrics", "phasegate-late", "filter", to="severity>=ERROR"),
        "DP042",
        "[metric.phasegate-late] filter",
        "severity",
    ),
    "a channel was deleted": (remove("channels", "on-call"), "DP040", "[channel.on-call]", ""),
}


def compared(state: State) -> Comparison:
    source, found = manifest()
    return Comparison(source, found, gcloud.ProjectState(state, {}))


def test_a_deployment_as_it_was_meant_differs_in_nothing() -> None:
    results = compared(as_meant()).results()
    assert faults_of(results) == []
    assert exit_code(results) == 0
    assert {one.check for one in results} == {one.name for one in gcloud.reads(manifest()[1])}


@pytest.mark.parametrize("decay", DECAYS)
def test_each_decay_is_named_alone_with_a_mend(decay: str) -> None:
    happen, code, subject, words = DECAYS[decay]
    state = as_meant()
    happen(state)
    (fault,) = faults_of(compared(state).results())
    assert fault.code == code
    assert fault.subject.startswith(subject)
    assert words in f"{fault.text} {fault.command}"
    assert fault.place.startswith("manifest.toml:")
    assert fault.command


def test_an_old_function_that_still_listens_without_retry_is_named() -> None:
    state = as_meant()
    old_function(state)
    faults = faults_of(compared(state).results())
    assert [one.code for one in faults] == ["DP010", "DP049"]
    assert all("gcloud functions delete phase3-to-phase4 " in one.command for one in faults)


def test_a_foreign_secret_in_plain_text_is_named_and_never_shown() -> None:
    state = as_meant()
    env(MONITOR, "ODDS_API_KEY", {"name": "ODDS_API_KEY", "value": "4f2c9e1d"})(state)
    faults = faults_of(compared(state).results())
    assert [one.code for one in faults] == ["DP027", "DP048"]
    assert not any("4f2c9e1d" in f"{one.text} {one.command}" for one in faults)


@pytest.mark.parametrize("name", ["topic-iam.nba.dead", f"subscription-iam.{PUSH}"])
def test_dead_letters_that_pubsub_may_not_move_are_named(name: str) -> None:
    state = as_meant()
    state[name] = {"etag": "ACAB"}
    (fault,) = faults_of(compared(state).results())
    assert fault.code == "DP044"
    assert "no dead letter is moved" in fault.text


def test_what_is_to_be_removed_and_is_still_there_is_named() -> None:
    source, found = manifest(TEXT.replace('invokers = ["scheduler"]', 'invokers = ["scheduler"]\nenv_removed = ["TZ"]'))
    state = as_meant()
    env(MONITOR, "TZ", {"name": "TZ", "value": "UTC"})(state)
    (fault,) = faults_of(Comparison(source, found, gcloud.ProjectState(state, {})).results())
    assert (fault.code, fault.text) == ("DP048", "TZ is still there")


def test_a_conditional_right_is_none() -> None:
    state = as_meant()
    for one in state["project-iam"]["bindings"]:
        one.update({"condition": {"expression": "false"}} if one["role"] == "roles/bigquery.jobUser" else {})
    assert {one.code for one in faults_of(compared(state).results())} == {"DP044"}


def test_the_label_of_a_build_is_no_foreign_variable() -> None:
    state = as_meant()
    env(MONITOR, "PHASEGATE_BUILD", {"name": "PHASEGATE_BUILD", "value": "4f2c9e1"})(state)
    assert faults_of(compared(state).results()) == []


def test_each_kind_of_fault_of_a_state_is_caused_by_a_decay() -> None:
    assert {code for code in KINDS if code >= "DP040"} - {code for _, code, _, _ in DECAYS.values()} == set()


def test_a_recorded_state_is_compared_and_exits_with_0_1_or_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = as_meant()
    folder = recorded(tmp_path / "state", state)
    asked = ["deploy", "diff", "--manifest", str(PATH), "--state", str(folder)]
    assert run(asked) == 0
    assert capsys.readouterr().out.endswith("\nno fault\n")
    remove("jobs", "phasegate-sweep")(state)
    recorded(folder, state)
    assert run([*asked, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(one["code"], one["subject"]) for one in found["faults"]] == [("DP040", "[job.phasegate-sweep]")]
    (folder / "policies.json").unlink()
    (folder / "topics.json").write_text("")
    (folder / "metrics.json").write_text("ERROR: no")
    assert run(asked) == 2
    out = capsys.readouterr().out
    assert out.count("NOT EVALUATED") == 3
    assert "record it: gcloud alpha monitoring policies list" in out
    assert "topics.json is empty" in out
    assert "metrics.json: no JSON" in out
    assert "DP040" in out


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("services", '{"items": []}'), ("jobs", "[1]"), ("topics", '"none"'), ("project-iam", "[]"),
        ("dataset.nba_raw", "5"),
    ],
)  # fmt: skip
def test_an_answer_of_another_shape_is_not_evaluated_and_never_well(
    name: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = "an object" if name in ("project-iam", "dataset.nba_raw") else "a list of objects"
    folder = recorded(tmp_path / "state", as_meant())
    (folder / f"{name}.json").write_text(text)
    assert run(["deploy", "diff", "--manifest", str(PATH), "--state", str(folder)]) == 2
    out = capsys.readouterr().out
    assert f"{name}: wanted {wanted}, as it is printed by: gcloud " in out
    assert out.count("NOT EVALUATED") == 1


def test_a_live_state_is_read_by_gcloud_and_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = as_meant()
    change("jobs", "phasegate-health", "state", to="PAUSED")(state)
    state["dataset.nba_raw"] = None  # gcloud says NOT_FOUND
    answers = recorded(tmp_path / "answers", state)
    (answers / "functions.json").unlink()  # and here PERMISSION_DENIED
    monkeypatch.setenv("PATH", f"{fake_gcloud(tmp_path / 'bin', answers)}{os.pathsep}{os.environ['PATH']}")
    assert run(["deploy", "diff", "--manifest", str(PATH), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert [one["code"] for one in found["faults"]] == ["DP041", "DP040"]
    assert {one["check"]: one["error"] for one in found["checks"] if one["error"]}["functions"].endswith(
        "PERMISSION_DENIED: Permission denied on resource."
    )
    asked = (tmp_path / "bin" / "asked").read_text().splitlines()
    assert asked == [" ".join([*one.command[1:], "--quiet"]) for one in gcloud.reads(manifest()[1])]
    assert {line.split(" --")[0].split()[-1] if "iam-policy" not in line else "get-iam-policy" for line in asked} <= {
        "list", "get-iam-policy", "nba_raw", "phasegate", "nba_analytics", "nba_precompute",
    }  # fmt: skip


def test_without_gcloud_or_a_folder_nothing_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert run(["deploy", "diff", "--manifest", str(PATH)]) == 2
    assert "there is no gcloud" in capsys.readouterr().err
    assert run(["deploy", "diff", "--manifest", str(PATH), "--state", str(tmp_path / "none")]) == 2
    assert "phasegate deploy diff --commands" in capsys.readouterr().err


def test_the_commands_that_are_printed_record_a_state_that_is_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = recorded(tmp_path / "answers", as_meant())
    assert run(["deploy", "diff", "--manifest", str(PATH), "--commands"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert run(["deploy", "diff", "--manifest", str(PATH), "--commands", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["commands"]
    assert lines == [f"{one['command']} > {one['file']}" for one in listed]
    assert {one["file"] for one in listed} == {path.name for path in answers.iterdir()}


def test_the_address_that_cloud_run_gives_besides_is_known_too() -> None:
    state = as_meant()
    other = f"https://{ORCHESTRATOR}-1078.us-central1.run.app"
    named(state, "services", ORCHESTRATOR)["metadata"]["annotations"]["run.googleapis.com/urls"] = (
        f'["{other}","{url_of(ORCHESTRATOR)}"]'
    )
    change("subscriptions", PUSH, "pushConfig", "pushEndpoint", to=f"{other}/")(state)
    assert faults_of(compared(state).results()) == []
