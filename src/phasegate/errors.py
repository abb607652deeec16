"""Every error answers one question, what should the caller do now.

The base class carries the sentence; subclasses exist only where a caller acts differently.
"""


class PhasegateError(Exception):
    """Base of all errors raised on purpose by this package; the text names the place and the mend."""


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
    """A store, bus or warehouse cannot be used now: mend what the text names, then try again."""


class BadDocument(PhasegateError):
    """A stored document cannot be understood; it is left as it is, never overwritten."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"document {key}: {why}")
        self.key = key


class BadInput(PhasegateError):
    """A plan, message, argument or row is wrong: the text names where and how to mend it."""


class NotFound(PhasegateError):
    """The run, step or phase asked for does not exist: the text names what does."""


class Fenced(PhasegateError):
    """A newer holder took over: stop, undo nothing, let it work."""

    def __init__(self, resource: str, token: int, newest: int) -> None:
        super().__init__(f"token {token} for {resource} is stale, the newest is {newest}; stop this work")
        self.resource, self.token, self.newest = resource, token, newest


class ForeignStore(PhasegateError):
    """The warehouse was fenced by another store than this one: refuse, until somebody adopts it."""

    def __init__(self, resource: str, *, found: str) -> None:
        super().__init__(f"{resource} {found}; if the other store is gone for good, run: phasegate adopt")
        self.resource = resource


def words(error: BaseException, /) -> str:
    """Return an error as one line: our own say all there is to say, others also what they are.

    >>> words(BadInput("no such date")), words(KeyError("rows"))
    ('no such date', "KeyError: 'rows'")
    """
    return str(error) if isinstance(error, PhasegateError) else f"{type(error).__name__}: {error}"


class LeaseLost(PhasegateError):
    """The lease ran out or was taken while working: stop, the document will ask again."""

    def __init__(self, key: str, token: int) -> None:
        super().__init__(
            f"lease {key} with token {token} is no longer ours; stop this work, it will be asked for again"
        )
        self.key, self.token = key, token


class Busy(PhasegateError):
    """Somebody else holds it: not a success and not a failure; let the message be delivered again."""


class InputsChanged(PhasegateError):
    """The inputs are no longer those of the request: nothing was written; the document will ask again."""


class Partial(PhasegateError):
    """A step found less than it needs, or would lose rows it should keep: nothing was written."""


class Transient(PhasegateError):
    """A step failed in a way that may pass: it is tried again, bounded times."""
