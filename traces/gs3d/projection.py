"""Projection of Gaussians to the screen: the contract shared by all methods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Projected"]


@dataclass(frozen=True)
class Projected:
    """Gaussians that survive culling, V of them, in scene order.

    Attributes
    ----------
    index : (V,) int32
        Position in the scene.
    mean2d : (V, 2) float32
        Centre in pixels of the variant's convention (INRIA: pixel centres at integers).
    depth : (V,) float32
        View-space z.
    conic : (V, 3) float32
        Inverse 2D covariance (a, b, c): power = -0.5 (a dx^2 + c dy^2) - b dx dy.
    cov2d : (V, 3) float32
        2D covariance (xx, xy, yy) after the low-pass term.
    radius : (V, 2) int32
        Extent in pixels along x and y (equal for INRIA's circle).
    opacity : (V,) float32
    rgb : (V, 3) float32
    tile_rect : (V, 4) int32
        Touched tiles as x0, y0, x1, y1, half open, on the tile grid given to the projection.
    """

    index: npt.NDArray[np.int32]
    mean2d: npt.NDArray[np.float32]
    depth: npt.NDArray[np.float32]
    conic: npt.NDArray[np.float32]
    cov2d: npt.NDArray[np.float32]
    radius: npt.NDArray[np.int32]
    opacity: npt.NDArray[np.float32]
    rgb: npt.NDArray[np.float32]
    tile_rect: npt.NDArray[np.int32]
