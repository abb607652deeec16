"""A stubbed issuer of Google's ID tokens, with a key of this process that is published as Google publishes its own."""

import json
import time
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

KEY_ID, ALGORITHM, LASTS_S = "of-the-stub", "RS256", 3_600


class Issuer:
    """Issues tokens. ``now``: the clock that they are dated by."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._key, self._other = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))

    def public(self) -> dict[str, Any]:
        """Return the key that tokens are checked with."""
        found: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        return {**found, "kid": KEY_ID, "alg": ALGORITHM, "use": "sig"}

    def token(self, *, account: str, audience: str, forged: bool = False, **claims: object) -> str:
        """Return a token of an account; a forged one has another key's signature."""
        now = int(self._now())
        said = {
            "iss": "https://accounts.google.com", "aud": audience, "sub": "1138", "email": account,
            "email_verified": True, "iat": now, "exp": now + LASTS_S, **claims,
        }  # fmt: skip
        key = self._other if forged else self._key
        return jwt.encode(said, key, algorithm=ALGORITHM, headers={"kid": KEY_ID})

    def account_of(self, token: str, *, audiences: list[str]) -> str | None:
        """Return whose token it is, None unless this issuer signed it, for one of the audiences, and for now."""
        try:
            claims = jwt.decode(
                token, self._key.public_key(), algorithms=[ALGORITHM], audience=audiences,
                options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},  # by the machine's clock
            )  # fmt: skip
        except jwt.PyJWTError:
            return None
        return str(claims["email"]) if claims["iat"] <= self._now() + 60 and self._now() < claims["exp"] else None
