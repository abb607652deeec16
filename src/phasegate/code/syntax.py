"""A piece of Python source as text that does not depend on its form. Pure.

Comments, formatting and docstrings do not count. The text is the same in every version of Python that parses the
source: it is made of ASCII, and of the fields that have a value.
"""

import ast
from collections.abc import Iterable, Iterator
from typing import TypeAlias

Ref: TypeAlias = tuple[str, ...]
"""A name with the attributes that are read from it: ``helpers.rates.tax`` is of three parts."""

_UNSEEN = ("ctx", "kind", "type_comment", "type_ignores")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_LOOPS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_DOCUMENTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)


def text_of(node: ast.AST, /) -> str:
    r"""Return the text of a node.

    >>> one, two = ast.parse("def f(x):  # doubles\n    return 2 * x"), ast.parse("def f(x): return (2*x)")
    >>> text_of(one) == text_of(two)
    True
    """
    found: list[str] = []
    left: list[ast.AST | str] = [node]
    while left:  # no recursion: a chain of 1,000 elif is nested as deep
        one = left.pop()
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, ast.Constant):
            value = one.value
            found.append(f"{type(value).__name__}:{hex(value) if type(value) is int else ascii(value)}")
        else:
            found.append(f"{type(one).__name__}(")
            left.append(")")
            for name in sorted(one._fields, reverse=True):
                value = getattr(one, name, None)
                if value is not None and value != [] and name not in _UNSEEN:
                    left += _parts(_counted(one, name, value))
                    left.append(f"{name}=")
    return "".join(found)


def _parts(value: object) -> Iterator[ast.AST | str]:
    """Give the parts of a field's value, the last first."""
    if isinstance(value, list):
        yield "],"
        for one in reversed(value):
            yield ","
            yield one if isinstance(one, ast.AST) else ascii(one)
        yield "["
    else:
        yield ","
        yield value if isinstance(value, ast.AST) else ascii(value)


def _counted(node: ast.AST, name: str, value: object) -> object:
    """Return what counts of a field: no docstring, and an f-string's parts.

    How an f-string is divided into parts differs between versions of Python.
    """
    if not isinstance(value, list):
        return value
    if name == "body" and isinstance(node, _DOCUMENTED) and _is_text(value[0]):
        return value[1:]
    if name != "values" or not isinstance(node, ast.JoinedStr):
        return value
    joined: list[ast.AST] = []
    for part in value:
        last = joined[-1] if joined else None
        if isinstance(part, ast.Constant) and isinstance(last, ast.Constant):
            joined[-1] = ast.Constant(str(last.value) + str(part.value))
        elif not isinstance(part, ast.Constant) or part.value:
            joined.append(part)
    return joined


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def refs_of(node: ast.AST, /) -> set[Ref]:
    """Return the names that a node takes from outside, with attributes.

    What a function binds itself is not among them, except by an import; what a class body binds is.
    """
    found: set[Ref] = set()
    left = [node]
    while left:
        one = left.pop()
        if isinstance(one, ast.Name | ast.Attribute):
            name, inner = _chain(one)
            found |= {name} if name else set()
            left += inner
        elif isinstance(one, _FUNCTIONS):
            body = one.body if isinstance(one.body, list) else [one.body]
            args = [arg for arg in ast.walk(one.args) if isinstance(arg, ast.arg)]
            left += [part for part in ast.iter_child_nodes(one) if part not in body and part is not one.args]
            left += [
                *one.args.defaults,
                *filter(None, one.args.kw_defaults),
                *(a.annotation for a in args if a.annotation),
            ]
            bound = _bound(body) | {arg.arg for arg in args}
            found |= {ref for part in body for ref in refs_of(part) if ref[0] not in bound}
        elif isinstance(one, _LOOPS):
            left.append(one.generators[0].iter)
            bound = _bound([loop.target for loop in one.generators])
            found |= {ref for part in _inside(one) for ref in refs_of(part) if ref[0] not in bound}
        else:
            left += ast.iter_child_nodes(one)
    return found


def _chain(node: ast.expr) -> tuple[Ref, list[ast.AST]]:
    """Return a name with its attributes, or else what they are read from."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ((node.id, *reversed(names)), []) if isinstance(node, ast.Name) else ((), [node])


def _inside(loop: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> Iterator[ast.AST]:
    """Give what a comprehension evaluates in its own scope."""
    for part in ast.iter_child_nodes(loop):
        if not isinstance(part, ast.comprehension):
            yield part
    for number, one in enumerate(loop.generators):
        yield from (one.target, *one.ifs, *([one.iter] if number else []))


def _bound(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that a scope binds itself."""
    bound: set[str] = set()
    free: set[str] = set()
    left = list(nodes)
    while left:
        node = left.pop()
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                bound.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                bound.add(name)
            case ast.MatchMapping(rest=str(name)):
                bound.add(name)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                free.update(names)
        if isinstance(node, _LOOPS):  # of its names only those of := are bound outside it
            left += [one.target for one in ast.walk(node) if isinstance(one, ast.NamedExpr)]
        elif not isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            left += ast.iter_child_nodes(node)
    return bound - free
