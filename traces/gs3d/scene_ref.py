"""One scene named in a configuration, file or built-in: its size, its identity, its content."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from archsim.base.errors import ConfigError
from archsim.base.hashing import hash_path
from archsim.traces.gs3d.builtin import BUILTIN_PREFIX, BuiltinScene, builtin_scene
from archsim.traces.gs3d.formats import SceneFile, open_scene_file
from archsim.traces.gs3d.formats.scene_file import Progress
from archsim.traces.gs3d.memory import scene_bytes
from archsim.traces.gs3d.scene import Scene

__all__ = ["SceneRef"]


@dataclass(frozen=True)
class SceneRef:
    """A scene by name; nothing is read until asked for.

    Attributes
    ----------
    scene
        Path of a file or folder, or ``builtin:NAME``.
    lod
        Level of detail of a streamed SOG.
    gaussians
        Count of a built-in; None: its default.
    sh_degree
        For files: the highest degree kept; for built-ins: the degree made. None: all, or 3.
    """

    scene: str
    lod: int | None = None
    gaussians: int | None = None
    sh_degree: int | None = None

    @property
    def builtin(self) -> str | None:
        """The built-in's name, or None for a file."""
        named = self.scene.startswith(BUILTIN_PREFIX)
        return self.scene.removeprefix(BUILTIN_PREFIX) if named else None

    def size(self) -> tuple[int, int, int]:
        """Return Gaussians, SH degree, and bytes needed to load; only headers are read."""
        if self.builtin is not None:
            made = self._builtin()
            count = self.gaussians or made.default_gaussians
            degree = 3 if self.sh_degree is None else self.sh_degree
            return count, degree, scene_bytes(count, degree) + made.scratch_bytes(count)
        file = self._file()
        degree = file.sh_degree if self.sh_degree is None else min(file.sh_degree, self.sh_degree)
        return file.gaussians, degree, file.needed_bytes

    def key(self, seed: int) -> dict[str, Any]:
        """Return what the scene's content depends on, JSON-able; files by their hash."""
        if self.builtin is not None:
            count, degree, _ = self.size()
            return {"builtin": self.builtin, "gaussians": count, "sh_degree": degree, "seed": seed}
        file = self._file()
        files = [_hash_file(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in file.files]
        lod = file.detail.get("lod")
        return {"sh_degree": self.sh_degree, "format": file.format, "lod": lod, "files": files}

    def load(self, seed: int, progress: Progress | None = None) -> Scene:
        """Read or make the scene. Memory is the caller's to check first, from :meth:`size`."""
        if self.builtin is not None:
            count, degree, _ = self.size()
            return self._builtin().make(count, degree, seed)
        file = self._file()
        scene = file.load(progress)
        if self.sh_degree is not None and self.sh_degree < scene.sh_degree:
            kept = np.ascontiguousarray(scene.sh[:, : (self.sh_degree + 1) ** 2])
            source = {**scene.source, "sh_degree_kept": self.sh_degree}
            scene = replace(scene, sh=kept, source=source)
        return replace(scene, source={**scene.source, "content": self.key(seed)["files"]})

    def _builtin(self) -> BuiltinScene:
        if self.lod is not None:
            raise ConfigError(f"lod: {self.lod} is given, but {self.scene} has no levels of detail",
                              place="workload.lod", remedy="leave lod out")  # fmt: skip
        return builtin_scene(self.builtin or "")

    def _file(self) -> SceneFile:
        if self.gaussians is not None:
            raise ConfigError(
                f"gaussians: {self.gaussians} is given, but {self.scene} is a file with its own",
                place="workload.gaussians",
                remedy="leave gaussians out, or use a built-in scene",
            )
        return open_scene_file(Path(self.scene), self.lod)


@cache
def _hash_file(path: str, size: int, modified_ns: int) -> str:
    """Return a file's SHA-256; read again only when its size or time has changed."""
    return hash_path(Path(path))
