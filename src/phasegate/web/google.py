"""The accounts of Google that ID tokens prove.

Pub/Sub's push, Cloud Scheduler and Cloud Functions send them. One is taken only if Google signed it, for this service
and for now. The keys come from Google and are kept as long as it allows, never longer: while they cannot be fetched, no
ID token is taken.
"""

import re
import threading
from collections.abc import Mapping
from typing import Literal, NamedTuple

import jwt
import msgspec

from phasegate.base.codec import build_type
from phasegate.channels.http import host_of, request
from phasegate.errors import Unavailable
from phasegate.ports import Clock
from phasegate.settings import Settings
from phasegate.web.callers import Unproven

ISSUERS = ("https://accounts.google.com", "accounts.google.com")
ALGORITHM: Literal["RS256"] = "RS256"
SKEW_S = 60.0
"""How far the clocks of Google and of this machine may differ."""
FETCH_S, WAIT_S = 3.0, 1.0
"""How long a fetch may take, and how long another thread waits for one that is needed."""
KEPT_S = (60.0, 86_400.0)
"""The bounds of how long keys are kept, whatever Google says."""
AGAIN_S, FAILED_S = 60.0, 5.0
"""How long no key is fetched after a fetch, and after one that failed: an unknown key costs no more than that."""


REMOVED = ".SIGNATURE_REMOVED_BY_GOOGLE"
"""What a token ends with once Cloud Run has checked it."""
_STRIPPED = re.compile(r"[\w-]+\.[\w-]+" + re.escape(REMOVED), re.ASCII)


def is_stripped(text: str, /) -> bool:
    """Return whether Google has removed the signature of an ID token.

    A text that is more than one token is none.

    >>> is_stripped("e30.e30.SIGNATURE_REMOVED_BY_GOOGLE"), is_stripped("e30.e30.c2ln")
    (True, False)
    """
    return _STRIPPED.fullmatch(text) is not None


class Claims(msgspec.Struct, frozen=True):
    """What an ID token says of its account, and for how long."""

    email: str
    email_verified: bool
    exp: float
    iat: float
    nbf: float = 0.0


class _Key(msgspec.Struct, frozen=True):
    """A published key for signatures with ALGORITHM."""

    kid: str
    kty: Literal["RSA"]
    n: str
    e: str
    alg: Literal["RS256"] = "RS256"
    use: Literal["sig"] = "sig"


class _KeySet(msgspec.Struct, frozen=True):
    keys: list[dict[str, object]]


for _kind in (Claims, _Key, _KeySet):
    build_type(_kind)  # not by the first requests at once


class _Kept(NamedTuple):
    """Keys by their id, and until when they may be used."""

    keys: Mapping[str, jwt.PyJWK]
    until: float


