"""A 3DGS scene in memory: activated parameters of N Gaussians, ready to render."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["F32", "Scene"]

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """N Gaussians with activated (not raw) parameters, all float32 and C-contiguous.

    Attributes
    ----------
    means : (N, 3)
        Centres in scene units, axes as stored in the INRIA ``.ply`` convention (y down).
    scales : (N, 3)
        Standard deviations along the principal axes, linear (after ``exp``), > 0.
    quats : (N, 4)
        Rotations as unit quaternions w, x, y, z.
    opacities : (N,)
        In [0, 1] (after the sigmoid).
    sh : (N, (degree + 1)**2, 3)
        Spherical-harmonics coefficients, DC first, colour last.
    name
        Short name for reports.
    source
        JSON-able provenance: format, path, content hash, level of detail, seed, composition.
    """

    means: F32
    scales: F32
    quats: F32
    opacities: F32
    sh: F32
    name: str
    source: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.means.shape[0])

    @property
    def sh_degree(self) -> int:
        """Degree of the spherical harmonics, 0 to 3."""
        return {1: 0, 4: 1, 9: 2, 16: 3}[int(self.sh.shape[1])]

    @property
    def parameters_per_gaussian(self) -> int:
        """Stored parameters of one Gaussian: 59 at degree 3 (INRIA model, 3+3+4+1+48)."""
        return 11 + 3 * int(self.sh.shape[1])
