"""What a function runs of its own package, followed name by name. Pure.

Nothing is imported or run: a name is looked up where the source binds it. So what the source does not name is not seen:
data files, the code of other packages, and calls by a computed name.
"""

import ast
from collections.abc import Callable, Mapping, Sequence

from phasegate.code.module import Import, Module
from phasegate.code.syntax import Ref, refs_of, text_of

LAZY = "__getattr__"


class Closure:
    """The source of some names, and of all that they use.

    ``own`` returns a module whose source counts, and None for any other.
    """

    def __init__(self, own: Callable[[str], Module | None]) -> None:
        self._own = own
        self._seen: set[object] = set()
        self._left: list[tuple[Module, str]] = []
        self._lines: set[str] = set()

    def lines(self) -> list[str]:
        """Return the source as sorted lines: equal code, equal lines."""
        while self._left:
            module, name = self._left.pop()
            for number, unit in enumerate(module.units.get(name, ())):
                self.add_node(module, unit, place=f"{name} {number}")
            for one in module.imports.get(name, ()):
                self._import(one, ())
        return sorted(self._lines)

    def add(self, module: Module, name: str) -> bool:
        """Add a name of a module; return whether the module has it."""
        home = self._home(module, name, tried=set())
        if home is None:
            return False
        if (home[0].name, home[1]) not in self._seen:
            self._seen.add((home[0].name, home[1]))
            self._left.append(home)
        return True

    def add_node(self, module: Module, node: ast.AST, *, place: str, but: Sequence[str] = ()) -> set[Ref]:
        """Add a piece of a module's source, and what it uses.

        Returns the names that the module does not have. ``but``: names that mean something else here.
        """
        self._lines.add(f"{module.name} {place}: {text_of(node)}")
        local = module.imports_in(ast.walk(node))
        used = {ref for ref in refs_of(node) if ref[0] not in but}
        return {ref for ref in sorted(used) if not self._follow(module, ref, local=local)}

    def add_module(self, module: Module, rest: Ref = ()) -> None:
        """Add what an attribute of a module refers to; all of it without one."""
        if not rest:
            for name in module.units:
                self.add(module, name)
        elif self._home(module, rest[0], tried=set()) is not None:
            self._follow(module, rest)
        elif not self._submodule(module, rest):
            self.add(module, LAZY)

    def _submodule(self, module: Module, rest: Ref) -> bool:
        inner = self._own(f"{module.name}.{rest[0]}")
        if inner is not None:
            self.add_module(inner, rest[1:])
        return inner is not None

    def _home(self, module: Module, name: str, *, tried: set[str]) -> tuple[Module, str] | None:
        """Return the module that gives a name, and the name that it has there."""
        if module.defines(name):
            return module, name
        tried.add(module.name)
        for star in module.stars:
            other = None if star in tried else self._own(star)
            found = None if other is None else self._home(other, name, tried=tried)
            if found is not None:
                return found
        return None

    def _follow(self, module: Module, ref: Ref, *, local: Mapping[str, list[Import]] | None = None) -> bool:
        """Add what a name with its attributes refers to; return whether any."""
        bound = (local or {}).get(ref[0]) or module.imports.get(ref[0], [])
        for one in bound:
            self._import(one, ref[1:])
        if bound and ref[0] not in module.units:
            return True
        return self.add(module, ref[0]) or bool(bound)

    def _import(self, one: Import, rest: Ref) -> None:
        """Add what an import refers to: only its name for another package."""
        if (one, rest) in self._seen:
            return
        self._seen.add((one, rest))
        module = self._own(one.module)
        if module is None:
            self._lines.add(f"import {one.module} {one.name}")
        else:
            self.add_module(module, (one.name, *rest) if one.name else rest)
