"""The one error of this package: rows or files that must not reach a table."""

from __future__ import annotations


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


def _one_line(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines() if line.strip())
