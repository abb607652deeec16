"""What a callable runs, whatever it is made of, as lines of source.

A function, method, class or lambda has source; a ``functools.partial`` has arguments, a closure has values, and an
object that can be called has a class and a state. Of another package's objects only the name of their class counts.
"""

import ast
import functools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from fractions import Fraction
from types import CodeType, FunctionType, MethodType, ModuleType
from uuid import UUID

from phasegate.code.closure import Closure
from phasegate.code.module import Module, outside_functions
from phasegate.code.sources import Sources

_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...), range, date, time, timedelta, Decimal, Fraction,
          UUID)  # fmt: skip
_HIDDEN = ("__dict__", "__weakref__", "__doc__", "__module__", "__qualname__", "__firstlineno__", "__annotations__",
           "__static_attributes__", "__annotate__", "__annotations_cache__", "__match_args__", "__abstractmethods__",
           "_abc_impl")  # fmt: skip


class NoSource(Exception):
    """The source of a function cannot be read."""


def lines_of(function: Callable[..., object], *, reference: str = "") -> list[str]:
    """Return what a callable runs as lines: equal code, equal lines.

    ``reference``: the ``module:name`` under which it may be imported. Raises NoSource.
    """
    module, _, name = reference.partition(":")
    if getattr(sys.modules.get(module), name or "-", None) is function:
        sources = Sources(module)
        start, closure = sources.own(module), Closure(sources.own)
        if start is not None and closure.add(start, name):
            return closure.lines()
    return _Described(Sources(_home(function))).lines(function)


def _home(value: object) -> str:
    """Return the module whose package a callable's own code is in."""
    while True:
        if isinstance(value, functools.partial):
            value = value.func
        elif isinstance(value, MethodType):
            value = value.__func__
        elif hasattr(value, "__wrapped__"):
            value = value.__wrapped__
        else:
            home = value if isinstance(value, FunctionType | type) else type(value)
            return getattr(home, "__module__", None) or "builtins"


