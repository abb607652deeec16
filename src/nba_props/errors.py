"""What this package raises: rows or files that must not reach a table, and dates that cannot be told yet."""

from __future__ import annotations

from collections.abc import Iterable


class DataError(Exception):
    """Name the place, what is wrong there and what to do now, in one line.

    Fields: `where` (file, batch or folder), `problem` (row and column included), `mend` (the next step).

    >>> print(DataError("a.parquet", problem="column PTS is missing", mend="export it again"))
    a.parquet: column PTS is missing; export it again
    """

    def __init__(self, where: str, *, problem: str, mend: str) -> None:
        self.where = _one_line(where)
        self.problem = _one_line(problem)
        self.mend = _one_line(mend)
        super().__init__(f"{self.where}: {self.problem}; {self.mend}")


class NotFinal(DataError):
    """Say that games of a date are not over: `games` are their ids, `of` is how many the date has in all.

    Not an empty date and not a whole one: whoever fetches tries again later, and completes nothing.

    >>> print(NotFinal("the log of 2025-01-10", games=["0022400002"], of=2))
    the log of 2025-01-10: 1 of 2 games not final yet: 0022400002; fetch the date again when they are over
    """

    def __init__(self, where: str, *, games: Iterable[str], of: int) -> None:
        self.games, self.of = tuple(sorted(games)), of
        super().__init__(
            where,
            problem=f"{len(self.games)} of {of} games not final yet: {', '.join(self.games)}",
            mend="fetch the date again when they are over",
        )


def _one_line(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines() if line.strip())
