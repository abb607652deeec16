"""What a competent engineer writes by hand: a completion document, locked by SELECT … FOR UPDATE.

A document a date names the steps that are done. The transaction that adds the last one inserts the trigger and
notifies; a consumer takes triggers with SKIP LOCKED and begins the next phase in the same transaction.
"""

from collections.abc import Sequence

import psycopg
from psycopg.types.json import Jsonb

SCHEMA = """
CREATE TABLE completion (day text PRIMARY KEY, document jsonb NOT NULL);
CREATE TABLE trigger (id bigserial PRIMARY KEY, day text NOT NULL);
CREATE TABLE lease (resource text PRIMARY KEY, holder text, until timestamptz NOT NULL)
"""


class HandWritten:
    """One connection's view of it; each thread has its own."""

    def __init__(self, url: str, *, expected: Sequence[str]) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        self._expected = frozenset(expected)

    def complete(self, day: str, step: str, *, result: str) -> None:
        """Record that a step is done; insert the trigger with the last one."""
        with self.connection.transaction():
            run = self.connection.execute
            run("INSERT INTO completion VALUES (%s, '{}') ON CONFLICT DO NOTHING", (day,))
            found = run("SELECT document FROM completion WHERE day = %s FOR UPDATE", (day,)).fetchone()
            assert found is not None
            document = {**found[0], step: {"result": result}}
            if document.keys() >= self._expected and "_triggered" not in document:
                document["_triggered"] = True
                run("INSERT INTO trigger (day) VALUES (%s)", (day,))
                run("SELECT pg_notify('trigger', %s)", (day,))
            run("UPDATE completion SET document = %s WHERE day = %s", (Jsonb(document), day))

    def begin(self) -> str | None:
        """Take the oldest trigger and begin its next phase; return the date."""
        with self.connection.transaction():
            run = self.connection.execute
            found = run("SELECT id, day FROM trigger ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED").fetchone()
            if found is None:
                return None
            document = Jsonb({"begun_by": found[0]})
            run("INSERT INTO completion VALUES (%s, %s) ON CONFLICT DO NOTHING", (f"{found[1]}/next", document))
            run("DELETE FROM trigger WHERE id = %s", (found[0],))
        return str(found[1])

    def acquire(self, resource: str, *, holder: str) -> bool:
        """Take a lease for a minute, if it is free or expired."""
        with self.connection.transaction():
            run = self.connection.execute
            run("INSERT INTO lease VALUES (%s, NULL, now()) ON CONFLICT DO NOTHING", (resource,))
            found = run(
                "SELECT holder IS NULL OR until < now() FROM lease WHERE resource = %s FOR UPDATE", (resource,)
            ).fetchone()
            if found is None or not found[0]:
                return False
            run("UPDATE lease SET holder = %s, until = now() + interval '1 minute' WHERE resource = %s",
                (holder, resource))  # fmt: skip
        return True

    def release(self, resource: str, *, holder: str) -> None:
        """Give a lease back, if it is still held."""
        self.connection.execute("UPDATE lease SET holder = NULL WHERE resource = %s AND holder = %s",
                                (resource, holder))  # fmt: skip
