"""Quaternions stored as their three smallest components and the place of the largest."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.traces.gs3d.scene import F32

__all__ = ["unpack_smallest_three"]

# Row m lists where the output's components come from when component m is the largest:
# 0 is the computed one, 1 to 3 are the stored ones in order.
_ORDER = np.array([[0, 1, 2, 3], [1, 0, 2, 3], [1, 2, 0, 3], [1, 2, 3, 0]])


def unpack_smallest_three(three: F32, largest: npt.NDArray[Any]) -> F32:
    """Return (n, 4) quaternions from (n, 3) stored components and (n,) places 0 to 3.

    The components keep their order with the largest left out; it is taken as positive (a
    quaternion and its negative are the same rotation).
    """
    square = np.einsum("ij,ij->i", three, three)
    fourth = np.sqrt(np.maximum(0.0, 1.0 - square))
    parts = np.concatenate([fourth[:, None], three], axis=1)
    return np.take_along_axis(parts, _ORDER[largest.astype(np.int64)], axis=1).astype(np.float32)
