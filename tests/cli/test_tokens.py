"""``phasegate tokens``: a secret is shown once, and stored nowhere."""

import re
from pathlib import Path
from typing import get_args

import pytest

from phasegate.cli.commands.tokens import add
from phasegate.credentials import Credentials, Role, is_of, read_access_token
from phasegate.web.callers import Caller, Callers
from tests.support.cli_page import keys, section
from tests.support.commands import HOUR, Night
from tests.support.pipelines import Told

ACCOUNT = "push@nba.iam.gserviceaccount.com"
SCRAPER = ("tokens", "add", "scraper", "--role", "reporter", "--step", "gamebook")


def files(folder: Path) -> bytes:
    """Return all that the state holds, as it is on the disk."""
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def test_an_access_token_is_printed_once_and_only_its_hash_is_stored(night: Night) -> None:
    done = night(*SCRAPER, "--days", "90")
    assert done.code == 0
    token = read_access_token(done.out.removesuffix("\n"))
    assert token is not None
    assert done.err == (
        f"phasegate: added: access token {token.id} of scraper: reporter of gamebook, it expires 5 May 09:12; "
        "it is shown this once\n"
    )
    assert token.hash.encode() in files(night.folder)
    secret = token.text.split("_")[2]
    others = [night("tokens", "list"), night("tokens", "list", "--all", "--json"), night("tokens", "revoke", "scraper"),
              night("tokens"), night("export"), night("status")]  # fmt: skip
    shown = "".join(one.out + one.err for one in others) + done.err
    assert secret.encode() not in files(night.folder)
    assert secret not in shown
    assert token.hash not in shown


def test_what_was_printed_lets_its_caller_call_until_it_is_revoked(night: Night) -> None:
    text = night(*SCRAPER).out.strip()
    with night.pipeline() as pipeline:
        caller = Callers("nba", pipeline.ports).of(f"Bearer {text}")
        token, stored = read_access_token(text), Credentials("nba", pipeline.ports)
        assert token is not None
        found = stored.read(token.id)
        assert found is not None
        assert is_of(found, token)
    assert caller == Caller("scraper", "reporter", frozenset({"gamebook"}))


def test_two_access_tokens_replace_one_another_and_a_third_is_refused(night: Night) -> None:
    old = night(*SCRAPER, "--json").json
    night.clock.at += HOUR
    new = night(*SCRAPER, "--json").json
    assert old["access_token"] != new["access_token"]
    third = night(*SCRAPER)
    assert (third.code, third.out) == (2, "")
    hint = f"phasegate tokens revoke {old['id']}"
    assert third.err == (
        f"phasegate: scraper has 2 valid access tokens, and may have 2; revoke the oldest first: {hint}\n"
    )
    done = night(*hint.split()[1:])
    assert (done.code, done.out) == (0, f"revoked: access token {old['id']} of scraper, reporter of gamebook\n")
    assert done.err == "phasegate: a running service refuses it within 10 s\n"
    assert night(*SCRAPER).code == 0


def test_an_expired_access_token_makes_room(night: Night) -> None:
    night(*SCRAPER, "--days", "1")
    night.clock.at += HOUR
    night(*SCRAPER)
    night.clock.at += 23 * HOUR
    assert night(*SCRAPER).code == 0
    assert [one["state"] for one in night("tokens", "list", "--json").json["credentials"]] == [
        "expired", "valid", "valid",
    ]  # fmt: skip


def test_the_list_says_who_may_do_what_and_until_when(night: Night) -> None:
    assert night("tokens").err.startswith("phasegate: there is no state at ")
    ids = [
        night(*arguments, "--json").json["id"]
        for arguments in (
            (*SCRAPER, "--step", "odds", "--days", "90"),
            ("tokens", "add", "dashboard", "--role", "reader"),
            ("tokens", "add", "admin", "--role", "operator"),
            ("tokens", "add", "push", "--role", "reporter", "--all-steps", "--google-account", ACCOUNT),
        )
    ]
    night.clock.at += 3 * HOUR
    done = night("tokens", "list")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "caller     role      may report      state  since       expires      id\n"
        f"admin      operator                  valid  08:12, 3 h  never        {ids[2]}\n"
        f"dashboard  reader                    valid  08:12, 3 h  never        {ids[1]}\n"
        f"push       reporter  all             valid  08:12, 3 h  never        {ids[3]} ({ACCOUNT})\n"
        f"scraper    reporter  gamebook, odds  valid  08:12, 3 h  5 May 09:12  {ids[0]}\n"
        "\n"
        "4 valid credentials. Times: America/New_York.\n"
    )
    assert night("tokens").out == done.out
    night("tokens", "revoke", "admin")
    assert "admin" not in night("tokens", "list").out
    assert re.search(rf"admin +operator +revoked .*{ids[2]}", night("tokens", "list", "--all").out)


def test_an_account_has_no_secret_and_one_credential(night: Night) -> None:
    arguments = ("tokens", "add", "push", "--role", "reporter", "--all-steps", "--google-account", ACCOUNT)
    done = night(*arguments)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"added: account {ACCOUNT} as push: reporter of all steps, it never expires\n"
    night.clock.at += 1
    again = night(*arguments, "--json")
    assert (again.code, again.out) == (2, "")
    number = night("tokens", "list", "--json").json["credentials"][0]["id"]
    assert again.err == f"phasegate: {number}: there is one already, of push; first: phasegate tokens revoke {number}\n"
    assert night("tokens", "revoke", number).code == 0
    added = night(*arguments, "--json").json
    assert (added["id"], added["state"], added["access_token"]) == (number, "valid", None)


