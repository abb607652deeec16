"""The documents of ``phasegate tokens``."""

from phasegate.credentials import CredentialState, Role
from phasegate.printed.parts import PrintedJson, Time


class CredentialJson(PrintedJson, frozen=True, kw_only=True):
    """What one access token, or one account, may do.

    ``steps``: what a reporter may report, null for all. ``account``: empty for an access token. ``expires_at`` and
    ``revoked_at``: null if it does not, and was not.
    """

    id: str
    name: str
    role: Role
    steps: tuple[str, ...] | None
    account: str
    state: CredentialState
    since: Time
    expires_at: Time | None
    revoked_at: Time | None


class CredentialsJson(PrintedJson, frozen=True, kw_only=True):
    """Who may call the service."""

    now: Time
    credentials: tuple[CredentialJson, ...]
    errors: tuple[str, ...]


class AddedJson(CredentialJson, frozen=True, kw_only=True):
    """A credential that was added.

    ``access_token``: the secret, which is printed here only; null for an account.
    """

    access_token: str | None


class RevokedJson(PrintedJson, frozen=True, kw_only=True):
    """The credentials that are revoked now."""

    revoked: tuple[CredentialJson, ...]
