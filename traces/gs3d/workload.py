"""The gs3d workload of a run configuration: which scene, seen by which cameras.

Relative paths are looked for in the configuration's folder first, then in the current one: give
``context={"folder": Path}`` to ``model_validate`` (without it only the current one counts).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    model_validator,
)

from archsim.base.errors import ConfigError
from archsim.traces.cache import TraceCache, trace_key
from archsim.traces.gs3d.builtin import BUILTIN_PREFIX, BuiltinViews, builtin_scene
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.camera_files import load_camera_file
from archsim.traces.gs3d.cameras import (
    Bounds,
    CameraPath,
    Orbit,
    bounds_of,
    orbit_cameras,
    path_cameras,
)
from archsim.traces.gs3d.compose import Composition, compose_scenes, composition_size
from archsim.traces.gs3d.formats.scene_file import Progress
from archsim.traces.gs3d.memory import MORE_MEMORY, check_memory
from archsim.traces.gs3d.prune import Prune, Pruned, prune_scene
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.scene_ref import SceneRef
from archsim.traces.trace import Trace

__all__ = ["Cameras", "Gs3dWorkload", "find_path", "load_cameras", "load_scene", "scene_key"]

_DEFAULT_RESOLUTION = (1280, 720)


class Cameras(BaseModel):
    """Where the cameras come from: exactly one of orbit, path, file and builtin."""

    model_config = ConfigDict(extra="forbid")

    #: A ``--set`` of one of them replaces the others.
    alternatives: ClassVar[tuple[str, ...]] = ("orbit", "path", "file", "builtin")

    orbit: Orbit | None = Field(
        default=None, description="Cameras on a circle around the scene. Example: {views: 4}"
    )
    path: CameraPath | None = Field(
        default=None,
        description="Cameras along keyframes. "
        "Example: {views: 10, keyframes: [{position: [0, -1, -3], look_at: [0, -1, 0]}]}",
    )
    file: str | None = Field(
        default=None,
        description="INRIA cameras.json, NeRF transforms.json or a COLMAP sparse folder. "
        "Example: train/cameras.json",
    )
    builtin: BuiltinViews | None = Field(
        default=None, description="The built-in scene's own views. Example: {views: 4}"
    )
    pick: list[int] | None = Field(
        default=None,
        min_length=1,
        description="Indices of the cameras to keep, from 0. Example: [0, 5, 9]",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Cameras:
        named = [n for n in self.alternatives if getattr(self, n) is not None]
        if len(named) != 1:
            raise ValueError(
                "expected exactly one of orbit, path, file and builtin, found "
                + (" and ".join(named) or "none")
            )
        return self


def _scene_kind(value: Any) -> str:
    return "composition" if isinstance(value, (Mapping, Composition)) else "name"


class Gs3dWorkload(BaseModel):
    """A 3D Gaussian Splatting scene and the cameras it is rendered for."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["gs3d"] = Field(
        default="gs3d", description="The workload's domain. Example: gs3d"
    )
    scene: Annotated[
        Annotated[str, Tag("name")] | Annotated[Composition, Tag("composition")],
        Discriminator(_scene_kind),
    ] = Field(
        description="A scene file (.ply, .compressed.ply, .splat, .spz, .sog), a SOG's folder, a "
        "lod-meta.json, builtin:object, builtin:room, or a composition. Example: builtin:room",
    )
    lod: int | None = Field(
        default=None,
        ge=0,
        description="Level of detail of a streamed SOG, 0 is the finest and the default. "
        "Example: 2",
    )
    gaussians: int | None = Field(
        default=None,
        ge=1000,
        description="Number of Gaussians of a built-in scene; each has its default. "
        "Example: 1000000",
    )
    sh_degree: int | None = Field(
        default=None,
        ge=0,
        le=3,
        description="Highest degree of spherical harmonics kept of a file (default: all), or made "
        "for a built-in (default: 3). Example: 0",
    )
    prune: Prune | None = Field(
        default=None,
        description="Keep only a share of the Gaussians; everything, the reference too, is then of "
        "the pruned scene. Example: {kind: mini-splatting, keep: 0.4}",
    )
    cameras: Cameras = Field(
        default_factory=lambda: Cameras(orbit=Orbit()),
        description="Where the cameras come from. Example: {orbit: {views: 1}}",
    )
    resolution: tuple[int, int] | None = Field(
        default=None,
        description="Width and height in pixels; default: a camera file's own, 1280 x 720 for "
        "generated cameras. Intrinsics of a file are rescaled. Example: [1280, 720]",
    )

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Gs3dWorkload:
        if self.resolution is not None and min(self.resolution) < 1:
            raise ValueError(f"resolution {list(self.resolution)}: both must be at least 1 pixel")
        folder = (info.context or {}).get("folder") if isinstance(info.context, dict) else None
        if isinstance(self.scene, Composition):
            if self.lod is not None or self.gaussians is not None:
                raise ValueError("lod and gaussians belong into the parts of a composition")
            for part in self.scene.compose:
                part.scene = find_path(part.scene, folder)
        else:
            self.scene = find_path(self.scene, folder)
        if self.cameras.file is not None:
            self.cameras.file = find_path(self.cameras.file, folder)
        return self


def find_path(name: str, folder: Path | None) -> str:
    """Return ``name`` inside ``folder`` when it is a relative path that exists there."""
    if name.startswith(BUILTIN_PREFIX) or folder is None or Path(name).is_absolute():
        return name
    inside = folder / name
    return str(inside) if inside.exists() else name


