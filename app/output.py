"""A run's folder: it appears whole, by one rename, or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archsim.base.errors import OutputError

__all__ = ["check_destination", "to_json", "write_folder"]

_RESULT = "result.json"
_SCHEMA_PREFIX = "archsim-result-"


def to_json(data: Any) -> str:
    """Return ``data`` as indented JSON with a final newline; NaN and infinity are refused."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def check_destination(folder: Path) -> None:
    """Raise :class:`OutputError` when a result could not be written to ``folder``.

    The folder may be missing, empty, or hold an earlier result, which a new one replaces; anything
    else is somebody's work and stays untouched. Meant to be asked before a long run.
    """
    with _output_errors(folder):
        if folder.exists() and not folder.is_dir():
            raise OutputError("is a file", place=str(folder), remedy="choose another --out")
        if folder.is_dir() and any(folder.iterdir()) and not _is_result(folder):
            raise OutputError(
                "holds files that are no earlier result",
                place=str(folder),
                remedy="choose an empty or new folder with --out",
            )
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.absolute().parent):
            pass  # it could be made: the result's folder can be, too


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Let ``fill`` write a result aside, then make it appear as ``folder`` by one rename.

    An earlier result stays until the new one is complete. When anything fails (a full disk, an
    interrupt), what was written aside is removed and the earlier result is still there.
    """
    folder = folder.absolute()
    check_destination(folder)
    with _output_errors(folder):
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            aside.chmod(0o777 & ~_umask())
            fill(aside)
            _flush(aside)
            _swap(aside, folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _swap(aside: Path, folder: Path) -> None:
    if not (folder.is_dir() and any(folder.iterdir())):
        aside.rename(folder)
        return
    earlier = aside.with_name(f"{aside.name}.earlier")
    folder.rename(earlier)
    try:
        aside.rename(folder)
    except BaseException:
        earlier.rename(folder)
        raise
    shutil.rmtree(earlier)


def _is_result(folder: Path) -> bool:
    try:
        schema = json.loads((folder / _RESULT).read_text(encoding="utf-8"))["schema"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return isinstance(schema, str) and schema.startswith(_SCHEMA_PREFIX)


def _flush(folder: Path) -> None:
    """Force everything to the disk before the rename makes it visible."""
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def _output_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"the result cannot be written: {error.strerror or error}",
            place=str(folder),
            remedy="choose a folder that can be written, with free space, with --out; recorded "
            "traces are kept, so running again is quick",
        ) from error
