"""One module's source: which statements make each of its names. Pure."""

import ast
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from phasegate.code.syntax import refs_of

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_SCOPES = (*_DEFINITIONS, ast.Lambda)


class Import(NamedTuple):
    """What an import binds a name to: a module, or a name of one."""

    module: str
    name: str = ""


class Module:
    """The source of a module, and the modules that its names come from."""

    def __init__(self, name: str, source: str, *, is_package: bool = False) -> None:
        self.name = name
        self.tree = ast.parse(source)
        self._package = name if is_package else name.rpartition(".")[0]
        top = list(outside_functions(self.tree.body))
        self.imports = self.imports_in(top)
        self.stars = [self._absolute(node) for node in top
                      if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"]  # fmt: skip

    @cached_property
    def units(self) -> dict[str, list[ast.stmt]]:
        """Return the statements at the top that make each name what it is.

        They are its definitions, assignments to its parts, and calls of its methods, such as a registration.
        """
        found: dict[str, list[ast.stmt]] = {}
        for statement in self.tree.body:
            for name in sorted(_made_by(statement)):
                found.setdefault(name, []).append(statement)
        return found

    def defines(self, name: str) -> bool:
        """Return whether a name is bound at the top of the module.

        A name of a package that is imported from the package itself is a submodule.
        """
        return name in self.units or any(one != Import(self.name, name) for one in self.imports.get(name, ()))

    def imports_in(self, nodes: Iterable[ast.AST]) -> dict[str, list[Import]]:
        """Return what the imports among some nodes bind."""
        bound: dict[str, list[Import]] = {}
        for node in nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    bound.setdefault(name, []).append(Import(alias.name if alias.asname else name))
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    bound.setdefault(alias.asname or alias.name, []).append(Import(self._absolute(node), alias.name))
        return bound

    def _absolute(self, node: ast.ImportFrom) -> str:
        base = self._package.split(".") if self._package else []
        above = base[: len(base) - node.level + 1] if node.level else []
        return ".".join((*above, *filter(None, [node.module])))


def outside_functions(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Give nodes and what is in them, but not what is in a function or class."""
    left = [*nodes][::-1]
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, _SCOPES):
            left += [*ast.iter_child_nodes(node)][::-1]


def _made_by(statement: ast.stmt) -> set[str]:
    """Return the names that a statement defines or changes."""
    match statement:
        case ast.Import() | ast.ImportFrom():
            return set()
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            # ``@steps.register`` makes the function a part of ``steps``
            used = {ref for decorator in statement.decorator_list for ref in refs_of(decorator)}
            return {name} | {ref[0] for ref in used if len(ref) > 1}
        case ast.Assign(targets=targets):
            return {name for target in targets for name in _targets(target)}
        case ast.AnnAssign(target=target):
            return set(_targets(target))
        case ast.If(test=test) if ("__name__",) in refs_of(test):
            return set()  # it runs only if the module is run as a script
    return {name for node in outside_functions([statement]) for name in _changed_by(node)}


def _changed_by(node: ast.AST) -> Iterator[str]:
    """Give the names that a part of a statement binds or changes."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            yield name
        case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
            yield from _targets(node)
        case ast.Call(func=ast.Attribute() as function):
            yield from _targets(function)


def _targets(target: ast.expr) -> Iterator[str]:
    """Give the names that an assignment sets, or changes a part of."""
    match target:
        case ast.Name(id=name):
            yield name
        case ast.Attribute(value=inner) | ast.Subscript(value=inner) | ast.Starred(value=inner):
            yield from _targets(inner)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _targets(part)
