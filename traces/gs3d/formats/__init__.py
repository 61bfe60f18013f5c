"""Scene files: every format is read to the same axes and the same activated parameters.

Axes are those of INRIA's .ply: x right, y down, z forward (RDF).
"""

from __future__ import annotations

import json
from pathlib import Path

from archsim.base.errors import InputError
from archsim.traces.gs3d.formats.compressed_ply import open_compressed_ply
from archsim.traces.gs3d.formats.inria_ply import open_inria_ply
from archsim.traces.gs3d.formats.json_words import json_problem
from archsim.traces.gs3d.formats.ply_header import read_ply_header
from archsim.traces.gs3d.formats.scene_file import Progress, SceneFile
from archsim.traces.gs3d.formats.sog import Folder, Zip, open_sog
from archsim.traces.gs3d.formats.splat import open_splat
from archsim.traces.gs3d.formats.spz import open_spz
from archsim.traces.gs3d.formats.streamed_sog import open_streamed_sog
from archsim.traces.gs3d.memory import MORE_MEMORY, check_memory
from archsim.traces.gs3d.scene import Scene

__all__ = ["FORMATS", "SceneFile", "load_scene_file", "open_scene_file"]

#: format -> what to give for it
FORMATS = {
    "inria-ply": "a .ply as INRIA's training writes it",
    "playcanvas-compressed-ply": "a .compressed.ply",
    "splat": "a .splat",
    "spz": "a .spz, version 2 to 4",
    "sog": "a folder with meta.json, its meta.json, or a bundled .sog",
    "streamed-sog": "a lod-meta.json or its folder, with a level of detail",
}

# First bytes of the formats that have such, and the endings their files may have.
_SIGNATURES = (
    (b"ply", "ply", (".ply",)),
    (b"\x1f\x8b", "gzip (.spz)", (".spz",)),
    (b"NGSP", "spz", (".spz",)),
    (b"PK\x03\x04", "zip (.sog)", (".sog", ".zip")),
)
_ENDINGS = (".ply", ".spz", ".sog", ".zip", ".splat", ".json")


def open_scene_file(path: Path | str, lod: int | None = None) -> SceneFile:
    """Detect the format by content and name, read and check the header; decode nothing.

    Raises :class:`InputError` for a file that is missing, mislabelled, truncated, empty, of
    an unsupported version, or has no level of detail ``lod``.
    """
    path = Path(path)
    if not path.exists():
        raise InputError("no such scene file or folder", place=str(path),
                         remedy="check the path; relative ones start at the configuration's "
                         "folder, then at the current one")  # fmt: skip
    try:
        file = _open(path, lod)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", place=str(path),
                         remedy="check that it is there and readable") from error  # fmt: skip
    if lod is not None and "lod" not in file.detail:
        raise InputError(f"lod: {lod} is given, but a {file.format} has no levels of detail",
                         place=str(path), remedy="leave lod out")  # fmt: skip
    if file.gaussians == 0:
        raise InputError("the scene has no Gaussians", place=str(path),
                         remedy="give a trained scene; this export is empty")  # fmt: skip
    return file


def load_scene_file(
    path: Path | str,
    lod: int | None = None,
    *,
    memory_limit_bytes: int | None = None,
    progress: Progress | None = None,
) -> Scene:
    """Read a scene; see :data:`FORMATS` for what can be given.

    Parameters
    ----------
    path
        A file, a folder with meta.json or lod-meta.json, or one of these two files.
    lod
        Level of detail of a streamed SOG, 0 (finest, the default) and up.
    memory_limit_bytes
        What loading may take; None: a share of the available memory (:mod:`memory`). A scene
        over it is refused with :class:`ResourceError` before it is loaded.
    progress
        Called with Gaussians done and in total.

    Raises :class:`InputError` naming the file and the byte offset or record for a truncated,
    mislabelled or empty file and for values that cannot be rendered (NaN, infinity, scales not
    positive, zero quaternions).
    """
    file = open_scene_file(path, lod)
    check_memory(
        file.needed_bytes,
        memory_limit_bytes,
        place=str(path),
        remedy=f"choose a coarser level of detail or a smaller scene, or {MORE_MEMORY}",
    )
    return file.load(progress)


def _open(path: Path, lod: int | None) -> SceneFile:
    if path.is_dir():
        if (path / "lod-meta.json").is_file():
            return open_streamed_sog(path / "lod-meta.json", lod)
        if (path / "meta.json").is_file():
            return open_sog(Folder(path), path)
        raise InputError("a folder with neither meta.json nor lod-meta.json", place=str(path),
                         remedy="give a scene file, or the folder of a SOG")  # fmt: skip
    with path.open("rb") as stream:
        head = stream.read(16)
    ending = path.suffix.lower()
    if not head:
        raise InputError("an empty file", place=f"{path}, byte offset 0",
                         remedy="copy or download the file again")  # fmt: skip
    for signature, label, endings in _SIGNATURES:
        if head.startswith(signature):
            if ending in _ENDINGS and ending not in endings:
                raise InputError(
                    f"mislabelled: named {ending} but its content is {label}",
                    place=f"{path}, byte offset 0",
                    remedy=f"rename it to {path.stem}{endings[0]}, or give the right file",
                )
            return _open_signed(path, label)
    if ending == ".json":
        return _open_json(path, lod)
    if ending == ".splat":
        return open_splat(path)
    what = f"mislabelled or damaged: named {ending} but begins with {head[:4]!r}"
    raise InputError(
        what if ending in _ENDINGS else f"not a scene format read here (begins with {head[:4]!r})",
        place=f"{path}, byte offset 0",
        remedy="give one of: " + "; ".join(FORMATS.values()),
    )


def _open_signed(path: Path, label: str) -> SceneFile:
    if label == "ply":
        header = read_ply_header(path)
        return open_compressed_ply(header) if "chunk" in header.elements else open_inria_ply(header)
    if label.startswith("zip"):
        return open_sog(Zip(path), path)
    return open_spz(path)


def _open_json(path: Path, lod: int | None) -> SceneFile:
    try:
        meta = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(json_problem(error), place=str(path),
                         remedy="copy or download the file again") from error  # fmt: skip
    if isinstance(meta, dict) and "lodLevels" in meta:
        return open_streamed_sog(path, lod)
    if isinstance(meta, dict) and "means" in meta:
        return open_sog(Folder(path.parent), path)
    raise InputError("a JSON file that is neither a SOG's meta.json nor a lod-meta.json",
                     place=str(path), remedy="give the scene, not its cameras")  # fmt: skip
