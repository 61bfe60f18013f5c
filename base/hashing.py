"""Content hashes: of files, of folders, of plain data and of this package's own sources."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["hash_data", "hash_path", "hash_sources"]

_BLOCK_BYTES = 1 << 20


def hash_path(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's files by name and content."""
    digest = hashlib.sha256()
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        if path.is_dir():
            digest.update(str(file.relative_to(path)).encode() + b"\0")
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def hash_data(data: Any) -> str:
    """Return the SHA-256 of JSON-able ``data`` in canonical form (sorted keys)."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def hash_sources(rooms: tuple[str, ...], suffixes: tuple[str, ...] = (".py",)) -> str:
    """Return the SHA-256 of the sources of the named rooms (packages of archsim).

    ``suffixes`` says which files count: Python alone, or tables such as ``.yaml``, too.
    """
    import importlib.util

    digest = hashlib.sha256()
    for room in rooms:
        spec = importlib.util.find_spec(f"archsim.{room}")
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"archsim.{room} is not installed")
        root = Path(spec.origin).parent
        for file in sorted(f for f in root.rglob("*") if f.suffix in suffixes):
            digest.update(f"{room}/{file.relative_to(root)}".encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