class _Described:
    """A value as text, and the source that it leads to."""

    def __init__(self, sources: Sources) -> None:
        self._sources, self._closure = sources, Closure(sources.own)
        self._texts: dict[int, str] = {}
        self._values: list[object] = []
        self._lines: list[str] = []

    def lines(self, value: object) -> list[str]:
        text = self.text(value)
        return [text, *sorted(self._lines), *self._closure.lines()]

    def text(self, value: object) -> str:
        """Return a value as text, without addresses, paths and foreign state."""
        if isinstance(value, _PLAIN):
            return f"{type(value).__name__}:{value!a}"
        if id(value) not in self._texts:
            self._values.append(value)  # kept, so that no other value gets its id
            self._texts[id(value)] = "again"  # inside itself
            self._texts[id(value)] = self._text(value)
        return self._texts[id(value)]

    def _text(self, value: object) -> str:
        match value:
            case FunctionType():
                return self._function(value)
            case MethodType():
                return f"method{self._parts([value.__func__, value.__self__])}"
            case functools.partial():
                return f"partial{self._parts([value.func, value.args, value.keywords])}"
            case type():
                return self._class(value)
            case ModuleType():
                return self._module(value)
        return self._contents(value)

    def _contents(self, value: object) -> str:
        match value:
            case list() | tuple():
                return f"{type(value).__name__}{self._parts(value)}"
            case set() | frozenset():
                return f"set{sorted(map(self.text, value))}"
            case dict():
                return f"dict{self._parts([part for item in value.items() for part in item])}"
        inner = getattr(value, "__wrapped__", None) or getattr(value, "__func__", None)
        return f"{self._state(value)}{'' if inner is None else self.text(inner)}"

    def _parts(self, values: Iterable[object]) -> str:
        return f"[{','.join(map(self.text, values))}]"

    def _function(self, function: FunctionType) -> str:
        name = f"{function.__module__}.{function.__qualname__}"
        if not self._is_foreign(function.__module__ or ""):
            self._add_source(function, name=name)
        for variable, value in _closed_over(function).items():
            self._lines.append(f"{name} has {variable}={self.text(value)}")
        if "<locals>" in function.__qualname__:
            given = [self.text(function.__defaults__), self.text(function.__kwdefaults__)]
            self._lines.append(f"{name} has {','.join(given)}")
        return f"function {name}"

    def _add_source(self, function: FunctionType, *, name: str) -> None:
        code, path = function.__code__, function.__qualname__.split(".")
        module = self._file_of(function)
        nodes = [] if module is None else _nodes(module, code)
        if module is None or not nodes:
            raise NoSource(f"the source of {name} cannot be read")
        if len(path) > 1 and "<locals>" not in path:
            self._closure.add(module, path[0])  # of a method the class, with all that it inherits
        self._add_nodes(module, nodes, place=function.__qualname__, names=function.__globals__, but=code.co_freevars)

    def _file_of(self, function: FunctionType) -> Module | None:
        file, variables = function.__code__.co_filename, function.__globals__
        return self._sources.file(file, name=function.__module__ or "", variables=variables)

    def _add_nodes(
        self, module: Module, nodes: Iterable[ast.AST], *, place: str, names: Mapping[str, object], but: Sequence[str]
    ) -> None:
        """Add nodes of a module; what a cell does not have, the notebook has."""
        for node in nodes:
            for ref in sorted(self._closure.add_node(module, node, place=place, but=but)):
                if ref[0] in names and not self._sources.is_whole(module):
                    self._lines.append(f"{module.name} has {ref[0]}={self.text(names[ref[0]])}")

    def _class(self, cls: type) -> str:
        name = f"class {cls.__module__}.{cls.__qualname__}"
        if self._is_foreign(cls.__module__):
            return name
        path, whole = cls.__qualname__.split("."), self._sources.own(cls.__module__)
        if whole is None or "<locals>" in path or not self._closure.add(whole, path[0]):
            self._add_class(cls, name, path=[part for part in path if part != "<locals>"])
        return name

    def _add_class(self, cls: type, name: str, *, path: Sequence[str]) -> None:
        """Add a class of a function or a notebook.

        Methods that were made for it, such as those of a dataclass, have no source and follow from its fields.
        """
        self._lines.append(f"{name}{self._parts(cls.__bases__)}")
        methods = [value for value in vars(cls).values() if isinstance(value, FunctionType)]
        files = {method.__name__: self._file_of(method) for method in methods}
        for module in dict.fromkeys(files.values()):
            nodes = [] if module is None else _classes(module.tree, path)
            if module is not None and nodes:
                written = [method for method in methods if files[method.__name__] is module]
                cells = {n: value for method in written for n, value in _closed_over(method).items()}
                names = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
                self._add_nodes(module, nodes, place=cls.__qualname__, names=names, but=tuple(cells))
                self._lines.append(f"{name} has {self._fields(cells)}")
                return
        plain = {name: value for name, value in vars(cls).items() if isinstance(value, _PLAIN)}
        self._lines.append(f"{name} has {self._fields(plain)}")

    def _state(self, value: object) -> str:
        cls = type(value)
        if self._is_foreign(cls.__module__):
            return f"a {self._class(cls)}"
        slots = [slot for base in cls.__mro__ for slot in _listed(vars(base).get("__slots__", ()))]
        state = {slot: getattr(value, slot) for slot in slots if hasattr(value, slot)} | getattr(value, "__dict__", {})
        return f"a {self.text(cls)} with {self._fields(state)}"

    def _fields(self, fields: Mapping[str, object]) -> str:
        return ",".join(f"{name}={self.text(fields[name])}" for name in sorted(fields) if name not in _HIDDEN)

    def _module(self, module: ModuleType) -> str:
        own = self._sources.own(module.__name__)
        if own is not None:
            self._closure.add_module(own)
        return f"module {module.__name__}"

    def _is_foreign(self, name: str) -> bool:
        """Return whether the code of a module does not count.

        That of a module without a place, such as a notebook, does.
        """
        module = sys.modules.get(name)
        return not self._sources.is_own(name) and module is not None and module.__spec__ is not None


def _listed(slots: object) -> list[str]:
    return [slots] if isinstance(slots, str) else [str(slot) for slot in slots]  # type: ignore[attr-defined]


def _closed_over(function: FunctionType) -> dict[str, object]:
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # assigned later than the function was made: nothing to see yet
            continue
    return found


def _nodes(module: Module, code: CodeType) -> list[ast.AST]:
    """Return the nodes that a function's code may have been compiled from.

    More than one for lambdas on one line that cannot be distinguished.
    """
    kinds = ast.Lambda if code.co_name == "<lambda>" else ast.FunctionDef | ast.AsyncFunctionDef
    found = [node for node in ast.walk(module.tree) if isinstance(node, kinds) and _starts(node, code)]
    if len(found) > 1:
        bodies = {_place(node.body): node for node in found if isinstance(node, ast.Lambda)}
        return [bodies[place] for place in sorted(bodies.keys() & set(code.co_positions()))] or list(found)
    return list(found)


def _classes(node: ast.AST, path: Sequence[str]) -> list[ast.AST]:
    """Return the classes of a path of names of functions and classes."""
    if not path:
        return [node]
    found = [inner for inner in outside_functions(ast.iter_child_nodes(node)) if getattr(inner, "name", "") == path[0]]
    return [cls for inner in found for cls in _classes(inner, path[1:]) if isinstance(cls, ast.ClassDef)]


def _place(node: ast.expr) -> tuple[int | None, ...]:
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset


def _starts(node: ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef, code: CodeType) -> bool:
    if isinstance(node, ast.Lambda):
        return node.lineno == code.co_firstlineno
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
    return node.name == code.co_name and first == code.co_firstlineno
