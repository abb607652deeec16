"""PostgreSQL's dialect: the SQL of names, types, texts and row digests.

Types are in the words of a plan (DOUBLE, VARCHAR); ``type_of`` translates them. Texts are ordered by code points.
"""

import re
from collections.abc import Iterable
from typing import assert_never

from phasegate.base.fingerprint import SCALE_MAX
from phasegate.base.table import Difference, Table
from phasegate.errors import BadInput
from phasegate.warehouses.sql import names
from phasegate.warehouses.sql.cells import family
from phasegate.warehouses.sql.dialect import Types
from phasegate.warehouses.sql.own_tables import SCHEMA, OwnSql
from phasegate.warehouses.sql.writes import WriteSql

# The shortest text of a float is rounded as the float itself is, unless it is half way between two: no number with
# fewer digits lies between the two. So most floats need no function of their own; 350 rows with 20 floats took 240 ms
# in PL/pgSQL (measured).
_FLOAT_TEXT = f"""
  SELECT CASE WHEN abs(x) <= ('99999999999999e-' || places)::double precision
      AND scale(x::text::numeric) <> places + 1
    THEN round(x::text::numeric, places)::text ELSE {SCHEMA}.exact_text(x, places) END
"""
# Correctly rounded from the exact value, as Python does: PostgreSQL's own cast to numeric keeps 15 digits.
_EXACT_TEXT = f"""
DECLARE
  a double precision := abs(x); short numeric; b bigint; e int; m bigint; exact numeric; r numeric; sign text := '';
BEGIN
  IF x = 'NaN' THEN RETURN 'nan'; END IF;
  IF x < 0 THEN sign := '-'; END IF;
  IF a = 'Infinity' THEN RETURN sign || 'inf'; END IF;
  IF a <= ('99999999999999e-' || places)::double precision THEN
    short := x::text::numeric;
    IF scale(short) <> places + 1 OR right(short::text, 1) <> '5' THEN RETURN round(short, places)::text; END IF;
  END IF;
  b := ('x' || encode(float8send(a), 'hex'))::bit(64)::bigint;
  e := (b >> 52) & 2047; m := b & 4503599627370495;
  IF e = 0 THEN e := 1; ELSE m := m | 4503599627370496; END IF;
  e := e - 1075;
  WHILE m <> 0 AND m & 1 = 0 LOOP m := m >> 1; e := e + 1; END LOOP;
  exact := CASE WHEN e >= 0 THEN m * power(2::numeric, e) ELSE m * power(5::numeric, -e) * ('1e' || e)::numeric END;
  IF a <= ('99999999999999e-' || places)::double precision THEN
    r := {SCHEMA}.half_even(exact, places);
    RETURN CASE WHEN r = 0 THEN '' ELSE sign END || round(r, places)::text;
  END IF;
  e := floor(log(exact))::int;
  IF exact >= ('1e' || (e + 1))::numeric THEN e := e + 1; ELSIF exact < ('1e' || e)::numeric THEN e := e - 1; END IF;
  r := {SCHEMA}.half_even(exact * ('1e' || (-e))::numeric, 16);
  IF r >= 10 THEN r := r / 10; e := e + 1; END IF;
  RETURN sign || round(r, 16)::text || 'e+' || lpad(e::text, greatest(2, length(e::text)), '0');
END
"""
_HALF_EVEN = """
  SELECT r - CASE WHEN r - exact = ('5e-' || (places + 1))::numeric AND (r * ('1e' || places)::numeric) % 2 = 1
    THEN ('1e-' || places)::numeric ELSE 0 END FROM (SELECT round(exact, places) AS r) q
"""
# In quotes, not in dollars: these name the parameters of a statement.
FUNCTIONS = tuple(
    f"""CREATE OR REPLACE FUNCTION {SCHEMA}.{head} IMMUTABLE PARALLEL SAFE AS '{body.replace("'", "''")}'"""
    for head, body in (
        ("half_even(exact numeric, places integer) RETURNS numeric LANGUAGE sql STRICT", _HALF_EVEN),
        ("exact_text(x double precision, places integer) RETURNS text LANGUAGE plpgsql STRICT", _EXACT_TEXT),
        # Not STRICT: it is then written into the statement in place of its call.
        ("float_text(x double precision, places integer) RETURNS text LANGUAGE sql", _FLOAT_TEXT),
    )
)
_TO = {"bool": "boolean", "text": "text", "date": "date", "uuid": "uuid", "bytes": "bytea",
       "time": "time without time zone"}  # fmt: skip