class GoogleKeys:
    """Google's keys, fetched when needed; safe to use from many threads.

    ``url``: of a JSON Web Key Set.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        self._url, self._clock = url, clock
        self._fetching = threading.Lock()
        self._kept = _Kept({}, float("-inf"))
        self._again_at, self._error = float("-inf"), ""

    def key(self, kid: str, /) -> jwt.PyJWK:
        """Return the key of an id.

        One thread fetches at a time. The others go on with the keys that may still be used, or wait for WAIT_S: the
        threads that find callers are few. Raises Unproven if Google has no such key, Unavailable if the keys cannot be
        fetched, or not yet.
        """
        if (found := self._current(kid)) is not None:
            return found
        if not self._fetching.acquire(timeout=0.0 if self._is_current else WAIT_S):
            raise Unavailable("Google's keys are being fetched; send it again")
        try:
            if self._current(kid) is None and self._clock.monotonic() >= self._again_at:
                self._fetch()
            found, error = self._current(kid), self._error
        finally:
            self._fetching.release()
        if found is not None:
            return found
        if error:
            raise Unavailable(f"Google's keys cannot be fetched: {error}")
        raise Unproven("ID token: unknown key")

    @property
    def _is_current(self) -> bool:
        return self._clock.monotonic() < self._kept.until

    def _current(self, kid: str) -> jwt.PyJWK | None:
        kept = self._kept
        return kept.keys.get(kid) if self._clock.monotonic() < kept.until else None

    def _fetch(self) -> None:
        answer = request(self._url, timeout_s=FETCH_S, total_s=FETCH_S)
        now = self._clock.monotonic()
        keys = {} if answer.error else _keys_of(answer.body)
        self._error = answer.error or ("" if keys else f"{host_of(self._url)} answered without a key of {ALGORITHM}")
        self._again_at = now + (FAILED_S if self._error else AGAIN_S)
        if not self._error:
            self._kept = _Kept(keys, now + kept_s(answer.cache_control))


def _keys_of(body: bytes) -> dict[str, jwt.PyJWK]:
    """Return the usable keys of a JSON Web Key Set; {} if there is none."""
    found = {}
    try:
        listed = msgspec.json.decode(body, type=_KeySet).keys
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    for one in listed:
        try:
            key = msgspec.convert(one, _Key)
            found[key.kid] = jwt.PyJWK({"kty": key.kty, "n": key.n, "e": key.e}, ALGORITHM)
        except (msgspec.ValidationError, jwt.PyJWTError):
            continue  # of another kind, for another use
    return found


def kept_s(cache_control: str, /) -> float:
    """Return how long keys may be kept, in seconds.

    >>> [kept_s(text) for text in ("public, max-age=21600", "max-age=1", "max-age=999999", "no-store", "")]
    [21600.0, 60.0, 86400.0, 60.0, 60.0]
    """
    found = re.search(r"(?:^|[\s,])max-age=(\d{1,9})(?=$|[\s,])", cache_control.lower())
    return min(max(float(found[1]) if found else 0.0, KEPT_S[0]), KEPT_S[1])


class GoogleAccounts:
    """Tells the account that an ID token is of.

    ``audience``: what ID tokens must be for, as configured at Google; usually the address of this service.
    ``is_fronted``: Cloud Run lets in only whom it knows, and removes the signature that it has checked; such a token is
    taken by what it says.
    """

    def __init__(self, audience: str, keys: GoogleKeys, clock: Clock, *, is_fronted: bool = False) -> None:
        self._audience, self._keys, self._clock, self._is_fronted = audience, keys, clock, is_fronted

    def account_of(self, text: str, /) -> str:
        """Return the e-mail address that an ID token proves.

        Raises Unproven, and Unavailable if Google's keys cannot be fetched.
        """
        try:
            kid = jwt.get_unverified_header(text).get("kid")
            if not isinstance(kid, str):
                raise Unproven("ID token: names no key")
            if is_stripped(text):
                if not self._is_fronted:
                    raise Unproven("ID token: Google has removed its signature; see the setting google_front")
                key = None
            else:
                key = self._keys.key(kid)
            claims = msgspec.convert(self._verified(text, key), Claims)
        except jwt.PyJWTError as e:
            raise Unproven(f"ID token: {type(e).__name__}") from None  # the text may hold a part of the token
        except msgspec.ValidationError:
            raise Unproven("ID token: a claim is missing, or of another type") from None
        self._check(claims)
        return claims.email

    def _verified(self, text: str, key: jwt.PyJWK | None) -> dict[str, object]:
        return jwt.decode(
            text,
            key if key is not None else "",
            algorithms=[ALGORITHM],
            audience=self._audience,
            issuer=ISSUERS,
            options={
                "require": ["aud", "iss", "exp", "iat"],
                "verify_signature": key is not None,
                "verify_aud": True,
                "verify_iss": True,
                "strict_aud": True,
                "enforce_minimum_key_length": True,
                # PyJWT has the machine's clock only: _check compares the times
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )

    def _check(self, claims: Claims) -> None:
        """Refuse other times than now, and an unverified address.

        Each comparison is false for a value that is no number.
        """
        now = self._clock.now()
        if not now < claims.exp + SKEW_S:
            raise Unproven("ID token: expired")
        if not max(claims.iat, claims.nbf) <= now + SKEW_S:
            raise Unproven("ID token: not valid yet")
        if not claims.email_verified:
            raise Unproven("ID token: the e-mail address is not verified")


def accounts_of(settings: Settings, clock: Clock) -> GoogleAccounts | None:
    """Return what tells accounts, None if the settings name no audience."""
    if settings.audience is None:
        return None
    keys = GoogleKeys(settings.google_keys, clock)
    return GoogleAccounts(settings.audience, keys, clock, is_fronted=settings.google_front == "cloud-run")
