"""BigQuery's dialect: the SQL of names, types, texts and row digests.

Types are in the words of a plan (DOUBLE, VARCHAR); ``type_of`` translates them. A cast takes types without digits:
``column_type`` is that of a column. Texts are ordered by code points.
"""

import re
from collections.abc import Iterable, Mapping
from typing import assert_never

from phasegate.base.fingerprint import float_limit
from phasegate.base.table import Table
from phasegate.errors import BadInput
from phasegate.warehouses.sql.cells import family
from phasegate.warehouses.sql.dialect import Types
from phasegate.warehouses.sql.own_tables import SCHEMA

# Our own tables begin with it: they may lie beside the user's.
OWN_PREFIX = "phasegate_"
_TO = {"bool": "BOOL", "int": "INT64", "float": "FLOAT64", "text": "STRING", "date": "DATE", "time": "TIME",
       "uuid": "STRING", "bytes": "BYTES"}  # fmt: skip
_FROM = {
    "BOOL": "BOOLEAN", "BOOLEAN": "BOOLEAN", "INT64": "BIGINT", "INTEGER": "BIGINT", "FLOAT64": "DOUBLE",
    "FLOAT": "DOUBLE", "STRING": "VARCHAR", "DATE": "DATE", "TIME": "TIME", "BYTES": "BLOB", "DATETIME": "TIMESTAMP",
    "TIMESTAMP": "TIMESTAMP WITH TIME ZONE", "NUMERIC": "DECIMAL(38,9)", "BIGNUMERIC": "DECIMAL(76,38)",
}  # fmt: skip
_DECIMAL = re.compile(r"\w+\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")
_NUMERIC_SCALE, _NUMERIC_DIGITS = 9, 29
# Of a type that may order the rows of a table.
CLUSTERED = ("bool", "int", "decimal", "text", "uuid", "date", "timestamp")
_PARAMETER = re.compile(
    r"""'''.*?'''|\"\"\".*?\"\"\"|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`[^`]*`|--[^\n]*|\#[^\n]*|/\*.*?\*/
    |(?<!@)[$@](?P<name>[A-Za-z_]\w*)""",
    re.DOTALL | re.VERBOSE,
)


def quoted(name: str, /) -> str:
    """Return an identifier in quotes.

    Raises BadInput for one that BigQuery cannot have.

    >>> quoted("game_date")
    '`game_date`'
    """
    if "`" in name or "\\" in name or not name.isprintable():
        raise BadInput(f"{name!r}: BigQuery has no such name; use letters, digits and underscores")
    return f"`{name}`"


def zoned(sql_type: str, /) -> bool:
    """Return whether a timestamp's type is one of instants."""
    return "TZ" in sql_type.upper() or "WITH TIME" in sql_type.upper()


def digits_of(declared: str, /) -> tuple[int, int] | None:
    """Return precision and scale of an exact number's type, if it has them.

    >>> digits_of("DECIMAL(18, 4)"), digits_of("NUMERIC")
    ((18, 4), None)
    """
    found = _DECIMAL.fullmatch(declared.strip())
    return (int(found[1]), int(found[2] or 0)) if found else None


def type_of(declared: str, /) -> str:
    """Return a type of a plan in BigQuery's words, as a cast takes it.

    >>> type_of("DOUBLE"), type_of("decimal(8, 2)"), type_of("VARCHAR[]"), type_of("TIMESTAMP")
    ('FLOAT64', 'NUMERIC', 'ARRAY<STRING>', 'DATETIME')
    """
    if declared.endswith("[]"):
        return f"ARRAY<{type_of(declared[:-2])}>"
    match kind := family(declared):
        case "timestamp":
            return "TIMESTAMP" if zoned(declared) else "DATETIME"
        case "decimal":
            precision, scale = digits_of(declared) or (_NUMERIC_DIGITS + _NUMERIC_SCALE, _NUMERIC_SCALE)
            fits = scale <= _NUMERIC_SCALE and precision - scale <= _NUMERIC_DIGITS
            return "NUMERIC" if fits else "BIGNUMERIC"
        case "int" if declared.strip().upper() in ("HUGEINT", "UHUGEINT", "UBIGINT"):
            return "BIGNUMERIC"
        case "other":
            return declared
        case _:
            return _TO[kind]