_FROM = {
    "boolean": "BOOLEAN", "smallint": "SMALLINT", "integer": "INTEGER", "bigint": "BIGINT", "real": "FLOAT",
    "double precision": "DOUBLE", "text": "VARCHAR", "date": "DATE", "uuid": "UUID", "bytea": "BLOB",
    "timestamp without time zone": "TIMESTAMP", "timestamp with time zone": "TIMESTAMP WITH TIME ZONE",
    "time without time zone": "TIME",
}  # fmt: skip
_BITS = {"TINYINT": "smallint", "SMALLINT": "smallint", "BIGINT": "bigint", "HUGEINT": "numeric(39,0)"}


quoted = names.quoted


def split(name: str, /) -> tuple[str, str]:
    """Return schema and table of a name; without one, ``public``."""
    return names.split(name, schema="public")


def reference(name: str, /) -> str:
    """Return the quoted full name of a table."""
    return names.reference(name, schema="public")


def type_of(declared: str, /) -> str:
    """Return a type of a plan in PostgreSQL's words.

    >>> type_of("DOUBLE"), type_of("decimal(8, 2)"), type_of("VARCHAR[]")
    ('double precision', 'decimal(8, 2)', 'text[]')
    """
    if declared.endswith("[]"):
        return f"{type_of(declared[:-2])}[]"
    match kind := family(declared):
        case "int":
            return _BITS.get(declared.strip().upper(), "integer")
        case "float":
            return "real" if declared.strip().upper() in ("FLOAT", "REAL", "FLOAT4") else "double precision"
        case "timestamp":
            zoned = "TZ" in declared.upper() or "WITH TIME" in declared.upper()
            return f"timestamp with{'' if zoned else 'out'} time zone"
        case "decimal" | "other":
            return declared
        case _:
            return _TO[kind]


def plain_type(found: str, /) -> str:
    """Return a type of PostgreSQL in the words of a plan.

    >>> plain_type("double precision"), plain_type("numeric(8,2)"), plain_type("character varying(9)")
    ('DOUBLE', 'DECIMAL(8,2)', 'VARCHAR')
    """
    if found.startswith("character"):
        return "VARCHAR"
    return _FROM.get(found) or re.sub(r"^numeric", "DECIMAL", found)


def text(cell: str, sql_type: str, /, *, scale: int) -> str:
    """Return the SQL of a cell's canonical text; see base.fingerprint.text.

    Raises BadInput for a type that has none.
    """
    match family(sql_type):
        case "text" | "bool" | "int" | "uuid":
            spelled = f"CAST({cell} AS text)"
        case "date":
            spelled = f"to_char({cell}, 'YYYY-MM-DD')"
        case "float":
            if not 0 <= scale <= SCALE_MAX:
                raise BadInput(f"scale {scale}: a float column keeps 0 to {SCALE_MAX} decimal places")
            spelled = f"{SCHEMA}.float_text(CAST({cell} AS double precision), {scale})"
        case "decimal":
            spelled = f"CAST(trim_scale({cell}) AS text)"
        case "timestamp":
            utc = f"({cell} AT TIME ZONE 'UTC')" if "ZONE" in sql_type.upper() or "TZ" in sql_type.upper() else cell
            spelled = f"""to_char({utc}, 'YYYY-MM-DD"T"HH24:MI:SS.US')"""
        case "time":
            spelled = f"to_char(DATE '1970-01-01' + {cell}, 'HH24:MI:SS.US')"
        case "bytes":
            spelled = f"encode({cell}, 'hex')"
        case "other":
            raise BadInput(f"{sql_type} has no canonical text: store it as VARCHAR, or declare the column volatile")
        case unknown:
            assert_never(unknown)
    return f'({spelled} COLLATE "C")'


