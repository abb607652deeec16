"""`phasegate deploy check` finds each mistake that is planted in the manifest of this repository, with its line."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from phasegate.answers.deployed import Part, checked, faults_of
from phasegate.cli import run
from phasegate.cli.commands.deploy import variables
from phasegate.deploy import gcloud, messages, provider, terraform
from phasegate.deploy.faults import KINDS
from phasegate.deploy.reading import read
from tests.support.deployment import PATH, TEXT, manifest, planted
from tests.support.postgres import absent

OFFLINE: tuple[Part, ...] = ("manifest", "rules", "roles", "alerts", "provider", "messages")
PUSH = """[subscription."push.nba.completions"]
topic = "nba.completions"
push = "phase3-to-phase4-orchestrator"
account = "push"
ack_deadline_s = 60
retry_min_s = 10
retry_max_s = 600
dead_letter = "nba.dead"
"""
HEALTH = """schedule = "0 8 * * *"
timezone = "America/New_York"
service = "phasegate-monitor"
path = "/health-check-phase3"
body = '{"alert": true}'
account = "scheduler"
"""
INDEX = """[[firestore.index]]
collection = "phasegate"
fields = ["p CONTAINS", "due ASCENDING"]
"""
ERRORS = """filter = 'metric.type="run.googleapis.com/request_count" AND resource.type="cloud_run_revision" AND resource.labels.service_name="phase3-to-phase4-orchestrator" AND """  # noqa: E501  one line of the manifest
DEPTH = 'filter = \'metric.type="pubsub.googleapis.com/subscription/num_undelivered_messages" AND resource.type='
LATE = """filter = 'metric.type="logging.googleapis.com/user/phasegate-late" AND resource.type="cloud_run_revision"'
threshold = 0
"""
PROCESSORS = """account = "processors"
uses = ["documents", "publish", "tables"]
timeout_s = 600
"""
NBA_RAW = """[dataset.nba_raw]
location = "US"
"""

