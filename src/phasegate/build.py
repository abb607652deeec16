"""Which code a process runs, as one text.

``[SERVICE@]COMMIT[+dirty][.LOCK]``: the service that it is deployed as, the commit, ``+dirty`` if the working tree had
other content than that, and the first eight hex digits of the SHA-256 of the lock file. A text that is no such form is
a build all the same, whose commit is unknown. Pure.
"""

import re
from collections.abc import Sequence
from typing import Annotated, NamedTuple, Protocol

import msgspec

BUILD_MAX = 120
BUILD_PATTERN = r"^([A-Za-z0-9][A-Za-z0-9._+@-]*)?(?!\n)$"
BuildText = Annotated[str, msgspec.Meta(max_length=BUILD_MAX, pattern=BUILD_PATTERN)]
"""A build that another process reports, "" for none."""
FORM = "SERVICE@COMMIT, such as scores@3f2a9c1; letters, digits and . _ + @ - only, at most 120 of them"
LOCKS = ("requirements.lock", "uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "requirements.txt")
"""The names of a lock file at the root of a repository: the first that is there counts."""
LOCK_DIGITS = 8
_SERVICE = r"[a-z0-9][a-z0-9-]{0,62}"
_BUILD = re.compile(rf"(?:({_SERVICE})@)?([0-9a-f]{{7,40}})([+-]dirty)?(?:\.([0-9a-f]{{{LOCK_DIGITS}}}))?", re.ASCII)
_NAMED = re.compile(rf"({_SERVICE})@.*", re.ASCII)


class Build(NamedTuple):
    """A build, taken apart.

    ``service`` and ``lock``: "" if it does not name them. ``commit``: "" if it is unknown.
    """

    text: str
    service: str = ""
    commit: str = ""
    dirty: bool = False
    lock: str = ""


class Commit(NamedTuple):
    """A commit: its id, and its subject."""

    id: str
    subject: str


class History(Protocol):
    """The commits of a repository."""

    def full(self, name: str, /) -> str:
        """Return the id of a commit, a branch or a tag, "" if it is unknown."""
        ...

    def between(self, old: str, new: str, /, *, paths: Sequence[str] = ()) -> Sequence[Commit]:
        """Return the commits of ``new`` that ``old`` lacks, the newest first.

        ``paths``: only those that change something below one of these.
        """
        ...

    def lock(self, commit: str, /) -> str:
        """Return the digest of the lock file of a commit, "" without one."""
        ...


def parse_build(text: str, /) -> Build:
    """Take a build apart; what has another form has no commit.

    >>> parse_build("scores@3f2a9c1+dirty.0badf00d")
    Build(text='scores@3f2a9c1+dirty.0badf00d', service='scores', commit='3f2a9c1', dirty=True, lock='0badf00d')
    >>> parse_build("3f2a9c1-dirty").dirty  # as git describe --always --dirty spells it
    True
    >>> parse_build("v1.2.0")
    Build(text='v1.2.0', service='', commit='', dirty=False, lock='')
    """
    found = _BUILD.fullmatch(text)
    if found is None:
        named = _NAMED.fullmatch(text)
        return Build(text, named[1] if named else "")
    return Build(text, found[1] or "", found[2], found[3] is not None, found[4] or "")


def spelled_build(*, commit: str, dirty: bool = False, lock: str = "", service: str = "") -> str:
    """Return the text of a build.

    >>> spelled_build(commit="3f2a9c1", lock="0badf00d", service="scores")
    'scores@3f2a9c1.0badf00d'
    """
    return f"{service}{'@' if service else ''}{commit}{'+dirty' if dirty else ''}{'.' if lock else ''}{lock}"


def is_build(text: str, /) -> bool:
    """Return whether a text may stand for a build.

    >>> is_build("scores@3f2a9c1"), is_build("a build"), is_build("")
    (True, False, False)
    """
    return 0 < len(text) <= BUILD_MAX and re.match(BUILD_PATTERN, text) is not None
