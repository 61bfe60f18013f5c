"""Spherical harmonics in bulk: the basis on many directions, and coefficients under a rotation."""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["quat_to_matrix", "rotate_sh", "sh_basis", "sh_rotation"]

F64 = npt.NDArray[np.float64]

# Enough well-spread directions to determine 7 coefficients many times over.
_DIRECTIONS = 64


def sh_basis(directions: npt.ArrayLike, degree: int) -> F64:
    """Return (n, (degree + 1)^2): the 3DGS basis on unit directions (n, 3).

    Real harmonics with the Condon-Shortley phase, per degree l the orders -l .. l: the basis of
    :func:`archsim.traces.gs3d.harmonics.sh_colour`.
    """
    d = np.asarray(directions, np.float64)
    x, y, z = d[:, 0], d[:, 1], d[:, 2]
    xx, yy, zz = x * x, y * y, z * z
    a = sqrt(3 / (4 * pi))
    b, c = sqrt(15 / (4 * pi)), sqrt(5 / (16 * pi))
    e, f, g = sqrt(35 / (32 * pi)), sqrt(21 / (32 * pi)), sqrt(7 / (16 * pi))
    h = sqrt(105 / (4 * pi))
    columns = [
        np.full(len(d), sqrt(1 / (4 * pi))),
        -a * y, a * z, -a * x,
        b * x * y, -b * y * z, c * (2 * zz - xx - yy), -b * x * z, b / 2 * (xx - yy),
        -e * y * (3 * xx - yy), h * x * y * z, -f * y * (4 * zz - xx - yy),
        g * z * (2 * zz - 3 * xx - 3 * yy), -f * x * (4 * zz - xx - yy), h / 2 * z * (xx - yy),
        -e * x * (xx - 3 * yy),
    ]  # fmt: skip
    return np.stack(columns[: (degree + 1) ** 2], axis=1)


def quat_to_matrix(quat: npt.ArrayLike) -> F64:
    """Return the (3, 3) rotation matrix of a unit quaternion w, x, y, z."""
    w, x, y, z = np.asarray(quat, np.float64)
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip


def sh_rotation(rotation: F64, degree: int) -> list[F64]:
    """Return per degree 1, 2, .. the matrix that turns coefficients with a (3, 3) rotation R.

    The turned coefficients c' give along R d what c gave along d. Found from values of the basis
    on a fixed set of directions: each degree's harmonics are closed under rotation, so the least
    squares solution is exact to rounding.
    """
    index = np.arange(_DIRECTIONS) + 0.5  # a Fibonacci sphere
    z = 1 - 2 * index / _DIRECTIONS
    turn = pi * (1 + sqrt(5)) * index
    ring = np.sqrt(1 - z * z)
    directions = np.stack([ring * np.cos(turn), ring * np.sin(turn), z], axis=1)
    here, there = sh_basis(directions, degree), sh_basis(directions @ rotation.T, degree)
    bands = [slice(lower * lower, (lower + 1) ** 2) for lower in range(1, degree + 1)]
    found = (np.linalg.lstsq(there[:, b], here[:, b], rcond=None)[0] for b in bands)
    return [matrix.astype(np.float64) for matrix in found]


def rotate_sh(sh: npt.NDArray[Any], matrices: list[F64]) -> npt.NDArray[np.float32]:
    """Return coefficients (n, (degree + 1)^2, 3) turned by :func:`sh_rotation`'s matrices."""
    out = sh.astype(np.float32)
    for lower, matrix in enumerate(matrices, start=1):
        first = lower * lower
        turn = matrix.astype(np.float32)
        for row in range(2 * lower + 1):  # sums in a fixed order: equal on any machine's BLAS
            total = turn[row, 0] * sh[:, first]
            for column in range(1, 2 * lower + 1):
                total += turn[row, column] * sh[:, first + column]
            out[:, first + row] = total
    return out