# what is wrong -> the text that is there, what is written in its place, the code, and how the line begins that it names
MISTAKES: dict[str, tuple[str, str, str, str]] = {
    "a key is misspelt": (PUSH, PUSH.replace("retry_min_s", "retry_min"), "DP001", "retry_min = 10"),
    "a key is missing": (
        PROCESSORS,
        PROCESSORS.replace('account = "processors"\n', ""),
        "DP002",
        "[service.nba-phase3-analytics-processors]",
    ),
    "a number is text": (PUSH, PUSH.replace("= 60\n", '= "60"\n'), "DP003", 'ack_deadline_s = "60"'),
    "an unknown use": (
        PROCESSORS,
        PROCESSORS.replace('"tables"', '"tabels"'),
        "DP003",
        'uses = ["documents", "publish", "tabels"]',
    ),
    "a number out of bounds": (PROCESSORS, PROCESSORS.replace("600", "6000"), "DP003", "timeout_s = 6000"),
    "a subscription of an unknown topic": (
        PUSH,
        PUSH.replace('= "nba.completions"', '= "nba.completion"'),
        "DP004",
        'topic = "nba.completion"',
    ),
    "an unknown service": (
        PUSH,
        PUSH.replace("phase4-orch", "phase5-orch"),
        "DP004",
        'push = "phase3-to-phase5-orchestrator"',
    ),
    "an unknown account": (HEALTH, HEALTH.replace('"scheduler"', '"schedular"'), "DP004", 'account = "schedular"'),
    "an unknown channel": (
        LATE + 'channels = ["on-call"]\n',
        LATE + 'channels = ["on-cal"]\n',
        "DP004",
        'channels = ["on-cal"]',
    ),
    "an unknown dataset": (
        "prod/phasegate?",
        "prod/phasegates?",
        "DP004",
        'PHASEGATE_WAREHOUSE = "bigquery://nba-props-pr',
    ),
    "retry is off": (
        PUSH,
        PUSH.replace("retry_min_s = 10\nretry_max_s = 600\n", ""),
        "DP010",
        '[subscription."push.nba.completions"]',
    ),
    "a back-off out of bounds": (
        PUSH,
        PUSH.replace("= 10\n", "= 601\n").replace("= 600\n", "= 9\n"),
        "DP003",
        "retry_min_s = 601",
    ),
    "back-off that shrinks": (
        PUSH,
        PUSH.replace("= 10\n", "= 60\n", 1).replace("= 600\n", "= 9\n"),
        "DP010",
        "retry_max_s = 9",
    ),
    "a push without an ID token": (
        PUSH,
        PUSH.replace('account = "push"\n', ""),
        "DP011",
        '[subscription."push.nba.completions"]',
    ),
    "a push without a dead letter": (
        PUSH,
        PUSH.replace('dead_letter = "nba.dead"\n', ""),
        "DP012",
        '[subscription."push.nba.completions"]',
    ),
    "a dead letter that goes round": (
        PUSH,
        PUSH.replace('"nba.dead"', '"nba.completions"'),
        "DP012",
        'dead_letter = "nba.completions"',
    ),
    "an inbox with a dead letter": (
        'topic = "nba-phase4-trigger"\ninbox = true\n',
        'topic = "nba-phase4-trigger"\ninbox = true\ndead_letter = "nba.dead"\n',
        "DP013",
        'dead_letter = "nba.dead"',
    ),
    "an ack deadline that is too short": (PUSH, PUSH.replace("= 60\n", "= 30\n"), "DP014", "ack_deadline_s = 30"),
    "a job without an ID token": (
        HEALTH,
        HEALTH.replace('account = "scheduler"\n', ""),
        "DP015",
        "[job.phasegate-health]",
    ),
    "a job with another audience": (
        HEALTH,
        HEALTH + 'audience = "https://monitor"\n',
        "DP016",
        'audience = "https://monitor"',
    ),
    "another audience in the settings": (
        'env.PHASEGATE_AUDIENCE = "phasegate-monitor"',
        'env.PHASEGATE_AUDIENCE = "monitor"',
        "DP016",
        'env.PHASEGATE_AUDIENCE = "monitor"',
    ),
    "signatures that Cloud Run has removed": (
        'env.PHASEGATE_GOOGLE_FRONT = "cloud-run"',
        "",
        "DP032",
        "[service.phasegate-monitor]",
    ),
    "a schedule in another zone": (
        HEALTH,
        HEALTH.replace("America/New_York", "Etc/UTC"),
        "DP017",
        'timezone = "Etc/UTC"',
    ),
    "a zone that there is not": (
        HEALTH,
        HEALTH.replace("America/New_York", "America/New_Yrok"),
        "DP003",
        'timezone = "America/New_Yrok"',
    ),
    "a schedule without a zone": (
        HEALTH,
        HEALTH.replace('timezone = "America/New_York"\n', ""),
        "DP017",
        "[job.phasegate-health]",
    ),
    "a role is missing": (
        '["roles/datastore.user", "roles/pubsub.publisher"]',
        '["roles/datastore.user"]',
        "DP018",
        'roles = ["roles/datastore.user"]',
    ),
    "a role too many": (
        '["roles/datastore.user", "roles/pubsub.publisher"]',
        '["roles/datastore.user", "roles/pubsub.publisher", "roles/editor"]',
        "DP019",
        'roles = ["roles/datastore.user", "roles/pubsub',
    ),
    "a caller that may not call": (
        'audience = "nba-phase3-analytics-processors"\ninvokers = ["push"]\n',
        'audience = "nba-phase3-analytics-processors"\n',
        "DP018",
        "[service.nba-phase3-analytics-processors]",
    ),
    "a caller that does not call": (
        'invokers = ["scheduler"]',
        'invokers = ["push", "scheduler"]',
        "DP019",
        'invokers = ["push", "scheduler"]',
    ),
    "a writer is missing": (
        '[dataset.phasegate]\nlocation = "US"\nwriters = ["monitor", "processors"]\n',
        '[dataset.phasegate]\nlocation = "US"\nwriters = ["monitor"]\n',
        "DP018",
        'writers = ["monitor"]',
    ),
    "a reader that reads nothing": ('readers = ["processors"]', 'readers = ["push"]', "DP019", 'readers = ["push"]'),
    "a topic that nothing receives": (
        "[topic.nba-phase4-trigger]",
        "[topic.nba-phase4-trigger]\n[topic.spare]",
        "DP020",
        "[topic.spare]",
    ),
    "anyone may call": (
        'invokers = ["scheduler"]',
        'invokers = ["scheduler", "allUsers"]',
        "DP021",
        'invokers = ["scheduler", "allUsers"]',
    ),
    "heartbeats without CPU": ("cpu_always = true\n", "cpu_always = false\n", "DP022", "[service.phasegate-monitor]"),
    "no index of what is due": (INDEX, "", "DP023", "[firestore]"),
    "an index of other fields": (INDEX, INDEX.replace('"p CONTAINS", ', ""), "DP023", "[firestore]"),
    "an alert without a metric": (
        ERRORS,
        ERRORS.replace('metric.type="run.googleapis.com/request_count" AND ', ""),
        "DP024",
        'filter = \'resource.type="cloud_run_revision" A',
    ),
    "an alert without a resource": (
        ERRORS,
        ERRORS.replace('resource.type="cloud_run_revision" AND ', ""),
        "DP024",
        "filter = 'metric.type=\"run.googleapis.com/requ",
    ),
    "an alert on an unknown service": (
        ERRORS,
        ERRORS.replace("phase4-orch", "phase4-or"),
        "DP024",
        "filter = 'metric.type=\"run.googleapis.com/requ",
    ),
    "an alert on an unknown log metric": (
        LATE,
        LATE.replace("phasegate-late", "late"),
        "DP024",
        "filter = 'metric.type=\"logging.googleapis.com/",
    ),
    "an alert on the wrong resource": (
        DEPTH,
        DEPTH.replace("resource.type=", 'resource.type="pubsub_topic" OR "x"='),
        "DP024",
        "filter = 'metric.type=\"pubsub.googleapis.com/s",
    ),
    "a gauge as a difference": ('aligner = "ALIGN_MAX"\n', "", "DP024", "[alert.dead-letter-depth]"),
    "an alert without a condition": (LATE, LATE.replace("threshold = 0\n", ""), "DP024", "[alert.scraper-lateness]"),
    "a comparison that is refused": (
        LATE,
        LATE + 'comparison = "COMPARISON_GE"\n',
        "DP024",
        'comparison = "COMPARISON_GE"',
    ),
    "an alert without a channel": (LATE + 'channels = ["on-call"]\n', LATE, "DP025", "[alert.scraper-lateness]"),
    "an absence that is too long": ("absent_s = 900", "absent_s = 86400", "DP026", "absent_s = 86400"),
    "an absence in odd seconds": ("absent_s = 900", "absent_s = 930", "DP026", "absent_s = 930"),
    "a secret by its name": (
        'NBA_DATA = "live"',
        'NBA_DATA = "live"\nODDS_API_KEY = "4f2c9e1"',
        "DP027",
        'ODDS_API_KEY = "4f2c9e1"',
    ),
    "a secret by its value": (
        'NBA_DATA = "live"',
        'NBA_DATA = "postgresql://nba:hunter2@db/nba"',
        "DP027",
        'NBA_DATA = "postgresql://nba:hunter2@db/nba"',
    ),
    "a secret in a channel": (
        "labels.email_address =",
        "labels.auth_token =",
        "DP027",
        'labels.auth_token = "on-call@nba-props.example',
    ),
    "a secret that Phasegate takes": (
        'NBA_DATA = "live"',
        'PHASEGATE_ALERTS_OPS = "https://x"',
        "DP027",
        "PHASEGATE_AL",
    ),
    "a setting is misspelt": ("PHASEGATE_LOG_FORMAT", "PHASEGATE_LOG_FORM", "DP031", "PHASEGATE_LOG_FORM ="),
    "a secret setting is misspelt": (
        'invokers = ["scheduler"]',
        'invokers = ["scheduler"]\nsecrets.PHASEGATE_ALERT_OPS = "hook"',
        "DP031",
        "secrets.PHASEGATE_ALERT_OPS",
    ),
    "a service without its store": (
        'PHASEGATE_STORE = "firestore://nba-props-prod"\n',
        "",
        "DP028",
        "[service.phase3-to-phase4-orchestrator]",
    ),
    "dead letters without an alert": (
        'resource.labels.subscription_id="kept.nba.dead"',
        'resource.labels.subscription_id="push.nba-phase3-trigger"',
        "DP029",
        '[topic."nba.dead"]',
    ),
    "nothing sweeps": ('path = "/sweep"', 'path = "/live"', "DP030", "[service.phasegate-monitor]"),
    "an aligner that is none": (
        'aligner = "ALIGN_MAX"',
        'aligner = "ALIGN_MOST"',
        "DP006",
        "[alert.dead-letter-depth]",
    ),
}
# What a mistake breaks besides.
ALSO = {"a push without an ID token": {"DP019"}, "a dead letter that goes round": {"DP029"}}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_planted_mistake_is_found_at_its_line(mistake: str) -> None:
    old, new, code, begins = MISTAKES[mistake]
    text, _ = planted(old, new)
    faults = faults_of(checked(*read(text, name="m.toml"), parts=OFFLINE, settings=variables()))
    assert {one.code for one in faults} == {code} | ALSO.get(mistake, set())
    named = [text.splitlines()[int(one.place.removeprefix("m.toml:")) - 1] for one in faults if one.code == code]
    assert any(line.startswith(begins) for line in named), named
    assert all(one.command and one.severity == KINDS[one.code].severity for one in faults)


