"""A run's folder: it appears whole or not at all, and leaves what others keep there."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archsim.base.errors import OutputError
from archsim.base.hashing import hash_data

__all__ = ["check_destination", "default_folder", "to_json", "write_folder"]

_RESULT = "result.json"
_MANIFEST = "manifest.json"
_NAMES = (_RESULT, _MANIFEST, "report.html", "tables", "images")
_ASIDE = ".archsim-"  # hidden folder that a result is written to first
_SCHEMA_PREFIX = "archsim-result-"


def to_json(data: Any) -> str:
    """Return ``data`` as indented JSON with a final newline; NaN and infinity are refused."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def default_folder(config: str, assignments: Iterable[str]) -> Path:
    """Return where a run without ``--out`` goes: one folder per configuration and given scene."""
    name = Path(config).stem
    for assignment in assignments:
        key, _, scene = assignment.partition("=")
        if key.strip() == "workload.scene":
            name = f"{Path(config).stem}-{_scene_name(scene.strip())}"
    return Path("archsim-out") / name


def _scene_name(scene: str) -> str:
    if scene.startswith("{"):
        return f"composition-{hash_data(scene)[:8]}"
    path = Path(scene.strip("'\"").removeprefix("builtin:"))
    named = path.parent if path.name in ("meta.json", "lod-meta.json") else path
    stem = named.absolute().name.split(".")[0]  # compressed.ply is one ending
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in stem)


def check_destination(folder: Path) -> None:
    """Raise :class:`OutputError` when a result could not be written to ``folder``.

    The folder may be missing, empty, or hold an earlier result, whose files a new one replaces;
    a folder with anything else only is somebody's work and stays untouched. Meant to be asked
    before a long run.
    """
    folder = folder.absolute()
    for part in (folder, *folder.parents):
        if os.path.lexists(part):
            if not part.is_dir():
                raise OutputError("is no folder", place=str(part), remedy="choose another --out")
            break
    with _output_errors(folder):
        if folder.is_dir():
            present = sorted(path.name for path in folder.iterdir())
            if present and not _is_result(folder):
                raise OutputError(
                    f"holds files that are no earlier result, such as {present[0]}",
                    place=str(folder),
                    remedy="choose an empty or new folder with --out",
                )
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_ASIDE, dir=_beside(folder)):
            pass  # it could be made: the result can be, too


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Let ``fill`` write a result aside, then make it appear as ``folder``.

    A new folder appears by one rename. One that exists keeps its place (it may be a mount point
    or somebody's current folder): the earlier result's files leave it, the new ones move in, and
    ``result.json`` comes last; files of others in it stay. When anything fails (a full disk, an
    interrupt), the earlier result is put back and what was written aside is removed.
    """
    folder = folder.absolute()
    check_destination(folder)
    with _output_errors(folder):
        aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=_beside(folder)))
        try:
            aside.chmod(0o777 & ~_umask())
            new = aside / "new" if folder.is_dir() else aside
            new.mkdir(exist_ok=True)
            fill(new)
            _flush(new)
            if new is aside:
                aside.rename(folder)
            else:
                _exchange(new, folder, aside / "earlier")
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _beside(folder: Path) -> Path:
    """Return where to write aside, on the same file system."""
    return folder if folder.is_dir() else folder.parent


def _exchange(new: Path, folder: Path, earlier: Path) -> None:
    """Move the earlier result's files out of ``folder`` and those of ``new`` in, or neither."""
    old = _files_of(folder)
    files = sorted(_files_in(new), key=lambda file: file == Path(_RESULT))  # result.json last
    for file in files:
        if os.path.lexists(folder / file) and file not in old:
            raise OutputError("is in the way: it is not the earlier result's",
                              place=str(folder / file),
                              remedy="move it, or choose another --out")  # fmt: skip
    moved: list[tuple[Path, Path]] = []
    try:
        for file in old:
            _move(folder / file, earlier / file, moved)
        for file in files:
            _move(new / file, folder / file, moved)
    except BaseException:
        for source, target in reversed(moved):
            target.rename(source)
        raise
    for left in sorted({folder / file.parent for file in old} - {folder}, reverse=True):
        if not any(left.iterdir()):
            left.rmdir()


def _move(source: Path, target: Path, moved: list[tuple[Path, Path]]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
    moved.append((source, target))


def _files_of(folder: Path) -> list[Path]:
    """Return the files of the result in ``folder``, ``result.json`` first; empty without one.

    Its manifest lists them; without a list, all files of the names that results have.
    """
    if not _is_result(folder):
        return []
    try:
        listed = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))["files"]
        files = {Path(name) for name in listed}
    except (OSError, ValueError, KeyError, TypeError):
        files = {file for file in _files_in(folder) if file.parts[0] in _NAMES}
    inside = {file for file in files if not file.is_absolute() and ".." not in file.parts}
    there = {file for file in inside if (folder / file).is_file()} - {Path(_RESULT)}
    return [Path(_RESULT), *sorted(there)]


def _files_in(folder: Path) -> list[Path]:
    return [file.relative_to(folder) for file in folder.rglob("*") if not file.is_dir()]


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
