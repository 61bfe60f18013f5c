"""View-dependent colour: real spherical harmonics of degree 0 to 3.

The basis of 3DGS (Kerbl et al. 2023), in the order and with the signs that INRIA's rasteriser,
gsplat and every trained model use: per degree l the orders m = -l .. l, with the Condon-Shortley
phase, y first. A test derives the factors from associated Legendre functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.base.jit import njit

__all__ = ["sh_colour", "sh_weights"]


@njit()
def sh_weights(terms: int, x: float, y: float, z: float) -> npt.NDArray[np.float64]:
    """Return the basis at the unit direction (x, y, z), shape (16,); the first ``terms`` are set.

    ``terms`` is 1, 4, 9 or 16.
    """
    weights = np.empty(16, np.float64)
    weights[0] = 0.28209479177387814  # sqrt(1 / 4 pi)
    if terms > 1:
        k = 0.4886025119029199  # sqrt(3 / 4 pi)
        weights[1] = -k * y
        weights[2] = k * z
        weights[3] = -k * x
    if terms > 4:
        xx, yy, zz = x * x, y * y, z * z
        weights[4] = 1.0925484305920792 * x * y  # sqrt(15 / 4 pi)
        weights[5] = -1.0925484305920792 * y * z
        weights[6] = 0.31539156525252005 * (2.0 * zz - xx - yy)  # sqrt(5 / 16 pi)
        weights[7] = -1.0925484305920792 * x * z
        weights[8] = 0.5462742152960396 * (xx - yy)  # sqrt(15 / 16 pi)
        if terms > 9:
            weights[9] = -0.5900435899266435 * y * (3.0 * xx - yy)  # sqrt(35 / 32 pi)
            weights[10] = 2.890611442640554 * x * y * z  # sqrt(105 / 4 pi)
            weights[11] = -0.4570457994644658 * y * (4.0 * zz - xx - yy)  # sqrt(21 / 32 pi)
            weights[12] = 0.3731763325901154 * z * (2.0 * zz - 3.0 * xx - 3.0 * yy)  # sqrt(7/16 pi)
            weights[13] = -0.4570457994644658 * x * (4.0 * zz - xx - yy)
            weights[14] = 1.445305721320277 * z * (xx - yy)  # sqrt(105 / 16 pi)
            weights[15] = -0.5900435899266435 * x * (xx - 3.0 * yy)
    return weights


@njit()
def sh_colour(
    coefficients: npt.NDArray[Any], x: float, y: float, z: float
) -> tuple[float, float, float]:
    """Return red, green and blue seen along the unit direction (x, y, z), clamped at 0.

    ``coefficients`` is (1, 4, 9 or 16, 3), DC first; the colour is their sum with the basis, plus
    one half (3DGS' convention for a DC of zero being grey). The direction points from the camera
    to the Gaussian.
    """
    terms = coefficients.shape[0]
    weights = sh_weights(terms, x, y, z)
    red = green = blue = 0.5
    for term in range(terms):
        red += weights[term] * coefficients[term, 0]
        green += weights[term] * coefficients[term, 1]
        blue += weights[term] * coefficients[term, 2]
    return max(red, 0.0), max(green, 0.0), max(blue, 0.0)
