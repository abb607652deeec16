"""The credentials of the service's callers: who may call, and do what.

A credential is an access token or an account of Google, each a document of its own, so that one read finds it. Of an
access token only the hash is stored. It has 256 random bits, which cannot be guessed, so a fast hash is enough: slow
ones protect passwords, and would let anyone keep the service busy. This module draws nothing and decides on no call.
"""

import hashlib
import hmac
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from msgspec.structs import replace

from phasegate.base.codec import State, decode
from phasegate.errors import BadDocument, BadInput, NotFound
from phasegate.plan.model import Plan
from phasegate.plan.toml_lines import suggest
from phasegate.ports import ReadPorts
from phasegate.scan import scanned
from phasegate.transact import transact

Role = Literal["reporter", "reader", "operator"]
CredentialState = Literal["valid", "expired", "revoked"]

VALID_MAX = 2
"""So many access tokens of one name may be valid at once: the old one, and the one that replaces it."""
FRESH_S = 10.0
"""The service reads a credential again after so long: until then one that was revoked may still be used."""
PAGE = 100
NAME = re.compile(r"[a-z][a-z0-9_.-]{0,39}")
_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}@[a-z0-9][a-z0-9.-]{0,99}")
_TEXT = re.compile(r"(pg_([0-9a-f]{16})_[0-9a-f]{64})_([0-9a-f]{8})", re.ASCII)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token: its id, which is no secret, and its whole text."""

    id: str
    text: str = field(repr=False)

    @property
    def hash(self) -> str:
        """Return what is stored of it."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class Credential(State, frozen=True):
    """What one access token, or one account, may do.

    ``steps``: the steps and receivers that it may report, None for all. ``hash``: of the access token, "" for an
    account. ``since``: when it was added. ``expires_at`` None: never.
    """

    name: str
    role: Role
    since: float
    steps: tuple[str, ...] | None = None
    hash: str = ""
    account: str = ""
    expires_at: float | None = None
    revoked_at: float | None = None


def access_token(number: str, secret: str, /) -> AccessToken:
    """Spell an access token of an id (16 hex digits) and a secret (64)."""
    text = f"pg_{number}_{secret}"
    made = read_access_token(f"{text}_{_check_of(text)}")
    assert made is not None, "an id of 16 hex digits and a secret of 64"
    return made


def read_access_token(text: str, /) -> AccessToken | None:
    """Return the access token that a text is, or None.

    Its last digits are a checksum: a text that was mistyped or cut off is no access token, and nothing is read for it.
    """
    found = _TEXT.fullmatch(text)
    return None if found is None or _check_of(found[1]) != found[3] else AccessToken(found[2], text)


