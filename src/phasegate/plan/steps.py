"""Reads one ``[step.NAME]`` of a plan: what it runs, and its table.

It refuses keys that would do nothing, each with the reason. Pure.
"""

import re
from collections.abc import Callable
from typing import Literal, cast

import msgspec

from phasegate.base.fingerprint import SCALE_MAX
from phasegate.base.keys import NAME, WORD
from phasegate.base.table import LINEAGE_PREFIX, Table
from phasegate.dialects.engines import ENGINES, Engine
from phasegate.errors import BadInput
from phasegate.plan.gate import Need
from phasegate.plan.model import ATTEMPTS_MAX, RUN_MAX_S, SHRINK_MAX, Step, StepKind, digest
from phasegate.plan.needs import read_dependencies, read_sums
from phasegate.plan.toml_lines import spell, suggest
from phasegate.plan.toml_read import Section

WRITE_KEYS = ("write", "version", "tombstone", "replaces", "shrink_max")
TABLE_KEYS = ("key", "partition", "write", "version", "tombstone", "columns", "scales", "volatile", "replaces")
IDENTITY_KEYS = ("identity", "determines", "sums")
STEP_KEYS = ("phase", "needs", "covers", "sql", "dialect", "python", "command", "code", "external", "table",
             *TABLE_KEYS, *IDENTITY_KEYS, "reads", "shrink_max", "attempts_max", "topic", "expected_by",
             "expected_zone", "late_after_s", "run_max_s")  # fmt: skip
COLUMN_TYPES = ("BOOLEAN", "SMALLINT", "INTEGER", "BIGINT", "DOUBLE", "DECIMAL(p, s)", "VARCHAR", "DATE", "TIMESTAMP")
COLUMNS_MAX = 1000
ATTEMPTS_LIMIT = 100
COMMAND_BYTES_MAX = 10_000
RUN_MIN_S, RUN_LIMIT_S = 0.1, 604_800

_TABLE = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
PYTHON = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
_DECIMAL = re.compile(r"DECIMAL\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)")
_NOT_SQL = re.compile(r"(\s|--[^\n]*|/\*.*?\*/)*", re.DOTALL)
_SELECT = re.compile(r"(select|with)\b", re.IGNORECASE)


def read_step(
    section: Section, *, phase: str, needs: tuple[Need, ...], files: Callable[[str], str], dialect: Engine
) -> Step:
    """Return the step; ``dialect`` is the plan's.

    ``code`` is a hash of what it runs and of its table: it changes when either does. A function's is not known here:
    it is "" unless the plan declares one.
    """
    kind = _kind(section)
    sql = _sql(section, files=files) if kind == "sql" else ""
    python = _python(section) if kind == "python" else ""
    command = _command(section) if kind == "command" else ""
    declared = section.text("code", wanted='a text such as "v1"') if section.has("code") else ""
    table = _table(section, kind=kind)
    _refuse_idle(section, kind=kind, table=table)
    reads = section.choice("reads", known=("attested", "unattested"), default="attested")
    return Step(
        name=str(section.place[-1]),
        phase=phase,
        kind=kind,
        needs=needs,
        sql=sql,
        sql_file=str(section.body["sql"]) if kind == "sql" else "",
        dialect=read_dialect(section, default=dialect) if kind == "sql" else "duckdb",
        python=python,
        command=command,
        run_max_s=section.number("run_max_s", low=RUN_MIN_S, high=RUN_LIMIT_S, default=RUN_MAX_S),
        topic=section.text("topic", wanted="a topic of a-z, 0-9, '.', '_' and '-'", form=WORD)
        if section.has("topic")
        else "",
        table=table,
        reads="unattested" if kind == "command" and needs else cast(Literal["attested", "unattested"], reads),
        shrink_max=section.number("shrink_max", low=0, high=1, default=SHRINK_MAX),
        attempts_max=section.whole("attempts_max", low=1, high=ATTEMPTS_LIMIT, default=ATTEMPTS_MAX),
        code=code_of(kind, _body(section, sql=sql, command=command, declared=declared, dialect=dialect), table)
        if kind != "python" or declared
        else "",
        identity=_identity(section, table=table),
        determines=read_dependencies(section, table=table),
        sums=read_sums(section, table=table),
    )


