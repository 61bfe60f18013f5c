"""numba, with its cache in a folder of ours: import ``njit`` and ``prange`` from here only.

numba keeps compiled code per function and does not notice when a function or constant *of
another module* that it compiled in has changed. The cache folder's name therefore carries a hash
of all our compiled sources, and compiled code takes its constants as arguments.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

__all__ = ["cache_dir", "njit", "prange"]

_ROOMS = ("base", "arch", "traces", "sim", "rtl", "explore")
_KEPT_VERSIONS = 4  # compiled caches of older source versions kept for switching branches
_F = TypeVar("_F", bound=Callable[..., Any])


def cache_dir() -> Path:
    """Return archsim's cache folder: ``ARCHSIM_CACHE`` or the user's cache directory."""
    named = os.environ.get("ARCHSIM_CACHE")
    return Path(named) if named else Path(platformdirs.user_cache_dir("archsim"))


def _compiled_sources_hash() -> str:
    digest = hashlib.sha256()
    for room in _ROOMS:
        spec = importlib.util.find_spec(f"archsim.{room}")
        if spec is None or spec.origin is None:
            continue  # a room that this installation does not have compiles nothing
        root = Path(spec.origin).parent
        for file in sorted(root.rglob("*.py")):
            source = file.read_bytes()
            if b"base.jit" in source:
                digest.update(f"{room}/{file.relative_to(root)}".encode() + b"\0" + source)
    return digest.hexdigest()[:16]


def _use_own_cache() -> None:
    if "NUMBA_CACHE_DIR" in os.environ:
        return  # the user decides
    root = cache_dir() / "compiled"
    here = root / _compiled_sources_hash()
    try:
        here.mkdir(parents=True, exist_ok=True)
        os.utime(here)
        versions = sorted(root.iterdir(), key=lambda p: p.stat().st_mtime, reverse=True)
        for old in versions[_KEPT_VERSIONS:]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError:
        return  # a read-only home: numba falls back to __pycache__ or compiles each time
    os.environ["NUMBA_CACHE_DIR"] = str(here)


_use_own_cache()

import numba  # noqa: E402  (the cache folder must be set before numba is imported)
from numba.core.caching import FunctionCache  # noqa: E402

prange = numba.prange


_Cache: Any = FunctionCache  # numba has no types


class _ForgivingCache(_Cache):  # type: ignore[misc]
    """numba's cache of one function; when it is damaged or full, code is compiled as without."""

    _told = False

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # what damaged bytes raise when unpickled has no end
            self._tell("damaged, compiling again", error)
            try:
                Path(self._cache_file._index_path).unlink(missing_ok=True)
            except OSError:
                self.disable()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            self.disable()
            self._tell("cannot be written, going on without", error)

    def _tell(self, what: str, error: Exception) -> None:
        if not _ForgivingCache._told:
            _ForgivingCache._told = True
            reason = getattr(error, "strerror", None) or type(error).__name__
            folder = Path(self.cache_path).parent
            print(f"warning: compiled code in {folder}: {what} ({reason})", file=sys.stderr)


def njit(*, parallel: bool = False, fastmath: bool = False, borrows: bool = False
         ) -> Callable[[_F], _F]:  # fmt: skip
    """Compile a function in nopython mode, cached on disk, releasing the GIL.

    ``borrows`` is for hot loops that allocate nothing: the function is made part of every compiled
    function that calls it and does not count its references to arrays, which with small functions
    takes several times longer than their work. Its caller keeps the arrays alive.
    """

    def decorate(function: _F) -> _F:
        options: dict[str, Any] = {"forceinline": True, "_nrt": False} if borrows else {}
        compile_it: Any = numba.njit(
            nogil=True, parallel=parallel, fastmath=fastmath, error_model="numpy", **options
        )
        compiled: _F = compile_it(function)
        if hasattr(compiled, "_cache"):  # not where NUMBA_DISABLE_JIT leaves plain Python
            try:
                compiled._cache = _ForgivingCache(function)
            except RuntimeError:
                return compiled  # no folder can be written: compiled each time
        return compiled

    return decorate