def _check_of(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def account_id(account: str, /) -> str:
    """Return the id of the credential of an account."""
    return f"google.{hashlib.sha256(account.encode()).hexdigest()[:32]}"


def state_of(credential: Credential, /, *, now: float) -> CredentialState:
    """Return whether a credential is valid now, and if not, why."""
    if credential.revoked_at is not None:
        return "revoked"
    return "valid" if credential.expires_at is None or now < credential.expires_at else "expired"


def is_of(credential: Credential, token: AccessToken, /) -> bool:
    """Return whether an access token is that of a credential.

    The time that this takes does not depend on where the two differ.
    """
    return hmac.compare_digest(credential.hash, token.hash)


def granted(plan: Plan, role: Role, steps: tuple[str, ...], /, *, every: bool) -> tuple[str, ...] | None:
    """Return the steps that a credential of a role may report.

    ``every``: all of them, also those that the plan will have. Raises BadInput, NotFound.
    """
    if role != "reporter":
        if steps or every:
            raise BadInput(f"--step and --all-steps are for --role reporter; leave them out, {role} has no steps")
        return None
    if every == bool(steps):
        raise BadInput("--role reporter: name what it may report with --step, or give --all-steps: one of the two")
    receivers = {one.name for phase in plan.phases.values() for mode in phase.modes
                 for one in plan.receivers(phase.name, mode=mode)}  # fmt: skip
    known = {*plan.steps, *receivers} - {*plan.phases}
    for step in steps:
        if step not in known:
            raise NotFound(f"--step {step!r}: the plan has no such step or receiver{suggest(step, known=known)}")
    return tuple(sorted(set(steps))) if steps else None


class Credentials:
    """Stores documents ``credential:PIPELINE:ID``."""

    def __init__(self, pipeline: str, ports: ReadPorts) -> None:
        self._prefix, self._ports = f"credential:{pipeline}:", ports

    def read(self, number: str, /) -> Credential | None:
        """Return a credential, whatever its state; None if there is none.

        Raises BadDocument, Unavailable.
        """
        key = self._prefix + number
        doc = self._ports.store.read(key)
        return None if doc is None else decode(Credential, doc.body, key=key)

    def all(self, *, broken: list[BadDocument]) -> Iterator[tuple[str, Credential]]:
        """Yield every credential with its id; unreadable ones go to ``broken``."""
        for doc in scanned(self._ports.store, self._prefix, page=PAGE):
            try:
                yield doc.key.removeprefix(self._prefix), decode(Credential, doc.body, key=doc.key)
            except BadDocument as e:
                broken.append(e)

    def add(
        self, name: str, *, role: Role, proof: AccessToken | str, steps: tuple[str, ...] | None,
        lasts_s: float | None = None,
    ) -> tuple[str, Credential]:  # fmt: skip
        """Store a credential; return its id and itself.

        ``proof``: a new access token, or the e-mail address of an account. ``steps``: as ``granted`` returns them.
        Raises BadInput, also when VALID_MAX access tokens of the name are valid, or the account's credential is.
        """
        if not NAME.fullmatch(name):
            raise BadInput(f"name {name!r}: write a-z, 0-9, '.', '_' and '-', at most 40, a letter first")
        now = self._ports.clock.now()
        new = Credential(name=name, role=role, since=now, steps=steps,
                         expires_at=None if lasts_s is None else now + lasts_s)  # fmt: skip
        if isinstance(proof, AccessToken):
            self._check_room(name, now=now)
            number, new = proof.id, replace(new, hash=proof.hash)
        else:
            if not _ACCOUNT.fullmatch(proof):
                raise BadInput(f"account {proof!r}: write its e-mail address in small letters, such as "
                               "caller@project.iam.gserviceaccount.com")  # fmt: skip
            number, new = account_id(proof), replace(new, account=proof)

        def decide(old: Credential | None) -> tuple[Credential, None]:
            if old is not None and old != new and state_of(old, now=now) == "valid":
                raise BadInput(
                    f"{number}: there is one already, of {old.name}; first: phasegate tokens revoke {number}"
                )
            return new, None

        transact(self._ports, self._prefix + number, kind=Credential, decide=decide)
        return number, new

    def _check_room(self, name: str, *, now: float) -> None:
        valid = [number for number, one in self.all(broken=[])
                 if one.name == name and one.hash and state_of(one, now=now) == "valid"]  # fmt: skip
        if len(valid) >= VALID_MAX:
            raise BadInput(f"{name} has {len(valid)} valid access tokens, and may have {VALID_MAX}; "
                           f"revoke the oldest first: phasegate tokens revoke {self._oldest(valid)}")  # fmt: skip

    def _oldest(self, numbers: list[str]) -> str:
        ages = {number: one.since for number in numbers if (one := self.read(number)) is not None}
        return min(ages, key=lambda number: (ages[number], number), default=numbers[0])

    def revoke(self, which: str, /) -> list[tuple[str, Credential]]:
        """Revoke the credential of an id, or all of a name; return them.

        What is revoked stays so, with the first time. Raises NotFound, and BadDocument for one of this id that cannot
        be read.
        """
        now = self._ports.clock.now()
        named = [number for number, one in self.all(broken=[]) if one.name == which and one.revoked_at is None]
        numbers = [which] if self._ports.store.read(self._prefix + which) is not None else named
        if not numbers:
            raise NotFound(f"{which}: no credential of this id or name is valid; see phasegate tokens list")

        def decide(old: Credential | None) -> tuple[Credential | None, Credential | None]:
            new = old if old is None or old.revoked_at is not None else replace(old, revoked_at=now)
            return new, new

        found = [(number, transact(self._ports, self._prefix + number, kind=Credential, decide=decide))
                 for number in numbers]  # fmt: skip
        return [(number, one) for number, one in found if one is not None]
