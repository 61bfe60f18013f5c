"""Pruned variants of a scene: fewer Gaussians, chosen by what each adds to recorded views.

Both kinds follow published methods, without their retraining: the pruned scene's quality is what
choosing alone leaves, and is judged on views that chose nothing.

``mini-splatting``
    Fang and Wang, Mini-Splatting, ECCV 2024: Gaussians are sampled without replacement, each with
    a probability in proportion to its importance, the sum over pixels of its blending weight
    alpha T. (Their densification and reinitialisation are left out.)
``lightgaussian``
    Fan et al., LightGaussian, NeurIPS 2024: the most significant are kept, by the sum over the
    pixels that a Gaussian adds to of its opacity times T, times V^0.1, V its volume over that of
    the 90th percentile, at most 1. (Formula from memory, not confirmed; distillation left out.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from archsim.base.jit import njit, prange
from archsim.traces.gs3d.blend import BlendRule, alpha_reach, blend_gaussian, row_interval
from archsim.traces.gs3d.camera import Camera
from archsim.traces.gs3d.projection import project
from archsim.traces.gs3d.quality import psnr_db
from archsim.traces.gs3d.reference import BLEND_RULES, TILE, render_reference
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.sorting import tile_lists
from archsim.traces.gs3d.streaminggs.batches import batches

__all__ = ["Contributions", "Prune", "Pruned", "choose", "prune_scene", "record_contributions"]

Array = npt.NDArray[Any]
F64 = npt.NDArray[np.float64]

_CITATIONS = {
    "mini-splatting": "Fang and Wang, Mini-Splatting, ECCV 2024 (sampling by blending weight)",
    "lightgaussian": "Fan et al., LightGaussian, NeurIPS 2024 (global significance)",
}
_VOLUME_POWER = 0.1
_VOLUME_PERCENTILE = 90
_HELD_OUT_EVERY = 5  # the last of every five views judges
_PAIRS_PER_CALL = 100_000  # about 0.1 s between two returns to Python


class Prune(BaseModel):
    """How a scene is pruned before anything else happens to it."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["mini-splatting", "lightgaussian"] = Field(
        description="How Gaussians are chosen: mini-splatting (sampled by blending weight) or "
        "lightgaussian (the most significant). Example: mini-splatting"
    )
    keep: float = Field(gt=0, lt=1, description="Share of the Gaussians that stay. Example: 0.4")
    views: int = Field(
        default=16,
        ge=1,
        description="Views that contributions are recorded over: the built-in scene's own, or an "
        "orbit. A fourth as many lie between them and judge the result. Example: 16",
    )
    resolution: tuple[int, int] = Field(
        default=(400, 400), description="Width and height of those views. Example: [400, 400]"
    )

    @property
    def views_in_all(self) -> int:
        """Views that contribute and views that judge."""
        return self.views + max(1, round(self.views / (_HELD_OUT_EVERY - 1)))


@dataclass(frozen=True)
class Contributions:
    """What each of N Gaussians adds to some views, all (N,) float64.

    Attributes
    ----------
    weight
        Sum over pixels of alpha T.
    transmittance
        Sum of T over the pixels that it adds to.
    """

    weight: F64
    transmittance: F64


@dataclass(frozen=True)
class Pruned:
    """A pruned scene.

    Attributes
    ----------
    kept : (n,) int64
        Indices of what stays, increasing.
    psnr_db
        Mean over the judging views, pruned against unpruned.
    judged_on
        How many those are.
    """

    kept: npt.NDArray[np.int64]
    psnr_db: float
    judged_on: int

    def of(self, scene: Scene, prune: Prune) -> Scene:
        """Return the scene with only the kept Gaussians, and how it came about in its source."""
        facts = {
            "pruned_by": prune.kind,
            "pruned_keep": prune.keep,
            "pruned_from_gaussians": len(scene),
            "pruned_psnr_db": self.psnr_db,
            "pruned_judged_on_views": self.judged_on,
            "pruned_citation": _CITATIONS[prune.kind],
        }
        return replace(
            scene,
            means=scene.means[self.kept],
            scales=scene.scales[self.kept],
            quats=scene.quats[self.kept],
            opacities=scene.opacities[self.kept],
            sh=scene.sh[self.kept],
            name=f"{scene.name}, {prune.keep:.0%} by {prune.kind}",
            source={**scene.source, **facts},
        )


