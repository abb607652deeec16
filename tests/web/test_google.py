"""An ID token lets nobody in unless Google signed it, for this service, for a known account, and for now."""

import base64
import json
import threading
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.warnings import InsecureKeyLengthWarning

from phasegate.credentials import FRESH_S, Credentials, access_token
from phasegate.errors import Unavailable
from phasegate.web import google as of_google
from phasegate.web.callers import Caller, Callers, Refused
from phasegate.web.google import AGAIN_S, FAILED_S, SKEW_S, GoogleAccounts, GoogleKeys
from tests.support.http_server import Answers, Server, serving
from tests.support.pipelines import Shop, shop

AUDIENCE = "https://gate.example.org"
PUSH = "push@nba.iam.gserviceaccount.com"
OLD, NEW = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
SHORT = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505  to be refused
CURVE = ec.generate_private_key(ec.SECP256R1())


def jwk(kid: str, key: Any) -> dict[str, object]:
    """Return a public key as Google publishes it."""
    kind = jwt.algorithms.ECAlgorithm if key is CURVE else jwt.algorithms.RSAAlgorithm
    named = "ES256" if key is CURVE else "RS256"
    return {**json.loads(kind.to_jwk(key.public_key())), "kid": kid, "alg": named, "use": "sig"}


def pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class Google:
    """Google's keys on loopback, and callers in front of a store that knows one account."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.shop: Shop = shop()
        self.credentials = Credentials("nba", self.shop.pipeline.ports)
        self.credentials.add("push", role="reporter", proof=PUSH, steps=("box",))
        self.publish(old=OLD)
        self.callers = self.open()

    def open(self, *, is_fronted: bool = False) -> Callers:
        clock = self.shop.clock
        keys = GoogleKeys(f"{self.server.url}/certs", clock)
        accounts = GoogleAccounts(AUDIENCE, keys, clock, is_fronted=is_fronted)
        return Callers("nba", self.shop.pipeline.ports, accounts=accounts)

    def publish(self, *, max_age_s: int = 21_600, **keys: Any) -> None:
        found = [jwk(kid, key) for kid, key in keys.items()]
        header = {"Cache-Control": f"public, max-age={max_age_s}, must-revalidate, no-transform"}
        self.server.answers = Answers(body={"keys": found}, headers=header)

    def signed(self, *, key: Any = OLD, kid: str | None = "old", alg: str = "RS256", **claims: Any) -> str:
        now = int(self.shop.clock.now())
        said = {
            "iss": "https://accounts.google.com", "aud": AUDIENCE, "azp": "1138", "sub": "1138", "email": PUSH,
            "email_verified": True, "iat": now, "exp": now + 3_600, **claims,
        }  # fmt: skip
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(said, key, algorithm=alg, headers=None if kid is None else {"kid": kid})

    def refused(self, text: str) -> str:
        with pytest.raises(Refused) as caught:
            self.callers.of(f"Bearer {text}")
        assert caught.value.status == 401
        return str(self.shop.told.of("caller refused")[-1]["reason"])

    @property
    def fetched(self) -> int:
        return len(self.server.said)


@pytest.fixture
def google() -> Iterator[Google]:
    with serving() as server:
        yield Google(server)


def test_an_account_that_google_signed_for_is_the_caller_that_its_credential_names(google: Google) -> None:
    for issuer in ("https://accounts.google.com", "accounts.google.com"):
        assert google.callers.of(f"Bearer {google.signed(iss=issuer)}") == Caller(
            "push", "reporter", frozenset({"box"})
        )
    assert (google.fetched, google.server.said[0].path) == (1, "/certs")


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "https://other.example.org"}, "ID token: InvalidAudienceError"),
        ({"aud": f"{AUDIENCE}/"}, "ID token: InvalidAudienceError"),
        ({"aud": [AUDIENCE, "https://other.example.org"]}, "ID token: InvalidAudienceError"),
        ({"aud": None}, "ID token: MissingRequiredClaimError"),
        ({"iss": "https://accounts.google.com.example.org"}, "ID token: InvalidIssuerError"),
        ({"iss": "https://securetoken.google.com/nba"}, "ID token: InvalidIssuerError"),
        ({"iss": None}, "ID token: MissingRequiredClaimError"),
        ({"email_verified": False}, "ID token: the e-mail address is not verified"),
        ({"email_verified": "true"}, "ID token: a claim is missing, or of another type"),
        ({"email_verified": None}, "ID token: a claim is missing, or of another type"),
        ({"email": None}, "ID token: a claim is missing, or of another type"),
        ({"email": "stranger@nba.iam.gserviceaccount.com"}, "unknown"),
        ({"email": PUSH.upper()}, "unknown"),
        ({"email": ""}, "unknown"),
        ({"exp": None}, "ID token: MissingRequiredClaimError"),
        ({"iat": None}, "ID token: MissingRequiredClaimError"),
        ({"exp": "tomorrow"}, "ID token: a claim is missing, or of another type"),
        ({"exp": float("nan")}, "ID token: expired"),
        ({"iat": float("nan")}, "ID token: not valid yet"),
    ],
    ids=str,
)
def test_what_google_signed_for_someone_or_something_else_is_refused(
    google: Google, claims: dict[str, Any], reason: str
) -> None:
    assert google.refused(google.signed(**claims)) == reason


@pytest.mark.parametrize(
    ("claim", "ahead_s", "reason"),
    [
        ("exp", -SKEW_S + 1, None),
        ("exp", -SKEW_S, "ID token: expired"),
        ("exp", -3_600, "ID token: expired"),
        ("iat", SKEW_S, None),
        ("iat", SKEW_S + 1, "ID token: not valid yet"),
        ("nbf", SKEW_S, None),
        ("nbf", SKEW_S + 1, "ID token: not valid yet"),
    ],
)
def test_clocks_may_differ_by_a_minute_and_no_more(
    google: Google, claim: str, ahead_s: float, reason: str | None
) -> None:
    claims: dict[str, Any] = {claim: google.shop.clock.now() + ahead_s}
    text = google.signed(**claims)
    if reason is None:
        assert google.callers.of(f"Bearer {text}").name == "push"
    else:
        assert google.refused(text) == reason


def test_what_google_did_not_sign_is_refused(google: Google) -> None:
    good = google.signed()
    head, body, sign = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    unsigned = part({"alg": "none", "typ": "JWT", "kid": "old"})
    other_body = part({**claims, "email": "boss@nba.iam.gserviceaccount.com"})
    # the public key as the secret of an HMAC: PyJWT does not sign so, an attacker does
    confused = part({"alg": "HS256", "typ": "JWT", "kid": "old"})
    hmac_sign = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        f"{confused}.{body}".encode(), pem(OLD)
    )
    forgeries = {
        google.signed(key=NEW): "ID token: InvalidSignatureError",
        f"{head}.{other_body}.{sign}": "ID token: InvalidSignatureError",
        f"{head}.{body}.": "ID token: InvalidSignatureError",
        f"{unsigned}.{body}.": "ID token: InvalidAlgorithmError",
        f"{unsigned}.{body}.{sign}": "ID token: InvalidAlgorithmError",
        f"{confused}.{body}.{base64.urlsafe_b64encode(hmac_sign).rstrip(b'=').decode()}": (
            "ID token: InvalidAlgorithmError"
        ),
        google.signed(alg="RS512"): "ID token: InvalidAlgorithmError",
        google.signed(alg="PS256"): "ID token: InvalidAlgorithmError",
        google.signed(kid=None): "ID token: names no key",
        f"{part({'alg': 'RS256', 'kid': 7})}.{body}.{sign}": "ID token: InvalidTokenError",
        f"{part({'alg': 'RS256', 'kid': 'old', 'jwk': jwk('old', NEW)})}.{body}.{sign}": (
            "ID token: InvalidSignatureError"
        ),
        f"{part(['RS256'])}.{body}.{sign}": "ID token: DecodeError",
        f"{head}.{body}": "ID token: DecodeError",
        f"{head}.{body}.{sign}.{sign}": "ID token: DecodeError",
        "x": "ID token: DecodeError",
    }
    assert {text: google.refused(text) for text in forgeries} == forgeries
    assert google.callers.of(f"Bearer {good}").name == "push"


def stripped(text: str) -> str:
    """Return a token as Cloud Run passes it on."""
    return f"{text.rpartition('.')[0]}.SIGNATURE_REMOVED_BY_GOOGLE"


def test_behind_cloud_run_a_token_without_its_signature_is_taken_by_what_it_says(google: Google) -> None:
    text = stripped(google.signed())
    assert google.refused(text) == "ID token: Google has removed its signature; see the setting google_front"
    google.callers = google.open(is_fronted=True)
    assert google.callers.of(f"Bearer {text}").name == "push"
    assert google.fetched == 0
    wrong = {
        stripped(google.signed(aud="https://other.example.org")): "ID token: InvalidAudienceError",
        stripped(google.signed(aud=[AUDIENCE])): "ID token: InvalidAudienceError",
        stripped(google.signed(iss="https://example.org")): "ID token: InvalidIssuerError",
        stripped(google.signed(exp=None)): "ID token: MissingRequiredClaimError",
        stripped(google.signed(exp=google.shop.clock.now() - 3_600)): "ID token: expired",
        stripped(google.signed(iat=google.shop.clock.now() + 3_600)): "ID token: not valid yet",
        stripped(google.signed(email_verified=False)): "ID token: the e-mail address is not verified",
        stripped(google.signed(email="stranger@nba.iam.gserviceaccount.com")): "unknown",
    }
    assert {one: google.refused(one) for one in wrong} == wrong


def test_behind_cloud_run_too_a_signature_that_is_there_must_be_googles(google: Google) -> None:
    google.callers = google.open(is_fronted=True)
    good = google.signed()
    assert google.callers.of(f"Bearer {good}").name == "push"
    assert google.refused(google.signed(key=NEW)) == "ID token: InvalidSignatureError"
    text = stripped(good)
    for nearly in (
        f"{text} ",
        f"{text}x",
        f"{text}, Bearer {text}",
        text.lower(),
        f"{good.rpartition('.')[0]}.",
        f"{text}\n",
    ):
        assert google.refused(nearly).startswith("ID token: "), nearly


def test_keys_that_are_short_or_of_another_kind_are_not_used(google: Google) -> None:
    found = [jwk("old", OLD), jwk("short", SHORT), jwk("curve", CURVE)]
    found += [{**jwk("other", OLD), "alg": "RS512"}, {**jwk("secret", OLD), "use": "enc"}]
    google.server.answers = Answers(body={"keys": found}, headers={"Cache-Control": "max-age=600"})
    with pytest.warns(InsecureKeyLengthWarning):
        weak = google.signed(key=SHORT, kid="short")
    assert google.refused(weak) == "ID token: InvalidKeyError"
    assert google.refused(google.signed(key=CURVE, kid="curve", alg="ES256")) == "ID token: unknown key"
    for kid in ("other", "secret"):
        assert google.refused(google.signed(kid=kid)) == "ID token: unknown key"
    assert google.callers.of(f"Bearer {google.signed()}").name == "push"


def test_a_new_key_of_google_is_fetched_and_an_old_one_is_not_used_any_more(google: Google) -> None:
    google.callers.of(f"Bearer {google.signed()}")
    google.publish(old=OLD, new=NEW)
    google.shop.clock.at += AGAIN_S
    assert google.callers.of(f"Bearer {google.signed(key=NEW, kid='new')}").name == "push"
    assert google.fetched == 2
    google.publish(new=NEW)
    google.shop.clock.at += 21_599
    assert google.callers.of(f"Bearer {google.signed()}").name == "push"
    google.shop.clock.at += 1
    assert google.refused(google.signed()) == "ID token: unknown key"
    assert google.callers.of(f"Bearer {google.signed(key=NEW, kid='new')}").name == "push"
    assert google.fetched == 3


def test_forged_key_ids_make_us_fetch_once_a_minute_and_no_more(google: Google) -> None:
    google.callers.of(f"Bearer {google.signed()}")
    google.shop.clock.at += AGAIN_S
    answers = list[str]()

    def forge(number: int) -> None:
        for one in range(10):
            with pytest.raises((Refused, Unavailable)) as caught:
                google.callers.of(f"Bearer {google.signed(kid=f'x{number}.{one}')}")
            answers.append(type(caught.value).__name__)

    threads = [threading.Thread(target=forge, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert google.fetched == 2
    assert (len(answers), "Refused" in answers) == (80, True)
    assert google.callers.of(f"Bearer {google.signed()}").name == "push"
    google.shop.clock.at += AGAIN_S
    google.refused(google.signed(kid="y"))
    assert google.fetched == 3


def test_while_one_thread_waits_for_google_no_other_does(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    token = access_token("1" * 16, "2" * 64)
    google.credentials.add("scraper", role="reporter", proof=token, steps=("box",))
    google.callers.of(f"Bearer {google.signed()}")
    google.shop.clock.at += AGAIN_S
    google.server.queue = [Answers(hang=True)]
    errors = list[BaseException]()

    def forge() -> None:
        with pytest.raises(Unavailable) as caught:
            google.callers.of(f"Bearer {google.signed(kid='new')}")
        errors.append(caught.value)

    monkeypatch.setattr(of_google, "FETCH_S", 60.0)
    thread = threading.Thread(target=forge)
    thread.start()
    while google.fetched < 2:
        thread.join(0.01)
    assert google.callers.of(f"Bearer {google.signed()}").name == "push"
    assert google.callers.of(f"Bearer {token.text}").name == "scraper"
    with pytest.raises(Unavailable, match="are being fetched; send it again"):
        google.callers.of(f"Bearer {google.signed(kid='newer')}")
    assert thread.is_alive()
    google.server.over.set()
    thread.join()
    assert len(errors) == 1


def test_the_first_calls_at_once_wait_for_one_fetch(google: Google) -> None:
    found = list[str]()
    text = google.signed()
    threads = [
        threading.Thread(target=lambda: found.append(google.callers.of(f"Bearer {text}").name)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, google.fetched) == (["push"] * 8, 1)


@pytest.mark.parametrize(
    "answer",
    [
        Answers(500, "oops"), Answers(404, "nothing"), Answers(200, "<html>"), Answers(200, {"keys": []}),
        Answers(200, {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "old"}]}), Answers(200, []), Answers(200, {}),
        Answers(302, "", {"Location": "/elsewhere"}), Answers(200, "[" * 60_000), Answers(200, {"keys": ["x", 1]}),
        Answers(200, {"keys": [{"kty": "RSA", "kid": "old"}]}),
        Answers(200, {"keys": [{"kty": "RSA", "kid": "old", "alg": "RS256", "n": 7, "e": "AQAB"}]}),
        Answers(200, {"keys": [{"kty": "RSA", "kid": ["old"], "alg": "RS256", "n": "AQAB", "e": "AQAB"}]}),
        Answers(200, {"keys": [{"kty": "RSA", "kid": "old", "alg": ["RS256"]}]}),
        Answers(200, {"keys": [{"kty": ["RSA"], "kid": "old"}]}),
    ],
    ids=str,
)  # fmt: skip
def test_while_google_gives_no_keys_nobody_is_let_in_and_it_is_asked_again(google: Google, answer: Answers) -> None:
    google.server.queue = [answer]
    for _ in range(3):
        with pytest.raises(Unavailable, match=r"Google's keys cannot be fetched: 127\.0\.0\.1 answered"):
            google.callers.of(f"Bearer {google.signed()}")
    assert google.fetched == 1
    google.shop.clock.at += FAILED_S
    assert google.callers.of(f"Bearer {google.signed()}").name == "push"


def test_while_google_cannot_be_reached_kept_keys_serve_as_long_as_it_allowed(google: Google) -> None:
    google.publish(old=OLD, max_age_s=600)
    google.callers.of(f"Bearer {google.signed()}")
    google.server.answers = Answers(503, "")
    google.shop.clock.at += 599
    assert google.callers.of(f"Bearer {google.signed()}").name == "push"
    with pytest.raises(Unavailable):
        google.callers.of(f"Bearer {google.signed(kid='unknown')}")
    assert google.callers.of(f"Bearer {google.signed()}").name == "push"
    google.shop.clock.at += 1
    with pytest.raises(Unavailable):
        google.callers.of(f"Bearer {google.signed()}")


def test_a_revoked_account_is_refused_however_well_google_signed(google: Google) -> None:
    text = google.signed()
    assert google.callers.of(f"Bearer {text}").name == "push"
    google.credentials.revoke("push")
    google.shop.clock.at += FRESH_S
    assert google.refused(text) == "revoked"
    assert google.shop.told.of("caller refused")[-1]["credential"] == PUSH


def test_without_an_audience_no_id_token_is_taken(google: Google) -> None:
    google.callers = Callers("nba", google.shop.pipeline.ports)
    assert google.refused(google.signed()) == "no access token"
    assert google.fetched == 0


def test_nothing_of_an_id_token_is_logged_or_shown(google: Google) -> None:
    texts = [google.signed(), google.signed(key=NEW), google.signed(aud="https://other.example.org")]
    google.callers.of(f"Bearer {texts[0]}")
    for text in (*texts[1:], f"{texts[0]}x", texts[0][:-9]):
        google.refused(text)
    shown = repr(google.shop.told.events) + repr(google.callers._known)
    assert not [piece for text in texts for piece in text.split(".") if piece[:40] in shown]


@given(st.lists(st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode()), max_size=4)
       | st.lists(st.text(alphabet="eyJhbGciOi.=_-{}[]\\\"0", max_size=60), max_size=4))  # fmt: skip
def test_a_text_that_is_no_id_token_is_refused_without_asking_google(parts: list[str]) -> None:
    made = shop()
    # nothing listens there: to ask would raise Unavailable
    accounts = GoogleAccounts(AUDIENCE, GoogleKeys("http://127.0.0.1:9/certs", made.clock), made.clock)
    with pytest.raises(Refused):
        Callers("nba", made.pipeline.ports, accounts=accounts).of(f"Bearer {'.'.join(parts)}")
