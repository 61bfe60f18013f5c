"""A scene in indices: what StreamingGS stores of a Gaussian behind its position and largest scale.

Record of a Gaussian's fine half: an index into each codebook and the opacity in 8 bits, packed to
whole bytes: 12 + 12 + 12 + 9 + 8 = 53 bits in 7 bytes at SH degree 1 and up with the published
codebooks. Which codebooks exist is second-hand; opacity's 8 bits, as in ``.splat``, ``.spz`` and
SOG files, are assumed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from archsim.base.errors import ConfigError
from archsim.traces.gs3d.scene import Scene
from archsim.traces.gs3d.streaminggs.codebooks import Codebooks, nearest, scene_codebooks
from archsim.traces.gs3d.streaminggs.gauge import Gauge, canonical_gauge

__all__ = ["OPACITY_BITS", "QuantisedScene", "quantise", "record_bits"]

#: Bits of a stored opacity, uniform steps from 0 to 1.
OPACITY_BITS = 8
_OPACITY_STEPS = (1 << OPACITY_BITS) - 1

I32 = npt.NDArray[np.int32]


@dataclass(frozen=True)
class QuantisedScene:
    """N Gaussians as indices into codebooks; positions and opacity are not in codebooks.

    Attributes
    ----------
    scene
        What was quantised; its means stay as they are.
    codebooks
    scale, rotation, dc, sh : (N,) int32
        Indices.
    opacity : (N,) uint8
        255 times the opacity, rounded.
    gauge
        How the scene's Gaussians relate to the representatives in the codebooks. It is not stored:
        all are the same Gaussians.
    """

    scene: Scene
    codebooks: Codebooks
    scale: I32
    rotation: I32
    dc: I32
    sh: I32
    opacity: npt.NDArray[np.uint8]
    gauge: Gauge

    @property
    def index_bits(self) -> dict[str, int]:
        """Bits of each index by part, and of the opacity."""
        return {**self.codebooks.index_bits, "opacity": OPACITY_BITS}

    @property
    def record_bits(self) -> int:
        """Bits of a fine record."""
        return record_bits(self.codebooks)

    @property
    def record_bytes(self) -> int:
        """Bytes of a fine record, packed to whole ones."""
        return -(-self.record_bits // 8)

    @property
    def codebook_bytes(self) -> int:
        """Bytes of the codebooks at the scene's SH degree."""
        return self.codebooks.codebook_bytes()

    @property
    def exact(self) -> bool:
        """Whether scales, rotations and colours are entries already, but for rounding."""
        made = self.decoded()
        return all(
            np.allclose(getattr(made, name), getattr(self.scene, name), rtol=1e-5, atol=1e-6)
            for name in ("scales", "quats", "sh")
        )

    def decoded(self, *, canonical: bool = False) -> Scene:
        """Return the scene that the indices stand for.

        Axes and signs are those of the scene that was quantised, so that each parameter is near its
        original; with ``canonical`` they are the codebooks', so that every value is an entry: such
        a scene quantises again without any loss. Both render alike.
        """
        books = self.codebooks
        scales, quats = books.scale[self.scale], books.rotation[self.rotation]
        if not canonical:
            scales, quats = self.gauge.scales_back(scales), self.gauge.quats_back(quats)
        sh = np.concatenate([books.dc[self.dc][:, None], books.sh[self.sh]], axis=1)
        return replace(
            self.scene,
            scales=np.ascontiguousarray(scales, np.float32),
            quats=np.ascontiguousarray(quats, np.float32),
            opacities=self.opacity.astype(np.float32) / np.float32(_OPACITY_STEPS),
            sh=np.ascontiguousarray(sh, np.float32),
        )


def record_bits(codebooks: Codebooks) -> int:
    """Return the bits of a fine record: an index into each codebook, and the opacity."""
    return sum(codebooks.index_bits.values()) + OPACITY_BITS


def quantise(scene: Scene, codebooks: Codebooks | None = None) -> QuantisedScene:
    """Replace each Gaussian's scale, rotation and colours by the nearest entry of a codebook.

    Nearest in the space that the codebooks were trained in: logarithms of scales, quaternions of
    the representatives, coefficients. ``codebooks`` are trained with the defaults when not given.
    Raises :class:`ConfigError` when they cover another SH degree than the scene's.
    """
    books = scene_codebooks(scene) if codebooks is None else codebooks
    if books.sh.shape[1] != scene.sh.shape[1] - 1:
        raise ConfigError(
            f"codebooks of SH degree {books.sh_degree} for scene {scene.name} of degree "
            f"{scene.sh_degree}",
            remedy="train them on a scene of the same degree",
        )
    gauge, scales, quats = canonical_gauge(scene.scales, scene.quats)
    return QuantisedScene(
        scene,
        books,
        nearest(np.log(scales), np.log(books.scale)),
        nearest(quats, books.rotation),
        nearest(scene.sh[:, 0], books.dc),
        nearest(scene.sh[:, 1:].reshape(len(scene), -1), books.sh.reshape(len(books.sh), -1)),
        np.rint(np.clip(scene.opacities, 0.0, 1.0) * _OPACITY_STEPS).astype(np.uint8),
        gauge,
    )