def read_dialect(section: Section, *, default: Engine = "duckdb") -> Engine:
    """Return the engine in whose SQL the texts are written."""
    return cast(Engine, section.choice("dialect", known=ENGINES, default=default))


def _body(section: Section, *, sql: str, command: str, declared: str, dialect: Engine) -> object:
    """Return what the code of a step is a hash of, besides its table.

    The text as it is written, so a change of warehouse leaves every code as it is.
    """
    if sql:
        dialect = read_dialect(section, default=dialect)
        return sql if dialect == "duckdb" else (dialect, sql)
    return (command, declared) if command else declared


def code_of(kind: StepKind, body: object, table: Table | None) -> str:
    """Return the hash of what a step runs and of its table.

    A default of later versions is left out, so that code from before them keeps its hash.
    """
    plain = msgspec.to_builtins(table)
    if table is not None and not table.replaces:
        del plain["replaces"]
    return digest((kind, body, plain))


def _kind(section: Section) -> StepKind:
    kinds: tuple[StepKind, ...] = ("sql", "python", "command", "external")
    written = [kind for kind in kinds if section.has(kind)]
    if not written:
        fix = 'write sql = "FILE", python = "MODULE:FUNCTION", command = "SHELL COMMAND" or external = true'
        raise section.error(None, f"has nothing that builds it; {fix}")
    if len(written) > 1:
        raise section.error(written[1], f"the step has {' and '.join(written)}; keep one")
    if written[0] == "external" and section.body["external"] is not True:
        raise section.unwanted("external", wanted="true; or write sql, python or command in its place")
    return written[0]


def _sql(section: Section, *, files: Callable[[str], str]) -> str:
    name = section.text("sql", wanted='the name of a file, such as "sql/step.sql"')
    try:
        text = files(name)
    except BadInput as e:
        raise section.error("sql", str(e)) from None
    except (OSError, LookupError, UnicodeDecodeError) as e:
        why = _reason(e)
        raise section.error("sql", f"{spell(name)} cannot be read ({why}); check the name and the folder") from None
    text = text.replace("\r\n", "\n").strip().removesuffix(";").rstrip()
    begin = _NOT_SQL.match(text)
    start = begin.end() if begin else 0
    if start == len(text):
        raise section.error("sql", f"{spell(name)} is empty; write the SELECT that builds the table")
    if not _SELECT.match(text, start):
        word = spell(text[start:].split(maxsplit=1)[0])
        wrong = f"{spell(name)} begins with {word}, wanted one SELECT or WITH … SELECT"
        raise section.error("sql", f"{wrong}; Phasegate writes its rows to the table")
    return text


