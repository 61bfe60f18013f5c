"""Equal Gaussians, one representative: axes by size, rotation nearest to the identity.

A covariance does not say which of its principal axes is the first, nor which way an axis points: 24
rotations, each as two unit quaternions, with the scales reordered, are the same Gaussian. An
encoder may store any of them. Choosing one, scales in descending order and the quaternion with the
largest scalar part (so w >= |x|, |y|, |z|), leaves a sixth of the space of scales and an eighth of
that of quaternions for codebooks to cover.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from archsim.traces.gs3d.scene import F32, Scene

__all__ = ["Gauge", "canonical", "canonical_gauge"]

#: Permutations of the axes: new axis j is old axis ``_AXES[p][j]``, up to its direction.
_AXES = np.array([[0, 1, 2], [1, 0, 2], [2, 1, 0], [0, 2, 1], [1, 2, 0], [2, 0, 1]])

#: A rotation (w, x, y, z) that does each permutation: half turns about diagonals, third turns.
_TURNS = np.array(
    [[1, 0, 0, 0], [0, 1, 1, 0], [0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1], [1, -1, -1, -1]],
    np.float64,
)
_TURNS /= np.linalg.norm(_TURNS, axis=1, keepdims=True)

#: q times 1, i, j, k (half turns about the Gaussian's own axes): component and sign of w, x, y, z.
_HALF_SOURCE = np.array([[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]])
_HALF_SIGN = np.array([[1, 1, 1, 1], [-1, 1, 1, -1], [-1, -1, 1, 1], [-1, 1, -1, 1]], np.float32)


@dataclass(frozen=True)
class Gauge:
    """How to get from N Gaussians as stored to their representatives, and back.

    Attributes
    ----------
    order : (N,) int8
        Which permutation of the axes.
    half_turn : (N,) int8
        Which half turn about an own axis (0: none) comes after it.
    sign : (N,) float32
        1 or -1 times the quaternion.
    """

    order: npt.NDArray[np.int8]
    half_turn: npt.NDArray[np.int8]
    sign: F32

    def scales(self, scales: F32) -> F32:
        """Return scales, (N, 3), with the axes of the representatives."""
        return np.take_along_axis(scales, _AXES[self.order], axis=1)

    def scales_back(self, scales: F32) -> F32:
        """Return representatives' scales, (N, 3), with the axes as stored."""
        return np.take_along_axis(scales, np.argsort(_AXES, axis=1)[self.order], axis=1)

    def quats_back(self, quats: F32) -> F32:
        """Return representatives' quaternions, (N, 4), as rotations of the axes as stored."""
        # the inverse of a half turn is itself with the other sign; none's is itself
        other = np.where(self.half_turn == 0, self.sign, -self.sign).astype(np.float32)
        return _turned(_half_turned(quats, self.half_turn) * other[:, None], self.order, back=True)


def canonical_gauge(scales: F32, quats: F32) -> tuple[Gauge, F32, F32]:
    """Return the gauge of Gaussians, and the scales and unit quaternions of the representatives.

    ``scales`` is (N, 3), ``quats`` (N, 4) as w, x, y, z, of any length but zero. Equal Gaussians in
    have equal representatives but for rounding; ties are broken by the axes as stored.
    """
    perm = np.argsort(-scales, axis=1, kind="stable")
    order = _number_of(perm)
    unit = quats / np.linalg.norm(quats, axis=1, keepdims=True).astype(np.float32)
    turned = _turned(unit, order, back=False)
    # q times i, j or k has w = -x, -y or -z
    half_turn = np.abs(turned).argmax(axis=1).astype(np.int8)
    turned = _half_turned(turned, half_turn)
    sign = np.where(turned[:, 0] < 0, np.float32(-1), np.float32(1))
    gauge = Gauge(order, half_turn, sign)
    return gauge, gauge.scales(scales), turned * sign[:, None]


def canonical(scene: Scene) -> Scene:
    """Return the same Gaussians in the representation that codebooks use: it renders alike."""
    _, scales, quats = canonical_gauge(scene.scales, scene.quats)
    return replace(
        scene, scales=np.ascontiguousarray(scales), quats=np.ascontiguousarray(quats, np.float32)
    )


def _number_of(perm: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    """Return which row of the permutations each row of ``perm`` is."""
    table = np.zeros((3, 3), np.int8)
    for number, axes in enumerate(_AXES):
        table[axes[0], axes[1]] = number
    return table[perm[:, 0], perm[:, 1]]


def _turned(quats: F32, order: npt.NDArray[np.int8], *, back: bool) -> F32:
    """Return quaternions times each permutation's turn, or times its inverse; exact for none."""
    turns = _TURNS * np.array([1, -1, -1, -1]) if back else _TURNS
    result = quats.copy()
    for number in range(1, len(turns)):
        chosen = np.flatnonzero(order == number)
        w, x, y, z = quats[chosen].astype(np.float64).T
        a, b, c, d = turns[number]
        result[chosen, 0] = w * a - x * b - y * c - z * d
        result[chosen, 1] = w * b + x * a + y * d - z * c
        result[chosen, 2] = w * c - x * d + y * a + z * b
        result[chosen, 3] = w * d + x * c - y * b + z * a
    return result


def _half_turned(quats: F32, half_turn: npt.NDArray[np.int8]) -> F32:
    """Return quaternions times 1, i, j or k, which only moves components and changes signs."""
    moved: F32 = np.take_along_axis(quats, _HALF_SOURCE[half_turn], axis=1) * _HALF_SIGN[half_turn]
    return moved
