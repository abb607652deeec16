"""Loads the class that a text such as `my_source:Games` names.

The module is an installed one, or else a file of the current folder. The class is called without arguments:
its settings are its own, from its environment or its files, so that one text names the source everywhere.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

from nba_props.errors import DataError
from nba_props.own.checked import CheckedSource, raised
from nba_props.sources import GameSource

NEEDED = ("schedule", "batch", "coverage")
"""The methods that a source of one's own must have."""


def load_source(text: str) -> CheckedSource:
    """Return the source of `module:Class`, checked.

    Raises DataError, naming the text, for a module that is missing or cannot be imported, a class that it does not
    have, one that raises when it is called, and one without a method of NEEDED.
    """
    module, _, name = text.partition(":")
    found = _imported(module, where=text)
    make = getattr(found, name, None)
    if make is None:
        known = sorted(
            one for one, value in vars(found).items() if isinstance(value, type) and value.__module__ == module
        )
        raise DataError(
            text,
            problem=f"{found.__file__ or module} has no {name}; its classes are {', '.join(known) or 'none'}",
            fix="correct the name, or write the class",
        )
    if not callable(make):
        raise DataError(text, problem=f"{name} is no class", fix="name a class, or a function that returns a source")
    try:
        own = make()
    except DataError:
        raise
    except (Exception, SystemExit) as error:
        raise DataError(
            text,
            problem=f"{name}() raised {raised(error, file=found.__file__)}",
            fix="it is called without arguments: read settings from the environment or a file",
        ) from error
    return CheckedSource(_with_methods(own, where=text), where=text)


def _imported(module: str, *, where: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # last: a file such as random.py must not replace the library's
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        wanted = error.name or module
        if module == wanted or module.startswith(f"{wanted}."):
            problem = f"there is no module {module} in {here} or among the installed ones"
            raise DataError(where, problem=problem, fix="run in its folder, or install it") from None
        raise DataError(
            where, problem=f"{module} imports {wanted}, which is missing", fix=f"install {wanted}"
        ) from error
    except (Exception, SystemExit) as error:  # a script without a main guard ends its importer
        problem = f"{module} cannot be imported: {raised(error)}"
        raise DataError(where, problem=problem, fix="correct the module") from error


def _with_methods(own: object, *, where: str) -> GameSource:
    lacking = [method for method in NEEDED if not callable(getattr(own, method, None))]
    if lacking:
        raise DataError(
            where,
            problem=f"{type(own).__name__} lacks {', '.join(f'{method}()' for method in lacking)}",
            fix="write what nba_props.sources.GameSource asks for",
        )
    return own  # type: ignore[return-value]  # its methods were just looked up