def _reason(error: OSError | LookupError | UnicodeDecodeError) -> str:
    """Return, in a few words, why a file cannot be read."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    if isinstance(error, LookupError):
        return "there is no such file"
    return error.strerror or str(error)


def _python(section: Section) -> str:
    return section.text("python", wanted='"module:function", such as "pipeline.steps:build"', form=PYTHON)


def _command(section: Section) -> str:
    """Return the text that a shell is to run.

    Refuses one that does nothing, and one that no process can be given.
    """
    text = section.text("command", wanted='a shell command such as "dbt run --select player_game"')
    if not text.strip():
        raise section.error("command", "is blank; write what a shell is to run, such as dbt run --select player_game")
    if "\0" in text:
        raise section.error("command", "holds a NUL character, which no command can; remove it")
    size = len(text.encode(errors="surrogatepass"))
    if size > COMMAND_BYTES_MAX:
        fix = "write it to a script, and name that"
        raise section.error("command", f"is {size:,} bytes long, at most {COMMAND_BYTES_MAX:,} are allowed; {fix}")
    return text


def _refuse_idle(section: Section, *, kind: StepKind, table: Table | None) -> None:
    """Refuse keys that would do nothing for this kind of step."""
    idle = (
        ("topic", kind != "external", f"requests for {kind} steps go to Phasegate's own topic"),
        ("reads", kind != "python", "only python steps can read past run.read()"),
        ("dialect", kind != "sql", "only the text of an sql step is translated"),
        ("code", kind == "sql", "the code of an sql step is its SELECT"),
        ("code", kind == "external", "what an external step runs is its owner's"),
        ("run_max_s", kind != "command", "only a command is ended when it runs for too long"),
        *((key, kind == "command", "the command itself writes the rows") for key in WRITE_KEYS),
        (
            "attempts_max",
            kind == "external" and not section.has("topic"),
            "without topic no requests are sent for this step",
        ),
        ("shrink_max", table is not None and table.write == "merge", "a merge does not replace rows"),
        ("tombstone", table is not None and table.write == "replace", "a replacement needs no marks of deletion"),
        ("replaces", table is not None and table.write == "replace", "a replacement replaces the whole date"),
    )
    for key, is_idle, why in idle:
        if is_idle and section.has(key):
            raise section.error(key, f"does nothing here: {why}; remove it")


def _table(section: Section, *, kind: StepKind) -> Table | None:
    if not section.has("table"):
        if kind in ("sql", "python"):
            raise section.error("table", f'is missing: a {kind} step writes one; write table = "schema.table"')
        for key in (*TABLE_KEYS, *IDENTITY_KEYS, "shrink_max"):
            if section.has(key):
                raise section.error(key, 'does nothing without a table; add table = "schema.table", or remove it')
        return None
    columns = _columns(section)
    if kind == "python" and not columns:
        raise section.error(
            "columns", 'is missing: rows from Python have no types; write columns = { game_date = "DATE" }'
        )
    table = Table(
        name=section.text("table", wanted='"schema.table" in lower case', form=_TABLE),
        key=_column_list(section, "key"),
        partition=_column(section, "partition") or "",
        write=cast(
            Literal["replace", "merge"],
            section.choice("write", known=("replace", "merge"), default="merge" if kind == "external" else "replace"),
        ),
        version=_column(section, "version"),
        tombstone=_column(section, "tombstone"),
        columns=columns,
        scales=_scales(section, columns=columns),
        volatile=_column_list(section, "volatile"),
        replaces=_column_list(section, "replaces"),
    )
    _check_table(section, table=table)
    return table


def _check_table(section: Section, *, table: Table) -> None:
    """Refuse a table without what a write needs."""
    if not table.key:
        raise section.unwanted("key", wanted='the columns that make a row unique, such as ["game_date", "player"]')
    if not table.partition:
        raise section.unwanted("partition", wanted=f"the column of the run's date, such as {spell(table.key[0])}")
    if table.partition not in table.key:
        wrong = f"does not contain the partition column {spell(table.partition)}, so a row could be in two partitions"
        raise section.error("key", f"{wrong}; add it")
    if table.write == "merge" and table.version is None:
        default = "" if section.has("write") else ' (write = "merge" is the default of external steps)'
        wrong = f"is missing: a merge needs the column that says which row is newer{default}"
        raise section.error("version", f'{wrong}; write version = "COLUMN", or write = "replace"')
    _check_roles(section, table=table)


def _check_roles(section: Section, *, table: Table) -> None:
    """Refuse columns with contradictory roles, and undeclared columns."""
    if table.tombstone is not None and table.tombstone == table.version:
        raise section.error("tombstone", f"{spell(table.tombstone)} is the version too; use two columns")
    version, tombstone = tuple(filter(None, [table.version])), tuple(filter(None, [table.tombstone]))
    for key, names in (("version", version), ("tombstone", tombstone), ("volatile", table.volatile)):
        for name in names:
            if name in table.key:
                raise section.error(key, f"{spell(name)} is part of the key; use a column that is not")
    named = {
        "key": table.key,
        "version": version,
        "volatile": table.volatile,
        "scales": tuple(table.scales),
        "replaces": table.replaces,
    }
    for key, names in named.items():
        for name in names:
            if table.columns and name not in table.columns:
                raise section.error(key, f"{spell(name)} is not in columns{suggest(name, known=table.columns)}")
    if table.replaces and set(table.key) <= {*table.replaces, table.partition}:
        raise section.error("replaces", "holds the whole key, so a group is one row; name what a delivery has whole")
    _check_types(section, table=table)


def _check_types(section: Section, *, table: Table) -> None:
    """Refuse roles that a column's declared type cannot play."""
    roles = (
        ("partition", table.partition, ("DATE", "VARCHAR"), "holds the run's date"),
        ("version", table.version, ("SMALLINT", "INTEGER", "BIGINT", "DOUBLE", "DATE", "TIMESTAMP"), "orders rows"),
        ("tombstone", table.tombstone, ("BOOLEAN",), "marks rows"),
    )
    for key, column, types, purpose in roles:
        found = table.columns.get(column or "")
        if found is not None and found not in types and not (key == "version" and found.startswith("DECIMAL")):
            raise section.error(key, f"{purpose}, and {spell(column)} is {found}, wanted {' or '.join(types)}")


