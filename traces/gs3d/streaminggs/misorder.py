"""How much of a frame is blended out of order: three definitions.

A Gaussian is out of order when one before it is deeper (T_i of StreamingGS's loss L_CBP, second-
hand: depth_i < max_{j<i} depth_j in rendering order).

``group``
    Share of the Gaussians that a group of pixels renders; every Gaussian counts once per group.
``size``
    The same, each weighted by its size S_i as in L_CBP. What the paper takes for size was not
    found; here it is the largest scale, the fourth word of the coarse filter.
``pixel``
    Share of the blending weight alpha T: of each pixel's contributions, those that come behind a
    deeper one that the same pixel blended. Only this one sees what the image shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from archsim.base.jit import njit

__all__ = ["Misorder", "blended_weights"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Misorder:
    """Totals over a frame, out of order and in all.

    Attributes
    ----------
    entries, misordered_entries
        Gaussians of groups.
    size, misordered_size
        Sum of their sizes, in scene units.
    weight, misordered_weight
        Sum of alpha T over pixels.
    """

    entries: int
    misordered_entries: int
    size: float
    misordered_size: float
    weight: float
    misordered_weight: float

    def fractions(self) -> dict[str, float]:
        """Return the three shares, ``group``, ``size`` and ``pixel``."""
        return {
            "group": self.misordered_entries / max(self.entries, 1),
            "size": self.misordered_size / self.size if self.size > 0 else 0.0,
            "pixel": self.misordered_weight / self.weight if self.weight > 0 else 0.0,
        }


@njit()
def blended_weights(
    before: Array, transmittance: Array, y0: int, x0: int, y1: int, x1: int, depth: float,
    deepest: Array,
) -> tuple[float, float]:  # fmt: skip
    """Return the weight that one Gaussian has just added to a rectangle, and what was behind.

    ``before`` holds the rectangle's transmittance from before it was blended, from [0, 0] on;
    ``transmittance`` and ``deepest``, the depth of each pixel's deepest Gaussian so far, cover the
    group, and ``deepest`` is brought up to date. T alpha is the loss of transmittance.
    """
    weight = behind = 0.0
    for y in range(y0, y1):
        for x in range(x0, x1):
            lost = before[y - y0, x - x0] - transmittance[y, x]
            if lost > 0.0:
                weight += lost
                if depth < deepest[y, x]:
                    behind += lost
                else:
                    deepest[y, x] = depth
    return weight, behind
