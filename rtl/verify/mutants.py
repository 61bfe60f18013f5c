"""Seeded bugs: a line of a block's source changed, which its bench must notice.

A mutant names the exact text that it replaces, so that it fails loudly when the source moves on.
Only code objects are exchanged, and only while the mutant is in force: models, classes and imports
stay what they are.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Mutant", "changed_source", "in_force"]


@dataclass(frozen=True)
class Mutant:
    """A seeded bug.

    Parameters
    ----------
    bench
        Name of the bench that must notice it.
    module
        Where it is, below ``archsim.rtl``.
    old, new
        Text of the source, occurring once, and what stands there instead.
    """

    bench: str
    module: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.bench}: {self.old} -> {self.new}"


def changed_source(mutant: Mutant) -> str:
    """Return the module's source with the bug in it.

    Raises :class:`ValueError` when the text does not occur exactly once.
    """
    file = _file(mutant)
    source = file.read_text()
    if source.count(mutant.old) != 1:
        raise ValueError(
            f"{file.name}: {mutant.old!r} occurs {source.count(mutant.old)} times, not once"
        )
    return source.replace(mutant.old, mutant.new)


def _file(mutant: Mutant) -> Path:
    return Path(str(importlib.import_module(f"archsim.rtl.{mutant.module}").__file__))


@contextlib.contextmanager
def in_force(mutant: Mutant) -> Iterator[None]:
    """Let the module's functions run the changed source (see :func:`changed_source`)."""
    source, file = changed_source(mutant), _file(mutant)
    module = importlib.import_module(f"archsim.rtl.{mutant.module}")
    changed = types.ModuleType(f"{module.__name__}_mutant")
    changed.__file__ = str(file)
    # amaranth and dataclasses look their module up
    exec(compile(source, str(file), "exec"), _named(changed))
    before = _functions(module)
    after = _functions(changed)
    codes = {name: function.__code__ for name, function in before.items()}
    for name, function in before.items():
        if name in after and after[name].__code__.co_freevars == function.__code__.co_freevars:
            function.__code__ = after[name].__code__
    try:
        yield
    finally:
        for name, function in before.items():
            function.__code__ = codes[name]


def _named(module: types.ModuleType) -> dict[str, Any]:
    import sys

    sys.modules[module.__name__] = module
    return module.__dict__


def _functions(module: types.ModuleType) -> dict[str, Any]:
    """Return the functions and methods that a module defines, by qualified name."""
    found: dict[str, Any] = {}
    for value in vars(module).values():
        if inspect.isfunction(value) and value.__module__ == module.__name__:
            found[value.__qualname__] = value
        elif inspect.isclass(value) and value.__module__ == module.__name__:
            for member in vars(value).values():
                inner = member.fget if isinstance(member, property) else member
                if inspect.isfunction(inner):
                    found[inner.__qualname__] = inner
    return found
