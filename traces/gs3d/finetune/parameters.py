"""The trainable parameters of a scene, before their activations, and the way back to a scene.

As in 3DGS (Kerbl et al. 2023, section 7): opacities as logits, scales as natural logarithms,
quaternions normalised where they are used. Centres are frozen.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.traces.gs3d.scene import F32, Scene

__all__ = ["KINDS", "Parameters", "activate", "parameters_of"]

Floats = npt.NDArray[np.floating[Any]]

#: Opacities 0 and 1 have no finite logit: 1e-7 is below what float32 tells from 1.
_CLOSEST = 1e-7


@dataclass(frozen=True)
class Parameters:
    """N Gaussians' trainable parameters, float32, or gradients by them, float64.

    Attributes
    ----------
    opacity : (N,)
        Logits.
    scale : (N, 3)
        Natural logarithms.
    rotation : (N, 4)
        Quaternions w, x, y, z of any length.
    dc : (N, 3)
        Spherical harmonics of degree 0.
    sh : (N, (degree + 1)**2 - 1, 3)
        The other spherical harmonics.
    """

    opacity: Floats
    scale: Floats
    rotation: Floats
    dc: Floats
    sh: Floats

    def __len__(self) -> int:
        return int(self.opacity.shape[0])

    def items(self) -> list[tuple[str, Floats]]:
        """Return (kind, array) pairs in a fixed order."""
        return [(name, getattr(self, name)) for name in KINDS]


#: Names of the parameters, in a fixed order.
KINDS = tuple(f.name for f in fields(Parameters))


def parameters_of(scene: Scene) -> Parameters:
    """Return a scene's parameters, in arrays of their own."""
    opacity = np.clip(scene.opacities.astype(np.float64), _CLOSEST, 1.0 - _CLOSEST)
    return Parameters(
        opacity=np.log(opacity / (1.0 - opacity)).astype(np.float32),
        scale=np.log(scene.scales.astype(np.float64)).astype(np.float32),
        rotation=scene.quats.copy(),
        dc=scene.sh[:, 0].copy(),
        sh=scene.sh[:, 1:].copy(),
    )


def activate(parameters: Parameters, scene: Scene) -> Scene:
    """Return ``scene`` with these parameters; centres, name and source stay."""
    rotation = parameters.rotation.astype(np.float64)
    return replace(
        scene,
        scales=_f32(np.exp(parameters.scale.astype(np.float64))),
        quats=_f32(rotation / np.linalg.norm(rotation, axis=1, keepdims=True)),
        opacities=_f32(1.0 / (1.0 + np.exp(-parameters.opacity.astype(np.float64)))),
        sh=_f32(np.concatenate([parameters.dc[:, None], parameters.sh], axis=1)),
    )


def _f32(array: npt.NDArray[np.float64]) -> F32:
    return np.ascontiguousarray(array, np.float32)
