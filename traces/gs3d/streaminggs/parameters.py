"""Parameters of the streaminggs method that its recorded work depends on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from archsim.base.errors import ConfigError
from archsim.traces.gs3d.reference import TILE
from archsim.traces.gs3d.streaminggs.codebooks import CodebookSizes
from archsim.traces.gs3d.streaminggs.layout import BURST_BYTES
from archsim.traces.gs3d.streaminggs.order import ORDER_RULES, OrderRule

__all__ = ["MOST_ABREAST", "StreamingGsParameters", "VqKind"]

#: Rays that may walk side by side; more would be more than a row of most groups has.
MOST_ABREAST = 256

#: ``none``: parameters in FP32; else how the codebooks come about (:mod:`codebooks`).
VqKind = Literal["none", "trained", "palette"]


@dataclass(frozen=True)
class StreamingGsParameters:
    """What the recorded work depends on besides scene and camera.

    Attributes
    ----------
    voxel_size
        Edge of a voxel in scene units, or ``extent/K`` of the scene's largest extent.
    group
        Width and height of a pixel group, multiples of 16.
    order
        Rule that orders a group's voxels, see :mod:`order`.
    ray_stride
        Rays are cast through every so many pixels in x and y.
    rays_abreast
        Rays that walk through the grid side by side, neighbours of a row; it orders the pairs of
        voxels that a filter in front of the voxel sorter sees (:mod:`reuse`).
    vq
        Vector quantisation of what the fine filter reads: ``trained``, ``palette`` or ``none``.
    codebooks
        Entries of each codebook.
    codebook_seed
        Of the sample that trains a codebook, and of its first entries.
    alignment_bytes
        A voxel starts on a multiple of it in DRAM.
    """

    voxel_size: str | float = "extent/16"
    group: tuple[int, int] = (64, 64)
    order: OrderRule = "dag"
    ray_stride: int = 1
    rays_abreast: int = 16
    vq: VqKind = "trained"
    codebooks: CodebookSizes = field(default_factory=CodebookSizes)
    codebook_seed: int = 0
    alignment_bytes: int = BURST_BYTES

    def check(self) -> None:
        """Raise :class:`ConfigError` for parameters that make no sense."""
        if len(self.group) != 2 or any(side < TILE or side % TILE for side in self.group):
            raise ConfigError(
                f"a group of {tuple(self.group)} pixels is not made of {TILE}x{TILE} tiles",
                remedy=f"use multiples of {TILE}, e.g. [64, 64]",
            )
        if self.order not in ORDER_RULES:
            raise ConfigError(
                f"order {self.order!r} is not known", remedy="use " + ", ".join(ORDER_RULES)
            )
        if not 1 <= self.ray_stride <= min(self.group):
            raise ConfigError(
                f"a ray_stride of {self.ray_stride} casts no ray in some group",
                remedy=f"use 1 to {min(self.group)}",
            )
        if not 1 <= self.rays_abreast <= MOST_ABREAST:
            raise ConfigError(
                f"{self.rays_abreast} rays cannot walk side by side",
                remedy=f"use 1 to {MOST_ABREAST}, as many as samplers or a multiple",
            )
        if self.vq not in get_args(VqKind):
            raise ConfigError(f"vq {self.vq!r} is not known", remedy="use none, trained or palette")
        self.codebooks.check()
        if self.alignment_bytes < 1:
            raise ConfigError(
                f"voxels aligned to {self.alignment_bytes} bytes",
                remedy=f"use the bytes of a burst, e.g. {BURST_BYTES}, or 1 for none",
            )

    def meta(self) -> dict[str, Any]:
        """Return the parameters, JSON-able."""
        return {
            "voxel_size": self.voxel_size,
            "group": list(self.group),
            "order": self.order,
            "ray_stride": self.ray_stride,
            "rays_abreast": self.rays_abreast,
            "vq": self.vq,
            "codebooks": None if self.vq == "none" else dict(self.codebooks._asdict()),
            "codebook_seed": None if self.vq == "none" else self.codebook_seed,
            "alignment_bytes": self.alignment_bytes,
        }
