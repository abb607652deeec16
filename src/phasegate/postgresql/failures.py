"""What PostgreSQL's errors mean for the caller: by code, not by text.

An ERROR ends its statement, which then had no effect. After anything else, such as a lost connection, the effect of a
write is unknown.
"""

from typing import TYPE_CHECKING, Literal

from phasegate.base.disk import FULL, is_full
from phasegate.errors import Ambiguous, Conflict, PhasegateError, Unavailable
from phasegate.postgresql.address import Address

if TYPE_CHECKING:
    import psycopg

Purpose = Literal["read", "write"]

_GRANT = "not permitted ({error}); grant it to this role, as the page On PostgreSQL says"
_OLD = "without what this version needs ({error}); run: phasegate init --{what} URL"
# By SQLSTATE, else by its first two characters.
_PROBLEMS = {
    "40001": "busy ({error}); try again",
    "40P01": "busy ({error}); try again",
    "53100": f"not writable, nothing was written: {FULL} ({{error}})",
    "53200": "not usable, its memory ran out; nothing was written ({error})",
    "53300": "out of connections ({error}); raise max_connections, or put PgBouncer before it",
    "57014": "too slow: the statement was stopped ({error}); look for what blocks it, or raise statement_timeout_s",
    "55P03": "locked by another statement ({error}); look for what blocks it",
    "25006": "read-only ({error}); give the address of the primary server",
    "42501": _GRANT,
    "42P01": _OLD,
    "42703": _OLD,
    "3F000": _OLD,
    "22P05": "not in UTF-8 ({error}); create the database with ENCODING 'UTF8'",
    "XX001": "damaged ({error}); stop all processes and restore it from a backup",
    "XX002": "damaged ({error}); run REINDEX on its tables",
}
# What a refused connection says, in the order of looking; the server gives no code with it.
_REFUSALS = (
    ("password", "set the password in PGPASSWORD or ~/.pgpass"),
    ("does not exist", "create the role and the database, as the page On PostgreSQL says"),
    ("no pg_hba.conf entry", "let pg_hba.conf admit this host, role and database, or use sslmode=require"),
    ("certificate", "check sslmode and sslrootcert"),
    ("SSL", "check sslmode, and that the server has TLS"),
    ("too many", "raise max_connections, or put PgBouncer before it"),
    ("remaining connection slots", "raise max_connections, or put PgBouncer before it"),
    ("the database system is", "it starts or stops; try again"),
    ("read-only", "give the address of the primary server"),
    ("", "check the address, and that the server runs"),
)


def refused(error: "psycopg.Error", *, what: str, address: Address) -> Unavailable:
    """Return the error of a connection that was not made."""
    text = address.without_secrets(str(error)).rstrip(".")
    mend = next(mend for said, mend in _REFUSALS if said in text)
    return Unavailable(f"{what} {address.shown} cannot be reached: {text}; {mend}")


def explained(error: "psycopg.Error", *, what: str, address: Address, purpose: Purpose) -> PhasegateError:
    """Return what an error of a statement means for the caller."""
    # Without the statement, which it may quote.
    said = error.diag.message_primary or str(error)
    text, state = address.without_secrets(said).rstrip("."), error.sqlstate or ""
    if (error.diag.severity_nonlocalized or error.diag.severity) != "ERROR":
        # The connection was lost, or the server ended it.
        if purpose == "read":
            return Unavailable(f"{what} {address.shown} did not answer ({text}); try again")
        return Ambiguous(f"{what} {address.shown}: {text}; the write may or may not have happened: read again")
    if purpose == "write" and state in ("40001", "40P01"):
        return Conflict(f"{what} {address.shown}: {text}; read again, decide again")
    if is_full(text):
        state = "53100"
    problem = _PROBLEMS.get(state, "not usable ({error}); see the server's log")
    return Unavailable(f"{what} {address.shown} is {problem.format(error=text, what=what)}")
