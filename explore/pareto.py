"""Pareto fronts and their hypervolume; every objective is minimized."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["Box", "dominates", "front", "hypervolume", "middle"]

F64 = npt.NDArray[np.float64]


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Return whether ``a`` is nowhere worse than ``b`` and somewhere better."""
    return all(x <= y for x, y in zip(a, b)) and any(x < y for x, y in zip(a, b))


def front(values: F64) -> npt.NDArray[np.bool_]:
    """Return which rows of ``values``, (n, objectives), no other row dominates.

    Of equal rows all are on the front.
    """
    values = np.asarray(values, np.float64)
    keep = np.ones(len(values), np.bool_)
    # sorted by the sum, a row is only dominated by earlier ones; those on the front so far do
    best = np.empty((0, values.shape[1] if values.ndim == 2 else 0))
    for row in np.lexsort((*values.T[::-1], values.sum(axis=1))).tolist():
        here = values[row]
        worse = (best <= here).all(axis=1) & (best < here).any(axis=1)
        if worse.any():
            keep[row] = False
        else:
            best = np.vstack([best, here])
    return keep


class Box:
    """The box that a hypervolume is measured in, and as a share of: ideal to worst point.

    Spans are of what was seen, a tenth wider at the worst end, so that extreme points count, too.
    """

    def __init__(self, values: F64):
        self.ideal = values.min(axis=0)
        span = values.max(axis=0) - self.ideal
        self.span = np.where(span > 0, span, 1.0) * 1.1

    def share(self, values: F64) -> F64:
        """Return values with the ideal at 0 and the worst end of the box at 1."""
        return np.asarray((values - self.ideal) / self.span)

    def hypervolume(self, values: F64) -> float:
        """Return the share of the box that ``values`` dominate."""
        return hypervolume(self.share(values), np.ones(len(self.ideal))) if len(values) else 0.0


def hypervolume(values: F64, worst: F64) -> float:
    """Return the volume between the points' front and ``worst``, exactly, by slicing.

    The slices go along the last objective (Zitzler 2001, "Hypervolume by slicing objectives"):
    quick for two and three objectives and fronts of some hundred points.
    """
    values = np.asarray(values, np.float64)
    values = values[(values < worst).all(axis=1)]
    return _volume(np.unique(values[front(values)], axis=0), worst) if len(values) else 0.0


def _volume(values: F64, worst: F64) -> float:
    """Return the volume of points that lie inside; dominated ones add nothing."""
    values = values[np.argsort(values[:, -1], kind="stable")]
    depth = np.append(values[1:, -1], worst[-1]) - values[:, -1]
    if values.shape[1] == 1:
        return float(worst[0] - values[0, 0])
    if values.shape[1] == 2:
        return float((depth * (worst[0] - np.minimum.accumulate(values[:, 0]))).sum())
    slabs = [
        float(thick) * _volume(values[: i + 1, :-1], worst[:-1])
        for i, thick in enumerate(depth.tolist())
        if thick > 0
    ]
    return float(sum(slabs))


def middle(values: F64) -> int:
    """Return the row nearest to the ideal point, each objective scaled to its span in ``values``.

    The usual choice of one point from a front: give a little of everything.
    """
    low, high = values.min(axis=0), values.max(axis=0)
    scaled = (values - low) / np.where(high > low, high - low, 1.0)
    return int(np.argmin((scaled**2).sum(axis=1)))
