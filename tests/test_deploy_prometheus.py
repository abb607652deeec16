"""The alert rules and the dashboard of deploy/: checked by promtool, and each metric in them exists."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from phasegate.cli.commands import COMMANDS
from phasegate.observe.metrics import COUNTED, Metric
from phasegate.web.gauges import READ
from phasegate.web.service import SERVED
from tests.support.commands import PLAN, Night
from tests.support.postgres import absent
from tests.support.real_data import ROOT

RULES = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "phasegate.json"
ALL: tuple[Metric, ...] = (*COUNTED, *READ, *SERVED)
NAMES = re.compile(r"\bphasegate_[a-z0-9_]+")
LABELS = re.compile(r"\{\{ ?\$labels\.(\w+) ?\}\}")


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool", path=os.environ.get("PATH", "") + os.pathsep + "/usr/bin")
    if found is None:
        absent("promtool; apt-get install --no-install-recommends prometheus")
    return found


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Night:
    return Night.empty(tmp_path, monkeypatch, capsys)


def rules() -> list[dict[str, Any]]:
    read = yaml.safe_load((RULES / "alerts.yaml").read_text())
    return [rule for group in read["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


def exposed(metrics: tuple[Metric, ...] = ALL) -> set[str]:
    """Return every name of a time series."""
    found: set[str] = set()
    for metric in metrics:
        ends = ("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",)
        found |= {metric.name + end for end in ends}
    return found


def expressions() -> Iterator[tuple[str, str]]:
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def run(promtool: str, *arguments: str, folder: Path = RULES) -> subprocess.CompletedProcess[str]:
    return subprocess.run([promtool, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_promtool_accepts_the_rules_and_the_configuration(promtool: str) -> None:
    checked = run(promtool, "check", "rules", "alerts.yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(rules())} rules found" in checked.stdout + checked.stderr
    checked = run(promtool, "check", "config", "--syntax-only", "prometheus.yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_alert_fires_on_its_planted_fault_and_is_silent_without_it(promtool: str, tmp_path: Path) -> None:
    checked = run(promtool, "test", "rules", "alerts_test.yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    planted = yaml.safe_load((RULES / "alerts_test.yaml").read_text())["tests"]
    assert {test["name"] for test in planted} == {
        f"{rule['alert']} {how}" for rule in rules() for how in ("fires", "is silent")
    }
    for test in planted:
        (case,) = test["alert_rule_test"]
        assert test["name"] == f"{case['alertname']} {'fires' if case['exp_alerts'] else 'is silent'}"
    for file in ("alerts.yaml", "alerts_test.yaml"):
        shutil.copy(RULES / file, tmp_path)
    broken = (tmp_path / "alerts.yaml").read_text().replace("phasegate_dead_letters > 0", "phasegate_dead_letters > 9")
    (tmp_path / "alerts.yaml").write_text(broken)
    checked = run(promtool, "test", "rules", "alerts_test.yaml", folder=tmp_path)
    assert checked.returncode != 0
    assert "PhasegateDeadLetter" in checked.stdout + checked.stderr


def test_promtool_accepts_every_expression_of_the_dashboard(promtool: str, tmp_path: Path) -> None:
    found = [target["expr"].replace("$__rate_interval", "5m") for panel in panels() for target in panel["targets"]]
    recorded = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(found)]
    (tmp_path / "panels.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))
    checked = run(promtool, "check", "rules", "panels.yaml", folder=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_metric_of_rules_and_dashboard_exists_with_its_labels() -> None:
    series = exposed()
    for where, expression in expressions():
        assert set(NAMES.findall(expression)) <= series, where
    labels_of = {name: {"pipeline", *metric.labels} for metric in ALL for name in exposed((metric,))}
    for rule in rules():
        used = [labels_of[name] for name in NAMES.findall(rule["expr"])] or [{"instance", "job"}]
        shown = set(LABELS.findall(" ".join(rule["annotations"].values())))
        assert all(shown <= labels for labels in used), rule["alert"]
    for panel in panels():
        for target in panel["targets"]:
            grouped = {name for text in re.findall(r"by \(([^)]*)\)", target["expr"]) for name in text.split(", ")}
            known = set.union(*(labels_of[name] for name in NAMES.findall(target["expr"]))) | {"le", "instance"}
            assert grouped | set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= known, panel["title"]


def test_a_name_that_no_metric_has_is_found() -> None:
    assert not set(NAMES.findall("rate(phasegate_sweep_seconds[5m])")) <= exposed()
    assert not set(NAMES.findall("phasegate_invented > 0")) <= exposed()


def test_every_metric_is_shown_or_alerted_on_but_for_those_of_detail() -> None:
    used = {name for _, expression in expressions() for name in NAMES.findall(expression)}
    unused = {metric.name for metric in ALL if not exposed((metric,)) & used}
    assert unused == {
        "phasegate_events_total", "phasegate_swept_documents_total", "phasegate_last_sweep_timestamp_seconds",
        "phasegate_read_seconds", "phasegate_outbox_triggers",
    }  # fmt: skip


def test_the_panels_have_numbers_of_their_own_and_do_not_overlap() -> None:
    every = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    taken: set[tuple[int, int]] = set()
    for panel in every:
        place = panel["gridPos"]
        own = {(x, y) for x in range(place["x"], place["x"] + place["w"])
               for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert place["x"] + place["w"] <= 24
        assert not own & taken, panel["title"]
        taken |= own


def test_each_alert_and_panel_names_a_command_that_can_be_typed(night: Night) -> None:
    expected = PLAN.replace("attempts_max = 1", 'attempts_max = 1\nexpected_by.overnight = "09:00 +1d"')
    (night.folder / "plan.toml").write_text(expected)
    night.whole()
    commands = {rule["annotations"]["command"] for rule in rules()}
    shown = {text for panel in panels() for text in re.findall(r"phasegate [a-z][a-z -]*[a-z]", panel["description"])}
    for text in sorted(commands | shown):
        words = text.split()
        assert words[0] == "phasegate"
        assert words[1] in COMMANDS, text
        done = night(*words[1:])
        assert done.code in (0, 1, 3), (text, done.err)
        assert "usage" not in done.err.lower(), done.err
        assert "Traceback" not in done.err
