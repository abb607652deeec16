"""Nobody is let in without a valid credential, and nobody beyond it; a refusal tells nothing."""

import ast
import inspect
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasegate import credentials
from phasegate.credentials import FRESH_S, AccessToken, Credentials, Role, access_token, read_access_token
from phasegate.errors import BadInput, NotFound, Unavailable
from phasegate.messages import CompletionMessage
from phasegate.plan.load import load_plan
from phasegate.web import callers
from phasegate.web.callers import HEADER_MAX, KNOWN_MAX, Caller, Callers, Refused
from tests.support.pipelines import Shop, shop

DAY = 86_400.0
PLAN = """\
pipeline = "nba"
timezone = "UTC"

[phase.raw]
[phase.next]
after = "raw"
[[phase.raw.sends]]
topic = "outside"
ack = "completion"
[[phase.raw.sends]]
topic = "elsewhere"
ack = "completion"

[step.box]
phase = "raw"
external = true

[step.odds]
phase = "raw"
external = true

[step.report]
phase = "next"
external = true
"""


def drawn(number: int) -> AccessToken:
    """Return an access token; the machine's are drawn at random."""
    return access_token(f"{number:016x}", f"{number + 7:064x}")


class Door:
    """Callers in front of a store, and the credentials in it."""

    def __init__(self) -> None:
        self.shop: Shop = shop()
        self.credentials = Credentials("nba", self.shop.pipeline.ports)
        self.callers = Callers("nba", self.shop.pipeline.ports)

    def add(
        self, number: int = 1, *, name: str = "scraper", role: Role = "reporter", steps: tuple[str, ...] | None = None,
        lasts_s: float | None = None,
    ) -> AccessToken:  # fmt: skip
        token = drawn(number)
        self.credentials.add(name, role=role, proof=token, steps=steps, lasts_s=lasts_s)
        return token

    def refused(self, header: str | None) -> str:
        """Return why the log says that a header was refused; the caller is told one text."""
        with pytest.raises(Refused) as caught:
            self.callers.of(header)
        assert (caught.value.status, str(caught.value), caught.value.reason) == (401, callers.UNKNOWN, callers.UNKNOWN)
        return str(self.shop.told.of("caller refused")[-1]["reason"])

    @property
    def said(self) -> str:
        return repr(self.shop.told.events)


@pytest.fixture
def door() -> Door:
    return Door()


def test_an_access_token_says_who_calls_and_with_what_right(door: Door) -> None:
    token = door.add(steps=("box", "odds"))
    assert door.callers.of(f"Bearer {token.text}") == Caller("scraper", "reporter", frozenset({"box", "odds"}))
    everything = door.add(2, name="admin", role="operator")
    assert door.callers.of(f"bearer {everything.text}") == Caller("admin", "operator", None)


def test_two_access_tokens_of_one_name_are_valid_at_once_and_a_third_is_refused(door: Door) -> None:
    old, new = door.add(1), door.add(2)
    assert {door.callers.of(f"Bearer {one.text}").name for one in (old, new)} == {"scraper"}
    with pytest.raises(BadInput, match=f"revoke the oldest first: phasegate tokens revoke {old.id}"):
        door.add(3)
    door.credentials.revoke(old.id)
    third = door.add(3)
    door.shop.clock.at += FRESH_S
    assert door.refused(f"Bearer {old.text}") == "revoked"
    assert {door.callers.of(f"Bearer {one.text}").name for one in (new, third)} == {"scraper"}


def test_what_is_not_valid_is_refused_with_one_text_whatever_the_reason(door: Door) -> None:
    token, other = door.add(1, lasts_s=DAY), door.add(2)
    forged = access_token(token.id, "f" * 64)
    mistyped = token.text[:-1] + ("0" if token.text[-1] != "0" else "1")
    reasons = [
        door.refused(header)
        for header in (
            None, "", "Bearer", "Bearer ", token.text, f"Basic {token.text}", f"Bearer {mistyped}",
            f"Bearer  {token.text}", f"Bearer {token.text} ", f"Bearer {token.text}\n", f"Bearer {drawn(9).text}",
            f"Bearer {forged.text}", f"Bearer {token.text}, Bearer {other.text}", f"Bearer {'x' * 10_000}",
            f"Bearer {token.text.upper()}", f"Bearer {token.text}é", "Bearer \udcff\x00", f"Bearer {token.hash}",
        )
    ]  # fmt: skip
    assert set(reasons) == {"no header", "no bearer header", "no access token", "unknown", "another secret"}
    door.shop.clock.at += DAY
    assert door.refused(f"Bearer {token.text}") == "expired"
    assert door.callers.of(f"Bearer {other.text}").name == "scraper"


