"""DuckDB's errors as Phasegate's, one clear line each.

They are distinguished by the name of their class and their text.
"""

from pathlib import Path

from phasegate.base.disk import FULL, is_full
from phasegate.errors import Ambiguous, BadInput, Conflict, PhasegateError, Unavailable

_COMMIT_FAILED = "Failed to commit: "
_STATEMENT_WRONG = {
    "BinderException",
    "CatalogException",
    "ConversionException",
    "DataError",
    "InvalidInputException",
    "InvalidTypeException",
    "NotImplementedException",
    "OutOfRangeException",
    "ParserException",
    "ProgrammingError",
    "SyntaxException",
    "TypeMismatchException",
}
_PROPOSES = ("Did you mean ", "Candidate bindings: ")
_BROKEN = {"FatalException", "InternalException"}


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _hint(error: BaseException) -> str:
    """Return the names that DuckDB proposes for one that it does not know."""
    return next((f" {line}" for line in str(error).splitlines()[1:] if line.startswith(_PROPOSES)), "")


def is_duckdb(error: BaseException) -> bool:
    """Return whether DuckDB raised this."""
    return type(error).__module__.lstrip("_") == "duckdb"


def is_broken(error: BaseException) -> bool:
    """Return whether the open database can no longer be used.

    It must then be closed and opened again.
    """
    return is_duckdb(error) and type(error).__name__ in _BROKEN


def of_statement(error: BaseException, *, path: Path, what: str) -> PhasegateError:
    """Return what an error of a statement means.

    ``what`` names the statement, such as ``SQL for table a.b``.
    """
    name, line = type(error).__name__, first_line(error)
    if name == "TransactionException" and "onflict" in line:
        return Conflict(f"{what}: another transaction changed the same rows ({line})")
    if name == "InterruptException":
        return Unavailable(f"{what}: interrupted; nothing was written")
    if name in _STATEMENT_WRONG:
        # staged rows are bound as one list per column, which DuckDB would print whole
        return BadInput(f"{what}: {line.partition(' when casting from source column UNNEST(')[0]}{_hint(error)}")
    if name == "ConstraintException":
        return BadInput(f"{what}: the table's own constraint refused a row ({line})")
    full = is_full(str(error))
    if name == "OutOfMemoryException" and not full:
        return Unavailable(f"{what}: out of memory ({line}); give DuckDB more, or write smaller partitions")
    return Unavailable(
        f"{what}: {path} cannot be used now ({line}){f': {FULL}' if full else '; check permissions and the file'}"
    )


def of_commit(error: BaseException, *, path: Path) -> PhasegateError:
    """Return what an error of COMMIT means.

    A conflict is certain; every other error leaves the outcome open.
    """
    line = first_line(error)
    cause = line.partition(_COMMIT_FAILED)[2]
    # The text of an I/O error may contain the file's own path: only its beginning is compared.
    certain = cause.startswith(("PRIMARY KEY or UNIQUE", "write-write conflict", "Catalog write-write", "Conflict"))
    if certain or line.startswith("TransactionContext Error: Conflict"):
        return Conflict(f"the commit met another transaction's change ({line})")
    if is_full(str(error)):
        return Ambiguous(f"the commit into {path} got no clear answer ({line}): {FULL}")
    return Ambiguous(f"the commit into {path} got no clear answer ({line}); check whether it was written, then retry")


def of_open(error: BaseException, *, path: Path) -> PhasegateError:
    """Return why the file could not be opened."""
    line = first_line(error)
    if is_full(str(error)):
        return Unavailable(f"{path} cannot be opened ({line}): {FULL}")
    if "not a valid DuckDB" in line:
        return Unavailable(f"{path} is not a DuckDB file; name another one, or move it away")
    if "Could not set lock" in line:
        holder = line.partition("(PID ")[2].partition(")")[0]
        return Unavailable(
            f"{path} is open in another program (process {holder or 'unknown'}), "
            "which does not take turns; close it there"
        )
    if "Permission denied" in line or "InputRead-only file system" in line:
        return Unavailable(f"{path} cannot be written ({line}); change its permissions")
    return Unavailable(f"{path} cannot be opened ({line})")
