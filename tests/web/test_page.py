"""The page shows what the commands say, to readers only, and is harmless whatever names it shows."""

import re
import sys

import httpx
import pytest

from phasegate.web.page.frame import NAVIGATION
from phasegate.web.page.routes import READ
from tests.support.commands import HOUR, MORNING, RUN, Night
from tests.support.pages import Tags, page, seen
from tests.support.service import Served, served

ODDS = '[step.odds]\nphase = "raw"\nexternal = true\n'
HOSTILE = ("<script>alert(1)</script>", "\u202egnp.exe", "x" * 10_000, '"><img src=x onerror=alert(1)>')


def sign_in(service: Served, token: str, **more: str) -> httpx.Response:
    return service.client.post(f"{service.url}/sign-in", data={"token": token, "next": "/runs?from=2026-02-01"},
                               headers=more)  # fmt: skip


def test_a_stranger_is_asked_to_sign_in_and_comes_back_to_what_was_asked_for(service: Served) -> None:
    asked = service.client.get(f"{service.url}/runs?from=2026-02-01")
    assert (asked.status_code, asked.headers["location"]) == (303, "/sign-in?next=%2Fruns%3Ffrom%3D2026-02-01")
    form = Tags(service.client.get(f"{service.url}{asked.headers['location']}").text)
    assert ("input", "/runs?from=2026-02-01") in [(tag, of.get("value")) for tag, of in form.found]
    done = sign_in(service, service.tokens["reader"])
    assert (done.status_code, done.headers["location"]) == (303, "/runs?from=2026-02-01")
    cookie = done.headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/"))
    assert "Secure" not in cookie
    assert service.client.get(f"{service.url}/runs").status_code == 200
    assert service.client.post(f"{service.url}/sign-out").status_code == 303
    assert service.client.get(f"{service.url}/runs").status_code == 303
    secure = sign_in(service, service.tokens["reader"], **{"X-Forwarded-Proto": "https"})
    assert "Secure" in secure.headers["set-cookie"]


@pytest.mark.parametrize(
    ("token", "more", "why"),
    [
        ("", {}, (400, "paste an access token")),
        ("pg_0_0_0", {}, (401, "not valid")),
        ("reader", {"Origin": "https://evil.example"}, (403, "another site")),
        ("reader", {"Sec-Fetch-Site": "cross-site"}, (403, "another site")),
        ("scraper", {}, (403, "this takes a reader")),
    ],
)
def test_who_is_not_let_in_hears_why(service: Served, token: str, more: dict[str, str], why: tuple[int, str]) -> None:
    status, words = why
    refused = sign_in(service, service.tokens.get(token, token), **more)
    assert refused.status_code == status
    assert "set-cookie" not in refused.headers
    assert words in Tags(refused.text).words


@pytest.mark.parametrize("place", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_leads_to_no_other_host(service: Served, place: str) -> None:
    form = {"token": service.tokens["reader"], "next": place}
    assert service.client.post(f"{service.url}/sign-in", data=form).headers["location"] == "/"


def test_the_grid_shows_each_phase_and_step_as_status_does(played: Night, service: Served) -> None:
    shown = page(service, "/runs?from=2026-02-03&to=2026-02-03")
    titles = [of["title"] for tag, of in shown.found if tag == "td" and "title" in of]
    status = played("status", "--from", "2026-02-03", "--to", "2026-02-03", "--json").json
    assert len(status["phases"]) == 3
    for one in status["phases"]:
        number = f", generation {one['generation']}" if one["generation"] else ""
        assert any(f"{one['phase']}: {one['state']}{number}: " in f"{t}" for t in titles), one
    assert "gamebook: fresh, 10 rows" in f"{titles}"
    assert ("a", f"/runs/{RUN}") in [(tag, of.get("href")) for tag, of in shown.found]
    signs = re.findall(r"[✓▸…→!½‖✗?∅·]", shown.words)
    assert len(signs) >= len(titles), "a place has a colour and no sign"


def test_a_run_is_explained_as_why_does_and_open_where_it_waits(played: Night, service: Served) -> None:
    shown = page(service, f"/runs/{RUN}")
    why = played("why", RUN, "--json").json
    for phase in why["phases"]:
        assert phase["reason"] in shown.words
        for command in phase["next"]:
            assert command in shown.words
    opened = ["open" in of for tag, of in shown.found if tag == "details" and of.get("class") == "phase"]
    assert opened == [phase["state"] != "complete" for phase in why["phases"]]
    assert True in opened
    assert False in opened


def test_a_failed_step_shows_its_log(night: Night, service: Served) -> None:
    (night.folder / "player_game.sql").write_text("SELECT nonsense FROM nba_raw.gamebook")
    night.clock.at = MORNING - 3 * HOUR
    night.scrape(3)
    night("complete", "odds", "--run", RUN, "--rows", "10")
    night("worker", "--until-idle")
    shown = page(service, f"/runs/{RUN}")
    assert "nonsense" in shown.words
    assert "pre" in [tag for tag, _ in shown.found]


def test_a_step_that_went_well_shows_what_it_printed_folded(night: Night, service: Served) -> None:
    night.scrape(3)
    command = (sys.executable, "-c", "print('fetched 7 lines')")
    assert night("begin", RUN, "--step", "odds", "--", *command).code == 0
    shown = page(service, f"/runs/{RUN}")
    assert "log of odds, attempt 1" in shown.words
    assert "fetched 7 lines" in shown.words
    folds = [of for tag, of in shown.found if tag == "details" and of.get("class") != "phase"]
    assert folds
    assert all("open" not in of for of in folds)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/runs?from=yesterday", 400, "yesterday"),
        ("/runs?from=2026-02-03&to=2026-02-01", 400, "is after"),
        ("/runs?to=abc", 400, "write YYYY-MM-DD"),
        ("/runs?to=0001-01-01", 400, "the year must be"),
        ("/findings?to=abc", 400, "write YYYY-MM-DD"),
        ("/findings?to=0001-01-01", 400, "the year must be"),
        ("/calendar?from=0001-01-01", 400, "the year must be"),
        ("/calendar?month=0000-01", 400, "0000-01"),
        ("/calendar?month=9999-12", 400, "the year must be"),
        ("/calendar?season=0000-01", 400, "0000-07-01"),
        ("/calendar?season=9999-00", 400, "the year must be"),
        ("/plan?run=0001-01-01.overnight", 400, "the year must be"),
        ("/runs/2026-02-03.never", 400, "unknown mode"),
        ("/runs/2026-09-09.overnight", 404, "is not open"),
    ],
)
@pytest.mark.usefixtures("played")
def test_what_cannot_be_shown_says_why(service: Served, path: str, status: int, words: str) -> None:
    assert words in page(service, path, status=status).words