def _identity(section: Section, *, table: Table | None) -> tuple[str, ...]:
    """Return the columns that name the thing itself.

    Refuses columns that include the whole key: they would find nothing.
    """
    names = _column_list(section, "identity")
    if table is not None and names:
        for name in names if table.columns else ():
            if name not in table.columns:
                raise section.error("identity", f"{spell(name)} is not in columns{suggest(name, known=table.columns)}")
        if set(table.key) <= {*names, table.partition}:
            fix = "name what tells two things apart"
            raise section.error("identity", f"holds the whole key, so it finds nothing; {fix}")
    return names


def _column(section: Section, key: str) -> str | None:
    if not section.has(key):
        return None
    name = section.text(key, wanted="the name of a column")
    _check_column(section, key, name=name)
    return name


def _column_list(section: Section, key: str) -> tuple[str, ...]:
    names = section.texts(key, wanted='a list of columns such as ["game_date"]')
    for name in names:
        _check_column(section, key, name=name)
    return names


def _check_column(section: Section, key: str, *, name: str) -> None:
    if name.startswith(LINEAGE_PREFIX):
        raise section.error(key, f'{spell(name)}: columns that begin with "{LINEAGE_PREFIX}" are Phasegate\'s own')
    if not NAME.fullmatch(name):
        fix = "use a-z, 0-9 and _, beginning with a letter"
        raise section.error(key, f"the column name {spell(name)} is not allowed; {fix}")


def _columns(section: Section) -> dict[str, str]:
    """Return the declared columns and their types, in the file's order."""
    if not section.has("columns"):
        return {}
    inner = section.section("columns", wanted='a table such as { game_date = "DATE", points = "INTEGER" }')
    if not 0 < len(inner.body) <= COLUMNS_MAX:
        raise section.error("columns", f"has {len(inner.body)} columns, wanted 1 to {COLUMNS_MAX}")
    found = {}
    for name in inner.body:
        _check_column(section, "columns", name=name)
        text = inner.text(name, wanted=f"one of {', '.join(COLUMN_TYPES)}").upper()
        decimal = _DECIMAL.fullmatch(text)
        if decimal and int(decimal[2]) <= int(decimal[1]) <= 38 and int(decimal[1]) > 0:
            text = f"DECIMAL({int(decimal[1])}, {int(decimal[2])})"
        elif text not in COLUMN_TYPES:
            raise inner.unwanted(name, wanted=f"one of {', '.join(COLUMN_TYPES)}")
        found[name] = text
    return found


def _scales(section: Section, *, columns: dict[str, str]) -> dict[str, int]:
    """Return the decimal places of DOUBLE columns."""
    if not section.has("scales"):
        return {}
    inner = section.section("scales", wanted="a table such as { usage_rate = 3 }")
    for name in inner.body:
        _check_column(section, "scales", name=name)
        if columns.get(name, "DOUBLE") != "DOUBLE":
            raise inner.error(
                name, f"does nothing: the column is {columns[name]}, and only DOUBLE is rounded; remove it"
            )
    return {name: inner.whole(name, low=0, high=SCALE_MAX) for name in inner.body}
