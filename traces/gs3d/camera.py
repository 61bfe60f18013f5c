"""A pinhole camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Camera"]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera with x right, y down, z forward (OpenCV axes, as INRIA and COLMAP).

    Attributes
    ----------
    width, height
        Resolution in pixels.
    fx, fy, cx, cy
        Focal lengths and principal point in pixels; (width/2, height/2) is the image centre.
    world_to_camera : (4, 4) float64
        ``p_camera = R p_world + t``.
    name
        Name for reports, e.g. the image's name or ``orbit-000``.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    world_to_camera: npt.NDArray[np.float64]
    name: str = "camera"

    @property
    def position(self) -> npt.NDArray[np.float64]:
        """The camera's centre in scene units, shape (3,)."""
        rotation, translation = self.world_to_camera[:3, :3], self.world_to_camera[:3, 3]
        centre: npt.NDArray[np.float64] = -rotation.T @ translation
        return centre
