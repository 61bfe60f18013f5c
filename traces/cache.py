"""Finished traces on disk, by the content of everything they depend on.

A trace is found again by the hash of its scene's content, its camera, its method's parameters and
the sources that recorded it: an edit of any of them is another trace. Entries are written whole or
not at all and checked when read; the least recently used leave when the folder grows beyond its
limit.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from archsim.base.errors import InputError
from archsim.base.hashing import hash_data, hash_path, hash_sources
from archsim.base.jit import cache_dir
from archsim.base.units import parse_quantity
from archsim.traces.trace import Trace

__all__ = ["TraceCache", "trace_key"]

DEFAULT_LIMIT = "5 GB"
_DIGEST_LETTERS = 16


def trace_key(parts: Mapping[str, Any]) -> str:
    """Return the key of what JSON-able ``parts`` describe, recorded by the present sources."""
    versions = {name: version(name) for name in ("numpy", "numba")}
    sources = hash_sources(("base", "traces"))
    return hash_data({"parts": dict(parts), "sources": sources, "versions": versions})


@dataclass
class TraceCache:
    """A folder of traces by key.

    Attributes
    ----------
    folder
        Where entries lie, ``<key>.<digest>.npz``; made when first needed.
    limit_bytes
        Total size kept; the newest entry is kept even when it alone is larger.
    notes
        What a user should know: damaged entries, a folder that cannot be written.
    """

    folder: Path
    limit_bytes: int
    notes: list[str] = field(default_factory=list)

    @staticmethod
    def default() -> TraceCache:
        """Return the user's cache; ``ARCHSIM_CACHE`` and ``ARCHSIM_CACHE_LIMIT`` change it."""
        limit = os.environ.get("ARCHSIM_CACHE_LIMIT", DEFAULT_LIMIT)
        size = parse_quantity(limit, "bytes", place="ARCHSIM_CACHE_LIMIT")
        return TraceCache(cache_dir() / "traces", int(size))

    def load(self, key: str) -> Trace | None:
        """Return the trace of this key, or ``None``; a damaged entry is removed with a note."""
        for entry in self._entries(key):
            try:
                if entry.name.split(".")[1] == hash_path(entry)[:_DIGEST_LETTERS]:
                    trace = Trace.load(entry)
                    os.utime(entry)
                    return trace
            except (InputError, OSError) as error:
                self.notes.append(f"cached trace {entry.name[:12]} not readable: {error}")
                continue
            entry.unlink(missing_ok=True)
            self.notes.append(f"cached trace {entry.name[:12]} was damaged: recorded again")
        return None

    def store(self, key: str, trace: Trace) -> None:
        """Keep a trace; a cache that cannot be written is a note, never a failure."""
        aside = self.folder / f".{key}.{os.getpid()}.npz"
        try:
            trace.save(aside)
            final = self.folder / f"{key}.{hash_path(aside)[:_DIGEST_LETTERS]}.npz"
            aside.replace(final)
            for other in self._entries(key):
                if other != final:
                    other.unlink(missing_ok=True)
            self._evict(final)
        except OSError as error:
            reason = error.strerror or str(error)
            self.notes.append(f"trace not kept in {self.folder}: {reason}")
        finally:
            self._remove(aside)

    @contextmanager
    def recording(self, key: str) -> Iterator[None]:
        """Hold a key while its trace is recorded, so that several processes record it once.

        Others wait here and find the trace afterwards. Without a folder that can be written each
        records for itself.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder / f".{key}.lock", os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            yield
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the process that holds it
            yield
            self._remove(self.folder / f".{key}.lock")
        finally:
            os.close(lock)

    def _entries(self, key: str) -> list[Path]:
        try:
            return sorted(self.folder.glob(f"{key}.*.npz"))
        except OSError:
            return []

    def _remove(self, file: Path) -> None:
        try:
            file.unlink(missing_ok=True)
        except OSError:
            return  # the folder itself cannot be used, which store has noted

    def _evict(self, newest: Path) -> None:
        entries = [(entry, entry.stat()) for entry in self.folder.glob("*.npz")]
        total = sum(stat.st_size for _, stat in entries)
        for entry, stat in sorted(entries, key=lambda item: item[1].st_mtime_ns):
            if total <= self.limit_bytes:
                return
            if entry != newest:
                entry.unlink(missing_ok=True)
                total -= stat.st_size
