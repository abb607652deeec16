"""What serves, compared with the history of a repository that git made."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from phasegate.build import parse_build
from phasegate.drift.evidence import Recorded, Sighting, answered, recorded
from phasegate.drift.judge import Desired, ServiceDrift
from phasegate.drift.manifest import DeployedService, services_of
from phasegate.drift.survey import BuildEvidence, Drift, survey
from phasegate.errors import BadInput
from phasegate.repository import GitHistory, lock_digest
from tests.support.repositories import Repository

NOW = 1_770_000_000.0
LOCK = "phasegate==1\n"
DIGEST = lock_digest(LOCK.encode())
SCORES = DeployedService("scores", ("src", "deploy/scores"))


class Past(NamedTuple):
    """A repository: three commits on main, the last of them of the docs only, and one on a branch."""

    folder: Path
    first: str
    second: str
    docs: str
    aside: str


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    made = Repository(tmp_path_factory.mktemp("past"))
    made.write("requirements.lock", LOCK)
    first = made.commit("one", **{"src/score.py": "1", "deploy/scores/main.py": "1"})
    made.git("checkout", "-q", "-b", "aside")
    aside = made.commit("a try", **{"src/try.py": "1"})
    made.git("checkout", "-q", "main")
    second = made.commit("Count overtime", **{"src/score.py": "2"})
    docs = made.commit("Say it", **{"docs/page.md": "1"})
    return Past(made.folder, first, second, docs, aside)


def seen(build: str, *, at: float = NOW, since: float | None = None) -> Sighting:
    return Sighting(parse_build(build), at if since is None else since, at, "raw of 2026-02-03.daily: report odds")


def judged(
    past: Past, *sightings: Sighting, service: DeployedService = SCORES, state: Recorded | None = None,
    answer: Sighting | None = None, desired: str = "main",
) -> ServiceDrift:  # fmt: skip
    history = GitHistory(past.folder)
    evidence = BuildEvidence(sightings, {} if answer is None else {"scores": answer},
                        {} if state is None else {"scores": state}, {}, {})  # fmt: skip
    found = survey({"scores": service}, evidence, desired=Desired(desired, history.full(desired)), history=history)
    (one,) = found.services
    return one


def codes(one: ServiceDrift) -> list[str]:
    return [finding.code for finding in one.result.findings]


def texts(one: ServiceDrift) -> str:
    return "; ".join(finding.text for finding in one.result.findings)


def test_the_desired_commit_is_fine(past: Past) -> None:
    one = judged(past, seen(f"scores@{past.docs}.{DIGEST}"))
    assert (one.result.verdict, one.commit, one.behind, one.ahead) == ("ok", past.docs, (), ())


def test_behind_counts_the_commits_and_those_that_touch_the_service(past: Past) -> None:
    one = judged(past, seen(f"scores@{past.first[:9]}.{DIGEST}"))
    assert codes(one) == ["PG028"]
    assert texts(one) == "2 commits behind main, of which 1 touches it"
    assert [commit.subject for commit in one.touching] == ["Count overtime"]
    (finding,) = one.result.findings
    assert finding.evidence[past.second[:12]] == "Count overtime"
    assert finding.command == "deploy scores again, such as with bin/deploy-service.sh scores"


def test_behind_by_what_does_not_touch_the_service_is_fine(past: Past) -> None:
    one = judged(past, seen(f"scores@{past.second}"))
    assert (one.result.verdict, len(one.behind), one.touching) == ("ok", 1, ())
    whole = judged(past, seen(f"scores@{past.second}"), service=DeployedService("scores"))
    assert codes(whole) == ["PG028"], "without paths all of the repository counts"


def test_ahead_and_aside_of_what_is_desired_is_found(past: Past) -> None:
    ahead = judged(past, seen(f"scores@{past.docs}"), desired=past.second)
    assert (codes(ahead), len(ahead.ahead)) == (["PG032"], 1)
    assert "1 commit of what serves is not in" in texts(ahead)
    aside = judged(past, seen(f"scores@{past.aside}"))
    assert codes(aside) == ["PG028", "PG032"]


@pytest.mark.parametrize(
    ("build", "text"),
    [
        ("scores@{unknown}", "its commit 0badf00d0bad is not in this repository"),
        ("scores@v1.2.0", "its build scores@v1.2.0 names no commit"),
        ("scores@{docs}+dirty", "it was made from changed files, beside commit {docs:.12}"),
        ("scores@{docs}.00000000", "its lock file is 00000000, and that of its commit is {lock}"),
    ],
)
def test_what_no_commit_holds_is_found(past: Past, build: str, text: str) -> None:
    given = {**past._asdict(), "unknown": "0badf00d" * 5, "lock": DIGEST}
    one = judged(past, seen(build.format(**given)))
    assert codes(one) == ["PG029"]
    assert texts(one) == text.format(**given)


def test_the_last_that_served_counts_and_not_the_last_that_was_deployed(past: Past) -> None:
    old, new = seen(f"scores@{past.first}", at=NOW - 60), seen(f"scores@{past.docs}", at=NOW - 7200)
    assert codes(judged(past, new, old)) == ["PG028"]
    assert codes(judged(past, seen(f"scores@{past.docs}"), old)) == []
    other = seen(f"odds@{past.first}", at=NOW + 60)
    assert codes(judged(past, new, other)) == [], "of another service"


def test_two_builds_that_serve_at_once_are_found_and_a_restart_is_not(past: Past) -> None:
    old, new = f"scores@{past.second}", f"scores@{past.docs}"
    began = NOW - 600
    restart = [seen(old, since=NOW - 9000, at=began + 30), seen(new, since=began, at=NOW)]
    assert codes(judged(past, *restart)) == []
    both = [seen(old, since=NOW - 9000, at=began - 5), seen(old, at=began + 300), seen(new, since=began, at=NOW)]
    assert codes(judged(past, *both)) == ["PG031"]
    assert texts(judged(past, *both)) == f"{old} and {new} both served within an hour"
    long_ago = [seen(old, at=NOW - 3601, since=NOW - 9000), seen(new, since=NOW - 8000, at=NOW)]
    assert codes(judged(past, *long_ago)) == []


def described(*, traffic: list[dict[str, Any]], build: str = "", latest: str = "scores-00003") -> dict[str, Any]:
    """Return the part of what gcloud prints that is read, and some of the rest."""
    env = [{"name": "PHASEGATE_BUILD", "value": build}, {"name": "SECRET", "valueFrom": {"secretKeyRef": {"key": "1"}}}]
    return {
        "apiVersion": "serving.knative.dev/v1", "kind": "Service",
        "metadata": {"name": "scores", "labels": {"cloud.googleapis.com/location": "us-west2"}},
        "spec": {"template": {"spec": {"containers": [{"image": "x", "env": env}]}}, "traffic": traffic},
        "status": {"latestReadyRevisionName": latest, "latestCreatedRevisionName": latest, "traffic": traffic},
    }  # fmt: skip


LATEST = [{"latestRevision": True, "percent": 100, "revisionName": "scores-00003"}]


def test_traffic_that_goes_to_an_older_revision_is_found_with_the_command_that_moves_it(past: Past) -> None:
    split = [{"revisionName": "scores-00002", "percent": 80}, {**LATEST[0], "percent": 20}, {"tag": "x", **LATEST[0]}]
    now = seen(f"scores@{past.docs}")
    assert codes(judged(past, now, state=recorded(described(traffic=LATEST), service="scores", now=NOW))) == []
    pinned = judged(past, now, state=recorded(described(traffic=split), service="scores", now=NOW))
    assert codes(pinned) == ["PG030"]
    assert texts(pinned) == ("older revisions have scores-00002 80 % of its traffic, and the newest revision is "
                             "scores-00003")  # fmt: skip
    (finding,) = pinned.result.findings
    assert finding.command == "gcloud run services update-traffic scores --region us-west2 --to-latest"
    bound = [{"revisionName": "scores-00003", "percent": 100}]
    kept = judged(past, now, state=recorded(described(traffic=bound), service="scores", now=NOW))
    assert texts(kept) == "its traffic is bound to scores-00003, so the next revision will get none"


def test_a_service_that_answers_an_older_build_than_was_deployed_is_found(past: Past) -> None:
    state = recorded(described(traffic=LATEST, build=f"scores@{past.docs}"), service="scores", now=NOW)
    assert state.build == f"scores@{past.docs}"
    old = answered({"build": f"scores@{past.second}"}, service="scores", place="https://x/build", now=NOW)
    assert codes(judged(past, answer=old, state=state)) == ["PG030"]
    assert codes(judged(past, seen(f"scores@{past.second}"), state=state)) == [], "no request since it was deployed"
    unasked = judged(past, state=state)
    assert unasked.last is not None
    assert (codes(unasked), unasked.last.place) == ([], "revision scores-00003, which has all traffic")
    split = described(traffic=[{"revisionName": "scores-00002", "percent": 100}], build=f"scores@{past.docs}")
    assert judged(past, state=recorded(split, service="scores", now=NOW)).result.verdict == "not evaluated"
    new = answered({"build": f"scores@{past.docs}"}, service="scores", place="https://x/build", now=NOW)
    assert codes(judged(past, answer=new, state=state)) == []


def test_a_service_that_nothing_names_is_not_evaluated(past: Past) -> None:
    one = judged(past)
    assert (one.result.verdict, one.build) == ("not evaluated", None)
    assert one.result.error.startswith("nothing names the build of scores; deploy it with PHASEGATE_BUILD")


def test_without_services_those_that_documents_name_are_judged(past: Past) -> None:
    history = GitHistory(past.folder)
    desired = Desired("main", history.full("main"))

    def found(*sightings: Sighting, services: dict[str, DeployedService] | None = None) -> Drift:
        return survey(services or {}, BuildEvidence(sightings, {}, {}, {}, {}), desired=desired, history=history)

    both = found(seen(f"scores@{past.docs}"), seen(past.first))
    assert [(one.service.name, codes(one)) for one in both.services] == [("", ["PG028"]), ("scores", [])]
    named = found(seen(f"odds@{past.docs}"), seen(past.first), services={"scores": SCORES})
    assert (named.others, named.services[0].result.verdict) == (("odds",), "not evaluated")
    (nothing,) = found().general
    assert nothing.verdict == "not evaluated"


@pytest.mark.parametrize("body", [None, [], {}, {"build": ""}, {"build": 4}, {"build": "a b"}, {"build": "x" * 200}])
def test_an_answer_that_names_no_build_is_refused(body: object) -> None:
    with pytest.raises(BadInput, match="scores: https://x/build names no build"):
        answered(body, service="scores", place="https://x/build", now=NOW)


@pytest.mark.parametrize(
    "change",
    [{"status": {}}, {"spec": {}}, {"status": {"latestReadyRevisionName": "a", "traffic": [{"percent": "x"}]}}],
)
def test_a_state_of_another_form_is_refused_with_the_command_that_records_it(change: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"no service of Cloud Run .*gcloud run services describe scores --format json"):
        recorded({**described(traffic=LATEST), **change}, service="scores", now=NOW)
    strange = described(traffic=LATEST, build="a b\x1b[31m")
    strange["metadata"]["labels"] = {"cloud.googleapis.com/location": "x; rm -rf /"}
    assert recorded(strange, service="scores", now=NOW)[3:5] == ("", ""), "what is no build and no region is left out"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "x.toml:1: service: is missing, wanted [service.NAME] for each service"),
        ("[service]", "x.toml:1: service: names 0 services; name 1 to 200"),
        ("[service]\na = 1", "x.toml:2: [service.a]: is 1, wanted a table"),
        ("[service.A]", 'x.toml:1: [service.A]: "A" is no name of a service'),
        ('[service.a]\npaths = "src"', 'x.toml:2: [service.a] paths: is "src", wanted a list of paths'),
        ('[service.a]\npaths = ["/src"]', 'x.toml:2: [service.a] paths: "/src" is no path'),
        ('[service.a]\npaths = ["src/../.."]', 'x.toml:2: [service.a] paths: "src/../.." is no path'),
        ('[service.a]\nsource = "../x"', 'x.toml:2: [service.a] source: "../x" is no path'),
        ('[service.a]\nurl = "http://example.org"', "x.toml:1: [service.a]: a service's url begins with https://"),
        ('[service.a]\nurl = "https://me:secret@example.org"', "without user and password"),
    ],
)
def test_a_wrong_manifest_is_refused_with_its_line(text: str, error: str) -> None:
    with pytest.raises(BadInput) as refused:
        services_of(text, name="x.toml")
    assert error in str(refused.value)
    assert "secret" not in str(refused.value)


def test_of_a_manifest_three_keys_are_read_and_the_rest_is_left_to_its_owner() -> None:
    text = """
project = "nba"
[service.scores]
source = "deploy/scores"
paths = ["src", "deploy/scores"]
url = "https://scores.example.org/"
cpu = 2
[service.odds]
source = "deploy/odds"
"""
    found = services_of(text, name="x.toml")
    assert found["scores"] == DeployedService("scores", ("src", "deploy/scores"), "deploy/scores",
                                              "https://scores.example.org")  # fmt: skip
    assert found["odds"].paths == (), "its source alone does not say what it is made of"


def test_a_history_answers_only_for_a_repository_and_shows_no_invisible_character(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="git finds no repository there; name the folder of one with --repository"):
        GitHistory(tmp_path)
    made = Repository(tmp_path / "made")
    first = made.commit("one", a="1")
    second = made.commit("red \x1b[31m text", a="2")
    history = GitHistory(made.folder)
    assert [commit.subject for commit in history.between(first, second)] == ["red  [31m text"]
    assert (history.full("-x"), history.full("absent"), history.full(second[:8])) == ("", "", second)
    assert (history.lock(first), history.is_shallow) == ("", False)
    made.git("clone", "-q", "--depth", "1", f"file://{made.folder}", str(tmp_path / "shallow"))
    assert GitHistory(tmp_path / "shallow").is_shallow
