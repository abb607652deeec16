"""Google's own analyser as the judge of scripts: each statement, condition and value of a script must be valid.

Tables come into being by the scripts' own CREATE statements, so a script is judged in the order in which it was run.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from phasegate.warehouses.bigquery.jobs import Job, as_sent
from tests.support.sql_engines import evaluator

# The analyser knows no schemas: `a`.`b` is the table `a__b`. By their names, or an alias would be taken for one.
_REFERENCE = re.compile(r"`(phasegate\w*|contract|nba\w*)`\.`([^`]+)`|\b(contract)\.(\w+)")
_ID = re.compile(r"(?<=_)(?:[0-9a-f]{32}|[0-9a-f]{8})(?=`)")


class Analyser:
    """The tables of one project, and the judgement of scripts on them."""

    def __init__(self) -> None:
        evaluator()  # has the compiled module, or skips
        from zetasql.types import LanguageOptions, ProductMode

        self._language = LanguageOptions.maximum_features()
        self._language.product_mode = ProductMode.PRODUCT_EXTERNAL
        # That of loaded rows is made by no script.
        self._tables: dict[str, dict[str, Any]] = {"phasegate___phasegate_rows_": {"cells": _type("STRING")}}
        self._variables: dict[str, Any] = {}
        self._made: dict[str, dict[str, dict[str, Any]]] = {}
        self._registered: int | None = None
        self._seen: set[str] = set()

    def judge(self, script: str, parameters: Mapping[str, str]) -> None:
        """Raise ValueError, with the statement, for what BigQuery would refuse.

        ``parameters``: the type of each.
        """
        from zetasql.api import Parser

        text = _REFERENCE.sub(lambda found: f"`{found[1] or found[3]}__{found[2] or found[4]}`", script)
        raw = text.encode()
        for node, is_expression in _parts(Parser.parse_script_static(text, self._language)):
            place = node.parse_location_range
            part = raw[place.start : place.end].decode()
            if type(node).__name__ == "ASTVariableDeclaration":
                self._declare(part)
                continue
            self._analyse(f"SELECT ({part})" if is_expression else part, parameters)

    def _declare(self, text: str) -> None:
        found = re.fullmatch(r"DECLARE ([\w, ]+?) (INT64|STRING|ARRAY<INT64>)(?: DEFAULT .*)?", text, re.DOTALL)
        assert found is not None, text
        named = dict.fromkeys(re.split(", ?", found[1]), found[2])
        if not named.items() <= self._variables.items():
            self._variables |= named
            self._registered = None

    def _analyse(self, sql: str, parameters: Mapping[str, str]) -> None:
        """Judge a statement once; a table that it makes is made each time."""
        if sql not in self._seen:
            self._made[sql] = self._makes(self._resolved(sql, parameters))
            self._seen.add(sql)
        for name, columns in self._made[sql].items():
            if self._tables.get(name) != columns:
                self._tables[name], self._registered = columns, None

    def _resolved(self, sql: str, parameters: Mapping[str, str]) -> Any:
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it has no stubs
        from zetasql.core.local_service import ZetaSqlLocalService
        from zetasql.types import AnalyzerOptions

        service = ZetaSqlLocalService.get_instance()
        if self._registered is None:
            self._registered = service.register_catalog(simple_catalog=self._catalog()).registered_id
        named = {name.lower(): _type(kind) for name, kind in parameters.items()}
        options = AnalyzerOptions(
            language_options=self._language,
            query_parameters=[AnalyzerOptions.QueryParameter(name, kind) for name, kind in named.items()],
            system_variables=[AnalyzerOptions.SystemVariable(["row_count"], _type("INT64"))],
        )
        try:
            found: Any = service.analyze(
                sql_statement=sql, options=options, registered_catalog_id=self._registered
            ).resolved_statement
        except DecodeError:
            return None  # it is valid: its answer alone is nested deeper than this client reads
        except Exception as error:
            raise ValueError(f"{error}\n{sql}") from error
        return found

    def _catalog(self) -> Any:
        from zetasql.api import CatalogBuilder, ConstantBuilder, TableBuilder
        from zetasql.types import ZetaSQLBuiltinFunctionOptions

        catalog = CatalogBuilder("tables")
        for name, columns in self._tables.items():
            table = TableBuilder(name)
            for column, kind in columns.items():
                table = table.add_column(column, kind)
            catalog = catalog.add_table(table.build())
        for name, kind in self._variables.items():
            catalog = catalog.add_constant(ConstantBuilder(name).set_type(_type(kind)).build())
        return catalog.with_builtin_functions(ZetaSQLBuiltinFunctionOptions(language_options=self._language)).build()

    def _makes(self, found: Any) -> dict[str, dict[str, Any]]:
        """Give the columns of the table that a statement makes or changes."""
        name, kind = ".".join(getattr(found, "name_path", None) or ()), type(found).__name__
        if kind.startswith("ResolvedCreateTable"):
            return {name: {one.name: one.type for one in found.column_definition_list}}
        if kind == "ResolvedAlterTableStmt":
            added = [action.column_definition for action in found.alter_action_list]
            return {name: self._tables[name] | {one.name: one.type for one in added}}
        return {}


class Scripts:
    """The scripts that were run, in order, each on tables of its own test."""

    def __init__(self, analyser: Analyser) -> None:
        self._jobs, self._analyser = list[Job](), analyser

    def ran(self, job: Job) -> None:
        self._jobs.append(job)

    def judge(self) -> None:
        """Raise ValueError for a script that BigQuery would refuse."""
        for job in self._jobs:
            text, values = as_sent(job)
            self._analyser.judge(_ID.sub("", text), {one.name: _spelled(one) for one in values})


def _spelled(parameter: Any) -> str:
    plain = getattr(parameter, "type_", None)
    return str(plain) if plain else f"ARRAY<{parameter.array_type}>"


def _parts(node: Any) -> Iterator[tuple[Any, bool]]:
    """Give the statements and the expressions of a script, in order; an expression is True."""
    kind = type(node).__name__
    if kind == "ASTIfStatement":
        yield node.condition, True
        inner = [node.then_list, node.else_list]
    elif kind in ("ASTScript", "ASTBeginEndBlock"):
        inner = [node.statement_list_node, getattr(node, "handler_list", None)]
    elif kind in ("ASTStatementList", "ASTExceptionHandlerList", "ASTExceptionHandler"):
        inner = [getattr(node, one.name) for one in fields(node) if one.name.endswith("list")]
    elif kind == "ASTSingleAssignment":
        yield node.expression, True
        return
    elif kind in ("ASTReturnStatement", "ASTRaiseStatement"):
        return
    else:
        yield node, False
        return
    for one in inner:
        for each in one if isinstance(one, list) else [one] if is_dataclass(one) else []:
            yield from _parts(each)


def _type(kind: str) -> Any:
    from zetasql.api import TypeFactory
    from zetasql.types import TypeKind

    if kind.startswith("ARRAY<"):
        return TypeFactory.create_array_type(_type(kind[6:-1]))
    return TypeFactory.create_simple_type(getattr(TypeKind, f"TYPE_{ {'FLOAT64': 'DOUBLE'}.get(kind, kind) }"))
