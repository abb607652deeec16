"""Names of tables and columns, as the engines of SQL spell them. Pure."""

from phasegate.errors import BadInput


def quoted(name: str, /) -> str:
    """Return an identifier in quotes.

    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def split(name: str, /, *, schema: str) -> tuple[str, str]:
    """Return schema and table of a full name; without one, ``schema``.

    Raises BadInput for a name of more than two parts.

    >>> split("cache.games", schema="main"), split("games", schema="main")
    (('cache', 'games'), ('main', 'games'))
    """
    parts = name.split(".")
    if len(parts) > 2 or not all(parts):
        raise BadInput(f"table {name!r}: name it as schema.table")
    return (parts[0], parts[1]) if len(parts) == 2 else (schema, parts[0])


def reference(name: str, /, *, schema: str) -> str:
    """Return the quoted full name of a table.

    >>> reference("games", schema="main")
    '"main"."games"'
    """
    return ".".join(map(quoted, split(name, schema=schema)))