def test_what_was_revoked_stays_so_with_the_first_time(night: Night) -> None:
    number = night(*SCRAPER, "--json").json["id"]
    first = night("tokens", "revoke", number, "--json").json
    night.clock.at += HOUR
    assert night("tokens", "revoke", number, "--json").json == first
    done = night("tokens", "revoke", "scraper")
    assert (done.code, done.out) == (2, "")
    assert done.err == ("phasegate: scraper: no credential of this id or name is valid; see phasegate tokens list\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("x", "--role", "king"), "tokens add: invalid value for '--role': 'king' is not one of 'reporter', 'reader', "
         "'operator'; see phasegate tokens add --help"),
        (("x",), "tokens add: missing option '--role'. Choose from: reporter, reader, operator; see phasegate tokens "
         "add --help"),
        (("x", "--role", "reporter"),
         "--role reporter: name what it may report with --step, or give --all-steps: one of the two"),
        (("x", "--role", "reader", "--step", "odds"),
         "--step and --all-steps are for --role reporter; leave them out, reader has no steps"),
        (("x", "--role", "reporter", "--step", "gamebok"),
         "--step 'gamebok': the plan has no such step or receiver; did you mean \"gamebook\"? known: gamebook, odds, "
         "player_game, report"),
        (("X y", "--role", "reader"),
         "name 'X y': write a-z, 0-9, '.', '_' and '-', at most 40, a letter first"),
        (("x", "--role", "reader", "--days", "0"),
         "tokens add: invalid value for '--days': 0 is not in the range 1<=x<=3650; see phasegate tokens add --help"),
        (("x", "--role", "reader", "--google-account", "Me@example.org"),
         "account 'Me@example.org': write its e-mail address in small letters, such as "
         "caller@project.iam.gserviceaccount.com"),
        (("x", "--role", "reader", "--google-account", ""),
         "account '': write its e-mail address in small letters, such as caller@project.iam.gserviceaccount.com"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_bad_input_adds_nothing_and_prints_no_secret(night: Night, arguments: tuple[str, ...], error: str) -> None:
    done = night("tokens", "add", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"phasegate: {error}\n"
    assert b"credential:" not in files(night.folder)


def test_the_roles_of_the_option_are_those_of_a_credential() -> None:
    [role] = [one for one in add.params if one.name == "role"]
    assert tuple(role.type.choices) == get_args(Role)  # type: ignore[attr-defined]


def test_a_credential_that_cannot_be_read_is_named_and_the_others_are_listed(night: Night) -> None:
    broken, _ = night(*SCRAPER, "--json").json["id"], night("tokens", "add", "admin", "--role", "operator")
    night.rewrite(f"credential:nba:{broken}", role="king")
    done = night("tokens", "list")
    assert (done.code, "admin" in done.out, "scraper" in done.out) == (2, True, False)
    assert done.err == (
        f"phasegate: document credential:nba:{broken}: cannot be read: Invalid enum value 'king' - at `$.role`\n"
    )


def test_a_credential_is_neither_exported_nor_imported(night: Night) -> None:
    night(*SCRAPER)
    night.scrape(1)
    lines = night("export").out.splitlines()
    assert len(lines) > 2
    assert not [line for line in lines if "credential" in line or "scraper" in line]
    [key] = [key for key in night.documents() if key.startswith("credential:")]
    body = '{"_schema":1,"name":"intruder","role":"operator","since":1.0,"hash":"00"}'
    file = night.folder / "moved.jsonl"
    number = int(re.sub(r"\D", "", lines[-1]))
    lines[-1:] = [f'{{"key":"{key}","due":null,"body":{body}}}', f'{{"documents":{number + 1},"phasegate":"end"}}']
    file.write_text("\n".join(lines))
    done = night("--state", "other", "import", file.name)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"phasegate: moved.jsonl: nothing was imported: line {len(lines) - 1}: {key}: a file must not say who may "
        "call; leave it out, and add callers here: phasegate tokens add\n"
    )


def test_the_events_of_a_refusal_name_the_credential_and_no_secret(night: Night) -> None:
    text = night(*SCRAPER).out.strip()
    night("tokens", "revoke", "scraper")
    told = Told()
    with night.pipeline() as pipeline:
        ports = pipeline.ports
        object.__setattr__(ports, "observer", told)
        with pytest.raises(Exception, match="no valid credential"):
            Callers("nba", ports).of(f"Bearer {text}")
    assert told.events == [("caller refused", {"credential": text.split("_")[1], "reason": "revoked"})]


def test_the_page_lists_every_field_of_what_is_printed(night: Night) -> None:
    added = night(*SCRAPER, "--json").json
    for arguments, document in (
        ("tokens add", added),
        ("tokens list", night("tokens", "list", "--json").json),
        ("tokens revoke", night("tokens", "revoke", "scraper", "--json").json),
    ):
        assert {key for key in keys(document) if f"`{key}`" not in section(f"phasegate {arguments}")} == set()