def test_a_header_that_is_too_long_or_no_ascii_is_not_looked_at(door: Door) -> None:
    for text in ("x" * HEADER_MAX, "é", "pg_\udcff"):
        assert door.refused(f"Bearer {text}") == "no bearer header"


@given(st.text(max_size=200) | st.text(alphabet=string.hexdigits + "pg_. ,", max_size=200).map("Bearer pg_{}".format))
def test_no_text_that_was_not_drawn_lets_anyone_in(header: str) -> None:
    door = Door()
    door.add()
    door.refused(header)


def test_a_revoked_access_token_is_refused_after_at_most_the_time_that_is_promised(door: Door) -> None:
    token = door.add()
    door.callers.of(f"Bearer {token.text}")
    door.credentials.revoke("scraper")
    door.shop.clock.at += FRESH_S
    assert door.refused(f"Bearer {token.text}") == "revoked"
    assert door.refused(f"Bearer {token.text}") == "revoked"


def test_an_expired_access_token_is_refused_at_once_though_it_was_just_read(door: Door) -> None:
    token = door.add(lasts_s=FRESH_S / 2)
    door.callers.of(f"Bearer {token.text}")
    door.shop.clock.at += FRESH_S / 2
    assert door.refused(f"Bearer {token.text}") == "expired"


def test_a_credential_of_another_pipeline_is_unknown(door: Door) -> None:
    token = drawn(5)
    Credentials("nfl", door.shop.pipeline.ports).add("scraper", role="operator", proof=token, steps=None)
    assert door.refused(f"Bearer {token.text}") == "unknown"


