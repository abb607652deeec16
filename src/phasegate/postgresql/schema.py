"""The version of what Phasegate has in a database, and its migration.

All of it is in the schema ``phasegate``. Each component has a row with its version and the oldest version of programs
that may still use it: programs of two releases work side by side while one of them has migrated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phasegate.errors import Unavailable
from phasegate.postgresql.address import Address, parse_address
from phasegate.postgresql.pool import Pool

if TYPE_CHECKING:
    import psycopg

# Any number of our own: two migrations of one database take turns.
_LOCK = 0x50474154
_ENCODING = "SELECT current_setting('server_encoding'), to_regclass('phasegate.schema_versions') IS NOT NULL"
_HAS_SCHEMA = "SELECT to_regnamespace('phasegate') IS NOT NULL"
_HAS_VERSIONS = "SELECT to_regclass('phasegate.schema_versions') IS NOT NULL"
_VERSIONS = """CREATE TABLE phasegate.schema_versions (
    component text NOT NULL PRIMARY KEY, version integer NOT NULL, usable_from integer NOT NULL)"""
_FIND = "SELECT version, usable_from FROM phasegate.schema_versions WHERE component = %s"
_PUT = """INSERT INTO phasegate.schema_versions (component, version, usable_from) VALUES (%s, %s, %s)
    ON CONFLICT (component) DO UPDATE SET version = excluded.version, usable_from = excluded.usable_from"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One version: its statements, and the oldest version that may use it."""

    statements: Sequence[str]
    usable_from: int


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the schema; its version is the number of its migrations.

    ``is_made_on_use``: what of it is absent, or older, is made when it is first needed.
    """

    name: str
    migrations: Sequence[Migration]
    is_made_on_use: bool = False

    @property
    def version(self) -> int:
        """Return the version that this program needs."""
        return len(self.migrations)


def check_of(component: Component, *, address: Address) -> "Callable[[psycopg.Connection], None]":
    """Return a function that refuses a database that this program cannot use.

    It raises Unavailable: not migrated, or of a newer program that excludes this one.
    """
    init = f"with the URL: phasegate init --{component.name} URL"

    def check(connection: "psycopg.Connection") -> None:
        place = f"{component.name} {address.shown}"
        encoding, is_there = _row(connection, _ENCODING)
        if encoding != "UTF8" and not component.is_made_on_use:
            raise Unavailable(f"{place} is in {encoding}; create the database with ENCODING 'UTF8' TEMPLATE template0")
        found = _row(connection, _FIND, component.name) if is_there else ()
        if not found and component.is_made_on_use:
            return
        if not found:
            raise Unavailable(f"{place} is not there yet; create it, {init}")
        version, usable_from = found
        if usable_from > component.version:
            newer = f"of a newer Phasegate (schema {version}, this one reads up to {component.version})"
            raise Unavailable(f"{place} is {newer}; upgrade this process")
        if version < component.version and not component.is_made_on_use:
            older = f"of an older Phasegate (schema {version}, this one needs {component.version})"
            raise Unavailable(f"{place} is {older}; migrate it, {init}")

    return check


def migrate(pool: Pool, component: Component, /) -> tuple[int, int]:
    """Bring a component to this program's version, in one transaction.

    Return the version before, 0 for none, and after. A newer version that this program may use stays. Raises
    Unavailable for one that it may not, Ambiguous if the answer is lost: run it again.
    """
    with pool.connection("write") as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        # Without these looks a role without the right to create could not even see that nothing is to be done.
        if not _row(connection, _HAS_SCHEMA)[0]:
            connection.execute("CREATE SCHEMA phasegate")
        if not _row(connection, _HAS_VERSIONS)[0]:
            connection.execute(_VERSIONS)
        version, usable_from = _row(connection, _FIND, component.name) or (0, 0)
        if usable_from > component.version:
            newer = f"schema {version}, this one knows up to {component.version}"
            raise Unavailable(f"{component.name} {pool.address.shown} is of a newer Phasegate ({newer}); upgrade first")
        if version >= component.version:
            return version, version
        for migration in component.migrations[version:]:
            for statement in migration.statements:
                connection.execute(statement.encode())
        connection.execute(_PUT, (component.name, component.version, component.migrations[-1].usable_from))
    return version, component.version


def migrate_at(url: str, component: Component, /, *, connect_timeout_s: float) -> tuple[str, int, int]:
    """Bring a component of the database at a URL to this program's version.

    Return the address without secrets, and the schema's version before, 0 for none, and after. Raises as ``migrate``,
    and BadInput for a wrong address.
    """
    address = parse_address(url)
    pool = Pool(address, what=component.name, connections_max=1, connect_timeout_s=connect_timeout_s)
    try:
        return address.shown, *migrate(pool, component)
    finally:
        pool.close()


def _row(connection: "psycopg.Connection", sql: str, *values: object) -> tuple[Any, ...]:
    return connection.execute(sql.encode(), values or None).fetchone() or ()