def row_hash(table: Table, types: Types, /, *, alias: str) -> str:
    """Return the SQL of a row's SHA-256 in hex.

    An array: a function takes 100 arguments at most. Its NULLs are left out.
    """
    cells = []
    for column in table.fingerprinted(tuple(types)):
        spelled = text(f"{alias}.{quoted(column)}", types[column], scale=table.scale(column))
        name = column.lower().replace("'", "''")
        # Only a text can hold what stands between two cells.
        spelled = f"replace({spelled}, ';', ';;')" if family(types[column]) == "text" else spelled
        cells.append(f"'{name}=' || {spelled}")
    row = f"array_to_string(CAST(ARRAY[{', '.join(cells)}] AS text[]), ';')"
    return f"encode(sha256(convert_to({row}, 'UTF8')), 'hex')"


def piece(digest: str, number: int, /) -> str:
    """Return the SQL of a piece of a digest; sums of bigint are numeric."""
    return f"CAST(CAST('x' || substr({digest}, {8 * number + 1}, 8) AS bit(32)) AS bigint)"


def is_not_finite(cell: str, /) -> str:
    """Return the condition that a float is NaN or infinite."""
    return f"{cell} IN ('NaN', 'Infinity', '-Infinity')"


def try_cast(text: str, sql_type: str, /) -> str:
    """Return the SQL of a parameter as a value of this type.

    PostgreSQL has no such cast: the session binds the value, or NULL, as a parameter beside it.
    """
    return f"CAST({text}_as_{family(sql_type)} AS {type_of(sql_type)})"


def as_one(cells: Iterable[str], /) -> str:
    """Return the SQL of one value that is equal if all cells are."""
    return f"ROW({', '.join(cells)})"


def create_schema(named: str, /) -> str:
    """Return the CREATE of a schema, given in quotes, if it is absent.

    ``IF NOT EXISTS`` asks for the right to create before it looks.
    """
    asked = named.replace("'", "''")
    block = f"BEGIN IF to_regnamespace('{asked}') IS NULL THEN CREATE SCHEMA {named}; END IF; END"
    return f"""DO '{block.replace("'", "''")}'"""


class PostgresSql(WriteSql):
    """The statements on guarded tables.

    Texts are in order of code points, whatever the database's own order is: so are then minima, comparisons and windows
    of what steps read. A partition is found by an index.
    """

    # It would be written into each of the eight sums: 350 rows of 40 columns took 160 ms (measured).
    once = " OFFSET 0"

    def create_schema(self, table: Table, /) -> str:
        """Return the CREATE of a table's schema, if it is absent."""
        return create_schema(self._named(table).rpartition(".")[0])

    def create(self, table: Table, types: Types, /) -> str:
        """Return the CREATE of a table and of its index."""
        index = f"CREATE INDEX ON {reference(table.name)} ({quoted(table.partition)})"
        return f"{_ordered(super().create(table, types))}; {index}"

    def reshape(self, table: Table, change: Difference, /) -> list[str]:
        """Return the ALTERs that give a table the columns of its plan."""
        return [_ordered(one) for one in super().reshape(table, change)]


class PostgresOwn(OwnSql):
    """The statements on our own tables, with texts in order of code points."""

    def system(self) -> list[str]:
        """Return the CREATEs of what is absent, our functions included."""
        _, *tables = super().system()
        ordered = [re.sub(r"\btext\b(?!\[)", 'text COLLATE "C"', one) for one in tables]
        indexes = [f"CREATE INDEX IF NOT EXISTS receipts_by_{name} ON {self.receipts} ({columns})"
                   for name, columns in (("part", 'table_name, "partition"'), ("write", "write_id"))]  # fmt: skip
        return [create_schema(quoted(SCHEMA)), *ordered, *indexes, *FUNCTIONS]


def _ordered(sql: str) -> str:
    """Give the text columns of a CREATE or ALTER the order of code points."""
    return re.sub(r'(?<=" )text(?=[,)]|$)|(?<=SET DATA TYPE )text\b', 'text COLLATE "C"', sql)
