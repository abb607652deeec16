"""Who is calling, and what they may do.

Nothing is allowed that no credential allows. Every credential that is not valid is refused with one text, so that a
refusal tells nothing; the log says why. It refuses to guess: while the store cannot be read, no caller is known.
"""

import threading
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from phasegate import credentials
from phasegate.base.keys import parse_trigger
from phasegate.credentials import FRESH_S, Credential, Credentials, Role
from phasegate.errors import BadDocument, PhasegateError, Unavailable
from phasegate.messages import CompletionMessage
from phasegate.plan.model import Plan
from phasegate.ports import Ports

KNOWN_MAX = 1_000
HEADER_MAX = 8_000
UNKNOWN = (
    "no valid credential: send the header Authorization: Bearer ACCESS_TOKEN; "
    "an operator adds one with phasegate tokens add"
)


class Refused(PhasegateError):
    """A call that is not allowed; the text may be shown to the caller.

    ``status``: 401 without a valid credential, 403 for what it does not allow.
    """

    def __init__(self, status: Literal[401, 403], reason: str) -> None:
        super().__init__(reason)
        self.status: Literal[401, 403] = status
        self.reason = reason


class Unproven(Exception):
    """Why a credential is not valid; only for the log."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling.

    Roles do not include one another, except that an operator may do everything: the access token of a reporter that
    leaks shows nothing, and one of a reader changes nothing. ``steps``: the steps and receivers that a reporter may
    report, None for all.
    """

    name: str
    role: Role
    steps: frozenset[str] | None = None

    def check(self, role: Role, /, *, step: str | None = None) -> None:
        """Refuse what takes another role, or is about a step of others.

        Raises Refused (403).
        """
        if self.role not in (role, "operator"):
            raise Refused(403, f"{self.name} is {_a(self.role)}; this takes {_a(role)}")
        if step is not None and self.steps is not None and step not in self.steps:
            raise Refused(403, f"{self.name} may report {', '.join(sorted(self.steps))} only")

    def check_report(self, message: CompletionMessage, plan: Plan, /) -> None:
        """Refuse a completion of a step of others, or for another receiver.

        A completion that echoes a trigger acknowledges it for its receiver. Raises Refused (403), and BadInput for the
        id of no trigger.
        """
        self.check("reporter")
        if message.step or not message.trigger_id:
            self.check("reporter", step=message.step)
        if message.trigger_id:
            receiver = parse_trigger(message.trigger_id)[4]
            if receiver not in plan.phases:  # a phase acknowledges its triggers itself
                self.check("reporter", step=receiver)


def _a(role: Role) -> str:
    return f"{'an' if role == 'operator' else 'a'} {role}"


class Accounts(Protocol):
    """What tells the account that a signed text speaks for."""

    def account_of(self, text: str, /) -> str:
        """Return the account; raise Unproven, or Unavailable if it cannot tell."""
        ...


class _Read(NamedTuple):
    """A credential as it was read, and when."""

    credential: Credential
    at: float


class Callers:
    """Finds the caller of a request; safe to use from many threads.

    ``accounts`` None: access tokens only.
    """

    def __init__(self, pipeline: str, ports: Ports, *, accounts: Accounts | None = None) -> None:
        self._credentials, self._ports, self._accounts = Credentials(pipeline, ports), ports, accounts
        self._lock = threading.Lock()
        self._known: dict[str, _Read] = {}

    def of(self, authorization: str | None, /) -> Caller:
        """Return the caller that the header ``Authorization`` proves.

        If a request has several such headers, pass all of them, joined by ", ": they are refused. Raises Refused (401),
        and Unavailable while the store, or what tells the account, cannot be reached.
        """
        shown = ""
        try:
            text = _bearer(authorization)
            if (token := credentials.read_access_token(text)) is not None:
                shown = number = token.id
            else:
                shown = self._account(text)
                number = credentials.account_id(shown)
            found = self._find(number)
            if token is not None and not credentials.is_of(found, token):
                raise Unproven("another secret")
            state = credentials.state_of(found, now=self._ports.clock.now())
            if state != "valid":
                raise Unproven(state)
        except Unproven as e:
            self._ports.observer.event("caller refused", credential=shown, reason=str(e))
            raise Refused(401, UNKNOWN) from None
        return Caller(found.name, found.role, None if found.steps is None else frozenset(found.steps))

    def _account(self, text: str) -> str:
        if self._accounts is None:
            raise Unproven("no access token")
        return self._accounts.account_of(text)

    def _find(self, number: str) -> Credential:
        """Return a credential that was read at most FRESH_S ago.

        Raises Unproven if there is none.
        """
        now = self._ports.clock.monotonic()
        with self._lock:
            known = self._known.get(number)
        if known is not None and now - known.at < FRESH_S:
            return known.credential
        try:
            found = self._credentials.read(number)
        except BadDocument as e:
            raise Unavailable(f"a credential cannot be read: {e}") from None
        with self._lock:
            if found is None:
                self._known.pop(number, None)
            else:
                if len(self._known) >= KNOWN_MAX:
                    self._known.clear()
                self._known[number] = _Read(found, now)
        if found is None:
            raise Unproven("unknown")
        return found


def _bearer(authorization: str | None) -> str:
    """Return what follows ``Bearer`` in the header; raise Unproven."""
    if authorization is None:
        raise Unproven("no header")
    if len(authorization) > HEADER_MAX or not authorization.isascii():
        raise Unproven("no bearer header")
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise Unproven("no bearer header")
    return text