def test_the_manifest_of_the_repository_has_no_fault() -> None:
    assert faults_of(checked(*read(TEXT, name="m.toml"), parts=OFFLINE, settings=variables())) == []


def test_each_kind_of_fault_of_a_manifest_is_planted() -> None:
    elsewhere = {"DP005", "DP007"}  # below: no manifest with right types makes them
    kinds = {code for code in KINDS if code < "DP040"}
    assert kinds - {code for _, _, code, _ in MISTAKES.values()} == elsewhere


def test_the_command_names_code_line_and_mend_and_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, line = planted(PUSH, PUSH.replace("= 60\n", "= 30\n"))
    path = tmp_path / "m.toml"
    path.write_text(text)
    assert run(["deploy", "check", "--manifest", str(path), "--part", "rules"]) == 1
    out = capsys.readouterr().out
    assert f'DP014 error: {path}:{line + 4}: [subscription."push.nba.completions"] ack_deadline_s: is 30' in out
    assert "    mend: write ack_deadline_s = 60" in out
    assert run(["deploy", "check", "--manifest", str(path), "--part", "rules", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [one["check"] for one in found["checks"]] == ["rules"]
    assert [(one["code"], one["mend"]) for one in found["faults"]] == [("DP014", "write ack_deadline_s = 60")]


def test_a_manifest_that_is_not_understood_leaves_the_rest_unevaluated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.toml"
    path.write_text(TEXT.replace("timeout_s = 60\n", "timeout = 60\n"))
    assert run(["deploy", "check", "--manifest", str(path), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert {one["code"] for one in found["faults"]} == {"DP001", "DP002"}
    verdicts = {one["check"]: one["verdict"] for one in found["checks"]}
    assert verdicts.pop("manifest") == "finding"
    assert {*verdicts.values()} == {"not evaluated"}


@pytest.mark.parametrize(
    ("text", "said"),
    [("project = nba", "m.toml:1: not a value"), (None, "No such file"), (b"\xff", "is not UTF-8")],
)
def test_what_is_no_manifest_is_refused_in_one_line(
    text: str | bytes | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (tmp_path / "m.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert run(["deploy", "check", "--manifest", str(tmp_path / "m.toml")]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_tables_that_are_none_and_lists_of_tables_are_read() -> None:
    _, found, faults = read('project = "nba-props-prod"\nregion = "r"\ntimezone = "z"\nservice = 3\n'
                            '[account]\nA = 1\n[firestore]\nlocation = "l"\nindex = ["p"]\n', name="m")  # fmt: skip
    assert found is None
    assert [(one.code, one.place) for one in faults] == [
        ("DP003", "m:4"), ("DP003", "m:6"), ("DP003", "m:6"), ("DP003", "m:9"),
    ]  # fmt: skip


# What no manifest makes, since its types and what renders it are right: a change of either must not pass.


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("google_pubsub_topik", {}, "the schema has no google_pubsub_topik; did you mean"),
        ("google_pubsub_topic", {"nmae": "t", "name": "t"}, 'nmae: no such argument; did you mean "name"?'),
        ("google_pubsub_topic", {"count": 1}, "name: is missing"),
        ("google_pubsub_topic", {"name": 3}, "name: is 3, wanted string"),
        ("google_pubsub_subscription", {"name": "s", "topic": "t", "ack_deadline_seconds": "60"}, "wanted number"),
        ("google_pubsub_subscription", {"name": "s", "topic": "t", "retry_policy": "10s"}, "wanted a block"),
        ("google_pubsub_subscription", {"name": "s", "topic": "t", "retry_policy": [{}, {}]}, "stands 2 times"),
        ("google_pubsub_subscription", {"name": "s", "topic": "t", "retry_policy": {"minimum": "1s"}},
         "retry_policy.minimum: no such argument"),
        ("google_project_service", {"service": "s", "disable_on_destroy": "no"}, "wanted bool"),
        ("google_cloud_run_v2_service", {"name": "s", "location": "l", "template": {}, "custom_audiences": "a"},
         "wanted list(string)"),
        ("google_cloud_run_v2_service", {"name": "s", "location": "l", "template": {"containers": [{"image": "i",
         "env": [{"value": "v"}]}]}}, "template.containers.env.name: is missing"),
        ("google_monitoring_notification_channel", {"type": "email", "labels": {"a": 1}}, "wanted map(string)"),
    ],
)  # fmt: skip
def test_what_the_provider_would_refuse_is_found(kind: str, body: dict[str, object], said: str) -> None:
    source, _ = manifest()
    resource = terraform.Resource(kind, "one", ("topic", "nba.dead"), body)
    (fault,) = provider.check_resources(source, [resource])
    assert fault.code == "DP005"
    assert said in fault.text


def test_what_terraform_computes_is_taken_as_it_is() -> None:
    source, _ = manifest()
    body = {"name": "${var.x}", "topic": "t", "ack_deadline_seconds": "${var.seconds}", "depends_on": ["a.b"]}
    resource = terraform.Resource("google_pubsub_subscription", "one", (), body)
    assert [*provider.check_resources(source, [resource])] == []


def test_without_googles_libraries_their_part_is_not_evaluated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "google.cloud.run_v2", None)
    assert run(["deploy", "check", "--manifest", str(PATH), "--part", "messages"]) == 2
    out = capsys.readouterr().out
    assert "NOT EVALUATED" in out
    assert messages.INSTALL in out
    assert out.endswith("\nno fault; 1 check not evaluated\n")
    assert run(["deploy", "check", "--manifest", str(PATH), "--part", "provider"]) == 0


def test_without_gcloud_its_part_is_not_evaluated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert run(["deploy", "check", "--manifest", str(PATH), "--part", "gcloud"]) == 2
    assert "there is no gcloud" in capsys.readouterr().out


def lint(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    program = folder / "gcloud"
    program.write_text(
        f"#!{sys.executable}\nimport json, pathlib, sys\n"
        f"given = json.loads(pathlib.Path(sys.argv[3].partition('=')[2]).read_text())\n{answer}\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_a_command_that_gcloud_does_not_know_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = "'Invalid choice' if 'scheduler' in one['command_string'] else None"
    lint(tmp_path, monkeypatch, f"print(json.dumps([{{'error_message': {wrong}}} for one in given]))")
    assert run(["deploy", "check", "--manifest", str(PATH), "--part", "gcloud", "--json"]) == 1
    faults = json.loads(capsys.readouterr().out)["faults"]
    assert {one["code"] for one in faults} == {"DP007"}
    assert {one["subject"].split()[1] for one in faults} == {"scheduler"}


def test_a_linter_that_answers_something_else_evaluates_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lint(tmp_path, monkeypatch, "print('[]')")
    assert run(["deploy", "check", "--manifest", str(PATH), "--part", "gcloud"]) == 2
    lint(tmp_path, monkeypatch, "sys.exit('crashed')")
    assert run(["deploy", "check", "--manifest", str(PATH), "--part", "gcloud"]) == 2
    assert capsys.readouterr().out.count("NOT EVALUATED") == 2


@pytest.mark.slow
def test_gclouds_own_linter_takes_every_command_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which("gcloud") is None:
        absent("no gcloud; install the Google Cloud CLI")
    assert run(["deploy", "check", "--manifest", str(PATH), "--part", "gcloud"]) == 0, capsys.readouterr().out
    (fault,) = gcloud.check_commands(["gcloud run services list --no-such-flag=1"], place="here")
    assert fault.code == "DP007"