class Counted:
    """A store that counts the reads, and can be unreachable."""

    def __init__(self, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads, self.is_gone, self._read = 0, False, door.shop.store.read
        monkeypatch.setattr(door.shop.store, "read", self.read)

    def read(self, key: str, /) -> object:
        self.reads += 1
        if self.is_gone:
            raise Unavailable("the store is gone")
        return self._read(key)


def test_a_caller_that_calls_often_costs_one_read_and_a_mistyped_text_costs_none(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = door.add()
    counted = Counted(door, monkeypatch)
    for _ in range(100):
        door.callers.of(f"Bearer {token.text}")
        door.refused(f"Bearer {token.text[:-1]}g")
    assert counted.reads == 1


def test_while_the_store_cannot_be_read_nobody_is_let_in(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    token = door.add()
    door.callers.of(f"Bearer {token.text}")
    counted = Counted(door, monkeypatch)
    counted.is_gone = True
    door.callers.of(f"Bearer {token.text}")
    door.shop.clock.at += FRESH_S
    with pytest.raises(Unavailable):
        door.callers.of(f"Bearer {token.text}")
    door.refused(None)
    counted.is_gone = False
    assert door.callers.of(f"Bearer {token.text}").name == "scraper"


def test_a_credential_that_cannot_be_read_lets_nobody_in(door: Door) -> None:
    token = door.add()
    doc = door.shop.store.read(f"credential:nba:{token.id}")
    assert doc is not None
    door.shop.store.write(doc.key, {**doc.body, "role": "king"}, due=None, expect=doc.version)
    with pytest.raises(Unavailable, match="a credential cannot be read"):
        door.callers.of(f"Bearer {token.text}")


def test_what_is_remembered_of_credentials_is_bounded(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "KNOWN_MAX", 3)
    tokens = [door.add(number, name=f"caller{number}") for number in range(10)]
    for token in tokens * 2:
        door.callers.of(f"Bearer {token.text}")
        assert len(door.callers._known) <= 3 < KNOWN_MAX


@pytest.mark.parametrize(
    ("role", "may"),
    [("reporter", {"reporter"}), ("reader", {"reader"}), ("operator", {"reporter", "reader", "operator"})],
)
def test_a_role_may_do_what_it_is_for_and_an_operator_everything(role: Role, may: set[Role]) -> None:
    caller = Caller("someone", role)
    for wanted in ("reporter", "reader", "operator"):
        if wanted in may:
            caller.check(wanted)
            continue
        with pytest.raises(Refused, match=f"^someone is a {role}; this takes an? {wanted}$") as caught:
            caller.check(wanted)
        assert caught.value.status == 403


def completion(**fields: object) -> CompletionMessage:
    return CompletionMessage(run="2026-02-03.daily", **fields)  # type: ignore[arg-type]


TRIGGER = "trigger.nba.raw.2026-02-03.daily.1."


@pytest.mark.parametrize(
    ("message", "is_allowed"),
    [
        (completion(step="box"), True),
        (completion(step="odds"), False),
        (completion(step="nothing"), False),
        (completion(), False),
        (completion(step="box", trigger_id=f"{TRIGGER}outside"), True),
        (completion(trigger_id=f"{TRIGGER}outside"), True),
        # a completion acknowledges the trigger that it echoes: not for another receiver
        (completion(step="box", trigger_id=f"{TRIGGER}elsewhere"), False),
        (completion(trigger_id=f"{TRIGGER}elsewhere"), False),
        # the triggers of phases are acknowledged when the phase begins, so a step may echo them
        (completion(step="box", trigger_id=f"{TRIGGER}next"), True),
    ],
)
def test_a_reporter_reports_its_own_steps_and_receivers_only(message: CompletionMessage, is_allowed: bool) -> None:
    plan = load_plan(PLAN, files=str)
    caller = Caller("scraper", "reporter", frozenset({"box", "outside"}))
    if is_allowed:
        caller.check_report(message, plan)
    else:
        with pytest.raises(Refused, match=r"^scraper may report box, outside only$"):
            caller.check_report(message, plan)
    Caller("all", "reporter").check_report(message, plan)
    Caller("admin", "operator").check_report(message, plan)
    with pytest.raises(Refused, match="takes a reporter"):
        Caller("dashboard", "reader").check_report(message, plan)


def test_a_reporter_has_named_steps_unless_all_are_asked_for() -> None:
    plan = load_plan(PLAN, files=str)
    assert credentials.granted(plan, "reporter", ("odds", "box", "outside", "box"), every=False) == (
        "box", "odds", "outside",
    )  # fmt: skip
    assert credentials.granted(plan, "reporter", (), every=True) is None
    assert credentials.granted(plan, "reader", (), every=False) is None
    for steps, every in (((), False), (("box",), True)):
        with pytest.raises(BadInput, match="--step, or give --all-steps: one of the two"):
            credentials.granted(plan, "reporter", steps, every=every)
    with pytest.raises(BadInput, match="are for --role reporter"):
        credentials.granted(plan, "operator", ("box",), every=False)
    for name in ("bok", "next", "raw"):
        with pytest.raises(NotFound, match="no such step or receiver"):
            credentials.granted(plan, "reporter", (name,), every=False)


def test_no_secret_is_in_what_is_stored_logged_or_shown(door: Door) -> None:
    token = door.add()
    forged = access_token(token.id, "e" * 64)
    door.callers.of(f"Bearer {token.text}")
    texts = [door.refused(f"Bearer {text}") for text in (forged.text, token.text[:-1], f"{token.text}, {token.text}")]
    doc = door.shop.store.read(f"credential:nba:{token.id}")
    texts += [repr(token), str(token), f"{token}", door.said, repr(doc), repr(door.callers._known)]
    for text in texts:
        assert token.text[20:84] not in text
        assert "e" * 64 not in text


def hasty(source: str) -> list[str]:
    """List the comparisons of a secret, or its hash, that end at the first difference."""
    compared = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Compare)]
    return [ast.unparse(one) for one in compared
            if {part.attr for part in ast.walk(one) if isinstance(part, ast.Attribute)} & {"hash", "text"}]  # fmt: skip


def test_a_secret_is_compared_in_a_time_that_tells_nothing() -> None:
    assert "hmac.compare_digest(credential.hash, token.hash)" in inspect.getsource(credentials.is_of)
    assert [one for module in (credentials, callers) for one in hasty(inspect.getsource(module))] == []
    assert hasty("if found.hash == token.hash: pass") == ["found.hash == token.hash"]


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**256 - 1), st.integers(0, 90), st.characters(codec="ascii"))
def test_an_access_token_is_read_back_and_never_after_one_character_changed(
    number: int, secret: int, place: int, letter: str
) -> None:
    token = access_token(f"{number:016x}", f"{secret:064x}")
    assert read_access_token(token.text) == token
    changed = token.text[:place] + letter + token.text[place + 1 :]
    assert (read_access_token(changed) is None) == (changed != token.text)


def test_a_credential_of_no_secret_is_nobodys() -> None:
    door = Door()
    _, account = door.credentials.add("push", role="reporter", proof="push@nba.iam.gserviceaccount.com", steps=None)
    assert not credentials.is_of(account, drawn(1))