def column_type(declared: str, /) -> str:
    """Return the type of a column.

    >>> column_type("DECIMAL(18, 4)"), column_type("INTEGER")
    ('NUMERIC(18,4)', 'INT64')
    """
    digits = digits_of(declared) if family(declared) == "decimal" else None
    return f"{type_of(declared)}({digits[0]},{digits[1]})" if digits else type_of(declared)


def rounded(cell: str, declared: str, /) -> str:
    """Return a cell with the decimals of its type: a cast takes no digits.

    >>> rounded("a", "DECIMAL(18,4)"), rounded("a", "DOUBLE")
    ('ROUND(a, 4)', 'a')
    """
    digits = digits_of(declared) if family(declared) == "decimal" else None
    return f"ROUND({cell}, {digits[1]})" if digits else cell


def plain_type(found: str, /, *, precision: int | None = None, scale: int | None = None) -> str:
    """Return a type of BigQuery in the words of a plan.

    >>> plain_type("FLOAT64"), plain_type("NUMERIC", precision=8, scale=2), plain_type("INTEGER")
    ('DOUBLE', 'DECIMAL(8,2)', 'BIGINT')
    """
    if precision is not None and found in ("NUMERIC", "BIGNUMERIC"):
        return f"DECIMAL({precision},{scale or 0})"
    return _FROM.get(found, found)


def as_stored(columns: Mapping[str, str], /) -> dict[str, str]:
    """Return columns with the types that they have once they are stored."""
    return {name: stored_word(kind) for name, kind in columns.items()}


def stored_word(declared: str, /) -> str:
    """Return the type that a column of this type has once it is stored.

    >>> stored_word("INTEGER"), stored_word("decimal(8, 2)")
    ('BIGINT', 'DECIMAL(8,2)')
    """
    digits = digits_of(declared) if column_type(declared).endswith(")") else None
    if declared.endswith("[]"):
        return f"{stored_word(declared[:-2])}[]"
    return plain_type(type_of(declared), precision=digits and digits[0], scale=digits and digits[1])


def as_declared(table: Table, types: Types, /) -> dict[str, str]:
    """Return stored columns with the types that the plan declares.

    Where these are stored so; they say more: a UUID is stored as a text.
    """
    return {
        name: table.columns[name] if name in table.columns and stored_word(table.columns[name]) == kind else kind
        for name, kind in types.items()
    }


def text(cell: str, sql_type: str, /, *, scale: int) -> str:
    """Return the SQL of a cell's canonical text; see base.fingerprint.text.

    Raises BadInput for a type that has none.
    """
    match family(sql_type):
        case "text" | "uuid":
            spelled = cell
        case "bool" | "int" | "date":
            spelled = f"CAST({cell} AS STRING)"
        case "float":
            zero, limit, fixed = f"{0:.{scale}f}", repr(float_limit(scale)), f"FORMAT('%.{scale}f', {cell})"
            # NaN is neither below nor above the limit.
            spelled = f"""CASE WHEN ABS({cell}) <= {limit} THEN IF({fixed} = '-{zero}', '{zero}', {fixed})
                ELSE FORMAT('%.16e', {cell}) END"""
        case "decimal":
            plain = f"CAST({cell} AS STRING)"
            spelled = f"IF(STRPOS({plain}, '.') > 0, RTRIM(RTRIM({plain}, '0'), '.'), {plain})"
        case "timestamp":
            local = f"DATETIME({cell}, 'UTC')" if zoned(sql_type) else cell
            # FORMAT_DATETIME may write a year with fewer than four digits.
            spelled = f"CONCAT(CAST(DATE({local}) AS STRING), FORMAT_DATETIME('T%H:%M:%E6S', {local}))"
        case "time":
            spelled = f"FORMAT_TIME('%H:%M:%E6S', {cell})"
        case "bytes":
            spelled = f"TO_HEX({cell})"
        case "other":
            raise BadInput(f"{sql_type} has no canonical text: store it as VARCHAR, or declare the column volatile")
        case unknown:
            assert_never(unknown)
    return spelled


