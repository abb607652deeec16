"""The errors of this package; each says what the caller should do now.

The text is the base class's; subclasses exist only where a caller acts differently.
"""


class PhasegateError(Exception):
    """Base of this package's errors; the text names the place and the fix."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)


class Conflict(PhasegateError):
    """Another writer got there first: read again, decide again."""


class Ambiguous(PhasegateError):
    """The write may or may not have happened: read again, decide again."""


class Contended(PhasegateError):
    """A document stayed busy for too long: try the whole request later."""

    def __init__(self, key: str, tries: int) -> None:
        super().__init__(f"{key} changed under us {tries} times; try again later, or split the phase")
        self.key, self.tries = key, tries


class Unavailable(PhasegateError):
    """A store, bus or warehouse cannot be used: fix what is named, then retry."""


OUTAGES = (Ambiguous, Contended, Unavailable)
"""What is the fault of no message and no step: it is tried again, and never counted as a failure of theirs."""


class BadDocument(PhasegateError):
    """A stored document cannot be read.

    It is never overwritten, unless all of it can be derived again. ``newer``: a newer version wrote it.
    """

    def __init__(self, key: str, why: str, *, newer: bool = False) -> None:
        super().__init__(f"document {key}: {why}")
        self.key, self.newer = key, newer


class BadInput(PhasegateError):
    """A plan, message, argument or row is wrong: the text names place and fix."""


class NotFound(PhasegateError):
    """A run, step or phase does not exist: the text names those that do."""


class Fenced(PhasegateError):
    """A newer holder took over: stop, undo nothing, let it work."""

    def __init__(self, resource: str, token: int, newest: int) -> None:
        super().__init__(f"token {token} for {resource} is stale, the newest is {newest}; stop this work")
        self.resource, self.token, self.newest = resource, token, newest


class ForeignStore(PhasegateError):
    """The warehouse is fenced by another store: refuse writes until adoption."""

    def __init__(self, resource: str, *, found: str) -> None:
        super().__init__(f"{resource} {found}; if the other store is gone for good, run: phasegate adopt")
        self.resource = resource


def words(error: BaseException, /) -> str:
    """Return an error as one line, with its type unless it is our own.

    >>> words(BadInput("no such date")), words(KeyError("rows"))
    ('no such date', "KeyError: 'rows'")
    """
    try:
        text = legible(str(error))
    except Exception as e:  # noqa: BLE001  a foreign error may be unable to show itself; its type says what it is
        text = f"its text cannot be shown ({type(e).__name__})"
    return text if isinstance(error, PhasegateError) else f"{type(error).__name__}: {text}"


def legible(text: str, /) -> str:
    r"""Return a text that every store takes: half a surrogate pair is escaped.

    >>> legible("Bo\ud800")
    'Bo\\ud800'
    """
    return text.encode(errors="backslashreplace").decode()


class LeaseLost(PhasegateError):
    """The lease expired or was taken: stop; the work will be requested again."""

    def __init__(self, key: str, token: int) -> None:
        super().__init__(
            f"lease {key} with token {token} is no longer ours; stop this work, it will be requested again"
        )
        self.key, self.token = key, token


class Busy(PhasegateError):
    """Another process holds it: let the message be delivered again.

    It is neither a success nor a failure.
    """


class InputsChanged(PhasegateError):
    """The inputs are not those of the request any more: nothing was written.

    The work will be requested again.
    """


class Partial(PhasegateError):
    """A step found too little, or would lose rows: nothing was written."""


class Transient(PhasegateError):
    """A step failed for a reason that may pass: it is retried, bounded times."""
