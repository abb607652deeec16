"""An action on a pipeline as it is now: what it would do, and doing it."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from phasegate.audit import About
from phasegate.base.keys import Run


class DeedResult(NamedTuple):
    """What an action did; ``failed``: something of it did not work."""

    lines: tuple[str, ...]
    failed: bool = False


class Deed(NamedTuple):
    """One action, not done yet.

    ``title``: the action in words. ``lines``: what it would do, () for nothing. ``do``: does it.
    """

    title: str
    lines: tuple[str, ...]
    do: Callable[[], DeedResult]
    about: About = About()

    @property
    def has_effect(self) -> bool:
        """Return whether it would do anything now."""
        return bool(self.lines)


def about(run: Run, /) -> About:
    """Return that an action is about one run."""
    return About(run=str(run))


def done(lines: Iterable[str], /, *, failed: bool = False) -> DeedResult:
    """Return what was done, in lines."""
    return DeedResult(tuple(lines), failed)
