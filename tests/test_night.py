"""The night of 3 February 2026 as the manifest deploys it, on Google's emulators; the tables are in a file."""

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.id_tokens import Issuer
from benchmarks.night import play, rendered_for
from benchmarks.night_google import Front, strangers
from benchmarks.night_services import Service
from benchmarks.rendered import JOB, SERVICE, SUBSCRIPTION, Rendered
from benchmarks.servers import NoServer
from tests.support.postgres import free_port


@pytest.mark.slow
def test_the_night_on_the_clouds_own_parts_ends_as_it_must(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        watch = play(tmp_path, quick=True)
    except NoServer as missing:
        pytest.skip(str(missing))
    printed = capsys.readouterr().out
    assert watch.wrong == [], printed
    assert "made as rendered: 8 topics, 10 subscriptions" in printed
    for job in ("phasegate-health", "phasegate-reconcile"):
        assert f"job {job}: 200" in printed
    assert watch.table == {
        "player rows": 348, "duplicate rows": 0, "entries in phase3_completion": 5, "triggers to phase 4, lost": 0,
        "games handed to phase 4": 10, "changes": 2, "times phase 4 was started": 2,
    }  # fmt: skip
    assert "duplicate rows                              72             0" in printed
    assert "triggers to phase 4, lost                    1             0" in printed


class Gone(Service):
    """An instance that is not there."""

    def __init__(self) -> None:
        self.port = free_port()


@pytest.fixture
def front() -> Iterator[Front]:
    with closing(Front(Issuer())) as one:
        yield one


def calls(rendered: Rendered) -> dict[str, tuple[str, dict[str, str]]]:
    """Return what each job and each push calls: the service, and the token as it is rendered."""
    jobs = {one["name"]: one["http_target"] for one in rendered.all(JOB)}
    pushes = {one["name"]: one["push_config"] for one in rendered.all(SUBSCRIPTION) if "push_config" in one}
    found = {name: (one["uri"], one["oidc_token"]) for name, one in jobs.items()}
    found |= {name: (one["push_endpoint"], one["oidc_token"]) for name, one in pushes.items()}
    return {name: (url.split("/")[3], token) for name, (url, token) in found.items()}


def test_the_front_lets_in_whom_the_rendered_rights_let_in(front: Front, tmp_path: Path) -> None:
    rendered = rendered_for("our-nba", folder=tmp_path, front=front)
    front.apply(rendered)
    found = calls(rendered)
    assert len(found) == 6
    for name, (service, oidc) in found.items():
        account, audience = oidc["service_account_email"], oidc["audience"]
        assert account.endswith("@our-nba.iam.gserviceaccount.com"), name
        assert front.refused(service, front.issuer.token(account=account, audience=audience)) == 0, name
        assert front.refused(service, front.issuer.token(account=account, audience="other")) == 401, name
        assert front.refused(service, front.issuer.token(account=account, audience=audience, forged=True)) == 401, name
        assert front.refused(service, front.issuer.token(account=f"x{account}", audience=audience)) == 403, name
    assert list(strangers(rendered, front)) == []


def test_a_right_that_is_not_rendered_is_missed(front: Front, tmp_path: Path) -> None:
    rendered_for("our-nba", folder=tmp_path, front=front)
    lost = {f"{SERVICE}_iam_member": "service", "google_service_account_iam_member": "account"}
    statuses = []
    for kind, file in lost.items():
        path = tmp_path / "infra" / f"{file}.tf.json"
        whole = path.read_text()
        found = json.loads(whole)
        del found["resource"][kind]
        path.write_text(json.dumps(found))
        front.apply(Rendered(path.parent, front=front.url))
        path.write_text(whole)
        body = json.dumps({"subscription": "projects/our-nba/subscriptions/push.nba.completions"}).encode()
        statuses.append(front.called("/phase3-to-phase4-orchestrator/", body, authorization=None).status)
    assert statuses == [403, 401]


def test_a_caller_who_is_let_in_and_must_not_be_is_named(front: Front, tmp_path: Path) -> None:
    rendered = rendered_for("our-nba", folder=tmp_path, front=front)
    front.apply(rendered)
    scheduler = "scheduler@our-nba.iam.gserviceaccount.com"
    front.invokers.add(("phase3-to-phase4-orchestrator", f"serviceAccount:{scheduler}"))
    front.instances = {"phase3-to-phase4-orchestrator": [Gone()]}
    assert list(strangers(rendered, front)) == [
        f"phase3-to-phase4-orchestrator: a token of {scheduler} is answered with 503"
    ]


def test_expressions_of_terraform_have_their_values_and_an_unknown_one_is_refused(front: Front, tmp_path: Path) -> None:
    rendered = rendered_for("our-nba", folder=tmp_path, front=front)
    bodies = {one["name"]: base64.b64decode(one["http_target"]["body"]) for one in rendered.all(JOB)}
    assert bodies["phasegate-health"] == b'{"alert": true}'
    assert {one["topic"] for one in rendered.all(SUBSCRIPTION)} >= {"projects/our-nba/topics/nba.dead"}
    (tmp_path / "infra" / "topic.tf.json").write_text(
        '{"resource": {"x": {"a": {"text": "$${kept} %%{kept}", "number": "${data.google_project.this.number}"}}, '
        '"y": {"a": {"text": "${z.a.name}"}}}}'
    )
    changed = Rendered(tmp_path / "infra", front=front.url)
    assert list(changed.all("x")) == [{"text": "${kept} %{kept}", "number": "1138"}]
    with pytest.raises(RuntimeError, match=r"Terraform knows no z\.a\.name"):
        list(changed.all("y"))