def row_hash(table: Table, types: Types, /, *, alias: str) -> str:
    """Return the SQL of a row's SHA-256 in hex; the array leaves NULLs out."""
    cells = []
    for column in table.fingerprinted(tuple(types)):
        spelled = text(f"{alias}.{quoted(column)}", types[column], scale=table.scale(column))
        name = column.lower().replace("'", "\\'")
        # Only a text can hold what stands between two cells.
        spelled = f"REPLACE({spelled}, ';', ';;')" if family(types[column]) == "text" else spelled
        cells.append(f"CONCAT('{name}=', {spelled})")
    return f"TO_HEX(SHA256(ARRAY_TO_STRING(CAST([{', '.join(cells)}] AS ARRAY<STRING>), ';')))"


def piece(digest: str, number: int, /) -> str:
    """Return the SQL of a piece of a digest; sums of NUMERIC hold them all."""
    return f"CAST(CAST(CONCAT('0x', SUBSTR({digest}, {8 * number + 1}, 8)) AS INT64) AS NUMERIC)"


def is_not_finite(cell: str, /) -> str:
    """Return the condition that a float is NaN or infinite."""
    return f"(IS_NAN({cell}) OR IS_INF({cell}))"


def try_cast(text: str, sql_type: str, /) -> str:
    """Return the SQL of a text as a value of this type, NULL if it is none."""
    return f"SAFE_CAST({text} AS {type_of(sql_type)})"


def as_one(cells: Iterable[str], /) -> str:
    """Return the SQL of one value that is equal if all cells are."""
    return f"TO_JSON_STRING(STRUCT({', '.join(cells)}))"


def is_one_statement(sql: str, /) -> bool:
    """Return whether a text has no semicolon but in texts, names and comments.

    >>> is_one_statement("SELECT ';' AS a -- b; c"), is_one_statement("SELECT 1; SELECT 2")
    (True, False)
    """
    return ";" not in _PARAMETER.sub("", sql)


def named(sql: str, /) -> tuple[str, tuple[str, ...]]:
    """Return a text in BigQuery's spelling of parameters, and their names.

    ``$name`` and ``@name`` are parameters, but not in texts, names and comments.

    >>> named("SELECT '$a', $b, @@row_count")
    ("SELECT '$a', @b, @@row_count", ('b',))
    """
    names: dict[str, None] = {}

    def one(found: re.Match[str]) -> str:
        if found["name"] is None:
            return found[0]
        names[found["name"]] = None
        return f"@{found['name']}"

    return _PARAMETER.sub(one, sql), tuple(names)


class BigQueryDialect:
    """The spelling of BigQuery for one dataset of our own.

    A table without a dataset lies in it too.
    """

    quoted, type_of, text, row_hash = (
        staticmethod(quoted),
        staticmethod(type_of),
        staticmethod(text),
        staticmethod(row_hash),
    )
    piece, is_not_finite, try_cast = staticmethod(piece), staticmethod(is_not_finite), staticmethod(try_cast)
    as_one = staticmethod(as_one)

    def __init__(self, dataset: str) -> None:
        self.dataset = dataset

    def split(self, name: str, /) -> tuple[str, str]:
        """Return dataset and table of a name.

        Raises BadInput for a name of more than two parts.
        """
        dataset, dot, table = name.rpartition(".")
        if "." in dataset or not table or (dot and not dataset):
            raise BadInput(f"table {name!r}: name it as dataset.table")
        if dataset == SCHEMA:
            return self.dataset, OWN_PREFIX + table
        return dataset or self.dataset, table

    def reference(self, name: str, /) -> str:
        """Return the quoted full name of a table."""
        return ".".join(map(quoted, self.split(name)))