@pytest.mark.usefixtures("played")
def test_every_page_names_the_pages_and_the_present_one(service: Served) -> None:
    assert {path for path, _ in NAVIGATION} == {path for path in READ if "{" not in path}
    for path, _ in NAVIGATION:
        links = [of for tag, of in page(service, path).found if tag == "a" and of.get("href") in dict(NAVIGATION)]
        assert {of["href"] for of in links} == set(dict(NAVIGATION))
        assert [of["href"] for of in links if of.get("aria-current") == "page"] == [path]


@pytest.mark.usefixtures("played")
def test_every_answer_forbids_scripts_of_others_and_other_hosts(service: Served) -> None:
    for path in (*dict(NAVIGATION), f"/runs/{RUN}", "/sign-in", "/static/page.css"):
        answer = seen(service, path)
        (policy,) = answer.headers.get_list("content-security-policy")
        assert policy.startswith("default-src 'none'")
        assert answer.headers["x-content-type-options"] == "nosniff"
        stored = "max-age=3600" if path.startswith("/static") else "no-store"  # what a reader saw stays in no cache
        assert answer.headers["cache-control"] == stored
        assert not re.search(r"""(?:src|href|action)=["']?(?:https?:)?//""", answer.text)
        assert path.startswith("/static") or Tags(answer.text).foreign() == []
        assert " style=" not in answer.text
        assert "<style" not in answer.text


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text(night: Night, service: Served, name: str) -> None:
    night.clock.at = MORNING - 3 * HOUR
    night.scrape(3)
    report = {"step": "odds", "run": RUN, "status": "failed", "error": name, "execution_id": "1"}
    assert service.post("/complete", report).status_code == 200
    shown = page(service, f"/runs/{RUN}")
    assert name[:50].replace("\u202e", "\\u202e") in shown.words
    assert not re.search("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", shown.words), "it turns what is beside it"
    assert shown.foreign() == []
    assert len(shown.words) < 60_000


@pytest.mark.usefixtures("played")
def test_a_caller_who_is_no_reader_sees_nothing(service: Served) -> None:
    shown = page(service, "/runs", by="scraper", status=403)
    assert "this takes a reader" in shown.words
    assert RUN not in shown.words


def test_what_is_late_or_dead_is_named_first_with_a_link_to_its_run(played: Night, service: Served) -> None:
    played.clock.at = MORNING + 72 * HOUR
    assert played("calendar", "--from", "2026-02-03", "--to", "2026-02-03", "--json").json["counts"]["LATE"] == 1
    shown = page(service, "/runs?from=2026-02-03&to=2026-02-03")
    assert re.search(r"2026-02-03\.overnight\s*!\s*precompute: late: waiting for report", shown.words)
    assert "1 wrong" in shown.words
    assert [of["href"] for tag, of in shown.found if tag == "a"].count(f"/runs/{RUN}") == 2
    assert ("a", f"/runs/{RUN}#precompute") in [(tag, of.get("href")) for tag, of in shown.found]
    fine = page(service, "/runs?from=2026-01-01&to=2026-01-02").words
    assert "No run in these dates: no run of mode overnight is open on 2026-01-01, and nothing says whether" in fine


def test_a_run_that_was_never_opened_is_explained_with_what_opens_it(service: Served, night: Night) -> None:
    plan = (night.folder / "plan.toml").read_text()
    (night.folder / "plan.toml").write_text(plan.replace(ODDS, f'{ODDS}expected_by = "07:00 +1d"\n'))
    with served(night.folder, clock=night.clock) as other:
        night.clock.at += 24 * HOUR
        (gap, *_) = night("calendar", "--from", "2026-02-03", "--to", "2026-02-03", "--json").json["gaps"]
        shown = page(other, f"/runs/{RUN}").words
        assert "run 2026-02-03.overnight is not open" in shown
        assert gap["reason"] in shown
        assert gap["next"] in shown
    assert "is not open" in page(service, "/runs/2020-01-01.overnight", status=404).words
