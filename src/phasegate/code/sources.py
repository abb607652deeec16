"""Finds the source of a pipeline's own modules, without importing any.

A module is the pipeline's own if it is of the same top-level package as the step's function. Where that is a single
file, the modules and packages beside it are its own too, unless they are installed.
"""

import sys
from importlib.machinery import ModuleSpec
from linecache import getlines
from pathlib import Path

from phasegate.code.module import Module

MAIN = "__main__"
INSTALLED = ("site-packages", "dist-packages")


class Sources:
    """The own modules of the function in module ``start``, by name."""

    def __init__(self, start: str) -> None:
        self._start = _real(start).partition(".")[0]
        self._folder = None if _is_package(spec := find_spec(self._start)) else _folder(self._start, spec)
        self._modules: dict[str, Module | None] = {}
        self._files: dict[str, Module | None] = {}

    def own(self, name: str) -> Module | None:
        """Return a module with its source, None if it is not one's own."""
        name = _real(name)
        if name not in self._modules:
            self._modules[name] = self._load(name) if self.is_own(name) else None
        return self._modules[name]

    def is_own(self, name: str) -> bool:
        """Return whether a module's source counts."""
        top = _real(name).partition(".")[0]
        if top == self._start:
            return True
        if self._folder is None or top == "phasegate" or self._folder.name in INSTALLED:
            return False
        spec = find_spec(top)
        return spec is not None and _folder(top, spec) == self._folder

    def file(self, path: str, *, name: str, variables: dict[str, object]) -> Module | None:
        """Return the source of a file or a notebook's cell, None if unknown.

        ``name``: the module whose code it is, with its variables.
        """
        if path not in self._files:
            module = self.own(name)
            if module is None or not _is_file_of(name, path):
                lines = getlines(path, variables)
                module = _parsed(name, "".join(lines)) if lines else None
            self._files[path] = module
        return self._files[path]

    def is_whole(self, module: Module) -> bool:
        """Return whether a source is that of a whole module."""
        return module is self._modules.get(module.name)

    def _load(self, name: str) -> Module | None:
        spec = find_spec(name)
        source = _source(name, spec)
        return None if source is None else _parsed(name, source, is_package=_is_package(spec))


def find_spec(name: str) -> ModuleSpec | None:
    """Return where a module is; unlike importlib's, it imports no parent."""
    module = sys.modules.get(name)
    if module is not None:
        return module.__spec__
    parent, path = name.rpartition(".")[0], None
    if parent:
        above = find_spec(parent)
        if above is None or above.submodule_search_locations is None:
            return None
        path = list(above.submodule_search_locations)
    for finder in sys.meta_path:
        spec = finder.find_spec(name, path)
        if spec is not None:
            return spec
    return None


def _real(name: str) -> str:
    """Return the name of a module, also of one that is run by ``python -m``."""
    spec = getattr(sys.modules.get(MAIN), "__spec__", None) if name == MAIN else None
    return spec.name if spec is not None else name


def _is_file_of(name: str, path: str) -> bool:
    """Return whether code of a path is a module's own text.

    The path of a script is relative to a folder that the process may have left.
    """
    file = _path(name)
    return path == file or (name == MAIN and Path(path).name == Path(file).name)


def _is_package(spec: ModuleSpec | None) -> bool:
    return spec is not None and spec.submodule_search_locations is not None


def _path(name: str) -> str:
    """Return the file of a module that is imported, "" without one."""
    return getattr(sys.modules.get(name), "__file__", None) or ""


def _folder(name: str, spec: ModuleSpec | None) -> Path | None:
    """Return the folder that a top-level module or package is in."""
    if spec is not None and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).resolve().parent
    path = _path(name) if spec is None else spec.origin
    if path:
        return Path(path).resolve().parent if Path(path).suffix == ".py" else None
    return Path.cwd() if name == MAIN else None


def _source(name: str, spec: ModuleSpec | None) -> str | None:
    """Return the text of a module, None if there is none to read."""
    read = getattr(getattr(spec, "loader", None), "get_source", None)
    if read is not None and spec is not None:
        found: str | None = read(spec.name)
        return found
    path = _path(name) or (spec.origin if spec is not None else None) or ""
    lines = getlines(path) if path.endswith(".py") else []
    return "".join(lines) if lines else None


def _parsed(name: str, source: str, *, is_package: bool = False) -> Module | None:
    try:
        return Module(name, source, is_package=is_package)
    except (SyntaxError, ValueError):
        return None