def prune_scene(
    scene: Scene, prune: Prune, cameras: Sequence[Camera], seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Pruned:  # fmt: skip
    """Choose what stays of a scene, and judge it; the same arguments give the same choice.

    Every fifth of ``cameras`` judges and does not choose (with fewer than five, the last).
    ``progress`` is called with views done and in total.
    """
    judging = list(cameras[_HELD_OUT_EVERY - 1 :: _HELD_OUT_EVERY]) or [cameras[-1]]
    choosing = [c for c in cameras if not any(c is j for j in judging)] or judging
    steps = len(choosing) + len(judging)
    tell = progress or (lambda _done, _total: None)
    total = Contributions(np.zeros(len(scene)), np.zeros(len(scene)))
    for number, camera in enumerate(choosing):
        added = record_contributions(scene, camera)
        total = Contributions(
            total.weight + added.weight, total.transmittance + added.transmittance
        )
        tell(number + 1, steps)
    kept = choose(scene, prune, total, seed)
    smaller = Pruned(kept, 0.0, 0).of(scene, prune)
    psnr = []
    for number, camera in enumerate(judging):
        images = [np.clip(render_reference(s, camera).image, 0.0, 1.0) for s in (smaller, scene)]
        psnr.append(psnr_db(*images))
        tell(len(choosing) + number + 1, steps)
    return Pruned(kept, float(np.mean(psnr)), len(judging))


def choose(
    scene: Scene, prune: Prune, contributions: Contributions, seed: int
) -> npt.NDArray[np.int64]:
    """Return the indices of the Gaussians that stay, increasing; at least one."""
    count = max(1, round(prune.keep * len(scene)))
    if prune.kind == "lightgaussian":
        volume = np.prod(scene.scales.astype(np.float64), axis=1)
        share = np.minimum(volume / np.percentile(volume, _VOLUME_PERCENTILE), 1.0)
        hits = scene.opacities.astype(np.float64) * contributions.transmittance
        key = hits * share**_VOLUME_POWER
    else:
        # Efraimidis and Spirakis 2006: the largest u^(1/w) are a sample without replacement
        random = np.random.default_rng(seed)
        drawn = np.log(random.uniform(np.finfo(float).tiny, 1.0, len(scene)))
        with np.errstate(divide="ignore"):
            key = drawn / contributions.weight  # -inf: what adds nothing comes last
    order = np.lexsort((np.arange(len(scene)), -key))
    return np.sort(order[:count])


def record_contributions(scene: Scene, camera: Camera) -> Contributions:
    """Return what each Gaussian adds to the reference render of one view."""
    projected = project(scene, camera, tile=TILE)
    tiles_x, tiles_y = -(-camera.width // TILE), -(-camera.height // TILE)
    start, visible = tile_lists(projected, tiles_x, tiles_y)
    features = np.concatenate(
        [projected.mean2d, projected.conic, projected.opacity[:, None]], axis=1
    )
    added = np.zeros((visible.size, 2))
    for first, last in batches(np.diff(start), _PAIRS_PER_CALL):
        _contribute(
            first, last, tiles_x, TILE, camera.width, camera.height, start, visible, features,
            BLEND_RULES["inria"], added,
        )  # fmt: skip
    index = projected.index[visible]
    weight, transmittance = (
        np.bincount(index, column, minlength=len(scene)).astype(np.float64) for column in added.T
    )
    return Contributions(weight, transmittance)


@njit(parallel=True)
def _contribute(
    first: int, last: int, tiles_x: int, tile: int, width: int, height: int, start: Array,
    visible: Array, features: Array, rule: BlendRule, added: Array,
) -> None:  # fmt: skip
    for number in prange(first, last):
        x0, y0 = number % tiles_x * tile, number // tiles_x * tile
        x1, y1 = min(x0 + tile, width), min(y0 + tile, height)
        left = np.ones((tile, tile), np.float32)
        before = np.empty((tile, tile), np.float32)
        colour = np.zeros((tile, tile, 3), np.float32)
        done = np.zeros((tile, tile), np.uint8)
        active = (x1 - x0) * (y1 - y0)
        for place in range(start[number], start[number + 1]):
            if active == 0:
                break
            v = visible[place]
            reach = alpha_reach(features[v, 5], rule.alpha_min)
            top, bottom = row_interval(
                y0, y1, features[v, 1], features[v, 2], features[v, 3], features[v, 4], reach, rule
            )
            before[top - y0 : bottom - y0] = left[top - y0 : bottom - y0]
            _, blends, finished = blend_gaussian(
                x0, y0, x1, y1, x0, y0, features[v, 0], features[v, 1], features[v, 2],
                features[v, 3], features[v, 4], reach, features[v, 5], 0.0, 0.0, 0.0, left, colour,
                done, rule,
            )  # fmt: skip
            active -= finished
            if blends == 0:
                continue
            for y in range(top - y0, bottom - y0):
                for x in range(x1 - x0):
                    lost = before[y, x] - left[y, x]
                    if lost > 0.0:
                        added[place, 0] += lost
                        added[place, 1] += before[y, x]
