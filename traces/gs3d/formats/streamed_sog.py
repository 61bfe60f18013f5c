"""PlayCanvas' streamed SOG: lod-meta.json, an octree whose leaves name ranges of SOGs per level.

Level 0 is the finest. A level is the union over the leaves of (file, offset, count).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archsim.base.errors import InputError
from archsim.traces.gs3d.formats.scene_file import Progress, SceneArrays, SceneFile
from archsim.traces.gs3d.formats.sog import Folder, Sog, decode_sog, open_sog

__all__ = ["StreamedSog", "open_streamed_sog"]


@dataclass(frozen=True)
class StreamedSog(SceneFile):
    """One level of detail of an opened streamed SOG."""

    parts: tuple[tuple[Sog, tuple[tuple[int, int], ...]], ...]

    def decode(self, arrays: SceneArrays, progress: Progress | None) -> None:
        """Decode part after part."""
        at = 0
        for sog, ranges in self.parts:
            at = decode_sog(sog, arrays, at, list(ranges))
            if progress is not None:
                progress(at, self.gaussians)


def open_streamed_sog(path: Path, lod: int | None) -> StreamedSog:
    """Read lod-meta.json and the meta.json files of level ``lod`` (None: 0, the finest)."""
    level = 0 if lod is None else lod
    remedy = "export the scene again with a current tool"
    try:
        meta = json.loads(path.read_bytes())
        levels = int(meta["lodLevels"])
        names = [str(n) for n in meta["filenames"]]
        leaves = [leaf["lods"] for leaf in _leaves(meta["tree"])]
        environment = meta.get("environment")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"not a lod-meta.json: {type(error).__name__} {error}", place=str(path),
                         remedy=remedy) from error  # fmt: skip
    if not 0 <= level < levels:
        raise InputError(f"level of detail {level}; this scene has 0 (finest) to {levels - 1}",
                         place=str(path), remedy=f"choose lod: 0 to {levels - 1}")  # fmt: skip
    ranges: dict[int, list[tuple[int, int]]] = {}
    for lods in leaves:
        entry = lods.get(str(level))
        if entry is not None:
            part = ranges.setdefault(int(entry["file"]), [])
            part.append((int(entry["offset"]), int(entry["count"])))
    parts = []
    for file in sorted(ranges):
        if not 0 <= file < len(names):
            raise InputError(f"file {file} of {len(names)} files", place=str(path), remedy=remedy)
        folder = (path.parent / names[file]).parent
        sog = open_sog(Folder(folder), folder)
        for offset, count in ranges[file]:
            if offset < 0 or count < 0 or offset + count > sog.gaussians:
                raise InputError(
                    f"range {offset} + {count} is outside {names[file]}'s {sog.gaussians}",
                    place=str(path), remedy=remedy,
                )  # fmt: skip
        parts.append((sog, tuple(sorted(ranges[file]))))
    if isinstance(environment, str):  # far surroundings, drawn at every level
        folder = (path.parent / environment).parent
        sog = open_sog(Folder(folder), folder)
        parts.append((sog, ((0, sog.gaussians),)))
    detail = {"lod": level, "lods": levels}
    return StreamedSog(
        path,
        "streamed-sog",
        sum(count for _, part in parts for _, count in part),
        max((sog.sh_degree for sog, _ in parts), default=0),
        (path, *(f for sog, _ in parts for f in sog.files)),
        max((sog.scratch_bytes for sog, _ in parts), default=0),
        detail,
        tuple(parts),
    )


def _leaves(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "lods" in node:
        yield node
    for child in node.get("children", []):
        yield from _leaves(child)
