"""Addresses of PostgreSQL databases. Pure.

An address is a libpq URL, checked strictly: a character that could make a password be read as another part of the URL
is refused, so that what is shown of an address never holds one.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from phasegate.errors import BadInput

FORM = "postgresql://HOST/DATABASE"
_WORD = r"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})"
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})*)(?::[0-9]+)?"
_VALUE = r"(?:[A-Za-z0-9._~!$'()*+,;:@/-]|%[0-9A-Fa-f]{2})*"
# Compiled when an address is read: most processes read none.
_ADDRESS = (
    rf"postgresql://(?:(?P<user>{_WORD}*)(?::(?P<password>{_WORD}*))?@)?(?P<hosts>{_HOST}(?:,{_HOST})*)"
    rf"(?:/(?P<database>{_WORD}*))?(?:\?(?P<options>[a-z_]+={_VALUE}(?:&[a-z_]+={_VALUE})*))?"
)
# libpq's connection parameters that may be given in a URL.
OPTIONS = frozenset({
    "application_name", "channel_binding", "connect_timeout", "gssencmode", "host", "hostaddr", "keepalives",
    "keepalives_count", "keepalives_idle", "keepalives_interval", "krbsrvname", "load_balance_hosts", "options",
    "passfile", "password", "port", "require_auth", "service", "ssl_max_protocol_version", "ssl_min_protocol_version",
    "sslcert", "sslcertmode", "sslcrl", "sslcrldir", "sslkey", "sslmode", "sslnegotiation", "sslpassword",
    "sslrootcert", "sslsni", "target_session_attrs", "tcp_user_timeout", "user",
})  # fmt: skip
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@dataclass(frozen=True, slots=True)
class Address:
    """A database's address; its ``repr`` and ``shown`` hold no secret.

    ``options``: the parameters after the question mark, decoded.
    """

    url: str = field(repr=False)
    shown: str
    options: dict[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    def without_secrets(self, text: str, /) -> str:
        """Return a text as one line in which passwords are dots."""
        for secret in self.secrets:
            text = text.replace(secret, "…")
        return " ".join(text.split())


def parse_address(url: str, /) -> Address:
    """Return the address that a URL spells.

    Raises BadInput, which shows no part of the URL.

    >>> parse_address("postgresql://me:secret@db.example.org:6432/nba?sslmode=verify-full")
    Address(shown='postgresql://db.example.org:6432/nba')
    """
    found = re.fullmatch(_ADDRESS, url)
    wrong = fault(url)
    if wrong or found is None:
        raise BadInput(f"postgresql:…: {wrong}")
    options = _options(found["options"])
    passwords = [found["password"] or "", options.get("password", ""), options.get("sslpassword", "")]
    secrets = {text for password in passwords if password for text in (password, unquote(password))}
    shown = f"postgresql://{unquote(found['hosts'])}/{unquote(found['database'])}"
    return Address(url, shown, options, tuple(sorted(secrets, key=len, reverse=True)))


def fault(url: str, /) -> str:
    """Return what is wrong with a URL and how to mend it, "" for nothing.

    >>> fault("postgresql://me:p@ss@host/db").partition(";")[0]
    'not an address of PostgreSQL'
    """
    found = re.fullmatch(_ADDRESS, url)
    if found is None:
        return (
            f"not an address of PostgreSQL; write {FORM}, and signs such as @ : / # of a user or password as %40 %3A "
            "%2F %23, or set PGPASSWORD"
        )
    if not found["database"]:
        return f"names no database; write {FORM}"
    options = _options(found["options"])
    for name in options:
        if name not in OPTIONS:
            from difflib import get_close_matches  # slow to import, and only errors need it

            near = get_close_matches(name, OPTIONS, n=1)
            return f"{name} is no parameter of libpq" + (f'; did you mean "{near[0]}"?' if near else "; remove it")
    if (mode := options.get("sslmode", "prefer")) not in SSL_MODES:
        return f"sslmode={mode}: wanted {' or '.join(SSL_MODES)}"
    for name in ("connect_timeout", "tcp_user_timeout"):
        if not options.get(name, "0").isdigit():
            return f"{name}: wanted a whole number"
    return ""


def _options(text: str | None) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split("&")] if text else []
    return {name: unquote(value) for name, _, value in pairs}
