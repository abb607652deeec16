"""Errors of this package.

For rows or files that must not reach a table, and for dates that are not final yet.
"""

from __future__ import annotations

from collections.abc import Iterable


class DataError(Exception):
    """An error in data, as one line: the place, the problem and the fix.

    Fields: `where` (file, batch or folder), `problem` (row and column included), `fix` (the next step).

    >>> print(DataError("a.parquet", problem="column PTS is missing", fix="export it again"))
    a.parquet: column PTS is missing; export it again
    """

    def __init__(self, where: str, *, problem: str, fix: str) -> None:
        self.where = _one_line(where)
        self.problem = _one_line(problem)
        self.fix = _one_line(fix)
        super().__init__(f"{self.where}: {self.problem}; {self.fix}")


class NotFinal(DataError):
    """Games of a date have not ended.

    `games` are their ids, `of` is how many games the date has. The date is neither empty nor complete: a scraper
    fetches it again later, and reports no completion.

    >>> print(NotFinal("the log of 2025-01-10", games=["0022400002"], of=2))
    the log of 2025-01-10: 1 of 2 games not final yet: 0022400002; fetch the date again when they are over
    """

    def __init__(self, where: str, *, games: Iterable[str], of: int) -> None:
        self.games, self.of = tuple(sorted(games)), of
        super().__init__(
            where,
            problem=f"{len(self.games)} of {of} games not final yet: {', '.join(self.games)}",
            fix="fetch the date again when they are over",
        )


def _one_line(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines() if line.strip())
