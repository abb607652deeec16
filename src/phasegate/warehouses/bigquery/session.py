"""One snapshot of BigQuery: a session whose transaction only reads.

A session is used again by the next snapshot, which begins a new transaction in it; one that is not used for a day ends
by itself.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from phasegate.errors import BadInput, PhasegateError
from phasegate.warehouse import Params
from phasegate.warehouses.bigquery.dialect import BigQueryDialect, is_one_statement, named
from phasegate.warehouses.bigquery.jobs import Done, Job, Jobs, Running
from phasegate.warehouses.sql import own_tables as own
from phasegate.warehouses.sql.dialect import Types
from phasegate.warehouses.sql.session import Bound

READ = {"phasegate": "read"}
_SELECT = re.compile(r"(?:\s|--[^\n]*\n|\#[^\n]*\n|/\*.*?\*/)*(?:SELECT|WITH|\()", re.IGNORECASE | re.DOTALL)


def selected(sql: str, params: Params, /, *, what: str, why: str = "") -> tuple[str, dict[str, object]]:
    """Return the text of one SELECT, and the parameters that it names.

    Raises BadInput for any other text.
    """
    text = sql[: sql.rindex(";")] if sql.rstrip().endswith(";") else sql
    if not _SELECT.match(text) or not is_one_statement(text):
        raise BadInput(f"{what}: must be one SELECT{why}")
    return text, {name: params[name] for name in named(text)[1] if name in params}


class BigQuerySession:
    """Reads, each a job.

    ``session`` None: each reads the newest rows, in no transaction. ``known``: the columns of our own tables, which
    never change; it is added to.
    """

    def __init__(
        self, jobs: Jobs, names: BigQueryDialect, *, known: dict[str, dict[str, str]], session: str | None = None
    ) -> None:
        self.jobs, self._names, self._known, self._session = jobs, names, known, session
        self._running = Running()
        self._types: dict[str, dict[str, str]] = {}

    def run(self, sql: str, bound: Bound | None = None, /, *, what: str) -> list[tuple[Any, ...]]:
        """Run a SELECT and return its rows."""
        return list(self._done(sql, bound, what=what).rows)

    def _done(self, sql: str, bound: Bound | None, *, what: str) -> Done:
        return self.jobs.run(Job(sql, bound or {}, what, READ, session=self._session), running=self._running)

    def has(self, name: str, /) -> bool:
        """Return whether a table exists."""
        return bool(self.columns(name))

    def columns(self, name: str, /) -> Types:
        """Return all columns of a table and their types; {} for a missing one."""
        if name in self._known:
            return self._known[name]
        if name not in self._types:
            self._types[name] = self.jobs.columns(*self._names.split(name))
            if name.startswith(f"{own.SCHEMA}.") and self._types[name]:
                self._known[name] = self._types[name]
        return self._types[name]

    def select(self, sql: str, params: Params, /, *, what: str, why: str = "") -> tuple[str, dict[str, object]]:
        """Return the text of one SELECT, and the parameters that it names."""
        return selected(sql, params, what=what, why=why)

    def query(self, text: str, bound: Bound, /, *, what: str) -> list[dict[str, object]]:
        """Return the rows of a SELECT as dicts; zoned timestamps are in UTC."""
        done = self._done(text, bound, what=what)
        return [{name: _in_utc(cell) for name, cell in zip(done.names, row, strict=True)} for row in done.rows]

    def interrupt(self) -> None:
        """Stop a running statement, from any thread."""
        self._running.stop()


class SessionPool:
    """The sessions of one warehouse that no snapshot uses."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs, self._idle, self._lock = jobs, list[str](), threading.Lock()

    @contextmanager
    def snapshot(self, touch: str) -> Iterator[str]:
        """Give a session in which a transaction has begun.

        ``touch``: a SELECT of no rows, which takes the snapshot; "" where no table is there.
        """
        with self._lock:
            session = self._idle.pop() if self._idle else None
        session = self._begun(session, f"BEGIN TRANSACTION; {touch}")
        try:
            yield session
        except BaseException:
            self._end(session)
            raise
        with self._lock:
            self._idle.append(session)

    def _begun(self, session: str | None, begin: str) -> str:
        what = "a snapshot"
        if session is not None:
            try:
                self._jobs.run(Job(f"ROLLBACK TRANSACTION; {begin}", {}, what, READ, session=session))
            except PhasegateError:
                pass  # it has ended: there is another
            else:
                return session
        found = self._jobs.run(Job(begin, {}, what, READ, begins=True)).session
        assert found is not None, "BigQuery names the session that it begins"
        return found

    def close(self) -> None:
        """End the sessions."""
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            self._end(session)

    def _end(self, session: str) -> None:
        self._jobs.forget("ROLLBACK TRANSACTION; CALL BQ.ABORT_SESSION();", session=session)


def _in_utc(cell: object) -> object:
    return cell.astimezone(UTC) if isinstance(cell, datetime) and cell.tzinfo is not None else cell
