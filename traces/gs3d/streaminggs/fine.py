"""What the fine filter reads of a frame: the scene, or what its codebooks make of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from archsim.traces.cache import TraceCache
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.projection import Variant
from archsim.traces.gs3d.reference import project_visible
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.streaminggs.codebooks import Codebooks, scene_codebooks
from archsim.traces.gs3d.streaminggs.frame import FineView
from archsim.traces.gs3d.streaminggs.parameters import StreamingGsParameters
from archsim.traces.gs3d.streaminggs.quantise import QuantisedScene, quantise

__all__ = ["quantised_scene", "quantised_view"]

_KEPT = 4  # views: few, as each holds its projected Gaussians


@dataclass(frozen=True)
class _View:
    scene: Scene
    camera: Camera
    key: tuple[Any, ...]
    quantised: QuantisedScene
    view: FineView


_VIEWS: list[_View] = []


def quantised_scene(
    scene: Scene, parameters: StreamingGsParameters, *, codebooks: Codebooks | None = None,
    cache: TraceCache | None = None, progress: Callable[[int, int], None] | None = None,
) -> QuantisedScene | None:  # fmt: skip
    """Return the scene in indices as ``parameters`` say, in codebooks of its own unless given."""
    if parameters.vq == "none":
        return None
    if codebooks is None:
        codebooks = scene_codebooks(
            scene, kind=parameters.vq, sizes=parameters.codebooks, seed=parameters.codebook_seed,
            cache=cache, progress=progress,
        )  # fmt: skip
    return quantise(scene, codebooks)


def quantised_view(
    scene: Scene, camera: Camera, variant: Variant, parameters: StreamingGsParameters, *,
    cache: TraceCache | None = None, progress: Callable[[int, int], None] | None = None,
) -> tuple[QuantisedScene | None, FineView]:  # fmt: skip
    """Return :func:`quantised_scene`, and what it decodes to as the camera sees it.

    Depends on no voxel and no group: the last few are kept, for sweeps that change those. They are
    found again by the very ``scene`` and ``camera`` objects.
    """
    key = (variant, parameters.vq, parameters.codebooks, parameters.codebook_seed)
    for kept in _VIEWS:
        if kept.scene is scene and kept.camera is camera and kept.key == key:
            return kept.quantised, kept.view
    quantised = quantised_scene(scene, parameters, cache=cache, progress=progress)
    read = scene if quantised is None else quantised.decoded()
    view = FineView(project_visible(read, camera, variant), variant)
    if quantised is not None:
        _VIEWS.append(_View(scene, camera, key, quantised, view))
        del _VIEWS[:-_KEPT]
    return quantised, view
