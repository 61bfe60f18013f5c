"""Adam (Kingma and Ba 2015), in place on float32 arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit, prange

__all__ = ["Adam"]

Array = npt.NDArray[Any]

_BETA1, _BETA2 = 0.9, 0.999  # Kingma and Ba 2015, algorithm 1; PyTorch's defaults, which 3DGS uses
_EPSILON = 1e-15  # 3DGS' train.py: gradients of a mean over pixels are tiny


class Adam:
    """Moments of one array; :meth:`update` moves the array against a gradient.

    Attributes
    ----------
    mean, square
        Running moments, float32, of the array's shape.
    """

    def __init__(self, shape: tuple[int, ...]):
        self.mean = np.zeros(shape, np.float32)
        self.square = np.zeros(shape, np.float32)

    def update(self, array: Array, gradient: Array, rate: float, step: int) -> None:
        """Take step number ``step``, from 1 on, with learning rate ``rate``."""
        correction = math.sqrt(1.0 - _BETA2**step) / (1.0 - _BETA1**step)
        constants = (rate * correction, _BETA1, _BETA2, _EPSILON * math.sqrt(1.0 - _BETA2**step))
        _update(
            array.reshape(-1), np.ascontiguousarray(gradient, np.float32).reshape(-1),
            self.mean.reshape(-1), self.square.reshape(-1), np.array(constants, np.float32),
        )  # fmt: skip


@njit(parallel=True)
def _update(array: Array, gradient: Array, mean: Array, square: Array, constants: Array) -> None:
    rate, beta1, beta2, epsilon = constants[0], constants[1], constants[2], constants[3]
    for i in prange(array.size):
        g = gradient[i]
        m = beta1 * mean[i] + (np.float32(1.0) - beta1) * g
        s = beta2 * square[i] + (np.float32(1.0) - beta2) * g * g
        mean[i], square[i] = m, s
        array[i] -= rate * m / (np.sqrt(s) + epsilon)