def load_scene(
    workload: Gs3dWorkload,
    *,
    seed: int,
    memory_limit_bytes: int | None = None,
    cache: TraceCache | None = None,
    progress: Progress | None = None,
) -> Scene:
    """Return the workload's scene, pruned where it asks for it.

    Raises :class:`ResourceError` before anything is loaded when it would take more than
    ``memory_limit_bytes`` (None: a share of the available memory), :class:`InputError` for a
    file that cannot be used and :class:`ConfigError` for an unknown built-in or a parameter that
    the scene does not have. ``cache`` keeps which Gaussians pruning chose. ``progress`` is called
    with Gaussians done and in total, and again with views while pruning.
    """
    scene = _load_whole(workload, seed, memory_limit_bytes, progress)
    if workload.prune is None:
        return scene
    key = trace_key({"what": "prune", "scene": scene_key(workload, seed)})
    kept = None if cache is None else cache.load(key)
    if kept is None:
        cameras = load_cameras(_choosing_views(workload, workload.prune), scene)
        pruned = prune_scene(scene, workload.prune, cameras, seed, progress)
        facts = {"psnr_db": pruned.psnr_db, "judged_on": pruned.judged_on}
        if cache is not None:
            cache.store(key, Trace("gs3d/prune", facts, {"kept": pruned.kept}))
    else:
        pruned = Pruned(kept.columns["kept"], **kept.meta)
    return pruned.of(scene, workload.prune)


def _choosing_views(workload: Gs3dWorkload, prune: Prune) -> Gs3dWorkload:
    """Return the workload with the views that decide what stays, and that judge it."""
    builtin = isinstance(workload.scene, str) and workload.scene.startswith(BUILTIN_PREFIX)
    views = prune.views_in_all
    cameras = (
        Cameras(builtin=BuiltinViews(views=views)) if builtin else Cameras(orbit=Orbit(views=views))
    )
    return workload.model_copy(update={"cameras": cameras, "resolution": prune.resolution})


def _load_whole(
    workload: Gs3dWorkload, seed: int, memory_limit_bytes: int | None, progress: Progress | None
) -> Scene:
    if isinstance(workload.scene, Composition):
        _, _, needed = composition_size(workload.scene, workload.sh_degree)
        remedy = f"use fewer copies or coarser levels of detail, or {MORE_MEMORY}"
        check_memory(needed, memory_limit_bytes, place="composed scene", remedy=remedy)
        return compose_scenes(workload.scene, workload.sh_degree, seed, progress)
    ref = _ref(workload)
    remedy = f"choose a coarser level of detail or fewer Gaussians, or {MORE_MEMORY}"
    check_memory(ref.size()[2], memory_limit_bytes, place=workload.scene, remedy=remedy)
    return ref.load(seed, progress)


def scene_key(workload: Gs3dWorkload, seed: int) -> dict[str, Any]:
    """Return what the scene's content depends on, JSON-able: hashes of files, no decoding.

    Two workloads with equal keys have equal scenes. Cameras are not in it.
    """
    if workload.prune is not None:
        whole = scene_key(workload.model_copy(update={"prune": None}), seed)
        return {"prune": workload.prune.model_dump(mode="json"), "seed": seed, "of": whole}
    if not isinstance(workload.scene, Composition):
        return _ref(workload).key(seed)
    parts = []
    for part in workload.scene.compose:
        placed = part.model_dump(exclude={"scene", "lod", "gaussians"})
        parts.append({**placed, "key": part.ref(workload.sh_degree).key(seed)})
    return {"compose": parts}


def load_cameras(workload: Gs3dWorkload, scene: Scene | Bounds) -> list[Camera]:
    """Return the workload's cameras; orbits are built around ``scene`` or its bounds.

    Raises :class:`InputError` for a camera file that cannot be used and :class:`ConfigError`
    for a pick out of range, a view without direction, or built-in views of a scene without.
    """
    cameras, resolution = workload.cameras, workload.resolution
    width, height = resolution or _DEFAULT_RESOLUTION
    if cameras.file is not None:
        views = load_camera_file(Path(cameras.file), resolution)
    elif cameras.path is not None:
        views = path_cameras(cameras.path, width, height)
    elif cameras.builtin is not None:
        if not isinstance(workload.scene, str) or not workload.scene.startswith(BUILTIN_PREFIX):
            raise ConfigError("only built-in scenes have built-in cameras",
                              place="workload.cameras.builtin",
                              remedy="use an orbit, a path or a camera file")  # fmt: skip
        made = builtin_scene(workload.scene.removeprefix(BUILTIN_PREFIX))
        views = path_cameras(made.views(cameras.builtin), width, height)
    else:
        bounds = scene if isinstance(scene, Bounds) else bounds_of(scene)
        views = orbit_cameras(cameras.orbit or Orbit(), bounds, width, height)
    if cameras.pick is None:
        return views
    outside = [i for i in cameras.pick if not 0 <= i < len(views)]
    if outside:
        raise ConfigError(f"pick: {outside} of {len(views)} cameras",
                          place="workload.cameras.pick",
                          remedy=f"indices go from 0 to {len(views) - 1}")  # fmt: skip
    return [views[i] for i in cameras.pick]


def _ref(workload: Gs3dWorkload) -> SceneRef:
    assert isinstance(workload.scene, str)  # a composition has no single reference
    return SceneRef(workload.scene, workload.lod, workload.gaussians, workload.sh_degree)
